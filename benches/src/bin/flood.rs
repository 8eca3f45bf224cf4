//! Can a flood, slow connections or one greedy identity push an honest sender aside, or fill disk, memory or log?
//!
//! The real `sekisho-gateway`, in release and with its default limits, takes claims files from one honest sender: in
//! quiet, then under each of three attacks, then in quiet again, round by round. Attackers come from source prefixes of
//! their own in 127.0.0.0/8, and no prefix is exempt, so the limits of the gate count as they would for strangers.
//!
//! Attackers, sender and centre share this machine, so each attack has a control: the same attackers, for as long, against a
//! listener that is not ours, while the sender sends to the centre. Of an attack's rate, the ratio to its control tells
//! what the gateway let itself be pushed; the ratio to quiet, what the machine was too busy for as well. Where an
//! attacker is turned away only after a handshake or a request, its own work for them counts against the gateway too,
//! since the listener of the control does not do it any such favour.
//!
//! Run with `cargo build --release --bins && cargo run --release -p benches --bin flood [ROUNDS] [--json FILE]`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use benches::{
    flood::{
        attack::Running,
        decoy::{Decoy, Manner},
        greedy::{self, Greedy},
        honest::{FILE_BYTES, Honest, institution},
        slow::{self, Slow},
        strangers::{self, Strangers},
    },
    rows::{About, Figures, Goal, Row, print, store},
    server::{Server, files_as_many_as_allowed, free_address},
};
use clap::Parser;
use lab::site::{CentreSite, SenderSite, Sites};
use protocol::party::Party;
use tokio::{process::Command, time::sleep};

/// How long each rate is measured.
const WINDOW: Duration = Duration::from_secs(5);

/// How long an attack has before the clock runs: until its slowest part is in place.
const RUN_UP: Duration = Duration::from_secs(3);

/// The share of its throughput that an honest sender keeps.
const KEPT: f64 = 0.9;

/// Numbers of institutions; those from here on are the honest ones.
const HONEST: u32 = 100;

#[derive(Parser)]
#[command(about = "What floods do to an honest sender")]
struct Arguments {
    /// How often everything is measured.
    #[arg(default_value_t = 3)]
    rounds: u32,
    /// Where the rows are stored.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is measured of one stretch of time.
#[derive(Clone, Copy)]
struct Measured {
    mib_per_s: f64,
    cpu_s: f64,
    peak_mib: f64,
    log_kib: f64,
    data_mib: f64,
}

struct Attacked {
    name: &'static str,
    what: String,
    control: Vec<Measured>,
    attack: Vec<Measured>,
    did: Vec<String>,
}

/// The centre and everybody who may come.
struct Stage {
    sites: Sites,
    site: CentreSite,
    centre: Server,
    root: PathBuf,
    party: Party,
    slow: Vec<SenderSite>,
    next: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    files_as_many_as_allowed()?;
    let directory = tempfile::tempdir()?;
    let mut stage = Stage::new(directory.path()).await?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut attacked = attacks();
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        before.push(stage.measure().await?);
        for (number, attack) in attacked.iter_mut().enumerate() {
            let decoy = Decoy::start(if number == 1 { Manner::Hold } else { Manner::Close }).await?;
            let (control, _) = stage.under(number, Some(&decoy)).await?;
            drop(decoy);
            let (measured, did) = stage.under(number, None).await?;
            attack.control.push(control);
            attack.attack.push(measured);
            attack.did.push(did);
        }
        after.push(stage.measure().await?);
    }
    stage.centre.stop().await?;
    let quiet: Vec<Measured> =
        before.into_iter().zip(after).map(|(before, after)| mean(before, after)).collect();
    let rows = rows(&quiet, &attacked);
    println!(
        "{} rounds of {} s; the honest sender's files have {} MiB; median (least-most)",
        arguments.rounds,
        WINDOW.as_secs(),
        FILE_BYTES >> 20
    );
    for attack in &attacked {
        println!(
            "{}: {}\n  in the last round: {}",
            attack.name,
            attack.what,
            attack.did.last().map_or("", String::as_str)
        );
    }
    print(&rows);
    arguments.json.map_or(Ok(()), |file| store(&rows, &file))
}

fn attacks() -> Vec<Attacked> {
    let attack = |name, what| Attacked { name, what, control: vec![], attack: vec![], did: vec![] };
    vec![
        attack(
            "strangers",
            format!("{} handshakes a second without a certificate, from one /24", strangers::PER_SECOND),
        ),
        attack(
            "slow",
            format!(
                "{} connections from {} /24 send one byte a second in their handshake, {} of {} institutions from {} \
                 more in the head of a request",
                slow::IN_HANDSHAKE,
                slow::NETWORKS,
                slow::IN_HEAD,
                slow::INSTITUTIONS,
                slow::NETWORKS
            ),
        ),
        attack(
            "greedy",
            format!(
                "one identity opens {} connections, tries {} uploads of {} KiB/s each, and makes {} offers and \
                 questions a second on the others",
                greedy::CONNECTIONS,
                greedy::UPLOADING,
                greedy::UPLOAD_BYTES_PER_SECOND >> 10,
                greedy::REQUESTS_PER_SECOND
            ),
        ),
    ]
}

impl Stage {
    async fn new(directory: &Path) -> anyhow::Result<Self> {
        let sites = Sites::create(directory)?;
        let address = free_address().await?;
        let listen = format!("\"{address}\"");
        // The limits are the defaults: what the lab raises for itself goes.
        let requests = config::limits::REQUESTS_PER_IDENTITY_PER_SECOND_MAX.default.to_string();
        let attempts = config::limits::ATTEMPTS_PER_SENDER_PER_MINUTE_MAX.default.to_string();
        let changes = [
            ("limits.requests_per_identity_per_second_max", requests.as_str()),
            ("limits.attempts_per_sender_per_minute_max", attempts.as_str()),
            ("listen.address", listen.as_str()),
            ("limits.exempt_prefixes", "[\"203.0.113.0/24\"]"),
            ("link.detect_max", "\"10s\""),
            ("link.stall_max", "\"60s\""),
        ];
        let site = sites.centre("centre", &changes)?;
        let mut command = Command::new(lab::program::beside_own("sekisho-gateway")?);
        command.arg("run").arg("--config").arg(&site.config);
        let centre = Server::start(command, &directory.join("centre.log"), address).await?;
        let number = u32::try_from(slow::INSTITUTIONS)?;
        let slow =
            (1..=number).map(|number| institution(&sites, number, address)).collect::<Result<_, _>>()?;
        let (root, party) = (site.directory.join("tls/root.pem"), "review-agency:113".parse()?);
        Ok(Stage { sites, site, centre, root, party, slow, next: HONEST })
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// The honest sender while this attack runs, against the centre or against a decoy.
    async fn under(&mut self, attack: usize, decoy: Option<&Decoy>) -> anyhow::Result<(Measured, String)> {
        let target = decoy.map_or(self.centre.address, |decoy| decoy.address);
        let root = self.root.clone();
        let running = match attack {
            0 => Running::start(Strangers { root }, target)?,
            1 => Running::start(Slow { root, institutions: self.slow.clone() }, target)?,
            _ => {
                // A new one each time: what one may in a day is bounded.
                let number = self.number();
                let site = institution(&self.sites, number, target)?;
                Running::start(Greedy { root, site, receiver: self.party.clone() }, target)?
            }
        };
        sleep(RUN_UP).await;
        let measured = self.measure().await;
        let did = running.stop()?;
        Ok((measured?, did))
    }

    /// The honest sender by itself.
    async fn measure(&mut self) -> anyhow::Result<Measured> {
        let number = self.number();
        let honest = Honest::new(&self.sites, number, self.centre.address, self.party.clone(), &self.root)?;
        self.centre.forget_peak()?;
        let (cpu, log) = (self.centre.cpu_seconds()?, self.centre.words_bytes()?);
        let sent = honest.send(self.centre.address, WINDOW).await?;
        ensure!(sent.files > 0, "not one file got through");
        self.delivered(sent.files).await?;
        Ok(Measured {
            mib_per_s: sent.mib_per_s,
            cpu_s: self.centre.cpu_seconds()? - cpu,
            peak_mib: self.centre.peak_mib()?,
            log_kib: (self.centre.words_bytes()? - log) as f64 / 1024.0,
            data_mib: bytes_below(&self.site.data)? as f64 / f64::from(1 << 20),
        })
    }

    /// Waits until these files are in the inbox, and takes them out as an agency's systems do.
    async fn delivered(&self, files: u32) -> anyhow::Result<()> {
        let mut taken = 0;
        while taken < files {
            for entry in fs::read_dir(&self.site.inbox).context("the inbox")? {
                fs::remove_dir_all(entry?.path())?;
                taken += 1;
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn bytes_below(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path())?,
            Ok(metadata) => metadata.len(),
            // Spooled content goes while we look.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(bytes)
}

fn mean(one: Measured, other: Measured) -> Measured {
    let of = |figure: fn(&Measured) -> f64| f64::midpoint(figure(&one), figure(&other));
    Measured {
        mib_per_s: of(|measured| measured.mib_per_s),
        cpu_s: of(|measured| measured.cpu_s),
        peak_mib: of(|measured| measured.peak_mib),
        log_kib: of(|measured| measured.log_kib),
        data_mib: of(|measured| measured.data_mib),
    }
}

fn rows(quiet: &[Measured], attacked: &[Attacked]) -> Vec<Row> {
    let figures =
        |measured: &[Measured], of: fn(&Measured) -> f64| -> Figures { measured.iter().map(of).collect() };
    let mut rows = Vec::new();
    for attack in attacked {
        let suite = format!("flood: {}", attack.name);
        let mut row = |figure, unit, peer, goal, of: fn(&Measured) -> f64, other: &[Measured]| {
            let about = About { suite: &suite, figure, unit, peer, goal };
            rows.extend(Row::new(&about, &figures(&attack.attack, of), &figures(other, of)));
        };
        let control = "same attackers, elsewhere";
        let rate = |measured: &Measured| measured.mib_per_s;
        row("honest sender", "MiB/s", control, Some(Goal::AtLeast(KEPT)), rate, &attack.control);
        row("honest sender", "MiB/s", "quiet", None, rate, quiet);
        row(
            "centre's CPU, to the last delivery",
            "s",
            control,
            None,
            |measured| measured.cpu_s,
            &attack.control,
        );
        row("centre's peak memory", "MiB", control, None, |measured| measured.peak_mib, &attack.control);
        row("growth of the log's text", "KiB", control, None, |measured| measured.log_kib, &attack.control);
        row("data directory at the end", "MiB", control, None, |measured| measured.data_mib, &attack.control);
    }
    rows
}

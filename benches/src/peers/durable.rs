//! What it costs to take a file in and keep it: ours hashed, checked, synced, on record and answered with a signed
//! receipt; nginx's written to a temporary file and renamed.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use client::limits::OWN_LINE_BYTES_MIN;
use tokio::{task::JoinSet, time::sleep};

use super::{
    kit::Kit,
    order::rounds,
    product::{Product, Purpose, Running, start_all, stop_all},
    sekisho::{self, Order},
};
use crate::{
    load::{
        content::{Base, Content},
        job::{Job, Papers},
        line::Line,
        tls::{Group, Suite},
    },
    own_cpu_seconds,
    rows::{About, Figures, Goal, Latency, Row},
    server::free_address,
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: f64 = (1u64 << 30) as f64;

/// Files of one size, from some senders at a time.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// As rows name it.
    pub name: &'static str,
    /// Who send at a time, each over a connection that it keeps; large content goes over another one.
    pub senders: usize,
    /// Files of each, one after the other.
    pub files: u32,
    /// Bytes of each.
    pub bytes: u64,
    /// CPU against nginx.
    pub cpu: Option<Goal>,
    /// Throughput against nginx.
    pub rate: Option<Goal>,
}

/// Sixteen KiB, from 64 senders.
pub const SMALL: Work = Work {
    name: "16 KiB files, 64 senders",
    senders: 64,
    files: 32,
    bytes: 16 * KIB,
    cpu: None,
    rate: Some(Goal::AtLeast(1.5)),
};

/// One file of a GiB.
pub const LARGE: Work = Work {
    name: "1 x 1 GiB",
    senders: 1,
    files: 1,
    bytes: 1024 * MIB,
    cpu: Some(Goal::AtMost(1.10)),
    rate: Some(Goal::AtLeast(1.0)),
};

const WORKS: [Work; 4] = [
    LARGE,
    Work { name: "8 x 128 MiB", senders: 8, files: 1, bytes: 128 * MIB, cpu: None, rate: None },
    SMALL,
    Work { name: "1 MiB files, 64 senders", senders: 64, files: 8, bytes: MIB, cpu: None, rate: None },
];

/// What one round of work cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Seconds to the last receipt.
    took: f64,
    /// The server's CPU seconds to the last receipt.
    cpu_s: f64,
    /// The load's, of them.
    load_cpu_s: f64,
    /// From the first byte of a file to its receipt.
    latency: Latency,
    /// The server's CPU seconds to the last delivery; nginx delivers nothing.
    delivered_cpu_s: f64,
    files: f64,
    gib: f64,
    peak_mib: f64,
}

impl Work {
    /// Our own client brings large content on a line for content alone.
    fn has_own_line_at(&self, product: Product) -> bool {
        product == Product::Sekisho && self.bytes >= OWN_LINE_BYTES_MIN
    }
}

impl Cost {
    /// Files a second, to the last receipt.
    pub fn files_per_s(&self) -> f64 {
        self.files / self.took
    }

    /// GiB a second, to the last receipt.
    pub fn gib_per_s(&self) -> f64 {
        self.gib / self.took
    }

    /// CPU seconds for each GiB, to the last receipt.
    pub fn cpu_s_per_gib(&self) -> f64 {
        self.cpu_s / self.gib
    }

    /// CPU microseconds for each file, to the last receipt.
    pub fn cpu_us_per_file(&self) -> f64 {
        self.cpu_s * 1e6 / self.files
    }

    /// The same, with the delivery.
    pub fn delivered_us_per_file(&self) -> f64 {
        self.delivered_cpu_s * 1e6 / self.files
    }

    /// CPU seconds for each GiB, with the delivery.
    pub fn delivered_s_per_gib(&self) -> f64 {
        self.delivered_cpu_s / self.gib
    }

    /// The peak of its memory.
    pub fn peak_mib(&self) -> f64 {
        self.peak_mib
    }
}

/// Measures all sizes with this suite.
pub async fn measure(kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (number, work) in WORKS.iter().enumerate() {
        let purpose = Purpose { pinned: false, backend: free_address().await?, streams: false };
        let name = format!("durable-{}-{number}", suite.name());
        let products = [Product::Sekisho, Product::Nginx];
        let running = start_all(&products, kit, &name, purpose).await?;
        let mut load = Load::new(kit, suite, *work)?;
        let measured = rounds(kit, &format!("durable, {}", work.name), &running, async |one: &Running| {
            load.run(one).await.with_context(|| one.product.name())
        })
        .await?;
        stop_all(running).await?;
        rows.extend(rows_of(suite, work, measured.of(0), measured.of(1)));
    }
    Ok(rows)
}

fn rows_of(suite: Suite, work: &Work, ours: &[Cost], nginx: &[Cost]) -> Vec<Row> {
    let suite = format!("durable {}, {}", work.name, suite.name());
    let row = |figure, unit, goal, of: fn(&Cost) -> f64, theirs: fn(&Cost) -> f64| {
        let about = About { suite: &suite, figure, unit, peer: "nginx DAV", goal };
        let (ours, theirs): (Figures, Figures) =
            (ours.iter().map(of).collect(), nginx.iter().map(theirs).collect());
        Row::new(&about, &ours, &theirs)
    };
    let of = |figure: fn(&Cost) -> f64| figure;
    let (us, s) = (of(Cost::cpu_us_per_file), of(Cost::cpu_s_per_gib));
    let (files, gib) = (of(Cost::files_per_s), of(Cost::gib_per_s));
    let (load_us, load_s) =
        (of(|cost| cost.load_cpu_s * 1e6 / cost.files), of(|cost| cost.load_cpu_s / cost.gib));
    let (p50, p99) = (of(|cost| cost.latency.p50_us), of(|cost| cost.latency.p99_us));
    let rows = match work.bytes <= MIB {
        true => [
            row("files to their receipt", "/s", work.rate, files, files),
            row("CPU of each file to its receipt", "µs", work.cpu, us, us),
            row("CPU of each file with its delivery afterwards", "µs", None, Cost::delivered_us_per_file, us),
            row("load's CPU of each file", "µs", None, load_us, load_us),
            row("median time of a file to its receipt", "µs", None, p50, p50),
            row("99th percentile of it", "µs", None, p99, p99),
        ]
        .to_vec(),
        false => [
            row("throughput to the receipt", "GiB/s", work.rate, gib, gib),
            row("CPU to the receipt", "s/GiB", work.cpu, s, s),
            row("CPU with the delivery afterwards", "s/GiB", None, Cost::delivered_s_per_gib, s),
            row("load's CPU", "s/GiB", None, load_s, load_s),
        ]
        .to_vec(),
    };
    let memory = row("peak memory", "MiB", None, Cost::peak_mib, Cost::peak_mib);
    rows.into_iter().flatten().chain(memory).collect()
}

/// A work's senders, each with a file to make others of.
pub struct Load {
    senders: Vec<Sender>,
    work: Work,
    /// No content comes twice: a centre would know it.
    next: u32,
}

struct Sender {
    config: Arc<tokio_rustls::rustls::ClientConfig>,
    papers: Papers,
    base: Base,
}

/// One thing to send, ready.
enum Ready {
    Ours(Job),
    Put(Vec<u8>, Content),
}

impl Load {
    /// Makes it.
    pub fn new(kit: &Kit, suite: Suite, work: Work) -> anyhow::Result<Self> {
        let senders = kit.senders.iter().enumerate().take(work.senders).map(|(number, site)| {
            let papers = Papers::of(site, kit.receiver.clone())?;
            let base = Base::new(papers.party().code().clone(), work.bytes)?;
            anyhow::Ok(Sender { config: kit.client(number, suite, Group::X25519)?, papers, base })
        });
        Ok(Load { senders: senders.collect::<Result<_, _>>()?, work, next: 0 })
    }

    /// One round, against this product. What it stored is taken away afterwards.
    pub async fn run(&mut self, running: &Running) -> anyhow::Result<Cost> {
        let first = self.next;
        self.next += self.work.files;
        let mut sending = JoinSet::new();
        let mut bytes = 0;
        let mut ready = Vec::with_capacity(self.senders.len());
        for (number, sender) in self.senders.iter().enumerate() {
            let files =
                (first..first + self.work.files).map(|file| sender.ready(running.product, number, file));
            let files = files.collect::<Result<Vec<_>, _>>()?;
            bytes += files.iter().map(Ready::length).sum::<u64>();
            // Connected before the clock runs: handshakes are another suite's.
            let connect =
                async |product: Product| product.connect(&sender.config, running.server.address).await;
            let lines = match self.work.has_own_line_at(running.product) {
                true => (connect(running.product).await?, Some(connect(Product::SekishoBulk).await?)),
                false => (connect(running.product).await?, None),
            };
            ready.push((lines, files));
        }
        if let Some(site) = &running.site {
            sekisho::tell(site, Order::Hold).await?;
        }
        rustix::fs::sync();
        running.server.forget_peak()?;
        let (before, load_before) = (running.server.cpu_seconds()?, own_cpu_seconds()?);
        let began = Instant::now();
        for (mut lines, files) in ready {
            sending.spawn(async move {
                let mut times = Vec::with_capacity(files.len());
                for file in &files {
                    let began = Instant::now();
                    file.send(&mut lines).await?;
                    times.push(began.elapsed());
                }
                anyhow::Ok((lines, times))
            });
        }
        let mut lines = Vec::with_capacity(self.senders.len());
        let mut times = Vec::new();
        while let Some(sent) = sending.join_next().await {
            let (line, of_one) = sent??;
            lines.push(line);
            times.extend(of_one);
        }
        let took = began.elapsed().as_secs_f64();
        let (cpu_s, load_cpu_s) = (running.server.cpu_seconds()? - before, own_cpu_seconds()? - load_before);
        let files = u64::from(self.work.files) * self.senders.len() as u64;
        clear(running, files).await?;
        let (delivered_cpu_s, peak_mib) =
            (running.server.cpu_seconds()? - before, running.server.peak_mib()?);
        drop(lines);
        let (files, gib, latency) = (files as f64, bytes as f64 / GIB, Latency::of(times));
        Ok(Cost { took, cpu_s, load_cpu_s, latency, delivered_cpu_s, files, gib, peak_mib })
    }
}

impl Sender {
    fn ready(&self, product: Product, sender: usize, number: u32) -> anyhow::Result<Ready> {
        let content = self.base.number(number);
        Ok(match product {
            Product::Sekisho => Ready::Ours(self.papers.job(content)?),
            _ => {
                let head = format!(
                    "PUT /store/{sender}-{number} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
                    content.length()
                );
                Ready::Put(head.into_bytes(), content)
            }
        })
    }
}

impl Ready {
    fn length(&self) -> u64 {
        match self {
            Ready::Ours(job) => job.content.length(),
            Ready::Put(_, content) => content.length(),
        }
    }

    async fn send(&self, (line, for_content): &mut (Line, Option<Line>)) -> anyhow::Result<()> {
        match self {
            Ready::Ours(job) => {
                job.offer(line).await?;
                job.bring(for_content.as_mut().unwrap_or(line)).await
            }
            Ready::Put(head, content) => {
                let [first, second, third] = content.parts();
                let answer = line.ask(&[head, first, second, third]).await?;
                ensure!(answer.status == 201, "a PUT was answered with {answer}");
                Ok(())
            }
        }
    }
}

/// Waits until everything is where it belongs, and takes it away.
async fn clear(running: &Running, files: u64) -> anyhow::Result<()> {
    let Some(site) = &running.site else {
        let store = running.place.join("store");
        ensure!(fs::read_dir(&store)?.count() as u64 == files, "not every file is stored");
        fs::remove_dir_all(store)?;
        return Ok(());
    };
    sekisho::tell(site, Order::Release).await?;
    let mut taken = 0;
    while taken < files {
        for entry in fs::read_dir(&site.inbox)? {
            fs::remove_dir_all(entry?.path())?;
            taken += 1;
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

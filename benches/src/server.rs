//! A server's processes, ours or another's: started with its words in a file, watched, and ended with its children.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::cpu_seconds;

/// How long a server may take until it listens, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A server that listens. Dropped, it and its children are killed.
pub struct Server {
    child: Child,
    id: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it has written to standard output and error.
    pub words: PathBuf,
}

/// Lets this process, and what it starts, have as many open files as it may: loads and servers need thousands.
pub fn files_as_many_as_allowed() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// An address of this machine that nobody listens at.
pub async fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

/// A command that runs only on this core.
pub fn on_core(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

impl Server {
    /// Starts it and waits until it listens there.
    pub async fn start(mut command: Command, words: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(words)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
        let id = child.id().context("it runs")?;
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            let ended = child.try_wait()?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                let words = fs::read_to_string(words).unwrap_or_default();
                bail!("{command:?} does not listen at {address} ({ended:?}); its words:\n{words}");
            }
            sleep(PAUSE).await;
        }
        Ok(Server { child, id, address, words: words.to_owned() })
    }

    /// The number of its first process.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// CPU time of all its processes so far, in seconds.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        family(self.id).into_iter().map(cpu_seconds).sum()
    }

    /// Memory of all its processes, shared pages by their share, in MiB.
    pub fn memory_mib(&self) -> anyhow::Result<f64> {
        sum_of(self.id, "smaps_rollup", "Pss:")
    }

    /// The most memory that its processes held at a time since [`Server::forget_peak`], in MiB. Of several processes
    /// the peaks are added.
    pub fn peak_mib(&self) -> anyhow::Result<f64> {
        sum_of(self.id, "status", "VmHWM:")
    }

    /// Begins to watch the peak anew (proc(5), `clear_refs`).
    pub fn forget_peak(&self) -> anyhow::Result<()> {
        for id in family(self.id) {
            let file = format!("/proc/{id}/clear_refs");
            std::io::Write::write_all(&mut File::options().write(true).open(file)?, b"5")?;
        }
        Ok(())
    }

    /// Bytes it has written to standard output and error.
    pub fn words_bytes(&self) -> anyhow::Result<u64> {
        Ok(fs::metadata(&self.words)?.len())
    }

    /// Tells it to end, and waits until it has.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        signal(self.id, Signal::TERM);
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("it does not end")??;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Once it was waited for, its number may be another's.
        if matches!(self.child.try_wait(), Ok(None)) {
            family(self.id).into_iter().for_each(|id| signal(id, Signal::KILL));
        }
    }
}

fn signal(id: u32, signal: Signal) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(id, signal);
    }
}

/// A process and all that descend from it.
fn family(id: u32) -> Vec<u32> {
    let mut all = vec![id];
    let mut next = 0;
    while let Some(parent) = all.get(next) {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        all.extend(children.unwrap_or_default().split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        next += 1;
    }
    all
}

fn sum_of(id: u32, file: &str, name: &str) -> anyhow::Result<f64> {
    family(id)
        .into_iter()
        .map(|id| {
            let text = fs::read_to_string(format!("/proc/{id}/{file}"))?;
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kib =
                line.with_context(|| format!("{name} of /proc/{id}/{file}"))?.trim().trim_end_matches("kB");
            Ok(kib.trim().parse::<f64>()? / 1024.0)
        })
        .sum()
}

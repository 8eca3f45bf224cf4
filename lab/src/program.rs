//! The other programs of this workspace, as processes: found beside our own, ended with their owner.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
};

/// Lines of one stream that are kept; older ones are dropped.
const LINES_MAX: usize = 20_000;

/// A program could not be found, started or waited for.
#[derive(Debug, thiserror::Error)]
pub enum ProgramFault {
    /// It is not where our own program is.
    #[error("{} is not there; build it first: cargo build --workspace --bins", .0.display())]
    Missing(PathBuf),
    /// The system does not say where our own program is.
    #[error("where this program lies cannot be found out")]
    Own(#[source] io::Error),
    /// The system did not start it.
    #[error("{} cannot be started", .program.display())]
    Start {
        /// Which program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system did not say how it ended, or did not pass a signal on.
    #[error("the process could not be waited for or signalled")]
    Wait(#[source] io::Error),
    /// It ended before it said what was waited for.
    #[error("the program ended before it said {wanted}; its last words:\n{last_words}")]
    Ended {
        /// What was waited for.
        wanted: String,
        /// What it had written.
        last_words: String,
    },
}

/// The program of this name beside our own; a test's own program stands one directory deeper.
pub fn beside_own(name: &str) -> Result<PathBuf, ProgramFault> {
    let own = std::env::current_exe().map_err(ProgramFault::Own)?;
    let mut directory = own.parent().unwrap_or(Path::new("."));
    if directory.file_name() == Some(OsStr::new("deps")) {
        directory = directory.parent().unwrap_or(directory);
    }
    let program = directory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if program.is_file() { Ok(program) } else { Err(ProgramFault::Missing(program)) }
}

/// What a process has written so far, line by line.
#[derive(Clone)]
pub struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    /// Lines that came, and whether more may come.
    news: watch::Receiver<(u64, bool)>,
}

impl Output {
    /// Everything so far.
    pub fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// The last lines so far, no more than this many.
    pub fn last_lines(&self, count: usize) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = lines.len().saturating_sub(count);
        lines.get(skipped..).unwrap_or_default().join("\n")
    }

    /// Waits for the first line that `find` finds something in; nothing if the stream ends without one.
    pub async fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut news = self.news.clone();
        loop {
            let over = !news.borrow_and_update().1;
            let found = {
                let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.iter().find_map(|line| find(line))
            };
            if found.is_some() || over {
                return found;
            }
            // An error means that the reading task is gone, and with it every further line.
            if news.changed().await.is_err() {
                return None;
            }
        }
    }
}

/// A running process. Dropped, it is killed.
pub struct Process {
    child: Child,
    /// Its standard output.
    pub out: Output,
    /// Its standard error.
    pub err: Output,
    reading: [JoinHandle<()>; 2],
}

impl Process {
    /// Starts a program of this workspace, with nothing on its standard input.
    pub fn start<I, S>(name: &str, arguments: I) -> Result<Self, ProgramFault>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let program = beside_own(name)?;
        let mut command = Command::new(&program);
        command.args(arguments);
        Process::spawn(command).map_err(|source| ProgramFault::Start { program, source })
    }

    /// Starts whatever this is.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (out, reading_out) = collect(child.stdout.take());
        let (err, reading_err) = collect(child.stderr.take());
        Ok(Process { child, out, err, reading: [reading_out, reading_err] })
    }

    /// Its number, as long as it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends, and for everything it wrote.
    pub async fn ended(&mut self) -> Result<ExitStatus, ProgramFault> {
        let status = self.child.wait().await.map_err(ProgramFault::Wait)?;
        for reading in &mut self.reading {
            // A grandchild that keeps the stream open would be waited for; there is none.
            let _ = reading.await;
        }
        Ok(status)
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub async fn kill(&mut self) -> Result<(), ProgramFault> {
        self.child.kill().await.map_err(ProgramFault::Wait)
    }

    /// Tells it to stop (SIGTERM).
    pub async fn terminate(&self) -> Result<(), ProgramFault> {
        self.signal("TERM").await
    }

    /// Sends it the signal of this name.
    pub async fn signal(&self, name: &str) -> Result<(), ProgramFault> {
        let Some(id) = self.id() else { return Ok(()) };
        // The shell's own `kill`: no other program, and no unsafe call.
        let mut kill = Command::new("/bin/sh");
        kill.args(["-c", "kill -s \"$1\" \"$0\"", &id.to_string(), name]).stdin(Stdio::null());
        match kill.status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(ProgramFault::Wait(io::Error::other(format!("kill: {status}")))),
            Err(error) => Err(ProgramFault::Wait(error)),
        }
    }

    /// Waits for a line on its standard output in which `find` finds something.
    pub async fn says<T>(&self, wanted: &str, find: impl Fn(&str) -> Option<T>) -> Result<T, ProgramFault> {
        self.out.wait_for(find).await.ok_or_else(|| ProgramFault::Ended {
            wanted: wanted.to_owned(),
            last_words: format!("{}\n{}", self.out.text(), self.err.text()),
        })
    }
}

fn collect(stream: Option<impl AsyncRead + Unpin + Send + 'static>) -> (Output, JoinHandle<()>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (tell, news) = watch::channel((0, true));
    let reading = tokio::spawn({
        let lines = Arc::clone(&lines);
        async move {
            if let Some(stream) = stream {
                let mut stream = BufReader::new(stream).split(b'\n');
                while let Ok(Some(line)) = stream.next_segment().await {
                    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                    if lines.len() >= LINES_MAX {
                        lines.remove(0);
                    }
                    lines.push(String::from_utf8_lossy(&line).into_owned());
                    drop(lines);
                    tell.send_modify(|(count, _)| *count += 1);
                }
            }
            tell.send_modify(|(_, more)| *more = false);
        }
    });
    (Output { lines, news }, reading)
}

//! Other people's clients and servers: `openssl s_client`, `openssl s_server` and `curl`. They share no code with us, and
//! do what ours would never do.

use std::{
    ffi::OsStr,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    forger::Shown,
    patience::patiently,
    setting::Setting,
    tools::{runs, skip},
};

/// Somebody with tools of their own: what they show, whom they trust, and where they come from.
#[derive(Clone, Debug)]
pub struct Stranger {
    /// What they show; nothing if they show nothing.
    pub shown: Option<Shown>,
    /// The root that they trust.
    pub root: PathBuf,
    /// An address of this machine, by which the centre's log tells one stranger from another.
    pub from: IpAddr,
}

/// What a program said, and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// On its standard output, and behind it on the other.
    pub text: String,
    /// The last line of its standard output.
    pub last_line: String,
}

/// Can both programs be run here? Says so if not.
pub fn are_here() -> bool {
    let missing = [("openssl", "version"), ("curl", "--version")]
        .into_iter()
        .find(|(program, version)| !runs(program, &[version]));
    if let Some((program, _)) = missing {
        skip(&format!("no {program}: sudo apt-get install --no-install-recommends {program}"));
    }
    missing.is_none()
}

/// What the setting's clinic shows.
pub fn clinic(setting: &Setting) -> Shown {
    let tls = setting.lab.path().join("clinic/tls");
    Shown { chain: tls.join("certificate.pem"), key: tls.join("key.pem") }
}

/// A tool that has no scruples of its own.
fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("OPENSSL_CONF", Path::new(env!("CARGO_MANIFEST_DIR")).join("openssl/anything.cnf"));
    command
}

impl Stranger {
    /// The number tells strangers apart: each comes from a network of its own.
    pub fn new(number: u8, root: &Path, shown: Option<Shown>) -> Self {
        Stranger { shown, root: root.to_owned(), from: Ipv4Addr::new(127, 0, number, 1).into() }
    }

    /// `openssl s_client`, with what it writes into the connection. What it says of handshakes ends with them; it ends
    /// itself when the other end closes.
    pub async fn s_client<S: AsRef<OsStr>>(&self, to: SocketAddr, more: &[S], input: &[u8]) -> Said {
        let mut command = tool("openssl");
        command.args(["s_client", "-nocommands", "-connect", &to.to_string()]);
        command.args(["-bind", &format!("{}:0", self.from), "-CAfile"]).arg(&self.root);
        if let Some(Shown { chain, key }) = &self.shown {
            command
                .arg("-cert")
                .arg(chain)
                .arg("-key")
                .arg(key)
                .arg("-cert_chain")
                .arg(issuers_beside(chain));
        }
        run(command.args(more), input).await
    }

    /// `curl`, with nothing but TLS 1.3. The last line is the version of HTTP and the status; `0 000` if
    /// there was no answer.
    pub async fn curl<S: AsRef<OsStr>>(&self, to: SocketAddr, path: &str, more: &[S]) -> Said {
        let mut command = tool("curl");
        command.args(["--silent", "--show-error", "--tlsv1.3"]);
        command.args(["--interface", &self.from.to_string(), "--cacert"]).arg(&self.root);
        if let Some(Shown { chain, key }) = &self.shown {
            command.arg("--cert").arg(chain).arg("--key").arg(key);
        }
        command.args(["--write-out", "\n%{http_version} %{http_code}\n"]).args(more);
        run(command.arg(format!("https://{to}{path}")), b"").await
    }
}

impl Said {
    /// The number of the alert that ended it (RFC 8446 section 6), as `s_client` tells it.
    pub fn alert(&self) -> Option<u8> {
        let (_, number) = self.text.split_once("SSL alert number ")?;
        number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

/// `s_client` takes the first certificate of a file for its own, and the others from another file.
fn issuers_beside(chain: &Path) -> PathBuf {
    let text = std::fs::read_to_string(chain).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let issuers = text.split_once(end).map(|(_, issuers)| issuers).unwrap_or_default();
    let path = chain.with_extension("issuers.pem");
    // Nobody above: the file must hold something all the same, and the leaf once more changes nothing.
    let issuers = if issuers.trim().is_empty() { &text } else { issuers };
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(&path);
    std::io::Write::write_all(&mut file.unwrap(), issuers.as_bytes()).unwrap();
    path
}

/// Runs a program to its end; what it may read stays open until then.
async fn run(command: &mut Command, input: &[u8]) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end without reading.
    let _ = stdin.write_all(input).await;
    let what = format!("the end of {command:?}");
    let output = patiently(&what, child.wait_with_output()).await.unwrap();
    drop(stdin);
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let last_line = out.lines().last().unwrap_or_default().to_owned();
    Said { status: output.status, text: format!("{out}\n{err}"), last_line }
}

/// `openssl s_server` on a free port, for one connection. It asks for a client certificate and takes any.
pub struct Impostor {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    out: BufReader<ChildStdout>,
    /// It ends with it.
    stdin: Option<ChildStdin>,
}

impl Impostor {
    /// Shows this to whoever comes.
    pub async fn start<S: AsRef<OsStr>>(shown: &Shown, more: &[S]) -> Self {
        let mut command = tool("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"]);
        command.args(["-verify", "5", "-verify_quiet"]).args(more);
        command.arg("-cert").arg(&shown.chain).arg("-key").arg(&shown.key);
        command.arg("-cert_chain").arg(issuers_beside(&shown.chain));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let address = patiently("a server of openssl that listens", async {
            loop {
                let mut line = String::new();
                assert_ne!(out.read_line(&mut line).await.unwrap(), 0, "it ended before it listened");
                if let Some(address) = line.strip_prefix("ACCEPT ") {
                    return address.trim_end().parse().unwrap();
                }
            }
        });
        let (address, stdin) = (address.await, child.stdin.take());
        Impostor { address, child, out, stdin }
    }

    /// Ends its one connection.
    pub fn hang_up(&mut self) {
        drop(self.stdin.take());
    }

    /// Waits until it has read this line.
    pub async fn reads(&mut self, wanted: &str) {
        let reading = async {
            let mut line = String::new();
            while line.trim_end() != wanted {
                line.clear();
                assert_ne!(self.out.read_line(&mut line).await.unwrap(), 0, "it ended without {wanted:?}");
            }
        };
        patiently(wanted, reading).await;
    }

    /// Waits until its one connection is over: everything that it read.
    pub async fn read(mut self) -> String {
        let mut text = Vec::new();
        let whole = async {
            self.out.read_to_end(&mut text).await.unwrap();
            self.child.wait().await.unwrap();
        };
        patiently("the end of a server of openssl", whole).await;
        String::from_utf8_lossy(&text).into_owned()
    }
}

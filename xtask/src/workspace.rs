//! The workspace as cargo sees it, and commands that run in it.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Where the workspace lies and what it holds.
pub struct Workspace {
    /// The directory of the workspace's Cargo.toml.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// Its packages, as declared.
    pub packages: Vec<Package>,
}

/// One package of the workspace.
pub struct Package {
    pub name: String,
    pub dependencies: Vec<Dependency>,
    /// The names of its programs.
    pub programs: Vec<String>,
}

/// One line of a package's dependencies.
pub struct Dependency {
    pub name: String,
    /// Only its tests use it, so it reaches no program.
    pub only_for_tests: bool,
}

impl Workspace {
    /// Asks cargo, without the network.
    pub fn find() -> anyhow::Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no workspace")?.to_owned();
        let mut cargo = cargo_in(&root);
        cargo.args(["metadata", "--format-version", "1", "--no-deps"]).stderr(Stdio::inherit());
        let output = cargo.output().context("cargo could not be started")?;
        if !output.status.success() {
            bail!("cargo metadata ended with {}", output.status);
        }
        let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
        let target =
            metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
        Ok(Workspace { root, target: target.into(), packages: packages(&metadata) })
    }

    /// A cargo command in this workspace.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = cargo_in(&self.root);
        cargo.args(arguments);
        cargo
    }

    /// A tool that runs cargo itself, in this workspace.
    pub fn tool(&self, program: &Path) -> Command {
        command_in(program.as_os_str(), &self.root)
    }

    /// A program of this workspace, built for debugging.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name).with_extension(env::consts::EXE_EXTENSION)
    }

    /// Where the tools lie that this project installs for itself.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }
}

/// Shows a command, runs it with our output, and fails unless it succeeds.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = show(command);
    eprintln!("$ {shown}");
    let status = command.status().with_context(|| format!("`{shown}` could not be started"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Is there a program of this name on the path, or where Debian puts an administrator's programs?
pub fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let name = Path::new(program).with_extension(env::consts::EXE_EXTENSION);
    env::split_paths(&path).chain(["/usr/sbin".into()]).any(|directory| directory.join(&name).is_file())
}

fn cargo_in(root: &Path) -> Command {
    command_in(&env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), root)
}

fn command_in(program: &OsStr, root: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root);
    // What `cargo run` tells about this very package would reach the build scripts of others, which then build anew.
    for (name, _) in env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_")
                || name.starts_with("CARGO_MANIFEST_")
                || name == "CARGO_PRIMARY_PACKAGE"
        });
        if told {
            command.env_remove(name);
        }
    }
    command
}

/// A command as a person would write it.
pub fn show(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Reads the packages out of what `cargo metadata` prints.
pub fn packages(metadata: &Value) -> Vec<Package> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    packages
        .iter()
        .map(|package| Package {
            name: text(&package["name"]),
            dependencies: list(&package["dependencies"])
                .iter()
                .map(|dependency| Dependency {
                    name: text(&dependency["name"]),
                    only_for_tests: dependency["kind"].as_str() == Some("dev"),
                })
                .collect(),
            programs: list(&package["targets"])
                .iter()
                .filter(|target| list(&target["kind"]).iter().any(|kind| kind.as_str() == Some("bin")))
                .map(|target| text(&target["name"]))
                .collect(),
        })
        .collect()
}

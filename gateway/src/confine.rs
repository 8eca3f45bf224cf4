//! What the process takes from itself before it hears anybody (Landlock): whoever gets hold of it through a fault in it can
//! do no more than it needs for its work.
//!
//! | of | it keeps |
//! |---|---|
//! | files | writing below the data directory and the inbox; reading is left to the files' own permissions |
//! | programs | none: nothing can be executed, and no file gives more rights (`no_new_privs`) |
//! | TCP | taking connections at the configured ports, making them to named ports only |
//! | other processes | no signal to any of them, and no abstract Unix socket of theirs |
//!
//! Landlock confines the calling thread and the threads and processes that it makes: this is called while there is one
//! thread. A link within those directories that leads out of them is not written through.

use std::{collections::BTreeSet, fmt, io, path::PathBuf, sync::OnceLock};

use config::{
    gateway::{Confine, GatewayConfig},
    reader::HttpUrl,
};
use durable::Access;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort, PathBeneath,
    PathFd, PathFdError, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
    Scope, make_bitflags,
};

use crate::in_force::sections;

/// The kernel's interface whose rights are asked for: 6, of Linux 6.12, the first that knows signals. Older ones give what
/// they have, down to 2, of Linux 5.19.
const ASKED: ABI = ABI::V6;

/// Answers of name servers that do not fit into a datagram come over TCP (RFC 7766).
const NAME_SERVER_PORT: u16 = 53;

/// What may be done with files in the data directory and in the inbox.
const WRITING: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | RemoveFile | MakeDir | RemoveDir | Refer
});

/// How far the kernel confines this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degree {
    /// In everything.
    Full,
    /// In what this kernel knows.
    Partly,
    /// Not at all: this kernel cannot, or its Landlock is off.
    Not,
    /// Not at all: nobody asked for it.
    Off,
}

impl Degree {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Degree::Full => "full",
            Degree::Partly => "partly",
            Degree::Not => "not",
            Degree::Off => "off",
        }
    }
}

impl fmt::Display for Degree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why the process was not confined.
#[derive(Debug, thiserror::Error)]
pub enum ConfineFault {
    /// A directory that it is to write in.
    #[error("the directory {} cannot be made", .path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The same, when it was there.
    #[error("a directory that the gateway writes in cannot be opened")]
    Open(#[from] PathFdError),
    /// The kernel refused a right that it says it knows.
    #[error("the kernel refused to confine this process")]
    Kernel(#[from] RulesetError),
    /// It knows too little.
    #[error(
        "process.confine = \"required\", and this kernel confines {0}; next: use Linux 6.12 or newer with Landlock \
         switched on, or write \"if-possible\""
    )]
    TooLittle(Degree),
}

/// A process is confined once, for ever, and as a whole.
static IN_FORCE: OnceLock<Degree> = OnceLock::new();

/// How far this process is confined.
pub fn in_force() -> Degree {
    IN_FORCE.get().copied().unwrap_or(Degree::Off)
}

/// Confines this thread, and with it every thread that it makes from now on, as the configuration says.
///
/// # Errors
/// If a directory cannot be made or opened, or less comes of it than is required.
pub fn confine(config: &GatewayConfig) -> Result<Degree, ConfineFault> {
    let degree = match config.process.confine {
        Confine::Off => Degree::Off,
        Confine::Required | Confine::IfPossible => restrict(config, &reached_ports(config))?,
    };
    check_enough(config.process.confine, degree)?;
    Ok(*IN_FORCE.get_or_init(|| degree))
}

fn check_enough(asked: Confine, degree: Degree) -> Result<(), ConfineFault> {
    match (asked, degree) {
        (Confine::Required, Degree::Partly | Degree::Not | Degree::Off) => {
            Err(ConfineFault::TooLittle(degree))
        }
        _ => Ok(()),
    }
}

/// Says in the log how far this process is confined.
pub fn tell() {
    let degree = in_force();
    match degree {
        Degree::Full => tracing::info!(confined = degree.name(), "the process is confined"),
        Degree::Partly | Degree::Not => tracing::warn!(
            confined = degree.name(),
            "this kernel confines the process less than a newer one would (Linux 6.12 with Landlock)"
        ),
        Degree::Off => tracing::warn!(confined = degree.name(), "the process is not confined"),
    }
}

/// The TCP ports of others that the gateway connects to by this configuration: those that revocation lists are fetched from,
/// and that of name servers if one of them has a name. A running gateway can give some of them up and take no others.
pub fn reached_ports(config: &GatewayConfig) -> BTreeSet<u16> {
    let urls = || sections(config).flat_map(|(_, files)| &files.crl_urls);
    let names = urls().any(HttpUrl::has_name).then_some(NAME_SERVER_PORT);
    urls().map(HttpUrl::port).chain(names).collect()
}

fn restrict(config: &GatewayConfig, reached_ports: &BTreeSet<u16>) -> Result<Degree, ConfineFault> {
    let mut rules = Ruleset::default()
        // A kernel that does not know this right (Linux 5.13 to 5.18) would deny every move between directories, and so
        // every delivery: it confines nothing rather.
        .set_compatibility(CompatLevel::SoftRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(ASKED) | AccessFs::Execute)?
        .handle_access(AccessNet::from_all(ASKED))?
        .scope(Scope::from_all(ASKED))?
        .create()?;
    let (data, inbox) = (&config.storage.data, &config.storage.inbox);
    for (path, rights) in [(data, WRITING | AccessFs::MakeSock), (inbox, WRITING)] {
        let failed = |source| ConfineFault::Directory { path: path.clone(), source };
        durable::create_directory(path, Access::Private).map_err(failed)?;
        rules = rules.add_rule(PathBeneath::new(PathFd::new(path)?, rights))?;
    }
    // Port 0 stands for the ports that the system chooses, and for no other.
    let further = config.listeners.iter().map(|listener| Some(listener.listen.address));
    let own_ports = [Some(config.listen.address), config.metrics.address, config.crl.serve];
    let own_ports = own_ports.into_iter().chain(further);
    for address in own_ports.flatten() {
        rules = rules.add_rule(NetPort::new(address.port(), AccessNet::BindTcp))?;
    }
    for port in reached_ports {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Degree::Full,
        RulesetStatus::PartiallyEnforced => Degree::Partly,
        RulesetStatus::NotEnforced => Degree::Not,
    })
}

#[cfg(test)]
#[path = "confine_tests.rs"]
mod tests;

//! `[process]`: what the gateway takes from itself, and of the machine.

use protocol::party::Environment;

use crate::{
    limits,
    reader::{Choice, Fault, Section, Word},
};

/// `[process]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Whether the process gives up what it does not need.
    pub confine: Confine,
    /// Cores that carry connections; 0: all that it may use.
    pub cores: u32,
}

/// Whether the process gives up what it does not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confine {
    /// It does not start where the kernel cannot hold it to all of it.
    Required,
    /// As far as the kernel can.
    IfPossible,
    /// It does not.
    Off,
}

impl Word for Confine {
    const WORDS: &[(&str, Self)] =
        &[("required", Confine::Required), ("if-possible", Confine::IfPossible), ("off", Confine::Off)];
}

impl Process {
    pub(super) fn read(root: &Section<'_>, environment: Option<Environment>) -> Option<Self> {
        let section =
            root.section("process", "What the gateway takes from itself when it starts, and of the machine.");
        let confine = section.choice(&Choice {
            name: "confine",
            meaning: "Whether the process gives up what it does not need (Linux Landlock): writing outside the data \
                      directory and the inbox, executing anything, TCP ports that are not configured, signals to others. \
                      \"required\" starts only where the kernel does all of that (Linux 6.12); below Linux 5.19 a kernel \
                      confines nothing. \"off\" is for test only.",
            default: Confine::IfPossible,
            reason: "every kernel gives what it can, and the log and `status` say how much that is",
        });
        let cores = section.limit(&limits::CORES);
        let (confine, cores) = (confine?, cores?);
        if (environment, confine) == (Some(Environment::Production), Confine::Off) {
            section.refuse(
                "confine",
                Fault::new(
                    "is \"off\", and claims are handled by a process that keeps only what it needs",
                    "write \"required\", or \"if-possible\" where the kernel is too old",
                ),
            );
            return None;
        }
        Some(Process { confine, cores })
    }
}

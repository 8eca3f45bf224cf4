//! The command line of `sekisho-certs`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use protocol::party::{Environment, Identity};

use crate::{
    issue::{BACKDATED, LEAF_LIFE},
    key_type::KeyType,
    lab::LIST_LIFE,
    profile::Profile,
    revocation::Reason,
    when::When,
};

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  it failed while running (disk, permissions, random numbers)
  2  it was asked for wrongly (options, a name that is taken, an unknown serial number)
  3  a certificate, key, revocation list or the lab's own state is not good

Everything made here bears the certificate policy TEST ONLY, which production gateways refuse.";

/// A certificate authority for test labs.
#[derive(Debug, Parser)]
#[command(name = "sekisho-certs", version, about, after_help = EXIT_CODES)]
pub struct Cli {
    /// Print one JSON object instead of text; errors too, on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a lab: a root, an issuing authority, and an empty revocation list of each.
    #[command(after_help = EXIT_CODES)]
    Init(Init),
    /// Make a certificate and its key, as OUT.pem and OUT.key.pem. Nothing is ever overwritten.
    #[command(after_help = EXIT_CODES)]
    Issue(Issue),
    /// Revoke a certificate and publish new revocation lists.
    #[command(after_help = EXIT_CODES)]
    Revoke(Revoke),
    /// Publish new revocation lists.
    #[command(after_help = EXIT_CODES)]
    Crl(Crl),
    /// Show what a certificate or revocation list says.
    #[command(after_help = EXIT_CODES)]
    Inspect(Inspect),
}

/// Where the lab is.
#[derive(Debug, Args)]
pub struct LabDir {
    /// The lab's directory.
    #[arg(long = "dir", value_name = "DIR")]
    pub dir: PathBuf,
}

/// Options of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The lab's directory.
    #[command(flatten)]
    pub lab: LabDir,
    /// The environment of every identity the lab certifies. `production` serves to rehearse refusals: a production
    /// gateway refuses the lab's mark.
    #[arg(long, default_value = "test", value_name = "test|production")]
    pub environment: Environment,
    /// The kind of the authorities' keys.
    #[arg(long, value_enum, default_value = "p256")]
    pub key_type: KeyType,
}

/// Options of `issue`.
#[derive(Debug, Args)]
pub struct Issue {
    /// The lab's directory.
    #[command(flatten)]
    pub lab: LabDir,
    /// What the certificate is for.
    #[arg(long, value_enum)]
    pub profile: Profile,
    /// Whom it names: urn:sekisho:ENVIRONMENT:ROLE:CODE[+CODE…].
    #[arg(long, value_name = "URN", value_parser = identity)]
    pub identity: Identity,
    /// A host name or IP address that the centre is dialled by; may be given more than once.
    #[arg(long = "dns", value_name = "NAME")]
    pub names: Vec<String>,
    /// Path of the new files, without .pem [default: DIR/PROFILE-ROLE-CODE]
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Start of its life: a time, or a span from now [default: five minutes ago]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub not_before: Option<When>,
    /// End of its life: a time, or a span from now [default: +39mo]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub not_after: Option<When>,
    /// The kind of its key.
    #[arg(long, value_enum, default_value = "p256")]
    pub key_type: KeyType,
}

impl Issue {
    pub(crate) fn life(&self) -> (When, When) {
        (self.not_before.unwrap_or(BACKDATED), self.not_after.unwrap_or(LEAF_LIFE))
    }
}

/// Options of `revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The lab's directory.
    #[command(flatten)]
    pub lab: LabDir,
    /// The certificate's file, or its serial number in hexadecimal.
    #[arg(value_name = "CERT|SERIAL")]
    pub certificate: String,
    /// Why.
    #[arg(long, value_enum, default_value = "unspecified")]
    pub reason: Reason,
}

/// Options of `crl`.
#[derive(Debug, Args)]
pub struct Crl {
    /// The lab's directory.
    #[command(flatten)]
    pub lab: LabDir,
    /// When the lists end: a time, or a span from now [default: +7d]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub next_update: Option<When>,
    /// Also name this many certificates that were never issued: a list as long as a real one, to try what it costs
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=MADE_UP_MAX))]
    pub made_up: u32,
}

/// Certificates that one call may make up: ten times those of a country's institutions.
const MADE_UP_MAX: i64 = 2_000_000;

impl Crl {
    pub(crate) fn life(&self) -> When {
        self.next_update.unwrap_or(LIST_LIFE)
    }
}

/// Options of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A PEM file with certificates or revocation lists.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

fn identity(text: &str) -> Result<Identity, protocol::party::PartyError> {
    Identity::from_uri(text)
}

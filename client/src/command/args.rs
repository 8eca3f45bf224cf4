//! The command line.

use std::{ops::RangeInclusive, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use config::{limits::PARALLEL, sending::Rate};
use protocol::{
    kind::{ClaimMonth, Kind},
    party::Party,
    transfer_id::TransferId,
};

/// What `--parallel` takes: the same as `sending.parallel`.
const PARALLEL_RANGE: RangeInclusive<i64> = PARALLEL.low as i64..=PARALLEL.high as i64;

const EXIT_CODES: &str = "\
Exit codes:
  0  done: every file arrived, and its verified receipt (到達確認, 受領確認データ) is kept
  1  something on this machine failed: disk, memory, random numbers
  2  the command line or the settings are wrong, or a named file cannot be read
  3  certificates, keys or revocation lists are not valid, ours or the centre's
  4  refused for good, by the centre or by the check before sending: something must change
  5  not delivered yet: nothing is lost, run the same command again
  6  evidence does not verify: people must look into it

A reader that closes standard output early, as `head` does, ends nothing and changes no exit code.
With --json one JSON object is printed to standard output, whatever happens after the command line was understood.";

/// Sends claims files (レセプト) to a review agency and keeps the proof.
#[derive(Debug, Parser)]
#[command(name = "sekisho", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    /// The settings file
    #[arg(long, global = true, value_name = "FILE", default_value = "sekisho.toml")]
    pub settings: PathBuf,
    /// Print one JSON object for programs, and nothing for people
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Send files, or go on with sending them (送信)
    Send(Send),
    /// Show every transfer: held, sending, arrived (預かり・送信中・到達確認)
    Status(Status),
    /// Verify a bundle of evidence, offline
    Verify(Verify),
    /// Call a transfer off before it has arrived (取消)
    Cancel(Cancel),
    /// The send log of this machine (送信ログ)
    #[command(subcommand)]
    Log(LogCommand),
}

/// Files that are already there are not sent again; what was interrupted goes on under the same id.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// Claims files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What is in them: medical, dpc, dental, pharmacy or home-nursing; otherwise read from each file
    #[arg(long, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// The claim month (請求年月); otherwise read from each file
    #[arg(long, value_name = "YYYYMM")]
    pub month: Option<ClaimMonth>,
    /// In whose name, if not the party of the settings: another code of the certificate
    #[arg(long = "as", value_name = "ROLE:CODE")]
    pub sender: Option<Party>,
    /// How many files are sent at the same time; of several, those below 8 MiB do not wait for larger ones [default: 4, or sending.parallel]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(PARALLEL_RANGE))]
    pub parallel: Option<u32>,
    /// How many bytes of content leave in a second at most, shared by all files that are on their way, such as 2MiB [default: no limit, or
    /// sending.rate_max]
    #[arg(long, value_name = "SIZE")]
    pub rate_max: Option<Rate>,
    /// Send the content of this earlier transfer once more, on purpose
    #[arg(long, value_name = "ID")]
    pub resubmission_of: Option<TransferId>,
    /// To be counted instead of this earlier transfer
    #[arg(long, value_name = "ID")]
    pub replaces: Option<TransferId>,
    /// Corrects some claims of this earlier transfer
    #[arg(long, value_name = "ID")]
    pub corrects: Option<TransferId>,
}

/// Reads this machine's records only, unless --ask is given.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Ask the centre about every transfer that has not ended
    #[arg(long)]
    pub ask: bool,
}

/// Needs no network, no settings and nothing of the machine that sent.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The bundle.json of a transfer
    pub bundle: PathBuf,
    /// The file that was sent, to hold it against the evidence
    pub file: Option<PathBuf>,
    /// The root certificates of evidence that you trust, PEM
    #[arg(long, value_name = "PEM")]
    pub anchors: PathBuf,
    /// Who is who by the certificates below those roots: a file with the tables [identity.NAME] of the gateway's
    /// configuration and nothing else; without it only the certificates of a lab name anybody
    #[arg(long, value_name = "TOML")]
    pub identities: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The transfer, as `sekisho status` shows it
    pub id: TransferId,
}

#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Hold every entry of the send log against its signed checkpoint
    Verify,
    /// Show how a centre's log contradicted itself, and take its new log after people have looked into it
    AcceptNew(AcceptNew),
}

/// Until this is done nothing is sent to that centre. Without --looked-into nothing is changed.
#[derive(Debug, Args)]
pub(super) struct AcceptNew {
    /// Whose log, if not that of the centre in the settings
    #[arg(long, value_name = "ROLE:CODE")]
    pub centre: Option<Party>,
    /// People have looked into it, together with the centre, and the new log is to be trusted from now on
    #[arg(long)]
    pub looked_into: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_a_centre_would_not_bear_is_refused_with_what_it_would() {
        for (option, value, least) in
            [("--rate-max", "1KiB", "32KiB"), ("--parallel", "17", "16"), ("--parallel", "0", "1")]
        {
            let error = Arguments::try_parse_from(["sekisho", "send", "x", option, value]).unwrap_err();
            assert!(error.to_string().contains(least), "{error}");
        }
    }

    #[test]
    fn a_kind_that_is_none_is_refused_with_the_list_of_those_that_are() {
        let error = Arguments::try_parse_from(["sekisho", "send", "x", "--kind", "medcal"]).unwrap_err();
        assert!(error.to_string().contains("home-nursing"), "{error}");
    }
}

//! `sekisho status`.

use std::path::{Path, PathBuf};

use config::ClientSettings;
use protocol::sender::Phase;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    args::Status,
    exit::Exit,
    report::{AttemptResult, Failure, Head, Output, clock_remark},
    settings,
    signals::cancel_on_signal,
};
use crate::{Attempt, TransferStatus, read_transfers, store::is_at_work};

#[derive(Serialize)]
struct Object {
    #[serde(flatten)]
    head: Head,
    environment: &'static str,
    contact: String,
    /// A `sekisho` is at work with this state directory now.
    at_work: bool,
    /// In the order they were made.
    transfers: Vec<TransferResult>,
}

#[derive(Serialize)]
struct TransferResult {
    transfer: String,
    /// `held`, `sending`, `awaiting_receipt`, `aborted`, `received`, `refused` or `cancelled`.
    phase: &'static str,
    /// `held` (預かり), `sending` (送信中), `arrived` (到達確認) or `ended` (refused, cancelled).
    shown_as: &'static str,
    since: String,
    cause: Option<&'static str>,
    problem: Option<&'static str>,
    file_name: String,
    source: String,
    kind: &'static str,
    claim_month: Option<String>,
    sender: String,
    receiver: String,
    bytes: u64,
    sha256: String,
    offset: u64,
    created_at: String,
    acknowledged_at: Option<String>,
    clock_off_ms: Option<i64>,
    bundle: Option<PathBuf>,
    attempts: Vec<AttemptResult>,
    /// What the centre could not be asked for, with --ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub(super) async fn run(file: &Path, status: &Status, output: &Output) -> Exit {
    let settings = match settings::load(file) {
        Ok(settings) => settings,
        Err(failure) => return output.give_up("status", &failure, None),
    };
    let found = if status.ask { ask(&settings).await } else { look(&settings) };
    let (transfers, at_work) = match found {
        Ok(found) => found,
        Err(failure) => return output.give_up("status", &failure, Some(&settings.contact)),
    };
    let errors = transfers.iter().filter_map(|(_, error)| error.as_ref());
    let exit = errors.fold(Exit::Done, |exit, failure| exit.or(failure.exit));
    for (transfer, error) in &transfers {
        show(transfer, at_work, output);
        if let Some(failure) = error {
            output.error(Some(&transfer.id.to_string()), failure, Some(&settings.contact));
        }
    }
    if transfers.is_empty() {
        output.line("nothing was sent from here yet");
    }
    if output.json {
        let transfers = transfers.into_iter().map(|(transfer, error)| result(transfer, error)).collect();
        output.object(&Object {
            head: Head::of("status", exit),
            environment: settings.environment.name(),
            contact: settings.contact.to_string(),
            at_work,
            transfers,
        });
    }
    exit
}

type Found = (Vec<(TransferStatus, Option<Failure>)>, bool);

/// What this machine knows. Needs no lock: a sender may be at work.
fn look(settings: &ClientSettings) -> Result<Found, Failure> {
    let data = &settings.storage.data;
    let transfers = read_transfers(data).map_err(|fault| Failure::from(&fault))?;
    Ok((transfers.into_iter().map(|transfer| (transfer, None)).collect(), is_at_work(data)))
}

/// What the centre says of every transfer that is not at its end.
async fn ask(settings: &ClientSettings) -> Result<Found, Failure> {
    let client = settings::open(settings).await?;
    let stop = CancellationToken::new();
    let _listening = cancel_on_signal(&stop);
    let mut found = Vec::new();
    for known in client.transfers().await.map_err(|fault| Failure::from(&fault))? {
        match client.ask(known.id, &stop).await {
            Ok(now) => found.push((now, None)),
            Err(error) => {
                // An answer may have ended it all the same.
                let transfers = client.transfers().await.map_err(|fault| Failure::from(&fault))?;
                let now = transfers.into_iter().find(|now| now.id == known.id).unwrap_or(known);
                found.push((now, Some(settings::failure(&error, settings))));
            }
        }
    }
    Ok((found, false))
}

fn show(transfer: &TransferStatus, at_work: bool, output: &Output) {
    let month = transfer.claim_month.map(|month| format!(" {month}")).unwrap_or_default();
    output.line(&format!(
        "{}  {}\n  {} {}{month}, {} bytes, {} → {}, {}",
        transfer.id,
        state_of(transfer, at_work),
        transfer.file_name,
        transfer.kind.japanese(),
        transfer.bytes,
        transfer.sender,
        transfer.receiver,
        transfer.created_at,
    ));
    for attempt in &transfer.attempts {
        let end = end_of(attempt);
        output.line(&format!(
            "  attempt {} at {} from byte {}: {end}",
            attempt.number, attempt.began, attempt.offset
        ));
    }
    if let Some(off_ms) = transfer.clock_off_ms {
        output.line(&format!("  {}", clock_remark(off_ms)));
    }
    if let Some(bundle) = &transfer.bundle_path {
        output.line(&format!("  bundle: {}", bundle.display()));
    }
}

fn end_of(attempt: &Attempt) -> String {
    match (attempt.cause, attempt.detected_ms, attempt.ended) {
        (Some(cause), Some(ms), _) => {
            format!("stopped at byte {}: {cause}, noticed {ms} ms after the last byte moved", attempt.reached)
        }
        // The program itself was stopped: how far it had come is not known.
        (Some(cause), None, _) => format!("stopped: {cause}"),
        (None, _, Some(_)) => "brought the rest".to_owned(),
        (None, _, None) => "not ended".to_owned(),
    }
}

fn state_of(transfer: &TransferStatus, at_work: bool) -> String {
    let since = transfer.since;
    match transfer.phase {
        Phase::Held => format!("預かり held here since {since}, not yet at the centre"),
        Phase::Sending if at_work => format!("送信中 sending since {since}"),
        Phase::AwaitingReceipt if at_work => {
            format!("送信中 all sent, waiting for the receipt since {since}")
        }
        Phase::Sending | Phase::AwaitingReceipt => {
            "預かり held here; the last attempt was interrupted: send the file again to go on".to_owned()
        }
        Phase::Aborted(cause) => {
            format!(
                "預かり held here; the last attempt stopped ({cause}, {since}): send the file again to go on"
            )
        }
        Phase::Received if transfer.acknowledged_at.is_some() => {
            format!("到達確認（受領確認データ） arrived, receipt kept since {since}")
        }
        Phase::Received => {
            format!("到達確認（受領確認データ） arrived, receipt kept since {since}, not yet acknowledged")
        }
        Phase::Refused(problem) => format!("受付不可 refused: {} ({problem}, {since})", problem.title()),
        Phase::Cancelled => format!("取消 called off {since}"),
    }
}

fn result(transfer: TransferStatus, error: Option<Failure>) -> TransferResult {
    let (cause, problem) = match transfer.phase {
        Phase::Aborted(cause) => (Some(cause.name()), None),
        Phase::Refused(problem) => (None, Some(problem.code())),
        _ => (None, None),
    };
    TransferResult {
        transfer: transfer.id.to_string(),
        phase: transfer.phase.name(),
        shown_as: match transfer.phase {
            Phase::Held | Phase::Aborted(_) => "held",
            Phase::Sending | Phase::AwaitingReceipt => "sending",
            Phase::Received => "arrived",
            Phase::Refused(_) | Phase::Cancelled => "ended",
        },
        since: transfer.since.to_string(),
        cause,
        problem,
        file_name: transfer.file_name,
        source: transfer.source,
        kind: transfer.kind.name(),
        claim_month: transfer.claim_month.map(|month| month.to_string()),
        sender: transfer.sender.to_string(),
        receiver: transfer.receiver.to_string(),
        bytes: transfer.bytes,
        sha256: transfer.sha256.to_string(),
        offset: transfer.offset,
        created_at: transfer.created_at.to_string(),
        acknowledged_at: transfer.acknowledged_at.map(|at| at.to_string()),
        clock_off_ms: transfer.clock_off_ms,
        bundle: transfer.bundle_path,
        attempts: transfer.attempts.iter().map(Into::into).collect(),
        error,
    }
}

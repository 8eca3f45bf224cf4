//! `sekisho send`.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use config::ClientSettings;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    args::Send,
    exit::Exit,
    report::{AttemptResult, Failure, Head, Output},
    screen::{Screen, Screens},
    settings,
    signals::cancel_on_signal,
};
use crate::{Filing, Order, SendError, Sent};

#[derive(Serialize)]
struct Object {
    #[serde(flatten)]
    head: Head,
    environment: &'static str,
    contact: String,
    /// In the order they were named; files after a stop or a fork are not among them.
    files: Vec<FileResult>,
}

#[derive(Serialize)]
struct FileResult {
    file: PathBuf,
    ok: bool,
    #[serde(flatten)]
    result: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Sent(Box<SentResult>),
    Failed {
        /// Absent when the file was not taken up at all.
        transfer: Option<String>,
        error: Failure,
    },
}

#[derive(Serialize)]
struct SentResult {
    transfer: String,
    already: bool,
    kind: &'static str,
    sender: String,
    receiver: String,
    bytes: u64,
    sha256: String,
    acknowledged: bool,
    clock_off_ms: Option<i64>,
    receipt: PathBuf,
    bundle: PathBuf,
    attempts: Vec<AttemptResult>,
}

impl From<&Sent> for SentResult {
    fn from(sent: &Sent) -> Self {
        SentResult {
            transfer: sent.id.to_string(),
            already: sent.already,
            kind: sent.kind.name(),
            sender: sent.sender.to_string(),
            receiver: sent.receiver.to_string(),
            bytes: sent.bytes,
            sha256: sent.sha256.to_string(),
            acknowledged: sent.acknowledged,
            clock_off_ms: sent.clock_off_ms,
            receipt: sent.receipt_path.clone(),
            bundle: sent.bundle_path.clone(),
            attempts: sent.attempts.iter().map(Into::into).collect(),
        }
    }
}

pub(super) async fn run(file: &Path, send: &Send, output: &Output) -> Exit {
    let mut settings = match settings::load(file) {
        Ok(settings) => settings,
        Err(failure) => return output.give_up("send", &failure, None),
    };
    settings.sending.parallel = send.parallel.unwrap_or(settings.sending.parallel);
    settings.sending.rate_max = send.rate_max.or(settings.sending.rate_max);
    let client = match settings::open(&settings).await {
        Ok(client) => Arc::new(client),
        Err(failure) => return output.give_up("send", &failure, Some(&settings.contact)),
    };
    let stop = CancellationToken::new();
    let _listening = cancel_on_signal(&stop);
    let screens = Screens::new(output.json);
    let watched: Vec<Arc<Screen>> =
        names_of(&send.files).into_iter().map(|name| Arc::new(screens.of(name))).collect();
    let order = |(path, screen): (&PathBuf, &Arc<Screen>)| Order {
        file: path.clone(),
        filing: filing_of(send),
        progress: Arc::clone(screen) as _,
    };
    let orders = send.files.iter().zip(&watched).map(order).collect();
    let mut results: Vec<Option<(Exit, FileResult)>> = send.files.iter().map(|_| None).collect();
    let parallel = NonZeroU32::new(settings.sending.parallel).unwrap_or(NonZeroU32::MIN);
    let ended = |place: usize, sent: Result<Sent, SendError>| {
        let (Some(path), Some(screen)) = (send.files.get(place), watched.get(place)) else { return };
        screen.clear();
        let result = screens.pause(|| told(path, screen, &sent, &settings, output));
        if let Some(slot) = results.get_mut(place) {
            *slot = Some(result);
        }
    };
    client.send_all(orders, parallel, &stop, ended).await;
    let begun: Vec<_> = results.into_iter().flatten().collect();
    let unfinished = if begun.len() < send.files.len() { Exit::NotYet } else { Exit::Done };
    let exit = begun.iter().fold(Exit::Done, |exit, (next, _)| exit.or(*next)).or(unfinished);
    if output.json {
        let head = Head::of("send", exit);
        let files = begun.into_iter().map(|(_, result)| result).collect();
        let contact = settings.contact.to_string();
        output.object(&Object { head, environment: settings.environment.name(), contact, files });
    }
    exit
}

fn filing_of(send: &Send) -> Filing {
    Filing {
        kind: send.kind,
        claim_month: send.month,
        sender: send.sender.clone(),
        replaces: send.replaces,
        corrects: send.corrects,
        resubmission_of: send.resubmission_of,
    }
}

/// Says how it went with a file.
fn told(
    path: &Path,
    screen: &Screen,
    sent: &Result<Sent, SendError>,
    settings: &ClientSettings,
    output: &Output,
) -> (Exit, FileResult) {
    let (exit, result) = match sent {
        Ok(sent) => {
            tell(path, sent, output);
            (Exit::Done, Outcome::Sent(Box::new(sent.into())))
        }
        Err(error) => {
            let failure = settings::failure(error, settings);
            output.error(Some(&path.display().to_string()), &failure, Some(&settings.contact));
            let transfer = screen.transfer().map(|id| id.to_string());
            (failure.exit, Outcome::Failed { transfer, error: failure })
        }
    };
    (exit, FileResult { file: path.to_owned(), ok: sent.is_ok(), result })
}

/// What each file is called on the screen: its own name, or where it stands if others have the same.
fn names_of(files: &[PathBuf]) -> Vec<String> {
    let own = |path: &Path| {
        path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned()
    };
    let name = |path: &PathBuf| {
        let is_alone = files.iter().filter(|other| own(other) == own(path)).count() == 1;
        if is_alone { own(path) } else { path.to_string_lossy().into_owned() }
    };
    files.iter().map(name).collect()
}

fn tell(path: &Path, sent: &Sent, output: &Output) {
    let known = if sent.already { "already sent, here is the receipt; " } else { "" };
    output.line(&format!(
        "到達確認（受領確認データ） {known}{} {} ({}), {} bytes, transfer {}",
        path.display(),
        sent.kind.japanese(),
        sent.kind,
        sent.bytes,
        sent.id
    ));
    output.line(&format!("  receipt: {}", sent.receipt_path.display()));
    output.line(&format!("  bundle:  {}", sent.bundle_path.display()));
}

#[cfg(test)]
mod tests {
    use protocol::{digest::Sha256, kind::Kind};
    use serde_json::{Value, json};

    use super::*;
    use crate::{Attempt, LastTry};

    fn sent() -> Sent {
        let attempt = Attempt {
            number: 1,
            began: "2026-11-10T00:00:00.000Z".parse().unwrap(),
            offset: 0,
            reached: 4096,
            ended: Some("2026-11-10T00:00:02.000Z".parse().unwrap()),
            cause: Some(protocol::cause::Cause::LinkLost),
            detected_ms: Some(1512),
        };
        Sent {
            id: "0198f0a0-0000-7000-8000-000000000000".parse().unwrap(),
            kind: Kind::Medical,
            sender: "institution:1310000018".parse().unwrap(),
            receiver: "review-agency:113".parse().unwrap(),
            bytes: 8192,
            sha256: Sha256::of(b""),
            attempts: vec![attempt],
            receipt_path: "data/receipt.jws".into(),
            bundle_path: "data/bundle.json".into(),
            acknowledged: true,
            clock_off_ms: Some(-7_200_000),
            already: false,
        }
    }

    fn object(result: Outcome) -> Value {
        let files = vec![FileResult { file: "RECEIPTC.UKE".into(), ok: true, result }];
        let head = Head::of("send", Exit::Done);
        serde_json::to_value(Object { head, environment: "test", contact: "医事課, 03".to_owned(), files })
            .unwrap()
    }

    #[test]
    fn the_object_of_a_file_that_arrived_is_the_documented_one() {
        assert_eq!(
            object(Outcome::Sent(Box::new((&sent()).into()))),
            json!({
                "version": 1, "command": "send", "ok": true, "environment": "test", "contact": "医事課, 03",
                "files": [{
                    "file": "RECEIPTC.UKE", "ok": true, "transfer": "0198f0a0-0000-7000-8000-000000000000",
                    "already": false, "kind": "medical", "sender": "institution:1310000018",
                    "receiver": "review-agency:113", "bytes": 8192, "sha256": Sha256::of(b"").to_string(),
                    "acknowledged": true, "clock_off_ms": -7_200_000, "receipt": "data/receipt.jws", "bundle": "data/bundle.json",
                    "attempts": [{
                        "number": 1, "began": "2026-11-10T00:00:00.000Z", "offset": 0, "reached": 4096,
                        "ended": "2026-11-10T00:00:02.000Z", "cause": "link_lost", "detected_ms": 1512,
                    }],
                }],
            })
        );
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_where_they_stand() {
        let files = ["a/RECEIPTC.UKE", "b/RECEIPTC.UKE", "a/RECEIPTD.UKE"].map(PathBuf::from);
        assert_eq!(names_of(&files), ["a/RECEIPTC.UKE", "b/RECEIPTC.UKE", "RECEIPTD.UKE"]);
    }

    #[test]
    fn the_error_of_a_file_that_did_not_arrive_says_what_a_program_does_next() {
        let id = "0198f0a0-0000-7000-8000-000000000000".parse().unwrap();
        let last = LastTry::Cut(protocol::cause::Cause::Stalled);
        let error = SendError::NotDelivered { id, tries: 3, last };
        let result = Outcome::Failed { transfer: Some(id.to_string()), error: Failure::from(&error) };
        let error = &object(result)["files"][0]["error"];
        assert_eq!((&error["code"], &error["advice"]), (&json!("stalled"), &json!("retry")));
        assert!(error["message"].is_string() && error["next"].is_string());
    }
}

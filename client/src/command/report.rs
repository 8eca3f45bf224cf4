//! Errors and results, for people and for programs. The structures here are the contract of `--json`: keys are added,
//! never renamed or removed, while `version` stays 1.

use std::{error::Error, path::Path};

use config::shared::Contact;
use protocol::{cause::Cause, moment::Moment, one_line::in_one_line, problem::Advice};
use serde::Serialize;

use super::{
    exit::Exit,
    print::{Stdout, to_stderr},
};
use crate::{
    Attempt,
    clock_check::behind_ms,
    error::{OpenError, SendError, blame_of_store, next_of_store},
    store::StoreFault,
    times::ClockOff,
};

/// The version of every JSON object printed.
pub(super) const VERSION: u32 = 1;

/// Where and how to print.
pub(super) struct Output {
    pub json: bool,
    stdout: Stdout,
}

/// What every JSON object begins with.
#[derive(Serialize)]
pub(super) struct Head {
    pub version: u32,
    pub command: &'static str,
    pub ok: bool,
}

impl Head {
    pub fn of(command: &'static str, exit: Exit) -> Self {
        Head { version: VERSION, command, ok: exit == Exit::Done }
    }
}

/// One error, as a program gets it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failure {
    /// The stable code.
    pub code: &'static str,
    /// What and why, in one line.
    pub message: String,
    /// What to do.
    pub next: String,
    /// `retry`, `ask` or `give_up`.
    pub advice: Advice,
    #[serde(skip)]
    pub exit: Exit,
}

impl Failure {
    /// Something about the command line, the settings, or a named file.
    pub fn usage(code: &'static str, message: String, next: &str) -> Self {
        Failure { code, message, next: next.to_owned(), advice: Advice::GiveUp, exit: Exit::Usage }
    }
}

impl Failure {
    /// Certificates and lists are judged by this machine's clock: where it is known to be wrong, that comes first.
    pub fn with_clock(self, data: &Path, now: Moment) -> Self {
        match behind_ms(data, now).filter(|_| self.exit == Exit::Material) {
            None => self,
            Some(behind) => Failure {
                next: format!(
                    "{}: set it, then run the same command again; if that does not help: {}",
                    clock_remark(-behind),
                    self.next
                ),
                ..self
            },
        }
    }
}

impl From<&OpenError> for Failure {
    fn from(error: &OpenError) -> Self {
        let retry = matches!(
            error,
            OpenError::Store(StoreFault::InUse { .. }) | OpenError::ListMissing { why: Some(_), .. }
        );
        Failure {
            code: error.code(),
            message: in_one_line(error),
            next: error.next_step().to_owned(),
            advice: if retry { Advice::Retry } else { Advice::GiveUp },
            exit: error.blame().into(),
        }
    }
}

impl From<&SendError> for Failure {
    fn from(error: &SendError) -> Self {
        Failure {
            code: error.code(),
            message: message(error),
            next: error.next_step().to_owned(),
            advice: error.advice(),
            exit: error.blame().into(),
        }
    }
}

impl From<&StoreFault> for Failure {
    fn from(fault: &StoreFault) -> Self {
        let in_use = matches!(fault, StoreFault::InUse { .. });
        Failure {
            code: if in_use { "in_use" } else { "state" },
            message: in_one_line(fault),
            next: next_of_store(fault).to_owned(),
            advice: if in_use { Advice::Retry } else { Advice::GiveUp },
            exit: blame_of_store(fault).into(),
        }
    }
}

/// The chain of causes, and for a no of the centre its sentence for people.
fn message(error: &SendError) -> String {
    match error {
        SendError::TurnedDown { problem, .. } => {
            format!("the centre answered: {} ({problem})", problem.title())
        }
        SendError::Refused { problem, fault, earlier, refusal, .. } => {
            let fault = fault.as_ref().map(|word| format!(" [{word}]")).unwrap_or_default();
            let earlier = earlier.map(|id| format!(" [transfer {id}]")).unwrap_or_default();
            let title = problem.title();
            format!(
                "refused for good: {title} ({problem}){fault}{earlier}; signed refusal: {}",
                refusal.display()
            )
        }
        error => in_one_line(error as &(dyn Error + 'static)),
    }
}

/// One attempt, as a program gets it: every key always there.
#[derive(Serialize)]
pub(super) struct AttemptResult {
    number: u32,
    began: Moment,
    /// First byte it was to bring.
    offset: u64,
    /// Bytes of the file handed to the line when it ended.
    reached: u64,
    ended: Option<Moment>,
    /// Why it ended early; null for the one that brought the receipt.
    cause: Option<Cause>,
    /// Milliseconds from the last byte that moved to the notice of the cut.
    detected_ms: Option<u64>,
}

impl From<&Attempt> for AttemptResult {
    fn from(attempt: &Attempt) -> Self {
        AttemptResult {
            number: attempt.number,
            began: attempt.began,
            offset: attempt.offset,
            reached: attempt.reached,
            ended: attempt.ended,
            cause: attempt.cause,
            detected_ms: attempt.detected_ms,
        }
    }
}

impl Output {
    /// One JSON object for programs, or lines for people.
    pub fn new(json: bool) -> Self {
        Output { json, stdout: Stdout::default() }
    }

    /// Prints the JSON object of a command.
    pub fn object(&self, object: &impl Serialize) {
        match serde_json::to_string(object) {
            Ok(text) => self.stdout.line(&text),
            Err(error) => to_stderr(&format!("sekisho: the result could not be written as JSON: {error}")),
        }
    }

    /// Prints a line for people.
    pub fn line(&self, line: &str) {
        if !self.json {
            self.stdout.line(line);
        }
    }

    /// The end of a command that ended like this: what could not be printed may change it.
    pub fn end(&self, exit: Exit) -> Exit {
        match self.stdout.failure() {
            None => exit,
            Some(error) => {
                to_stderr(&format!("sekisho: standard output takes nothing any more: {error}"));
                exit.or(Exit::Other)
            }
        }
    }

    /// Prints an error for people: what, why, what next, whom to call.
    pub fn error(&self, about: Option<&str>, failure: &Failure, contact: Option<&Contact>) {
        if self.json {
            return;
        }
        let about = about.map(|about| format!("{about}: ")).unwrap_or_default();
        to_stderr(&format!("sekisho: {about}{}: {}", headline(failure.exit), failure.message));
        to_stderr(&format!("  次にすること / next: {}", failure.next));
        if let Some(contact) = contact {
            to_stderr(&format!("  連絡先 / contact: {contact}"));
        }
    }

    /// The end of a command that could not begin.
    pub fn give_up(&self, command: &'static str, failure: &Failure, contact: Option<&Contact>) -> Exit {
        #[derive(Serialize)]
        struct Object<'a> {
            #[serde(flatten)]
            head: Head,
            error: &'a Failure,
            contact: Option<String>,
        }
        if self.json {
            let head = Head::of(command, failure.exit);
            self.object(&Object { head, error: failure, contact: contact.map(ToString::to_string) });
        }
        self.error(None, failure, contact);
        failure.exit
    }
}

/// What is said of a clock that is off.
pub(super) fn clock_remark(off_ms: ClockOff) -> String {
    let (seconds, way) = (off_ms.unsigned_abs() / 1000, if off_ms > 0 { "ahead of" } else { "behind" });
    format!(
        "時計を確認してください (check the clock): this machine's clock was off by {seconds} s or more, {way} the centre's"
    )
}

/// The clerk's own language first.
fn headline(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "完了 (done)",
        Exit::Other => "この端末の障害です (this machine failed)",
        Exit::Usage => "指定または設定に誤りがあります (wrong command or settings)",
        Exit::Material => "証明書を確認してください (check the certificates)",
        Exit::Refused => "受け付けられませんでした (refused)",
        Exit::NotYet => "まだ送信できていません (not delivered yet)",
        Exit::Evidence => "記録または証拠が一致しません (evidence does not verify)",
    }
}

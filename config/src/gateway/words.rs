//! The words an operator chooses between in `gateway.toml`.

use protocol::kind::Kind;

use crate::reader::{Fault, Given, Value, Word};

/// Which end of the line a gateway is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayRole {
    /// At the review agency or 実施機関: receives.
    Centre,
}

impl Value for GatewayRole {
    fn form() -> String {
        "\"centre\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        match given.text_for::<Self>()? {
            "centre" => Ok(GatewayRole::Centre),
            "edge" => Err(Fault::new(
                "the edge is not yet built",
                "send with the `sekisho` command from the institution's machine; here only \"centre\" can stand",
            )),
            _ => Err(given.is_not::<Self>()),
        }
    }
    fn show(&self) -> String {
        Self::form()
    }
}

impl Value for Kind {
    fn form() -> String {
        let names: Vec<String> = Kind::ALL.into_iter().map(|kind| format!("\"{}\"", kind.name())).collect();
        names.join(" or ")
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let text = given.text_for::<Self>()?;
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        format!("\"{}\"", self.name())
    }
}

/// What happens to a claims file whose end is missing (no GO record, not its last volume, no 1A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It is refused, with a signed reason.
    Refuse,
    /// It is taken, and the receipt says so.
    Warn,
}

impl Word for Completeness {
    const WORDS: &[(&str, Self)] = &[("refuse", Completeness::Refuse), ("warn", Completeness::Warn)];
}

/// For whom log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line each.
    Human,
    /// One JSON object each.
    Json,
}

impl Word for LogFormat {
    const WORDS: &[(&str, Self)] = &[("human", LogFormat::Human), ("json", LogFormat::Json)];
}

/// The importance of a log line, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Somebody must act.
    Error,
    /// Somebody should look.
    Warn,
    /// What happened.
    Info,
    /// How it happened.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    /// The name used in the configuration, and by every logging library.
    pub const fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

impl Word for LogLevel {
    const WORDS: &[(&str, Self)] = &[
        (LogLevel::Error.name(), LogLevel::Error),
        (LogLevel::Warn.name(), LogLevel::Warn),
        (LogLevel::Info.name(), LogLevel::Info),
        (LogLevel::Debug.name(), LogLevel::Debug),
        (LogLevel::Trace.name(), LogLevel::Trace),
    ];
}

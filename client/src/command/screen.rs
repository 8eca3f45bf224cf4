//! Progress for people: a bar with rate and time left for each file on a terminal, plain lines anywhere else, nothing beside
//! JSON.

use std::{
    io::IsTerminal as _,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use protocol::transfer_id::TransferId;

use super::{print::to_stderr, report::clock_remark};
use crate::progress::{Progress, ProgressEvent};

/// Shows the progress of several files, one below the other.
pub(super) struct Screens {
    bars: Option<MultiProgress>,
    silent: bool,
}

/// Shows one file's progress.
pub(super) struct Screen {
    name: String,
    bars: Option<MultiProgress>,
    bar: Mutex<Option<ProgressBar>>,
    silent: bool,
    transfer: OnceLock<TransferId>,
}

impl Screens {
    /// On standard error.
    pub fn new(json: bool) -> Self {
        let bars = (!json && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Screens { bars, silent: json }
    }

    /// For a file of this name.
    pub fn of(&self, name: String) -> Screen {
        let (bars, bar) = (self.bars.clone(), Mutex::new(None));
        Screen { name, bars, bar, silent: self.silent, transfer: OnceLock::new() }
    }

    /// Prints with all bars out of the way.
    pub fn pause<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}

impl Screen {
    /// The transfer that the file became, once it was taken up.
    pub fn transfer(&self) -> Option<TransferId> {
        self.transfer.get().copied()
    }

    fn moved(&self, phase: &'static str, done: u64, total: u64) {
        let Some(bars) = &self.bars else { return };
        let Ok(mut bar) = self.bar.lock() else { return };
        let bar = bar.get_or_insert_with(|| {
            let bar = bars.add(ProgressBar::new(total));
            bar.set_style(style());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        if bar.prefix() != phase {
            // Rate and time left are those of this phase.
            bar.reset();
            bar.set_prefix(phase);
            bar.set_message(self.name.clone());
            bar.set_position(done);
            bar.reset_eta();
        }
        bar.set_length(total);
        bar.set_position(done);
    }

    fn tell(&self, line: &str) {
        if self.silent {
            return;
        }
        let line = format!("{}: {line}", self.name);
        match &self.bars {
            Some(bars) => bars.suspend(|| to_stderr(&line)),
            None => to_stderr(&line),
        }
    }

    /// Takes the bar away; what was told stays.
    pub fn clear(&self) {
        if let Ok(mut bar) = self.bar.lock()
            && let Some(bar) = bar.take()
        {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Screen {
    fn event(&self, event: &ProgressEvent) {
        if let ProgressEvent::Held { id, .. } = event {
            self.transfer.get_or_init(|| *id);
        }
        match event {
            ProgressEvent::Hashing { done, total } => self.moved("確認 checking", *done, *total),
            ProgressEvent::Sent { bytes, total } => self.moved("送信中 sending", *bytes, *total),
            event => {
                if let Some(line) = line_of(event) {
                    self.tell(&line);
                }
            }
        }
    }
}

fn line_of(event: &ProgressEvent) -> Option<String> {
    Some(match event {
        ProgressEvent::Hashing { .. } | ProgressEvent::Sent { .. } | ProgressEvent::Connecting => {
            return None;
        }
        ProgressEvent::Held { id, resumed: false } => format!("預かり held as {id}"),
        ProgressEvent::Held { id, resumed: true } => format!("預かり held as {id}, from an earlier run"),
        ProgressEvent::LeftBehind { id } => format!(
            "an earlier file from the same place was not finished and its content is gone; to call it off: sekisho cancel {id}"
        ),
        ProgressEvent::Offered { offset: 0 } => "the centre knows of it".to_owned(),
        ProgressEvent::Offered { offset } => format!("the centre holds {offset} bytes of it"),
        ProgressEvent::Attempt { number, offset } => format!("送信中 attempt {number}, from byte {offset}"),
        ProgressEvent::Aborted { cause, offset, at, detected_ms } => format!(
            "中断 stopped: {cause} at byte {offset}, noticed {detected_ms} ms after the last byte moved ({at})"
        ),
        ProgressEvent::Failed { reason } => format!("not possible now: {reason}"),
        ProgressEvent::Waiting { until } => format!("the next try begins at {until}"),
        ProgressEvent::Checking => "all sent; the centre is checking and storing".to_owned(),
        ProgressEvent::Received { at } => {
            format!("到達確認（受領確認データ） received by the centre at {at}")
        }
        ProgressEvent::ClockOff { off_ms } => clock_remark(*off_ms),
        ProgressEvent::Refused { problem } => format!("受付不可 refused: {problem}"),
        ProgressEvent::Acknowledged => "the centre knows that we hold the receipt".to_owned(),
        ProgressEvent::AcknowledgementPending { reason } => format!(
            "the receipt counts; the centre could not be told yet that we hold it ({reason}); `sekisho status --ask` tells it"
        ),
    })
}

fn style() -> ProgressStyle {
    // A template that is wrong shows in the first run of anything; the default still shows how far it is.
    ProgressStyle::with_template(
        "{prefix} {msg} [{bar:30}] {percent}% {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}

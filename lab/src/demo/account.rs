//! What a person reads while the demo runs.

use std::{fmt::Display, time::Instant};

use super::report::Report;

/// Prints to standard output, or nothing when the answer is to be JSON.
pub struct Account {
    speaks: bool,
    began: Instant,
}

impl Account {
    /// An account that begins now.
    pub fn new(speaks: bool) -> Self {
        Account { speaks, began: Instant::now() }
    }

    /// A new step.
    pub fn step(&self, title: &str) {
        if self.speaks {
            println!("\n{:5.1} s  {title}", self.began.elapsed().as_secs_f64());
        }
    }

    /// What was found in it.
    pub fn says(&self, what: impl Display) {
        if self.speaks {
            println!("         ○ {what}");
        }
    }

    /// The end, and where everything lies.
    pub fn end(&self, report: &Report, kept: bool) {
        println!("\n{:5.1} s  Everything held.", self.began.elapsed().as_secs_f64());
        if !kept {
            println!("         Nothing is left of it; `--keep DIR` keeps everything in DIR.");
            return;
        }
        println!("         inbox          {}", report.inbox.display());
        println!("         evidence root  {}", report.evidence_root.display());
        println!("         bundles, with all evidence of one transfer each:");
        for transfer in &report.transfers {
            println!("         {:<14} {}", transfer.kind.name(), transfer.bundle.display());
        }
        println!("         To verify one yourself: sekisho verify BUNDLE FILE --anchors EVIDENCE_ROOT");
    }
}

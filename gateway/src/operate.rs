//! The commands that ask a running gateway for something, by way of its admin socket.

use std::path::Path;

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    admin::{Blocking, Disconnected, NotDone, Status, Whom},
    ask_admin::{AskFault, ask, ask_status},
    blocked::Block,
    handover::Hold,
    reload::Reloaded,
};

/// What a running gateway can be asked for.
#[derive(Subcommand)]
pub enum Operation {
    /// Show what the running gateway is doing.
    Status {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Take up changed settings, certificates, keys, revocation lists and rights; what cannot be used changes nothing.
    Reload,
    /// Take no new work, let running transfers finish, and end the process.
    Drain,
    /// Hand nothing over into the inbox until `release` or a restart; what comes in is kept meanwhile, and is answered as always.
    Hold,
    /// Hand over again, beginning with what was kept.
    Release,
    /// End the open connections of a party or certificate. It may come back: see `block`.
    Disconnect {
        /// A party (institution:1310000018) or a certificate (sha256:…).
        target: String,
    },
    /// Keep a party or certificate out from now on, whatever its certificate says, and end its connections.
    Block {
        /// A party (institution:1310000018) or a certificate (sha256:…).
        target: String,
        /// Why, for whoever looks later.
        #[arg(long)]
        reason: String,
    },
    /// Let a party or certificate in again.
    Unblock {
        /// As it was blocked.
        target: String,
    },
    /// Show who is kept out by hand.
    Blocked,
}

/// Why an operation failed, by exit code: 2 for a mistake in what was asked or configured, 3 for certificates and lists
/// that cannot be used, 1 for everything else.
pub fn exit_code(fault: &AskFault) -> u8 {
    match fault {
        AskFault::NotDone(NotDone { reason, .. }) => match reason.as_str() {
            "configuration" | "needs_restart" | "request" => 2,
            "material" => 3,
            _ => 1,
        },
        AskFault::Unreachable { .. } | AskFault::Silent { .. } => 1,
    }
}

/// Asks, and says what came of it.
pub async fn operate(data: &Path, operation: Operation) -> Result<(), AskFault> {
    match operation {
        Operation::Status { json } => {
            let status = ask_status(data).await?;
            if json {
                println!("{}", json!(status));
            } else {
                print_status(&status);
            }
        }
        Operation::Reload => {
            let Reloaded { generation, judged, ended } = ask(data, Method::POST, "/reload", &()).await?;
            println!("○ reloaded: generation {generation} counts from now on");
            println!("  {judged} open connections were judged again, {ended} of them ended");
        }
        Operation::Drain => {
            let _: Value = ask(data, Method::POST, "/drain", &()).await?;
            println!("○ draining: no new work is taken, and the process ends when what runs is finished");
        }
        Operation::Hold => {
            let Hold { changed, is_quiet } = ask(data, Method::POST, "/hold", &()).await?;
            let since = if changed { "from now on" } else { "as before" };
            if !is_quiet {
                println!(
                    "! something large is still on its way into the inbox; say `hold` again to wait for its end"
                );
            }
            println!(
                "○ nothing is handed over into the inbox, {since}; `release` ends that, and so does a restart"
            );
        }
        Operation::Release => {
            let changed: bool = ask(data, Method::POST, "/release", &()).await?;
            let now = if changed { "again, what was kept first" } else { "as before: nothing was held" };
            println!("○ committed files are handed over {now}");
        }
        Operation::Disconnect { target } => {
            let done: Disconnected = ask(data, Method::POST, "/disconnect", &Whom { target }).await?;
            println!("○ {} connections ended", done.ended);
        }
        Operation::Block { target, reason } => {
            let blocking = Blocking { target: target.clone(), reason };
            let done: Disconnected = ask(data, Method::POST, "/block", &blocking).await?;
            let since = if done.changed { "is kept out from now on" } else { "was kept out already" };
            println!("○ {target} {since}; {} connections ended", done.ended);
        }
        Operation::Unblock { target } => {
            let done: Disconnected =
                ask(data, Method::POST, "/unblock", &Whom { target: target.clone() }).await?;
            let now = if done.changed { "may come in again" } else { "was not kept out by hand" };
            println!("○ {target} {now}");
        }
        Operation::Blocked => {
            let blocks: Vec<Block> = ask(data, Method::GET, "/blocked", &()).await?;
            for Block { target, since, reason } in &blocks {
                println!("{target}  since {since}  {reason}");
            }
            if blocks.is_empty() {
                println!("nobody is kept out by hand");
            }
        }
    }
    Ok(())
}

fn print_status(status: &Status) {
    println!("takes new work     {}", if status.accepting { "yes" } else { "no, it is being stopped" });
    if status.storage_failed {
        println!(
            "storage            FAILED: nothing is accepted; look at the disk, then start the gateway again"
        );
    }
    for reason in &status.not_ready {
        println!("not ready          {reason}");
    }
    let (done, refused) = status.reloads;
    println!("settings           generation {}, {done} reloads, {refused} refused", status.generation);
    println!("confined           {}", status.confined);
    println!("connections        {}", status.connections);
    println!("attempts running   {}", status.attempts_running);
    for (phase, count) in status.transfers.iter().filter(|(_, count)| **count > 0) {
        println!("{phase:<18} {count}");
    }
    let held = if status.held { ", held by the operator: see `release`" } else { "" };
    println!("not yet delivered  {}{held}", status.undelivered);
    println!("not acknowledged   {}", status.unacknowledged);
    println!("log entries        {}", status.log_entries);
    for (section, ends) in &status.certificates {
        println!("certificate        [{section}] ends {ends}");
    }
    for list in &status.revocation_lists {
        println!(
            "revocation list    [{}] {}: number {}, ends {}, {} revoked",
            list.section, list.issuer, list.number, list.next_update, list.revoked
        );
        if let Some(path) = &list.served_at {
            println!("  served at        {path}");
        }
    }
    for missing in &status.missing_lists {
        println!("NO LIST            {missing}");
    }
    for source in &status.list_sources {
        let fetched = source.fetched_at.as_deref().unwrap_or("not since the start");
        println!("fetches lists      {}: last good one {fetched}", source.url);
        if let Some(failing) = &source.failing {
            println!("  fails            {failing}");
        }
    }
    if status.blocked > 0 {
        println!("kept out by hand   {}", status.blocked);
    }
    for (reason, count) in &status.turned_down {
        println!("turned down        {count} × {reason}");
    }
}

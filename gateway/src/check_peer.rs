//! `check --peer`: would this certificate be let in, as whom, for what, and if not, why not? Without a socket, by the same
//! code that judges at the door.

use std::path::PathBuf;

use config::gateway::MAIN_LISTENER;
use pki::{
    clock,
    explain::{Explanation, chain_from, explain},
    leaf::Purpose,
    pem::PemFault,
};
use protocol::{kind::System, moment::Moment, permission::Action};
use serde_json::{Value, json};

use crate::{
    blocked::{BlockFault, Blocked},
    in_force::{InForce, Listener, ROLE_NOT_HERE},
    reasons::{alert, reason},
};

/// What is asked.
#[derive(clap::Args)]
pub struct PeerQuestion {
    /// A peer's certificate, PEM, with or without its chain: would it be let in, as whom, for what, and if not, why?
    #[arg(long, value_name = "FILE")]
    pub peer: Option<PathBuf>,
    /// Further certificates of its chain, PEM.
    #[arg(long, value_name = "FILE", requires = "peer")]
    pub chain: Vec<PathBuf>,
    /// At another time than now, as 2026-11-10T09:00:00Z.
    #[arg(long, value_name = "TIME", requires = "peer")]
    pub at: Option<Moment>,
    /// Judge it as a signer of evidence instead of a client on the line.
    #[arg(long, requires = "peer")]
    pub evidence: bool,
    /// At this listener of the configuration, `[listener.NAME]`, and not at that of `[listen]`.
    #[arg(long, value_name = "NAME", requires = "peer", conflicts_with = "evidence")]
    pub listener: Option<String>,
    /// One JSON object.
    #[arg(long, requires = "peer")]
    pub json: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The certificate's file.
    #[error("the peer's certificate cannot be read")]
    Certificate(#[from] PemFault),
    /// The list of blocked peers.
    #[error(transparent)]
    Blocked(#[from] BlockFault),
    /// A listener that is none.
    #[error("there is no listener \"{0}\"; the configuration has {1}")]
    NoSuchListener(String, String),
}

/// An answer.
pub struct Answer {
    /// Would it be let in?
    pub let_in: bool,
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
}

/// Answers it.
pub fn answer(in_force: &InForce, peer: &PathBuf, question: &PeerQuestion) -> Result<Answer, NoAnswer> {
    let files: Vec<PathBuf> = std::iter::once(peer).chain(&question.chain).cloned().collect();
    let chain = chain_from(&files)?;
    let now = question.at.unwrap_or_else(clock::now);
    let listener = listener(in_force, question.listener.as_deref().unwrap_or(MAIN_LISTENER))?;
    let (purpose, trust) = match question.evidence {
        true => (Purpose::Evidence, in_force.evidence_trust()),
        false => (Purpose::TlsClient, listener.trust()),
    };
    let explanation = explain(trust, &chain, purpose, &[listener.own()], now);
    let blocked = Blocked::load(&in_force.config.storage.data)?;
    let verdict = match &explanation.verdict {
        Err(refused) => Err((refused.fault.code(), refused.causes.clone())),
        Ok(peer) if peer.identity().environment() != in_force.config.environment => {
            Err(("wrong_environment", vec![format!("it is for {}", peer.identity().environment())]))
        }
        Ok(peer) if !question.evidence && !listener.takes(peer.identity().role()) => {
            let (role, name) = (peer.identity().role(), &listener.name);
            Err((ROLE_NOT_HERE, vec![format!("the listener {name} takes no {role}")]))
        }
        Ok(peer) if blocked.keeps_out(peer) => {
            Err(("blocked", vec!["the operator keeps it out: `sekisho-gateway blocked`".to_owned()]))
        }
        Ok(peer) => Ok(peer),
    };
    Ok(match verdict {
        Ok(peer) => {
            let rights = rights(in_force, peer.identity().role());
            let identity = peer.identity().to_string();
            let listed: Vec<String> =
                rights.iter().map(|(system, actions)| format!("{system}: {}", actions.join(", "))).collect();
            let mut text = format!("○ it would be let in as {identity}\n  it ends {}\n", peer.not_after());
            text += &match listed.as_slice() {
                [] => "  but its role may do nothing here: docs/permissions.md\n".to_owned(),
                listed => format!("  it may, for its own codes: {}\n", listed.join("; ")),
            };
            if let Some(grace) = peer.grace() {
                text +=
                    &format!("  only by grace: the list of {} ended {}\n", grace.issuer, grace.next_update);
            }
            text += &asked(&explanation);
            let json = json!({
                "let_in": true,
                "identity": identity,
                "ends": peer.not_after(),
                "rights": rights.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
                "by_grace": peer.grace().map(|grace| grace.issuer.clone()),
            });
            Answer { let_in: true, text, json }
        }
        Err((code, causes)) => {
            let known = reason(code);
            let mut text = format!("× it would be refused: {code}\n");
            if let Some(reason) = known {
                text += &format!("  {} {}\n", reason.cause, reason.cause_ja);
            }
            for cause in &causes {
                text += &format!("  because {cause}\n");
            }
            if let Some(reason) = known {
                text += &format!("  next: {}\n  対処: {}\n", reason.next, reason.next_ja);
            }
            text += &asked(&explanation);
            let json = json!({
                "let_in": false,
                "reason": code,
                "causes": causes,
                "next": known.map(|reason| reason.next),
                "alert": alert(code),
            });
            Answer { let_in: false, text, json }
        }
    })
}

fn listener<'f>(in_force: &'f InForce, name: &str) -> Result<&'f Listener, NoAnswer> {
    let names =
        || in_force.listeners().iter().map(|listener| listener.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = in_force.listeners().iter().find(|listener| listener.name == name);
    found.ok_or_else(|| NoAnswer::NoSuchListener(name.to_owned(), names()))
}

/// Which revocation lists were asked, and what they said.
fn asked(explanation: &Explanation) -> String {
    let line = |asked: &pki::explain::Asked| {
        let list = asked.list.as_ref().map_or_else(|| "no list covers it".to_owned(), ToString::to_string);
        format!("  asked about number {}: {list}\n", asked.serial)
    };
    explanation.asked.iter().map(line).collect()
}

/// What a role may do here, by system.
fn rights(in_force: &InForce, role: protocol::party::Role) -> Vec<(&'static str, Vec<&'static str>)> {
    System::ALL
        .into_iter()
        .filter_map(|system| {
            let allowed = Action::ALL.into_iter().filter(|action| in_force.permits(role, system, *action));
            let names: Vec<&str> = allowed.map(Action::name).collect();
            (!names.is_empty()).then_some((system.name(), names))
        })
        .collect()
}

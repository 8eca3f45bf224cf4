//! What a chain is worth here and why, in words: for whoever asks why a peer is not let in, without a connection.
//!
//! The verdict is that of [`Trust::verify`], from the same code; the rest looks for what to say about it.

mod findings;

use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::moment::Moment;
use rustls_pki_types::CertificateDer;

use crate::{
    crl_index::{Consulted, Status},
    fault::PeerFault,
    leaf::Purpose,
    path::Judge,
    peer::{Description, PeerIdentity},
    pem::{self, PemFault},
    refusal::{Cause, ListFacts, Refusal},
    trust::Trust,
};

/// A judged chain with everything that bore on it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The certificates as shown, leaf first; `None` for one that cannot be read.
    pub certificates: Vec<Option<Description>>,
    /// The revocation lists that were asked, in the order of asking.
    pub asked: Vec<Asked>,
    /// Who it is, or why not.
    pub verdict: Result<PeerIdentity, Refused>,
}

/// A question to the revocation lists, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The number of the certificate asked after, in hexadecimal.
    pub serial: String,
    /// The list that answered; `None` if there is none that covers the certificate.
    pub list: Option<ListFacts>,
    /// The answer.
    pub status: Status,
}

/// Why a chain is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The stable reason.
    pub fault: PeerFault,
    /// What is wrong with what, the nearest cause first; never empty.
    pub causes: Vec<String>,
}

/// Reads a chain from PEM files, in the order of the files and of the certificates in them.
pub fn chain_from(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, PemFault> {
    let mut chain = Vec::new();
    for file in files {
        chain.extend(pem::certificates(Path::new(file))?);
    }
    Ok(chain)
}

/// Judges a chain, leaf first, as a peer that shows it would be judged now. `own` are our own certificates: what they say
/// of the time is held against the clock.
pub fn explain(
    trust: &Trust,
    chain: &[CertificateDer<'_>],
    purpose: Purpose,
    own: &[&PeerIdentity],
    now: Moment,
) -> Explanation {
    let asked = RefCell::new(Vec::new());
    let judge = Judge {
        anchors: trust.anchors(),
        policy: trust.policy(),
        purpose,
        at: now,
        revocation: &|issuer, subject| {
            let consulted = trust.crls().consult(&issuer.id(), subject, now, None);
            asked.borrow_mut().push(Asked::new(subject.serial, &consulted));
            consulted
        },
    };
    let verdict = judge.judge(chain).map_err(|refusal| {
        let mut causes = causes_of(trust, chain, purpose, now, &refusal);
        if refusal.fault == PeerFault::NotYetValid {
            causes.extend(trust.clock_behind(own, now).map(|behind| behind.to_string()));
        }
        Refused { fault: refusal.fault, causes }
    });
    let certificates = chain.iter().map(Description::of_der).collect();
    Explanation { certificates, asked: asked.into_inner(), verdict }
}

/// What is wrong with what, the nearest cause first; never empty. For refused chains alone: it looks at each certificate
/// once more.
fn causes_of(
    trust: &Trust,
    chain: &[CertificateDer<'_>],
    purpose: Purpose,
    now: Moment,
    refusal: &Refusal,
) -> Vec<String> {
    let mut causes = words_of(refusal);
    causes.extend(findings::of(trust, chain, purpose, now, refusal.fault));
    causes.dedup();
    if causes.is_empty() {
        causes.push(match refusal.cause.as_ref() {
            Cause::Path(error) => format!("{}: {error}", refusal.fault.in_words()),
            _ => refusal.fault.in_words().to_owned(),
        });
    }
    causes
}

/// The same for a log, with the path building library's own word last.
pub(crate) fn causes_for_log(
    trust: &Trust,
    chain: &[CertificateDer<'_>],
    purpose: Purpose,
    now: Moment,
    refusal: &Refusal,
) -> Vec<String> {
    let mut causes = causes_of(trust, chain, purpose, now, refusal);
    if let Cause::Path(error) = refusal.cause.as_ref() {
        let word = error.to_string();
        if !causes.iter().any(|cause| cause.ends_with(&word)) {
            causes.push(word);
        }
    }
    causes
}

impl Asked {
    fn new(serial: &[u8], consulted: &Consulted) -> Self {
        Asked {
            serial: crate::names::serial_text(serial),
            list: consulted.list.as_deref().map(ListFacts::of),
            status: consulted.status,
        }
    }
}

/// What our own checks know of the place where a chain failed.
fn words_of(refusal: &Refusal) -> Vec<String> {
    let words = refusal.fault.in_words();
    match refusal.cause.as_ref() {
        Cause::Plain | Cause::Path(_) => vec![],
        Cause::Certificate(certificate) => vec![format!("{}: {words}", called(certificate))],
        Cause::Anchor { name, not_before, not_after } => {
            vec![format!("the anchor {name} is valid from {not_before} to {not_after}: {words}")]
        }
        Cause::Revocation { certificate, status, list } => {
            let list = match list {
                Some(list) => list.to_string(),
                None => format!("there is no revocation list of {} that covers it", certificate.issuer),
            };
            vec![format!("{}: {}", called(certificate), status_words(*status)), list]
        }
        Cause::Identity { certificate, source } => {
            let mut causes = vec![format!("{}: {words}", called(certificate))];
            let mut next: Option<&dyn std::error::Error> = Some(source);
            while let Some(error) = next {
                causes.push(error.to_string());
                next = error.source();
            }
            causes
        }
    }
}

/// How a certificate is called in a sentence.
fn called(certificate: &Description) -> String {
    let Description { subject, serial, issuer, .. } = certificate;
    format!("the certificate of {subject} (number {serial}, issued by {issuer})")
}

fn status_words(status: Status) -> String {
    match status {
        Status::Good => "it is not revoked".to_owned(),
        Status::Revoked { since } => format!("it is revoked since {since}"),
        Status::Missing => "nobody can say whether it is revoked".to_owned(),
        Status::Expired { next_update } => {
            format!("whether it is revoked is unknown since {next_update}, when the list ended")
        }
        Status::Grace { next_update } => {
            format!("the list ended at {next_update} and is used by grace; it does not name it")
        }
    }
}

/// Our clock is behind the time that something proves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this machine's clock is at least {} s behind: {witness}; next: set the clock", .by.as_secs())]
pub struct ClockBehind {
    /// By at least so much.
    pub by: Duration,
    /// What proves it.
    pub witness: String,
}

impl Trust {
    /// Is the clock behind the date of a revocation list in force, or the start of one of our own certificates? Then what
    /// looks as if it were not valid yet may well be.
    ///
    /// That it is ahead, nothing here can prove: what has ended looks the same whether the clock is right or wrong.
    pub fn clock_behind(&self, own: &[&PeerIdentity], now: Moment) -> Option<ClockBehind> {
        let lists = self.crls().by_end().into_iter().map(|list| {
            (list.this_update(), format!("the revocation list of {} in force was made at", list.issuer()))
        });
        let own = own.iter().map(|own| (own.not_before(), "our own certificate begins at".to_owned()));
        let (at, words) = lists.chain(own).max_by_key(|(at, _)| *at)?;
        let by = u64::try_from(at.ms_since(now)).ok().filter(|ms| *ms > 0)?;
        Some(ClockBehind { by: Duration::from_millis(by), witness: format!("{words} {at}") })
    }
}

impl fmt::Display for ListFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListFacts { issuer, number, this_update, next_update } = self;
        write!(f, "revocation list number {number} of {issuer}, made {this_update}, next {next_update}")
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Ok(peer) => writeln!(f, "let in: {}", peer.identity())?,
            Err(refused) => {
                writeln!(f, "refused: {}", refused.fault)?;
                refused.causes.iter().try_for_each(|cause| writeln!(f, "  {cause}"))?;
            }
        }
        writeln!(f, "certificates, as shown:")?;
        for (at, certificate) in self.certificates.iter().enumerate() {
            match certificate {
                Some(shown) => writeln!(
                    f,
                    "  {} {}\n    number {}, issued by {}\n    valid from {} to {}",
                    at + 1,
                    shown.subject,
                    shown.serial,
                    shown.issuer,
                    shown.not_before,
                    shown.not_after
                )?,
                None => writeln!(f, "  {} cannot be read", at + 1)?,
            }
        }
        writeln!(f, "revocation lists, as asked:")?;
        for Asked { serial, list, status } in &self.asked {
            writeln!(f, "  number {serial}: {}", status_words(*status))?;
            match list {
                Some(list) => writeln!(f, "    {list}")?,
                None => writeln!(f, "    no list")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! What is learnt of content while it passes by, and the verdict on it. Pure.

use config::gateway::Completeness;
use protocol::{
    claims::{self, ClaimsCheck, ClaimsFacts, Head, Mismatch, Summary},
    digest::{Hasher, Sha256},
    kind::System,
    problem::Problem,
    statement::Manifest,
};

/// Watches content go by: its length, its digest and, for claims files, its form.
#[derive(Clone)]
pub struct Watcher {
    hasher: Hasher,
    claims: Option<ClaimsCheck>,
    length: u64,
}

impl Watcher {
    /// A watcher of the content that this manifest declares.
    pub fn new(manifest: &Manifest) -> Self {
        let claims = (manifest.system == System::Claims).then(ClaimsCheck::new);
        Watcher { hasher: Hasher::new(), claims, length: 0 }
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if let Some(claims) = &mut self.claims {
            claims.update(bytes);
        }
        self.length = self.length.saturating_add(bytes.len() as u64);
    }

    /// What was seen.
    pub fn finish(self) -> Seen {
        let claims = self.claims.map(|check| Claims { head: check.head().cloned(), verdict: check.finish() });
        Seen { length: self.length, sha256: self.hasher.finish(), claims }
    }
}

/// All that was seen of a whole content.
pub struct Seen {
    length: u64,
    sha256: Sha256,
    claims: Option<Claims>,
}

/// What the claims check saw: its head, as far as it was readable, and its verdict.
struct Claims {
    head: Option<Head>,
    verdict: Result<Summary, claims::Fault>,
}

/// Content that is the declared one, and acceptable. Only [`Seen::judge`] makes it.
pub struct Checked {
    facts: Option<ClaimsFacts>,
}

impl Checked {
    /// What the receipt says of a claims file.
    pub fn into_facts(self) -> Option<ClaimsFacts> {
        self.facts
    }
}

/// Why content is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not the content the manifest declares; another try may bring the right one.
    OtherContent,
    /// The declared content, and no for good; with the stable word of the claims check.
    Refused(Problem, Option<&'static str>),
}

impl Seen {
    /// Holds what was seen against the manifest. The digest comes first: of other content nothing else is said.
    pub fn judge(self, manifest: &Manifest, completeness: Completeness) -> Result<Checked, Verdict> {
        if self.length != manifest.length || self.sha256 != manifest.sha256 {
            return Err(Verdict::OtherContent);
        }
        let Some(Claims { head, verdict }) = self.claims else { return Ok(Checked { facts: None }) };
        let fault = match verdict {
            Ok(summary) => {
                judge_head(&summary.head, manifest)?;
                let facts = summary.facts(manifest.kind).map_err(other_kind)?;
                return Ok(Checked { facts: Some(facts) });
            }
            Err(fault) => fault,
        };
        // What is missing at the end may be borne, whose file it is never.
        match head {
            Some(head) if completeness == Completeness::Warn => {
                judge_head(&head, manifest)?;
                head.matches_kind(manifest.kind).map_err(other_kind)?;
                Ok(Checked { facts: None })
            }
            _ => Err(Verdict::Refused(Problem::ClaimsIncomplete, Some(fault.code()))),
        }
    }
}

/// The codes in the file must be those of the parties: the institution that sends, the review agency that receives.
fn judge_head(head: &Head, manifest: &Manifest) -> Result<(), Verdict> {
    let refused = |problem| Err(Verdict::Refused(problem, None));
    if head.institution() != manifest.sender.code() {
        return refused(Problem::ClaimsCodeMismatch);
    }
    if head.review_agency_code() != manifest.receiver.code() {
        return refused(Problem::ClaimsPayerMismatch);
    }
    if Some(head.claim_month()) != manifest.claim_month {
        return refused(Problem::ClaimsMonthMismatch);
    }
    Ok(())
}

fn other_kind(mismatch: Mismatch) -> Verdict {
    Verdict::Refused(Problem::ClaimsKindMismatch, Some(mismatch.code()))
}

#[cfg(test)]
#[path = "content_tests.rs"]
pub mod tests;

//! Why a revocation list is not used.

use protocol::moment::Moment;

use super::CrlNumber;

/// Why a list is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlFault {
    /// Not a version 2 list in DER, or an entry in it that cannot be read.
    #[error("it cannot be read; next: fetch it again from its authority")]
    Malformed,
    /// A critical extension that is not understood, in the list or in an entry.
    #[error("it holds a critical extension that is not understood")]
    CriticalExtension,
    /// A delta list (section 5.2.4).
    #[error("it is a delta list; next: fetch the complete list")]
    Delta,
    /// An indirect list, or entries of other issuers (section 5.2.5).
    #[error("it is an indirect list; next: fetch the issuer's own list")]
    Indirect,
    /// An issuing distribution point (section 5.2.5) that says only in part what the list covers: some reasons only, no
    /// address, or contradictions.
    #[error("it does not say plainly which certificates it covers; next: fetch the complete list")]
    ScopeUnclear,
    /// No number (section 5.2.3): whether it is older than another cannot be told.
    #[error("it has no number of 1 to 20 octets")]
    NoNumber,
    /// No nextUpdate (section 5.1.2.5): it would never grow old.
    #[error("it does not say when the next one comes")]
    NoNextUpdate,
    /// nextUpdate is not after thisUpdate.
    #[error("it ends before it begins")]
    Backwards,
    /// thisUpdate lies ahead of our clock.
    #[error("it is dated {this_update}, {ahead_s} s ahead of this machine's clock; next: set the clock")]
    FromTheFuture {
        /// Its date.
        this_update: Moment,
        /// Seconds from our clock to that date.
        ahead_s: i64,
    },
    /// No configured authority has this name.
    #[error("its issuer is not configured; next: name the file of the issuer's certificate")]
    UnknownIssuer,
    /// The name is a configured authority's, the signature is not.
    #[error("it is not signed by its issuer's key; next: fetch it again, and find out who made this one")]
    BadSignature,
    /// Signed with SHA-1 or another algorithm that is not accepted.
    #[error("it is signed with an algorithm that is not accepted")]
    WeakSignature,
    /// The issuer's key usage lacks cRLSign (section 4.2.1.3).
    #[error("its issuer's certificate does not allow it to sign revocation lists")]
    IssuerMayNotSign,
    /// Two different lists of one issuer with the same number.
    #[error("two different lists bear the number {number}; next: ask the authority which one counts")]
    SameNumber {
        /// The number.
        number: CrlNumber,
    },
    /// An older list than the one in force.
    #[error("its number is {offered}, older than {held} which is in force; next: fetch the newest list")]
    Rollback {
        /// In force.
        held: CrlNumber,
        /// Offered in its place.
        offered: CrlNumber,
    },
    /// It was fetched, and has ended already: it would keep everybody out in place of one that may still count.
    #[error("it ended {next_update}; next: find out why its authority publishes no newer one")]
    Ended {
        /// When.
        next_update: Moment,
    },
    /// It was fetched, and no configured authority signed it. Of such a list nothing else is read.
    #[error(
        "no configured authority signed it; next: check the address, and that the file of its issuer's certificate is named"
    )]
    SignedByNobody,
    /// The issuer's list is in force but no longer among the files.
    #[error(
        "it is in force but no longer among the configured files; next: put the newest list of the same scope back"
    )]
    Lost,
}

/// Which list is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the revocation list of {issuer} is not used")]
pub struct CrlRefused {
    /// The issuer's distinguished name, for people.
    pub issuer: String,
    /// Why.
    #[source]
    pub fault: CrlFault,
}

impl CrlRefused {
    /// The stable code of a roll-back, the one refusal of a list that metrics count apart; `crl_invalid` for the rest.
    pub fn code(&self) -> &'static str {
        match self.fault {
            CrlFault::Rollback { .. } | CrlFault::SameNumber { .. } => "crl_rollback",
            _ => "crl_invalid",
        }
    }
}

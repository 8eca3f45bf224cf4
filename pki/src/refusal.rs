//! Why a chain does not count, with what is known of the place: for whoever asks, not for the peer.

use protocol::{identity_rule::IdentityFault, moment::Moment};
use webpki::Error as PathError;
use x509_parser::certificate::X509Certificate;

use crate::{
    crl::{Crl, CrlNumber},
    crl_index::Status,
    fault::PeerFault,
    peer::Description,
};

/// A refused chain.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) fault: PeerFault,
    pub(crate) cause: Box<Cause>,
}

/// What was wrong with what.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The fault says it all.
    Plain,
    /// The path building library gave up.
    Path(PathError),
    /// A check of ours failed on this certificate.
    Certificate(Description),
    /// An anchor is outside its dates.
    Anchor { name: String, not_before: Moment, not_after: Moment },
    /// Revocation lists speak against this certificate, or do not speak for it.
    Revocation { certificate: Description, status: Status, list: Option<ListFacts> },
    /// This certificate names nobody.
    Identity { certificate: Description, source: IdentityFault },
}

/// A list that was consulted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFacts {
    /// Its issuer's distinguished name.
    pub issuer: String,
    /// Its number.
    pub number: CrlNumber,
    /// When it was made.
    pub this_update: Moment,
    /// When it ends.
    pub next_update: Moment,
}

impl ListFacts {
    pub(crate) fn of(list: &Crl) -> Self {
        ListFacts {
            issuer: list.issuer().to_owned(),
            number: list.number().clone(),
            this_update: list.this_update(),
            next_update: list.next_update(),
        }
    }
}

impl Refusal {
    pub(crate) fn new(fault: PeerFault, cause: Cause) -> Self {
        Refusal { fault, cause: Box::new(cause) }
    }

    pub(crate) fn of(fault: PeerFault, certificate: &X509Certificate<'_>) -> Self {
        Refusal::new(fault, Cause::Certificate(Description::of(certificate)))
    }

    pub(crate) fn of_path(error: PathError) -> Self {
        Refusal::new(PeerFault::of_path(&error), Cause::Path(error))
    }
}

impl From<PeerFault> for Refusal {
    fn from(fault: PeerFault) -> Self {
        Refusal::new(fault, Cause::Plain)
    }
}

impl From<Refusal> for PeerFault {
    fn from(refusal: Refusal) -> Self {
        refusal.fault
    }
}

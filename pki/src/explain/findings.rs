//! What is wrong with which certificate of a chain, where the path building library only says that something is.
//!
//! Nothing here decides: each certificate is looked at by itself, and what fits the verdict is told.

use protocol::moment::Moment;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;

use super::called;
use crate::{
    clock::moment_of_asn1,
    fault::PeerFault,
    inspect::{key_text, purposes},
    leaf::{self, Purpose},
    names::distinguished_name,
    peer::Description,
    signatures::SignatureFault,
    trust::Trust,
};

/// Everything found in this chain that is a cause of this fault.
pub(super) fn of(
    trust: &Trust,
    chain: &[CertificateDer<'_>],
    purpose: Purpose,
    now: Moment,
    fault: PeerFault,
) -> Vec<String> {
    let mut found = Vec::new();
    if fault == PeerFault::ChainTooLong {
        let bytes: usize = chain.iter().map(|der| der.len()).sum();
        found.push(format!(
            "the chain has {} certificates and {bytes} bytes: {}",
            chain.len(),
            fault.in_words()
        ));
    }
    let read: Vec<Option<X509Certificate<'_>>> = chain.iter().map(|der| leaf::parse(der).ok()).collect();
    for (at, certificate) in read.iter().enumerate() {
        let Some(certificate) = certificate else {
            if fault == PeerFault::Malformed {
                found.push(format!("certificate {} of the chain cannot be read", at + 1));
            }
            continue;
        };
        let looked = Looked { trust, certificate, shown: &read, is_leaf: at == 0, purpose, now };
        if let Some((_, words)) = looked.at(fault).filter(|(kind, _)| *kind == fault) {
            found.push(format!("{}: {words}", called(&Description::of(certificate))));
        }
    }
    found
}

/// One certificate of the chain, among the others.
struct Looked<'a> {
    trust: &'a Trust,
    certificate: &'a X509Certificate<'a>,
    shown: &'a [Option<X509Certificate<'a>>],
    is_leaf: bool,
    purpose: Purpose,
    now: Moment,
}

type Found = (PeerFault, String);

impl Looked<'_> {
    /// Looks at what could have this fault, and at nothing else: signatures cost something.
    fn at(&self, fault: PeerFault) -> Option<Found> {
        match fault {
            PeerFault::Expired | PeerFault::NotYetValid => self.dates(),
            PeerFault::WeakKey => self.key(),
            PeerFault::WrongEku => self.purposes(),
            PeerFault::WrongBasicConstraints => self.constraints(),
            PeerFault::UnknownCa | PeerFault::WeakSignature | PeerFault::BadSignature => self.issuer(),
            _ => None,
        }
    }

    fn dates(&self) -> Option<Found> {
        let validity = self.certificate.validity();
        let (begins, ends) = (moment_of_asn1(validity.not_before), moment_of_asn1(validity.not_after));
        if self.now < begins {
            return Some((PeerFault::NotYetValid, format!("it is not valid before {begins}")));
        }
        (self.now > ends).then(|| (PeerFault::Expired, format!("it ended at {ends}")))
    }

    fn key(&self) -> Option<Found> {
        let key = self.certificate.public_key();
        let accepted = self.trust.policy().signatures.accept_key(key);
        (!accepted)
            .then(|| (PeerFault::WeakKey, format!("its key is {}, which is not accepted", key_text(key))))
    }

    fn purposes(&self) -> Option<Found> {
        let usage = self.certificate.extended_key_usage().ok().flatten();
        let named = usage.is_some_and(|usage| match self.purpose {
            Purpose::TlsClient => usage.value.client_auth,
            Purpose::TlsServer => usage.value.server_auth,
            Purpose::Evidence => usage.value.other.iter().any(|oid| oid.as_bytes() == self.purpose.oid()),
        });
        let has_none = self.certificate.extended_key_usage().is_ok_and(|usage| usage.is_none());
        if named || (has_none && !self.is_leaf) {
            return None;
        }
        let there = purposes(self.certificate);
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let wanted = match self.purpose {
            Purpose::TlsClient => "clientAuth",
            Purpose::TlsServer => "serverAuth",
            Purpose::Evidence => "sekishoEvidence",
        };
        Some((PeerFault::WrongEku, format!("its extended key usages are {there}; wanted is {wanted}")))
    }

    fn constraints(&self) -> Option<Found> {
        let words = match (self.is_leaf, self.certificate.is_ca()) {
            (true, true) => "it is an authority's and not a peer's",
            (false, false) => "it stands in an authority's place and is none's",
            _ => return None,
        };
        Some((PeerFault::WrongBasicConstraints, words.to_owned()))
    }

    /// Who signed it, among the certificates shown and the anchors.
    fn issuer(&self) -> Option<Found> {
        let name = distinguished_name(self.certificate.issuer());
        let shown = self.shown.iter().skip(1).flatten();
        let shown = shown
            .filter(|other| distinguished_name(other.subject()) == name)
            .map(|other| other.public_key().raw);
        let anchors = self.trust.anchors().iter().map(|anchor| anchor.issuer());
        let anchors = anchors.filter(|anchor| anchor.text() == name).map(|anchor| anchor.public_key_info());
        let signatures = self.trust.policy().signatures;
        let verdicts: Vec<_> =
            anchors.chain(shown).map(|key| signatures.verify(self.certificate.as_raw(), key)).collect();
        if verdicts.iter().any(Result::is_ok) {
            return None;
        }
        Some(match verdicts.last() {
            None => {
                let words = "is neither a configured anchor nor among the certificates shown";
                (PeerFault::UnknownCa, format!("its issuer {name} {words}"))
            }
            Some(Err(SignatureFault::NotAccepted)) => {
                let algorithm = self.certificate.signature_algorithm.algorithm.to_id_string();
                (PeerFault::WeakSignature, format!("it is signed with {algorithm}, which is not accepted"))
            }
            Some(_) => {
                (PeerFault::BadSignature, format!("it is not signed by the key of {name} that is known here"))
            }
        })
    }
}

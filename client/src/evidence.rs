//! Does a receipt or refusal count? Signed by the manifest's receiver, and about this manifest and nothing else.

use protocol::{
    digest::Sha256,
    jws::{JwsFault, Signed, Unverified, Verifier},
    moment::Moment,
    statement::{Manifest, Receipt, Refusal, Statement},
};

use crate::times::{self, TimeFault};

/// A manifest with the exact text that was signed.
#[derive(Clone, Copy)]
pub struct Offered<'a> {
    /// The compact JWS.
    pub text: &'a str,
    /// What it says.
    pub manifest: &'a Manifest,
}

/// Why a statement does not count.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceFault {
    /// Not signed by anybody who counts, or not of the right form.
    #[error("the {statement} does not verify")]
    Jws {
        /// Receipt or refusal.
        statement: &'static str,
        /// What is wrong with it.
        #[source]
        source: JwsFault,
    },
    /// Signed by somebody else.
    #[error("the {statement} is signed by {signer}, who is not the receiver")]
    Signer {
        /// Receipt or refusal.
        statement: &'static str,
        /// Who signed.
        signer: String,
    },
    /// It is about something else.
    #[error("the {statement} does not fit the manifest: {field} differs")]
    Differs {
        /// Receipt or refusal.
        statement: &'static str,
        /// The first part that differs.
        field: &'static str,
    },
    /// Its times do not make sense.
    #[error("the times of the {statement} do not count")]
    Times {
        /// Receipt or refusal.
        statement: &'static str,
        /// What is wrong with them.
        #[source]
        source: TimeFault,
    },
}

impl EvidenceFault {
    /// The stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            EvidenceFault::Jws { .. } => "signature",
            EvidenceFault::Signer { .. } => "signer",
            EvidenceFault::Differs { .. } => "contradiction",
            EvidenceFault::Times { .. } => "times",
        }
    }
}

const RECEIPT: &str = "receipt";

/// Checks a receipt at the time `now`. Its signer is judged at the time it says the last byte came in.
pub fn verify_receipt(
    text: &str,
    offered: Offered<'_>,
    verifier: &dyn Verifier,
    now: Moment,
) -> Result<Signed<Receipt>, EvidenceFault> {
    let receipt = signed_receipt(text, verifier)?;
    check_receipt(&receipt, offered, now)?;
    Ok(receipt)
}

/// Checks the signature under a receipt alone: who signed, and what about, is still to be looked at.
pub fn signed_receipt(text: &str, verifier: &dyn Verifier) -> Result<Signed<Receipt>, EvidenceFault> {
    let receipt = parse::<Receipt>(text, RECEIPT)?;
    let at = receipt.claimed().received_at;
    verify(receipt, RECEIPT, at, verifier)
}

/// Checks that a signed receipt is the receiver's, about this manifest, and of good times.
pub fn check_receipt(
    receipt: &Signed<Receipt>,
    offered: Offered<'_>,
    now: Moment,
) -> Result<(), EvidenceFault> {
    let (said, manifest) = (receipt.statement(), offered.manifest);
    by_receiver(receipt, RECEIPT, manifest)?;
    refuse_difference(
        RECEIPT,
        &[
            ("transfer_id", said.transfer_id == manifest.transfer_id),
            ("environment", said.environment == manifest.environment),
            ("manifest_sha256", said.manifest_sha256 == Sha256::of(offered.text.as_bytes())),
            ("length", said.length == manifest.length),
            ("sha256", said.sha256 == manifest.sha256),
            ("sender", said.sender == manifest.sender),
            ("receiver", said.receiver == manifest.receiver),
            // The receiver may raise the class, never lower it.
            ("class", said.class >= manifest.class),
        ],
    )?;
    times::check_receipt(said, manifest, now)
        .map_err(|source| EvidenceFault::Times { statement: RECEIPT, source })
}

/// Checks a refusal at the time `now`. Its signer is judged at the time it says it was made.
pub fn verify_refusal(
    text: &str,
    offered: Offered<'_>,
    verifier: &dyn Verifier,
    now: Moment,
) -> Result<Signed<Refusal>, EvidenceFault> {
    const REFUSAL: &str = "refusal";
    let refusal = parse::<Refusal>(text, REFUSAL)?;
    let at = refusal.claimed().refused_at;
    let refusal = verify(refusal, REFUSAL, at, verifier)?;
    by_receiver(&refusal, REFUSAL, offered.manifest)?;
    let (said, manifest) = (refusal.statement(), offered.manifest);
    refuse_difference(
        REFUSAL,
        &[
            ("transfer_id", said.transfer_id == manifest.transfer_id),
            ("environment", said.environment == manifest.environment),
            ("manifest_sha256", said.manifest_sha256 == Sha256::of(offered.text.as_bytes())),
            ("sender", said.sender == manifest.sender),
            ("receiver", said.receiver == manifest.receiver),
        ],
    )?;
    times::check_refusal(said, manifest, now)
        .map_err(|source| EvidenceFault::Times { statement: REFUSAL, source })?;
    Ok(refusal)
}

fn parse<'a, T: Statement>(
    text: &'a str,
    statement: &'static str,
) -> Result<Unverified<'a, T>, EvidenceFault> {
    Unverified::parse(text).map_err(|source| EvidenceFault::Jws { statement, source })
}

fn verify<T: Statement>(
    unverified: Unverified<'_, T>,
    statement: &'static str,
    at: Moment,
    verifier: &dyn Verifier,
) -> Result<Signed<T>, EvidenceFault> {
    unverified.verify(verifier, at).map_err(|source| EvidenceFault::Jws { statement, source })
}

fn by_receiver<T: Statement>(
    signed: &Signed<T>,
    statement: &'static str,
    manifest: &Manifest,
) -> Result<(), EvidenceFault> {
    let signer = signed.signer();
    if signer.environment() == manifest.environment && signer.acts_for(&manifest.receiver) {
        Ok(())
    } else {
        Err(EvidenceFault::Signer { statement, signer: signer.to_string() })
    }
}

fn refuse_difference(statement: &'static str, fits: &[(&'static str, bool)]) -> Result<(), EvidenceFault> {
    match fits.iter().find(|(_, fits)| !fits) {
        None => Ok(()),
        Some((field, _)) => Err(EvidenceFault::Differs { statement, field }),
    }
}

#[cfg(test)]
mod tests {
    use protocol::{jws, party::Environment};

    use super::*;
    use crate::testing::{
        BelievesChains, EvidenceKey, RECEIVER_IDENTITY, SENDER_IDENTITY, manifest, receipt_for, refusal_for,
    };

    fn now() -> Moment {
        "2026-11-10T00:00:00.000Z".parse().unwrap()
    }

    fn judged(
        receipt: &Receipt,
        signer: &str,
        offered: Offered<'_>,
    ) -> Result<Signed<Receipt>, EvidenceFault> {
        let receipt = jws::sign(receipt, &EvidenceKey::of(signer)).unwrap();
        verify_receipt(&receipt, offered, &BelievesChains, now())
    }

    #[test]
    fn a_receipt_of_another_signer_does_not_count() {
        let (text, manifest) = manifest(b"content");
        let receipt = receipt_for(&text, &manifest);
        let offered = Offered { text: &text, manifest: &manifest };
        judged(&receipt, RECEIVER_IDENTITY, offered).unwrap();
        for other in [
            SENDER_IDENTITY,
            "urn:sekisho:test:review-agency:213",
            "urn:sekisho:production:review-agency:113",
            "urn:sekisho:test:insurer:01130012",
        ] {
            let fault = judged(&receipt, other, offered).unwrap_err();
            assert!(matches!(fault, EvidenceFault::Signer { .. }), "{other}: {fault}");
        }
    }

    #[test]
    fn a_receipt_that_differs_in_any_part_does_not_count() {
        let (text, manifest) = manifest(b"content");
        let good = receipt_for(&text, &manifest);
        let offered = Offered { text: &text, manifest: &manifest };
        let other = protocol::digest::Sha256::of(b"other");
        let id = protocol::transfer_id::TransferId::new(good.received_at, [1; 10]);
        let party = "institution:1310000026".parse().unwrap();
        let agency = "review-agency:213".parse().unwrap();
        for (field, receipt) in [
            ("transfer_id", Receipt { transfer_id: id, ..good.clone() }),
            ("environment", Receipt { environment: Environment::Production, ..good.clone() }),
            ("manifest_sha256", Receipt { manifest_sha256: other, ..good.clone() }),
            ("length", Receipt { length: good.length - 1, ..good.clone() }),
            ("sha256", Receipt { sha256: other, ..good.clone() }),
            ("sender", Receipt { sender: party, ..good.clone() }),
            ("receiver", Receipt { receiver: agency, ..good.clone() }),
            ("class", Receipt { class: protocol::kind::Class::Public, ..good.clone() }),
        ] {
            let fault = judged(&receipt, RECEIVER_IDENTITY, offered).unwrap_err();
            assert!(
                matches!(fault, EvidenceFault::Differs { field: named, .. } if named == field),
                "{field}: {fault}"
            );
        }
    }

    #[test]
    fn a_receipt_whose_times_make_no_sense_does_not_count() {
        let (text, manifest) = manifest(b"content");
        let offered = Offered { text: &text, manifest: &manifest };
        let receipt = receipt_for(&text, &manifest);
        let stored_at = Moment::from_unix_ms(receipt.received_at.unix_ms() - 1);
        let fault = judged(&Receipt { stored_at, ..receipt }, RECEIVER_IDENTITY, offered).unwrap_err();
        assert_eq!(fault.code(), "times", "{fault}");
    }

    #[test]
    fn a_refusal_of_another_manifest_does_not_count() {
        let (text, manifest) = manifest(b"content");
        let refusal = refusal_for(&text, &manifest, protocol::problem::Problem::TooLarge);
        let key = EvidenceKey::of(RECEIVER_IDENTITY);
        let offered = Offered { text: &text, manifest: &manifest };
        verify_refusal(&jws::sign(&refusal, &key).unwrap(), offered, &BelievesChains, now()).unwrap();
        let other = Refusal { manifest_sha256: protocol::digest::Sha256::of(b"other"), ..refusal };
        let fault =
            verify_refusal(&jws::sign(&other, &key).unwrap(), offered, &BelievesChains, now()).unwrap_err();
        assert!(matches!(fault, EvidenceFault::Differs { field: "manifest_sha256", .. }), "{fault}");
    }
}

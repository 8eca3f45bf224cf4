//! Judging a bundle offline: every signature, every digest, every proof, and the file if it is there.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pki::{
    clock,
    evidence::{EvidenceVerifier, Freshness},
    policy::Policy,
    signatures::Signatures,
};
use protocol::{
    checkpoint::Checkpoint,
    digest::{Hasher, Sha256},
    entry::{Entry, Event},
    identity_rule::IdentityRules,
    jws::{Signed, Unverified, Verifier},
    merkle::{check_inclusion, leaf_hash},
    moment::Moment,
    one_line::in_one_line,
    statement::{Acknowledgement, Manifest, Receipt},
    wire::Inclusion,
};

use super::{
    Bundle, VERSION,
    verdict::{Place, Verified, VerifyFault, fault, statement_fault},
};
use crate::{
    centre_log::{CentreLogFault, Proof, SeenLog, check_continues, check_entry},
    evidence::{EvidenceFault, Offered, check_receipt, signed_receipt},
    limits::{BLOCK_BYTES, BUNDLE_BYTES_MAX},
    times::{check_acknowledgement, clock_off},
};

/// What an auditor believes before it reads a bundle.
#[derive(Clone, Debug)]
pub struct Believed<'a> {
    /// The root certificates of evidence; PEM.
    pub anchors: &'a [u8],
    /// Who is who by the certificates below them. The default is the rule of the lab.
    pub identities: IdentityRules,
}

impl<'a> Believed<'a> {
    /// These roots, whose certificates name their holders as those of the lab do.
    pub fn of_lab(anchors: &'a [u8]) -> Self {
        Believed { anchors, identities: IdentityRules::default() }
    }
}

/// Judges a bundle by what its reader believes, and holds the file against it if one is given.
///
/// Each signer is judged at the time that its counterpart judged it: the manifest's when the receiver says it was offered,
/// the receipt's when it says the last byte came in, and an acknowledgement's when it says it was made, if that is later
/// than the receipt. The clock is read only to refuse what is dated in the future.
///
/// # Errors
/// With the first bad place.
pub fn verify_bundle(
    bytes: &[u8],
    file: Option<&Path>,
    believed: Believed<'_>,
) -> Result<Verified, VerifyFault> {
    let bundle = read(bytes)?;
    let lists = bundle.crls.iter().map(|list| STANDARD.decode(list)).collect::<Result<Vec<_>, _>>();
    let lists = lists.map_err(|_| fault(Place::Bundle, "a revocation list is not base64"))?;
    // An auditor reads whatever algorithms the parties of the time took.
    let Believed { anchors, identities } = believed;
    let policy = Policy { identities, signatures: Signatures::WithMlDsa, ..Policy::default() };
    let verifier = EvidenceVerifier::from_pem(anchors, &lists, Freshness::AtTime, policy)
        .map_err(|error| fault(Place::Anchors, in_one_line(&error)))?;
    judge(&bundle, file, &verifier, clock::now())
}

/// Reads a bundle, strictly.
pub(crate) fn read(bytes: &[u8]) -> Result<Bundle, VerifyFault> {
    if bytes.len() as u64 > BUNDLE_BYTES_MAX {
        return Err(fault(Place::Bundle, format!("larger than {BUNDLE_BYTES_MAX} bytes")));
    }
    let bundle: Bundle = serde_json::from_slice(bytes)
        .map_err(|error| fault(Place::Bundle, format!("not the documented JSON: {error}")))?;
    if bundle.version != VERSION {
        return Err(fault(Place::Bundle, format!("version {} is not known here", bundle.version)));
    }
    Ok(bundle)
}

/// The judgement itself, whoever judges the signers.
pub(crate) fn judge(
    bundle: &Bundle,
    file: Option<&Path>,
    verifier: &dyn Verifier,
    now: Moment,
) -> Result<Verified, VerifyFault> {
    // Only what is signed says when the receiver judged the manifest's signer: when it was offered.
    let receipt = signed_receipt(&bundle.receipt, verifier).map_err(|error| receipt_fault(&error))?;
    let manifest = judge_manifest(&bundle.manifest, receipt.statement().offered_at, verifier)?;
    let offered = Offered { text: manifest.text(), manifest: manifest.statement() };
    check_receipt(&receipt, offered, now).map_err(|error| receipt_fault(&error))?;
    judge_centre_log(bundle, &receipt)?;
    judge_sender_log(bundle, &manifest, &receipt)?;
    let acknowledged_at = match &bundle.acknowledgement {
        None => None,
        Some(text) => Some(judge_acknowledgement(text, &manifest, &receipt, verifier, now)?),
    };
    if let Some(file) = file {
        judge_file(file, manifest.statement())?;
    }
    let (said, held) = (manifest.statement(), receipt.statement());
    Ok(Verified {
        transfer_id: said.transfer_id,
        environment: said.environment,
        sender: said.sender.clone(),
        receiver: said.receiver.clone(),
        kind: said.kind,
        claim_month: said.claim_month,
        file_name: said.file_name.clone(),
        length: held.length,
        sha256: held.sha256,
        received_at: held.received_at,
        stored_at: held.stored_at,
        clock: held.clock,
        clock_off_ms: clock_off(
            said.created_at,
            held.offered_at,
            held.stored_at,
            acknowledged_at.unwrap_or(held.stored_at),
        ),
        centre_log: held.log.origin.clone(),
        sender_log: said.log.origin.clone(),
        acknowledged: bundle.acknowledgement.is_some(),
        file_checked: file.is_some(),
    })
}

fn receipt_fault(error: &EvidenceFault) -> VerifyFault {
    let place = match error {
        EvidenceFault::Differs { .. } => Place::ReceiptContent,
        EvidenceFault::Times { .. } => Place::ReceiptTimes,
        EvidenceFault::Jws { .. } | EvidenceFault::Signer { .. } => Place::Receipt,
    };
    statement_fault(place, error)
}

fn judge_manifest(text: &str, at: Moment, verifier: &dyn Verifier) -> Result<Signed<Manifest>, VerifyFault> {
    let manifest = Unverified::<Manifest>::parse(text)
        .and_then(|manifest| manifest.verify(verifier, at))
        .map_err(|error| statement_fault(Place::Manifest, &error))?;
    let said = manifest.statement();
    if *manifest.signer() != said.acting {
        return Err(fault(
            Place::Manifest,
            format!("signed by {}, who is not the sender", manifest.signer()),
        ));
    }
    if !said.acting.acts_for(&said.sender) {
        return Err(fault(Place::Manifest, format!("{} may not send for {}", said.acting, said.sender)));
    }
    Ok(manifest)
}

fn judge_centre_log(bundle: &Bundle, receipt: &Signed<Receipt>) -> Result<(), VerifyFault> {
    let proof = &bundle.centre_log;
    let place = |error: &CentreLogFault| match error {
        CentreLogFault::Checkpoint(_) => Place::CentreLogCheckpoint,
        CentreLogFault::Entry(_) | CentreLogFault::Inclusion(_) => Place::CentreLogEntry,
        CentreLogFault::NoConsistency { .. } | CentreLogFault::Forked(_) => Place::CentreLogConsistency,
    };
    let bad = |error: CentreLogFault| fault(place(&error), in_one_line(&error));
    let log = &receipt.statement().log;
    if proof.log != *log {
        return Err(fault(Place::CentreLogCheckpoint, "another log than the one the receipt names"));
    }
    let checkpoint = check_entry(&proof.checkpoint, &proof.inclusion, receipt).map_err(bad)?;
    if let Some(continues) = &proof.continues {
        let at = receipt.statement().received_at;
        let seen = SeenLog { log: log.clone(), checkpoint: continues.earlier.clone(), at };
        let proofs: Vec<_> =
            continues.consistency.iter().map(|proof| Proof::beside(proof, checkpoint.size)).collect();
        check_continues(&seen, log, &checkpoint, &proofs).map_err(bad)?;
    }
    Ok(())
}

fn judge_sender_log(
    bundle: &Bundle,
    manifest: &Signed<Manifest>,
    receipt: &Signed<Receipt>,
) -> Result<(), VerifyFault> {
    let proof = &bundle.sender_log;
    if proof.log != manifest.statement().log {
        return Err(fault(Place::SenderLogCheckpoint, "another log than the one the manifest names"));
    }
    let checkpoint = Checkpoint::verify(&proof.checkpoint, &proof.log)
        .map_err(|error| fault(Place::SenderLogCheckpoint, error.to_string()))?;
    let manifest_sha256 = Some(Sha256::of(manifest.text().as_bytes()));
    let receipt_sha256 = Some(Sha256::of(receipt.text().as_bytes()));
    for (inclusion, event, statement_sha256) in
        [(&proof.offered, Event::Offered, None), (&proof.received, Event::Received, receipt_sha256)]
    {
        let entry = entry_under(inclusion, &checkpoint)?;
        let fits = entry.event == event
            && entry.transfer_id == Some(manifest.statement().transfer_id)
            && entry.manifest_sha256 == manifest_sha256
            && entry.statement_sha256 == statement_sha256;
        if !fits {
            let reason = format!("entry {} is not about this transfer", inclusion.index);
            return Err(fault(Place::SenderLogEntry, reason));
        }
    }
    Ok(())
}

fn entry_under(inclusion: &Inclusion, checkpoint: &Checkpoint) -> Result<Entry, VerifyFault> {
    let bad = |reason: String| fault(Place::SenderLogEntry, reason);
    let entry: Entry =
        serde_json::from_str(&inclusion.entry).map_err(|_| bad("not an entry of a log".to_owned()))?;
    if entry.seq != inclusion.index {
        return Err(bad(format!("entry {} stands at {}", entry.seq, inclusion.index)));
    }
    let leaf = leaf_hash(inclusion.entry.as_bytes());
    check_inclusion(leaf, inclusion.index, checkpoint.size, &inclusion.proof, &checkpoint.root)
        .map_err(|error| bad(error.to_string()))?;
    Ok(entry)
}

/// Judges the acknowledgement: when its sender says it was made.
fn judge_acknowledgement(
    text: &str,
    manifest: &Signed<Manifest>,
    receipt: &Signed<Receipt>,
    verifier: &dyn Verifier,
    now: Moment,
) -> Result<Moment, VerifyFault> {
    let bad = |reason: String| fault(Place::Acknowledgement, reason);
    let unverified = Unverified::<Acknowledgement>::parse(text).map_err(|error| bad(in_one_line(&error)))?;
    // It was made after the receipt, perhaps weeks later; by a clock that may be behind the receiver's.
    let at = unverified.claimed().acknowledged_at.max(receipt.statement().received_at);
    let signed =
        unverified.verify(verifier, at).map_err(|error| statement_fault(Place::Acknowledgement, &error))?;
    let said = signed.statement();
    check_acknowledgement(said, receipt.statement(), now).map_err(|error| bad(error.to_string()))?;
    if *signed.signer() != said.acting || said.acting != manifest.statement().acting {
        return Err(bad(format!("signed by {}, who is not the sender", signed.signer())));
    }
    let receipt_sha256 = Sha256::of(receipt.text().as_bytes());
    let names_it = said.receiver == manifest.statement().receiver
        && said
            .receipts
            .iter()
            .any(|held| held.key() == manifest.statement().key() && held.receipt_sha256 == receipt_sha256);
    if names_it { Ok(said.acknowledged_at) } else { Err(bad("it does not name this receipt".to_owned())) }
}

fn judge_file(path: &Path, manifest: &Manifest) -> Result<(), VerifyFault> {
    let (length, sha256) = digest(path)
        .map_err(|error| fault(Place::File, format!("cannot read {}: {error}", path.display())))?;
    if length != manifest.length {
        let reason = format!("the file has {length} bytes, {} were received", manifest.length);
        return Err(fault(Place::FileLength, reason));
    }
    if sha256 != manifest.sha256 {
        return Err(fault(Place::FileDigest, "the file is not the one that was received".to_owned()));
    }
    Ok(())
}

fn digest(path: &Path) -> io::Result<(u64, Sha256)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut length) = (Hasher::new(), 0);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = file.read(&mut block)?;
        let bytes = block.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok((length, hasher.finish()));
        }
        hasher.update(bytes);
        length += bytes.len() as u64;
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;

//! Judging a bundle offline: every signature, every digest, every proof, and the file if it is there.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pki::evidence::{EvidenceVerifier, Freshness};
use protocol::{
    checkpoint::Checkpoint,
    digest::{Hasher, Sha256},
    entry::{Entry, Event},
    jws::{Signed, Unverified, Verifier},
    kind::{ClaimMonth, Kind},
    merkle::{check_inclusion, leaf_hash},
    moment::{ClockState, Moment},
    one_line::in_one_line,
    party::{Environment, Party},
    statement::{Acknowledgement, Manifest, Receipt},
    transfer_id::TransferId,
    wire::Inclusion,
};
use serde::Serialize;

use super::{Bundle, VERSION};
use crate::{
    centre_log::{CentreLogFault, Proof, SeenLog, check_continues, check_entry},
    evidence::{EvidenceFault, Offered, verify_receipt},
    limits::{BLOCK_BYTES, BUNDLE_BYTES_MAX},
};

/// The parts of a bundle, in the order they are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The bundle itself: not the documented JSON, or of an unknown version.
    Bundle,
    /// The reader's root certificates, or the bundle's revocation lists.
    Anchors,
    /// The manifest's form or signature.
    Manifest,
    /// The receipt's form or signature.
    Receipt,
    /// Manifest and receipt do not belong together.
    ReceiptContent,
    /// The receipt's entry in the receiver's log.
    CentreLogEntry,
    /// The head of the receiver's log.
    CentreLogCheckpoint,
    /// The head of the receiver's log does not continue the earlier one.
    CentreLogConsistency,
    /// The head of the sender's log.
    SenderLogCheckpoint,
    /// The entries in the sender's log.
    SenderLogEntry,
    /// The acknowledgement.
    Acknowledgement,
    /// The file cannot be read.
    File,
    /// The file's length.
    FileLength,
    /// The file's digest.
    FileDigest,
}

impl Place {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Bundle => "bundle",
            Place::Anchors => "anchors",
            Place::Manifest => "manifest",
            Place::Receipt => "receipt",
            Place::ReceiptContent => "receipt_content",
            Place::CentreLogEntry => "centre_log_entry",
            Place::CentreLogCheckpoint => "centre_log_checkpoint",
            Place::CentreLogConsistency => "centre_log_consistency",
            Place::SenderLogCheckpoint => "sender_log_checkpoint",
            Place::SenderLogEntry => "sender_log_entry",
            Place::Acknowledgement => "acknowledgement",
            Place::File => "file",
            Place::FileLength => "file_length",
            Place::FileDigest => "file_digest",
        }
    }
}

/// The first bad place of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", .place.name())]
pub struct VerifyFault {
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub reason: String,
}

fn fault(place: Place, reason: impl Into<String>) -> VerifyFault {
    VerifyFault { place, reason: reason.into() }
}

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The transfer.
    pub transfer_id: TransferId,
    /// Real claims, or a lab's.
    pub environment: Environment,
    /// Who sent.
    pub sender: Party,
    /// Who holds, or held, the file.
    pub receiver: Party,
    /// What is in it.
    pub kind: Kind,
    /// 請求年月.
    pub claim_month: Option<ClaimMonth>,
    /// Its name at the sender.
    pub file_name: String,
    /// Bytes.
    pub length: u64,
    /// SHA-256 of the content.
    pub sha256: Sha256,
    /// When the last byte had come in, by the receiver's clock.
    pub received_at: Moment,
    /// When it was durably stored, by the receiver's clock.
    pub stored_at: Moment,
    /// What that clock was worth.
    pub clock: ClockState,
    /// The receiver's log, in which the receipt stands.
    pub centre_log: String,
    /// The sender's log, in which manifest and receipt stand.
    pub sender_log: String,
    /// The bundle holds the sender's acknowledgement.
    pub acknowledged: bool,
    /// The file was there and is the one that was received.
    pub file_checked: bool,
}

/// Judges a bundle with the reader's own root certificates (PEM), and holds the file against it if one is given.
///
/// Signers are judged at the time the receiver says the last byte came in. Reads the clock for nothing.
///
/// # Errors
/// With the first bad place.
pub fn verify_bundle(bytes: &[u8], file: Option<&Path>, anchors: &[u8]) -> Result<Verified, VerifyFault> {
    let bundle = read(bytes)?;
    let lists = bundle.crls.iter().map(|list| STANDARD.decode(list)).collect::<Result<Vec<_>, _>>();
    let lists = lists.map_err(|_| fault(Place::Bundle, "a revocation list is not base64"))?;
    let verifier = EvidenceVerifier::from_pem(anchors, &lists, Freshness::AtTime)
        .map_err(|error| fault(Place::Anchors, in_one_line(&error)))?;
    judge(&bundle, file, &verifier)
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
) -> Result<Verified, VerifyFault> {
    // The receipt's time is the one at which every signer is judged. It is believed once the receipt verifies below.
    let claimed = Unverified::<Receipt>::parse(&bundle.receipt)
        .map_err(|error| fault(Place::Receipt, in_one_line(&error)))?;
    let at = claimed.claimed().received_at;
    let manifest = judge_manifest(&bundle.manifest, at, verifier)?;
    let offered = Offered { text: manifest.text(), manifest: manifest.statement() };
    let receipt = verify_receipt(&bundle.receipt, offered, verifier).map_err(|error| {
        let place = match error {
            EvidenceFault::Differs { .. } => Place::ReceiptContent,
            EvidenceFault::Jws { .. } | EvidenceFault::Signer { .. } => Place::Receipt,
        };
        fault(place, in_one_line(&error))
    })?;
    judge_centre_log(bundle, &receipt)?;
    judge_sender_log(bundle, &manifest, &receipt)?;
    if let Some(text) = &bundle.acknowledgement {
        judge_acknowledgement(text, &manifest, &receipt, verifier)?;
    }
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
        centre_log: held.log.origin.clone(),
        sender_log: said.log.origin.clone(),
        acknowledged: bundle.acknowledgement.is_some(),
        file_checked: file.is_some(),
    })
}

fn judge_manifest(text: &str, at: Moment, verifier: &dyn Verifier) -> Result<Signed<Manifest>, VerifyFault> {
    let manifest = Unverified::<Manifest>::parse(text)
        .and_then(|manifest| manifest.verify(verifier, at))
        .map_err(|error| fault(Place::Manifest, in_one_line(&error)))?;
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

fn judge_acknowledgement(
    text: &str,
    manifest: &Signed<Manifest>,
    receipt: &Signed<Receipt>,
    verifier: &dyn Verifier,
) -> Result<(), VerifyFault> {
    let bad = |reason: String| fault(Place::Acknowledgement, reason);
    let at = receipt.statement().received_at;
    let signed = Unverified::<Acknowledgement>::parse(text)
        .and_then(|statement| statement.verify(verifier, at))
        .map_err(|error| bad(in_one_line(&error)))?;
    let said = signed.statement();
    if *signed.signer() != said.acting || said.acting != manifest.statement().acting {
        return Err(bad(format!("signed by {}, who is not the sender", signed.signer())));
    }
    let receipt_sha256 = Sha256::of(receipt.text().as_bytes());
    let names_it = said.receiver == manifest.statement().receiver
        && said
            .receipts
            .iter()
            .any(|held| held.key() == manifest.statement().key() && held.receipt_sha256 == receipt_sha256);
    if names_it { Ok(()) } else { Err(bad("it does not name this receipt".to_owned())) }
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

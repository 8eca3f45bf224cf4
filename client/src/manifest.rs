//! A file's manifest: what the sender says it sends, signed before the first byte leaves.

use pki::{
    clock,
    random::{NoRandomness, random_bytes},
};
use protocol::{
    checkpoint::LogIdentity,
    kind::{Class, System},
    party::{Environment, Identity},
    statement::{Manifest, VERSION},
    transfer_id::TransferId,
};

use crate::{filing::Filed, source::Examined};

/// Who makes the manifest.
pub(crate) struct Maker<'a> {
    pub environment: Environment,
    pub acting: &'a Identity,
    pub log: &'a LogIdentity,
    pub checkpoint: &'a str,
}

/// The manifest of a file, under a new id.
pub(crate) fn of(examined: &Examined, filed: &Filed, maker: &Maker<'_>) -> Result<Manifest, NoRandomness> {
    let now = clock::now();
    let system = filed.kind.system();
    Ok(Manifest {
        version: VERSION,
        transfer_id: TransferId::new(now, random_bytes()?),
        environment: maker.environment,
        system,
        kind: filed.kind,
        acting: maker.acting.clone(),
        sender: filed.sender.clone(),
        receiver: filed.receiver.clone(),
        file_name: examined.file_name.clone(),
        length: examined.fingerprint.size,
        sha256: examined.sha256,
        // 厳秘: claims files are the guideline's own example of it.
        class: Class::StrictlyConfidential,
        claim_month: (system == System::Claims).then_some(filed.claim_month),
        replaces: filed.replaces,
        corrects: filed.corrects,
        resubmission_of: filed.resubmission_of,
        created_at: now,
        log: maker.log.clone(),
        checkpoint: maker.checkpoint.to_owned(),
    })
}

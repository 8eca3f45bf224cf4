//! Signed statements of a sender, right or wrong in any part.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use lab::site::SenderSite;
use pki::{clock, evidence::EvidenceSigner, log_key::LogKey, policy::Policy, random::random_bytes};
use protocol::{
    checkpoint::{Checkpoint, LogSigner as _},
    digest::Sha256,
    jws::{self, Signer as _},
    kind::{Class, Kind, System},
    moment::Moment,
    party::{Environment, Identity, Party},
    statement::{Acknowledgement, HeldReceipt, Manifest, Statement, VERSION},
    transfer_id::{TransferId, TransferKey},
};

use crate::{files::CLAIM_MONTH, lab::agency};

/// What a sender signs with, and the log it shows.
pub struct Papers {
    signer: EvidenceSigner,
    log: LogKey,
    /// Who it is.
    pub identity: Identity,
    /// In whose name it sends: its first code.
    pub party: Party,
}

impl Papers {
    /// Those of this sender, with a log of their own.
    pub fn of(site: &SenderSite) -> Self {
        let own = site.directory.join("evidence");
        let signer = EvidenceSigner::load(
            &own.join("certificate.pem"),
            &own.join("key.pem"),
            &Policy::default(),
            Environment::Test,
            clock::now(),
        );
        let unique = u64::from_be_bytes(random_bytes().unwrap());
        let log_key = site.directory.join(format!("papers-{unique:016x}.pem"));
        let log = LogKey::create(&log_key, &format!("sekisho/test/papers/{unique:016x}")).unwrap();
        let identity = site.identity.clone();
        let code = identity.codes().first().unwrap().clone();
        let party = Party::new(identity.role().speaks_for(), code).unwrap();
        Papers { signer: signer.unwrap(), log, identity, party }
    }

    /// A good manifest for this content, under a new id.
    pub fn manifest(&self, kind: Kind, content: &[u8]) -> Manifest {
        let root = Sha256::of(b"the only entry of this log");
        let checkpoint = Checkpoint { origin: self.log.log().origin.clone(), size: 1, root };
        Manifest {
            version: VERSION,
            transfer_id: new_id(),
            environment: Environment::Test,
            system: System::Claims,
            kind,
            acting: self.identity.clone(),
            sender: self.party.clone(),
            receiver: agency(),
            file_name: kind.usual_file_name().to_owned(),
            length: content.len() as u64,
            sha256: Sha256::of(content),
            class: Class::StrictlyConfidential,
            claim_month: Some(CLAIM_MONTH.parse().unwrap()),
            replaces: None,
            corrects: None,
            resubmission_of: None,
            created_at: clock::now(),
            log: self.log.log().clone(),
            checkpoint: checkpoint.sign(&self.log),
        }
    }

    /// The compact JWS of a statement.
    pub fn sign<T: Statement>(&self, statement: &T) -> String {
        jws::sign(statement, &self.signer).unwrap()
    }

    /// A compact JWS over any bytes, of any type.
    pub fn sign_bytes(&self, typ: &str, payload: &[u8]) -> String {
        let chain: Vec<String> = self.signer.chain().iter().map(|der| STANDARD.encode(der)).collect();
        let header = serde_json::json!({ "alg": self.signer.algorithm(), "typ": typ, "x5c": chain });
        self.sign_parts(header.to_string().as_bytes(), payload)
    }

    /// A compact JWS over any header and payload.
    pub fn sign_parts(&self, header: &[u8], payload: &[u8]) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.signer.sign(text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The acknowledgement of one receipt.
    pub fn acknowledgement(&self, key: &TransferKey, receipt: &str) -> String {
        self.sign(&Acknowledgement {
            version: VERSION,
            environment: Environment::Test,
            acting: self.identity.clone(),
            receiver: agency(),
            receipts: vec![HeldReceipt {
                sender: key.sender.clone(),
                transfer_id: key.id,
                receipt_sha256: Sha256::of(receipt.as_bytes()),
            }],
            acknowledged_at: clock::now(),
        })
    }
}

/// An id that was never used.
pub fn new_id() -> TransferId {
    TransferId::new(clock::now(), random_bytes().unwrap())
}

/// A time this many milliseconds from now.
pub fn from_now(ms: i64) -> Moment {
    Moment::from_unix_ms(clock::now().unix_ms() + ms)
}

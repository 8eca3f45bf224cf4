//! How one content stands in a segment: a head that names it and proves it, then the content, sealed where the spool seals.
//!
//! Records begin on borders of [`BLOCK`] bytes, so that whoever looks for them can step over one that is damaged. Each head
//! ends in a hash over itself and the segment's salt: what lay on the disk before, or stands in content that is not sealed,
//! is never taken for a record.

use protocol::{digest::Sha256, transfer_id::TransferKey};

use crate::spool::seal::{
    CipherFault, ContentKey, Owner, Place, SpoolKey, TAG_BYTES, Wrapped, from_hex, hex,
};

/// Bytes of every head, and what records are aligned to: what a disk writes as a whole.
pub(super) const BLOCK: usize = 512;

/// Bytes of a segment's salt.
const SALT_BYTES: usize = 16;

/// Tells the heads of one segment from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Salt([u8; SALT_BYTES]);

impl Salt {
    const FIRST_LINE: &str = "sekisho segment, format 1\n";

    pub(super) fn new() -> Result<Self, CipherFault> {
        let mut salt = [0; SALT_BYTES];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| CipherFault)?;
        Ok(Salt(salt))
    }

    /// The header of the segment.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        padded(format!("{}salt {}\n", Self::FIRST_LINE, hex(&self.0)))
    }

    /// Reads the header that the segment begins with; `None` if there is none that this program writes.
    pub(super) fn parse(segment: &[u8]) -> Option<Self> {
        let block = segment.get(..BLOCK)?;
        let text = std::str::from_utf8(block).ok()?;
        let salt = Salt(from_hex(text.strip_prefix(Self::FIRST_LINE)?.strip_prefix("salt ")?)?);
        // One spelling only, padding included.
        (salt.to_bytes() == block).then_some(salt)
    }
}

/// What proves the content of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It is sealed, by this key.
    Sealed(Wrapped, [u8; TAG_BYTES]),
    /// It lies there as it came, and this is its hash.
    Plain(Sha256),
}

/// What a head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: TransferKey,
    /// The attempt that brought it.
    pub(super) attempt: u32,
    /// Bytes of content.
    pub(super) length: u64,
    pub(super) proof: Proof,
}

impl Head {
    const FIRST_LINE: &str = "sekisho record, format 1\n";

    pub(super) fn to_bytes(&self, salt: Salt) -> Vec<u8> {
        let Head { key, attempt, length, proof } = self;
        let (name, stem) = (Self::FIRST_LINE, key.file_stem());
        let proof = match proof {
            Proof::Sealed(key, tag) => format!("key {}\ntag {}\n", hex(&key.0), hex(tag)),
            Proof::Plain(sha256) => format!("key none\nsha256 {sha256}\n"),
        };
        let text = format!("{name}transfer {stem}\nattempt {attempt:010}\nlength {length:020}\n{proof}");
        let check = Sha256::of_parts(&[&salt.0, text.as_bytes()]);
        padded(format!("{text}check {check}\n"))
    }

    /// Reads the head of the record that begins here; `None` if there is none of this segment.
    pub(super) fn parse(record: &[u8], salt: Salt) -> Option<Self> {
        let block = record.get(..BLOCK)?;
        let text = std::str::from_utf8(block).ok()?.strip_prefix(Self::FIRST_LINE)?;
        let mut lines = text.lines();
        let mut value = |name: &str| lines.next()?.strip_prefix(name);
        let key = TransferKey::from_file_stem(value("transfer ")?)?;
        let attempt = value("attempt ")?.parse().ok()?;
        let length = value("length ")?.parse().ok()?;
        let proof = match value("key ")? {
            "none" => Proof::Plain(value("sha256 ")?.parse().ok()?),
            wrapped => Proof::Sealed(Wrapped(from_hex(wrapped)?), from_hex(value("tag ")?)?),
        };
        let head = Head { key, attempt, length, proof };
        // One spelling only, and with it the check.
        (head.to_bytes(salt) == block).then_some(head)
    }

    /// Bytes from the beginning of its record to where the next one may begin.
    pub(super) fn record_bytes(&self) -> u64 {
        BLOCK as u64 + self.length.next_multiple_of(BLOCK as u64)
    }
}

/// A content as it will stand in a segment, whichever that is.
pub(super) struct Record {
    pub(super) head: Head,
    content: Vec<u8>,
}

impl Record {
    /// Seals the content, where the spool seals, by a key of its own.
    pub(super) fn new(
        key: &TransferKey,
        attempt: u32,
        content: Vec<u8>,
        spool: Option<&SpoolKey>,
    ) -> Result<Self, CipherFault> {
        let length = content.len() as u64;
        let (proof, content) = match spool {
            None => (Proof::Plain(Sha256::of(&content)), content),
            Some(spool) => {
                let (seal, wrapped) = ContentKey::new(spool, owner(key, length))?;
                let mut sealed = vec![0; content.len()];
                let tag = seal.seal(place(attempt), &content, &mut sealed)?;
                (Proof::Sealed(wrapped, tag), sealed)
            }
        };
        Ok(Record { head: Head { key: key.clone(), attempt, length, proof }, content })
    }

    /// Appends it, up to where the next one may begin.
    pub(super) fn lay_out(&self, salt: Salt, segment: &mut Vec<u8>) {
        let end = segment.len() + self.head.record_bytes() as usize;
        segment.extend_from_slice(&self.head.to_bytes(salt));
        segment.extend_from_slice(&self.content);
        segment.resize(end, 0);
    }
}

/// The content of the record that begins here; `None` if it is not all there, or not what was written.
pub(super) fn content_of(head: &Head, record: &[u8], spool: Option<&SpoolKey>) -> Option<Vec<u8>> {
    let end = BLOCK.checked_add(usize::try_from(head.length).ok()?)?;
    let stored = record.get(BLOCK..end)?;
    match (head.proof, spool) {
        (Proof::Plain(sha256), None) => (Sha256::of(stored) == sha256).then(|| stored.to_vec()),
        (Proof::Sealed(wrapped, tag), Some(spool)) => {
            let seal = ContentKey::open(spool, owner(&head.key, head.length), &wrapped).ok()?;
            let mut content = vec![0; stored.len()];
            seal.open_piece(place(head.attempt), stored, &tag, &mut content).ok()?;
            Some(content)
        }
        _ => None,
    }
}

fn owner(key: &TransferKey, length: u64) -> Owner {
    Owner { stem: key.file_stem(), length }
}

/// Small content is one piece, the first and the last.
fn place(attempt: u32) -> Place {
    Place { piece: 0, attempt, is_last: true }
}

fn padded(text: String) -> Vec<u8> {
    let mut block = text.into_bytes();
    block.resize(BLOCK, 0);
    block
}

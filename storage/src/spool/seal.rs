//! Sealing: content lies on the disk encrypted and bound to its place, so that whoever holds the disk without the key
//! reads nothing, and whoever alters, swaps or cuts something is found out.
//!
//! | what | how |
//! |---|---|
//! | cipher | AES-256-GCM, for content and for keys |
//! | the spool's key | from a file or a credential; it seals content keys and nothing else |
//! | a content's key | random, new whenever content begins anew; sealed under a random nonce, bound to the transfer and its length |
//! | a piece's nonce | number of the attempt that wrote it (32 bit), number of the piece (64 bit): an attempt writes a piece once |
//! | a piece's context | both numbers, whether it is the last one, and the transfer |

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac, rand,
};
use zeroize::Zeroizing;

use super::SpoolFault;

const KEY_BYTES: usize = 32;

/// Bytes of the tag that proves a piece.
pub(super) const TAG_BYTES: usize = 16;

/// Bytes of a content's key as it stands in the file: nonce, sealed key, tag.
pub(super) const WRAPPED_BYTES: usize = NONCE_LEN + KEY_BYTES + TAG_BYTES;

/// What the text of a spool's key begins with.
const KEY_LABEL: &str = "sekisho-spool-key-1:";

/// What a key's name is made of: it tells one key from another and nothing about either.
const NAME_OF: &[u8] = b"sekisho spool key, name";

/// What the context of a sealed content key begins with: nothing else is ever sealed by the spool's key.
const CONTENT_KEY: &[u8] = b"sekisho content key, version 1\0";

/// The key of a spool. It shows itself nowhere.
pub struct SpoolKey {
    cipher: LessSafeKey,
    name: [u8; 8],
}

/// This is no key of a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not the text of a spool's key: one line, {KEY_LABEL} and 64 hexadecimal digits")]
pub struct NotASpoolKey;

/// The cryptographic library failed its own checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library failed")]
pub struct CipherFault;

impl From<CipherFault> for SpoolFault {
    fn from(_: CipherFault) -> Self {
        SpoolFault::Cipher
    }
}

impl SpoolKey {
    /// The text of a new key, for a file that nobody else may read.
    pub fn new_text() -> Result<Zeroizing<String>, CipherFault> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(&mut *key).map_err(|_| CipherFault)?;
        // Of the right size at once: a text that grew would leave its beginnings in memory.
        let mut text = Zeroizing::new(String::with_capacity(KEY_LABEL.len() + 2 * KEY_BYTES + 1));
        text.push_str(KEY_LABEL);
        for nibble in key.iter().flat_map(|byte| [byte >> 4, byte & 0xf]) {
            text.extend(char::from_digit(u32::from(nibble), 16));
        }
        text.push('\n');
        Ok(text)
    }

    /// The key that this text holds.
    pub fn from_text(text: &[u8]) -> Result<Self, NotASpoolKey> {
        let digits = text.strip_prefix(KEY_LABEL.as_bytes()).ok_or(NotASpoolKey)?;
        let digits = digits.strip_suffix(b"\n").unwrap_or(digits);
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.len() != KEY_BYTES || !rest.is_empty() {
            return Err(NotASpoolKey);
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        for (byte, pair) in key.iter_mut().zip(pairs) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        let mut name = [0; 8];
        let proof = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*key), NAME_OF);
        for (byte, of_proof) in name.iter_mut().zip(proof.as_ref()) {
            *byte = *of_proof;
        }
        Ok(SpoolKey { cipher: cipher(&key).map_err(|_| NotASpoolKey)?, name })
    }

    /// A name that tells it from other keys, for people and for the spool's stamp.
    pub fn name(&self) -> String {
        hex(&self.name)
    }
}

fn nibble(digit: u8) -> Result<u8, NotASpoolKey> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NotASpoolKey),
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|n| char::from_digit(n.into(), 16))
        .collect()
}

/// The bytes that these digits say; what comes after them is not looked at.
pub(super) fn from_hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn cipher(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey, CipherFault> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| CipherFault)
}

/// A content's key as it stands in the content's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrapped(pub(super) [u8; WRAPPED_BYTES]);

/// Whose content it is: what every context names.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    /// The name of the transfer's file.
    pub(super) stem: String,
    /// Bytes of the whole content.
    pub(super) length: u64,
}

/// Seals and opens the pieces of one content.
pub(super) struct ContentKey {
    cipher: LessSafeKey,
    owner: Owner,
}

/// Which piece, written by which attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) piece: u64,
    pub(super) attempt: u32,
    pub(super) is_last: bool,
}

/// Not what was sealed: altered, or not of this place, content or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotGenuine;

impl ContentKey {
    /// A new key, and how it stands in the file.
    pub(super) fn new(spool: &SpoolKey, owner: Owner) -> Result<(Self, Wrapped), CipherFault> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(&mut *key).map_err(|_| CipherFault)?;
        let mut wrapped = [0; WRAPPED_BYTES];
        let (nonce, sealed) = wrapped.split_at_mut(NONCE_LEN);
        let (sealed, tag) = sealed.split_at_mut(KEY_BYTES);
        rand::fill(nonce).map_err(|_| CipherFault)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CipherFault)?;
        let context = Aad::from(owner.context());
        let done = spool.cipher.seal_out_of_place_scatter(nonce, context, &*key, sealed, &[], tag);
        done.map_err(|_| CipherFault)?;
        Ok((ContentKey { cipher: cipher(&key)?, owner }, Wrapped(wrapped)))
    }

    /// The key that stands in the file of this content.
    pub(super) fn open(spool: &SpoolKey, owner: Owner, wrapped: &Wrapped) -> Result<Self, NotGenuine> {
        let (nonce, sealed) = wrapped.0.split_at(NONCE_LEN);
        let (sealed, tag) = sealed.split_at(KEY_BYTES);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotGenuine)?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let context = Aad::from(owner.context());
        let opened = spool.cipher.open_separate_gather(nonce, context, sealed, tag, &mut *key);
        opened.map_err(|_| NotGenuine)?;
        Ok(ContentKey { cipher: cipher(&key).map_err(|_| NotGenuine)?, owner })
    }

    /// Seals a piece into a buffer of the same length. For each place once: a second time would give both away.
    pub(super) fn seal(
        &self,
        place: Place,
        piece: &[u8],
        sealed: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], CipherFault> {
        let mut tag = [0; TAG_BYTES];
        let context = Aad::from(self.context(place));
        let done = self.cipher.seal_out_of_place_scatter(nonce(place), context, piece, sealed, &[], &mut tag);
        done.map(|()| tag).map_err(|_| CipherFault)
    }

    /// Opens a piece into a buffer of the same length, whose bytes count only if this succeeds.
    pub(super) fn open_piece(
        &self,
        place: Place,
        sealed: &[u8],
        tag: &[u8; TAG_BYTES],
        piece: &mut [u8],
    ) -> Result<(), NotGenuine> {
        let context = Aad::from(self.context(place));
        let opened = self.cipher.open_separate_gather(nonce(place), context, sealed, tag, piece);
        opened.map_err(|_| NotGenuine)
    }

    fn context(&self, place: Place) -> Vec<u8> {
        let last = u8::from(place.is_last);
        [&place.piece.to_be_bytes()[..], &place.attempt.to_be_bytes(), &[last], self.owner.stem.as_bytes()]
            .concat()
    }
}

impl Owner {
    fn context(&self) -> Vec<u8> {
        [CONTENT_KEY, &self.length.to_be_bytes(), self.stem.as_bytes()].concat()
    }
}

fn nonce(place: Place) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let (attempt, piece) = bytes.split_at_mut(4);
    attempt.copy_from_slice(&place.attempt.to_be_bytes());
    piece.copy_from_slice(&place.piece.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

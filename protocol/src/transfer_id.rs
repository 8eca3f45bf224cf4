//! The name of one transfer, made and stored by its sender before the first byte leaves.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::Error as _};
use uuid::{Uuid, Variant};

use crate::{moment::Moment, party::Party};

/// A UUID of version 7 (RFC 9562 section 5.7), written in lower case with hyphens and in no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferId(Uuid);

impl TransferId {
    /// A new id from the time and ten random bytes.
    pub fn new(now: Moment, random: [u8; 10]) -> Self {
        TransferId(
            uuid::Builder::from_unix_timestamp_millis(now.unix_ms().unsigned_abs(), &random).into_uuid(),
        )
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for TransferId {
    type Err = NotATransferId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Uuid::try_parse(text).map_err(|_| NotATransferId)?;
        let ours = id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122;
        if ours && id.as_hyphenated().to_string() == text { Ok(TransferId(id)) } else { Err(NotATransferId) }
    }
}

impl Serialize for TransferId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TransferId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Not a lower-case UUID of version 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a transfer id is a UUID of version 7 in lower case")]
pub struct NotATransferId;

/// What a transfer is known by at its receiver: another party's id is neither found nor in conflict.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferKey {
    /// Who sends.
    pub sender: Party,
    /// The sender's own name for the transfer.
    pub id: TransferId,
}

impl TransferKey {
    /// The path of the transfer below the service's root: `/v1/transfers/{role}:{code}/{id}`.
    pub fn location(&self) -> String {
        format!("/v1/transfers/{}/{}", self.sender, self.id)
    }

    /// A file or directory name of its own: `{id}.{role}.{code}`, in ASCII letters, digits, `-` and `.` only.
    pub fn file_stem(&self) -> String {
        format!("{}.{}.{}", self.id, self.sender.role(), self.sender.code())
    }

    /// The inverse of [`TransferKey::file_stem`].
    pub fn from_file_stem(stem: &str) -> Option<Self> {
        let mut parts = stem.splitn(3, '.');
        let (id, role, code) = (parts.next()?, parts.next()?, parts.next()?);
        let sender = Party::new(role.parse().ok()?, code.parse().ok()?).ok()?;
        Some(TransferKey { sender, id: id.parse().ok()? })
    }
}

impl fmt::Display for TransferKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sender, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_the_order_of_time_and_reads_back_as_itself() {
        let early = TransferId::new(Moment::from_unix_ms(1_000), [255; 10]);
        let late = TransferId::new(Moment::from_unix_ms(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn other_spellings_and_versions_are_refused() {
        let id = TransferId::new(Moment::from_unix_ms(1_764_000_000_000), [7; 10]).to_string();
        let v4 = "f47ac10b-58cc-4372-a567-0e02b2c3d479";
        for bad in [id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}"), v4.to_owned(), String::new()]
        {
            assert!(bad.parse::<TransferId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_key_reads_back_from_its_file_stem() {
        let id = TransferId::new(Moment::from_unix_ms(1_764_000_000_000), [7; 10]);
        let key = TransferKey { sender: "institution:1310000018".parse().unwrap(), id };
        assert_eq!(TransferKey::from_file_stem(&key.file_stem()), Some(key));
    }
}

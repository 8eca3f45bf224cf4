//! The signed form of every statement: compact JWS (RFC 7515) with the signer's chain in `x5c`.
//!
//! The exact text is what counts: it is stored, served again and hashed, never written anew from its parts. Signing
//! and the judging of a signer stand behind two small traits, so that this crate knows neither keys nor X.509.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};

use crate::{
    limits::{JWS_BYTES_MAX, JWS_CHAIN_MAX},
    moment::Moment,
    party::Identity,
    statement::{Statement, StatementFault},
};

/// Signature algorithms (RFC 7518 section 3.1). Nothing else verifies, `none` least of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
}

/// Signs statements with one evidence key.
pub trait Signer: Send + Sync {
    /// The algorithm that fits the key.
    fn algorithm(&self) -> Algorithm;
    /// The certificate and its issuers up to, not with, the anchor; DER, leaf first.
    fn chain(&self) -> &[Vec<u8>];
    /// The signature over `message` in the fixed-length form of RFC 7518 section 3.4.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFault>;
}

/// The key refused to sign, or the library did.
#[derive(Debug, thiserror::Error)]
#[error("the evidence key could not sign")]
pub struct SignFault;

/// Judges who signed.
pub trait Verifier: Send + Sync {
    /// Checks `signature` over `message` by the first certificate of `chain`, that the chain leads to a configured
    /// anchor and was good for evidence at `at` (the receiver's time, never the sender's own), and returns the
    /// identity that the certificate names.
    fn verify(&self, signed: &SignedBytes<'_>, at: Moment) -> Result<Identity, SignerFault>;
}

/// What a [`Verifier`] looks at.
pub struct SignedBytes<'a> {
    /// From the protected header.
    pub algorithm: Algorithm,
    /// DER certificates, leaf first.
    pub chain: &'a [Vec<u8>],
    /// `BASE64URL(header) . BASE64URL(payload)`.
    pub message: &'a [u8],
    /// Fixed-length ECDSA signature.
    pub signature: &'a [u8],
}

/// Why a signer does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerFault {
    /// The signature does not fit text and key: something was altered, or another key signed.
    #[error("the signature does not fit")]
    BadSignature,
    /// The chain leads to no anchor, was not good at the time, or is not for evidence. The text says which.
    #[error("the signer's certificate does not count: {0}")]
    Untrusted(String),
}

/// Why a text is no statement that counts.
#[derive(Debug, thiserror::Error)]
pub enum JwsFault {
    /// Over [`JWS_BYTES_MAX`] bytes or [`JWS_CHAIN_MAX`] certificates.
    #[error(
        "the signed statement is larger than {JWS_BYTES_MAX} bytes or its chain longer than {JWS_CHAIN_MAX}"
    )]
    TooLarge,
    /// Not three parts of unpadded base64url, or a header with anything but `alg`, `typ` and `x5c`.
    #[error("not a compact JWS of the form used here")]
    Malformed,
    /// A statement of another kind.
    #[error("the statement is of another kind than expected")]
    WrongType,
    /// The payload is not what its type promises.
    #[error("the statement's content is not acceptable")]
    Statement(#[source] StatementFault),
    /// The signer does not count.
    #[error("the statement's signer does not count")]
    Signer(#[source] SignerFault),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    typ: String,
    x5c: Vec<String>,
}

/// A statement whose signature was checked, with the identity of its signer and its exact text.
#[derive(Clone, Debug)]
pub struct Signed<T> {
    text: String,
    statement: T,
    signer: Identity,
}

impl<T> Signed<T> {
    /// The exact compact JWS.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was said.
    pub fn statement(&self) -> &T {
        &self.statement
    }

    /// Who said it.
    pub fn signer(&self) -> &Identity {
        &self.signer
    }
}

/// Signs a statement. The text is final: what it commits to must be durable before it leaves the process.
pub fn sign<T: Statement>(statement: &T, signer: &dyn Signer) -> Result<String, SignFault> {
    let header = Header {
        alg: signer.algorithm(),
        typ: T::TYP.to_owned(),
        x5c: signer.chain().iter().map(|der| STANDARD.encode(der)).collect(),
    };
    let header = serde_json::to_vec(&header).map_err(|_| SignFault)?;
    let payload = serde_json::to_vec(statement).map_err(|_| SignFault)?;
    let mut text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = signer.sign(text.as_bytes())?;
    text.push('.');
    text.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(text)
}

/// A text of the right form, nothing in it believed yet.
pub struct Unverified<'a, T> {
    text: &'a str,
    message: &'a str,
    algorithm: Algorithm,
    chain: Vec<Vec<u8>>,
    signature: Vec<u8>,
    claimed: T,
}

impl<'a, T: Statement> Unverified<'a, T> {
    /// Takes the text apart. Sizes are checked before anything is decoded.
    pub fn parse(text: &'a str) -> Result<Self, JwsFault> {
        if text.len() > JWS_BYTES_MAX {
            return Err(JwsFault::TooLarge);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(JwsFault::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(JwsFault::Malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsFault::Malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| JwsFault::Malformed)?;
        if header.typ != T::TYP {
            return Err(JwsFault::WrongType);
        }
        if header.x5c.len() > JWS_CHAIN_MAX {
            return Err(JwsFault::TooLarge);
        }
        let chain: Vec<Vec<u8>> = header
            .x5c
            .iter()
            .map(|certificate| STANDARD.decode(certificate).map_err(|_| JwsFault::Malformed))
            .collect::<Result<_, _>>()?;
        if chain.is_empty() {
            return Err(JwsFault::Malformed);
        }
        let claimed = T::from_json(&decode(payload)?).map_err(JwsFault::Statement)?;
        Ok(Unverified { text, message, algorithm: header.alg, chain, signature: decode(signature)?, claimed })
    }

    /// What the text claims. To learn at which time its signer must be judged, and for nothing else.
    pub fn claimed(&self) -> &T {
        &self.claimed
    }

    /// The chain it brings; DER, leaf first.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Judges the signer at `at` and, if it counts, yields the statement.
    pub fn verify(self, verifier: &dyn Verifier, at: Moment) -> Result<Signed<T>, JwsFault> {
        let signed = SignedBytes {
            algorithm: self.algorithm,
            chain: &self.chain,
            message: self.message.as_bytes(),
            signature: &self.signature,
        };
        let signer = verifier.verify(&signed, at).map_err(JwsFault::Signer)?;
        Ok(Signed { text: self.text.to_owned(), statement: self.claimed, signer })
    }
}

#[cfg(test)]
#[path = "jws_tests.rs"]
mod tests;

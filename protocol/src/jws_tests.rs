//! What counts as a signed statement, and the many texts that do not.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    },
};

use super::*;
use crate::{
    checkpoint::LogIdentity,
    digest::Sha256,
    moment::ClockState,
    problem::Problem,
    statement::{Manifest, Refusal},
};

/// A key whose "certificate" is its bare public key: this crate knows nothing of X.509.
struct Key(EcdsaKeyPair, Vec<Vec<u8>>);

impl Key {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let chain = vec![pair.public_key().as_ref().to_vec()];
        Key(pair, chain)
    }
}

impl Signer for Key {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es256
    }
    fn chain(&self) -> &[Vec<u8>] {
        &self.1
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFault> {
        Ok(self.0.sign(&SystemRandom::new(), message).map_err(|_| SignFault)?.as_ref().to_vec())
    }
}

struct TrustsEveryKey;

impl Verifier for TrustsEveryKey {
    fn verify(&self, signed: &SignedBytes<'_>, _at: Moment) -> Result<Identity, SignerFault> {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &signed.chain[0])
            .verify(signed.message, signed.signature)
            .map_err(|_| SignerFault::BadSignature)?;
        Ok(Identity::from_uri("urn:sekisho:test:review-agency:113").unwrap())
    }
}

fn refusal() -> Refusal {
    Refusal {
        version: 1,
        transfer_id: crate::transfer_id::TransferId::new(Moment::from_unix_ms(1), [0; 10]),
        environment: crate::party::Environment::Test,
        manifest_sha256: Sha256::of(b"manifest"),
        sender: "institution:1310000018".parse().unwrap(),
        receiver: "review-agency:113".parse().unwrap(),
        reason: Problem::TooLarge,
        fault: None,
        earlier_receipt: None,
        refused_at: Moment::from_unix_ms(2),
        clock: ClockState::Unknown,
        log: LogIdentity { origin: "log".to_owned(), key: "key".to_owned() },
    }
}

fn verify(text: &str) -> Result<Signed<Refusal>, JwsFault> {
    Unverified::<Refusal>::parse(text)?.verify(&TrustsEveryKey, Moment::from_unix_ms(3))
}

/// The text with its header or payload (0 or 1) rewritten as text, signed anew.
fn rewritten(part: usize, change: impl Fn(String) -> String) -> String {
    let key = Key::new();
    let text = sign(&refusal(), &key).unwrap();
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(&parts[part]).unwrap()).unwrap();
    parts[part] = URL_SAFE_NO_PAD.encode(change(plain));
    let message = format!("{}.{}", parts[0], parts[1]);
    let signature = key.sign(message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_signed_statement_verifies_and_keeps_its_exact_text() {
    let text = sign(&refusal(), &Key::new()).unwrap();
    let signed = verify(&text).unwrap();
    assert_eq!((signed.text(), signed.statement()), (text.as_str(), &refusal()));
}

#[test]
fn any_altered_character_is_found() {
    let text = sign(&refusal(), &Key::new()).unwrap();
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(verify(&String::from_utf8(bytes).unwrap()).is_err(), "character {at} may be altered");
    }
}

#[test]
fn header_parameters_that_change_the_meaning_are_refused() {
    for addition in
        [r#""crit":["exp"],"#, r#""jwk":{},"#, r#""jku":"https://evil.example/","#, r#""typ":"x","#]
    {
        let text = rewritten(0, |header| header.replacen('{', &format!("{{{addition}"), 1));
        assert!(matches!(verify(&text), Err(JwsFault::Malformed)), "{addition}");
    }
    for algorithm in ["none", "HS256", "RS256", "es256"] {
        let text = rewritten(0, |header| header.replacen("ES256", algorithm, 1));
        assert!(matches!(verify(&text), Err(JwsFault::Malformed)), "{algorithm}");
    }
    let without_chain =
        rewritten(0, |header| format!("{}\"x5c\":[]}}", header.split("\"x5c\"").next().unwrap()));
    assert!(matches!(verify(&without_chain), Err(JwsFault::Malformed)));
}

#[test]
fn repeated_unknown_and_missing_keys_are_refused() {
    let repeated = rewritten(1, |payload| payload.replacen('{', "{\"reason\":\"already_held\",", 1));
    let unknown = rewritten(1, |payload| payload.replacen('{', "{\"extra\":1,", 1));
    let missing = rewritten(1, |payload| payload.replacen("\"clock\":\"unknown\",", "", 1));
    for (name, text) in [("repeated", repeated), ("unknown", unknown), ("missing", missing)] {
        let fault = verify(&text).unwrap_err();
        assert!(matches!(fault, JwsFault::Statement(StatementFault::Malformed)), "{name}: {fault}");
    }
}

#[test]
fn a_version_that_is_not_spoken_is_told_from_a_malformed_statement() {
    let text = rewritten(1, |payload| payload.replacen("\"version\":1", "\"version\":2", 1));
    assert!(matches!(verify(&text), Err(JwsFault::Statement(StatementFault::UnsupportedVersion))));
}

#[test]
fn a_statement_of_another_kind_is_refused() {
    let text = sign(&refusal(), &Key::new()).unwrap();
    assert!(matches!(Unverified::<Manifest>::parse(&text), Err(JwsFault::WrongType)));
}

#[test]
fn a_text_over_the_limit_is_refused_before_it_is_decoded() {
    assert!(matches!(verify(&"A".repeat(JWS_BYTES_MAX + 1)), Err(JwsFault::TooLarge)));
    assert!(matches!(verify(&"A".repeat(JWS_BYTES_MAX)), Err(JwsFault::Malformed)));
}

//! A revocation list from outside: read as strictly as a gateway would, and judged by its issuer.

#![no_main]

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;
use pki::{crl::UnverifiedCrl, inspect::CrlFacts, policy::Policy, trust::Trust};
use protocol::moment::Moment;
use rustls_pki_types::CertificateRevocationListDer;

/// When the seeds are good.
static NOW: LazyLock<Moment> = LazyLock::new(|| include_str!("../seeds/now").trim().parse().unwrap());

/// The lists of the seeds' authorities, with this one beside them.
fn trust_with(der: &[u8]) -> Option<Trust> {
    let (root, issuing) = (include_bytes!("../seeds/root.pem"), include_bytes!("../seeds/issuing.pem"));
    let pem = format!("-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n", STANDARD.encode(der));
    let lists = [&include_bytes!("../seeds/crls.pem")[..], pem.as_bytes()].concat();
    Trust::from_pem(root, issuing, &lists, Policy::default(), *NOW).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let der = CertificateRevocationListDer::from(bytes);
    let facts = CrlFacts::of(&der);
    let parsed = UnverifiedCrl::parse(&der);
    assert_eq!(facts.is_ok(), parsed.is_ok());
    let (Ok(facts), Ok(parsed)) = (facts, parsed) else { return };
    assert!(facts.this_update < facts.next_update);
    assert_eq!(parsed.der(), &der, "what is kept is what came");
    let Some(trust) = trust_with(bytes) else { return };
    // It counts, or an equal or newer one does.
    let mut of_issuer = trust.crls().by_end().into_iter().filter(|list| list.issuer() == facts.issuer);
    assert!(of_issuer.any(|list| *list.number() >= facts.number));
});

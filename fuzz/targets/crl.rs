//! A revocation list from outside: read as strictly as a gateway would, and judged by its issuer.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pki::{crl::UnverifiedCrl, inspect::CrlFacts, issuer::Issuer};
use rustls_pki_types::CertificateRevocationListDer;

/// The authorities of the seeds.
static ISSUERS: LazyLock<Vec<Issuer>> = LazyLock::new(|| {
    let pem = [&include_bytes!("../seeds/root.pem")[..], include_bytes!("../seeds/issuing.pem")].concat();
    let certificates = pki::pem::certificates_in(&pem, std::path::Path::new("issuers")).unwrap();
    certificates.iter().map(|certificate| Issuer::of(certificate).unwrap()).collect()
});

fuzz_target!(|der: &[u8]| {
    let der = CertificateRevocationListDer::from(der);
    let facts = CrlFacts::of(&der);
    let parsed = UnverifiedCrl::parse(&der);
    assert_eq!(facts.is_ok(), parsed.is_ok());
    let (Ok(facts), Ok(parsed)) = (facts, parsed) else { return };
    assert!(facts.this_update < facts.next_update);
    if let Ok((_, list)) = parsed.verify(&*ISSUERS) {
        assert_eq!(list.revoked_count(), facts.revoked.len());
        assert_eq!(list.der(), &der, "what is kept is what came");
    }
});

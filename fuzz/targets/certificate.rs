//! A certificate that a stranger shows: read for people, read for its identity, and judged.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pki::{
    identity::identity_of,
    inspect::{CertificateFacts, check_leaf},
    leaf::Purpose,
    trust::Trust,
};
use protocol::moment::Moment;
use rustls_pki_types::CertificateDer;

const PURPOSES: [Purpose; 3] = [Purpose::TlsClient, Purpose::TlsServer, Purpose::Evidence];

/// When the seeds are good.
static NOW: LazyLock<Moment> = LazyLock::new(|| include_str!("../seeds/now").trim().parse().unwrap());

/// The authorities of the seeds.
static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let (root, issuing) = (include_bytes!("../seeds/root.pem"), include_bytes!("../seeds/issuing.pem"));
    Trust::from_pem(root, issuing, include_bytes!("../seeds/crls.pem"), *NOW).unwrap()
});

/// The one that may be shown beside a leaf.
static ISSUING: LazyLock<CertificateDer<'static>> = LazyLock::new(|| {
    let pem = include_bytes!("../seeds/issuing.pem");
    pki::pem::certificates_in(pem, std::path::Path::new("issuing.pem")).unwrap().remove(0)
});

fuzz_target!(|der: &[u8]| {
    let certificate = CertificateDer::from(der);
    let identity = identity_of(der);
    if let Some(facts) = CertificateFacts::of(&certificate) {
        assert_eq!(facts.identity, identity, "people and programs read the same identity");
        assert!(facts.description.subject.chars().all(|c| !c.is_control()));
    }
    for purpose in PURPOSES {
        let alone = check_leaf(&certificate, purpose);
        if let Ok(peer) = TRUST.verify(&[certificate.clone(), ISSUING.clone()], purpose, *NOW) {
            assert_eq!(alone, Ok(()), "whoever is let in passes the checks of a single certificate");
            assert_eq!(Ok(peer.identity()), identity.as_ref());
        }
        // As somebody's authority.
        let _ = TRUST.verify(&[ISSUING.clone(), certificate.clone()], purpose, *NOW);
    }
});

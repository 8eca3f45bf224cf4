//! A certificate that a stranger shows: read for people, read for its identity, and judged.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pki::{explain::explain, inspect::CertificateFacts, leaf::Purpose, policy::Policy, trust::Trust};
use protocol::moment::Moment;
use rustls_pki_types::CertificateDer;

const PURPOSES: [Purpose; 3] = [Purpose::TlsClient, Purpose::TlsServer, Purpose::Evidence];

/// When the seeds are good.
static NOW: LazyLock<Moment> = LazyLock::new(|| include_str!("../seeds/now").trim().parse().unwrap());

/// The authorities of the seeds.
static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let (root, issuing) = (include_bytes!("../seeds/root.pem"), include_bytes!("../seeds/issuing.pem"));
    Trust::from_pem(root, issuing, include_bytes!("../seeds/crls.pem"), Policy::default(), *NOW).unwrap()
});

/// The one that may be shown beside a leaf.
static ISSUING: LazyLock<CertificateDer<'static>> = LazyLock::new(|| {
    let pem = include_bytes!("../seeds/issuing.pem");
    pki::pem::certificates_in(pem, std::path::Path::new("issuing.pem")).unwrap().remove(0)
});

fuzz_target!(|der: &[u8]| {
    let certificate = CertificateDer::from(der);
    let facts = CertificateFacts::of(&certificate, &Policy::default());
    if let Some(facts) = &facts {
        assert!(facts.description.subject.chars().all(|c| !c.is_control()));
    }
    for purpose in PURPOSES {
        let chain = [certificate.clone(), ISSUING.clone()];
        let judged = TRUST.verify(&chain, purpose, *NOW);
        let explained = explain(&TRUST, &chain, purpose, &[], *NOW);
        match &judged {
            Ok(peer) => {
                let facts = facts.as_ref().expect("whoever is let in can be read");
                assert_eq!(
                    facts.identity.as_ref(),
                    Ok(peer.identity()),
                    "people and programs read the same identity"
                );
                assert!(explained.verdict.is_ok());
            }
            Err(fault) => {
                let refused = explained.verdict.expect_err("the explanation is that of the door");
                assert_eq!((refused.fault, refused.causes.is_empty()), (*fault, false));
            }
        }
        // As somebody's authority.
        let _ = TRUST.verify(&[ISSUING.clone(), certificate.clone()], purpose, *NOW);
    }
});

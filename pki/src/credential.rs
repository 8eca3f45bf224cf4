//! Our own certificate and key: what we show to peers.
//!
//! Loaded as a pair and checked as a peer would check it, so that a mistake shows at start and not at the far end.

use std::{
    fmt,
    path::Path,
    sync::{Arc, OnceLock},
};

use protocol::{
    digest::Sha256,
    identity_rule::{IdentityFault, IssuedBy},
    moment::Moment,
    party::Environment,
};
use rustls::{
    InconsistentKeys,
    sign::{CertifiedKey, SigningKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use webpki::EndEntityCert;

use crate::{
    clock::moment_of_asn1,
    fault::PeerFault,
    leaf::{self, Purpose},
    names::distinguished_name,
    path::identify,
    peer::PeerIdentity,
    pem::{self, PemFault},
    policy::Policy,
    provider::key_provider,
    signatures::Signatures,
};

/// Why a certificate and key of our own cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialFault {
    /// A file cannot be used.
    #[error("a file of our own certificate cannot be used")]
    File(#[from] PemFault),
    /// The first certificate of the file cannot be read.
    #[error(
        "the first certificate of the chain cannot be read; next: the file must begin with our own certificate"
    )]
    Unreadable,
    /// The key is of a kind that is not supported.
    #[error("the private key is of a kind that is not supported; next: use ECDSA P-256 or P-384 in PKCS#8")]
    Key,
    /// The key is another certificate's. Also seen between the two steps of replacing both files.
    #[error("certificate and private key do not belong together; next: install both from the same order")]
    KeyMismatch,
    /// The certificate names no identity.
    #[error(
        "our own certificate names no identity; next: check the identity rules, and if they ask for an anchor's key, let \
         the file end in the root"
    )]
    Identity(#[source] IdentityFault),
    /// The certificate is not fit for this use.
    #[error(
        "our own certificate is not fit for this use: {0}; next: ask the authority for one of the right profile"
    )]
    Unfit(PeerFault),
    /// The certificate is past its notAfter.
    #[error("our own certificate expired at {not_after}; next: renew it")]
    Expired {
        /// The end of its life.
        not_after: Moment,
    },
    /// The certificate is before its notBefore.
    #[error("our own certificate is not valid before {not_before}; next: check this machine's clock")]
    NotYetValid {
        /// The start of its life.
        not_before: Moment,
    },
    /// The certificate is of the other environment.
    #[error(
        "our own certificate is for {actual}, but this is {expected}; next: install the right certificate"
    )]
    WrongEnvironment {
        /// What the settings say.
        expected: Environment,
        /// What the certificate says.
        actual: Environment,
    },
    /// A lab's certificate in production.
    #[error("our own certificate was made by a lab authority; next: install one of the production authority")]
    LabCertificate,
}

/// Our own certificate chain and key for TLS.
#[derive(Clone)]
pub struct Credential {
    certified: Arc<CertifiedKey>,
    facts: OwnCertificate,
    /// The first name that was found among those it may be dialled by: nearly all requests name the same one.
    dialled_as: OnceLock<Box<str>>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("identity", self.facts.peer.identity()).finish_non_exhaustive()
    }
}

impl Credential {
    /// Reads a chain (our own certificate first) and its key.
    pub fn load(chain: &Path, key: &Path, policy: &Policy) -> Result<Self, CredentialFault> {
        Credential::new(pem::certificates(chain)?, pem::private_key(key)?, policy)
    }

    /// The same from PEM text.
    pub fn from_pem(chain: &[u8], key: &[u8], policy: &Policy) -> Result<Self, CredentialFault> {
        let origin = Path::new("credential");
        Credential::new(pem::certificates_in(chain, origin)?, pem::private_key_in(key, origin)?, policy)
    }

    /// Does this name, or this address, stand among the names that the certificate may be dialled by?
    pub fn is_dialled_as(&self, host: &str) -> bool {
        if self.dialled_as.get().is_some_and(|known| **known == *host) {
            return true;
        }
        let (Some(leaf), Ok(name)) = (self.certified.cert.first(), ServerName::try_from(host)) else {
            return false;
        };
        let stands_there = EndEntityCert::try_from(leaf)
            .is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(&name).is_ok());
        if stands_there {
            self.dialled_as.get_or_init(|| host.into());
        }
        stands_there
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        policy: &Policy,
    ) -> Result<Self, CredentialFault> {
        let facts = OwnCertificate::of(&chain, policy)?;
        let key: Arc<dyn SigningKey> =
            key_provider().load_private_key(key).map_err(|_| CredentialFault::Key)?;
        let certified = CertifiedKey::new(without_anchor(chain), key);
        match certified.keys_match() {
            // A key that cannot tell its public half (a token's) is tried in the first handshake.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(CredentialFault::KeyMismatch),
        }
        Ok(Credential { certified: Arc::new(certified), facts, dialled_as: OnceLock::new() })
    }

    /// What our own certificate says.
    pub fn own(&self) -> &PeerIdentity {
        &self.facts.peer
    }

    /// Is the certificate fit for this purpose, here and now?
    pub fn check(
        &self,
        purpose: Purpose,
        environment: Environment,
        now: Moment,
    ) -> Result<(), CredentialFault> {
        self.facts.check(purpose, environment, now)
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

/// What is known of our own certificate, whatever it is for.
#[derive(Clone)]
pub(crate) struct OwnCertificate {
    der: CertificateDer<'static>,
    pub(crate) peer: PeerIdentity,
    signatures: Signatures,
    test_only: bool,
}

impl OwnCertificate {
    pub(crate) fn of(chain: &[CertificateDer<'static>], policy: &Policy) -> Result<Self, CredentialFault> {
        let der = chain.first().ok_or(CredentialFault::Unreadable)?;
        let certificate = leaf::parse(der).map_err(|_| CredentialFault::Unreadable)?;
        let issued_by = issued_by(chain).ok_or(CredentialFault::Unreadable)?;
        let identity = identify(&certificate, issued_by, policy).map_err(CredentialFault::Identity)?;
        Ok(OwnCertificate {
            der: der.clone(),
            peer: PeerIdentity::new(
                identity,
                &certificate,
                moment_of_asn1(certificate.validity().not_after),
                None,
                None,
            ),
            signatures: policy.signatures,
            test_only: leaf::is_test_only(&certificate),
        })
    }

    pub(crate) fn check(
        &self,
        purpose: Purpose,
        environment: Environment,
        now: Moment,
    ) -> Result<(), CredentialFault> {
        let certificate = leaf::parse(&self.der).map_err(|_| CredentialFault::Unreadable)?;
        leaf::check_leaf(&certificate, purpose, self.signatures)
            .and_then(|()| leaf::check_sides(&certificate, self.peer.identity().role()))
            .map_err(CredentialFault::Unfit)?;
        let actual = self.peer.identity().environment();
        if actual != environment {
            return Err(CredentialFault::WrongEnvironment { expected: environment, actual });
        }
        if environment == Environment::Production && self.test_only {
            return Err(CredentialFault::LabCertificate);
        }
        if now < self.peer.not_before() {
            return Err(CredentialFault::NotYetValid { not_before: self.peer.not_before() });
        }
        if now > self.peer.not_after() {
            return Err(CredentialFault::Expired { not_after: self.peer.not_after() });
        }
        Ok(())
    }
}

/// Who stands above our own certificate, as far as its file tells: the anchor's key only if the file ends in the anchor.
fn issued_by(chain: &[CertificateDer<'_>]) -> Option<IssuedBy> {
    let (leaf, last) = (leaf::parse(chain.first()?).ok()?, leaf::parse(chain.last()?).ok()?);
    let ends_in_anchor = chain.len() > 1 && last.subject().as_raw() == last.issuer().as_raw();
    Some(IssuedBy {
        anchor_name: distinguished_name(last.issuer()),
        anchor_key: ends_in_anchor.then(|| Sha256::of(last.public_key().raw)),
        issuer_name: distinguished_name(leaf.issuer()),
    })
}

/// The chain without a self-issued certificate at its end: a peer has its own copy of the anchor, or none at all.
pub(crate) fn without_anchor(mut chain: Vec<CertificateDer<'static>>) -> Vec<CertificateDer<'static>> {
    let ends_in_anchor = |chain: &[CertificateDer<'_>]| {
        chain.len() > 1
            && chain.last().is_some_and(|last| {
                leaf::parse(last).is_ok_and(|last| last.subject().as_raw() == last.issuer().as_raw())
            })
    };
    while ends_in_anchor(&chain) {
        chain.pop();
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::now,
        oid,
        testing::{self, Authority, certificates_pem, key_pem, leaf_params},
    };

    #[test]
    fn a_chain_that_begins_with_an_authority_is_refused() {
        let root = Authority::root("root");
        let leaf = root.leaf(&testing::client_params());
        let refused = Credential::from_pem(
            &certificates_pem(&[&root.der, &leaf.der]),
            &key_pem(&leaf.key),
            &Policy::default(),
        );
        assert!(matches!(refused, Err(CredentialFault::Identity(IdentityFault::None))));
    }

    #[test]
    fn the_anchor_is_not_shown_to_peers() {
        let root = Authority::root("root");
        let below = root.below("below");
        let leaf = below.leaf(&testing::client_params());
        let own = testing::credential(&leaf, &[&below, &root]);
        assert_eq!(own.certified().cert, [leaf.der, below.der]);
    }

    #[test]
    fn a_certificate_outside_its_dates_is_refused() {
        let root = Authority::root("root");
        let check = |edit: fn(&mut rcgen::CertificateParams)| {
            let mut params = testing::client_params();
            edit(&mut params);
            let own = testing::credential(&root.leaf(&params), &[]);
            own.check(Purpose::TlsClient, Environment::Test, now())
        };
        let expired = check(|params| params.not_after = testing::today() - time::Duration::minutes(1));
        let early = check(|params| params.not_before = testing::today() + time::Duration::minutes(1));
        assert!(matches!(expired, Err(CredentialFault::Expired { .. })));
        assert!(matches!(early, Err(CredentialFault::NotYetValid { .. })));
    }

    #[test]
    fn a_credential_shows_whom_it_names_and_nothing_of_its_key() {
        let leaf = Authority::root("root").leaf(&leaf_params(testing::CENTRE, oid::SERVER_AUTH));
        let own = testing::credential(&leaf, &[]);
        assert_eq!(format!("{own:?}"), format!("Credential {{ identity: {:?}, .. }}", own.own().identity()));
    }
}

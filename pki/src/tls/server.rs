//! The server side: a client certificate is always required and judged by our own trust.

use std::{fmt, sync::Arc};

use protocol::party::Environment;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error as TlsError, PeerIncompatible, ServerConfig,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::verify_tls13_signature,
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::SingleCertAndKey,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{ALPN, TlsFault, refuse_lab_anchor};
use crate::{
    clock::{moment_of_unix, now},
    credential::Credential,
    fault::PeerFault,
    leaf::Purpose,
    peer::Description,
    provider::{VERSIONS, provider},
    trust::Trust,
};

/// A client that was refused during the handshake.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub fault: PeerFault,
    /// What its certificate says; `None` if it cannot be read. Nothing in it is proved.
    pub certificate: Option<Description>,
}

/// Hears of every client that showed a certificate and was refused. Called within the handshake: it must not block. Of a
/// client that shows none nobody hears but whoever drives the handshake: [`super::own_refusal`] tells it
/// [`PeerFault::NoCert`].
pub type RefusalObserver = Arc<dyn Fn(&Refused) + Send + Sync>;

/// A server that takes only clients whose certificates count here and are of this environment.
///
/// Lists and anchors are those of `trust` for the life of the configuration: after a reload build a new one.
pub fn server_config(
    own: &Credential,
    trust: Arc<Trust>,
    environment: Environment,
) -> Result<Arc<ServerConfig>, TlsFault> {
    server_config_observed(own, trust, environment, Arc::new(|_| ()))
}

/// As [`server_config`], with an observer of refusals: the only place that learns the exact reason of a refusal by
/// policy, for which TLS has a single alert.
pub fn server_config_observed(
    own: &Credential,
    trust: Arc<Trust>,
    environment: Environment,
    observer: RefusalObserver,
) -> Result<Arc<ServerConfig>, TlsFault> {
    own.check(Purpose::TlsServer, environment, now())?;
    refuse_lab_anchor(&trust, environment)?;
    let hints =
        trust.anchors().roots().iter().map(|root| DistinguishedName::in_sequence(&root.subject)).collect();
    let verifier = ClientVerifier { trust, environment, observer, hints };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Every connection is a full handshake: a resumed one would not be judged again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    // Our order of suites counts (TLS暗号設定ガイドライン).
    config.ignore_client_order = true;
    Ok(Arc::new(config))
}

struct ClientVerifier {
    trust: Arc<Trust>,
    environment: Environment,
    observer: RefusalObserver,
    hints: Vec<DistinguishedName>,
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier").field("environment", &self.environment).finish_non_exhaustive()
    }
}

impl ClientVerifier {
    fn judge(&self, chain: &[CertificateDer<'_>], time: UnixTime) -> Result<(), PeerFault> {
        let peer = self.trust.verify(chain, Purpose::TlsClient, moment_of_unix(time))?;
        if peer.identity().environment() != self.environment {
            return Err(PeerFault::WrongEnvironment);
        }
        Ok(())
    }

    fn refuse(&self, certificate: &CertificateDer<'_>, fault: PeerFault) {
        let refused = Refused { fault, certificate: Description::of_der(certificate) };
        log_refusal("client", &refused);
        (self.observer)(&refused);
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        time: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let chain: Vec<CertificateDer<'_>> = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|der| CertificateDer::from(der.as_ref()))
            .collect();
        let Err(fault) = self.judge(&chain, time) else { return Ok(ClientCertVerified::assertion()) };
        self.refuse(end_entity, fault);
        Err(fault.to_tls())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms).inspect_err(
            |error| {
                self.refuse(cert, PeerFault::of_tls(error).unwrap_or(PeerFault::Other));
            },
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Who was refused and why; never the certificate itself. Not in the usual log: strangers can be refused as often as
/// they like, and are counted by the observer.
pub(super) fn log_refusal(side: &'static str, refused: &Refused) {
    let reason = refused.fault.code();
    match &refused.certificate {
        Some(certificate) => tracing::debug!(
            reason,
            peer = side,
            issuer = certificate.issuer,
            serial = certificate.serial,
            subject = certificate.subject,
            fingerprint = %certificate.fingerprint,
            "certificate refused"
        ),
        None => tracing::debug!(reason, peer = side, "certificate refused"),
    }
}

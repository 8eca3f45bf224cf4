//! The client side: the server must be the named host and the named party of our environment.

use std::{fmt, sync::Arc};

use protocol::party::{Environment, Party};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, PeerIncompatible, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::verify_tls13_signature,
    sign::SingleCertAndKey,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use super::{
    ALPN, TlsFault, refuse_lab_anchor,
    server::{Refused, log_refusal},
};
use crate::{
    clock::{moment_of_unix, now},
    credential::Credential,
    fault::PeerFault,
    leaf::Purpose,
    peer::Description,
    provider::{VERSIONS, provider},
    trust::Trust,
};

/// A client that talks only to the host it dials, and only if the certificate there names `server` in this
/// environment.
pub fn client_config(
    own: &Credential,
    trust: Arc<Trust>,
    server: Party,
    environment: Environment,
) -> Result<Arc<ClientConfig>, TlsFault> {
    own.check(Purpose::TlsClient, environment, now())?;
    refuse_lab_anchor(&trust, environment)?;
    let verifier = ServerVerifier { trust, server, environment };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

struct ServerVerifier {
    trust: Arc<Trust>,
    server: Party,
    environment: Environment,
}

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerVerifier").field("server", &self.server).finish_non_exhaustive()
    }
}

impl ServerVerifier {
    fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        time: UnixTime,
    ) -> Result<(), PeerFault> {
        let peer = self.trust.verify(chain, Purpose::TlsServer, moment_of_unix(time))?;
        let leaf = chain.first().ok_or(PeerFault::NoCert)?;
        EndEntityCert::try_from(leaf)
            .and_then(|leaf| leaf.verify_is_valid_for_subject_name(host))
            .map_err(|_| PeerFault::NameNotAllowed)?;
        let identity = peer.identity();
        if identity.environment() != self.environment {
            return Err(PeerFault::WrongEnvironment);
        }
        if identity.role() != self.server.role() {
            return Err(PeerFault::WrongRole);
        }
        if !identity.codes().contains(self.server.code()) {
            return Err(PeerFault::WrongParty);
        }
        Ok(())
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        time: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let chain: Vec<CertificateDer<'_>> = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|der| CertificateDer::from(der.as_ref()))
            .collect();
        let Err(fault) = self.judge(&chain, server_name, time) else {
            return Ok(ServerCertVerified::assertion());
        };
        log_refusal("server", &Refused { fault, certificate: Description::of_der(end_entity) });
        Err(fault.to_tls_exactly())
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
                let fault = PeerFault::of_tls(error).unwrap_or(PeerFault::Other);
                log_refusal("server", &Refused { fault, certificate: Description::of_der(cert) });
            },
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

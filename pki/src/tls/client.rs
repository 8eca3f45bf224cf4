//! The client side: the server must be the named host and the named party of our environment.

use std::{fmt, sync::Arc};

use protocol::party::{Environment, Party};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    sign::SingleCertAndKey,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use super::{
    ALPN, ALPN_BULK, TlsFault, TlsPolicy,
    handshake::{Refused, Version, chain_of, check_possession, schemes},
    refuse_lab_anchor,
};
use crate::{
    clock::{moment_of_unix, now},
    credential::Credential,
    fault::PeerFault,
    leaf::Purpose,
    trust::Trust,
};

/// A client that talks only to the host it dials, and only if the certificate there names `server` in this
/// environment.
pub fn client_config(
    own: &Credential,
    trust: Arc<Trust>,
    server: Party,
    environment: Environment,
    policy: TlsPolicy,
) -> Result<Arc<ClientConfig>, TlsFault> {
    own.check(Purpose::TlsClient, environment, now())?;
    refuse_lab_anchor(&trust, environment)?;
    let provider = policy.provider(trust.policy().signatures);
    let verifier = ServerVerifier { trust, server, environment };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(policy.versions())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.require_ems = true;
    config.cert_compressors = vec![];
    config.cert_decompressors = vec![];
    Ok(Arc::new(config))
}

/// The same client for content: asks for the engine that is made for it, and takes the usual one where there is no other.
pub fn for_content(usual: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = usual.clone();
    config.alpn_protocols = vec![ALPN_BULK.to_vec(), ALPN.to_vec()];
    Arc::new(config)
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
        if let Some(grace) = peer.grace() {
            grace.log("server");
        }
        Ok(())
    }

    fn possession(
        &self,
        version: Version,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let signatures = self.trust.policy().signatures;
        check_possession(signatures, version, message, certificate, signature).inspect_err(|error| {
            Refused::new(PeerFault::of_tls(error).unwrap_or(PeerFault::Other), certificate).log("server");
        })
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
        match self.judge(&chain_of(end_entity, intermediates), server_name, time) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(fault) => {
                Refused::new(fault, end_entity).log("server");
                Err(fault.to_tls_exactly())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.possession(Version::Tls12, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.possession(Version::Tls13, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes(self.trust.policy().signatures)
    }
}

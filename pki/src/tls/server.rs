//! The server side: a client certificate is always required and judged by our own trust.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use protocol::{digest::Sha256, moment::Moment, party::Environment};
use rustls::{
    CommonState, DigitallySignedStruct, DistinguishedName, Error as TlsError, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::SingleCertAndKey,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{
    ALPN, ALPN_BULK, TlsFault, TlsPolicy,
    handshake::{Refused, Version, chain_of, check_possession, schemes},
    refuse_lab_anchor,
};
use crate::{
    clock::{moment_of_unix, now},
    credential::Credential,
    explain::causes_for_log,
    fault::PeerFault,
    leaf::Purpose,
    peer::PeerIdentity,
    refusal::Refusal,
    trust::Trust,
    verdicts::{ChainDigest, Verdicts},
};

/// Hears of every client that showed a certificate and was refused. Called within the handshake: it must not block. Of a
/// client that shows none nobody hears but whoever drives the handshake: [`super::own_refusal`] tells it
/// [`PeerFault::NoCert`].
pub type RefusalObserver = Arc<dyn Fn(&Refused) + Send + Sync>;

/// A server that takes only clients whose certificates count here and are of this environment.
///
/// Lists and anchors are those of `trust` for its life: after a reload build a new one. Each connection has a configuration
/// of its own, which hands on who was judged in it and shares nothing with any other.
pub struct TlsServer {
    shared: Arc<Shared>,
    certificate: Arc<SingleCertAndKey>,
    provider: Arc<CryptoProvider>,
    policy: TlsPolicy,
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer")
            .field("environment", &self.shared.environment)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl TlsServer {
    /// A server with this certificate. The observer is the only one who learns the exact reason of a refusal by policy,
    /// for which TLS has a single alert.
    pub fn new(
        own: &Credential,
        trust: Arc<Trust>,
        environment: Environment,
        policy: TlsPolicy,
        observer: RefusalObserver,
    ) -> Result<Self, TlsFault> {
        own.check(Purpose::TlsServer, environment, now())?;
        refuse_lab_anchor(&trust, environment)?;
        let hints = trust.anchors().roots().iter();
        let hints = hints.map(|root| DistinguishedName::in_sequence(&root.subject)).collect();
        let provider = policy.provider(trust.policy().signatures);
        let server = TlsServer {
            shared: Arc::new(Shared { trust, environment, observer, hints, verdicts: Verdicts::default() }),
            certificate: Arc::new(SingleCertAndKey::from(own.certified())),
            provider,
            policy,
        };
        // Settings that the library refuses show now and not at the first connection.
        server.connection()?;
        Ok(server)
    }

    /// What the next connection is accepted with, and where its client will be found.
    pub fn connection(&self) -> Result<(Arc<ServerConfig>, Judged), TlsFault> {
        let judged = Arc::new(OnceLock::new());
        let verifier = ClientVerifier { shared: Arc::clone(&self.shared), judged: Arc::clone(&judged) };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(self.policy.versions())?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::clone(&self.certificate) as _);
        // Of two that a client offers the first one here counts: who offers the engine for content wants it.
        config.alpn_protocols = vec![ALPN_BULK.to_vec(), ALPN.to_vec()];
        // Every connection is a full handshake: a resumed one would not be judged again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_tls13_tickets = 0;
        config.max_early_data_size = 0;
        config.send_half_rtt_data = false;
        config.require_ems = true;
        // Our order of suites counts (TLS暗号設定ガイドライン).
        config.ignore_client_order = true;
        // A compressed chain would be unpacked before its size is known.
        config.cert_compressors = vec![];
        config.cert_decompressors = vec![];
        Ok((Arc::new(config), Judged(judged)))
    }

    /// What clients are judged by: to judge those again that are still there when another server takes this one's place.
    pub fn trust(&self) -> &Arc<Trust> {
        &self.shared.trust
    }
}

/// Who was judged in one connection.
#[derive(Debug)]
pub struct Judged(Arc<OnceLock<Arc<PeerIdentity>>>);

impl Judged {
    /// Who the client of the finished handshake is; `connection` must be the one that was accepted with the configuration
    /// this came with.
    pub fn peer(&self, connection: &CommonState) -> Result<Arc<PeerIdentity>, PeerFault> {
        if connection.is_handshaking() {
            return Err(PeerFault::NoCert);
        }
        let shown = connection.peer_certificates().and_then(<[_]>::first).ok_or(PeerFault::NoCert)?;
        let peer = self.0.get().ok_or(PeerFault::NoCert)?;
        if peer.fingerprint() == Sha256::of(shown) { Ok(Arc::clone(peer)) } else { Err(PeerFault::Other) }
    }
}

struct Shared {
    trust: Arc<Trust>,
    environment: Environment,
    observer: RefusalObserver,
    hints: Vec<DistinguishedName>,
    verdicts: Verdicts<PeerIdentity>,
}

struct ClientVerifier {
    shared: Arc<Shared>,
    judged: Arc<OnceLock<Arc<PeerIdentity>>>,
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier")
            .field("environment", &self.shared.environment)
            .finish_non_exhaustive()
    }
}

impl ClientVerifier {
    fn judge(&self, chain: &[CertificateDer<'_>], now: Moment) -> Result<(), Refusal> {
        let Shared { trust, environment, verdicts, .. } = &*self.shared;
        let digest = ChainDigest::of(chain);
        let peer = match verdicts.find(digest, now, now) {
            Some(peer) => peer,
            None => {
                let peer = Arc::new(trust.judge(chain, Purpose::TlsClient, now)?);
                if peer.identity().environment() != *environment {
                    return Err(PeerFault::WrongEnvironment.into());
                }
                verdicts.keep(digest, &peer, now, peer.verdict_ends());
                peer
            }
        };
        // That it counts by grace only stands in the peer, for whoever lets it in.
        // One connection has one client: a second judgement would be another one's.
        self.judged.set(peer).map_err(|_| PeerFault::Other.into())
    }

    fn refuse(&self, refused: &Refused) {
        refused.log("client");
        (self.shared.observer)(refused);
    }

    fn possession(
        &self,
        version: Version,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let signatures = self.shared.trust.policy().signatures;
        check_possession(signatures, version, message, certificate, signature).inspect_err(|error| {
            let fault = PeerFault::of_tls(error).unwrap_or(PeerFault::Other);
            self.refuse(&Refused::new(fault, certificate));
        })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.shared.hints
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
        let (chain, now) = (chain_of(end_entity, intermediates), moment_of_unix(time));
        match self.judge(&chain, now) {
            Ok(()) => Ok(ClientCertVerified::assertion()),
            Err(refusal) => {
                let causes = causes_for_log(&self.shared.trust, &chain, Purpose::TlsClient, now, &refusal);
                self.refuse(&Refused::because(causes, refusal.fault, end_entity));
                Err(refusal.fault.to_tls())
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
        schemes(self.shared.trust.policy().signatures)
    }
}

//! What one listener lets in: its networks, its TLS, its roles, and who its peers are.
//!
//! Each listener has a TLS configuration of its own, and with a table `tls` its own certificate, roots and lists. A peer is
//! judged by those of the listener that it came in at, at its handshake and whenever something changes.

use std::{net::IpAddr, sync::Arc};

use config::{
    GatewayConfig,
    crypto::{Acceptance, CryptoProfile},
    gateway::Listen,
    shared::Credentials,
};
use pki::{
    credential::Credential,
    fault::PeerFault,
    leaf::Purpose,
    peer::PeerIdentity,
    tls::{Groups, RefusalObserver, TlsPolicy, TlsServer, Versions},
    trust::Trust,
};
use protocol::{
    moment::Moment,
    party::{Environment, Role},
};
use rustls_pki_types::CertificateDer;

use super::{MaterialFault, check_stands_for_parties, policy};

/// What connections are accepted with at one address. Which listeners there are never changes while the process runs: the
/// same place in the list is the same listener in every generation.
pub struct Listener {
    /// The operator's name for it.
    pub name: String,
    /// Where it listens, and from where it takes connections.
    pub listen: Listen,
    /// Makes the handshakes.
    pub server: TlsServer,
    environment: Environment,
    line: Arc<Line>,
}

/// Who we are on a line, and what peers on it are judged by.
pub(super) struct Line {
    /// Section of the configuration.
    pub section: String,
    pub credential: Credential,
    pub trust: Arc<Trust>,
}

impl Line {
    pub fn load(
        section: String,
        config: &GatewayConfig,
        files: &Credentials,
        trust: Arc<Trust>,
    ) -> Result<Self, MaterialFault> {
        let credential = Credential::load(&files.certificate, &files.key, &policy(config, files))
            .map_err(|source| MaterialFault::Credential { section: section.clone(), source })?;
        check_stands_for_parties(&section, credential.own().identity(), config)?;
        Ok(Line { section, credential, trust })
    }

    /// The same, with what peers are judged by from now on.
    pub fn with(&self, trust: Arc<Trust>) -> Self {
        Line { section: self.section.clone(), credential: self.credential.clone(), trust }
    }
}

/// What an open connection was accepted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The listener's place in the list.
    pub listener: usize,
    /// The peer's end, or what the balancer says it is.
    pub source: IpAddr,
    /// It speaks TLS 1.2.
    pub is_tls12: bool,
}

impl Listener {
    pub(super) fn new(
        name: &str,
        listen: &Listen,
        config: &GatewayConfig,
        line: &Arc<Line>,
        observer: RefusalObserver,
    ) -> Result<Self, MaterialFault> {
        let trust = Arc::clone(&line.trust);
        let policy = tls_policy(config, listen);
        Ok(Listener {
            name: name.to_owned(),
            listen: listen.clone(),
            server: TlsServer::new(&line.credential, trust, config.environment, policy, observer)?,
            environment: config.environment,
            line: Arc::clone(line),
        })
    }

    /// Judges a connection that is open already as it would be if it came now; the stable word for why not.
    pub fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        accepted: Accepted,
        now: Moment,
    ) -> Result<PeerIdentity, &'static str> {
        let allowed = &self.listen.allowed_prefixes;
        let source = accepted.source.to_canonical();
        if !allowed.is_empty() && !allowed.iter().any(|net| net.contains(&source)) {
            return Err("not_allowed");
        }
        if accepted.is_tls12 && self.listen.tls12 == Acceptance::Refuse {
            return Err("tls12_refused");
        }
        let peer = self.line.trust.verify(chain, Purpose::TlsClient, now).map_err(|fault| fault.code())?;
        if peer.identity().environment() != self.environment {
            return Err(PeerFault::WrongEnvironment.code());
        }
        if self.takes(peer.identity().role()) { Ok(peer) } else { Err(ROLE_NOT_HERE) }
    }

    /// May holders of this role come in here at all?
    pub fn takes(&self, role: Role) -> bool {
        self.listen.roles.is_empty() || self.listen.roles.contains(&role)
    }

    /// Section of the configuration that says what its peers are judged by.
    pub fn section(&self) -> &str {
        &self.line.section
    }

    /// What its peers are judged by.
    pub fn trust(&self) -> &Trust {
        &self.line.trust
    }

    /// Does this host stand in the certificate that we show here?
    pub fn is_dialled_as(&self, host: &str) -> bool {
        self.line.credential.is_dialled_as(host)
    }

    /// Our own certificate here: what it says of the time is held against the clock.
    pub fn own(&self) -> &PeerIdentity {
        self.line.credential.own()
    }
}

/// Why a peer of a role that `roles` of its listener does not name is turned away.
pub const ROLE_NOT_HERE: &str = "role_not_here";

/// What the listener offers and takes.
fn tls_policy(config: &GatewayConfig, listen: &Listen) -> TlsPolicy {
    TlsPolicy {
        versions: match listen.tls12 {
            Acceptance::Accept => Versions::Tls13AndTls12,
            Acceptance::Refuse => Versions::Tls13,
        },
        groups: match config.crypto.profile {
            CryptoProfile::GuidelineStrict => Groups::Guideline,
            CryptoProfile::Usual => Groups::HybridFirst,
        },
    }
}

//! What a reload replaces as a whole: settings, certificates, keys, anchors, revocation lists and rights. Built and
//! checked whole before anybody sees it, then published at once, and never changed.

use std::{path::PathBuf, sync::Arc};

use config::{
    GatewayConfig,
    crypto::{Acceptance, CryptoProfile},
    shared::Credentials,
};
use pki::{
    clock,
    credential::{Credential, CredentialFault},
    evidence::{EvidenceSigner, EvidenceSignerFault, EvidenceVerifier},
    fault::PeerFault,
    leaf::Purpose,
    peer::PeerIdentity,
    policy::{CrlGrace, Policy},
    signatures::Signatures,
    tls::{Groups, RefusalObserver, TlsFault, TlsPolicy, TlsServer, Versions},
    trust::{Trust, TrustFault, TrustFiles},
};
use protocol::{
    kind::System,
    moment::Moment,
    party::{Identity, Party, Role},
    permission::Action,
};
use rustls_pki_types::CertificateDer;

/// Why certificates, keys or lists cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum MaterialFault {
    /// TLS certificate or key.
    #[error("the certificate or key under [tls] cannot be used")]
    Credential(#[from] CredentialFault),
    /// Anchors or CRLs.
    #[error("the anchors or revocation lists under [{section}] cannot be used")]
    Trust {
        /// Section of the configuration.
        section: &'static str,
        /// Why.
        #[source]
        source: TrustFault,
    },
    /// TLS configuration.
    #[error("the TLS configuration cannot be built")]
    Tls(#[from] TlsFault),
    /// Evidence certificate or key.
    #[error("the certificate or key under [evidence] cannot be used")]
    Evidence(#[from] EvidenceSignerFault),
    /// A certificate does not stand for every party of the configuration.
    #[error(
        "the certificate under [{section}] stands for {identity}, and `parties` names {party}; next: correct one of them"
    )]
    NotOurs {
        /// Section of the configuration.
        section: &'static str,
        /// What the certificate names.
        identity: Box<Identity>,
        /// What it does not.
        party: String,
    },
}

/// Everything that a reload can replace.
pub struct InForce {
    /// The settings. Those that a running gateway cannot change are the same in every one: see [`crate::reload`].
    pub config: GatewayConfig,
    /// Signs receipts and refusals.
    pub signer: EvidenceSigner,
    /// Judges manifests and acknowledgements.
    pub verifier: EvidenceVerifier,
    /// What connections are accepted with.
    pub server: TlsServer,
    /// One more with each reload: who was judged under an older one is judged again.
    pub generation: u64,
    credential: Credential,
    trust: Arc<Trust>,
    evidence_trust: Arc<Trust>,
}

impl InForce {
    /// Reads and checks everything that the settings name; certificates that are refused in handshakes are told to
    /// `observer`. Touches no store. Work for a thread that may block.
    pub fn build(
        config: GatewayConfig,
        observer: RefusalObserver,
        generation: u64,
    ) -> Result<Self, MaterialFault> {
        let (tls, evidence) = (policy(&config, &config.tls), policy(&config, &config.evidence));
        let credential = Credential::load(&config.tls.certificate, &config.tls.key, &tls)?;
        let trust = load_trust("tls", &config.tls, tls)?;
        let signer = EvidenceSigner::load(
            &config.evidence.certificate,
            &config.evidence.key,
            &evidence,
            config.environment,
            clock::now(),
        )?;
        let evidence_trust = load_trust("evidence", &config.evidence, evidence)?;
        for party in &config.parties {
            for (section, identity) in [("tls", credential.own().identity()), ("evidence", signer.identity())]
            {
                if !identity.acts_for(party) {
                    let identity = Box::new(identity.clone());
                    return Err(MaterialFault::NotOurs { section, identity, party: party.to_string() });
                }
            }
        }
        let server = TlsServer::new(
            &credential,
            Arc::clone(&trust),
            config.environment,
            tls_policy(&config),
            observer,
        )?;
        Ok(InForce {
            signer,
            verifier: EvidenceVerifier::live(Arc::clone(&evidence_trust)),
            server,
            generation,
            credential,
            trust,
            evidence_trust,
            config,
        })
    }

    /// Refuses a step back in revocation from what is in force now.
    pub fn check_follows(&self, held: &InForce) -> Result<(), MaterialFault> {
        for (section, new, old) in
            [("tls", &self.trust, &held.trust), ("evidence", &self.evidence_trust, &held.evidence_trust)]
        {
            new.check_follows(old).map_err(|source| MaterialFault::Trust { section, source })?;
        }
        Ok(())
    }

    /// Judges the chain of a connection that is open already, as a handshake would now.
    pub fn judge(&self, chain: &[CertificateDer<'_>], now: Moment) -> Result<PeerIdentity, PeerFault> {
        let peer = self.trust.verify(chain, Purpose::TlsClient, now)?;
        if peer.identity().environment() != self.config.environment {
            return Err(PeerFault::WrongEnvironment);
        }
        Ok(peer)
    }

    /// What certificates shown for this purpose are judged by.
    pub fn trust_for(&self, purpose: Purpose) -> &Trust {
        match purpose {
            Purpose::Evidence => &self.evidence_trust,
            Purpose::TlsClient | Purpose::TlsServer => &self.trust,
        }
    }

    /// Does this host stand in the certificate that we show on the line?
    pub fn is_dialled_as(&self, host: &str) -> bool {
        self.credential.is_dialled_as(host)
    }

    /// Our own certificates: what they say of the time is held against the clock.
    pub fn own(&self) -> [&PeerIdentity; 1] {
        [self.credential.own()]
    }

    /// May a caller of this role do this at one of our parties?
    pub fn permits(&self, from: Role, system: System, action: Action) -> bool {
        let permissions = &self.config.permissions;
        self.config.parties.iter().any(|party| permissions.allow(from, party.role(), system, action))
    }

    /// What weakens this gateway by its settings, for the audit log; nothing as it should be.
    pub fn dangers(&self) -> Option<String> {
        let graces = [("tls", &self.config.tls), ("evidence", &self.config.evidence)];
        let named: Vec<String> = graces
            .into_iter()
            .filter_map(|(section, credentials)| {
                let grace = credentials.danger_crl_grace.as_ref()?;
                let (seconds, issuer) = (grace.length.as_secs(), &grace.issuer);
                Some(format!("{section}.danger_crl_grace {seconds} s for {issuer}"))
            })
            .collect();
        (!named.is_empty()).then(|| named.join("; "))
    }

    /// May a caller of this role do this at this one of our parties?
    pub fn permits_at(&self, from: Role, at: &Party, system: System, action: Action) -> bool {
        self.config.permissions.allow(from, at.role(), system, action)
    }

    /// When our own certificates end, for people.
    pub fn ends(&self) -> [(&'static str, Moment); 2] {
        [("tls", self.credential.own().not_after()), ("evidence", self.signer.not_after())]
    }

    /// The revocation lists of this section, for people and metrics.
    pub fn trusts(&self) -> [(&'static str, &Trust); 2] {
        [("tls", &self.trust), ("evidence", &self.evidence_trust)]
    }
}

/// Every file whose change means something.
pub fn files_of(config: &GatewayConfig) -> Vec<PathBuf> {
    config.tls.files().chain(config.evidence.files()).map(PathBuf::from).collect()
}

/// How certificates of one section are judged.
fn policy(config: &GatewayConfig, section: &Credentials) -> Policy {
    let signatures = match (config.crypto.profile, config.crypto.ml_dsa) {
        (CryptoProfile::GuidelineStrict, _) => Signatures::Guideline,
        (CryptoProfile::Usual, Acceptance::Accept) => Signatures::WithMlDsa,
        (CryptoProfile::Usual, Acceptance::Refuse) => Signatures::Usual,
    };
    let grace = section.danger_crl_grace.as_ref();
    let danger_crl_grace = grace.and_then(|grace| CrlGrace::new(&grace.issuer, grace.length));
    Policy { identities: config.identities.clone(), signatures, danger_crl_grace }
}

/// What the listener offers and takes.
fn tls_policy(config: &GatewayConfig) -> TlsPolicy {
    TlsPolicy {
        versions: match config.listen.tls12 {
            Acceptance::Accept => Versions::Tls13AndTls12,
            Acceptance::Refuse => Versions::Tls13,
        },
        groups: match config.crypto.profile {
            CryptoProfile::GuidelineStrict => Groups::Guideline,
            CryptoProfile::Usual => Groups::HybridFirst,
        },
    }
}

fn load_trust(
    section: &'static str,
    credentials: &Credentials,
    policy: Policy,
) -> Result<Arc<Trust>, MaterialFault> {
    let files = TrustFiles {
        anchors: credentials.anchors.clone(),
        issuers: credentials.issuers.clone(),
        crls: credentials.crls.clone(),
    };
    let trust = Trust::load(&files, policy, clock::now())
        .map_err(|source| MaterialFault::Trust { section, source })?;
    Ok(Arc::new(trust))
}

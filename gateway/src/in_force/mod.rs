//! What a reload replaces as a whole: settings, certificates, keys, anchors, revocation lists and rights. Built and
//! checked whole before anybody sees it, then published at once, and never changed.

mod listener;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use config::{
    GatewayConfig,
    crypto::{Acceptance, CryptoProfile},
    gateway::MAIN_LISTENER,
    shared::Credentials,
};
use pki::{
    clock,
    credential::CredentialFault,
    crl_cache::CrlCache,
    evidence::{EvidenceSigner, EvidenceSignerFault, EvidenceVerifier},
    peer::PeerIdentity,
    policy::{CrlGrace, Policy},
    signatures::Signatures,
    tls::{RefusalObserver, TlsFault},
    trust::{Trust, TrustFault, TrustFiles},
};
use protocol::{
    kind::System,
    moment::Moment,
    party::{Identity, Party, Role},
    permission::Action,
};
use rustls_pki_types::CertificateDer;

use crate::stream::Route;
use listener::Line;
pub use listener::{Accepted, Listener, ROLE_NOT_HERE};

/// Why certificates, keys or lists cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum MaterialFault {
    /// TLS certificate or key.
    #[error("the certificate or key under [{section}] cannot be used")]
    Credential {
        /// Section of the configuration.
        section: String,
        /// Why.
        #[source]
        source: CredentialFault,
    },
    /// Anchors or CRLs.
    #[error("the anchors or revocation lists under [{section}] cannot be used")]
    Trust {
        /// Section of the configuration.
        section: String,
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
        section: String,
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
    pub signer: Arc<EvidenceSigner>,
    /// Judges manifests and acknowledgements.
    pub verifier: EvidenceVerifier,
    /// One more with each reload: who was judged under an older one is judged again.
    pub generation: u64,
    listeners: Vec<Listener>,
    /// Those of the listeners, each once.
    lines: Vec<Arc<Line>>,
    evidence_trust: Arc<Trust>,
    routes: Vec<Arc<Route>>,
}

impl InForce {
    /// Reads and checks everything that the settings name; certificates that are refused in handshakes are told to
    /// `observer`. Touches no store. Work for a thread that may block.
    pub fn build(
        config: GatewayConfig,
        observer: RefusalObserver,
        generation: u64,
    ) -> Result<Self, MaterialFault> {
        InForce::build_after(None, config, observer, generation)
    }

    /// As [`InForce::build`], to take the place of `held`.
    pub fn rebuild(
        config: GatewayConfig,
        observer: RefusalObserver,
        held: &InForce,
    ) -> Result<Self, MaterialFault> {
        let new = InForce::build_after(Some(held), config, observer, held.generation + 1)?;
        new.check_follows(held)?;
        Ok(new)
    }

    fn build_after(
        held: Option<&InForce>,
        config: GatewayConfig,
        observer: RefusalObserver,
        generation: u64,
    ) -> Result<Self, MaterialFault> {
        let trust_of = |section: &str, files| {
            let held = held.and_then(|held| held.trusts().into_iter().find(|(name, _)| *name == section));
            load_trust(section, files, &config, held.map(|(_, trust)| trust))
        };
        let own = config
            .listeners
            .iter()
            .filter_map(|listener| Some((listener.tls_section(), listener.tls.as_ref()?)));
        let lines = [("tls".to_owned(), &config.tls)]
            .into_iter()
            .chain(own)
            .map(|(section, files)| {
                let trust = trust_of(&section, files)?;
                Ok(Arc::new(Line::load(section, &config, files, trust)?))
            })
            .collect::<Result<Vec<_>, MaterialFault>>()?;
        let signer = EvidenceSigner::load(
            &config.evidence.certificate,
            &config.evidence.key,
            &policy(&config, &config.evidence),
            config.environment,
            clock::now(),
        )?;
        check_stands_for_parties("evidence", signer.identity(), &config)?;
        let evidence_trust = trust_of("evidence", &config.evidence)?;
        let routes = held.map(|held| held.routes.as_slice()).unwrap_or_default();
        InForce::assemble(config, lines, Arc::new(signer), evidence_trust, observer, generation, routes)
    }

    /// Makes the listeners; the first of `lines` is that of `[tls]`.
    fn assemble(
        config: GatewayConfig,
        lines: Vec<Arc<Line>>,
        signer: Arc<EvidenceSigner>,
        evidence_trust: Arc<Trust>,
        observer: RefusalObserver,
        generation: u64,
        routes: &[Arc<Route>],
    ) -> Result<Self, MaterialFault> {
        let further = config.listeners.iter().map(|further| {
            let section = further.tls.as_ref().map_or_else(|| "tls".to_owned(), |_| further.tls_section());
            (further.name.as_str(), &further.listen, section)
        });
        let listeners = [(MAIN_LISTENER, &config.listen, "tls".to_owned())]
            .into_iter()
            .chain(further)
            .filter_map(|(name, listen, section)| {
                let line = lines.iter().find(|line| line.section == section)?;
                Some(Listener::new(name, listen, &config, line, Arc::clone(&observer)))
            })
            .collect::<Result<Vec<_>, MaterialFault>>()?;
        Ok(InForce {
            signer,
            verifier: EvidenceVerifier::live(Arc::clone(&evidence_trust)),
            generation,
            listeners,
            lines,
            evidence_trust,
            routes: Route::all(&config.routes, config.link.stall_max, routes),
            config,
        })
    }

    /// The same with other lists in some sections, taken from what is in force and not from files: a configuration that is
    /// being edited, or a key that is being renewed, cannot hold up a revocation.
    pub fn with_lists(
        &self,
        mut new: BTreeMap<String, Trust>,
        observer: RefusalObserver,
    ) -> Result<Self, MaterialFault> {
        let mut newest =
            |section: &str, held: &Arc<Trust>| new.remove(section).map_or_else(|| Arc::clone(held), Arc::new);
        let lines =
            self.lines.iter().map(|line| Arc::new(line.with(newest(&line.section, &line.trust)))).collect();
        let evidence_trust = newest("evidence", &self.evidence_trust);
        let signer = Arc::clone(&self.signer);
        let (config, generation) = (self.config.clone(), self.generation + 1);
        InForce::assemble(config, lines, signer, evidence_trust, observer, generation, &self.routes)
    }

    /// Every listener, that of `[listen]` first.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The streamed route that covers this path.
    pub fn route(&self, path: &str) -> Option<Arc<Route>> {
        self.routes.iter().find(|route| route.covers(path)).cloned()
    }

    /// Does this host stand in the certificate that we show at this listener?
    pub fn is_dialled_as(&self, listener: usize, host: &str) -> bool {
        self.listeners.get(listener).is_some_and(|listener| listener.is_dialled_as(host))
    }

    /// Judges a connection that is open already as its listener would now; the stable word for why not.
    fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        accepted: Accepted,
        now: Moment,
    ) -> Result<PeerIdentity, &'static str> {
        // There is always one: which listeners there are does not change.
        let listener = self.listeners.get(accepted.listener).ok_or("other")?;
        listener.judge(chain, accepted, now)
    }

    /// Judges a connection that is open already, and was let in as `held`: what it began was begun under that name, so it
    /// ends if its certificate now names somebody else.
    pub fn judge_again(
        &self,
        held: &PeerIdentity,
        chain: &[CertificateDer<'_>],
        accepted: Accepted,
        now: Moment,
    ) -> Result<(), &'static str> {
        let judged = self.judge(chain, accepted, now)?;
        if judged.identity() == held.identity() { Ok(()) } else { Err(IDENTITY_CHANGED) }
    }

    /// Refuses a step back in revocation from what is in force now: at each listener, wherever it takes its lists from, and
    /// for evidence.
    fn check_follows(&self, held: &InForce) -> Result<(), MaterialFault> {
        let listeners = self.listeners.iter().zip(&held.listeners);
        let listeners = listeners.map(|(new, held)| (new.section(), new.trust(), held.trust()));
        let evidence = ("evidence", self.evidence_trust(), held.evidence_trust());
        for (section, new, held) in listeners.chain([evidence]) {
            let failed = |source| MaterialFault::Trust { section: section.to_owned(), source };
            new.check_follows(held).map_err(failed)?;
        }
        Ok(())
    }

    /// What certificates shown as evidence are judged by.
    pub fn evidence_trust(&self) -> &Trust {
        &self.evidence_trust
    }

    /// When our own certificates end, for people.
    pub fn ends(&self) -> Vec<(&str, Moment)> {
        let line = self.lines.iter().map(|line| (line.section.as_str(), line.credential.own().not_after()));
        line.chain([("evidence", self.signer.not_after())]).collect()
    }

    /// What certificates are judged by, with the section of the configuration that says so.
    pub fn trusts(&self) -> Vec<(&str, &Trust)> {
        let line = self.lines.iter().map(|line| (line.section.as_str(), &*line.trust));
        line.chain([("evidence", &*self.evidence_trust)]).collect()
    }

    /// May a caller of this role do this at one of our parties?
    pub fn permits(&self, from: Role, system: System, action: Action) -> bool {
        let permissions = &self.config.permissions;
        self.config.parties.iter().any(|party| permissions.allow(from, party.role(), system, action))
    }

    /// What weakens this gateway by its settings, for the audit log; nothing as it should be.
    pub fn dangers(&self) -> Option<String> {
        let named: Vec<String> = sections(&self.config)
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
}

/// Why a connection ends whose certificate names somebody else since the rules under `[identity]` were changed.
const IDENTITY_CHANGED: &str = "identity_changed";

/// Every table with certificates, by its name.
pub fn sections(config: &GatewayConfig) -> impl Iterator<Item = (String, &Credentials)> {
    let further =
        config.listeners.iter().filter_map(|listener| Some((listener.tls_section(), listener.tls.as_ref()?)));
    [("tls".to_owned(), &config.tls), ("evidence".to_owned(), &config.evidence)].into_iter().chain(further)
}

/// Every file whose change means something.
pub fn files_of(config: &GatewayConfig) -> Vec<PathBuf> {
    sections(config).flat_map(|(_, credentials)| credentials.files()).map(PathBuf::from).collect()
}

/// Our certificate must name everybody whom we receive for.
fn check_stands_for_parties(
    section: &str,
    identity: &Identity,
    config: &GatewayConfig,
) -> Result<(), MaterialFault> {
    match config.parties.iter().find(|party| !identity.acts_for(party)) {
        None => Ok(()),
        Some(party) => Err(MaterialFault::NotOurs {
            section: section.to_owned(),
            identity: Box::new(identity.clone()),
            party: party.to_string(),
        }),
    }
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

fn load_trust(
    section: &str,
    credentials: &Credentials,
    config: &GatewayConfig,
    held: Option<&Trust>,
) -> Result<Arc<Trust>, MaterialFault> {
    let cache = CrlCache::below(&config.storage.data);
    let files = TrustFiles {
        anchors: credentials.anchors.clone(),
        issuers: credentials.issuers.clone(),
        crls: credentials.crls.clone(),
        fetched: credentials.crl_urls.iter().map(|url| cache.file(url.as_str())).collect(),
    };
    let (policy, now) = (policy(config, credentials), clock::now());
    let trust = match held {
        Some(held) => Trust::load_after(held, &files, policy, now),
        None => Trust::load(&files, policy, now),
    };
    trust.map(Arc::new).map_err(|source| MaterialFault::Trust { section: section.to_owned(), source })
}

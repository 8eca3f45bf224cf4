//! Case 23: our verdict beside those of the libraries' own verifiers and of suites of certificates made to be wrong.
//!
//! The suites, C2SP x509-limbo and Netflix BetterTLS, are too large for this repository. They lie in the directory `vectors`
//! of the one that SEKISHO_CHECK_DATA names; without it these tests say so and pass.
//!
//! Two claims. We are never looser than rustls' verifiers with the same anchors and lists. And what those accept although a
//! suite says that it is wrong is refused by our strict layer, or stands in `differential/accepted_on_purpose.txt` with the
//! reason.

mod bettertls;
mod limbo;
mod lists;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use protocol::moment::Moment;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::aws_lc_rs,
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, ServerName};
use webpki::EndEntityCert;

use crate::{
    anchors::Anchors,
    clock::unix_time,
    crl_index::{Consulted, CrlIndex, Status},
    fault::PeerFault,
    issuer::Issuer,
    leaf::Purpose,
    path::Judge,
    policy::Policy,
};

/// A chain to judge.
struct Trial<'a> {
    anchors: Vec<CertificateDer<'a>>,
    /// Leaf first.
    chain: Vec<CertificateDer<'a>>,
    /// None: revocation is left out of the judgement.
    lists: Vec<CertificateRevocationListDer<'a>>,
    /// The name of the server; a client has none.
    server: Option<ServerName<'static>>,
    at: Moment,
}

impl Trial<'_> {
    /// What rustls says with its own verifiers, all lists required to be in force.
    fn of_library(&self) -> Result<(), String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for anchor in &self.anchors {
            roots.add(anchor.clone().into_owned()).map_err(|error| error.to_string())?;
        }
        let roots = Arc::new(roots);
        let lists: Vec<_> =
            self.lists.iter().map(|list| CertificateRevocationListDer::from(list.to_vec())).collect();
        let (leaf, intermediates) = self.chain.split_first().ok_or("no chain")?;
        let time = unix_time(self.at);
        match &self.server {
            Some(name) => WebPkiServerVerifier::builder_with_provider(roots, provider)
                .with_crls(lists)
                .enforce_revocation_expiration()
                .build()
                .map_err(|error| error.to_string())?
                .verify_server_cert(leaf, intermediates, name, &[], time)
                .map(drop),
            None => WebPkiClientVerifier::builder_with_provider(roots, provider)
                .with_crls(lists)
                .enforce_revocation_expiration()
                .build()
                .map_err(|error| error.to_string())?
                .verify_client_cert(leaf, intermediates, time)
                .map(drop),
        }
        .map_err(|error| error.to_string())
    }

    /// What we say, whoever the certificate names and however long it lives: those of the suites name nobody of ours.
    fn of_us(&self) -> Result<(), String> {
        let policy = Policy::default();
        let mut anchors = Anchors::default();
        for anchor in &self.anchors {
            // As at load: an anchor outside its dates stops the whole.
            anchors.add(anchor, policy.signatures, Some(self.at)).map_err(|fault| fault.to_string())?;
        }
        let mut index = CrlIndex::default();
        // The authorities below the anchors are configured beside them, for their lists.
        let below = self.chain.iter().skip(1).filter_map(|der| Issuer::of(der, policy.signatures));
        let below: Vec<Issuer> = below.collect();
        for list in &self.lists {
            let authorities = anchors.iter().map(|anchor| anchor.issuer()).chain(&below);
            index
                .add(list, authorities, policy.signatures, self.at)
                .map_err(|refused| refused.fault.to_string())?;
        }
        let purpose = if self.server.is_some() { Purpose::TlsServer } else { Purpose::TlsClient };
        let judge = Judge {
            anchors: &anchors,
            policy: &policy,
            purpose,
            at: self.at,
            revocation: &|issuer, subject| match self.lists.is_empty() {
                true => Consulted { status: Status::Good, list: None, revoked_from: None },
                false => index.consult(&issuer.id(), subject, self.at, None),
            },
        };
        match judge.judge(&self.chain).map_err(|refusal| refusal.fault) {
            // Looked for last, when all else is good. Most certificates of the suites live for centuries, which alone would
            // refuse them, whatever else is wrong or right with them.
            Ok(_) | Err(PeerFault::LifetimeTooLong | PeerFault::BadIdentity) => {}
            Err(fault) => return Err(fault.to_string()),
        }
        let (Some(name), Some(leaf)) = (&self.server, self.chain.first()) else { return Ok(()) };
        EndEntityCert::try_from(leaf)
            .and_then(|leaf| leaf.verify_is_valid_for_subject_name(name))
            .map_err(|_| PeerFault::NameNotAllowed.to_string())
    }
}

/// The verdicts on all trials of a suite.
#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: usize,
    /// Accepted by us, refused by the library.
    looser: Vec<String>,
    /// Accepted by us, wrong by the suite.
    against_suite: BTreeMap<String, String>,
    /// Refused by us though the library and the suite accept: how often for which reason.
    stricter: BTreeMap<String, usize>,
}

impl Tally {
    fn note(&mut self, id: &str, trial: &Trial<'_>, right_by_suite: bool, about: &str) {
        let (library, us) = (trial.of_library(), trial.of_us());
        match &us {
            Ok(()) => self.accepted += 1,
            Err(_) => self.refused += 1,
        }
        if let (Ok(()), Err(refusal)) = (&us, &library) {
            self.looser.push(format!("{id}: the library says {refusal}"));
        }
        if us.is_ok() && !right_by_suite {
            self.against_suite.insert(id.to_owned(), about.to_owned());
        }
        if let (Err(fault), Ok(()), true) = (us, library, right_by_suite) {
            *self.stricter.entry(fault).or_default() += 1;
        }
    }

    /// Both claims, for the identifiers that begin like this.
    fn assert_claims(&self, prefix: &str) {
        println!(
            "{prefix}: {} accepted, {} refused; stricter than the library and the suite: {:?}",
            self.accepted, self.refused, self.stricter
        );
        assert!(self.looser.is_empty(), "looser than the library:\n{}", self.looser.join("\n"));
        let on_purpose = accepted_on_purpose(prefix);
        let unexplained: Vec<String> = self
            .against_suite
            .iter()
            .filter(|(id, _)| !on_purpose.contains_key(id.as_str()))
            .map(|(id, about)| format!("{id}\t{about}"))
            .collect();
        assert!(
            unexplained.is_empty(),
            "accepted against the suite, without a reason:\n{}",
            unexplained.join("\n")
        );
        let stale: Vec<&&str> =
            on_purpose.keys().filter(|id| !self.against_suite.contains_key(**id)).collect();
        assert!(stale.is_empty(), "listed as accepted on purpose, and not accepted: {stale:?}");
    }
}

/// Identifier and reason of every trial that is accepted on purpose.
fn accepted_on_purpose(prefix: &str) -> BTreeMap<&'static str, &'static str> {
    let lines = include_str!("differential/accepted_on_purpose.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once('\t').expect("an identifier, a tabulator, a reason"));
    pairs.filter(|(id, _)| id.starts_with(prefix)).collect()
}

/// A file of the suites; `None`, said aloud, where they are not.
fn suite(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("SEKISHO_CHECK_DATA").filter(|data| !data.is_empty());
    let Some(data) = data else {
        println!("left out: SEKISHO_CHECK_DATA does not name the directory with vectors/{name}");
        return None;
    };
    let file = PathBuf::from(data).join("vectors").join(name);
    if !file.exists() {
        println!("left out: there is no {}", file.display());
        return None;
    }
    Some(file)
}

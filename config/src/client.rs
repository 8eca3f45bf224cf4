//! The client's settings file, `sekisho.toml`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{
    identity_rule::IdentityRules,
    party::{Environment, Party},
};

use crate::{
    crypto::Crypto,
    fetching::{self, Fetching},
    identity::read_identities,
    limits,
    mistake::ConfigError,
    network::{ClientLine, Network},
    reader::{self, Fault, HostName, HostPort, Key, Section},
    sending::Sending,
    shared::{Contact, Credentials, read_detect_max, read_environment},
};

/// The settings of the `sekisho` command. Every path in it is absolute or starts where the process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// Real claims, or a lab.
    pub environment: Environment,
    /// The sender, unless a command names another code of the certificate.
    pub party: Party,
    /// Where files go.
    pub centre: Centre,
    /// The one line that connections leave on.
    pub line: ClientLine,
    /// What is declared about that line.
    pub network: Network,
    /// Who we are on the line, and which centre counts.
    pub tls: Credentials,
    /// What signs our evidence, and whose evidence counts.
    pub evidence: Credentials,
    /// Who is who, told by certificates.
    pub identities: IdentityRules,
    /// Which algorithms count.
    pub crypto: Crypto,
    /// How revocation lists are fetched.
    pub crl: Fetching,
    /// Where the client keeps things.
    pub storage: ClientStorage,
    /// How a lost or stalled line is noticed.
    pub link: ClientLink,
    /// How much is sent at once, and how fast.
    pub sending: Sending,
    /// When to try again.
    pub retry: Retry,
    /// Whom to call.
    pub contact: Contact,
}

/// `[centre]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Centre {
    /// Where it is reached.
    pub address: HostPort,
    /// The name its certificate must carry.
    pub server_name: HostName,
    /// The receiver of the files.
    pub party: Party,
}

/// `[storage]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStorage {
    /// The send log with its key, and transfers not yet ended.
    pub data: PathBuf,
}

/// `[link]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLink {
    /// Within this time a dead line is noticed.
    pub detect_max: Duration,
    /// A centre that moves no byte for this time is given up.
    pub stall_max: Duration,
    /// How long one answer may take.
    pub answer_max: Duration,
}

/// `[retry]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts at one transfer, the first included; at least one.
    pub attempts: u32,
    /// The wait before the second attempt.
    pub first_wait: Duration,
    /// No wait is longer; never below `first_wait`.
    pub longest_wait: Duration,
}

impl ClientSettings {
    /// Reads the file and looks whether the files it names are there.
    ///
    /// # Errors
    /// If the file cannot be read, or with every mistake found in it.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        reader::load(file, Self::read)
    }

    /// Reads the settings from their text, without looking at any file; `file` names it in messages, and relative
    /// paths start from its directory.
    ///
    /// # Errors
    /// With every mistake found.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        reader::parse(text, file, Self::read)
    }

    pub(crate) fn read(root: &Section<'_>) -> Option<Self> {
        let environment = read_environment(root);
        let party = read_sender(root);
        let centre = Centre::read(root);
        let line = ClientLine::read(root, centre.as_ref().map(|centre| &centre.address));
        let network = Network::read(root, environment);
        let tls = Credentials::read_tls(root);
        let evidence = Credentials::read_evidence(root, &Credentials::of_tls(tls.as_ref()));
        let identities = read_identities(root);
        let crypto = Crypto::read(root);
        let crl = Fetching::read(&root.section("crl", fetching::MEANING), environment);
        let storage = ClientStorage::read(root);
        let link = ClientLink::read(root, environment);
        let sending = Sending::read(root);
        let retry = Retry::read(root);
        let contact = Contact::read(root);
        Some(ClientSettings {
            environment: environment?,
            party: party?,
            centre: centre?,
            line: line?,
            network: network?,
            tls: tls?,
            evidence: evidence?,
            identities: identities?,
            crypto: crypto?,
            crl: crl?,
            storage: storage?,
            link: link?,
            sending: sending?,
            retry: retry?,
            contact: contact?,
        })
    }
}

fn read_sender(root: &Section<'_>) -> Option<Party> {
    let party: Party = root.required(&Key::new(
        "party",
        "The sender as role:code, unless a command names another code of the certificate. A billing agent names an \
         institution it acts for.",
        "\"institution:1310000018\"",
    ))?;
    let speaks_for = party.role().speaks_for();
    if speaks_for != party.role() {
        root.refuse(
            "party",
            Fault::new(
                format!("a {} sends for others", party.role()),
                format!("write the party it sends for, \"{speaks_for}:{}\"", party.code()),
            ),
        );
    }
    Some(party)
}

impl Centre {
    /// What a request names as its host: that of the handshake, at the port that is dialled.
    pub fn host(&self) -> String {
        self.address.at(&self.server_name).to_string()
    }

    fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("centre", "Where files go.");
        let address: Option<HostPort> = section.required(&Key::new(
            "address",
            "Host and port of the centre's gateway.",
            "\"centre.example.jp:443\"",
        ));
        let server_name = section.optional(&Key::new(
            "server_name",
            "The name in the centre's certificate, if it is not the host in the address.",
            "\"centre.example.jp\"",
        ));
        let party = section.required(&Key::new(
            "party",
            "The receiver as role:code; its certificate must name that code.",
            "\"review-agency:113\"",
        ));
        let address = address?;
        let server_name = server_name?.unwrap_or_else(|| address.host().clone());
        Some(Centre { address, server_name, party: party? })
    }
}

impl ClientStorage {
    fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("storage", "Where the client keeps things.");
        let data = section.required(&Key::new(
            "data",
            "Directory of the send log, its key, the receipts, and transfers not yet ended; on a local disk.",
            "\"data\"",
        ))?;
        Some(ClientStorage { data })
    }
}

impl ClientLink {
    fn read(root: &Section<'_>, environment: Option<Environment>) -> Option<Self> {
        let section = root.section("link", "How a lost or stalled line is noticed.");
        let detect_max = read_detect_max(&section, environment);
        let stall_max = section.limit(&limits::STALL_MAX);
        let answer_max = section.limit(&limits::ANSWER_MAX);
        Some(ClientLink { detect_max: detect_max?, stall_max: stall_max?, answer_max: answer_max? })
    }
}

impl Retry {
    fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("retry", "When to try again after a lost line. Each attempt is logged.");
        let attempts = section.limit(&limits::RETRY_ATTEMPTS);
        let first_wait = section.limit(&limits::RETRY_FIRST_WAIT);
        let longest_wait = section.limit(&limits::RETRY_LONGEST_WAIT);
        let retry = Retry { attempts: attempts?, first_wait: first_wait?, longest_wait: longest_wait? };
        if retry.longest_wait < retry.first_wait {
            section.refuse(
                "longest_wait",
                Fault::new("is below first_wait", "write at least as much as first_wait"),
            );
        }
        Some(retry)
    }
}

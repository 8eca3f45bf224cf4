//! The gateway's configuration file, `gateway.toml`.

mod listen;
mod lists;
mod operation;
mod permissions;
mod process;
mod route;
mod spool;
mod words;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;

use protocol::{
    identity_rule::IdentityRules,
    kind::{Class, Kind},
    party::{Environment, Party, Role},
    permission::Permissions,
};

pub use listen::{Listen, Listener, MAIN_LISTENER};
pub use lists::Lists;
pub use operation::{Metrics, Reload};
pub use process::{Confine, Process};
pub use route::Route;
pub use spool::{Seal, Spool};
pub use words::{Completeness, GatewayRole, LogFormat, LogLevel};

use crate::{
    crypto::Crypto,
    identity::read_identities,
    limits,
    mistake::ConfigError,
    network::Network,
    reader::{self, Choice, Fault, Key, Section},
    shared::{Contact, Credentials, read_detect_max, read_environment},
};

/// The gateway's configuration. Every path in it is absolute or starts where the process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Real claims, or a lab.
    pub environment: Environment,
    /// Which end of the line the gateway is.
    pub role: GatewayRole,
    /// The receivers this gateway takes files for; at least one, each once.
    pub parties: Vec<Party>,
    /// Where it listens, and from where it takes connections.
    pub listen: Listen,
    /// What is declared about the line.
    pub network: Network,
    /// Who it is on the line, and whom it lets in.
    pub tls: Credentials,
    /// Further addresses that it listens at.
    pub listeners: Vec<Listener>,
    /// What signs its evidence, and whose evidence counts.
    pub evidence: Credentials,
    /// Who is who, told by certificates.
    pub identities: IdentityRules,
    /// Which algorithms count.
    pub crypto: Crypto,
    /// How revocation lists are fetched and served.
    pub crl: Lists,
    /// Where it keeps things.
    pub storage: Storage,
    /// What seals content on its way.
    pub spool: Spool,
    /// How a lost, stalled or slow line is noticed.
    pub link: Link,
    /// How much of everything.
    pub limits: Limits,
    /// Who may do what, beside the built-in table.
    pub permissions: Permissions,
    /// Requests that are passed on to systems behind the gateway.
    pub routes: Vec<Route>,
    /// How claims files are checked.
    pub claims: Claims,
    /// The kinds of file it takes.
    pub kinds: AcceptedKinds,
    /// How it logs.
    pub log: Log,
    /// Numbers for a monitoring system.
    pub metrics: Metrics,
    /// When changed files are taken up.
    pub reload: Reload,
    /// What the process takes from itself.
    pub process: Process,
    /// Whom to call.
    pub contact: Contact,
}

/// `[storage]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Ledger, spool, log key and admin socket; nobody else's business.
    pub data: PathBuf,
    /// Where complete files are handed over.
    pub inbox: PathBuf,
}

/// `[link]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Within this time a dead line is noticed.
    pub detect_max: Duration,
    /// A peer that moves no byte for this time is given up.
    pub stall_max: Duration,
    /// The slowest transfer borne, in bytes per second, averaged over `stall_max`.
    pub min_rate_bytes_per_second: u64,
    /// From the accepted connection to the finished handshake.
    pub handshake_max: Duration,
    /// From the first byte of a request to the end of its headers.
    pub header_max: Duration,
    /// How long the sender is kept waiting for its receipt.
    pub receipt_wait: Duration,
    /// How long running transfers may go on at shutdown.
    pub drain_max: Duration,
}

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest file, in bytes.
    pub file_bytes_max: u64,
    /// Connections open at the same time.
    pub connections_max: u32,
    /// Connections of one identity open at the same time.
    pub connections_per_identity_max: u32,
    /// Connections from one source prefix open at the same time.
    pub connections_per_prefix_max: u32,
    /// Bits of an IPv4 address that make a source prefix.
    pub prefix_bits_v4: u32,
    /// Bits of an IPv6 address that make a source prefix.
    pub prefix_bits_v6: u32,
    /// Source networks that no limit per prefix applies to.
    pub exempt_prefixes: Vec<IpNet>,
    /// Handshakes under way at the same time.
    pub handshakes_max: u32,
    /// Handshakes that one source prefix may begin in a second.
    pub handshakes_per_prefix_per_second_max: u32,
    /// The longest life of a connection.
    pub connection_life_max: Duration,
    /// Transfers receiving content at the same time.
    pub transfers_max: u32,
    /// Transfers receiving content at the same time, of one identity.
    pub transfers_per_identity_max: u32,
    /// Requests of one identity in a second.
    pub requests_per_identity_per_second_max: u32,
    /// Attempts that one sender may begin in a minute.
    pub attempts_per_sender_per_minute_max: u32,
    /// Transfers of one sender that are not yet ended.
    pub open_transfers_per_sender_max: u32,
    /// Transfers that one sender may offer in a day.
    pub transfers_per_sender_per_day_max: u32,
    /// Bytes that one sender may offer in a day.
    pub bytes_per_sender_per_day_max: u64,
    /// Bytes of the disk with ledger and log that only they may use.
    pub audit_reserve_bytes: u64,
    /// The largest body that is no file, in bytes.
    pub body_bytes_max: u64,
}

/// `[claims]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// What happens to a claims file that does not end as one.
    pub completeness: Completeness,
}

/// `[kinds.*]`: what is taken, and the class each kind travels in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedKinds(Vec<(Kind, Class)>);

impl AcceptedKinds {
    /// The class files of this kind travel in; `None` if the kind is not taken.
    pub fn class_of(&self, kind: Kind) -> Option<Class> {
        self.iter().find(|(accepted, _)| *accepted == kind).map(|(_, class)| class)
    }

    /// The kinds taken, at least one, with their classes.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, Class)> {
        self.0.iter().copied()
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// The least important line written.
    pub level: LogLevel,
}

impl GatewayConfig {
    /// Reads the file and looks whether the files it names are there.
    ///
    /// # Errors
    /// If the file cannot be read, or with every mistake found in it.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        reader::load(file, Self::read)
    }

    /// Reads the configuration from its text, without looking at any file; `file` names it in messages, and relative
    /// paths start from its directory.
    ///
    /// # Errors
    /// With every mistake found.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        reader::parse(text, file, Self::read)
    }

    /// Reads nothing but where the gateway keeps its data, whatever else is wrong with the file: whoever wants to ask a
    /// running gateway something must not have to mend its settings first.
    ///
    /// # Errors
    /// If the file cannot be read, or does not say.
    pub fn load_data_directory(file: &Path) -> Result<PathBuf, ConfigError> {
        reader::load_part(file, |root| root.section("storage", "").required(&DATA))
    }

    pub(crate) fn read(root: &Section<'_>) -> Option<Self> {
        let environment = read_environment(root);
        let role = root.required(&Key::new("role", "Which end of the line this gateway is.", "\"centre\""));
        let parties = read_parties(root);
        let listen = Listen::read_main(root, environment);
        let network = Network::read(root, environment);
        let tls = Credentials::read_tls(root);
        let listeners = Listener::read_all(root, environment, listen.as_ref());
        let evidence = Credentials::read_evidence(root, &own_on_lines(tls.as_ref(), listeners.as_deref()));
        let identities = read_identities(root);
        let crypto = Crypto::read(root);
        let further = listeners.iter().flatten().map(|further| further.listen.address);
        let mut taken: Vec<_> = listen.iter().map(|main| main.address).chain(further).collect();
        let crl = Lists::read(root, environment, &taken);
        let storage = Storage::read(root);
        let link = Link::read(root, environment);
        let limits = Limits::read(root);
        let permissions = permissions::read(root, parties.as_deref());
        let routes = Route::read_all(root, environment, parties.as_deref());
        let claims = Claims::read(root);
        let kinds = AcceptedKinds::read(root);
        let spool = Spool::read(
            root,
            environment,
            kinds.as_ref(),
            storage.as_ref().map(|storage| storage.data.as_path()),
        );
        let log = Log::read(root);
        taken.extend(crl.as_ref().and_then(|crl| crl.serve));
        let metrics = Metrics::read(root, &taken);
        let reload = Reload::read(root);
        let process = Process::read(root, environment);
        let contact = Contact::read(root);
        Some(GatewayConfig {
            environment: environment?,
            role: role?,
            parties: parties?,
            listen: listen?,
            network: network?,
            tls: tls?,
            listeners: listeners?,
            evidence: evidence?,
            identities: identities?,
            crypto: crypto?,
            crl: crl?,
            storage: storage?,
            spool: spool?,
            link: link?,
            limits: limits?,
            permissions: permissions?,
            routes: routes?,
            claims: claims?,
            kinds: kinds?,
            log: log?,
            metrics: metrics?,
            reload: reload?,
            process: process?,
            contact: contact?,
        })
    }
}

/// Who the gateway is on each of its lines, with the name of the table that says so.
fn own_on_lines<'c>(
    tls: Option<&'c Credentials>,
    listeners: Option<&'c [Listener]>,
) -> Vec<(String, &'c Credentials)> {
    let own = |listener: &'c Listener| Some((listener.tls_section(), listener.tls.as_ref()?));
    Credentials::of_tls(tls).into_iter().chain(listeners.unwrap_or_default().iter().filter_map(own)).collect()
}

fn read_parties(root: &Section<'_>) -> Option<Vec<Party>> {
    let key = Key::<Party>::new(
        "parties",
        "The receivers this gateway takes files for, each as role:code; its certificates must name every code.",
        "[\"review-agency:113\"]",
    );
    let parties = root.list(&key)?;
    for party in &parties {
        if !matches!(party.role(), Role::ReviewAgency | Role::ImplementingBody) {
            root.refuse(
                "parties",
                Fault::new(
                    format!("{party} is not at the centre"),
                    "name review agencies or implementing bodies",
                ),
            );
        }
    }
    Some(parties)
}

/// `storage.data`.
const DATA: Key<PathBuf> = Key::new(
    "data",
    "Directory of ledger, spool, log key and admin socket; for the gateway alone, on a local disk.",
    "\"/var/lib/sekisho\"",
);

impl Storage {
    fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("storage", "Where the gateway keeps things.");
        let data = section.required(&DATA);
        let inbox = section.required(&Key::new(
            "inbox",
            "Directory where complete files appear for the agency's system, one directory for each transfer.",
            "\"/srv/sekisho/inbox\"",
        ));
        let storage: Storage = Storage { data: data?, inbox: inbox? };
        if storage.data.starts_with(&storage.inbox) || storage.inbox.starts_with(&storage.data) {
            section.refuse(
                "inbox",
                Fault::new(
                    "lies in the data directory, or around it",
                    "keep them apart: whoever may read the inbox has no business with ledger and keys",
                ),
            );
        }
        Some(storage)
    }
}

impl Link {
    fn read(root: &Section<'_>, environment: Option<Environment>) -> Option<Self> {
        let section =
            root.section("link", "How a lost, stalled or slow line is noticed, and what waits how long.");
        let detect_max = read_detect_max(&section, environment);
        let stall_max = section.limit(&limits::STALL_MAX);
        let min_rate = section.limit(&limits::MIN_RATE);
        let handshake_max = section.limit(&limits::HANDSHAKE_MAX);
        let header_max = section.limit(&limits::HEADER_MAX);
        let receipt_wait = section.limit(&limits::RECEIPT_WAIT);
        let drain_max = section.limit(&limits::DRAIN_MAX);
        Some(Link {
            detect_max: detect_max?,
            stall_max: stall_max?,
            min_rate_bytes_per_second: min_rate?.0,
            handshake_max: handshake_max?,
            header_max: header_max?,
            receipt_wait: receipt_wait?,
            drain_max: drain_max?,
        })
    }
}

impl Limits {
    fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("limits", "How much of everything.");
        let file_bytes_max = section.limit(&limits::FILE_BYTES_MAX);
        let connections_max = section.limit(&limits::CONNECTIONS_MAX);
        let connections_per_identity_max = section.limit(&limits::CONNECTIONS_PER_IDENTITY_MAX);
        let connections_per_prefix_max = section.limit(&limits::CONNECTIONS_PER_PREFIX_MAX);
        let prefix_bits_v4 = section.limit(&limits::PREFIX_BITS_V4);
        let prefix_bits_v6 = section.limit(&limits::PREFIX_BITS_V6);
        let exempt_prefixes = section.optional_list(&Key::new(
            "exempt_prefixes",
            "Source networks that no limit per prefix applies to: those of billing agents and line providers, whose \
             many users share few addresses.",
            "[\"198.51.100.0/24\"]",
        ));
        let handshakes_max = section.limit(&limits::HANDSHAKES_MAX);
        let handshakes_per_prefix_per_second_max =
            section.limit(&limits::HANDSHAKES_PER_PREFIX_PER_SECOND_MAX);
        let connection_life_max = section.limit(&limits::CONNECTION_LIFE_MAX);
        let transfers_per_identity_max = section.limit(&limits::TRANSFERS_PER_IDENTITY_MAX);
        let requests_per_identity_per_second_max =
            section.limit(&limits::REQUESTS_PER_IDENTITY_PER_SECOND_MAX);
        let attempts_per_sender_per_minute_max = section.limit(&limits::ATTEMPTS_PER_SENDER_PER_MINUTE_MAX);
        let transfers_per_sender_per_day_max = section.limit(&limits::TRANSFERS_PER_SENDER_PER_DAY_MAX);
        let bytes_per_sender_per_day_max = section.limit(&limits::BYTES_PER_SENDER_PER_DAY_MAX);
        let audit_reserve_bytes = section.limit(&limits::AUDIT_RESERVE_BYTES);
        let transfers_max = section.limit(&limits::TRANSFERS_MAX);
        let open_transfers_per_sender_max = section.limit(&limits::OPEN_TRANSFERS_PER_SENDER_MAX);
        let body_bytes_max = section.limit(&limits::BODY_BYTES_MAX);
        if let (Some(file), Some(day)) = (&file_bytes_max, &bytes_per_sender_per_day_max)
            && day.0 < file.0
        {
            section.refuse(
                "bytes_per_sender_per_day_max",
                Fault::new(
                    "is less than file_bytes_max: the largest file that is taken could never be offered",
                    "raise it, or lower file_bytes_max",
                ),
            );
        }
        Some(Limits {
            file_bytes_max: file_bytes_max?.0,
            connections_max: connections_max?,
            connections_per_identity_max: connections_per_identity_max?,
            connections_per_prefix_max: connections_per_prefix_max?,
            prefix_bits_v4: prefix_bits_v4?,
            prefix_bits_v6: prefix_bits_v6?,
            exempt_prefixes: exempt_prefixes?,
            handshakes_max: handshakes_max?,
            handshakes_per_prefix_per_second_max: handshakes_per_prefix_per_second_max?,
            connection_life_max: connection_life_max?,
            transfers_max: transfers_max?,
            transfers_per_identity_max: transfers_per_identity_max?,
            requests_per_identity_per_second_max: requests_per_identity_per_second_max?,
            attempts_per_sender_per_minute_max: attempts_per_sender_per_minute_max?,
            transfers_per_sender_per_day_max: transfers_per_sender_per_day_max?,
            bytes_per_sender_per_day_max: bytes_per_sender_per_day_max?.0,
            audit_reserve_bytes: audit_reserve_bytes?.0,
            open_transfers_per_sender_max: open_transfers_per_sender_max?,
            body_bytes_max: body_bytes_max?.0,
        })
    }
}

impl Claims {
    fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("claims", "How claims files (レセプト) are checked on arrival.");
        let completeness = section.choice(&Choice {
            name: "completeness",
            meaning: "What happens to a claims file whose end is missing: refused with a signed reason, or taken, and \
                      then its receipt says nothing of its claims.",
            default: Completeness::Refuse,
            reason: "a truncated file that is taken looks like a claim that was made",
        });
        Some(Claims { completeness: completeness? })
    }
}

impl AcceptedKinds {
    fn read(root: &Section<'_>) -> Option<Self> {
        let section = root
            .section("kinds", "The kinds of file taken, one table each; a kind without a table is refused.");
        let mut sections = Vec::new();
        for kind in Kind::ALL {
            if let Some(section) = section.optional_section(kind.name(), kind.japanese()) {
                sections.push((kind, section));
            }
        }
        if sections.is_empty() {
            section.refuse_as_incomplete(Fault::new(
                "no kind of file is taken",
                "add a table such as [kinds.medical]",
            ));
        }
        let class = Key::<Class>::new(
            "class",
            "The class of information files of this kind travel in (厳秘, 秘密, 公開).",
            "\"strictly-confidential\"",
        );
        let read: Vec<_> =
            sections.iter().map(|(kind, section)| Some((*kind, section.required(&class)?))).collect();
        Some(AcceptedKinds(read.into_iter().collect::<Option<_>>()?))
    }
}

impl Log {
    fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("log", "How the gateway logs, to its standard error.");
        let format = section.choice(&Choice {
            name: "format",
            meaning: "For people, or one JSON object on each line.",
            default: LogFormat::Json,
            reason: "logs of a centre are read by programs first",
        });
        let level = section.choice(&Choice {
            name: "level",
            meaning: "The least important line written.",
            default: LogLevel::Info,
            reason: "each transfer and each refusal leaves its lines, and nothing else",
        });
        Some(Log { format: format?, level: level? })
    }
}

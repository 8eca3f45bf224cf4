//! `[listen]` and `[listener.*]`: where the gateway listens, and from where it takes connections at all.

use std::{cell::RefCell, net::SocketAddr};

use ipnet::IpNet;
use protocol::party::{Environment, Role};

use crate::{
    crypto::{Acceptance, read_tls12},
    network::InterfaceName,
    reader::{Fault, Key, Section},
    shared::Credentials,
};

/// What the listener of `[listen]` is called in logs and metrics.
pub const MAIN_LISTENER: &str = "main";

/// The longest name of a listener, in bytes: it stands in every line about a connection, and names a file.
const LISTENER_NAME_BYTES_MAX: usize = 32;

/// `[listen]`, and each `[listener.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address and port; with port 0 the system chooses one.
    pub address: SocketAddr,
    /// The network interface of the approved line; none: whichever has the address.
    pub interface: Option<String>,
    /// TLS 1.2 beside TLS 1.3.
    pub tls12: Acceptance,
    /// Networks that connections may come from; empty: from anywhere.
    pub allowed_prefixes: Vec<IpNet>,
    /// Balancers that say by PROXY protocol v2 where a connection comes from; they must. Empty: nobody does.
    pub proxy_protocol_from: Vec<IpNet>,
    /// Roles that may come in here; empty: every role that has a right.
    pub roles: Vec<Role>,
}

impl Listen {
    pub(super) fn read_main(root: &Section<'_>, environment: Option<Environment>) -> Option<Self> {
        let meaning = "Where the gateway listens, and from where it takes connections.";
        Self::read(&root.section("listen", meaning), environment)
    }

    fn read(section: &Section<'_>, environment: Option<Environment>) -> Option<Self> {
        let address = section.required(&Key::new(
            "address",
            "Address of the approved line, and port. In test, port 0 lets the system choose; the gateway prints it.",
            "\"192.0.2.10:443\"",
        ));
        let interface = section.optional::<InterfaceName>(&Key::new(
            "interface",
            "Network interface of the approved line: nothing is taken in from another, whatever its address.",
            "\"eth1\"",
        ));
        let tls12 = read_tls12(section);
        let allowed_prefixes = section.optional_list(&Key::new(
            "allowed_prefixes",
            "Networks that connections may come from; every other is closed before TLS. Without it, all may.",
            "[\"10.0.0.0/8\"]",
        ));
        let proxy_protocol_from = section.optional_list(&Key::new(
            "proxy_protocol_from",
            "Balancers in front of this gateway: each connection from them must begin with a PROXY protocol v2 header, \
             which says where it comes from. From anybody else such a header is refused.",
            "[\"192.0.2.5/32\"]",
        ));
        let roles = section.optional_list(&Key::new(
            "roles",
            "Roles that may come in here, whatever their certificates are worth; every other is turned away after its \
             handshake. Without it, every role that has a right.",
            "[\"institution\", \"billing-agent\"]",
        ));
        if let (Some(Environment::Production), Some(address)) = (environment, address) {
            refuse_outside_production(section, address);
        }
        Some(Listen {
            address: address?,
            interface: interface?.map(|name| name.0),
            tls12: tls12?,
            allowed_prefixes: allowed_prefixes?,
            proxy_protocol_from: proxy_protocol_from?,
            roles: roles?,
        })
    }
}

/// `[listener.NAME]`: a further address, with an own certificate and own roots if it has a table `tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The operator's name for it.
    pub name: String,
    /// Where it listens, and from where it takes connections.
    pub listen: Listen,
    /// Who it is on this line, and whom it lets in there; none: as `[tls]` says.
    pub tls: Option<Credentials>,
}

impl Listener {
    pub(super) fn read_all(
        root: &Section<'_>,
        environment: Option<Environment>,
        main: Option<&Listen>,
    ) -> Option<Vec<Self>> {
        let meaning = "Further addresses, one table each with the keys of [listen], for another line or for others on it. \
                       Nothing that a certificate is worth at one listener counts at another with its own [listener.NAME.tls].";
        let taken = RefCell::new(main.map(|main| main.address).into_iter().collect::<Vec<_>>());
        root.named_sections("listener", meaning, |name, section| {
            let listener = Self::read(name, section, environment)?;
            let address = listener.listen.address;
            refuse_taken(section, "address", address, &taken.borrow());
            taken.borrow_mut().push(address);
            Some(listener)
        })
    }

    /// The section of its own certificates.
    pub fn tls_section(&self) -> String {
        format!("listener.{}.tls", self.name)
    }

    fn read(name: &str, section: &Section<'_>, environment: Option<Environment>) -> Option<Self> {
        let listen = Listen::read(section, environment);
        let tls =
            match section.optional_section("tls", "Who we are at this listener, and whom we let in there.") {
                Some(section) => Credentials::read(&section).map(Some),
                None => Some(None),
            };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name == MAIN_LISTENER || name.len() > LISTENER_NAME_BYTES_MAX || !name.bytes().all(plain) {
            section.refuse_as_incomplete(Fault::new(
                format!("\"{name}\" cannot be the name of a listener"),
                format!(
                    "use lower-case letters, digits and `-`, at most {LISTENER_NAME_BYTES_MAX}; \"{MAIN_LISTENER}\" is the \
                     one of [listen]"
                ),
            ));
        }
        Some(Listener { name: name.to_owned(), listen: listen?, tls: tls? })
    }
}

/// Refuses an address that a listener has.
pub(super) fn refuse_taken(section: &Section<'_>, name: &str, address: SocketAddr, taken: &[SocketAddr]) {
    // Of port 0 the system makes as many as are asked for.
    if address.port() != 0 && taken.contains(&address) {
        let next = "give each listener an address or a port of its own";
        section.refuse(name, Fault::new(format!("{address} is another listener's"), next));
    }
}

fn refuse_outside_production(section: &Section<'_>, address: SocketAddr) {
    if address.ip().is_unspecified() {
        section.refuse(
            "address",
            Fault::new(
                format!("{} listens on every line of this machine, approved or not", address.ip()),
                "write the address of the approved line",
            ),
        );
    }
    if address.port() == 0 {
        section.refuse(
            "address",
            Fault::new(
                "port 0 is another port at every start",
                "write the port that was told to the senders",
            ),
        );
    }
}

//! `[listen]`: where the gateway listens, and from where it takes connections at all.

use std::net::SocketAddr;

use ipnet::IpNet;
use protocol::party::Environment;

use crate::{
    crypto::{Acceptance, read_tls12},
    network::InterfaceName,
    reader::{Fault, Key, Section},
};

/// `[listen]`.
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
}

impl Listen {
    pub(super) fn read(root: &Section<'_>, environment: Option<Environment>) -> Option<Self> {
        let section =
            root.section("listen", "Where the gateway listens, and from where it takes connections.");
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
        let tls12 = read_tls12(&section);
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
        if let (Some(Environment::Production), Some(address)) = (environment, address) {
            refuse_outside_production(&section, address);
        }
        Some(Listen {
            address: address?,
            interface: interface?.map(|name| name.0),
            tls12: tls12?,
            allowed_prefixes: allowed_prefixes?,
            proxy_protocol_from: proxy_protocol_from?,
        })
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

//! The line: who has approved it, and by which interface and address a sender leaves on it (guideline II.5(7): no other
//! line may be used).

use std::net::IpAddr;

use protocol::party::Environment;

use crate::reader::{Fault, Given, HostPort, Key, Section, Value};

/// Whom the operator declares to have approved the line (guideline II.5(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The approved connection service, as the implementing body lists it; none only in test.
    pub approved_service: Option<String>,
}

impl Network {
    pub(crate) fn read(root: &Section<'_>, environment: Option<Environment>) -> Option<Self> {
        let section =
            root.section("network", "What is declared about the line; it stands in evidence reports.");
        let approved_service = section.optional(&Key::new(
            "approved_service",
            "The connection service approved by the implementing body that this line belongs to. Required in \
             production.",
            "\"IP-VPN of provider N, contract 1234\"",
        ))?;
        if environment == Some(Environment::Production) && approved_service.is_none() {
            section.refuse(
                "approved_service",
                Fault::new(
                    "is missing, and production runs only on an approved line (guideline II.5(7))",
                    "add under [network]: approved_service = \"the name of the approved service\"",
                ),
            );
            return None;
        }
        Some(Network { approved_service })
    }
}

/// `[line]`: the one line that a sender leaves on. Without both, the system's routes choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientLine {
    /// The network interface; nothing is sent through another.
    pub interface: Option<String>,
    /// The address that connections come from. Centre's addresses of the other family are not tried.
    pub local_address: Option<IpAddr>,
}

impl ClientLine {
    /// Reads it. `centre` is where connections go.
    pub(crate) fn read(root: &Section<'_>, centre: Option<&HostPort>) -> Option<Self> {
        let section = root.section(
            "line",
            "The one line that connections leave on, to the centre and for revocation lists. When it is down nothing is sent: \
             no other line takes its place. Without it the system's routes choose.",
        );
        let interface = section.optional::<InterfaceName>(&Key::new(
            "interface",
            "Network interface of the approved line: nothing is sent through another, whatever the routes say. For a \
             tunnel, the interface of the tunnel.",
            "\"eth1\"",
        ));
        let local_address = section.optional::<IpAddr>(&Key::new(
            "local_address",
            "This machine's address on the approved line: connections come from it, and only addresses of its family \
             are tried. By itself it does not choose the interface: name that too.",
            "\"192.0.2.20\"",
        ));
        let (interface, local_address) = (interface?.map(|name| name.0), local_address?);
        if let Some(local) = local_address {
            check_local_address(&section, local, centre)?;
        }
        Some(ClientLine { interface, local_address })
    }
}

fn check_local_address(section: &Section<'_>, local: IpAddr, centre: Option<&HostPort>) -> Option<()> {
    let broadcast = matches!(local, IpAddr::V4(local) if local.is_broadcast());
    let refuse = |reason: String, next_step| {
        section.refuse("local_address", Fault::new(reason, next_step));
        None
    };
    if local.is_unspecified() || local.is_multicast() || broadcast {
        return refuse(format!("{local} is no address of one machine"), "write this machine's on the line");
    }
    match centre.and_then(|centre| centre.host().as_str().parse::<IpAddr>().ok()) {
        Some(centre) if centre.is_ipv4() != local.is_ipv4() => refuse(
            format!("{local} cannot reach {centre}: one is IPv4 and the other IPv6"),
            "write an address of the same family as centre.address",
        ),
        _ => Some(()),
    }
}

/// The name of a network interface, as Linux takes it.
pub(crate) struct InterfaceName(pub String);

impl Value for InterfaceName {
    fn form() -> String {
        "the name of a network interface, 1 to 15 letters, digits, `.`, `-` or `_`, in quotes".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let name = given.text_for::<Self>()?;
        // IFNAMSIZ is 16 with its final zero.
        let fits = (1..=15).contains(&name.len());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if fits && name.bytes().all(plain) {
            Ok(InterfaceName(name.to_owned()))
        } else {
            Err(given.is_not::<Self>())
        }
    }
    fn show(&self) -> String {
        format!("{:?}", self.0)
    }
}

//! Where connections leave from: the interface and address that the settings declare, and never another. What cannot
//! leave there does not leave at all.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use config::network::ClientLine;
use pki::platform::{InterfaceFault, keep_to_interface};
use tokio::net::TcpSocket;

/// Why the declared line could not be used. It comes and goes as a tunnel does, so that another try may succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// No interface has the name.
    #[error("there is no network interface {interface}, the one that line.interface names")]
    NoSuchInterface {
        /// The name.
        interface: String,
    },
    /// It is there, and nothing leaves through it.
    #[error(
        "nothing goes through the network interface {interface}: it is down, or no route to {centre} is on it"
    )]
    InterfaceDown {
        /// Its name.
        interface: String,
        /// Where to.
        centre: String,
    },
    /// Only some systems let everybody choose.
    #[error("this system does not let the program keep to the network interface {interface}")]
    NotPermitted {
        /// Its name.
        interface: String,
    },
    /// No interface has the address.
    #[error("{address} is no address of this machine, and line.local_address names it")]
    AddressNotOurs {
        /// The address.
        address: IpAddr,
    },
    /// The centre is reached by the other family of addresses only.
    #[error("{centre} has no {} address, and line.local_address is {address}", family(.address))]
    OtherFamily {
        /// Where to.
        centre: String,
        /// Where from.
        address: IpAddr,
    },
}

fn family(address: &IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

impl LineFault {
    /// What to do, in one sentence.
    pub const fn next_step(&self) -> &'static str {
        match self {
            LineFault::NoSuchInterface { .. } => {
                "nothing is lost, and nothing was sent on another line: bring the approved line up (a tunnel's interface is there only while it is connected), or correct line.interface; `ip link` lists the names; then run the same command again"
            }
            LineFault::InterfaceDown { .. } => {
                "nothing is lost, and nothing was sent on another line: bring the approved line up, look at its cable and its address with `ip addr`, then run the same command again"
            }
            LineFault::NotPermitted { .. } => {
                "nothing was sent: use Linux 5.7 or newer, or give the program the capability CAP_NET_RAW"
            }
            LineFault::AddressNotOurs { .. } => {
                "nothing is lost, and nothing was sent from another address: bring the approved line up, or correct line.local_address; `ip addr` lists the addresses; then run the same command again"
            }
            LineFault::OtherFamily { .. } => {
                "nothing was sent: set line.local_address to an address of the family that the centre is reached by"
            }
        }
    }
}

/// Why there is no socket on the line.
pub(super) enum NoSocket {
    /// The line.
    Line(LineFault),
    /// The system otherwise.
    System(io::Error),
}

/// The centre's addresses that the line can reach.
pub(super) fn reachable(
    line: &ClientLine,
    centre: &str,
    addresses: impl IntoIterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, LineFault> {
    let Some(local) = line.local_address else { return Ok(addresses.into_iter().collect()) };
    let same_family = |remote: &SocketAddr| remote.is_ipv4() == local.is_ipv4();
    let left: Vec<_> = addresses.into_iter().filter(same_family).collect();
    if left.is_empty() {
        return Err(LineFault::OtherFamily { centre: centre.to_owned(), address: local });
    }
    Ok(left)
}

/// A socket that reaches an address of this kind on the line alone.
pub(super) fn socket(line: &ClientLine, remote: SocketAddr) -> Result<TcpSocket, NoSocket> {
    let socket = if remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(NoSocket::System)?;
    if let Some(interface) = &line.interface {
        keep_to_interface(&socket, interface).map_err(|fault| not_on_interface(fault, interface))?;
    }
    if let Some(address) = line.local_address {
        socket.bind((address, 0).into()).map_err(|error| match error.kind() {
            io::ErrorKind::AddrNotAvailable => NoSocket::Line(LineFault::AddressNotOurs { address }),
            _ => NoSocket::System(error),
        })?;
    }
    Ok(socket)
}

fn not_on_interface(fault: InterfaceFault, interface: &str) -> NoSocket {
    let interface = interface.to_owned();
    match fault {
        InterfaceFault::NoSuch => NoSocket::Line(LineFault::NoSuchInterface { interface }),
        InterfaceFault::NotPermitted => NoSocket::Line(LineFault::NotPermitted { interface }),
        InterfaceFault::Other(error) => NoSocket::System(error),
    }
}

/// What a connection that the system refused says of the line, if anything.
pub(super) fn down(line: &ClientLine, centre: &str, error: &io::Error) -> Option<LineFault> {
    let interface = line.interface.clone()?;
    let nothing_leaves =
        matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown);
    nothing_leaves.then(|| LineFault::InterfaceDown { interface, centre: centre.to_owned() })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn fault(line: &ClientLine, remote: &str) -> Option<LineFault> {
        match socket(line, remote.parse().unwrap()) {
            Err(NoSocket::Line(fault)) => Some(fault),
            Err(NoSocket::System(error)) => panic!("{error}"),
            Ok(_) => None,
        }
    }

    #[tokio::test]
    async fn an_interface_or_address_that_is_not_here_is_named() {
        let line = ClientLine { interface: Some("none0".to_owned()), ..ClientLine::default() };
        let no_such = LineFault::NoSuchInterface { interface: "none0".to_owned() };
        assert_eq!(fault(&line, "127.0.0.1:9"), Some(no_such));
        // Of the networks that are set apart for examples.
        for (address, remote) in [("192.0.2.7", "127.0.0.1:9"), ("2001:db8::7", "[::1]:9")] {
            let address = address.parse().unwrap();
            let line = ClientLine { local_address: Some(address), ..ClientLine::default() };
            assert_eq!(fault(&line, remote), Some(LineFault::AddressNotOurs { address }));
        }
    }

    #[test]
    fn only_addresses_of_the_own_family_are_left() {
        let addresses: Vec<SocketAddr> =
            ["192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.2:1"].map(|address| address.parse().unwrap()).into();
        let line = ClientLine { local_address: Some("192.0.2.7".parse().unwrap()), ..ClientLine::default() };
        let left = reachable(&line, "centre", addresses.clone()).unwrap();
        assert_eq!(left, [addresses[0], addresses[2]]);
        let fault = reachable(&line, "centre", [addresses[1]]).unwrap_err();
        assert_eq!(fault.to_string(), "centre has no IPv4 address, and line.local_address is 192.0.2.7");
        assert_eq!(reachable(&ClientLine::default(), "centre", addresses.clone()).unwrap(), addresses);
    }

    #[tokio::test]
    async fn a_connection_comes_from_the_declared_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = "127.0.7.7".parse().unwrap();
        let line = ClientLine { interface: Some("lo".to_owned()), local_address: Some(local) };
        let remote = listener.local_addr().unwrap();
        let Ok(socket) = socket(&line, remote) else { panic!("no socket") };
        let _stream = socket.connect(remote).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1.ip(), local);
    }
}

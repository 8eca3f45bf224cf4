//! Where a server is reached: a name or an address, and a port.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::value::{Fault, Given, Value};

/// A host and a port to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: HostName,
    port: u16,
}

impl HostPort {
    /// The host and port as written, if they are ones; port 0 is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0 && port_is_plain(text))?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => HostName::parse(inner).filter(|_| inner.contains(':'))?,
            None => HostName::parse(host).filter(|_| !host.contains(':'))?,
        };
        Some(HostPort { host, port })
    }

    /// The host.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// Another host at the same port.
    pub fn at(&self, host: &HostName) -> Self {
        HostPort { host: host.clone(), port: self.port }
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// `parse::<u16>` also takes a sign.
fn port_is_plain(text: &str) -> bool {
    text.rsplit(':').next().is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.0.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Value for HostPort {
    fn form() -> String {
        "a host and port such as \"centre.example.jp:443\" or \"192.0.2.10:443\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        HostPort::parse(given.text_for::<Self>()?).ok_or_else(|| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Value for IpAddr {
    fn form() -> String {
        "an address without a port such as \"192.0.2.20\" or \"2001:db8::20\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        given.text_for::<Self>()?.parse().map_err(|_| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Value for IpNet {
    fn form() -> String {
        "a network as address/bits such as \"10.0.0.0/8\" or \"2001:db8::/32\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let net: IpNet = given.text_for::<Self>()?.parse().map_err(|_| given.is_not::<Self>())?;
        if net.trunc() == net {
            Ok(net)
        } else {
            let reason = format!("{net} is an address within a network");
            Err(Fault::new(reason, format!("write the network, \"{}\"", net.trunc())))
        }
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

/// A DNS name or an IP address, as it stands in a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The longest DNS name, in characters.
    const LENGTH_MAX: usize = 253;
    /// The longest part of one, between two dots.
    const LABEL_LENGTH_MAX: usize = 63;

    /// The name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = || {
            let last_is_word =
                text.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()));
            text.len() <= Self::LENGTH_MAX && last_is_word && text.split('.').all(Self::is_label)
        };
        (text.parse::<IpAddr>().is_ok() || is_name()).then(|| HostName(text.to_owned()))
    }

    fn is_label(label: &str) -> bool {
        (1..=Self::LABEL_LENGTH_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    }

    /// The name as text; an IPv6 address without brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for HostName {
    fn form() -> String {
        "a DNS name or an IP address such as \"centre.example.jp\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        HostName::parse(given.text_for::<Self>()?).ok_or_else(|| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_taken_and_shown_again() {
        for good in ["localhost:1", "centre.example.jp:443", "192.0.2.10:8443", "[2001:db8::1]:443"] {
            assert_eq!(HostPort::parse(good).expect(good).to_string(), good);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "centre",
            ":443",
            "centre:",
            "centre:0",
            "centre:65536",
            "centre:+443",
            "2001:db8::1:443",
            "a_b:443",
            "[centre]:443",
            "https://centre:443",
            "-centre:443",
            "centre-.jp:443",
            "centre..jp:443",
            "192.0.2.256:443",
            "[2001:db8::1:443",
            "centre:443/",
            "セ.jp:443",
        ] {
            assert_eq!(HostPort::parse(bad), None, "{bad:?} was taken");
        }
    }
}

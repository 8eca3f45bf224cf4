//! Addresses that something is fetched from over plain HTTP. What needs no secrecy and carries its own signature is
//! fetched so: there is no second opinion about whom to trust that could differ from ours.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use super::{
    HostPort,
    address::HostName,
    value::{Fault, Given, Value},
};

/// An `http://` address: host, port, path and query, nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// The longest address taken, in characters: twice what any authority writes into its certificates.
    const LENGTH_MAX: usize = 512;
    const SCHEME: &str = "http://";

    /// The address as written, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(Self::SCHEME)?;
        let (authority, path) = rest.split_at(rest.find('/')?);
        // As RFC 3986 has paths and queries; a fragment is never sent.
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>[\\]^`{|}".contains(&byte);
        let is_host = HostPort::parse(authority).is_some()
            || (HostName::parse(authority).is_some() && !authority.contains(':'))
            || bracketed(authority).is_some();
        let fits = text.len() <= Self::LENGTH_MAX && is_host && path.bytes().all(plain);
        fits.then(|| HttpUrl(text.to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The port that is connected to.
    pub fn port(&self) -> u16 {
        HostPort::parse(self.authority()).map_or(80, |authority| authority.port())
    }

    /// Has its host to be looked up?
    pub fn has_name(&self) -> bool {
        let authority = self.authority();
        authority.parse::<IpAddr>().is_err()
            && authority.parse::<SocketAddr>().is_err()
            && bracketed(authority).is_none()
    }

    fn authority(&self) -> &str {
        let rest = self.0.strip_prefix(Self::SCHEME).unwrap_or_default();
        rest.split('/').next().unwrap_or_default()
    }
}

/// The IPv6 address in brackets, without a port.
fn bracketed(authority: &str) -> Option<Ipv6Addr> {
    authority.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for HttpUrl {
    fn form() -> String {
        "an address such as \"http://crl.example.jp/root.crl\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let text = given.text_for::<Self>()?;
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some("https") => Err(Fault::new(
                format!(
                    "{} asks for HTTPS: a list is signed, and whom to trust is not left to a second place",
                    given.shown()
                ),
                "write the http:// address of the same list",
            )),
            Some("file") => {
                Err(Fault::new(format!("{} is a file", given.shown()), "write its path under crls"))
            }
            _ => HttpUrl::parse(text).ok_or_else(|| given.is_not::<Self>()),
        }
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_taken_as_they_stand() {
        for good in [
            "http://crl.example.jp/root.crl",
            "http://192.0.2.10:8080/crl/0123abcd.crl",
            "http://[2001:db8::1]:80/a/b?c=d&e=%20",
            "http://[2001:db8::1]/root.crl",
            "http://localhost/",
        ] {
            assert_eq!(HttpUrl::parse(good).expect(good).as_str(), good);
        }
    }

    #[test]
    fn port_and_host_are_those_that_are_connected_to() {
        for (url, port, has_name) in [
            ("http://crl.example.jp/root.crl", 80, true),
            ("http://crl.example.jp:8080/root.crl", 8080, true),
            ("http://192.0.2.10:8080/x:1/y", 8080, false),
            ("http://[2001:db8::1]:81/a", 81, false),
            ("http://192.0.2.10/", 80, false),
            ("http://[2001:db8::1]/root.crl", 80, false),
        ] {
            let url = HttpUrl::parse(url).unwrap();
            assert_eq!((url.port(), url.has_name()), (port, has_name), "{url}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "http://",
            "http://crl.example.jp",
            "https://crl.example.jp/root.crl",
            "ftp://crl.example.jp/root.crl",
            "ldap://crl.example.jp/cn=root",
            "crl.example.jp/root.crl",
            "HTTP://crl.example.jp/root.crl",
            "http://user:secret@crl.example.jp/root.crl",
            "http://user@crl.example.jp/root.crl",
            "http://crl.example.jp:0/root.crl",
            "http://crl.example.jp:/root.crl",
            "http:///root.crl",
            "http://2001:db8::1/root.crl",
            "http://[192.0.2.10]/root.crl",
            "http://[crl.example.jp]/root.crl",
            "http://[2001:db8::1/root.crl",
            "http://[2001:db8::1]:/root.crl",
            "http://crl.example.jp/root.crl#part",
            "http://crl.example.jp/root .crl",
            "http://crl.example.jp/root\r\nhost: other",
            "http://crl.example.jp?x=/",
            "http://失効.jp/root.crl",
        ] {
            assert_eq!(HttpUrl::parse(bad), None, "{bad:?} was taken");
        }
        let long = format!("http://crl.example.jp/{}", "a".repeat(HttpUrl::LENGTH_MAX));
        assert_eq!(HttpUrl::parse(&long), None);
    }
}

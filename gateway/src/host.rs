//! Is a request for the host that its connection was made to?
//!
//! Who is let in was decided for the name in the handshake (SNI). A request that names another host could be meant for
//! other rules behind the same address, so it is not handled here, whatever we think of that host.

use std::net::{IpAddr, Ipv6Addr};

use hyper::{Request, header::HOST, http::uri::Authority};
use protocol::problem::Problem;

/// Holds the request's Host, and the host in its target if there is one, against the name of the handshake. Without a name
/// (RFC 6066 section 3: whoever dials an address sends none) it must be an address, or a host that `is_ours`.
pub fn check<B>(
    request: &Request<B>,
    handshake: Option<&str>,
    is_ours: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    // RFC 9112 section 3.2: exactly one, or 400.
    let mut given = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (given.next(), given.next()) else { return Err(Problem::BadHost) };
    let host = host.to_str().ok().and_then(|text| text.parse().ok()).ok_or(Problem::BadHost)?;
    // A target may name a host too, and then wins elsewhere: both must be right.
    for authority in [Some(&host), request.uri().authority()].into_iter().flatten() {
        let host = plain(authority)?;
        let right = match handshake {
            Some(name) => host == plain_name(name),
            None => is_address(&host) || is_ours(&host),
        };
        if !right {
            return Err(Problem::Misdirected);
        }
    }
    Ok(())
}

/// The host alone, in the one spelling that is compared.
fn plain(authority: &Authority) -> Result<String, Problem> {
    let host = plain_name(authority.host());
    // `user@host` is read in two ways.
    if host.is_empty() || authority.as_str().contains('@') { Err(Problem::BadHost) } else { Ok(host) }
}

fn plain_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_address(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<IpAddr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(handshake: Option<&str>, target: &str, hosts: &[&[u8]]) -> Result<(), Problem> {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        check(&request.body(()).unwrap(), handshake, |host| host == "centre.example")
    }

    #[test]
    fn a_request_names_the_host_of_the_handshake_however_it_is_spelt() {
        for host in ["centre.example", "CENTRE.example:8443", "centre.example.", "Centre.Example.:443"] {
            assert_eq!(checked(Some("centre.example"), "/v1", &[host.as_bytes()]), Ok(()), "{host}");
            assert_eq!(checked(None, "/v1", &[host.as_bytes()]), Ok(()), "{host}");
        }
        for host in [
            "elsewhere.example",
            "centre.example.org",
            "192.0.2.1",
            "*.example",
            "centre",
            "centre.example..",
        ] {
            let said = checked(Some("centre.example"), "/v1", &[host.as_bytes()]);
            assert_eq!(said, Err(Problem::Misdirected), "{host}");
        }
    }

    #[test]
    fn without_a_name_in_the_handshake_an_address_or_a_name_of_ours_will_do() {
        for host in ["192.0.2.1", "192.0.2.1:443", "[2001:db8::1]", "[2001:db8::1]:443"] {
            assert_eq!(checked(None, "/v1", &[host.as_bytes()]), Ok(()), "{host}");
        }
        for host in ["elsewhere.example", "192.0.2.1.example", "256.0.2.1", "centre.example.org:443"] {
            assert_eq!(checked(None, "/v1", &[host.as_bytes()]), Err(Problem::Misdirected), "{host}");
        }
    }

    #[test]
    fn the_host_in_the_target_counts_as_well() {
        let ours: &[&[u8]] = &[b"centre.example"];
        for handshake in [Some("centre.example"), None] {
            assert_eq!(checked(handshake, "https://centre.example:1/v1", ours), Ok(()));
            assert_eq!(checked(handshake, "http://elsewhere.example/v1", ours), Err(Problem::Misdirected));
            assert_eq!(
                checked(handshake, "https://centre.example/v1", &[b"elsewhere.example"]),
                Err(Problem::Misdirected)
            );
        }
    }

    #[test]
    fn no_host_or_two_or_what_is_none_is_a_bad_request() {
        let wrong: [&[&[u8]]; 6] = [
            &[],
            &[b""],
            &[b"centre.example", b"centre.example"],
            &[b"user@centre.example"],
            &[b"centre.example/x"],
            &[b"\xff"],
        ];
        for hosts in wrong {
            assert_eq!(checked(Some("centre.example"), "/v1", hosts), Err(Problem::BadHost), "{hosts:?}");
            assert_eq!(checked(None, "/v1", hosts), Err(Problem::BadHost), "{hosts:?}");
        }
    }
}

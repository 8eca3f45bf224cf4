//! Which headers cross the gateway on a streamed route, and how the backend is told who asks. Pure.
//!
//! The peer's identity is said by us alone: every header that could pass for ours, in any spelling, is dropped before ours
//! are set, and nothing that the peer lists in `Connection` can take ours away again (RFC 9440 section 4).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::{
    HeaderMap,
    header::{
        CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};
use protocol::party::Identity;
use rustls_pki_types::CertificateDer;

/// The peer's certificate (RFC 9440 section 2.2).
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
/// Those above it that it showed (RFC 9440 section 2.3).
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
/// What the certificate stands for here: the URI of environment, role and codes.
const IDENTITY: HeaderName = HeaderName::from_static("sekisho-identity");

/// Headers that are set for the backend, at most.
const OURS_MAX: usize = 4;

/// What the backend is told of a peer.
#[derive(Debug)]
pub struct Credentials {
    certificate: HeaderValue,
    chain: Option<HeaderValue>,
    identity: HeaderValue,
}

impl Credentials {
    /// From the chain that was shown, leaf first; nothing if there is none.
    pub fn new(chain: &[CertificateDer<'_>], identity: &Identity) -> Option<Self> {
        let (leaf, above) = chain.split_first()?;
        let above: Vec<String> = above.iter().map(byte_sequence).collect();
        let value = |text: String| HeaderValue::try_from(text).ok();
        Some(Credentials {
            certificate: value(byte_sequence(leaf))?,
            chain: if above.is_empty() { None } else { Some(value(above.join(", "))?) },
            identity: value(identity.to_uri())?,
        })
    }
}

/// A byte sequence of a structured field (RFC 9651 section 3.3.5).
fn byte_sequence(der: &CertificateDer<'_>) -> String {
    format!(":{}:", BASE64_STANDARD.encode(der))
}

/// The headers of a request as the backend gets them.
pub fn to_backend(came: &HeaderMap, host: HeaderValue, credentials: &Credentials) -> HeaderMap {
    let mut goes = passed_on(came, OURS_MAX);
    goes.insert(HOST, host);
    goes.insert(CLIENT_CERT, credentials.certificate.clone());
    if let Some(chain) = &credentials.chain {
        goes.insert(CLIENT_CERT_CHAIN, chain.clone());
    }
    goes.insert(IDENTITY, credentials.identity.clone());
    goes
}

/// The headers of an answer as the peer gets them.
pub fn to_peer(came: &HeaderMap) -> HeaderMap {
    passed_on(came, 0)
}

/// With room for so many more.
fn passed_on(came: &HeaderMap, more: usize) -> HeaderMap {
    let listed = listed_in_connection(came);
    let crosses = |name: &HeaderName| {
        !is_for_this_leg(name)
            && !could_pass_for_ours(name)
            && !listed.iter().any(|listed| listed == name.as_str())
    };
    let mut goes = HeaderMap::with_capacity(came.len() + more);
    for (name, value) in came.iter().filter(|(name, _)| crosses(name)) {
        goes.append(name.clone(), value.clone());
    }
    goes
}

/// What `Connection` takes off at this hop, in lower case (RFC 9110 section 7.6.1).
fn listed_in_connection(came: &HeaderMap) -> Vec<String> {
    let values = came.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// Belongs to the connection and not to the message, or is written anew for the next one.
fn is_for_this_leg(name: &HeaderName) -> bool {
    const OF_CONNECTION: [HeaderName; 10] = [
        CONNECTION,
        CONTENT_LENGTH,
        EXPECT,
        HOST,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    OF_CONNECTION.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Names by which some backend somewhere is told who asks. Some read an underscore as a hyphen, so no name with one crosses.
fn could_pass_for_ours(name: &HeaderName) -> bool {
    const BEGINNINGS: [&str; 6] = ["client-cert", "sekisho-", "ssl-", "x-client-", "x-forwarded-", "x-ssl-"];
    let text = name.as_str();
    text.contains('_')
        || *name == FORWARDED
        || text == "x-real-ip"
        || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        let identity = Identity::from_uri("urn:sekisho:test:institution:1310000018").unwrap();
        let chain = [CertificateDer::from(vec![1, 2, 3]), CertificateDer::from(vec![4])];
        Credentials::new(&chain, &identity).unwrap()
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn sent(lines: &[(&str, &str)]) -> Vec<(String, String)> {
        let goes = to_backend(&headers(lines), HeaderValue::from_static("backend"), &credentials());
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let mut sent: Vec<_> = goes.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        sent.sort();
        sent
    }

    fn ours() -> Vec<(String, String)> {
        [
            ("client-cert", ":AQID:"),
            ("client-cert-chain", ":BA==:"),
            ("host", "backend"),
            ("sekisho-identity", "urn:sekisho:test:institution:1310000018"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn what_means_something_to_the_backend_crosses_as_it_came() {
        let came = [("Content-Type", "application/xml"), ("Accept", "a"), ("Accept", "b")];
        let mut expected = ours();
        expected.extend(
            [("accept", "a"), ("accept", "b"), ("content-type", "application/xml")]
                .map(|(n, v)| (n.to_owned(), v.to_owned())),
        );
        expected.sort();
        assert_eq!(sent(&came), expected);
    }

    #[test]
    fn case_35_no_spelling_of_an_identity_header_crosses_beside_ours() {
        for name in [
            "Client-Cert",
            "client-cert",
            "CLIENT-CERT-CHAIN",
            "Client_Cert",
            "client_cert_chain",
            "Client-Cert-Verify",
            "Sekisho-Identity",
            "X-Forwarded-Client-Cert",
            "X-Forwarded-For",
            "X-SSL-Client-S-DN",
            "SSL-Client-Cert",
            "X-Client-Cert",
            "Forwarded",
            "X-Real-IP",
            "X_Real_IP",
        ] {
            assert_eq!(sent(&[(name, "forged"), (name, "twice")]), ours(), "{name}");
        }
    }

    #[test]
    fn case_34_connection_takes_off_what_it_lists_and_nothing_of_ours() {
        let listed = "close, Client-Cert, client-cert-chain, Sekisho-Identity, Host, X-Own";
        let came = [("Connection", listed), ("X-Own", "1"), ("Client-Cert", "forged")];
        assert_eq!(sent(&came), ours());
        let two = [("Connection", "X-One"), ("Connection", "x-two"), ("X-One", "1"), ("X-Two", "2")];
        assert_eq!(sent(&two), ours());
    }

    #[test]
    fn what_belongs_to_one_connection_stays_there() {
        let came = [
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Authorization", "x"),
            ("TE", "trailers"),
            ("Trailer", "Client-Cert"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("Expect", "100-continue"),
            ("Content-Length", "9"),
        ];
        assert_eq!(sent(&came), ours());
        assert!(to_peer(&headers(&came)).is_empty());
    }
}

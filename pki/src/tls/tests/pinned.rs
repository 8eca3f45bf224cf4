//! What an upgrade of the library could change under us, said here so that it shows.

use rustls::{ClientConfig, ClientConnection};

use crate::{
    testing::{HOST, world::World},
    tls::{TlsPolicy, Versions},
};

#[test]
fn the_server_sends_no_ticket_keeps_no_session_takes_no_early_data_and_speaks_only_after_the_client_is_known()
{
    let world = World::new();
    for versions in [Versions::Tls13, Versions::Tls13AndTls12] {
        let policy = TlsPolicy { versions, ..TlsPolicy::default() };
        let config = world.server(world.trust(), policy).connection().unwrap().0;
        assert_eq!((config.send_tls13_tickets, config.max_tls13_tickets), (0, 0));
        assert!(!config.session_storage.can_cache() && !config.ticketer.enabled());
        assert_eq!(config.max_early_data_size, 0);
        assert!(!config.send_half_rtt_data);
        assert!(config.require_ems && config.ignore_client_order);
        assert!(config.cert_compressors.is_empty() && config.cert_decompressors.is_empty());
        assert!(!config.enable_secret_extraction && !config.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
    }
}

#[test]
fn the_client_takes_no_early_data_and_writes_no_keys() {
    let world = World::new();
    let config = world.client_config(world.trust());
    assert!(
        !config.enable_early_data && config.enable_sni && config.check_selected_alpn && config.require_ems
    );
    assert!(config.cert_compressors.is_empty() && config.cert_decompressors.is_empty());
    assert!(!config.enable_secret_extraction && !config.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
    assert_eq!(config.send_ticket_request, None);
}

/// A client hello taken apart: cipher suites, and extensions by type (RFC 8446 section 4.1.2).
struct Hello {
    suites: Vec<u16>,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    fn of(config: std::sync::Arc<ClientConfig>) -> Self {
        let mut client = ClientConnection::new(config, HOST.try_into().unwrap()).unwrap();
        let mut record = Vec::new();
        client.write_tls(&mut record).unwrap();
        // Record and handshake headers, version, random value.
        let mut rest = &record[5 + 4 + 2 + 32..];
        let session_id = usize::from(rest[0]);
        rest = &rest[1 + session_id..];
        let suites = vector(&mut rest).chunks(2).map(number).collect();
        let compressions = usize::from(rest[0]);
        rest = &rest[1 + compressions..];
        let mut inside = vector(&mut rest);
        let mut extensions = Vec::new();
        while !inside.is_empty() {
            let kind = number(&inside[..2]);
            inside = &inside[2..];
            extensions.push((kind, vector(&mut inside).to_vec()));
        }
        extensions.sort();
        Hello { suites, extensions }
    }

    fn types(&self) -> Vec<u16> {
        self.extensions.iter().map(|(kind, _)| *kind).collect()
    }

    fn list(&self, kind: u16) -> Vec<u16> {
        let (_, content) = self.extensions.iter().find(|(found, _)| *found == kind).unwrap();
        let header = if kind == SUPPORTED_VERSIONS { 1 } else { 2 };
        content[header..].chunks(2).map(number).collect()
    }
}

fn number(bytes: &[u8]) -> u16 {
    u16::from_be_bytes(bytes.try_into().unwrap())
}

/// A vector with a length of two bytes before it.
fn vector<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let (content, after) = rest[2..].split_at(usize::from(number(&rest[..2])));
    *rest = after;
    content
}

const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const EARLY_DATA: u16 = 42;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const CERTIFICATE_COMPRESSION: u16 = 27;

#[test]
fn what_our_client_says_on_the_wire_is_what_we_mean() {
    let world = World::new();
    let hello = Hello::of(world.client_config(world.trust()));
    // AES-256-GCM, ChaCha20, AES-128-GCM.
    assert_eq!(hello.suites, [0x1302, 0x1303, 0x1301]);
    assert_eq!(hello.list(SUPPORTED_VERSIONS), [0x0304]);
    // X25519MLKEM768, X25519, P-256, P-384.
    assert_eq!(hello.list(SUPPORTED_GROUPS), [0x11ec, 0x001d, 0x0017, 0x0018]);
    assert_eq!(
        hello.list(SIGNATURE_ALGORITHMS),
        [0x0503, 0x0403, 0x0603, 0x0806, 0x0805, 0x0804, 0x0601, 0x0501, 0x0401, 0x0807]
    );
    for absent in [EARLY_DATA, PRE_SHARED_KEY, CERTIFICATE_COMPRESSION] {
        assert!(!hello.types().contains(&absent), "{absent}");
    }
    // Name, OCSP request, groups, point formats, signatures, ALPN, extended master secret, versions, PSK modes, key
    // share: nothing that nobody asked for.
    assert_eq!(hello.types(), [0, 5, 10, 11, 13, 16, 23, 43, 45, 51]);
}

//! What the centre makes of handshakes that are not as ours: old versions, tickets, early data, hellos in crumbs, and those
//! that no library would say.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::path::PathBuf;

use certs_tool::{Profile, Validity};
use protocol::party::Identity;
use tests::{
    forger::Shown,
    hello::{Hello, Reply, TLS_1_2, reply},
    lenient::Lenient,
    papers::from_now,
    patience::patiently,
    setting::Setting,
    strangers::{Impostor, Stranger, are_here, clinic},
    wire::{get, offer},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

const REQUEST: &[u8] = b"GET /v1/log/checkpoint HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// Numbers of alerts (RFC 8446 section 6).
const HANDSHAKE_FAILURE: u8 = 40;
const CERTIFICATE_EXPIRED: u8 = 45;
const PROTOCOL_VERSION: u8 = 70;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// The clinic, with other people's tools.
fn good(setting: &Setting) -> Stranger {
    Stranger::new(1, &setting.lab.sites.authority().root_pem(), Some(clinic(setting)))
}

/// A ticket: the centre's own, if it gave one, else from somebody with the centre's certificate and key.
async fn ticket(setting: &Setting, stranger: &Stranger) -> PathBuf {
    let own = setting.lab.path().join("own.pem");
    let getting = ["-alpn", "http/1.1", "-sess_out", own.to_str().unwrap()];
    let said = stranger.s_client(setting.centre.address, &getting, REQUEST).await;
    assert!(said.text.contains("HTTP/1.1 200"), "{}", said.text);
    if own.exists() { own } else { ticket_from_elsewhere(setting, stranger).await }
}

async fn ticket_from_elsewhere(setting: &Setting, stranger: &Stranger) -> PathBuf {
    let tls = setting.centre.site.directory.join("tls");
    let shown = Shown { chain: tls.join("certificate.pem"), key: tls.join("key.pem") };
    let early = ["-tls1_3", "-alpn", "http/1.1", "-early_data", "-max_early_data", "16384"];
    let mut other = Impostor::start(&shown, &early).await;
    let ticket = setting.lab.path().join("ticket.pem");
    let getting = ["-alpn", "http/1.1", "-sess_out", ticket.to_str().unwrap()];
    let client = stranger.s_client(other.address, &getting, b"");
    let ending = patiently("a ticket", async {
        while !tokio::fs::read_to_string(&ticket).await.is_ok_and(|text| text.contains("-----END")) {}
        other.hang_up();
    });
    let (said, ()) = tokio::join!(client, ending);
    assert!(said.text.contains("Max Early Data: 16384"), "{}", said.text);
    ticket
}

#[tokio::test]
async fn only_tls_1_3_and_http_1_1_are_spoken() {
    if !are_here() {
        return;
    }
    let setting = Setting::new(20_000, &[]).await;
    let (good, to) = (good(&setting), setting.centre.address);
    let said = good.s_client(to, &["-alpn", "http/1.1"], REQUEST).await;
    assert!(said.text.contains("New, TLSv1.3") && said.text.contains("HTTP/1.1 200"), "{}", said.text);
    for (version, alert) in
        [("-tls1", HANDSHAKE_FAILURE), ("-tls1_1", HANDSHAKE_FAILURE), ("-tls1_2", PROTOCOL_VERSION)]
    {
        let said = good.s_client(to, &[version], REQUEST).await;
        assert_eq!(said.alert(), Some(alert), "{version}: {}", said.text);
    }
}

#[tokio::test]
async fn case_37_http_2_is_not_spoken_whether_it_is_asked_for_or_taken_for_granted() {
    if !are_here() {
        return;
    }
    let setting = Setting::new(20_000, &[]).await;
    let (good, to) = (good(&setting), setting.centre.address);
    let said = good.s_client(to, &["-alpn", "h2"], REQUEST).await;
    assert_eq!(said.alert(), Some(NO_APPLICATION_PROTOCOL), "{}", said.text);
    let said = good.curl(to, "/v1/log/checkpoint", &["--http2"]).await;
    assert_eq!(said.last_line, "1.1 200", "{}", said.text);
    // The preface of HTTP/2 (RFC 9113 section 3.4), and the frame that must follow it.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut line = setting.caller.line().await;
    line.write(preface).await;
    let said = line.closed().await;
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn no_session_is_ever_resumed() {
    if !are_here() {
        return;
    }
    let setting = Setting::new(20_000, &[]).await;
    let (good, to) = (good(&setting), setting.centre.address);
    let none = setting.lab.path().join("none.pem");
    let again = ["-alpn", "http/1.1", "-reconnect", "-sess_out", none.to_str().unwrap()];
    let said = good.s_client(to, &again, REQUEST).await;
    assert_eq!(said.text.matches("New, TLSv1.3").count(), 6, "{}", said.text);
    assert!(!said.text.contains("Reused") && !said.text.contains("Ticket"), "{}", said.text);
    assert!(said.text.contains("HTTP/1.1 200") && !none.exists(), "no ticket was given");
    let ticket = ticket_from_elsewhere(&setting, &good).await;
    let with_ticket = ["-alpn", "http/1.1", "-sess_in", ticket.to_str().unwrap()];
    let said = good.s_client(to, &with_ticket, REQUEST).await;
    assert!(said.text.contains("New, TLSv1.3") && !said.text.contains("Reused"), "{}", said.text);
    assert!(said.text.contains("HTTP/1.1 200"), "{}", said.text);
    let url = format!("https://{to}/v1/log/checkpoint");
    let twice = ["--verbose", "--header", "connection: close", &url];
    let said = good.curl(to, "/v1/log/checkpoint", &twice).await;
    assert_eq!(said.text.matches("SSL connection using TLSv1.3").count(), 2, "{}", said.text);
    assert!(!said.text.to_ascii_lowercase().contains("session id"), "{}", said.text);
}

#[tokio::test]
async fn case_05_a_ticket_does_not_help_a_client_whose_certificate_has_ended_since() {
    if !are_here() {
        return;
    }
    let setting = Setting::new(20_000, &[]).await;
    let authority = setting.lab.sites.authority();
    let identity = Identity::from_uri("urn:sekisho:test:institution:1310000018").unwrap();
    // Long enough for one connection on a busy machine.
    let validity = Validity::new(from_now(-60_000), from_now(5_000)).unwrap();
    let short =
        authority.issue(Profile::Institution, &identity, &[], &authority.dir().join("short"), validity);
    let client = Stranger::new(1, &authority.root_pem(), Some(short.unwrap().into()));
    let ticket = ticket(&setting, &client).await;
    let with_ticket = ["-alpn", "http/1.1", "-sess_in", ticket.to_str().unwrap()];
    let to = setting.centre.address;
    let ended = async {
        loop {
            let said = client.s_client(to, &with_ticket, b"GET").await;
            assert!(!said.text.contains("Reused"), "{}", said.text);
            if said.alert() == Some(CERTIFICATE_EXPIRED) {
                return;
            }
        }
    };
    patiently("the end of a certificate", ended).await;
}

#[tokio::test]
async fn case_06_early_data_is_never_acted_on() {
    if !are_here() {
        return;
    }
    let setting = Setting::new(20_000, &[]).await;
    let good = good(&setting);
    let ticket = ticket(&setting, &good).await;
    let early = offer(&setting.papers.sign(&setting.manifest()));
    let early = setting.lab.file("early", &early);
    let [ticket, early] = [&ticket, &early].map(|path| path.to_str().unwrap());
    let with_both = ["-alpn", "http/1.1", "-sess_in", ticket, "-early_data", early];
    let said = good.s_client(setting.centre.address, &with_both, REQUEST).await;
    assert!(said.text.contains("Early data was rejected"), "{}", said.text);
    assert_eq!(
        said.text.matches("HTTP/1.1 ").count(),
        1,
        "one answer, to the request behind it: {}",
        said.text
    );
    setting.expect_no_transfer().await;
}

#[tokio::test]
async fn case_07_after_a_hello_retry_request_a_hello_of_tls_1_2_gets_protocol_version() {
    let setting = Setting::new(20_000, &[]).await;
    let mut stream = TcpStream::connect(setting.centre.address).await.unwrap();
    stream.write_all(&Hello::default().record()).await.unwrap();
    assert!(matches!(reply(&mut stream).await, Reply::Takes { group: Some(0x001d), .. }), "asks for a share");
    // The suites and groups that every TLS 1.2 server would take.
    let old = Hello { versions: vec![], suites: vec![0xc02b, 0xc02c, 0x1301], ..Hello::default() };
    assert_eq!(old.legacy_version, TLS_1_2);
    stream.write_all(&old.record()).await.unwrap();
    // A server that plays for middleboxes says a byte of another kind first.
    assert_eq!(reply(&mut stream).await, Reply::Alert(PROTOCOL_VERSION));
}

#[tokio::test]
async fn case_08_a_hello_in_crumbs_meets_the_same_demand_for_a_certificate() {
    let setting = Setting::new(20_000, &[]).await;
    let (known, nobody) = (Lenient::new(Some(clinic(&setting))), Lenient::new(None));
    // A hello of ours has some 2,000 bytes.
    for (record, write) in [(1, 6), (1, 7), (3, 100), (100, 1), (500, 500), (16_384, 1), (16_384, 1400)] {
        let what = format!("records of {record}, writes of {write}");
        let answer = known.ask_in_crumbs(setting.centre.address, record, write).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{what}: {answer}");
        let error = nobody.ask_in_crumbs(setting.centre.address, record, write).await.unwrap_err();
        assert_eq!(pki::tls::alert_reason(&error), Some("no_cert"), "{what}: {error}");
    }
    let all = |status: &gateway::admin::Status| status.turned_down.get("certificate:no_cert") == Some(&7);
    setting.centre.until("seven refusals to be counted", all).await;
}

#[tokio::test]
async fn case_39_clients_that_connect_and_say_nothing_do_not_delay_the_next_handshake() {
    let setting = Setting::new(20_000, &[("link.handshake_max", "\"60s\"")]).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(setting.centre.address).await.unwrap());
    }
    let question = get("/v1/log/checkpoint");
    let answer = patiently("an answer beside silent clients", setting.caller.ask(&question)).await;
    assert_eq!(answer.status, 200);
    // All of them were there meanwhile: none had been let go.
    let turned_down = setting.centre.status().await.turned_down;
    assert!(turned_down.keys().all(|reason| !reason.starts_with("connection:")), "{turned_down:?}");
    for stream in &silent {
        let nothing_yet = stream.try_read(&mut [0]).unwrap_err().kind();
        assert_eq!(nothing_yet, std::io::ErrorKind::WouldBlock);
    }
}

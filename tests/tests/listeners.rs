//! Several listeners in one gateway: each judges by its own roots, lists, networks and roles, at the handshake and whenever
//! these change, and what counts at one counts at no other.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::net::SocketAddr;

use certs_tool::Profile;
use lab::site::{CentreSite, SenderSite};
use protocol::{kind::Kind, party::Identity};
use tests::{
    forger::Shown,
    lab::{TestLab, institution},
    lenient::Lenient,
    patience::patiently,
    setting::Setting,
    upkeep::{gateway, gateway_does, gateway_refuses, put},
    wire::{Caller, get},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::rustls::version::TLS12;

const UNWATCHED: (&str, &str) = ("reload.watch", "false");

/// An idle connection stays for longer than anybody waits, so that only an order ends it.
const PATIENT: (&str, &str) = ("link.header_max", "\"120s\"");

const ANYWHERE: (&str, &str) = ("listener.second.address", "\"127.0.0.1:0\"");

/// Where its further listener listens.
fn second(site: &CentreSite) -> SocketAddr {
    std::fs::read_to_string(site.data.join("address-second")).unwrap().trim().parse().unwrap()
}

fn shown(site: &SenderSite) -> Shown {
    let tls = site.directory.join("tls");
    Shown { chain: tls.join("certificate.pem"), key: tls.join("key.pem") }
}

async fn gets_through(caller: &Caller) -> bool {
    caller.try_ask(&get("/v1/log/checkpoint")).await.is_some_and(|answer| answer.status == 200)
}

/// A centre whose second listener belongs to another authority, and a sender of that authority.
struct TwoAuthorities {
    setting: Setting,
    other: TestLab,
    stranger: Caller,
    stranger_site: SenderSite,
}

impl TwoAuthorities {
    async fn new() -> Self {
        let other = TestLab::new();
        let identity = Identity::from_uri("urn:sekisho:test:review-agency:113").unwrap();
        let (certificate, key) =
            other.issued("second", Profile::Centre, &identity, &["127.0.0.1", "localhost"]);
        let authority = other.sites.authority();
        let quoted = |path: &std::path::Path| format!("\"{}\"", path.display());
        let lists = authority.dir().join("crls");
        let (certificate, key) = (quoted(&certificate), quoted(&key));
        let anchors = format!("[{}]", quoted(&authority.root_pem()));
        let issuers = format!("[{}]", quoted(&authority.issuing_pem()));
        let crls = format!("[{}, {}]", quoted(&lists.join("root.pem")), quoted(&lists.join("issuing.pem")));
        let changes = [
            UNWATCHED,
            PATIENT,
            ANYWHERE,
            ("listener.second.tls.certificate", &certificate),
            ("listener.second.tls.key", &key),
            ("listener.second.tls.anchors", &anchors),
            ("listener.second.tls.issuers", &issuers),
            ("listener.second.tls.crls", &crls),
        ];
        let setting = Setting::new(300_000, &changes).await;
        let second = second(&setting.centre.site);
        let stranger_site = other.sender("stranger", &institution(Kind::Medical, 2), second, &[]);
        let stranger = Caller::new(&stranger_site, second);
        TwoAuthorities { setting, other, stranger, stranger_site }
    }
}

#[tokio::test]
async fn what_counts_at_one_listener_counts_at_no_other() {
    let TwoAuthorities { setting, other: _other, stranger, stranger_site } = TwoAuthorities::new().await;
    let (main, second) = (setting.centre.address, second(&setting.centre.site));
    assert!(gets_through(&setting.caller).await);
    assert!(gets_through(&stranger).await);
    // Somebody who takes any server for the centre is refused by the centre, each at the other's listener.
    for (site, own, other) in [(&setting.site, main, second), (&stranger_site, second, main)] {
        let credulous = Lenient::new(Some(shown(site)));
        assert!(credulous.ask(own).await.unwrap().starts_with("HTTP/1.1 200"));
        assert!(credulous.ask(other).await.is_err());
    }
    let both = |status: &gateway::admin::Status| status.turned_down.get("certificate:unknown_ca") == Some(&2);
    setting.centre.until("both refusals", both).await;
    // The first listener's certificate is not shown at the second, and the reverse.
    assert!(setting.caller.at(second).try_line().await.is_err());
    assert!(stranger.at(main).try_line().await.is_err());
}

#[tokio::test]
async fn a_connection_is_judged_again_by_the_lists_of_its_own_listener() {
    let TwoAuthorities { setting, other, stranger, stranger_site } = TwoAuthorities::new().await;
    let mut line = setting.caller.line().await;
    let mut strange = stranger.line().await;
    assert_eq!(line.ask(&get("/v1/log/checkpoint")).await.status, 200);
    assert_eq!(strange.ask(&get("/v1/log/checkpoint")).await.status, 200);
    other.revoke(&stranger_site);
    let said = gateway_does(&setting.centre.site, &["reload"]).await;
    assert!(said.contains("1 of them ended"), "{said}");
    strange.closed().await;
    assert_eq!(line.ask(&get("/v1/log/checkpoint")).await.status, 200);
}

#[tokio::test]
async fn a_listener_turns_away_whom_its_roles_do_not_name() {
    let changes = [UNWATCHED, ANYWHERE, ("listener.second.roles", "[\"insurer\"]")];
    let setting = Setting::new(300_000, &changes).await;
    let at_second = setting.caller.at(second(&setting.centre.site));
    assert!(!gets_through(&at_second).await);
    setting.centre.logs(&["peer turned away", "role_not_here"]).await;
    assert!(gets_through(&setting.caller).await);
    // The offline answer is the same.
    let certificate = setting.site.directory.join("tls/certificate.pem");
    let asked = ["check", "--peer", certificate.to_str().unwrap(), "--listener", "second"];
    let output = gateway(&setting.centre.site, &asked).await;
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8(output.stdout).unwrap().contains("role_not_here"));
    gateway_does(&setting.centre.site, &asked[..3]).await;
}

#[tokio::test]
async fn narrower_roles_or_networks_end_the_connections_that_no_longer_fit() {
    for (narrower, reason) in [
        (("listen.roles", "[\"insurer\"]"), "role_not_here"),
        (("listen.allowed_prefixes", "[\"198.51.100.0/24\"]"), "not_allowed"),
    ] {
        let setting = Setting::new(300_000, &[UNWATCHED, PATIENT, ANYWHERE]).await;
        let mut line = setting.caller.line().await;
        let mut elsewhere = setting.caller.at(second(&setting.centre.site)).line().await;
        assert_eq!(line.ask(&get("/v1/log/checkpoint")).await.status, 200);
        assert_eq!(elsewhere.ask(&get("/v1/log/checkpoint")).await.status, 200);
        lab::site::change(&setting.centre.site.config, &[narrower]).unwrap();
        let said = gateway_does(&setting.centre.site, &["reload"]).await;
        assert!(said.contains("1 of them ended"), "{said}");
        setting.centre.logs(&["open connection ended", reason]).await;
        line.closed().await;
        // The other listener's settings are its own.
        assert_eq!(elsewhere.ask(&get("/v1/log/checkpoint")).await.status, 200);
    }
}

#[tokio::test]
async fn a_connection_of_tls_1_2_ends_when_its_listener_no_longer_takes_that_version() {
    let both = [("listen.tls12", "\"accept\""), ("listener.second.tls12", "\"accept\"")];
    let setting = Setting::new(100_000, &[&[UNWATCHED, PATIENT, ANYWHERE], &both[..]].concat()).await;
    let older = Lenient { versions: vec![&TLS12], ..Lenient::new(Some(shown(&setting.site))) };
    let mut here = older.open(setting.centre.address).await.unwrap();
    let mut elsewhere = older.open(second(&setting.centre.site)).await.unwrap();
    let mut newer = setting.caller.line().await;
    for line in [&mut here, &mut elsewhere] {
        assert_eq!(asked(line).await, "HTTP/1.1 200");
    }
    assert_eq!(newer.ask(&get("/v1/log/checkpoint")).await.status, 200);
    lab::site::change(&setting.centre.site.config, &[("listen.tls12", "\"refuse\"")]).unwrap();
    let said = gateway_does(&setting.centre.site, &["reload"]).await;
    assert!(said.contains("1 of them ended"), "{said}");
    setting.centre.logs(&["open connection ended", "tls12_refused"]).await;
    let _ = patiently("its end", here.read_to_end(&mut Vec::new())).await;
    assert_eq!(asked(&mut elsewhere).await, "HTTP/1.1 200");
    assert_eq!(newer.ask(&get("/v1/log/checkpoint")).await.status, 200);
}

/// The first words of the answer to one request; the rest of it comes with them.
async fn asked(line: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    line.write_all(&get("/v1/log/checkpoint")).await.unwrap();
    let mut answer = vec![0; 16_384];
    let count = patiently("an answer", line.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer[..count.min(12)]).into_owned()
}

#[tokio::test]
async fn listeners_cannot_come_or_go_while_the_gateway_runs() {
    let setting = Setting::new(300_000, &[UNWATCHED]).await;
    lab::site::change(&setting.centre.site.config, &[ANYWHERE]).unwrap();
    let said = gateway_refuses(&setting.centre.site, &["reload"], 2).await;
    assert!(said.contains("listener") && said.contains("restart"), "{said}");
    assert!(gets_through(&setting.caller).await);
}

#[tokio::test]
async fn a_listener_takes_no_step_back_in_revocation_when_its_own_table_comes_or_goes() {
    let setting = Setting::new(100_000, &[UNWATCHED, ANYWHERE]).await;
    let site = &setting.centre.site;
    let (tls, config) = (site.directory.join("tls"), site.config.clone());
    let shared = std::fs::read(&config).unwrap();
    let own = tls.join("own.crl");
    let older = std::fs::read(tls.join("issuing.crl")).unwrap();
    put(&own, &older);
    setting.lab.new_lists("+7d");
    setting.lab.deliver_lists(site);
    gateway_does(site, &["reload"]).await;
    let table = [
        ("listener.second.tls.certificate", "\"tls/certificate.pem\""),
        ("listener.second.tls.key", "\"tls/key.pem\""),
        ("listener.second.tls.anchors", "[\"tls/root.pem\"]"),
        ("listener.second.tls.issuers", "[\"tls/issuing.pem\"]"),
        ("listener.second.tls.crls", "[\"tls/root.crl\", \"tls/own.crl\"]"),
    ];
    lab::site::change(&config, &table).unwrap();
    let said = gateway_refuses(site, &["reload"], 3).await;
    assert!(said.contains("listener.second.tls") && said.contains("step back"), "{said}");
    // With the newest list it may come; with an older one it may not go.
    put(&own, &std::fs::read(tls.join("issuing.crl")).unwrap());
    gateway_does(site, &["reload"]).await;
    setting.lab.new_lists("+7d");
    put(&own, &std::fs::read(setting.lab.sites.authority().dir().join("crls/issuing.pem")).unwrap());
    gateway_does(site, &["reload"]).await;
    put(&config, &shared);
    let said = gateway_refuses(site, &["reload"], 3).await;
    assert!(said.contains("step back"), "{said}");
    setting.lab.deliver_lists(site);
    gateway_does(site, &["reload"]).await;
}

#[tokio::test]
async fn a_transfer_may_go_on_at_another_listener() {
    let setting = Setting::new(300_000, &[UNWATCHED, ANYWHERE]).await;
    let key = setting.offered().await;
    let answer = setting.caller.at(second(&setting.centre.site)).send(&key, &setting.content).await;
    answer.receipt();
}

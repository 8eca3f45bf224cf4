//! The revocation lists that a centre serves to whoever cannot reach their authority.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::fs;

use gateway::crl_serve::Served;
use protocol::kind::Kind;
use tests::{
    files::claims_file,
    lab::institution,
    publisher::{issuing_list, plain, plain_get},
    sender::Sending,
    setting::Setting,
    upkeep::gateway_does,
};

/// A centre that serves its lists, and where.
async fn serving() -> (Setting, String) {
    let setting = Setting::new(100_000, &[("crl.serve", "\"127.0.0.1:0\"")]).await;
    let line = setting.centre.logs(&["revocation lists are served"]).await;
    let address = line.split("address=").nth(1).unwrap().trim().to_owned();
    (setting, address)
}

async fn index(address: &str) -> Vec<Served> {
    let (status, _, body) = plain_get(address, "/crl/").await;
    assert_eq!(status, 200);
    serde_json::from_slice(&body).unwrap()
}

/// The one that the authority which issues made.
async fn issuing(address: &str) -> Served {
    index(address).await.into_iter().find(|served| served.issuer.to_lowercase().contains("issuing")).unwrap()
}

#[tokio::test]
async fn each_list_in_force_is_served_once_by_a_name_that_its_numbers_share() {
    let (setting, address) = serving().await;
    let before = index(&address).await;
    assert_eq!(before.len(), 2, "root and issuing, whatever the sections: {before:?}");
    let first = issuing(&address).await;
    let (status, head, body) = plain_get(&address, &first.path).await;
    assert_eq!((status, body), (200, issuing_list(&setting.lab.sites)));
    assert!(head.contains("application/pkix-crl"), "{head}");
    let shown = gateway_does(&setting.centre.site, &["status"]).await;
    assert!(shown.contains(&first.path), "{shown}");

    setting.lab.new_lists("+7d");
    setting.lab.deliver_lists(&setting.centre.site);
    gateway_does(&setting.centre.site, &["reload"]).await;
    let second = issuing(&address).await;
    assert_eq!(second.path, first.path);
    assert_ne!(second.number, first.number);
    assert_eq!(plain_get(&address, &second.path).await.2, issuing_list(&setting.lab.sites));
}

#[tokio::test]
async fn nothing_else_is_served_there() {
    let (setting, address) = serving().await;
    let path = issuing(&address).await.path;
    for wrong in [
        "/",
        "/crl",
        "/crl/../status",
        "/crl/0123.crl",
        "/status",
        "/metrics",
        "/ready",
        "/v1/log/checkpoint",
    ] {
        assert_eq!(plain_get(&address, wrong).await.0, 404, "{wrong}");
    }
    assert_eq!(plain_get(&address, &format!("{path}?a=b")).await.0, 404);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(plain(&address, &request).await.0, 404, "{method}");
    }
    // One request for each connection, whatever else was asked for.
    let (_, head, _) = plain_get(&address, &path).await;
    assert!(head.to_lowercase().contains("connection: close"), "{head}");
    assert!(setting.centre.status().await.accepting);
}

#[tokio::test]
async fn who_says_nothing_is_closed_within_the_time_that_a_request_may_take() {
    let setting =
        Setting::new(100_000, &[("crl.serve", "\"127.0.0.1:0\""), ("link.header_max", "\"1s\"")]).await;
    let line = setting.centre.logs(&["revocation lists are served"]).await;
    let address = line.split("address=").nth(1).unwrap().trim().to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let mut said = Vec::new();
    let closed = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said);
    // Closed or reset, it is over; what was said is no list.
    let _ = tests::patience::patiently("the end of the connection", closed).await;
    assert!(!said.starts_with(b"HTTP/1.1 200"), "{said:?}");
}

#[tokio::test]
async fn a_sender_takes_its_lists_from_the_centre_that_serves_them() {
    let (setting, address) = serving().await;
    let urls: Vec<String> =
        index(&address).await.iter().map(|list| format!("\"http://{address}{}\"", list.path)).collect();
    let urls = format!("[{}]", urls.join(", "));
    let party = institution(Kind::Medical, 7);
    let changes = [("tls.crl_urls", urls.as_str()), ("evidence.crl_urls", urls.as_str())];
    let site = setting.lab.sender("edge", &party, setting.centre.address, &changes);
    // It has no list but those that it fetches.
    let settings = fs::read_to_string(&site.settings).unwrap();
    let without: Vec<&str> = settings.lines().filter(|line| !line.starts_with("crls =")).collect();
    assert_eq!(settings.lines().count() - without.len(), 2);
    tests::upkeep::write(&site.settings, without.join("\n").as_bytes());
    let file = setting.lab.file("RECEIPTC.UKE", &claims_file(Kind::Medical, &party, 50_000, 1));
    assert!(Sending::start(&site, &file).ended().await.success());
}

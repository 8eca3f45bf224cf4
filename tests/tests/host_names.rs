//! A request is handled only if it is for the host that its connection was made to.

use protocol::{entry::Event, problem::Problem};
use tests::{
    files::claims_file,
    lab::institution,
    sender::Sending,
    setting::Setting,
    wire::{Caller, offer},
};

const ASK: &str = "/v1/log/checkpoint";

fn asking(target: &str, hosts: &[&str]) -> Vec<u8> {
    let hosts: String = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
    format!("GET {target} HTTP/1.1\r\n{hosts}\r\n").into_bytes()
}

async fn expect(caller: &Caller, target: &str, hosts: &[&str], problem: Option<Problem>) {
    let answer = caller.ask(&asking(target, hosts)).await;
    let said = (answer.status != 200).then(|| answer.problem());
    assert_eq!((said, answer.status), (problem, problem.map_or(200, Problem::status)), "{target} {hosts:?}");
}

#[tokio::test]
async fn case_09_a_host_unlike_the_name_of_the_handshake_gets_421_and_no_handler_runs() {
    let setting = Setting::new(20_000, &[]).await;
    let port = setting.centre.address.port();
    let named = setting.caller.dialling("localhost");
    let (elsewhere, with_port) = (Some(Problem::Misdirected), format!("localhost:{port}"));
    for host in ["localhost", "LocalHost", "localhost.", "LOCALHOST.:1", &with_port] {
        expect(&named, ASK, &[host], None).await;
        expect(&setting.caller, ASK, &[host], None).await;
    }
    // An address is not the name, and a name that only looks like it is another.
    for host in
        ["127.0.0.1", "[::1]", "centre.example", "localhost.example", "xlocalhost", "127.0.0.1.localhost"]
    {
        expect(&named, ASK, &[host], elsewhere).await;
    }
    // Without a name in the handshake an address will do, or a name in our certificate.
    for host in ["127.0.0.1", "127.0.0.1:1", "192.0.2.1", "[::1]:443"] {
        expect(&setting.caller, ASK, &[host], None).await;
    }
    for host in ["centre.example", "localhost.example", "127.0.0.1.example"] {
        expect(&setting.caller, ASK, &[host], elsewhere).await;
    }
    // The host in the target counts too, and does not make up for the other.
    for caller in [&named, &setting.caller] {
        expect(caller, &format!("https://localhost{ASK}"), &["localhost"], None).await;
        expect(caller, &format!("https://centre.example{ASK}"), &["localhost"], elsewhere).await;
        expect(caller, &format!("https://localhost{ASK}"), &["centre.example"], elsewhere).await;
        for hosts in [&[][..], &[""], &["localhost", "localhost"], &["somebody@localhost"]] {
            expect(caller, ASK, hosts, Some(Problem::BadHost)).await;
        }
    }

    // A good offer for another host is not even looked at.
    let good = String::from_utf8(offer(&setting.papers.sign(&setting.manifest()))).unwrap();
    let misdirected = good.replacen("host: localhost", "host: centre.example", 1);
    assert_ne!(good, misdirected);
    let answer = named.ask(misdirected.as_bytes()).await;
    assert_eq!((answer.status, answer.problem()), (421, Problem::Misdirected));
    setting.expect_no_transfer().await;
    let entries = setting.centre.entries().await;
    assert!(entries.iter().any(|entry| entry.problem == Some(Problem::Misdirected)));
    assert!(!entries.iter().any(|entry| entry.event == Event::Offered));
    assert_eq!(named.ask(good.as_bytes()).await.status, 201);
}

#[tokio::test]
async fn our_own_client_gets_through_by_address_by_name_and_by_a_name_that_is_not_dialled() {
    let setting = Setting::new(20_000, &[]).await;
    let port = setting.centre.address.port();
    let by_name = format!("\"localhost:{port}\"");
    let other_name: &[(&str, &str)] = &[("centre.server_name", "\"localhost\"")];
    let ways: [(&str, &[(&str, &str)]); 3] =
        [("address", &[]), ("name", &[("centre.address", &by_name)]), ("other-name", other_name)];
    for (number, (way, changes)) in (2..).zip(ways) {
        let party = institution(protocol::kind::Kind::Medical, number);
        let site = setting.lab.sender(way, &party, setting.centre.address, changes);
        let content = claims_file(protocol::kind::Kind::Medical, &party, 20_000, 1);
        let file = setting.lab.file(&format!("{way}/RECEIPTC.UKE"), &content);
        let ended = Sending::start(&site, &file).ended().await;
        assert!(ended.success(), "by {way}: {ended}");
    }
    assert_eq!(setting.centre.status().await.transfers["committed"], 3);
}

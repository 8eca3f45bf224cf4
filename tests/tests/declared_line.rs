//! A sender leaves on the line that its settings declare, and on no other: not when the routes prefer another, and not when
//! the declared one is down (guideline II.5(7)).
//!
//! Two ways lead to the centre's address; the sender's routes prefer the detour.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::path::PathBuf;

use lab::site::{Changes, SenderSite};
use protocol::kind::Kind;
use tests::{
    centre::Centre,
    files::claims_file,
    lab::{TestLab, institution},
    sender::Sending,
    tools::skip,
    towns::{CENTRE, DETOUR, ROAD, SENDER, Town, Towns},
};

struct Setting {
    lab: TestLab,
    towns: Towns,
    centre: Centre,
    file: PathBuf,
}

/// Centre and sender in their towns with two ways between them; nothing where that cannot be had.
async fn setting() -> Option<Setting> {
    let towns = match Towns::new().await {
        Ok(towns) => towns,
        Err(why) => {
            skip(&why);
            return None;
        }
    };
    towns.build_detour().await;
    let lab = TestLab::new();
    let address = format!("\"{CENTRE}:0\"");
    let site = lab.sites.centre_named("centre", &[CENTRE], &[("listen.address", &address)]).unwrap();
    let centre = Centre::start_by(site, |program| towns.command(Town::Centre, program)).await;
    let party = institution(Kind::Dpc, 1);
    let file = lab.file("RECEIPTD.UKE", &claims_file(Kind::Dpc, &party, 300_000, 1));
    Some(Setting { lab, towns, centre, file })
}

impl Setting {
    fn sender(&self, name: &str, line: Changes<'_>) -> SenderSite {
        let changes = [&[("retry.attempts", "1")], line].concat();
        self.lab.sender(name, &institution(Kind::Dpc, 1), self.centre.address, &changes)
    }

    fn send(&self, sender: &SenderSite) -> Sending {
        Sending::start_by(sender, &self.file, |program| self.towns.command(Town::Sender, program))
    }
}

const ON_THE_ROAD: (&str, &str) = ("line.interface", "\"road\"");

#[tokio::test]
async fn a_sender_whose_declared_line_is_down_sends_nothing_on_the_other() {
    let Some(setting) = setting().await else { return };
    setting.towns.set_road("down").await;
    let own_address = format!("\"{SENDER}\"");
    let lines: [Changes<'_>; 2] = [&[ON_THE_ROAD], &[ON_THE_ROAD, ("line.local_address", &own_address)]];
    for (number, line) in lines.into_iter().enumerate() {
        let mut sending = setting.send(&setting.sender(&format!("kept-{number}"), line));
        sending.says(&["nothing goes through the network interface road: it is down"]).await;
        sending.says(&["nothing was sent on another line", "bring the approved line up"]).await;
        assert_eq!(sending.ended().await.code(), Some(5));
    }
    assert_eq!(setting.towns.packets_sent(DETOUR).await, 0);
    // The other would have carried it.
    assert!(setting.send(&setting.sender("free", &[])).ended().await.success());
    assert!(setting.towns.packets_sent(DETOUR).await > 0);
}

#[tokio::test]
async fn an_interface_or_address_that_is_not_there_stops_the_sender_and_is_named() {
    let Some(setting) = setting().await else { return };
    for (name, key, value, said) in [
        ("no-interface", "line.interface", "\"tun7\"", "there is no network interface tun7"),
        ("no-address", "line.local_address", "\"10.117.0.77\"", "10.117.0.77 is no address of this machine"),
        ("no-family", "line.local_address", "\"::1\"", "::1 cannot reach 10.117.0.1"),
    ] {
        let mut sending = setting.send(&setting.sender(name, &[(key, value)]));
        sending.says(&[said]).await;
        assert!(!sending.ended().await.success(), "{name}");
    }
    for way in [ROAD, DETOUR] {
        assert!(setting.towns.packets_sent(way).await < 20, "nothing but what an interface says by itself");
    }
    assert_eq!(setting.towns.packets_sent(DETOUR).await, 0);
}

#[tokio::test]
async fn of_two_lines_only_the_declared_one_carries_anything() {
    let Some(setting) = setting().await else { return };
    let own_address = format!("\"{SENDER}\"");
    let line = [ON_THE_ROAD, ("line.local_address", own_address.as_str())];
    let before = setting.towns.packets_sent(ROAD).await;
    assert!(setting.send(&setting.sender("kept", &line)).ended().await.success());
    assert!(setting.towns.packets_sent(ROAD).await > before);
    assert_eq!(setting.towns.packets_sent(DETOUR).await, 0, "although the routes prefer it");
    let entries = setting.centre.entries().await;
    let from = |entry: &protocol::entry::Entry| entry.subject.as_ref().map(|subject| subject.address.clone());
    let addresses: Vec<String> = entries.iter().filter_map(from).collect();
    assert!(!addresses.is_empty() && addresses.iter().all(|from| from.starts_with(SENDER)), "{addresses:?}");
}

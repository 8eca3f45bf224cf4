//! Two hundred transfers run, half of them by each engine, while certificate, anchors, revocation lists and rights are
//! replaced ten times: none is ended but those of the senders that were revoked.

use std::{fs, sync::Arc};

use lab::site::{Sites, change};
use protocol::{cause::Cause, entry::Event, kind::Kind, problem::Problem};
use tests::{
    files::claims_file,
    lab::{TestLab, institution},
    papers::Papers,
    upkeep::{gateway_does, put},
    wire::{Caller, Engine, send_head},
};
use tokio::{sync::Barrier, task::JoinSet};

const SENDERS: u32 = 20;
const TRANSFERS_OF_EACH: u64 = 10;
const RELOADS: usize = 10;
/// Senders that are revoked, each before one of the reloads.
const REVOKED: [(u32, usize); 3] = [(3, 2), (8, 5), (14, 8)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_go_on_through_ten_reloads_and_only_the_revoked_are_ended() {
    let lab = TestLab::new();
    let changes = [("reload.watch", "false"), ("link.stall_max", "\"120s\"")];
    let centre = lab.centre(&changes).await;
    let site = centre.site.clone();
    // Another authority, which comes and goes.
    let other = Sites::create(&lab.path().join("other")).unwrap();
    let authority = other.authority().dir().to_owned();

    let sites: Vec<_> = (1..=SENDERS)
        .map(|number| {
            let party = institution(Kind::Pharmacy, number);
            (party.clone(), lab.sender(&format!("pharmacy-{number}"), &party, centre.address, &[]))
        })
        .collect();
    let rounds = Arc::new(Barrier::new(SENDERS as usize * TRANSFERS_OF_EACH as usize + 1));
    let mut transfers = JoinSet::new();
    for (number, (party, sender)) in (1..).zip(&sites) {
        let (caller, papers) = (Caller::new(sender, centre.address), Papers::of(sender));
        for (seed, engine) in (0..TRANSFERS_OF_EACH).zip(Engine::ALL.into_iter().cycle()) {
            let content = claims_file(Kind::Pharmacy, party, 60_000, seed);
            let manifest = papers.manifest(Kind::Pharmacy, &content);
            let (offer, key) = (papers.sign(&manifest), manifest.key());
            let (caller, rounds) = (caller.clone(), Arc::clone(&rounds));
            transfers.spawn(async move {
                assert_eq!(caller.offer(&offer).await.status, 201);
                let mut line = caller.with(engine).line().await;
                line.write(&send_head(&key, 0, content.len() as u64)).await;
                // A part in each round, the last part when all reloads are over.
                let part = content.len() / (RELOADS + 1);
                for round in 0..RELOADS {
                    line.write(&content[round * part..(round + 1) * part]).await;
                    rounds.wait().await;
                }
                line.write(&content[RELOADS * part..]).await;
                (number, format!("{key} {engine:?}"), line.answer().await)
            });
        }
    }

    let tls = site.directory.join("tls");
    for round in 0..RELOADS {
        rounds.wait().await;
        let (certificate, key) = lab.renewed(&format!("renewed-{round}"));
        put(&tls.join("certificate.pem"), &fs::read(certificate).unwrap());
        put(&tls.join("key.pem"), &fs::read(key).unwrap());
        for (sender, _) in REVOKED.iter().filter(|(_, before)| *before == round) {
            lab.revoke(&sites[*sender as usize - 1].1);
        }
        lab.new_lists("+7d");
        lab.deliver_lists(&site);
        let own = ["tls/root.pem", "tls/issuing.pem", "tls/root.crl", "tls/issuing.crl"].map(str::to_owned);
        let others = ["root.pem", "issuing.pem", "crls/root.pem", "crls/issuing.pem"]
            .map(|name| authority.join(name).to_str().unwrap().to_owned());
        let list = |at: &[usize]| {
            let mut paths: Vec<&String> = at.iter().map(|at| &own[*at]).collect();
            if round % 2 == 0 {
                paths.extend(at.iter().map(|at| &others[*at]));
            }
            format!("{paths:?}")
        };
        let withdrawn = if round % 2 == 0 { "[\"insurer:claims\"]" } else { "[\"billing-agent:claims\"]" };
        let changes = [
            ("tls.anchors", list(&[0])),
            ("tls.issuers", list(&[1])),
            ("tls.crls", list(&[2, 3])),
            ("permissions.withdraw", withdrawn.to_owned()),
        ];
        let changes: Vec<(&str, &str)> = changes.iter().map(|(key, value)| (*key, value.as_str())).collect();
        change(&site.config, &changes).unwrap();
        let said = gateway_does(&site, &["reload"]).await;
        assert!(said.contains(&format!("generation {} counts", round + 2)), "{said}");
    }

    let revoked = |number: u32| REVOKED.iter().any(|(revoked, _)| *revoked == number);
    let (mut arrived, mut ended) = (0, 0);
    while let Some(transfer) = transfers.join_next().await {
        let (number, key, answer) = transfer.unwrap();
        if revoked(number) {
            // Whether the last word still reaches it depends on how fast the connection is gone.
            assert!(answer.is_none_or(|answer| answer.problem() == Problem::Revoked), "{number} {key}");
            ended += 1;
        } else {
            assert_eq!(answer.unwrap().status, 200, "{number} {key}");
            arrived += 1;
        }
    }
    assert_eq!((arrived, ended), (170, 30));
    let entries = centre.entries().await;
    let of = |event| entries.iter().filter(move |entry| entry.event == event);
    assert_eq!(of(Event::Committed).count(), 170);
    assert_eq!(of(Event::Reloaded).count(), RELOADS);
    let aborted: Vec<_> = of(Event::Aborted).map(|entry| entry.cause).collect();
    assert_eq!(aborted, vec![Some(Cause::Revoked); 30]);
    assert!(centre.verify_log().await.is_ok());
}

//! A file that did not come whole is never taken for one.
//!
//! Over real sockets and real TLS: every proper prefix of a small claims file, each followed by every way a connection
//! can end, on both engines.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use protocol::{entry::Event, kind::Kind, transfer_id::TransferKey};
use tests::{
    centre::spooled,
    files::claims_file,
    lab::{TestLab, institution},
    papers::Papers,
    wire::{Caller, Ending, Engine, send_head},
};
use tokio::task::JoinSet;

/// Transfers that are cut over and over again at the same time.
const TRANSFERS: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn case_41_every_prefix_followed_by_every_ending_is_never_committed() {
    let lab = TestLab::new();
    let centre = lab
        .centre(&[
            ("limits.open_transfers_per_sender_max", "100"),
            ("limits.transfers_per_identity_max", "100"),
            // All of them within a minute.
            ("limits.attempts_per_sender_per_minute_max", "100000"),
            // An attempt keeps its connection's place until it is over, and its next one comes before that.
            ("limits.connections_per_identity_max", "1000"),
        ])
        .await;
    let party = institution(Kind::Pharmacy, 1);
    let site = lab.sender("pharmacy", &party, centre.address, &[]);
    let (caller, papers) = (Caller::new(&site, centre.address), Papers::of(&site));
    let content = Arc::new(claims_file(Kind::Pharmacy, &party, 0, 1));

    let endings = Ending::ALL.iter().flat_map(|ending| Engine::ALL.map(|engine| (*ending, engine)));
    let endings: Vec<(Ending, Engine)> = endings.collect();
    let cases: Vec<(usize, (Ending, Engine))> =
        (0..content.len()).flat_map(|length| endings.iter().map(move |ending| (length, *ending))).collect();
    let count = cases.len();
    let (next, cases) = (Arc::new(AtomicUsize::new(0)), Arc::new(cases));
    let done = Arc::new(Mutex::new(BTreeSet::new()));
    let mut workers = JoinSet::new();
    for _ in 0..TRANSFERS {
        // Every transfer declares the same content; only a commit would make it `already_held`.
        let manifest = papers.manifest(Kind::Pharmacy, &content);
        let key = manifest.key();
        assert_eq!(caller.offer(&papers.sign(&manifest)).await.status, 201);
        let (caller, content) = (caller.clone(), Arc::clone(&content));
        let (next, cases, done) = (Arc::clone(&next), Arc::clone(&cases), Arc::clone(&done));
        workers.spawn(async move {
            let callers = Engine::ALL.map(|engine| (engine, caller.with(engine)));
            while let Some((length, (ending, engine))) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (_, caller) = callers.iter().find(|(of, _)| of == engine).unwrap();
                cut(caller, &key, &content, *length, *ending).await;
                done.lock().unwrap().insert((*length, format!("{ending:?} {engine:?}")));
            }
            key
        });
    }
    let keys = workers.join_all().await;
    assert_eq!(done.lock().unwrap().len(), count);

    // A reset is noticed a moment after it was sent.
    centre.until("the end of the last attempts", |status| status.attempts_running == 0).await;
    for key in &keys {
        let state = caller.state(key).await;
        assert_eq!((state.phase.as_str(), state.offset, state.receipt), ("aborted", 0, None), "{key}");
    }
    let entries = centre.entries().await;
    let is = |event: Event| move |entry: &&protocol::entry::Entry| entry.event == event;
    let began = entries.iter().filter(is(Event::AttemptBegan)).count();
    assert_eq!(
        entries.iter().filter(is(Event::Aborted)).count(),
        began,
        "each attempt that began was aborted"
    );
    // A reset may overtake the head of its request, and then no attempt begins. Nothing else may.
    assert!(began >= count * 3 / 4, "only {began} of {count} attempts began");
    assert_eq!(entries.iter().filter(is(Event::Committed)).count(), 0);
    assert_eq!(centre.inbox(), []);
    println!(
        "{count} connections were cut, {began} attempts had begun, {} files in the spool",
        spooled(&centre.site).len()
    );

    // The whole content still commits, under one of the ids.
    assert_eq!(caller.with(Engine::Bulk).send(&keys[0], &content).await.status, 200);
    assert_eq!(centre.delivered(&keys[0]).await.content, *content);
}

async fn cut(caller: &Caller, key: &TransferKey, content: &[u8], length: usize, ending: Ending) {
    let mut line = caller.line().await;
    let head = send_head(key, 0, content.len() as u64);
    line.write(&[&head, &content[..length]].concat()).await;
    line.end(ending, content[length]).await;
}

//! A file that did not come whole is never taken for one.
//!
//! Over real sockets and real TLS: every proper prefix of a small claims file, and of a large one those that end where a piece
//! does or beside that, each followed by every way a connection can end, on both engines.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use gateway::admin::Status;
use protocol::{entry::Event, kind::Kind, limits::PIECE_BYTES, transfer_id::TransferKey};
use tests::{
    at_once::at_once,
    centre::spooled,
    files::claims_file,
    lab::{TestLab, institution},
    papers::Papers,
    wire::{Caller, Ending, Engine, send_head},
};
use tokio::task::JoinSet;

/// A piece of content, which is what the spool keeps at once.
const PIECE: usize = PIECE_BYTES as usize;

/// Large contents that are brought at the same time.
const AT_ONCE: usize = 4;

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

/// A large content, and how it is cut.
struct LargeCase {
    key: TransferKey,
    caller: Caller,
    /// Of the content.
    seed: u64,
    length: usize,
    ending: Ending,
}

impl LargeCase {
    /// Made anew each time: all of them at once would fill the memory.
    fn content(&self) -> Vec<u8> {
        large(self.seed)
    }
}

fn large(seed: u64) -> Vec<u8> {
    claims_file(Kind::Pharmacy, &institution(Kind::Pharmacy, 1), 3 * PIECE_BYTES + 100_000, seed)
}

#[tokio::test(flavor = "multi_thread")]
async fn large_content_that_is_cut_at_or_beside_a_piece_goes_on_from_a_whole_one_and_is_nowhere_before_it_is_whole()
 {
    let lab = TestLab::new();
    let limits = [
        ("limits.open_transfers_per_sender_max", "200"),
        ("limits.attempts_per_sender_per_minute_max", "10000"),
    ];
    let centre = lab.centre(&limits).await;
    let party = institution(Kind::Pharmacy, 1);
    let site = lab.sender("pharmacy", &party, centre.address, &[]);
    let (caller, papers) = (Caller::new(&site, centre.address), Papers::of(&site));

    let borders = (1..=3).flat_map(|piece| [piece * PIECE - 1, piece * PIECE, piece * PIECE + 1]);
    // Of the whole but its last byte, whatever that is.
    let lengths = [0, 1].into_iter().chain(borders).chain([usize::MAX]);
    let ways = || Ending::ALL.iter().flat_map(|ending| Engine::ALL.map(|engine| (*ending, engine)));
    let mut cases = Vec::new();
    for (seed, (length, (ending, engine))) in
        (0..).zip(lengths.flat_map(|length| ways().map(move |way| (length, way))))
    {
        let content = large(seed);
        assert!(content.len() > 3 * PIECE + 2);
        let manifest = papers.manifest(Kind::Pharmacy, &content);
        assert_eq!(caller.offer(&papers.sign(&manifest)).await.status, 201);
        let (key, length) = (manifest.key(), length.min(content.len() - 1));
        cases.push(LargeCase { key, caller: caller.with(engine), seed, length, ending });
    }
    let cases = at_once(AT_ONCE, cases, |case: LargeCase| async move {
        cut(&case.caller, &case.key, &case.content(), case.length, case.ending).await;
        case
    })
    .await;
    // A reset is noticed a moment after it was sent.
    let is_over = |status: &Status| status.connections == 0 && status.attempts_running == 0;
    centre.until("the end of the last attempts", is_over).await;
    let committed = async || {
        let entries = centre.entries().await;
        entries.into_iter().filter(|entry| entry.event == Event::Committed).count()
    };
    assert_eq!((committed().await, centre.inbox()), (0, vec![]));

    let count = cases.len();
    let cases = at_once(AT_ONCE, cases, |case: LargeCase| async move {
        let LargeCase { key, caller, length, ending, .. } = &case;
        let content = case.content();
        let (state, what) = (caller.with(Engine::Hyper).state(key).await, format!("{length} {ending:?}"));
        let offset = usize::try_from(state.offset).unwrap();
        assert!(offset.is_multiple_of(PIECE) && offset <= *length, "{offset} after {what}");
        // What a reset overtakes is lost; nothing else is, of whole pieces.
        if *ending != Ending::Reset {
            assert_eq!(offset, length / PIECE * PIECE, "{what}");
        }
        let mut line = caller.line().await;
        let rest = &content[offset..];
        line.write(&send_head(key, state.offset, rest.len() as u64)).await;
        line.ask(rest).await.receipt();
        case
    })
    .await;
    assert_eq!((cases.len(), committed().await), (count, count));
    for case in &cases {
        let LargeCase { key, length, ending, .. } = case;
        centre.logs(&["delivered", &key.to_string()]).await;
        let delivered = std::fs::read(centre.site.inbox.join(key.file_stem()).join("content")).unwrap();
        assert!(delivered == case.content(), "other bytes after {length} {ending:?}");
    }
}

async fn cut(caller: &Caller, key: &TransferKey, content: &[u8], length: usize, ending: Ending) {
    let mut line = caller.line().await;
    let head = send_head(key, 0, content.len() as u64);
    line.write(&[&head, &content[..length]].concat()).await;
    line.end(ending, content[length]).await;
}

//! A centre for the tests: speaks the protocol over plain TCP, and misbehaves once when told to.

mod serve;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    ops::Deref,
    sync::{Arc, Mutex},
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use protocol::{
    checkpoint::Checkpoint,
    problem::Problem,
    statement::{Acknowledgement, Manifest},
    transfer_id::TransferId,
    wire::Offer,
};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::task::AbortOnDropHandle;

use super::CentreLog;

/// What the next request of a kind meets instead of an honest answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// Content: the connection ends after so many bytes, all of them kept.
    CutAfter(u64),
    /// Content: everything is committed, and the connection ends without an answer.
    LoseAnswer,
    /// Content: everything is committed and the answer made, and it leaves only when the test lets it.
    AnswerLate,
    /// Content: everything is there, and the answer is that it is being checked.
    CheckFirst,
    /// Content: everything came, the answer is that it is being checked, and then all of it is wanted again.
    CheckAndDrop,
    /// Content: not one byte is read, ever.
    ReadNothing,
    /// Content: refused for good before it was read, and the connection ends.
    RefuseEarly(Problem),
    /// Content: the receipt is signed by somebody else.
    ForgeReceipt,
    /// Offer: refused for good.
    RefuseOffer(Problem),
    /// Offer: refused by somebody else.
    ForgeRefusal(Problem),
    /// Offer: taken, and the connection ends without an answer.
    LoseOffer,
    /// Cancel: called off, and the connection ends without an answer.
    LoseCancel,
    /// Any: this problem, without any statement.
    Turn(Problem),
    /// Offer: asks for a proof from this size of the sender's log, and looks no further at what it was shown.
    WantProof(u64),
    /// Content and questions: the receipt comes without proof that the centre's log continues.
    ProveNothing,
}

impl Mischief {
    fn is_about_content(&self) -> bool {
        !self.is_about_offers()
            && !matches!(self, Mischief::LoseOffer | Mischief::LoseCancel | Mischief::Turn(_))
    }

    fn is_about_offers(&self) -> bool {
        matches!(self, Mischief::RefuseOffer(_) | Mischief::ForgeRefusal(_) | Mischief::WantProof(_))
    }
}

struct Held {
    text: String,
    manifest: Manifest,
    content: Vec<u8>,
    phase: &'static str,
    receipt: Option<(String, u64)>,
    refusal: Option<(Problem, String)>,
}

/// What the centre remembers.
pub struct Memory {
    pub log: CentreLog,
    transfers: HashMap<TransferId, Held>,
    /// The sender's log as it was last seen.
    sender_log: Option<Checkpoint>,
    /// One word for each request: `offer`, `send 0`, `ask`, `acknowledge`, `cancel`, `prove 1 2`.
    pub requests: Vec<String>,
    pub offers: Vec<Offer>,
    pub acknowledged: Vec<Acknowledgement>,
    pub mischief: VecDeque<Mischief>,
}

impl Memory {
    /// Loses everything but its log, as after a restore.
    pub fn forget(&mut self) {
        self.transfers.clear();
    }

    /// Lets every unfinished transfer pass its deadline.
    pub fn expire(&mut self) {
        self.end_all(Problem::Expired);
    }

    /// Says that every unfinished transfer was called off, which its sender did not ask for.
    pub fn cancel_unasked(&mut self) {
        self.end_all(Problem::Cancelled);
    }

    fn end_all(&mut self, reason: Problem) {
        let ended = |held: &Held| matches!(held.phase, "committed" | "refused");
        let open = self.transfers.iter().filter(|(_, held)| !ended(held));
        let ids: Vec<_> = open.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| _ = self.refuse(id, reason));
    }

    /// Ends a transfer with a signed no: its text.
    fn refuse(&mut self, id: TransferId, reason: Problem) -> String {
        let held = self.transfers.get_mut(&id).unwrap();
        let text = self.log.refuse(&held.text, &held.manifest, reason);
        (held.content, held.phase, held.refusal) = (Vec::new(), "refused", Some((reason, text.clone())));
        text
    }

    /// The content of the only transfer.
    pub fn content(&self) -> &[u8] {
        assert_eq!(self.transfers.len(), 1);
        &self.transfers.values().next().unwrap().content
    }

    fn next(&mut self, fits: impl FnOnce(&Mischief) -> bool) -> Option<Mischief> {
        if self.mischief.front().is_some_and(fits) { self.mischief.pop_front() } else { None }
    }
}

/// What its connections share with the test.
pub struct Shared {
    pub memory: Mutex<Memory>,
    /// Told whenever content begins to arrive.
    pub receiving: Notify,
    /// Told when an answer is made that will be late.
    pub made: Notify,
    /// Lets it leave.
    pub give: Notify,
}

/// A centre that listens until it is dropped.
pub struct FakeCentre {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl Deref for FakeCentre {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl FakeCentre {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let memory = Mutex::new(Memory {
            log: CentreLog::new(1),
            transfers: HashMap::new(),
            sender_log: None,
            requests: Vec::new(),
            offers: Vec::new(),
            acknowledged: Vec::new(),
            mischief: VecDeque::new(),
        });
        let (receiving, made, give) = (Notify::new(), Notify::new(), Notify::new());
        let shared = Arc::new(Shared { memory, receiving, made, give });
        let for_connections = Arc::clone(&shared);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&for_connections);
                connections.spawn(async move {
                    let serve = service_fn(|request| serve::serve(request, Arc::clone(&shared)));
                    // A cut connection is what some of the tests are about.
                    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        }));
        FakeCentre { address, shared, _task: task }
    }

    pub fn will(&self, mischief: Mischief) {
        self.memory.lock().unwrap().mischief.push_back(mischief);
    }

    pub fn requests(&self) -> Vec<String> {
        self.memory.lock().unwrap().requests.clone()
    }
}

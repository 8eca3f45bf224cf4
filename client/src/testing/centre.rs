//! A centre for the tests: speaks the protocol over plain TCP, and misbehaves once when told to.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use protocol::{
    cause::Cause,
    digest::Sha256,
    jws::Unverified,
    problem::Problem,
    statement::{Acknowledgement, Manifest},
    transfer_id::TransferId,
    wire::{self, JSON, LOG_SEEN, Offer, PROBLEM_JSON, ProblemBody, State, UPLOAD_OFFSET},
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
    /// Any: this problem, without any statement.
    Turn(Problem),
    /// Offer: asks for a proof from this size of the sender's log.
    WantProof(u64),
}

struct Held {
    text: String,
    manifest: Manifest,
    content: Vec<u8>,
    phase: &'static str,
    receipt: Option<(String, u64)>,
    refusal: Option<String>,
}

/// What the centre remembers.
pub struct Memory {
    pub log: CentreLog,
    transfers: HashMap<TransferId, Held>,
    /// One word for each request: `offer`, `send 0`, `ask`, `acknowledge`, `cancel`.
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
        self.transfers.values_mut().for_each(|held| held.phase = "expired");
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

/// A centre that listens until it is dropped.
pub struct FakeCentre {
    pub address: SocketAddr,
    pub memory: Arc<Mutex<Memory>>,
    /// Told whenever content begins to arrive.
    pub receiving: Arc<Notify>,
    _task: AbortOnDropHandle<()>,
}

impl FakeCentre {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let memory = Arc::new(Mutex::new(Memory {
            log: CentreLog::new(1),
            transfers: HashMap::new(),
            requests: Vec::new(),
            offers: Vec::new(),
            acknowledged: Vec::new(),
            mischief: VecDeque::new(),
        }));
        let receiving = Arc::new(Notify::new());
        let (shared, notify) = (Arc::clone(&memory), Arc::clone(&receiving));
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (memory, receiving) = (Arc::clone(&shared), Arc::clone(&notify));
                connections.spawn(async move {
                    let serve =
                        service_fn(|request| serve(request, Arc::clone(&memory), Arc::clone(&receiving)));
                    // A cut connection is what some of the tests are about.
                    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        }));
        FakeCentre { address, memory, receiving, _task: task }
    }

    pub fn will(&self, mischief: Mischief) {
        self.memory.lock().unwrap().mischief.push_back(mischief);
    }

    pub fn requests(&self) -> Vec<String> {
        self.memory.lock().unwrap().requests.clone()
    }
}

type Answer = Response<Full<Bytes>>;

async fn serve(
    request: Request<Incoming>,
    memory: Arc<Mutex<Memory>>,
    receiving: Arc<Notify>,
) -> io::Result<Answer> {
    let number = |name: &str| request.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
    let seen = number(LOG_SEEN).unwrap_or(0);
    let offset = number(UPLOAD_OFFSET).unwrap_or(0);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let id = path.rsplit('/').next().and_then(|id| id.parse::<TransferId>().ok());
    let word = match (&method, id) {
        (&Method::PATCH, _) => format!("send {offset}"),
        (&Method::GET, _) => "ask".to_owned(),
        (&Method::DELETE, _) => "cancel".to_owned(),
        (_, None) if path == wire::TRANSFERS => "offer".to_owned(),
        _ => "acknowledge".to_owned(),
    };
    let turn = {
        let mut memory = memory.lock().unwrap();
        memory.requests.push(word.clone());
        memory.next(|mischief| matches!(mischief, Mischief::Turn(_)))
    };
    if let Some(Mischief::Turn(turned)) = turn {
        return Ok(problem(ProblemBody::new(turned)));
    }
    match (word.as_str(), id) {
        ("offer", _) => {
            let body = request.collect().await.map_err(io::Error::other)?.to_bytes();
            Ok(offer(&mut memory.lock().unwrap(), serde_json::from_slice(&body).unwrap(), seen))
        }
        ("acknowledge", _) => {
            let body = request.collect().await.map_err(io::Error::other)?.to_bytes();
            let text = std::str::from_utf8(&body).unwrap();
            let said = Unverified::<Acknowledgement>::parse(text).unwrap().claimed().clone();
            memory.lock().unwrap().acknowledged.push(said);
            Ok(done())
        }
        ("ask", Some(id)) => {
            let memory = memory.lock().unwrap();
            Ok(match memory.transfers.get(&id) {
                Some(held) => json(StatusCode::OK, &state(&memory, held, seen)),
                None => problem(ProblemBody::new(Problem::NotFound)),
            })
        }
        ("cancel", Some(id)) => {
            let mut memory = memory.lock().unwrap();
            Ok(match memory.transfers.get_mut(&id) {
                Some(held) if held.receipt.is_none() => {
                    held.phase = "cancelled";
                    done()
                }
                Some(_) => problem(ProblemBody::new(Problem::AlreadyFinal)),
                None => problem(ProblemBody::new(Problem::NotFound)),
            })
        }
        (_, Some(id)) => receive(request.into_body(), id, offset, seen, &memory, &receiving).await,
        (_, None) => Ok(problem(ProblemBody::new(Problem::NotFound))),
    }
}

fn offer(memory: &mut Memory, offer: Offer, seen: u64) -> Answer {
    let manifest = Unverified::<Manifest>::parse(&offer.manifest).unwrap().claimed().clone();
    memory.offers.push(offer.clone());
    let next = memory.next(|mischief| {
        matches!(mischief, Mischief::RefuseOffer(_) | Mischief::ForgeRefusal(_) | Mischief::WantProof(_))
    });
    match next {
        Some(Mischief::RefuseOffer(reason)) => {
            let refusal = Some(memory.log.refuse(&offer.manifest, &manifest, reason));
            return problem(ProblemBody { refusal, ..ProblemBody::new(reason) });
        }
        Some(Mischief::ForgeRefusal(reason)) => {
            let stranger = super::EvidenceKey::of(super::SENDER_IDENTITY);
            let said = super::refusal_for(&offer.manifest, &manifest, reason);
            let refusal = Some(protocol::jws::sign(&said, &stranger).unwrap());
            return problem(ProblemBody { refusal, ..ProblemBody::new(reason) });
        }
        Some(Mischief::WantProof(size)) => {
            let log_size = Some(size);
            return problem(ProblemBody { log_size, ..ProblemBody::new(Problem::LogProofNeeded) });
        }
        _ => {}
    }
    let id = manifest.transfer_id;
    let location = manifest.key().location();
    let status = if memory.transfers.contains_key(&id) { StatusCode::OK } else { StatusCode::CREATED };
    memory.transfers.entry(id).or_insert_with(|| Held {
        text: offer.manifest,
        manifest,
        content: Vec::new(),
        phase: "offered",
        receipt: None,
        refusal: None,
    });
    let mut answer = json(status, &state(memory, &memory.transfers[&id], seen));
    answer.headers_mut().insert(LOCATION, location.parse().unwrap());
    answer
}

async fn receive(
    mut body: Incoming,
    id: TransferId,
    offset: u64,
    seen: u64,
    memory: &Mutex<Memory>,
    receiving: &Notify,
) -> io::Result<Answer> {
    receiving.notify_one();
    let next = memory.lock().unwrap().next(|mischief| {
        !matches!(
            mischief,
            Mischief::RefuseOffer(_) | Mischief::ForgeRefusal(_) | Mischief::WantProof(_) | Mischief::Turn(_)
        )
    });
    match &next {
        Some(Mischief::ReadNothing) => std::future::pending().await,
        Some(Mischief::RefuseEarly(reason)) => {
            let mut memory = memory.lock().unwrap();
            let held = &memory.transfers[&id];
            let refusal = Some(memory.log.refuse(&held.text, &held.manifest, *reason));
            let held = memory.transfers.get_mut(&id).unwrap();
            (held.phase, held.refusal) = ("refused", refusal.clone());
            return Ok(problem(ProblemBody { refusal, ..ProblemBody::new(*reason) }));
        }
        _ => {}
    }
    let limit = if let Some(Mischief::CutAfter(bytes)) = next { offset + bytes } else { u64::MAX };
    let mut content = {
        let memory = memory.lock().unwrap();
        let content = memory.transfers[&id].content.clone();
        assert_eq!(content.len() as u64, offset, "content goes on where it stopped");
        content
    };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => content.extend_from_slice(frame.data_ref().unwrap()),
            Err(error) => {
                keep(&mut memory.lock().unwrap(), id, content);
                return Err(io::Error::other(error));
            }
        }
        if content.len() as u64 >= limit {
            content.truncate(limit as usize);
            keep(&mut memory.lock().unwrap(), id, content);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
    let mut memory = memory.lock().unwrap();
    let held = memory.transfers.get_mut(&id).unwrap();
    assert_eq!(Sha256::of(&content), held.manifest.sha256, "all of it came");
    if next == Some(Mischief::CheckAndDrop) {
        (held.content, held.phase) = (Vec::new(), "aborted");
        return Ok(checking());
    }
    held.content = content;
    let (text, manifest) = (held.text.clone(), held.manifest.clone());
    let mut answer = memory.log.commit(&text, &manifest, seen);
    let committed = (answer.receipt.clone(), answer.inclusion.index);
    let held = memory.transfers.get_mut(&id).unwrap();
    (held.phase, held.receipt) = ("committed", Some(committed));
    match next {
        Some(Mischief::LoseAnswer) => Err(io::ErrorKind::ConnectionAborted.into()),
        Some(Mischief::CheckFirst) => Ok(checking()),
        Some(Mischief::ForgeReceipt) => {
            let stranger = super::EvidenceKey::of(super::SENDER_IDENTITY);
            let said = super::receipt_for(&text, &manifest);
            answer.receipt = protocol::jws::sign(&said, &stranger).unwrap();
            Ok(json(StatusCode::OK, &answer))
        }
        _ => Ok(json(StatusCode::OK, &answer)),
    }
}

fn keep(memory: &mut Memory, id: TransferId, content: Vec<u8>) {
    let held = memory.transfers.get_mut(&id).unwrap();
    (held.content, held.phase) = (content, "aborted");
}

fn state(memory: &Memory, held: &Held, seen: u64) -> State {
    State {
        phase: held.phase.to_owned(),
        offset: held.content.len() as u64,
        attempts: 1,
        cause: (held.phase == "aborted").then_some(Cause::PeerClosed),
        since: "2026-11-10T00:00:00.000Z".parse().unwrap(),
        delivered_at: None,
        acknowledged_at: None,
        receipt: held.receipt.clone().map(|(receipt, index)| memory.log.answer(receipt, index, seen)),
        refusal: held.refusal.clone(),
    }
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Answer {
    let mut answer = Response::new(Full::from(serde_json::to_vec(body).unwrap()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, JSON.parse().unwrap());
    answer
}

fn problem(body: ProblemBody) -> Answer {
    let mut answer = json(StatusCode::from_u16(body.status).unwrap(), &body);
    answer.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON.parse().unwrap());
    answer
}

fn checking() -> Answer {
    let mut answer = json(StatusCode::ACCEPTED, &());
    answer.headers_mut().insert(RETRY_AFTER, 0.into());
    answer
}

fn done() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

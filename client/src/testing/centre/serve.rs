//! Answers, as the real centre gives them.

use std::{
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use protocol::{
    cause::Cause,
    checkpoint::Checkpoint,
    digest::Sha256,
    jws::Unverified,
    merkle::check_consistency,
    problem::Problem,
    statement::{Acknowledgement, Manifest},
    transfer_id::TransferId,
    wire::{self, Consistency, JSON, LOG_SEEN, Offer, PROBLEM_JSON, ProblemBody, State, UPLOAD_OFFSET},
};

use super::{Held, Memory, Mischief, Shared};
use crate::testing::{EvidenceKey, SENDER_IDENTITY, receipt_for, refusal_for};

type Answer = Response<Full<Bytes>>;

pub async fn serve(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Answer> {
    let number = |name: &str| request.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
    let seen = number(LOG_SEEN).unwrap_or(0);
    let offset = number(UPLOAD_OFFSET).unwrap_or(0);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let id = path.rsplit('/').next().and_then(|id| id.parse::<TransferId>().ok());
    let sizes = request.uri().query().and_then(sizes);
    let word = match (&method, id, sizes) {
        (&Method::PATCH, _, _) => format!("send {offset}"),
        (_, _, Some((from, to))) => format!("prove {from} {to}"),
        (&Method::GET, _, _) => "ask".to_owned(),
        (&Method::DELETE, _, _) => "cancel".to_owned(),
        (_, None, _) if path == wire::TRANSFERS => "offer".to_owned(),
        _ => "acknowledge".to_owned(),
    };
    let turn = {
        let mut memory = shared.memory.lock().unwrap();
        memory.requests.push(word.clone());
        memory.next(|mischief| matches!(mischief, Mischief::Turn(_)))
    };
    if let Some(Mischief::Turn(turned)) = turn {
        return Ok(problem(ProblemBody::new(turned)));
    }
    match (word.as_str(), id) {
        ("offer", _) => {
            let body = request.collect().await.map_err(io::Error::other)?.to_bytes();
            let mut memory = shared.memory.lock().unwrap();
            let answer = offer(&mut memory, serde_json::from_slice(&body).unwrap(), seen);
            match memory.next(|mischief| *mischief == Mischief::LoseOffer) {
                Some(_) => Err(io::ErrorKind::ConnectionAborted.into()),
                None => Ok(answer),
            }
        }
        ("acknowledge", _) => {
            let body = request.collect().await.map_err(io::Error::other)?.to_bytes();
            let text = std::str::from_utf8(&body).unwrap();
            let said = Unverified::<Acknowledgement>::parse(text).unwrap().claimed().clone();
            shared.memory.lock().unwrap().acknowledged.push(said);
            Ok(done())
        }
        ("ask", Some(id)) => {
            let mut memory = shared.memory.lock().unwrap();
            let seen = match memory.next(|mischief| *mischief == Mischief::ProveNothing) {
                Some(_) => u64::MAX,
                None => seen,
            };
            Ok(match memory.transfers.get(&id) {
                Some(held) => json(StatusCode::OK, &state(&memory, held, seen)),
                None => problem(ProblemBody::new(Problem::NotFound)),
            })
        }
        ("cancel", Some(id)) => cancel(&mut shared.memory.lock().unwrap(), id),
        (_, Some(id)) => receive(request.into_body(), id, offset, seen, &shared).await,
        (_, None) => Ok(match sizes {
            Some((from, to)) => prove(&shared.memory.lock().unwrap(), from, to),
            None => problem(ProblemBody::new(Problem::NotFound)),
        }),
    }
}

fn sizes(query: &str) -> Option<(u64, u64)> {
    let (from, to) = query.split_once('&')?;
    Some((from.strip_prefix("from=")?.parse().ok()?, to.strip_prefix("to=")?.parse().ok()?))
}

fn prove(memory: &Memory, from: u64, to: u64) -> Answer {
    match memory.log.consistency(from, to) {
        Some(proof) => json(StatusCode::OK, &Consistency { from, proof }),
        None => problem(ProblemBody::new(Problem::BadRequest)),
    }
}

fn cancel(memory: &mut Memory, id: TransferId) -> io::Result<Answer> {
    let Some(held) = memory.transfers.get(&id) else {
        return Ok(problem(ProblemBody::new(Problem::NotFound)));
    };
    match &held.refusal {
        Some((Problem::Cancelled, _)) => {}
        None if held.receipt.is_none() => _ = memory.refuse(id, Problem::Cancelled),
        _ => return Ok(problem(ProblemBody::new(Problem::AlreadyFinal))),
    }
    match memory.next(|mischief| *mischief == Mischief::LoseCancel) {
        Some(_) => Err(io::ErrorKind::ConnectionAborted.into()),
        None => Ok(done()),
    }
}

fn offer(memory: &mut Memory, offer: Offer, seen: u64) -> Answer {
    let manifest = Unverified::<Manifest>::parse(&offer.manifest).unwrap().claimed().clone();
    memory.offers.push(offer.clone());
    let mischief = memory.next(Mischief::is_about_offers);
    match mischief {
        Some(Mischief::ForgeRefusal(reason)) => {
            let said = refusal_for(&offer.manifest, &manifest, reason);
            return refused(reason, protocol::jws::sign(&said, &EvidenceKey::of(SENDER_IDENTITY)).unwrap());
        }
        Some(Mischief::WantProof(size)) => {
            memory.sender_log = None;
            return proof_needed(size);
        }
        _ => {}
    }
    let id = manifest.transfer_id;
    let location = manifest.key().location();
    let known = memory.transfers.contains_key(&id);
    if !known && let Err(answer) = look_at_log(memory, &manifest, offer.consistency.as_ref()) {
        return *answer;
    }
    memory.transfers.entry(id).or_insert_with(|| Held {
        text: offer.manifest,
        manifest,
        content: Vec::new(),
        phase: "offered",
        receipt: None,
        refusal: None,
    });
    if let Some(Mischief::RefuseOffer(reason)) = mischief {
        return refused(reason, memory.refuse(id, reason));
    }
    let status = if known { StatusCode::OK } else { StatusCode::CREATED };
    let mut answer = json(status, &state(memory, &memory.transfers[&id], seen));
    answer.headers_mut().insert(LOCATION, location.parse().unwrap());
    answer
}

/// The sender's log must be the one seen before: an older head its beginning, a newer one its continuation.
fn look_at_log(
    memory: &mut Memory,
    manifest: &Manifest,
    given: Option<&Consistency>,
) -> Result<(), Box<Answer>> {
    let shown = Checkpoint::verify(&manifest.checkpoint, &manifest.log).unwrap();
    let Some(known) = memory.sender_log.clone().filter(|known| known.origin == shown.origin) else {
        memory.sender_log = Some(shown);
        return Ok(());
    };
    let (earlier, later) = if shown.size < known.size { (&shown, &known) } else { (&known, &shown) };
    let proof = match given {
        _ if earlier.size == later.size => &[],
        Some(given) if given.from == earlier.size => given.proof.as_slice(),
        _ => return Err(Box::new(proof_needed(known.size))),
    };
    check_consistency(earlier.size, &earlier.root, later.size, &later.root, proof)
        .map_err(|_| Box::new(problem(ProblemBody::new(Problem::LogForked))))?;
    memory.sender_log = Some(later.clone());
    Ok(())
}

fn refused(reason: Problem, text: String) -> Answer {
    problem(ProblemBody { refusal: Some(text), ..ProblemBody::new(reason) })
}

fn proof_needed(size: u64) -> Answer {
    problem(ProblemBody { log_size: Some(size), ..ProblemBody::new(Problem::LogProofNeeded) })
}

async fn receive(
    mut body: Incoming,
    id: TransferId,
    offset: u64,
    seen: u64,
    shared: &Shared,
) -> io::Result<Answer> {
    shared.receiving.notify_one();
    let memory = &shared.memory;
    let next = memory.lock().unwrap().next(Mischief::is_about_content);
    match &next {
        Some(Mischief::ReadNothing) => std::future::pending().await,
        Some(Mischief::RefuseEarly(reason)) => _ = memory.lock().unwrap().refuse(id, *reason),
        _ => {}
    }
    let limit = if let Some(Mischief::CutAfter(bytes)) = next { offset + bytes } else { u64::MAX };
    let mut content = {
        let memory = memory.lock().unwrap();
        let held = &memory.transfers[&id];
        if let Some((reason, text)) = &held.refusal {
            return Ok(refused(*reason, text.clone()));
        }
        assert_eq!(held.content.len() as u64, offset, "content goes on where it stopped");
        held.content.clone()
    };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => content.extend_from_slice(frame.data_ref().unwrap()),
            Err(error) => {
                keep(memory, id, content);
                return Err(io::Error::other(error));
            }
        }
        if content.len() as u64 >= limit {
            content.truncate(limit as usize);
            keep(memory, id, content);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
    let seen = if next == Some(Mischief::ProveNothing) { u64::MAX } else { seen };
    let Some(answer) = commit(&mut memory.lock().unwrap(), id, content, seen, next.as_ref()) else {
        return Ok(checking());
    };
    match next {
        Some(Mischief::LoseAnswer) => Err(io::ErrorKind::ConnectionAborted.into()),
        Some(Mischief::AnswerLate) => {
            shared.made.notify_one();
            shared.give.notified().await;
            Ok(answer)
        }
        _ => Ok(answer),
    }
}

/// Holds the content against its manifest and commits it. Nothing if the answer is that it is being checked.
fn commit(
    memory: &mut Memory,
    id: TransferId,
    content: Vec<u8>,
    seen: u64,
    mischief: Option<&Mischief>,
) -> Option<Answer> {
    let held = memory.transfers.get_mut(&id).unwrap();
    assert_eq!(Sha256::of(&content), held.manifest.sha256, "all of it came");
    if mischief == Some(&Mischief::CheckAndDrop) {
        (held.content, held.phase) = (Vec::new(), "aborted");
        return None;
    }
    held.content = content;
    let mut answer = memory.log.commit(&held.text, &held.manifest, seen);
    (held.phase, held.receipt) = ("committed", Some((answer.receipt.clone(), answer.inclusion.index)));
    match mischief {
        Some(Mischief::CheckFirst) => return None,
        Some(Mischief::ForgeReceipt) => {
            let said = receipt_for(&held.text, &held.manifest);
            answer.receipt = protocol::jws::sign(&said, &EvidenceKey::of(SENDER_IDENTITY)).unwrap();
        }
        _ => {}
    }
    Some(json(StatusCode::OK, &answer))
}

fn keep(memory: &Mutex<Memory>, id: TransferId, content: Vec<u8>) {
    let mut memory = memory.lock().unwrap();
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
        refusal: held.refusal.as_ref().map(|(_, text)| text.clone()),
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

//! Bytes on a line of HTTP: through the engine with the gateway's settings, its routes and its answers, and through the parser of
//! the engine for bulk.

#![no_main]

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io::Cursor,
};

use gateway::{
    answer::{self, Answer},
    bulk::head,
    limits::HEADERS_MAX,
    route::{Route, route},
    turned::Turned,
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, Version,
    body::{Bytes, Incoming},
    header::TRANSFER_ENCODING,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use protocol::problem::Problem;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(Builder::new_current_thread().build().unwrap());
}

/// Bytes of a body that are read.
const BODY_BYTES_MAX: usize = 16 * 1024;

fuzz_target!(|bytes: &[u8]| {
    check_heads(bytes);
    let served = Cell::new(0);
    let mut said = Vec::new();
    let line = tokio::io::join(Cursor::new(bytes.to_vec()), &mut said);
    let service = service_fn(|request| {
        served.set(served.get() + 1);
        serve(request)
    });
    let connection =
        http1::Builder::new().max_headers(HEADERS_MAX).serve_connection(TokioIo::new(line), service);
    let _ = RUNTIME.with_borrow(|runtime| runtime.block_on(connection));
    // No request is served that nobody wrote: each has its own version in its first line.
    let written = bytes.windows(7).filter(|window| *window == b"HTTP/1.").count();
    assert!(served.get() <= written, "{} requests were served, {written} were written", served.get());
    // `100 Continue` is none yet.
    let is_answer = |window: &[u8]| {
        (window.starts_with(b"HTTP/1.1 ") || window.starts_with(b"HTTP/1.0 ")) && !window.ends_with(b"1")
    };
    let answers = said.windows(10).filter(|window| is_answer(window)).count();
    assert!(answers <= written + 1, "one answer for each, and one for what is none");
});

/// A head that the engine for bulk takes is one that nobody can read differently.
fn check_heads(bytes: &[u8]) {
    let length = match head::request(bytes) {
        Ok(Some((request, length))) => {
            assert!(request.uri().path().starts_with('/'));
            length
        }
        _ => match head::answer(bytes, &Method::GET) {
            Ok(Some((_, length))) => length,
            _ => return,
        },
    };
    let text = &bytes[..length];
    assert!(text.ends_with(b"\r\n\r\n"));
    let lines: Vec<&[u8]> = text[..length - 4].split(|byte| *byte == b'\n').collect();
    let (last, others) = lines.split_last().unwrap();
    assert!(others.iter().all(|line| line.ends_with(b"\r")) && !last.contains(&b'\r'));
    assert!(others.iter().all(|line| line.len() > 1), "the head ends at its first empty line");
}

async fn serve(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let handled = handle(request).await;
    Ok(handled.unwrap_or_else(|problem| answer::problem(&Turned::from(problem))).map(Full::new))
}

async fn handle(request: Request<Incoming>) -> Result<Answer, Problem> {
    if request.version() != Version::HTTP_11 {
        return Err(Problem::HttpVersion);
    }
    if request.headers().contains_key(TRANSFER_ENCODING) {
        return Err(Problem::LengthRequired);
    }
    let path = request.uri().path().to_owned();
    let found = route(request.method(), &path, request.uri().query())?;
    found.right();
    match found {
        Route::Send(key) | Route::Ask(key) | Route::Cancel(key) => assert_eq!(key.location(), path),
        Route::Receipt(key) => assert_eq!(format!("{}/receipt", key.location()), path),
        Route::Offer | Route::Acknowledge | Route::LogCheckpoint | Route::LogConsistency { .. } => {}
    }
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    body.map_err(|_| Problem::LengthMismatch)?;
    Ok(answer::done())
}

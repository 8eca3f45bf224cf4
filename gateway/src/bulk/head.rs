//! Heads of messages, read strictly and written. Pure.
//!
//! A head is what RFC 9112 has it be and nothing that only most programs take for one: every line ends in CRLF, nothing
//! stands before the first, and how long the content is stands in it once.

use std::{cell::RefCell, time::SystemTime};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderName, HeaderValue, TRANSFER_ENCODING},
};

use super::line::Gone;
use crate::{
    limits::HEADERS_MAX,
    request::declared_length,
    stream::{Passage, is_without_content},
};

/// Bytes of a head: one with the longest certificate chain of a backend's answer, and some. Eight times what ours need.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Headers of an answer from behind.
const ANSWER_HEADERS_MAX: usize = 100;

/// Why there is no head to go on with.
#[derive(Debug, thiserror::Error)]
pub enum HeadFault {
    /// It is none.
    #[error("no head of HTTP/1.1: {0}")]
    Malformed(&'static str),
    /// It does not end.
    #[error("a head of over {HEAD_BYTES_MAX} bytes")]
    TooLong,
    /// It has more headers than anybody needs.
    #[error("too many headers")]
    TooMany,
    /// The connection ended before it did.
    #[error("the connection ended within a head")]
    Gone(#[source] Gone),
}

impl From<httparse::Error> for HeadFault {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => HeadFault::TooMany,
            httparse::Error::HeaderName => HeadFault::Malformed("a header's name"),
            httparse::Error::HeaderValue => HeadFault::Malformed("a header's value"),
            httparse::Error::NewLine => HeadFault::Malformed("the end of a line"),
            httparse::Error::Status => HeadFault::Malformed("the status"),
            httparse::Error::Token => HeadFault::Malformed("the first line"),
            httparse::Error::Version => HeadFault::Malformed("the version"),
        }
    }
}

/// How the end of a content is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    /// It says itself.
    Chunked,
    /// The connection ends with it, and nobody could tell a part from the whole.
    Unknown,
}

/// An answer's head, as the backend gave it.
#[derive(Debug)]
pub struct Answered {
    /// Status and headers.
    pub head: Response<()>,
    /// Of its content.
    pub framing: Framing,
    /// May the connection be used again?
    pub keeps: bool,
}

/// Bytes that the heads of most requests and answers have, those included that say who asks.
pub const HEAD_USUAL: usize = 4 * 1024;

/// The head at the beginning of these bytes, and how long it is; none if it is not whole yet.
pub fn request(bytes: &[u8]) -> Result<Option<(Request<()>, usize)>, HeadFault> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    check_beginning(bytes)?;
    let httparse::Status::Complete(length) = parsed.parse(bytes)? else { return Ok(None) };
    check_lines(bytes.get(..length).unwrap_or_default())?;
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(HeadFault::Malformed("the first line"));
    };
    if !target.starts_with('/') {
        return Err(HeadFault::Malformed("the target, which is a path here"));
    }
    let mut head = Request::new(());
    *head.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|_| HeadFault::Malformed("the method"))?;
    *head.uri_mut() = target.parse().map_err(|_| HeadFault::Malformed("the target"))?;
    *head.version_mut() = version_of(version);
    *head.headers_mut() = headers_of(parsed.headers)?;
    check_length(head.headers())?;
    Ok(Some((head, length)))
}

/// As [`request`], for the answer to a request with this method.
pub fn answer(bytes: &[u8], method: &Method) -> Result<Option<(Answered, usize)>, HeadFault> {
    let mut headers = [httparse::EMPTY_HEADER; ANSWER_HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut headers);
    check_beginning(bytes)?;
    let httparse::Status::Complete(length) = parsed.parse(bytes)? else { return Ok(None) };
    check_lines(bytes.get(..length).unwrap_or_default())?;
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let (Some(status), Some(version)) = (status, parsed.version) else {
        return Err(HeadFault::Malformed("the status"));
    };
    let mut head = Response::new(());
    *head.status_mut() = status;
    *head.version_mut() = version_of(version);
    *head.headers_mut() = headers_of(parsed.headers)?;
    let framing = framing(&head, method)?;
    let keeps = head.version() == Version::HTTP_11 && !lists(head.headers(), "close");
    Ok(Some((Answered { head, framing, keeps }, length)))
}

/// Whether `Connection` lists this.
pub fn lists(headers: &HeaderMap, word: &str) -> bool {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

fn framing(head: &Response<()>, method: &Method) -> Result<Framing, HeadFault> {
    let mut encodings = head.headers().get_all(TRANSFER_ENCODING).iter();
    let length = check_length(head.headers())?;
    let framing = match (encodings.next(), encodings.next(), length) {
        (None, None, Some(length)) => Framing::Length(length),
        (None, None, None) => Framing::Unknown,
        (Some(encoding), None, None)
            if encoding.as_bytes().eq_ignore_ascii_case(b"chunked") && head.version() == Version::HTTP_11 =>
        {
            Framing::Chunked
        }
        _ => return Err(HeadFault::Malformed("how long the content is")),
    };
    Ok(if is_without_content(method, head.status()) { Framing::Empty } else { framing })
}

/// One plain number, or none.
fn check_length(headers: &HeaderMap) -> Result<Option<u64>, HeadFault> {
    declared_length(headers).map_err(|_| HeadFault::Malformed("Content-Length"))
}

fn version_of(minor: u8) -> Version {
    if minor == 1 { Version::HTTP_11 } else { Version::HTTP_10 }
}

/// Some skip empty lines before the first one.
fn check_beginning(bytes: &[u8]) -> Result<(), HeadFault> {
    match bytes.first() {
        Some(b'\r' | b'\n') => Err(HeadFault::Malformed("an empty line at its beginning")),
        _ => Ok(()),
    }
}

/// Some take a bare LF for the end of a line.
fn check_lines(head: &[u8]) -> Result<(), HeadFault> {
    let mut lines = head.split(|byte| *byte == b'\n');
    // Behind the last LF stands nothing.
    lines.next_back();
    let ends_well = |line: &[u8]| line.ends_with(b"\r");
    if lines.all(ends_well) { Ok(()) } else { Err(HeadFault::Malformed("a line that ends in a bare LF")) }
}

fn headers_of(parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, HeadFault> {
    let mut headers = HeaderMap::with_capacity(parsed.len());
    for header in parsed {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_bytes(header.value);
        let (Ok(name), Ok(value)) = (name, value) else { return Err(HeadFault::Malformed("a header")) };
        headers.append(name, value);
    }
    Ok(headers)
}

/// Writes the head of a request as the backend gets it.
pub fn write_request(out: &mut Vec<u8>, passage: &Passage) {
    for part in [passage.method.as_str(), " ", passage.target.as_str(), " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    write_headers(out, &passage.headers);
    let brings = [Method::POST, Method::PUT, Method::PATCH].contains(&passage.method);
    if brings || passage.terms.declared > 0 {
        write_length(out, passage.terms.declared);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the head of an answer as the peer gets it.
pub fn write_answer(
    out: &mut Vec<u8>,
    status: StatusCode,
    headers: &HeaderMap,
    framing: Framing,
    closes: bool,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    write_headers(out, headers);
    if !headers.contains_key(DATE) {
        write_date(out);
    }
    match framing {
        Framing::Length(length) => write_length(out, length),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Empty | Framing::Unknown => {}
    }
    if closes && !headers.contains_key(CONNECTION) {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes when this is. The text is made once a second on each core.
fn write_date(out: &mut Vec<u8>) {
    thread_local! {
        static WRITTEN: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    WRITTEN.with_borrow_mut(|(of, text)| {
        if *of != second || text.is_empty() {
            (*of, *text) = (second, format!("date: {}\r\n", httpdate::HttpDate::from(now)));
        }
        out.extend_from_slice(text.as_bytes());
    });
}

fn write_headers(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

fn write_length(out: &mut Vec<u8>, length: u64) {
    for part in [CONTENT_LENGTH.as_str(), ": ", &length.to_string(), "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;

//! Heads of messages: written, and read strictly. Pure.
//!
//! A head is what RFC 9112 has it be and nothing that only most programs take for one: every line ends in CRLF, nothing
//! stands before the first, and how long the content is stands in it once.

use std::time::Duration;

use hyper::{Request, StatusCode};

use super::super::{Answer, RequestBody};

/// Bytes of an answer's head. Ours have some three hundred.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Headers of an answer. Ours have some five.
const HEADERS_MAX: usize = 32;

/// The head of an answer, as far as it is looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct AnswerHead {
    status: StatusCode,
    content_type: Option<String>,
    location: Option<String>,
    retry_after: Option<Duration>,
    /// Bytes of content behind it.
    pub length: usize,
}

impl AnswerHead {
    /// With its content.
    pub fn with_body(self, body: Vec<u8>) -> Answer {
        let AnswerHead { status, content_type, location, retry_after, .. } = self;
        Answer { status, content_type, location, retry_after, body }
    }
}

/// Writes the head of a request for this host.
pub fn of_request(request: &Request<RequestBody>, host: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    put(&[request.method().as_str().as_bytes(), b" ", target.as_bytes(), b" HTTP/1.1\r\n"]);
    put(&[b"host: ", host.as_bytes(), b"\r\n"]);
    for (name, value) in request.headers() {
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    put(&[b"content-length: ", request.body().left().to_string().as_bytes(), b"\r\n\r\n"]);
    out
}

/// The head at the beginning of these bytes, and how long it is itself; none if it is not whole yet.
pub fn of_answer(bytes: &[u8]) -> Result<Option<(AnswerHead, usize)>, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut headers);
    // Some skip empty lines before the first one.
    if bytes.first().is_some_and(|byte| b"\r\n".contains(byte)) {
        return Err("an empty line stands before it");
    }
    let found = parsed.parse(bytes).map_err(|_| "it is none of HTTP/1.1")?;
    let length = match found {
        httparse::Status::Complete(length) if length <= HEAD_BYTES_MAX => length,
        httparse::Status::Partial if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
        _ => return Err("its head is longer than any of this protocol"),
    };
    check_lines(bytes.get(..length).unwrap_or_default())?;
    if parsed.version != Some(1) {
        return Err("it is none of HTTP/1.1");
    }
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    // Nobody asked for an answer before the answer.
    let status = status.filter(|status| !status.is_informational()).ok_or("its status is none")?;
    let headers = Headers(parsed.headers);
    let length_of_content = headers.content_length()?;
    if length_of_content.is_none() && status != StatusCode::NO_CONTENT {
        return Err("it does not say how long it is");
    }
    let text = |name| Ok::<_, &'static str>(headers.one(name)?.map(str::to_owned));
    let head = AnswerHead {
        status,
        content_type: text("content-type")?,
        location: text("location")?,
        retry_after: text("retry-after")?.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
        length: length_of_content.unwrap_or(0),
    };
    Ok(Some((head, length)))
}

/// Some take a bare LF for the end of a line.
fn check_lines(head: &[u8]) -> Result<(), &'static str> {
    let mut lines = head.split(|byte| *byte == b'\n');
    // Behind the last LF stands nothing.
    lines.next_back();
    if lines.all(|line| line.ends_with(b"\r")) { Ok(()) } else { Err("a line of it ends in a bare LF") }
}

/// The headers that came.
struct Headers<'h>(&'h [httparse::Header<'h>]);

impl Headers<'_> {
    /// The only one of this name.
    fn one(&self, name: &str) -> Result<Option<&str>, &'static str> {
        let mut found = self.0.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(header), None) => {
                std::str::from_utf8(header.value).map(Some).map_err(|_| "a header of it is no text")
            }
            (Some(_), Some(_)) => Err("a header of it stands there twice"),
        }
    }

    /// One plain number, or none.
    fn content_length(&self) -> Result<Option<usize>, &'static str> {
        if self.one("transfer-encoding")?.is_some() {
            return Err("it does not say how long it is");
        }
        let Some(length) = self.one("content-length")? else { return Ok(None) };
        let plain = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse().ok().filter(|_| plain);
        length.map(Some).ok_or("its length is no number")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\nretry-after: 3\r\ncontent-length: 2\r\n\r\n{}";

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let whole = GOOD.len() - 2;
        for end in 0..whole {
            assert_eq!(of_answer(&GOOD.as_bytes()[..end]), Ok(None), "{end} bytes");
        }
        let (head, length) = of_answer(GOOD.as_bytes()).unwrap().unwrap();
        assert_eq!((length, head.length, head.status), (whole, 2, StatusCode::ACCEPTED));
        assert_eq!(head.content_type.as_deref(), Some("application/json"));
        assert_eq!(head.retry_after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn what_two_programs_could_read_differently_is_no_answer() {
        let framing = |framing: &str| GOOD.replace("content-length: 2", framing);
        for bad in [
            format!("\r\n{GOOD}"),
            GOOD.replace("HTTP/1.1", "HTTP/1.0"),
            GOOD.replace("202", "20x"),
            GOOD.replace("202 Accepted", "100 Continue"),
            GOOD.replace("\r\nretry", "\nretry"),
            GOOD.replace("retry-after: 3", "retry-after : 3"),
            GOOD.replace("retry-after: 3", "content-type: text/html"),
            framing("content-length: 2\r\ncontent-length: 2"),
            framing("content-length: +2"),
            framing("content-length: 2, 2"),
            framing("content-length:"),
            framing("content-length: 99999999999999999999999"),
            framing("transfer-encoding: chunked"),
            framing("transfer-encoding: chunked\r\ncontent-length: 2"),
            framing("x: y"),
        ] {
            assert!(of_answer(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_head_has_an_end_and_not_too_many_headers() {
        let long = |bytes: usize| format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(bytes));
        assert_eq!(of_answer(long(HEAD_BYTES_MAX - 100).as_bytes()), Ok(None));
        assert!(of_answer(long(HEAD_BYTES_MAX).as_bytes()).is_err());
        let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "a: b\r\n".repeat(HEADERS_MAX));
        assert!(of_answer(many.as_bytes()).is_err());
    }

    #[test]
    fn an_answer_without_content_needs_no_length() {
        let (head, _) = of_answer(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.length, 0);
    }
}

//! What the head of a request says, read in one way whoever speaks HTTP.

use hyper::{
    HeaderMap, Request, Version,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
};
use protocol::{
    problem::Problem,
    wire::{PARTIAL_UPLOAD, UPLOAD_COMPLETE, UPLOAD_OFFSET},
};

use crate::receive::Sending;

/// HTTP/1.1 with a plain Content-Length, or nothing: what no two parsers can read differently.
pub fn check_framing<B>(request: &Request<B>) -> Result<(), Problem> {
    if request.version() != Version::HTTP_11 {
        return Err(Problem::HttpVersion);
    }
    if request.headers().contains_key(TRANSFER_ENCODING) {
        return Err(Problem::LengthRequired);
    }
    Ok(())
}

/// The declared length, if there is one.
pub fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    one_number(headers, CONTENT_LENGTH.as_str())
}

/// The declared length, which requests with a body must have.
pub fn content_length(headers: &HeaderMap) -> Result<u64, Problem> {
    declared_length(headers)?.ok_or(Problem::LengthRequired)
}

/// The number in a header that may stand once.
pub fn one_number(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match (digits.and_then(|text| text.parse().ok()), values.next()) {
        (Some(number), None) => Ok(Some(number)),
        _ => Err(Problem::BadUploadHeader),
    }
}

/// Exactly one Content-Type, and this one.
pub fn check_content_type(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(expected.as_bytes()) => Ok(()),
        _ => Err(Problem::UnsupportedMediaType),
    }
}

/// Which content of a transfer a request brings.
pub fn sending(headers: &HeaderMap) -> Result<Sending, Problem> {
    let declared = content_length(headers)?;
    check_content_type(headers, PARTIAL_UPLOAD)?;
    let offset = one_number(headers, UPLOAD_OFFSET)?.ok_or(Problem::BadUploadHeader)?;
    let mut complete = headers.get_all(UPLOAD_COMPLETE).iter();
    match (complete.next().map(|value| value.as_bytes()), complete.next()) {
        (Some(b"?1"), None) => Ok(Sending { offset, declared }),
        _ => Err(Problem::BadUploadHeader),
    }
}

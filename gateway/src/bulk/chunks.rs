//! Content that says itself where it ends (RFC 9112 section 7.1), taken apart strictly. Pure.

/// Bytes of a line that says how long a chunk is, its extensions included: nobody here reads those.
const SIZE_LINE_MAX: usize = 1024;

/// Bytes of trailers, which nobody here reads either.
const TRAILERS_MAX: u64 = 16 * 1024;

/// It is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("content in chunks that are none")]
pub struct BadChunks;

/// Takes one content apart.
#[derive(Debug, Default)]
pub struct Chunks {
    next: Part,
}

#[derive(Clone, Copy, Debug, Default)]
enum Part {
    /// The line that says how long a chunk is.
    #[default]
    Size,
    /// So many bytes of it.
    Data(u64),
    /// The end of its line.
    DataEnd,
    /// Trailers, so many bytes at most.
    Trailers(u64),
    /// Nothing: it is through.
    End,
}

/// What stands at the beginning of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'b> {
    /// Content.
    Data(&'b [u8]),
    /// Nothing whole: more must come.
    More,
    /// Its end.
    End,
}

impl Chunks {
    /// Finds the next part; what it consisted of is cut off from the beginning of `bytes`.
    pub fn next<'b>(&mut self, bytes: &mut &'b [u8]) -> Result<Found<'b>, BadChunks> {
        loop {
            match self.next {
                Part::Size => {
                    let Some(line) = line(bytes, SIZE_LINE_MAX)? else { return Ok(Found::More) };
                    let size = size_of(line).ok_or(BadChunks)?;
                    self.next = if size == 0 { Part::Trailers(TRAILERS_MAX) } else { Part::Data(size) };
                }
                Part::Data(0) => self.next = Part::DataEnd,
                Part::Data(left) => {
                    let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let (data, rest) = bytes.split_at(count);
                    if data.is_empty() {
                        return Ok(Found::More);
                    }
                    self.next = Part::Data(left - data.len() as u64);
                    *bytes = rest;
                    return Ok(Found::Data(data));
                }
                Part::DataEnd => match line(bytes, 0)? {
                    None => return Ok(Found::More),
                    Some(_) => self.next = Part::Size,
                },
                Part::Trailers(left) => {
                    let max = usize::try_from(left).unwrap_or(usize::MAX);
                    let Some(line) = line(bytes, max)? else { return Ok(Found::More) };
                    let length = line.len() as u64 + 2;
                    self.next = match line {
                        [] => Part::End,
                        _ => Part::Trailers(left.checked_sub(length).ok_or(BadChunks)?),
                    };
                }
                Part::End => return Ok(Found::End),
            }
        }
    }
}

/// The first line, without its CRLF; none if it is not whole. It may have so many bytes.
fn line<'b>(bytes: &mut &'b [u8], max: usize) -> Result<Option<&'b [u8]>, BadChunks> {
    let Some(at) = bytes.iter().take(max + 2).position(|byte| *byte == b'\n') else {
        return if bytes.len() > max + 1 { Err(BadChunks) } else { Ok(None) };
    };
    let (line, rest) = bytes.split_at(at + 1);
    *bytes = rest;
    let line = line.strip_suffix(b"\r\n").ok_or(BadChunks)?;
    if line.contains(&b'\r') { Err(BadChunks) } else { Ok(Some(line)) }
}

/// One to sixteen hexadecimal digits, and nothing or an extension.
fn size_of(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| *byte == b';').unwrap_or(line.len());
    let digits = line.get(..end)?;
    if digits.is_empty() || digits.len() > 16 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Writes the beginning of a chunk of this size; behind its bytes stands [`CHUNK_END`].
pub fn chunk_begin(size: usize) -> String {
    format!("{size:x}\r\n")
}

/// Behind each chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// Behind the last one.
pub const CONTENT_END: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// A content, and what stands behind it.
    type Parts = (Vec<u8>, Vec<u8>);

    /// All content of these bytes when they come in pieces of this size.
    fn content(bytes: &[u8], piece: usize) -> Result<Option<Parts>, BadChunks> {
        let (mut chunks, mut content, mut ahead) = (Chunks::default(), Vec::new(), Vec::new());
        for came in bytes.chunks(piece) {
            ahead.extend_from_slice(came);
            let mut rest = ahead.as_slice();
            let ended = loop {
                match chunks.next(&mut rest)? {
                    Found::Data(data) => content.extend_from_slice(data),
                    Found::More => break false,
                    Found::End => break true,
                }
            };
            ahead = rest.to_vec();
            if ended {
                return Ok(Some((content, ahead)));
            }
        }
        Ok(None)
    }

    #[test]
    fn chunks_come_together_however_they_are_cut() {
        let whole = b"3\r\nabc\r\n00A;name=value\r\n0123456789\r\n0\r\nx-trailer: y\r\n\r\n";
        for piece in [1, 2, 3, 7, whole.len()] {
            assert_eq!(content(whole, piece), Ok(Some((b"abc0123456789".to_vec(), vec![]))), "{piece}");
        }
        let more = [whole.as_slice(), b"HTTP/1.1 200 OK"].concat();
        let (_, behind) = content(&more, more.len()).unwrap().unwrap();
        assert_eq!(behind, b"HTTP/1.1 200 OK", "what stands behind the end is left there");
        for short in 0..whole.len() {
            assert_eq!(content(&whole[..short], 5), Ok(None), "the first {short} bytes are no whole");
        }
    }

    #[test]
    fn what_two_programs_could_read_differently_is_no_chunk() {
        let long_line = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(SIZE_LINE_MAX));
        let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(4000));
        for bad in [
            "3\nabc\r\n0\r\n\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "+3\r\nabc\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
            " 3\r\nabc\r\n0\r\n\r\n",
            "3 \r\nabc\r\n0\r\n\r\n",
            "\r\nabc\r\n0\r\n\r\n",
            "10000000000000003\r\nabc\r\n0\r\n\r\n",
            "3\rx\r\nabc\r\n0\r\n\r\n",
            "-1\r\nabc\r\n0\r\n\r\n",
            long_line.as_str(),
            trailers.as_str(),
        ] {
            assert_eq!(content(bad.as_bytes(), bad.len()), Err(BadChunks), "{:?}", bad.get(..20));
            assert_eq!(content(bad.as_bytes(), 1), Err(BadChunks), "{:?}", bad.get(..20));
        }
    }
}

//! ClientHellos written by hand (RFC 8446 section 4.1.2), and what a server answers to them: for what no TLS library would
//! say.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::patience::patiently;

/// TLS 1.3, as the extension supported_versions writes it.
pub const TLS_1_3: u16 = 0x0304;

/// TLS 1.2, as both places write it.
pub const TLS_1_2: u16 = 0x0303;

/// What a client says first. Without a share of any key: a server that takes a group asks for one.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The version in the old place, which TLS 1.3 no longer looks at.
    pub legacy_version: u16,
    /// In the extension supported_versions; none, no extension.
    pub versions: Vec<u16>,
    /// Cipher suites.
    pub suites: Vec<u16>,
    /// Groups for the key exchange.
    pub groups: Vec<u16>,
    /// Signature schemes.
    pub schemes: Vec<u16>,
    /// The name of the server; empty, no extension.
    pub name: String,
}

/// What a server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// ServerHello, or HelloRetryRequest, which has the same form: it takes this much of what was offered.
    Takes {
        /// From supported_versions, else the one in the old place.
        version: u16,
        /// Cipher suite.
        suite: u16,
        /// Group of the key exchange.
        group: Option<u16>,
    },
    /// The number of an alert (RFC 8446 section 6).
    Alert(u8),
    /// Not a word.
    Closed,
}

impl Default for Hello {
    /// TLS 1.3 with one suite, group and scheme that every server must have (RFC 8446 section 9.1), or should.
    fn default() -> Self {
        Hello {
            legacy_version: TLS_1_2,
            versions: vec![TLS_1_3],
            suites: vec![0x1301],
            groups: vec![0x001d],
            schemes: vec![0x0403],
            name: String::new(),
        }
    }
}

impl Hello {
    /// As one record.
    pub fn record(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut extension = |number: u16, content: Vec<u8>| {
            extensions.extend([number.to_be_bytes().to_vec(), counted_16(&content)].concat());
        };
        if !self.name.is_empty() {
            extension(0, counted_16(&[&[0], counted_16(self.name.as_bytes()).as_slice()].concat()));
        }
        extension(10, counted_16(&numbers(&self.groups)));
        extension(13, counted_16(&numbers(&self.schemes)));
        if !self.versions.is_empty() {
            extension(43, counted_8(&numbers(&self.versions)));
            extension(51, counted_16(&[]));
        }
        let body = [
            &self.legacy_version.to_be_bytes()[..],
            &[0x5e; 32],
            &counted_8(&[]),
            &counted_16(&numbers(&self.suites)),
            &counted_8(&[0]),
            &counted_16(&extensions),
        ]
        .concat();
        let [_, length @ ..] = (body.len() as u32).to_be_bytes();
        let message = [&[1], &length[..], &body].concat();
        [&[22, 3, 1], counted_16(&message).as_slice()].concat()
    }

    /// Says it on a connection of its own, and listens to one record.
    pub async fn ask(&self, server: SocketAddr) -> Reply {
        let mut stream = TcpStream::connect(server).await.unwrap();
        stream.write_all(&self.record()).await.unwrap();
        reply(&mut stream).await
    }
}

/// Listens to one record, past those that are only there for middleboxes (RFC 8446 appendix D.4).
pub async fn reply(stream: &mut TcpStream) -> Reply {
    loop {
        match patiently("a server's answer", record(stream)).await {
            Some((20, _)) => {}
            Some((21, alert)) => return Reply::Alert(alert[1]),
            Some((22, message)) => return takes(&message),
            Some((kind, _)) => panic!("a record of type {kind}"),
            None => return Reply::Closed,
        }
    }
}

/// Its type and content.
async fn record(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.ok()?;
    let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut content).await.ok()?;
    Some((head[0], content))
}

/// Reads a ServerHello (RFC 8446 section 4.1.3).
fn takes(message: &[u8]) -> Reply {
    assert_eq!(message[0], 2, "no ServerHello");
    let number = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let session_end = 39 + usize::from(message[38]);
    let (mut version, mut group) = (number(4), None);
    let mut at = session_end + 5;
    while at + 4 <= message.len() {
        match number(at) {
            43 => version = number(at + 4),
            51 => group = Some(number(at + 4)),
            _ => {}
        }
        at += 4 + usize::from(number(at + 2));
    }
    Reply::Takes { version, suite: number(session_end), group }
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn counted_8(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()], content].concat()
}

fn counted_16(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes()[..], content].concat()
}

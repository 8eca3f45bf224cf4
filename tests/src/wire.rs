//! A sender that writes its requests by hand: HTTP/1.1 over mutual TLS, as right or wrong as a test wants it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use lab::site::SenderSite;
use pki::{
    clock,
    credential::Credential,
    policy::Policy,
    tls::{ALPN, ALPN_BULK, TlsPolicy, client_config},
    trust::{Trust, TrustFiles},
};
use protocol::{
    party::{Environment, Party},
    problem::Problem,
    transfer_id::TransferKey,
    wire::{JSON, Offer, PARTIAL_UPLOAD, ProblemBody, ReceiptAnswer, State, TRANSFERS},
};
use rustls_pki_types::ServerName;
use serde::de::DeserializeOwned;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::ClientConfig};

use crate::{lab::agency, patience::patiently};

/// What a sender's connections are made with.
#[derive(Clone)]
pub struct Caller {
    config: Arc<ClientConfig>,
    address: SocketAddr,
    source: IpAddr,
    preface: Vec<u8>,
    /// What the handshake names, if it is not the address.
    dialled: Option<ServerName<'static>>,
}

/// One connection.
pub struct Line {
    pub(crate) stream: TlsStream<TcpStream>,
    /// Bytes that came beyond the last answer.
    ahead: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the status line.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Who speaks HTTP at the centre: a peer says in its handshake whom it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The one that takes everything.
    Hyper,
    /// The one for what moves much.
    Bulk,
}

impl Engine {
    /// Both.
    pub const ALL: [Engine; 2] = [Engine::Hyper, Engine::Bulk];

    /// Does this with both at the same time.
    pub async fn each(case: impl AsyncFn(Engine)) {
        let [hyper, bulk] = Engine::ALL;
        tokio::join!(case(hyper), case(bulk));
    }
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// close_notify, then FIN: the politest lie.
    Closed,
    /// FIN alone.
    Fin,
    /// RST.
    Reset,
    /// Half of a TLS record with one more byte of content, then FIN.
    HalfRecord,
}

impl Ending {
    /// All of them.
    pub const ALL: [Ending; 4] = [Ending::Closed, Ending::Fin, Ending::Reset, Ending::HalfRecord];
}

impl Caller {
    /// Calls with this sender's certificate.
    pub fn new(site: &SenderSite, address: SocketAddr) -> Self {
        Caller::of(site, address, agency())
    }

    /// As [`Caller::new`], to a centre of this party.
    pub fn of(site: &SenderSite, address: SocketAddr, centre: Party) -> Self {
        let tls = site.directory.join("tls");
        let own =
            Credential::load(&tls.join("certificate.pem"), &tls.join("key.pem"), &Policy::default()).unwrap();
        let files = TrustFiles {
            anchors: vec![tls.join("root.pem")],
            issuers: vec![tls.join("issuing.pem")],
            crls: vec![tls.join("root.crl"), tls.join("issuing.crl")],
            fetched: vec![],
        };
        let trust = Arc::new(Trust::load(&files, Policy::default(), clock::now()).unwrap());
        let config = client_config(&own, trust, centre, Environment::Test, TlsPolicy::default()).unwrap();
        Caller { config, address, source: Ipv4Addr::LOCALHOST.into(), preface: Vec::new(), dialled: None }
    }

    /// Asks each of these, and expects the problem beside it with its documented status.
    pub async fn expect_all(&self, requests: Vec<(&str, Vec<u8>, Problem)>) {
        for (what, request, problem) in requests {
            let answer = self.ask(&request).await;
            assert_eq!((answer.problem(), answer.status), (problem, problem.status()), "{what}");
        }
    }

    /// The same sender, calling elsewhere.
    pub fn at(&self, address: SocketAddr) -> Self {
        Caller { address, ..self.clone() }
    }

    /// The same sender, served by this engine.
    pub fn with(&self, engine: Engine) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = match engine {
            Engine::Hyper => vec![ALPN.to_vec()],
            Engine::Bulk => vec![ALPN_BULK.to_vec()],
        };
        Caller { config: Arc::new(config), ..self.clone() }
    }

    /// The same sender, calling from this loopback address.
    pub fn from(&self, source: IpAddr) -> Self {
        Caller { source, ..self.clone() }
    }

    /// The same sender, by way of somebody who says this first.
    pub fn behind(&self, preface: &[u8]) -> Self {
        Caller { preface: preface.to_vec(), ..self.clone() }
    }

    /// The same sender, that names this host in its handshakes (SNI).
    pub fn dialling(&self, host: &str) -> Self {
        Caller { dialled: Some(ServerName::try_from(host.to_owned()).unwrap()), ..self.clone() }
    }

    /// A new connection, its handshake done.
    pub async fn line(&self) -> Line {
        self.try_line().await.unwrap()
    }

    /// As [`Caller::line`], to a centre that may be gone.
    pub async fn try_line(&self) -> io::Result<Line> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(self.source, 0))?;
        let mut stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&self.preface).await?;
        let address = || ServerName::IpAddress(self.address.ip().into());
        let name = self.dialled.clone().unwrap_or_else(address);
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await?;
        Ok(Line { stream, ahead: Vec::new() })
    }

    /// One request on a connection of its own, to a centre that may be gone.
    pub async fn try_ask(&self, request: &[u8]) -> Option<Answer> {
        let mut line = self.try_line().await.ok()?;
        line.write(request).await;
        line.answer().await
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, request: &[u8]) -> Answer {
        self.line().await.ask(request).await
    }

    /// Offers a manifest.
    pub async fn offer(&self, manifest: &str) -> Answer {
        self.ask(&offer(manifest)).await
    }

    /// Sends a whole content.
    pub async fn send(&self, key: &TransferKey, content: &[u8]) -> Answer {
        let mut line = self.line().await;
        line.write(&send_head(key, 0, content.len() as u64)).await;
        line.ask(content).await
    }

    /// Where a transfer stands.
    pub async fn state(&self, key: &TransferKey) -> State {
        self.ask(&get(&key.location())).await.json()
    }

    /// The bare receipt.
    pub async fn receipt(&self, key: &TransferKey) -> Answer {
        self.ask(&get(&format!("{}/receipt", key.location()))).await
    }
}

impl Line {
    /// Writes bytes; that the other end may be gone shows in what it answers.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// Writes bytes and reads an answer.
    pub async fn ask(&mut self, bytes: &[u8]) -> Answer {
        self.write(bytes).await;
        self.answer().await.unwrap_or_else(|| panic!("the connection ended without an answer"))
    }

    /// Reads an answer; nothing if the connection ends before it is whole.
    pub async fn answer(&mut self) -> Option<Answer> {
        let head_end = loop {
            if let Some(at) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head: Vec<u8> = self.ahead.drain(..head_end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.ahead.len() < length {
            self.read_more().await?;
        }
        answer.body = self.ahead.drain(..length).collect();
        Some(answer)
    }

    /// Waits for more than was read, and gives everything that is there without taking it.
    pub async fn next(&mut self) -> Option<&[u8]> {
        self.read_more().await?;
        Some(&self.ahead)
    }

    /// Takes what comes up to and with these bytes; nothing if the connection ends before.
    pub async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.ahead.windows(end.len()).position(|window| window == end) {
                return Some(self.ahead.drain(..at + end.len()).collect());
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Option<()> {
        let mut buffer = vec![0; 64 * 1024];
        match patiently("something from the centre", self.stream.read(&mut buffer)).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.ahead.extend_from_slice(&buffer[..count]);
                Some(())
            }
        }
    }

    /// Waits until the other end closes; what it still says is returned.
    pub async fn closed(mut self) -> Vec<u8> {
        while self.read_more().await.is_some() {}
        self.ahead
    }

    /// Ends the connection this way, and waits until the other end has noticed. `more` is what would come next.
    pub async fn end(mut self, ending: Ending, more: u8) {
        match ending {
            Ending::Closed => {
                let _ = self.stream.shutdown().await;
            }
            Ending::Fin => {
                let _ = self.stream.get_mut().0.shutdown().await;
            }
            Ending::Reset => {
                SockRef::from(self.stream.get_ref().0).set_linger(Some(Duration::ZERO)).unwrap();
                return;
            }
            Ending::HalfRecord => {
                let (tcp, tls) = self.stream.get_mut();
                let mut record = Vec::new();
                std::io::Write::write_all(&mut tls.writer(), &[more]).unwrap();
                while tls.wants_write() {
                    tls.write_tls(&mut record).unwrap();
                }
                let _ = tcp.write_all(&record[..record.len() / 2]).await;
                let _ = tcp.shutdown().await;
            }
        }
        self.closed().await;
    }
}

impl Answer {
    /// The header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{} {error}: {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    /// The problem it speaks of, which must be well formed and have the answer's status.
    pub fn problem(&self) -> Problem {
        let body: ProblemBody = serde_json::from_slice(&self.body).unwrap_or_else(|_| {
            panic!("{} is no problem: {}", self.status, String::from_utf8_lossy(&self.body))
        });
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!((body.status, body.type_uri), (self.status, body.code.type_uri()));
        body.code
    }

    /// The receipt in it.
    pub fn receipt(&self) -> String {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice::<ReceiptAnswer>(&self.body).unwrap().receipt
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// A request for an offer.
pub fn offer(manifest: &str) -> Vec<u8> {
    let body = Offer { manifest: manifest.to_owned(), consistency: None };
    post(TRANSFERS, JSON, &serde_json::to_vec(&body).unwrap())
}

/// A POST with a body.
pub fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A GET.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// The head of a request that brings content from an offset on.
pub fn send_head(key: &TransferKey, offset: u64, length: u64) -> Vec<u8> {
    format!(
        "PATCH {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PARTIAL_UPLOAD}\r\ncontent-length: {length}\r\n\
         upload-offset: {offset}\r\nupload-complete: ?1\r\n\r\n",
        key.location()
    )
    .into_bytes()
}

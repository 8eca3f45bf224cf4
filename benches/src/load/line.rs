//! One connection of a load client: HTTP/1.1 written by hand, over mutual TLS or, for a bare relay, over nothing.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::Context as _;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, rustls::ClientConfig};

/// Plain bytes that TLS takes at once: sixteen records in one system call, so that the client is not the bottleneck.
const SENT_AT_ONCE: usize = 256 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection.
pub struct Line {
    stream: Box<dyn Stream>,
    /// Bytes that came beyond the last answer.
    ahead: Vec<u8>,
}

/// An answer.
pub struct Answer {
    /// Of the status line.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Line {
    /// Connects from this address, with a full handshake.
    pub async fn connect_from(
        source: Option<IpAddr>,
        config: &Arc<ClientConfig>,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(source) = source {
            socket.bind((source, 0).into())?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(address.ip().into());
        let connector = TlsConnector::from(Arc::clone(config));
        let mut stream = connector.connect(name, stream).await.context("the handshake failed")?;
        stream.get_mut().1.set_buffer_limit(Some(SENT_AT_ONCE));
        Ok(Line { stream: Box::new(stream), ahead: Vec::new() })
    }

    /// Connects, with a full handshake.
    pub async fn connect(config: &Arc<ClientConfig>, address: SocketAddr) -> anyhow::Result<Self> {
        Line::connect_from(None, config, address).await
    }

    /// Connects without TLS.
    pub async fn connect_plainly(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Line { stream: Box::new(stream), ahead: Vec::new() })
    }

    /// Writes these bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Writes a request in parts, and reads its answer.
    pub async fn ask(&mut self, parts: &[&[u8]]) -> anyhow::Result<Answer> {
        for part in parts {
            self.stream.write_all(part).await?;
        }
        self.stream.flush().await?;
        self.answer().await
    }

    /// Reads an answer. A body without a length is empty: nobody here sends another.
    pub async fn answer(&mut self) -> anyhow::Result<Answer> {
        let head_end = loop {
            if let Some(at) = memchr::memmem::find(&self.ahead, b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head: Vec<u8> = self.ahead.drain(..head_end).collect();
        let head = String::from_utf8(head)?;
        let mut lines = head.split("\r\n");
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).context("a status line")?.parse()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let length = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).last();
        let length: usize = length.map_or(Ok(0), |(_, length)| length.parse())?;
        while self.ahead.len() < length {
            self.read_more().await?;
        }
        Ok(Answer { status, body: self.ahead.drain(..length).collect() })
    }

    /// Says goodbye and waits until the other end is gone: by then it has judged the certificate and paid for it.
    pub async fn close(mut self) -> anyhow::Result<()> {
        self.stream.shutdown().await?;
        self.gone().await
    }

    /// Waits until the other end is gone without a word; an alert is an error.
    pub async fn gone(&mut self) -> anyhow::Result<()> {
        match self.stream.read(&mut [0; 1]).await {
            Ok(0) => Ok(()),
            Ok(_) => anyhow::bail!("the server speaks unasked"),
            // Some servers do not say goodbye.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        let count = self.stream.read_buf(&mut self.ahead).await?;
        anyhow::ensure!(count > 0, "the connection ended without an answer");
        Ok(())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

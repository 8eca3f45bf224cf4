//! A system behind a streamed route: plain HTTP/1.1 by hand, as good or as broken as a test wants it.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::patience::patiently;

/// It listens.
pub struct Backend {
    listener: TcpListener,
    address: SocketAddr,
}

/// One connection of the gateway to it.
pub struct Inside {
    stream: TcpStream,
    /// Bytes that came beyond what was read.
    ahead: Vec<u8>,
}

impl Backend {
    /// On a port of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Backend { listener, address }
    }

    /// Where it is, as it stands in a configuration.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.address)
    }

    /// The next connection.
    pub async fn accept(&self) -> Inside {
        let (stream, _) = patiently("the gateway at the backend", self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Inside { stream, ahead: Vec::new() }
    }

    /// Has nobody come? To be asked when the gateway has answered.
    pub fn is_untouched(&self) -> bool {
        let accepted = futures_poll_once(self.listener.accept());
        accepted.is_none()
    }
}

/// What a future has by now; nothing if it has to wait.
fn futures_poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(done) => Some(done),
        std::task::Poll::Pending => None,
    }
}

impl Inside {
    /// The head of a request, lines in lower case before the colon.
    pub async fn head(&mut self) -> Vec<String> {
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.read_more().await, "the gateway broke off before the end of a head");
        };
        let head: Vec<u8> = self.ahead.drain(..end).collect();
        String::from_utf8(head).unwrap().trim_end().split("\r\n").map(str::to_owned).collect()
    }

    /// So many bytes of content.
    pub async fn content(&mut self, length: usize) -> Vec<u8> {
        while self.ahead.len() < length {
            assert!(self.read_more().await, "the gateway broke off after {} bytes", self.ahead.len());
        }
        self.ahead.drain(..length).collect()
    }

    /// What comes until the gateway breaks off.
    pub async fn rest(mut self) -> Vec<u8> {
        while self.read_more().await {}
        self.ahead
    }

    /// Answers with these bytes.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Writes zeros until the gateway takes no more; says how many it took.
    pub async fn write_until_broken(&mut self, length: usize) -> usize {
        let zeros = vec![0; 64 * 1024];
        for written in (0..length).step_by(zeros.len()) {
            if patiently("the gateway to read", self.stream.write_all(&zeros)).await.is_err() {
                return written;
            }
        }
        length
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        let came = patiently("something from the gateway", self.stream.read(&mut buffer)).await;
        let count = came.unwrap_or_default();
        self.ahead.extend_from_slice(&buffer[..count]);
        count > 0
    }
}

//! An authority's web server, as good or as bad as a test needs it, and a plain caller of others.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use lab::site::Sites;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::patience::patiently;

/// How one path is answered.
#[derive(Clone, Debug)]
pub enum Answers {
    /// With these bytes.
    With(Vec<u8>),
    /// With this status and nothing else.
    Status(u16),
    /// With zeros without end.
    WithoutEnd,
    /// Never, and the connection stays.
    Never,
    /// Not at all: the connection is closed.
    Away,
}

/// Serves over plain HTTP until it is dropped.
pub struct Publisher {
    address: SocketAddr,
    answers: Arc<Mutex<HashMap<String, Answers>>>,
    serving: JoinHandle<()>,
}

impl Publisher {
    /// A server that is away, whatever it is asked for.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Arc::<Mutex<HashMap<String, Answers>>>::default();
        let served = Arc::clone(&answers);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&served)));
            }
        });
        Publisher { address, answers, serving }
    }

    /// The address of a list, as it stands in a configuration.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Answers so from now on.
    pub fn answers(&self, name: &str, answers: Answers) {
        self.answers.lock().unwrap().insert(format!("/{name}"), answers);
    }

    /// Publishes the newest list of the authority that issues, in DER as authorities do; its bytes are returned.
    pub fn publish(&self, sites: &Sites, name: &str) -> Vec<u8> {
        let der = issuing_list(sites);
        self.answers(name, Answers::With(der.clone()));
        der
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The newest list of a lab's issuing authority, in DER.
pub fn issuing_list(sites: &Sites) -> Vec<u8> {
    let [list] =
        pki::pem::crls(&sites.authority().dir().join("crls/issuing.pem")).unwrap().try_into().unwrap();
    list.as_ref().to_vec()
}

async fn answer(mut stream: TcpStream, answers: Arc<Mutex<HashMap<String, Answers>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let answers = answers.lock().unwrap().get(path).cloned().unwrap_or(Answers::Away);
    // Whoever asked may have had enough before the end.
    match answers {
        Answers::With(bytes) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
            let _ = stream.write_all(&[head.as_bytes(), &bytes].concat()).await;
        }
        Answers::Status(status) => {
            let head = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
        }
        Answers::WithoutEnd => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let block = vec![0; 1 << 20];
            while stream.write_all(&block).await.is_ok() {}
        }
        Answers::Never => _ = stream.read_u8().await,
        Answers::Away => {}
    }
}

/// What a server says to one request: status, head and body.
pub async fn plain(address: &str, request: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    patiently("an answer", stream.read_to_end(&mut answer)).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
}

/// The answer to a plain GET.
pub async fn plain_get(address: &str, path: &str) -> (u16, String, Vec<u8>) {
    plain(address, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await
}

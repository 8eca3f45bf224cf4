//! Centres that take a connection and then fail in their own ways, each under its name.

use std::{net::SocketAddr, time::Duration};

use protocol::cause::Cause;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket},
    time::interval,
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, version::TLS13};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::*;
use crate::{
    line::{Piece, requests},
    source::Fingerprint,
};

const ANSWER_MAX: Duration = Duration::from_secs(1);

fn dialer(address: SocketAddr, secure: Secure) -> Dialer {
    Dialer {
        address: HostPort::parse(&address.to_string()).unwrap(),
        line: ClientLine::default(),
        host: address.to_string(),
        secure,
        deadlines: Deadlines {
            detect_max: Duration::from_secs(2),
            stall_max: Duration::from_secs(2),
            answer_max: ANSWER_MAX,
        },
    }
}

/// Trusts nobody: no handshake of these tests gets so far.
fn tls() -> Secure {
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("centre.example.jp").unwrap();
    Secure::Tls { usual: connector.clone(), content: connector, name }
}

/// Listens, and does this with the first connection.
async fn centre<F, D>(does: F) -> (SocketAddr, AbortOnDropHandle<()>)
where
    F: FnOnce(TcpStream) -> D + Send + 'static,
    D: Future<Output = ()> + Send,
{
    at(TcpListener::bind("127.0.0.1:0").await.unwrap(), does)
}

/// Does this with the first connection to the listener.
fn at<F, D>(listener: TcpListener, does: F) -> (SocketAddr, AbortOnDropHandle<()>)
where
    F: FnOnce(TcpStream) -> D + Send + 'static,
    D: Future<Output = ()> + Send,
{
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        does(stream).await;
    });
    (address, AbortOnDropHandle::new(task))
}

/// What a question meets on a line for everything, or on one for content.
async fn asked(dialer: &Dialer, for_content: bool) -> Result<crate::line::Answer, Break> {
    let key = crate::testing::manifest(b"content").1.key();
    exchanged(dialer, for_content, requests::ask(&key, None)).await
}

async fn exchanged(
    dialer: &Dialer,
    for_content: bool,
    question: hyper::Request<RequestBody>,
) -> Result<crate::line::Answer, Break> {
    let stop = CancellationToken::new();
    if !for_content {
        return dialer.dial().await?.exchange(question, &stop, || ()).await;
    }
    match dialer.dial_for_content().await? {
        ContentLine::Bulk(line) => line.exchange(question, &stop, || ()).await,
        ContentLine::Usual(_) => panic!("this centre has both"),
    }
}

/// What content meets: this file, whatever it is.
async fn sent(
    dialer: &Dialer,
    for_content: bool,
    file: &tempfile::NamedTempFile,
) -> Result<crate::line::Answer, Break> {
    let fingerprint = Fingerprint::of(&file.as_file().metadata().unwrap());
    let (body, _reading) =
        RequestBody::of_file(Piece { path: file.path().to_owned(), fingerprint, offset: 0, pace: None });
    let key = crate::testing::manifest(b"content").1.key();
    exchanged(dialer, for_content, requests::send(&key, 0, body, None)).await
}

/// What both kinds of line meet at a centre that answers with this, and then does not close the connection.
async fn answered(answer: String) -> [Result<crate::line::Answer, Break>; 2] {
    let ask = async |for_content| {
        let answer = answer.clone();
        let (address, _centre) = centre(|mut stream| async move {
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            // Who has heard enough may close before it has heard all.
            let _ = stream.write_all(answer.as_bytes()).await;
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await;
        asked(&dialer(address, Secure::Nothing), for_content).await
    };
    [ask(false).await, ask(true).await]
}

fn cause_of(broken: Result<impl Sized, Break>) -> Option<Cause> {
    match broken.err() {
        Some(Break::Cut { cause, .. }) => Some(cause),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_told_from_a_line_that_is_dead() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let broken = dialer(address, Secure::Nothing).dial().await.err();
    assert!(matches!(broken, Some(Break::NobodyListens { .. })), "{broken:?}");
}

#[tokio::test]
async fn a_centre_that_says_nothing_in_the_handshake_is_stalled_and_not_lost() {
    let (address, _centre) = centre(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    assert_eq!(cause_of(dialer(address, tls()).dial().await), Some(Cause::Stalled));
}

#[tokio::test]
async fn an_answer_that_trickles_has_no_more_time_than_any_other() {
    for for_content in [false, true] {
        let (address, _centre) = centre(|mut stream| async move {
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
            let mut drops = interval(ANSWER_MAX / 20);
            loop {
                drops.tick().await;
                if stream.write_all(b" ").await.is_err() {
                    return;
                }
            }
        })
        .await;
        let dialer = dialer(address, Secure::Nothing);
        // In vain would be waited for ever.
        let asked = timeout(4 * ANSWER_MAX, asked(&dialer, for_content)).await.unwrap();
        assert_eq!(cause_of(asked), Some(Cause::TooSlow));
    }
}

#[tokio::test]
async fn an_answer_that_stops_in_its_middle_is_stalled() {
    for asked in answered("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_owned()).await {
        assert_eq!(cause_of(asked), Some(Cause::Stalled));
    }
}

#[tokio::test]
async fn an_answer_is_heard_while_the_centre_takes_nothing_of_the_content() {
    // More than any buffer between here and there holds.
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(64 << 20).unwrap();
    for for_content in [false, true] {
        let (address, _centre) = centre(|mut stream| async move {
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            stream.write_all(b"HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await;
        let answer = sent(&dialer(address, Secure::Nothing), for_content, &file).await;
        assert_eq!(answer.unwrap().status, 409);
    }
}

#[tokio::test]
async fn a_slow_line_is_borne_as_long_as_its_far_end_takes_something() {
    // Some megabytes of it stand in our kernel, and for seconds it takes nothing more.
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(3 << 20).unwrap();
    let send = async |for_content| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, _centre) = at(socket.listen(1).unwrap(), |mut stream| async move {
            let mut turns = interval(Duration::from_millis(50));
            let (mut bytes, mut left) = (vec![0; 32 << 10], 3 << 20);
            while left > 0 {
                turns.tick().await;
                left -= stream.read(&mut bytes).await.unwrap().min(left);
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            // What is left of the head.
            while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
        });
        let mut dialer = dialer(address, Secure::Nothing);
        dialer.deadlines.stall_max = ANSWER_MAX;
        sent(&dialer, for_content, &file).await.unwrap().status
    };
    let (usual, for_content) = tokio::join!(send(false), send(true));
    assert_eq!((usual.as_u16(), for_content.as_u16()), (204, 204));
}

#[tokio::test]
async fn an_answer_is_whole_when_all_that_it_announced_is_there() {
    for asked in answered("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc".to_owned()).await {
        assert_eq!(asked.unwrap().body, b"abc");
    }
}

#[tokio::test]
async fn an_answer_longer_than_any_of_the_protocol_is_none() {
    let long = protocol::limits::ANSWER_JSON_BYTES_MAX + 1;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {long}\r\n\r\n{}", "x".repeat(long));
    for asked in answered(answer).await {
        assert!(matches!(asked, Err(Break::BadAnswer(_))), "{:?}", asked.err());
    }
}

#[tokio::test]
async fn content_takes_no_answer_behind_which_something_stands() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n".to_owned();
    let [_, asked] = answered(answer).await;
    assert!(matches!(asked, Err(Break::BadAnswer(_))), "{:?}", asked.err());
}

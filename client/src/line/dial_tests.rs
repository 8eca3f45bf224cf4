//! Centres that take a connection and then fail in their own ways, each under its name.

use std::{net::SocketAddr, time::Duration};

use protocol::cause::Cause;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::interval,
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, version::TLS13};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::*;
use crate::line::requests;

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
    Secure::Tls(TlsConnector::from(Arc::new(config)), ServerName::try_from("centre.example.jp").unwrap())
}

/// Listens, and does this with the first connection.
async fn centre<F, D>(does: F) -> (SocketAddr, AbortOnDropHandle<()>)
where
    F: FnOnce(TcpStream) -> D + Send + 'static,
    D: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        does(stream).await;
    });
    (address, AbortOnDropHandle::new(task))
}

/// What a question meets on this line.
async fn asked(dialer: &Dialer) -> Result<crate::line::Answer, Break> {
    let mut line = dialer.dial().await?;
    let key = crate::testing::manifest(b"content").1.key();
    line.exchange(requests::ask(&key, None), &CancellationToken::new(), || ()).await
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
    // In vain would be waited for ever.
    let asked = timeout(4 * ANSWER_MAX, asked(&dialer(address, Secure::Nothing))).await.unwrap();
    assert_eq!(cause_of(asked), Some(Cause::TooSlow));
}

#[tokio::test]
async fn an_answer_that_stops_in_its_middle_is_stalled() {
    let (address, _centre) = centre(|mut stream| async move {
        assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    assert_eq!(cause_of(asked(&dialer(address, Secure::Nothing)).await), Some(Cause::Stalled));
}

//! Two thousand connections that send one byte a second: half of them in their handshake, half, with certificates of
//! some institutions, in the head of a request. Whoever is closed comes back a second later.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use lab::site::SenderSite;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::rustls::{ClientConfig, ClientConnection};

use super::attack::{Attack, Tally, source};
use crate::load::{
    line::Line,
    tls::{Group, Suite, config},
};

/// Connections in their handshake.
pub const IN_HANDSHAKE: usize = 1000;

/// Connections in the head of a request.
pub const IN_HEAD: usize = 1000;

/// Institutions that the latter belong to: fewer could not hold so many.
pub const INSTITUTIONS: usize = 40;

/// Source prefixes of each half: fewer could not hold so many.
pub const NETWORKS: usize = 5;

/// The first prefix.
const NETWORK: u8 = 80;

/// Between two bytes, and before a connection comes back.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest that a default centre bears a handshake or a head that does not end.
pub const HELD_AT_MOST: Duration = Duration::from_secs(10);

/// What comes byte by byte in a head.
const HEAD: &[u8] = b"GET /v1/log/checkpoint HTTP/1.1\r\nhost: localhost\r\nx-slow: yes\r\n";

/// The connections.
pub struct Slow {
    /// The root that the centre's certificate leads to.
    pub root: PathBuf,
    /// Whose certificates the second half shows.
    pub institutions: Vec<SenderSite>,
}

impl Attack for Slow {
    async fn run(self: Box<Self>, target: SocketAddr, tally: Arc<Tally>) -> anyhow::Result<()> {
        let stranger = config(None, &self.root, Suite::Aes256, Group::X25519)?;
        let hello: Arc<[u8]> = hello(&stranger, target)?.into();
        let institutions = self
            .institutions
            .iter()
            .map(|site| config(Some(site), &self.root, Suite::Aes256, Group::X25519))
            .collect::<Result<Vec<_>, _>>()?;
        let mut running = JoinSet::new();
        for number in 0..IN_HANDSHAKE {
            let (hello, tally) = (Arc::clone(&hello), Arc::clone(&tally));
            let network = NETWORK + u8::try_from(number % NETWORKS)?;
            running.spawn(async move {
                spread(number).await;
                loop {
                    Tally::count(&tally.begun);
                    if in_handshake(network, target, &hello).await.is_err() {
                        Tally::count(&tally.ended);
                    }
                    sleep(PAUSE).await;
                }
            });
        }
        for number in 0..IN_HEAD {
            let config = Arc::clone(institutions.get(number % institutions.len()).context("an institution")?);
            let tally = Arc::clone(&tally);
            let network = NETWORK + u8::try_from(NETWORKS + number % NETWORKS)?;
            running.spawn(async move {
                spread(number).await;
                loop {
                    Tally::count(&tally.begun);
                    if in_head(network, target, &config).await.is_err() {
                        Tally::count(&tally.ended);
                    }
                    sleep(PAUSE).await;
                }
            });
        }
        // They never end by themselves.
        while running.join_next().await.is_some() {}
        Ok(())
    }
}

/// They come over two seconds, and their bytes at different moments.
async fn spread(number: usize) {
    sleep(2 * PAUSE * u32::try_from(number % 1000).unwrap_or_default() / 1000).await;
}

/// The first bytes that a client sends.
fn hello(config: &Arc<ClientConfig>, target: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let mut client = ClientConnection::new(Arc::clone(config), ServerName::IpAddress(target.ip().into()))?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes)?;
    Ok(bytes)
}

async fn in_handshake(network: u8, target: SocketAddr, hello: &[u8]) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source(network, 1), 0).into())?;
    let mut stream: TcpStream = socket.connect(target).await?;
    for byte in hello {
        stream.write_all(std::slice::from_ref(byte)).await?;
        match timeout(PAUSE, stream.read(&mut [0; 16])).await {
            Err(_) => {}
            Ok(said) => anyhow::bail!("the other end speaks or closes: {said:?}"),
        }
    }
    Ok(())
}

async fn in_head(network: u8, target: SocketAddr, config: &Arc<ClientConfig>) -> anyhow::Result<()> {
    let connecting = Line::connect_from(Some(source(network, 1)), config, target);
    let mut line = timeout(HELD_AT_MOST, connecting).await??;
    for byte in HEAD.iter().cycle() {
        line.write(std::slice::from_ref(byte)).await?;
        if let Ok(gone) = timeout(PAUSE, line.gone()).await {
            gone?;
            anyhow::bail!("the other end has closed");
        }
    }
    Ok(())
}

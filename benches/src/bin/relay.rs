//! A relay that knows neither TLS nor HTTP: what comes from one side goes to the other, by one thread, in pieces of 256 KiB.
//! Nobody would use it. It shows what handing bytes on costs at the least on this machine, without a kernel's help.

use std::{net::SocketAddr, rc::Rc};

use clap::Parser;
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    task::{LocalSet, spawn_local},
};

/// Bytes read at once, as Sekisho's own engine reads them.
const PIECE: usize = 256 * 1024;

#[derive(Parser)]
#[command(about = "Hands bytes on, and nothing else")]
struct Arguments {
    /// Where it listens.
    address: SocketAddr,
    /// Where everything goes.
    backend: SocketAddr,
}

fn main() -> anyhow::Result<()> {
    let Arguments { address, backend } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(address).await?;
        let piece = Rc::new(Piece::default());
        loop {
            let (client, _) = listener.accept().await?;
            let piece = Rc::clone(&piece);
            // A connection that breaks off shows at its client.
            spawn_local(async move { relay(client, backend, &piece).await });
        }
    })
}

/// One buffer for all connections: each takes it for as long as a piece needs.
struct Piece(std::cell::Cell<Option<Vec<u8>>>);

impl Default for Piece {
    fn default() -> Self {
        Piece(std::cell::Cell::new(None))
    }
}

impl Piece {
    fn take(&self) -> Vec<u8> {
        self.0.take().unwrap_or_else(|| vec![0; PIECE])
    }

    fn give_back(&self, piece: Vec<u8>) {
        self.0.set(Some(piece));
    }
}

async fn relay(mut client: TcpStream, backend: SocketAddr, piece: &Piece) -> anyhow::Result<()> {
    let mut backend = TcpStream::connect(backend).await?;
    for stream in [&client, &backend] {
        stream.set_nodelay(true)?;
    }
    let ((from_client, to_client), (from_backend, to_backend)) = (client.split(), backend.split());
    tokio::try_join!(copy(from_client, to_backend, piece), copy(from_backend, to_client, piece))?;
    Ok(())
}

async fn copy(from: ReadHalf<'_>, mut to: WriteHalf<'_>, piece: &Piece) -> anyhow::Result<()> {
    loop {
        from.readable().await?;
        let mut buffer = piece.take();
        let count = match from.try_read(&mut buffer) {
            Ok(0) => return Ok(to.shutdown().await?),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                piece.give_back(buffer);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        to.write_all(buffer.get(..count).unwrap_or_default()).await?;
        piece.give_back(buffer);
    }
}

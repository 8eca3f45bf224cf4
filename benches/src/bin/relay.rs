//! A relay that knows neither TLS nor HTTP: what comes from one side goes to the other, by one thread, in pieces of 1 MiB.
//! Nobody would use it. It shows what handing bytes on costs at the least on this machine, without a kernel's help.

use std::{cell::RefCell, io::ErrorKind, net::SocketAddr, rc::Rc};

use clap::Parser;
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    task::{LocalSet, spawn_local},
};

/// Bytes read at once, as Sekisho's own engine reads them for few streams.
const PIECE: usize = 1024 * 1024;

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
        let pieces = Rc::new(Pieces::default());
        loop {
            let (client, _) = listener.accept().await?;
            let pieces = Rc::clone(&pieces);
            // A connection that breaks off shows at its client.
            spawn_local(async move { relay(client, backend, &pieces).await });
        }
    })
}

/// Buffers that nobody uses now: a connection has one while a piece of it is under way, and no other is made while one is here.
#[derive(Default)]
struct Pieces(RefCell<Vec<Box<[u8]>>>);

impl Pieces {
    fn take(&self) -> Box<[u8]> {
        self.0.borrow_mut().pop().unwrap_or_else(|| vec![0; PIECE].into())
    }

    fn give_back(&self, piece: Box<[u8]>) {
        self.0.borrow_mut().push(piece);
    }
}

async fn relay(mut client: TcpStream, backend: SocketAddr, pieces: &Pieces) -> anyhow::Result<()> {
    let mut backend = TcpStream::connect(backend).await?;
    for stream in [&client, &backend] {
        stream.set_nodelay(true)?;
    }
    let ((from_client, to_client), (from_backend, to_backend)) = (client.split(), backend.split());
    tokio::try_join!(copy(from_client, to_backend, pieces), copy(from_backend, to_client, pieces))?;
    Ok(())
}

async fn copy(from: ReadHalf<'_>, mut to: WriteHalf<'_>, pieces: &Pieces) -> anyhow::Result<()> {
    loop {
        from.readable().await?;
        let mut piece = pieces.take();
        let came = from.try_read(&mut piece);
        let passed_on = match &came {
            Ok(count) => to.write_all(piece.get(..*count).unwrap_or_default()).await,
            Err(_) => Ok(()),
        };
        pieces.give_back(piece);
        passed_on?;
        match came {
            Ok(0) => return Ok(to.shutdown().await?),
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
    }
}

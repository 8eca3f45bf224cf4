//! A line that all connections share: what one of them brings, all others wait for.

use std::{net::SocketAddr, num::NonZeroU64, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Mutex,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// Bytes that pass at once: so few that nobody waits long for his turn.
const TURN_BYTES: usize = 16 * 1024;

/// Bytes that the system takes ahead of a turn, on each side: so few that they do not count beside a file.
const AHEAD_BYTES: u32 = 64 * 1024;

/// The line. Dropped, it ends with all its connections.
pub struct SharedLine {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// Whose turn it is, in the order in which it was asked for.
struct Turns {
    bytes_per_second: NonZeroU64,
    turn: Mutex<()>,
}

impl SharedLine {
    /// One that brings so many bytes in a second to this address, of all connections together. Back they come as they are.
    pub async fn to(target: SocketAddr, bytes_per_second: NonZeroU64) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(AHEAD_BYTES).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let turns = Arc::new(Turns { bytes_per_second, turn: Mutex::new(()) });
        SharedLine { address, accepting: tokio::spawn(accept(listener, target, turns)) }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SharedLine {
    fn drop(&mut self) {
        // The task owns its connections' tasks; they end with it.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, turns: Arc<Turns>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let turns = Arc::clone(&turns);
        connections.spawn(async move {
            let Ok(far) = TcpStream::connect(target).await else { return };
            let ((from_near, mut to_near), (mut from_far, to_far)) = (near.into_split(), far.into_split());
            let back = async {
                let _ = copy(&mut from_far, &mut to_near).await;
                let _ = to_near.shutdown().await;
            };
            tokio::join!(turns.carry(from_near, to_far), back);
        });
    }
}

impl Turns {
    async fn carry(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut bytes = vec![0; TURN_BYTES];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            let turn = self.turn.lock().await;
            let nanos = count as u64 * 1_000_000_000 / self.bytes_per_second;
            sleep(Duration::from_nanos(nanos)).await;
            drop(turn);
            if to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    }
}

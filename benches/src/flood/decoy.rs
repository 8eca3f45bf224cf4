//! A listener that is not ours: what an attack costs the machine by itself, without a gateway that it could push.

use std::net::SocketAddr;

use tokio::{io::AsyncReadExt as _, net::TcpListener, task::JoinHandle, time::timeout};

use super::slow::HELD_AT_MOST;

/// What it does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Closes it at once.
    Close,
    /// Reads what comes, as long as a centre would.
    Hold,
}

/// A listener; dropped, it is gone.
pub struct Decoy {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Decoy {
    /// Begins to listen.
    pub async fn start(manner: Manner) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                if manner == Manner::Hold {
                    tokio::spawn(async move {
                        let mut buffer = [0; 4096];
                        let reading = async { while matches!(stream.read(&mut buffer).await, Ok(1..)) {} };
                        // Either way it is over.
                        let _ = timeout(HELD_AT_MOST, reading).await;
                    });
                }
            }
        });
        Ok(Decoy { address, task })
    }
}

impl Drop for Decoy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! The backend behind every proxy: plain HTTP/1.1, counts what comes and throws it away. It runs where the load runs.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Bytes it reads at once.
const READ_AT_ONCE: usize = 1024 * 1024;

/// Listens; where. It goes with its runtime.
pub async fn start() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A proxy that breaks a connection off shows in its client's answers.
            tokio::spawn(serve(stream));
        }
    });
    Ok(address)
}

/// Serves one connection: each request is answered with the number of bytes that its body had.
pub async fn serve<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    mut stream: S,
) -> anyhow::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let head_end = loop {
            if let Some(at) = memchr::memmem::find(&buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8(buffer.drain(..head_end).collect())?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("a request without a length")?.trim().parse()?;
        let mut missing = length.checked_sub(buffer.len()).context("bytes beyond the body")?;
        buffer.clear();
        buffer.reserve(READ_AT_ONCE.min(missing));
        while missing > 0 {
            let count = stream.read_buf(&mut buffer).await?;
            anyhow::ensure!(count > 0, "the connection ended within a body");
            missing = missing.checked_sub(count).context("bytes beyond the body")?;
            buffer.clear();
        }
        let body = length.to_string();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
}

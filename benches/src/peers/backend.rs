//! The backend behind every proxy: plain HTTP/1.1, counts what comes and throws it away. It runs where the load runs.

use std::{cell::RefCell, future::poll_fn, io, net::SocketAddr, pin::Pin, task::ready};

use anyhow::Context as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpListener,
};

/// Bytes it reads at once: no more than the cache of a core holds.
const READ_AT_ONCE: usize = 256 * 1024;

thread_local! {
    /// What is thrown away comes here, for all connections of a thread: a buffer for each would not stay in the cache.
    static THROWN_AWAY: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_AT_ONCE].into());
}

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
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> anyhow::Result<()> {
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
        while missing > 0 {
            let count = throw_away(&mut stream).await?;
            anyhow::ensure!(count > 0, "the connection ended within a body");
            missing = missing.checked_sub(count).context("bytes beyond the body")?;
        }
        let body = length.to_string();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
}

/// Reads what has come; how many bytes.
async fn throw_away<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<usize> {
    poll_fn(|context| {
        THROWN_AWAY.with_borrow_mut(|bytes| {
            let mut bytes = ReadBuf::new(bytes);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut bytes))?;
            Ok(bytes.filled().len()).into()
        })
    })
    .await
}

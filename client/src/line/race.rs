//! A connection to whichever address of a name answers first: the next address is tried a moment after the last one, or at
//! once after a failure, while the earlier tries go on (as RFC 8305 does).

use std::{io, net::SocketAddr};

use config::network::ClientLine;
use tokio::{net::TcpStream, task::JoinSet, time::sleep};

use super::origin::{self, LineFault, NoSocket};
use crate::limits::NEXT_ADDRESS_AFTER;

/// Why none of the addresses gave a connection.
#[derive(Debug)]
pub(super) enum NoConnection {
    /// Each of them answered that nobody listens there.
    Refused,
    /// What the system said last of one that gave no such answer.
    Failed(io::Error),
    /// The line they were to be reached on.
    Line(LineFault),
}

/// Connects to one of these addresses on this line. Ends when every one of them has failed, or at once when the line
/// cannot be used; an address that the system makes no socket for (IPv6 may be switched off) has failed. The deadline is the
/// caller's.
pub(super) async fn connect(
    line: &ClientLine,
    addresses: impl IntoIterator<Item = SocketAddr>,
) -> Result<TcpStream, NoConnection> {
    let mut left = addresses.into_iter().peekable();
    let mut tries = JoinSet::new();
    let mut outcome = None;
    loop {
        if let Some(address) = left.next() {
            let made = match origin::socket(line, address) {
                Ok(socket) => Ok(socket),
                Err(NoSocket::System(error)) => Err(error),
                Err(NoSocket::Line(fault)) => return Err(NoConnection::Line(fault)),
            };
            tries.spawn(async move { made?.connect(address).await });
        }
        let is_last = left.peek().is_none();
        // Neither is lost when the other is ready first: the tries go on in their set, and the pause begins anew with
        // each try.
        let failed = tokio::select! {
            biased;
            tried = tries.join_next() => match tried {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => error,
                Some(Err(lost)) => io::Error::other(lost),
                None => return Err(outcome.unwrap_or(NoConnection::Failed(io::ErrorKind::NotFound.into()))),
            },
            () = sleep(NEXT_ADDRESS_AFTER), if !is_last => continue,
        };
        outcome = Some(match outcome {
            None | Some(NoConnection::Refused) if failed.kind() == io::ErrorKind::ConnectionRefused => {
                NoConnection::Refused
            }
            Some(other) if failed.kind() == io::ErrorKind::ConnectionRefused => other,
            _ => NoConnection::Failed(failed),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address where somebody listens.
    async fn open() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address where nobody listens any more.
    async fn closed() -> SocketAddr {
        open().await.1
    }

    /// An address that does not answer at all: its listener takes nobody in, and its queue is full.
    async fn silent() -> (TcpListener, Vec<JoinSet<()>>, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = JoinSet::new();
        loop {
            let connecting = tokio::time::timeout(NEXT_ADDRESS_AFTER, TcpStream::connect(address)).await;
            let Ok(stream) = connecting else { break };
            let stream = stream.unwrap();
            queued.spawn(async move {
                std::future::pending::<()>().await;
                drop(stream);
            });
        }
        (listener, vec![queued], address)
    }

    #[tokio::test]
    async fn an_address_that_answers_is_found_at_once_behind_those_that_refuse() {
        const CLOSED: u32 = 40;
        let ((_listener, open), closed) = (open().await, closed().await);
        let began = Instant::now();
        let stream =
            connect(&ClientLine::default(), (0..CLOSED).map(|_| closed).chain([open])).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        assert!(began.elapsed() < CLOSED * NEXT_ADDRESS_AFTER / 2, "failures are not waited out");
    }

    #[tokio::test]
    async fn an_address_that_answers_is_found_behind_any_number_that_do_not() {
        let ((_listener, open), (_full, _queued, silent)) = (open().await, silent().await);
        let began = Instant::now();
        let stream = connect(&ClientLine::default(), [silent, silent, silent, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        assert!(began.elapsed() >= 3 * NEXT_ADDRESS_AFTER, "each had its moment");
    }

    #[tokio::test]
    async fn an_address_that_the_system_makes_no_socket_for_stops_no_other() {
        let (_listener, open) = open().await;
        // No socket of the other family comes from this address.
        let line = ClientLine { local_address: Some("127.0.0.1".parse().unwrap()), ..ClientLine::default() };
        let other_family = "[::1]:9".parse().unwrap();
        for addresses in [[other_family, open], [open, other_family]] {
            assert_eq!(connect(&line, addresses).await.unwrap().peer_addr().unwrap(), open);
        }
        assert!(matches!(connect(&line, [other_family]).await, Err(NoConnection::Failed(_))));
    }

    #[tokio::test]
    async fn only_if_every_address_refuses_nobody_listens() {
        let (one, other) = (closed().await, closed().await);
        assert!(matches!(connect(&ClientLine::default(), [one, other]).await, Err(NoConnection::Refused)));
        // A broadcast address takes no connection.
        let elsewhere = "255.255.255.255:9".parse().unwrap();
        for addresses in [[one, elsewhere], [elsewhere, one]] {
            assert!(matches!(connect(&ClientLine::default(), addresses).await, Err(NoConnection::Failed(_))));
        }
        assert!(matches!(connect(&ClientLine::default(), []).await, Err(NoConnection::Failed(_))));
    }
}

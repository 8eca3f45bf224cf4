//! One connection, both ways, to its end.

use std::time::Duration;

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    Shared,
    gate::{Gate, Holds},
    lane::{Cut, Lane},
    plan::{Plan, Way},
};

/// How long both ends have to close after they were sent a FIN; then they are sent an RST.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Carries a connection until both ends are done with it or the plan ends it.
pub(super) async fn carry(
    shared: &Shared,
    mut client: TcpStream,
    mut target: TcpStream,
    plan: &Plan,
    number: u64,
) {
    // A proxy that gathers bytes would change the timing it is there to test; without it, it only gathers.
    let _ = (client.set_nodelay(true), target.set_nodelay(true));
    let holds = Holds::new();
    let lane = |way| {
        let gate = Gate::new(way, &shared.line, &holds);
        Lane::new(way, number, plan.faults(way), gate, &shared.board)
    };
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_target, to_target) = target.split();
        let up = lane(Way::Up).run(from_client, to_target);
        let down = lane(Way::Down).run(from_target, to_client);
        tokio::try_join!(up, down)
    };
    match ended {
        Ok(_) => {}
        Err(Cut::Reset) => {
            reset(client);
            reset(target);
        }
        Err(Cut::Fin) => {
            tokio::join!(finish(client), finish(target));
        }
    }
}

/// Ends a connection by RST.
pub(super) fn reset(stream: TcpStream) {
    // If it cannot be had it closes as the kernel sees fit.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// Ends a connection by FIN. What the other end still sends is read and thrown away: unread bytes would turn the FIN
/// into an RST.
async fn finish(mut stream: TcpStream) {
    let mut ignored = vec![0; 16 * 1024];
    let closing = async {
        stream.shutdown().await?;
        while stream.read(&mut ignored).await? > 0 {}
        std::io::Result::Ok(())
    };
    if !matches!(timeout(CLOSE_WITHIN, closing).await, Ok(Ok(()))) {
        reset(stream);
    }
}

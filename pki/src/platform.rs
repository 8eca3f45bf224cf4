//! Everything that only some systems offer: TCP timers, keeping to one network interface, what the kernel knows of a
//! connection, the clock's state.
//! Elsewhere each has a portable substitute or an honest "unknown".

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use protocol::{link::LinkTimers, moment::ClockState};
use socket2::{SockRef, TcpKeepalive};

/// Sets the timers that notice a dead line, and sends small messages at once. To be called on both ends, on the
/// accepted and on the connected socket. Where TCP_USER_TIMEOUT does not exist, unacknowledged data ends a connection
/// only by the programs' own deadlines.
pub fn apply_link_timers<'s, S>(socket: &'s S, timers: LinkTimers) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(timers.keepalive_idle);
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows))]
    let keepalive = keepalive.with_interval(timers.keepalive_interval).with_retries(timers.keepalive_probes);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(timers.user_timeout))?;
    Ok(())
}

/// Why a socket does not keep to a network interface.
#[derive(Debug)]
pub enum InterfaceFault {
    /// No interface has the name.
    NoSuch,
    /// The system does not let us, or cannot do it.
    NotPermitted,
    /// What the system says otherwise.
    Other(io::Error),
}

/// Lets a socket send and receive through one network interface only, whatever the routes say. Anybody may do so on
/// Linux from 5.7 on. Never done by halves: where it cannot be done it is an error.
pub fn keep_to_interface<'s, S>(socket: &'s S, interface: &str) -> Result<(), InterfaceFault>
where
    SockRef<'s>: From<&'s S>,
{
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // The same number on every architecture; `std` has no kind for it.
        const ENODEV: i32 = 19;
        let bound = SockRef::from(socket).bind_device(Some(interface.as_bytes()));
        bound.map_err(|error| match error.kind() {
            _ if error.raw_os_error() == Some(ENODEV) => InterfaceFault::NoSuch,
            io::ErrorKind::PermissionDenied => InterfaceFault::NotPermitted,
            _ => InterfaceFault::Other(error),
        })
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (socket, interface);
        Err(InterfaceFault::NotPermitted)
    }
}

/// What our kernel knows of the far end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FarEnd {
    /// Whether it still answers.
    pub kernel: PeerKernel,
    /// Bytes given to our kernel that the far end has not acknowledged: on their way, or not sent yet. None if that is unknown.
    pub unacknowledged: Option<u32>,
}

/// Whether the kernel of the far end still answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKernel {
    /// Nothing that was sent waits for an answer: whatever ails the peer, the line lives.
    Answers,
    /// Data was sent again, or a probe was sent, and no answer came: the line may be dead.
    Silent,
    /// The connection is not in the kernel's table (any more), or there is no such table here.
    Unknown,
}

/// Asks the kernel for the far end of the connection between these addresses.
///
/// A peer that stops reading closes its window, and TCP_USER_TIMEOUT then ends the connection with the same error as a
/// dead line, although the peer's kernel answers every probe. When the deadlines of both fall together this tells
/// `stalled` from `link_lost`; it must be asked before the socket is gone. A probe whose answer is still on its way
/// shows as [`PeerKernel::Silent`] for one round trip. Reads a file with a line for every connection of this network
/// namespace, so it may block: to be asked when a deadline has passed, or a few times a second while nothing is
/// written or read, and not for every piece.
pub fn far_end(local: SocketAddr, remote: SocketAddr) -> FarEnd {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
            let row = std::fs::read_to_string(table)
                .ok()
                .and_then(|table| crate::socket_table::find(&table, local, remote));
            if let Some(row) = row {
                let silent = row.retransmits > 0 || row.probes > 0;
                let kernel = if silent { PeerKernel::Silent } else { PeerKernel::Answers };
                return FarEnd { kernel, unacknowledged: Some(row.unacknowledged) };
            }
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (local, remote);
    FarEnd { kernel: PeerKernel::Unknown, unacknowledged: None }
}

/// How long it counts what the system said of its clock: every entry of a log tells it, and looking costs two system calls.
/// A clock is set seconds after a machine started, and then stays so.
const CLOCK_STATE_KEPT: Duration = Duration::from_secs(1);

/// What was last said of the clock, and when.
type Said = Mutex<Option<(Instant, ClockState)>>;

/// What the operating system says of its clock, as far as files tell: systemd-timesyncd marks that it has set the clock
/// since the machine started. Other time services leave no such mark; then it is unknown. It may be what was so a second ago.
pub fn clock_state() -> ClockState {
    static SAID: Said = Mutex::new(None);
    clock_state_of(&SAID, Instant::now(), || clock_state_in(Path::new("/run/systemd/timesync")))
}

fn clock_state_of(said: &Said, now: Instant, look: impl FnOnce() -> ClockState) -> ClockState {
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    match *said {
        Some((then, state)) if now.saturating_duration_since(then) < CLOCK_STATE_KEPT => state,
        _ => said.insert((now, look())).1,
    }
}

fn clock_state_in(timesync: &Path) -> ClockState {
    if timesync.join("synchronized").exists() {
        ClockState::Synchronised
    } else if timesync.exists() {
        ClockState::Unsynchronised
    } else {
        ClockState::Unknown
    }
}

pub use crate::clock::now;

#[cfg(test)]
mod tests;

use std::{
    fs,
    io::{ErrorKind, Write as _},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use socket2::{Domain, SockAddr, Socket, Type};

use super::*;

/// A client and its accepted counterpart.
fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Asks until the answer is there; fails after ten seconds.
fn wait_until(mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !there() {
        assert!(Instant::now() < deadline, "it did not happen in ten seconds");
        std::thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn both_ends_of_a_connection_take_the_timers() {
    let timers = LinkTimers::for_detect_max(Duration::from_secs(10));
    let (client, server) = connected();
    for socket in [&client, &server] {
        apply_link_timers(socket, timers).unwrap();
        let set = SockRef::from(socket);
        assert!(set.keepalive().unwrap() && set.tcp_nodelay().unwrap());
        assert_eq!(set.tcp_user_timeout().unwrap(), Some(timers.user_timeout));
        assert_eq!(set.tcp_keepalive_time().unwrap(), Duration::from_secs(3));
        assert_eq!(set.tcp_keepalive_interval().unwrap(), timers.keepalive_interval);
        assert_eq!(set.tcp_keepalive_retries().unwrap(), 3);
    }
}

/// Does the kernel probe the closed window of this connection (timer 4)?
#[cfg(target_os = "linux")]
fn probes_the_window(client: &TcpStream) -> bool {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let port = format!(":{:04X}", client.local_addr().unwrap().port());
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        columns[1].ends_with(&port) && columns[5].starts_with("04:")
    })
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_of_a_peer_that_does_not_read_still_answers() {
    let (mut client, _server) = connected();
    client.set_nonblocking(true).unwrap();
    let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    // Written full until the window is closed and the kernel probes it.
    wait_until(|| {
        match client.write(&[0; 65536]) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        probes_the_window(&client)
    });
    wait_until(|| far_end(local, remote).kernel == PeerKernel::Answers);
}

#[cfg(target_os = "linux")]
#[test]
fn a_peer_that_answers_nothing_is_silent() {
    // A queue that is full takes no further connection: the kernel says nothing, and the caller asks again and again.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::from("127.0.0.1:0".parse::<SocketAddr>().unwrap())).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut callers = Vec::new();
    wait_until(|| {
        let caller = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        caller.set_nonblocking(true).unwrap();
        let _ = caller.connect(&address);
        callers.push(caller);
        callers.len() >= 4
    });
    let last = callers.last().unwrap();
    let (local, remote) = (last.local_addr().unwrap().as_socket().unwrap(), address.as_socket().unwrap());
    wait_until(|| far_end(local, remote).kernel == PeerKernel::Silent);
}

#[test]
fn a_connection_that_does_not_exist_is_unknown() {
    let address = "127.0.0.1:1".parse().unwrap();
    assert_eq!(far_end(address, address).kernel, PeerKernel::Unknown);
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_connection_answers_over_ipv4_and_ipv6() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        // A machine without IPv6 has nothing to ask.
        let Ok(listener) = TcpListener::bind(any) else { continue };
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        wait_until(|| far_end(local, remote).kernel == PeerKernel::Answers);
    }
}

#[test]
fn the_clock_is_known_only_from_what_the_time_service_leaves_behind() {
    let directory = tempfile::tempdir().unwrap();
    let timesync = directory.path().join("timesync");
    assert_eq!(clock_state_in(&timesync), ClockState::Unknown);
    fs::create_dir(&timesync).unwrap();
    assert_eq!(clock_state_in(&timesync), ClockState::Unsynchronised);
    durable::create(&timesync.join("synchronized"), b"", durable::Access::Shared).unwrap();
    assert_eq!(clock_state_in(&timesync), ClockState::Synchronised);
}

#[test]
fn what_the_system_said_of_its_clock_counts_for_a_second() {
    let (said, began) = (Said::default(), Instant::now());
    let at = |ms, state| clock_state_of(&said, began + Duration::from_millis(ms), || state);
    assert_eq!(at(0, ClockState::Unsynchronised), ClockState::Unsynchronised);
    assert_eq!(at(999, ClockState::Synchronised), ClockState::Unsynchronised);
    assert_eq!(at(1000, ClockState::Synchronised), ClockState::Synchronised);
    assert_eq!(at(1500, ClockState::Unknown), ClockState::Synchronised, "from when it was said");
}

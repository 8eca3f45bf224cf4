//! The proxy's own claims. Where a test must show that nothing passes, it first lets something else pass that was sent
//! later, and never waits for time.

use std::{io::ErrorKind, net::SocketAddr, num::NonZeroU64, time::Duration, time::Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;

const ANY: &str = "127.0.0.1:0";

struct Lab {
    proxy: FaultProxy,
    target: TcpListener,
}

impl Lab {
    async fn new(plan: Plan) -> Self {
        let target = TcpListener::bind(ANY).await.unwrap();
        let address = target.local_addr().unwrap();
        let proxy = FaultProxy::start(any(), address, move |_| plan.clone()).await.unwrap();
        Lab { proxy, target }
    }

    async fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.proxy.address()).await.unwrap();
        let (target, _) = self.target.accept().await.unwrap();
        (client, target)
    }
}

fn any() -> SocketAddr {
    ANY.parse().unwrap()
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index % 251) as u8).collect()
}

async fn read_exactly(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn read_to_end(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).await.err().map(|error| error.kind());
    (bytes, error)
}

/// Something goes through from the client to the target and back.
async fn round_trip((client, target): (&mut TcpStream, &mut TcpStream)) {
    client.write_all(b"?").await.unwrap();
    assert_eq!(read_exactly(target, 1).await, b"?");
    target.write_all(b"!").await.unwrap();
    assert_eq!(read_exactly(client, 1).await, b"!");
}

#[tokio::test]
async fn a_clean_line_carries_every_byte_and_both_ends() {
    let lab = Lab::new(Plan::clean()).await;
    let (mut client, mut target) = lab.connect().await;
    let sent = bytes(3_000_000);
    let (mut from, mut to) = client.split();
    let sending = async {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let (received, ()) = tokio::join!(read_to_end(&mut target), sending);
    assert!(received == (sent, None));
    target.write_all(b"answer").await.unwrap();
    drop(target);
    let mut answer = Vec::new();
    from.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
    let status = lab.proxy.wait_until(|status| status.open == 0).await;
    assert_eq!((status.connections, status.up, status.down), (1, 3_000_000, 6));
}

#[tokio::test]
async fn after_a_fin_the_target_has_the_bytes_before_it_and_both_ends_see_an_end() {
    for after in [0, 1, 70_000] {
        let lab = Lab::new(Plan::clean().up(Fault::Fin { after })).await;
        let (mut client, mut target) = lab.connect().await;
        client.write_all(&bytes(100_000)).await.unwrap();
        let (received, error) = read_to_end(&mut target).await;
        assert!(received == bytes(after as usize), "{after}: {} bytes came", received.len());
        assert_eq!(error, None);
        assert_eq!(read_to_end(&mut client).await, (Vec::new(), None));
    }
}

#[tokio::test]
async fn after_a_reset_both_ends_see_a_reset() {
    for after in [0, 1, 70_000] {
        let lab = Lab::new(Plan::clean().up(Fault::Reset { after })).await;
        let (mut client, mut target) = lab.connect().await;
        // The reset may come while it still writes.
        let _ = client.write_all(&bytes(100_000)).await;
        let (received, error) = read_to_end(&mut target).await;
        assert!(received.len() <= after as usize);
        assert_eq!(error, Some(ErrorKind::ConnectionReset));
        assert_eq!(read_to_end(&mut client).await.1, Some(ErrorKind::ConnectionReset));
    }
}

#[tokio::test]
async fn a_silent_connection_moves_nothing_either_way_until_it_is_released() {
    let plan = Plan::clean().up(Fault::Silence { after: 10 });
    let target = TcpListener::bind(ANY).await.unwrap();
    let only_first = move |number| if number == 1 { plan.clone() } else { Plan::clean() };
    let proxy = FaultProxy::start(any(), target.local_addr().unwrap(), only_first).await.unwrap();
    let lab = Lab { proxy, target };
    let (mut client, mut target) = lab.connect().await;
    client.write_all(&bytes(20)).await.unwrap();
    assert_eq!(read_exactly(&mut target, 10).await, bytes(20)[..10]);
    lab.proxy.wait_until(|status| status.stalls == 1).await;
    target.write_all(b"held").await.unwrap();
    let (mut other_client, mut other_target) = lab.connect().await;
    round_trip((&mut other_client, &mut other_target)).await;
    let status = lab.proxy.status();
    assert_eq!((status.up, status.down), (10 + 1, 1), "only the other connection moved");
    lab.proxy.release();
    assert_eq!(read_exactly(&mut target, 10).await, bytes(20)[10..]);
    assert_eq!(read_exactly(&mut client, 4).await, b"held");
}

#[tokio::test]
async fn a_stalled_way_holds_the_other_way_back_no_byte() {
    let lab = Lab::new(Plan::clean().down(Fault::Stall { after: 0 })).await;
    let (mut client, mut target) = lab.connect().await;
    target.write_all(b"held").await.unwrap();
    client.write_all(&bytes(200_000)).await.unwrap();
    assert!(read_exactly(&mut target, 200_000).await == bytes(200_000));
    assert_eq!(lab.proxy.status().down, 0);
    lab.proxy.release();
    assert_eq!(read_exactly(&mut client, 4).await, b"held");
}

#[tokio::test]
async fn a_stalled_line_holds_old_and_new_connections_until_it_is_released() {
    let lab = Lab::new(Plan::clean()).await;
    let (mut client, mut target) = lab.connect().await;
    round_trip((&mut client, &mut target)).await;
    let stall = lab.proxy.stall_now();
    assert_eq!(lab.proxy.status().last_stall, Some(stall));
    client.write_all(b"old").await.unwrap();
    let (mut new_client, mut new_target) = lab.connect().await;
    new_client.write_all(b"new").await.unwrap();
    assert_eq!(lab.proxy.bytes_forwarded(), 2);
    lab.proxy.release();
    assert_eq!(read_exactly(&mut target, 3).await, b"old");
    assert_eq!(read_exactly(&mut new_target, 3).await, b"new");
}

#[tokio::test]
async fn one_bit_of_one_byte_is_turned_over_and_nothing_else() {
    for at in [0, 65_535, 65_536, 99_999] {
        let lab = Lab::new(Plan::clean().up(Fault::Flip { at })).await;
        let (mut client, mut target) = lab.connect().await;
        client.write_all(&bytes(100_000)).await.unwrap();
        let mut expected = bytes(100_000);
        expected[at as usize] ^= 1;
        assert!(read_exactly(&mut target, 100_000).await == expected, "byte {at}");
    }
}

#[tokio::test]
async fn a_throttled_or_delayed_line_is_no_faster_than_told() {
    let rate = NonZeroU64::new(100_000).unwrap();
    for fault in [Fault::Throttle { bytes_per_second: rate }, Fault::Delay { by: Duration::from_millis(200) }]
    {
        let lab = Lab::new(Plan::clean().up(fault)).await;
        let (mut client, mut target) = lab.connect().await;
        let began = Instant::now();
        client.write_all(&bytes(30_000)).await.unwrap();
        assert!(read_exactly(&mut target, 30_000).await == bytes(30_000));
        assert!(began.elapsed() >= Duration::from_millis(190), "{fault:?}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn faults_of_one_connection_follow_each_other() {
    let plan = Plan::clean().up(Fault::Fin { after: 20 }).up(Fault::Stall { after: 10 });
    let lab = Lab::new(plan).await;
    let (mut client, mut target) = lab.connect().await;
    client.write_all(&bytes(30)).await.unwrap();
    lab.proxy.wait_until(|status| status.stalls == 1).await;
    assert_eq!(lab.proxy.status().up, 10);
    lab.proxy.release();
    assert_eq!(read_to_end(&mut target).await, (bytes(20), None));
}

#[tokio::test]
async fn a_target_that_is_gone_resets_the_client_and_another_can_take_its_place() {
    let mut lab = Lab::new(Plan::clean()).await;
    lab.target = TcpListener::bind(ANY).await.unwrap();
    let mut refused = TcpStream::connect(lab.proxy.address()).await.unwrap();
    assert_eq!(read_to_end(&mut refused).await.1, Some(ErrorKind::ConnectionReset));
    lab.proxy.set_target(lab.target.local_addr().unwrap());
    let (mut client, mut target) = lab.connect().await;
    round_trip((&mut client, &mut target)).await;
}

#[tokio::test]
async fn when_the_proxy_ends_so_do_its_connections() {
    for waits in [true, false] {
        let lab = Lab::new(Plan::clean()).await;
        let (mut client, mut target) = lab.connect().await;
        round_trip((&mut client, &mut target)).await;
        let address = lab.proxy.address();
        if waits {
            lab.proxy.shut_down().await;
        } else {
            drop(lab.proxy);
        }
        read_to_end(&mut client).await;
        read_to_end(&mut target).await;
        if waits {
            assert!(TcpStream::connect(address).await.is_err());
        }
    }
}

#[test]
fn a_fault_is_read_from_a_command_line_and_a_wrong_one_is_explained() {
    let two: Plan = "up:reset@1000000".parse::<Plan>().unwrap().and("down:delay=200".parse().unwrap());
    let expected = Plan::clean()
        .up(Fault::Reset { after: 1_000_000 })
        .down(Fault::Delay { by: Duration::from_millis(200) });
    assert_eq!(two, expected);
    for bad in ["", "up", "up:fin", "up:fin=3", "side:fin@3", "up:rate=0", "up:fin@-1", "up:explode@1"] {
        assert!(bad.parse::<Plan>().unwrap_err().to_string().contains("write WAY:FAULT"), "{bad}");
    }
}

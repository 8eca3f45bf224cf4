//! A dead line told from a stalled peer, on a network that can be taken down: the loopback of a namespace of its own.
//!
//! Each test starts itself again inside such a namespace. Where that is not possible it says so and passes.

use std::{
    env,
    process::Command,
    time::{Duration, Instant},
};

use protocol::cause::Cause;
use tokio_util::sync::CancellationToken;

use crate::{
    Filing, Sent, Unwatched,
    testing::{
        centre::{FakeCentre, Mischief},
        desk::{client, file_in},
    },
};

const INSIDE: &str = "SEKISHO_TEST_INSIDE_NAMESPACE";

/// Runs the test of this name again inside a namespace, unless it is there already: then runs `test`.
fn in_namespace<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F) {
    if env::var_os(INSIDE).is_some() {
        ip("up");
        return tokio::runtime::Runtime::new().unwrap().block_on(test());
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net"]);
        command
    };
    let possible = unshare().args(["ip", "link", "set", "lo", "up"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        println!("skipped: this machine gives no network namespace, or has no `ip`");
        return;
    }
    let path = format!("transfer::line_tests::{name}");
    let this = env::current_exe().unwrap();
    let output =
        unshare().arg(this).args(["--exact", &path, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("1 passed"), "the name {path} is not that of this test: {told}");
}

fn ip(state: &str) {
    assert!(Command::new("ip").args(["link", "set", "lo", state]).status().unwrap().success());
}

/// Sends so many claims to a centre that reads nothing, takes the line down once content is on its way, and says how
/// the attempt ended and after what time.
async fn cut(claims: u32, own_line_from: u64) -> (Cause, Duration) {
    ip("up");
    let directory = tempfile::tempdir().unwrap();
    let file = file_in(directory.path(), claims);
    let centre = FakeCentre::start().await;
    centre.will(Mischief::ReadNothing);
    let mut client = client(&directory.path().join("data"), centre.address);
    client.desk_mut().retry.attempts = 1;
    client.desk_mut().own_line_from = own_line_from;
    // Long enough that only the kernel can have noticed.
    client.desk_mut().dialer.deadlines.answer_max = Duration::from_secs(30);
    let stop = CancellationToken::new();
    let sending = client.send(&file, Filing::default(), &Unwatched, &stop);
    let cutting = async {
        centre.receiving.notified().await;
        ip("down");
        Instant::now()
    };
    let (sent, down_at): (Result<Sent, _>, Instant) = tokio::join!(sending, cutting);
    let took = down_at.elapsed();
    sent.unwrap_err();
    let transfers = client.transfers().await.unwrap();
    (transfers[0].attempts[0].cause.unwrap(), took)
}

#[test]
fn a_dead_line_is_noticed_while_content_is_on_its_way() {
    in_namespace("a_dead_line_is_noticed_while_content_is_on_its_way", || async {
        for own_line_from in [u64::MAX, 0] {
            let (cause, took) = cut(400_000, own_line_from).await;
            assert_eq!(cause, Cause::LinkLost);
            assert!(took < Duration::from_secs(3), "noticed after {took:?}");
        }
    });
}

#[test]
fn a_dead_line_is_noticed_while_the_receipt_is_awaited() {
    in_namespace("a_dead_line_is_noticed_while_the_receipt_is_awaited", || async {
        for own_line_from in [u64::MAX, 0] {
            let (cause, took) = cut(2, own_line_from).await;
            assert_eq!(cause, Cause::LinkLost);
            assert!(took < Duration::from_secs(3), "noticed after {took:?}");
        }
    });
}

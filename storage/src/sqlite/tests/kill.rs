//! A process that is killed with no warning has kept every promise it made.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command as Process, Stdio},
};

use protocol::receiver::Phase;

use super::*;
use crate::conformance::{dice::Dice, samples::*};

/// Where the process below finds its ledger, and that it is meant at all.
const DIRECTORY: &str = "STORAGE_TEST_DIRECTORY";

/// Writers in that process, each with transfers of its own.
const WRITERS: u64 = 8;

#[test]
fn what_was_answered_before_a_kill_is_there_after_it() {
    let mut dice = Dice::from_seed();
    let bench = Bench::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut next = 0;
    for round in 0..4 {
        let mut child = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "sqlite::tests::kill::until_it_is_killed"])
            .env(DIRECTORY, bench.directory.path())
            .env("STORAGE_TEST_NEXT", next.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let committed = answers.filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok());
        // It is killed in the midst of whatever comes after this many answers.
        let answered: Vec<u64> = committed.take(1 + dice.below(60) as usize).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!answered.is_empty(), "round {round}");

        runtime.block_on(async {
            let ledger = bench.open().await;
            for n in &answered {
                let transfer = found(&ledger, &offer(*n).key).await;
                assert_eq!(transfer.state.phase, Phase::Committed, "round {round}, transfer {n}");
                assert_eq!(transfer.receipt, Some(receipt(&transfer.key)));
            }
            ledger.verify(&|_, _| {}).await.unwrap();
            ledger.restart(moment(5), &|_| entry(Event::Aborted)).await.unwrap();
            ledger.verify(&|_, _| {}).await.unwrap();
            ledger.close().await;
        });
        next += 100_000;
    }
}

#[ignore = "runs in a process of its own, which is killed"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let first: u64 = std::env::var("STORAGE_TEST_NEXT").unwrap().parse().unwrap();
    let path = std::path::Path::new(&directory).join("state/ledger.db");
    let ledger = Arc::new(SqliteLedger::open(&path, Environment::Test, signer(1)).await.unwrap());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move {
                for n in (first + writer..first + 100_000).step_by(WRITERS as usize) {
                    committed(&*ledger, offer(n)).await;
                    println!("committed {n}");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

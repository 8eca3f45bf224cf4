//! The deadlines of taking content in, with bodies that behave badly and a clock that need not be waited for.

use std::collections::VecDeque;

use protocol::limits::PIECE_BYTES;
use storage::buffers::Buffers;

use super::*;

/// What a body does next.
enum Act {
    Give(usize),
    Pause(Duration),
    Stay,
    End(Result<Filled, BodyFault>),
}

struct Script(VecDeque<Act>);

impl BodySource for Script {
    async fn fill(&mut self, buffer: &mut [u8]) -> Result<Filled, BodyFault> {
        loop {
            match self.0.pop_front() {
                Some(Act::Give(count)) => return Ok(Filled::Bytes(count.min(buffer.len()))),
                Some(Act::Pause(time)) => tokio::time::sleep(time).await,
                Some(Act::End(end)) => return end,
                Some(Act::Stay) | None => std::future::pending().await,
            }
        }
    }
}

fn deadlines() -> Deadlines {
    Deadlines {
        stall_max: Duration::from_secs(60),
        storage_max: Duration::from_secs(5),
        bytes_per_second_min: 0,
    }
}

fn ends() -> Ends {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    Ends { local: nowhere, remote: nowhere, source: nowhere }
}

/// Pieces for so many bytes.
fn pieces(left: u64) -> Pieces {
    Pieces::new(Buffers::default(), left)
}

/// Reads a whole body into pieces that come back at once; yields the bytes that were handed on.
async fn read(acts: Vec<Act>, stop: &Stop) -> (usize, Result<(), Cause>) {
    let (full, mut arrivals) = mpsc::channel::<Arrival>(PIECES);
    let taking = async move {
        let mut taken = 0;
        while let Some(Arrival::Piece(piece)) = arrivals.recv().await {
            taken += piece.bytes().len();
        }
        taken
    };
    let reading = async move {
        let mut body = Script(acts.into());
        read_all(&mut body, &full, &mut pieces(1000), ends(), deadlines(), stop).await
    };
    let (taken, end) = tokio::join!(taking, reading);
    (taken, end)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_well_is_handed_on_whole() {
    let acts = vec![Act::Give(700), Act::Give(700), Act::Give(1), Act::End(Ok(Filled::Complete))];
    assert_eq!(read(acts, &Stop::default()).await, (1001, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_pause_below_stall_max_is_borne_and_one_above_ends_the_attempt() {
    let pause = |seconds| {
        vec![
            Act::Give(10),
            Act::Pause(Duration::from_secs(seconds)),
            Act::Give(5),
            Act::End(Ok(Filled::Complete)),
        ]
    };
    assert_eq!(read(pause(59), &Stop::default()).await, (15, Ok(())));
    assert_eq!(read(pause(61), &Stop::default()).await, (10, Err(Cause::Stalled)));
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_cut_still_counts() {
    let acts = vec![Act::Give(300), Act::End(Err(BodyFault::Cut(Cause::PeerClosed)))];
    assert_eq!(read(acts, &Stop::default()).await, (300, Err(Cause::PeerClosed)));
}

#[tokio::test(start_paused = true)]
async fn more_bytes_than_declared_are_a_length_mismatch() {
    let acts = vec![Act::Give(300), Act::End(Err(BodyFault::TooLong))];
    assert_eq!(read(acts, &Stop::default()).await, (300, Err(Cause::LengthMismatch)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_told_to_end_does_so_while_nothing_comes() {
    let stop = Stop::default();
    stop.stop(Cause::Draining);
    assert_eq!(read(vec![Act::Stay], &stop).await, (0, Err(Cause::Draining)));
}

#[tokio::test(start_paused = true)]
async fn a_spool_that_takes_nothing_ends_the_attempt_before_the_line_looks_dead() {
    let (full, mut arrivals) = mpsc::channel::<Arrival>(PIECES);
    let piece = PIECE_BYTES as usize;
    let mut body = Script((0..100).map(|_| Act::Give(piece)).collect());
    // What comes is taken, and none of it is ever done with.
    let holding = async {
        let mut held = Vec::new();
        while let Some(arrival) = arrivals.recv().await {
            held.push(arrival);
        }
        held.len()
    };
    let reading = async {
        let (mut pieces, stop) = (pieces(100 * PIECE_BYTES), Stop::default());
        let end = read_all(&mut body, &full, &mut pieces, ends(), deadlines(), &stop).await;
        drop(full);
        end
    };
    let (held, end) = tokio::join!(holding, reading);
    assert_eq!((held, end), (PIECES, Err(Cause::StorageStalled)), "no more pieces than there are");
}

#[tokio::test(start_paused = true)]
async fn small_content_is_gathered_whole_or_not_at_all() {
    let gather = async |acts: Vec<Act>| {
        let (mut body, stop) = (Script(acts.into()), Stop::default());
        let gathered = gather_content(&mut body, pieces(1000), ends(), deadlines(), &stop).await;
        gathered.map(|(pieces, _)| pieces.iter().map(|piece| piece.bytes().len()).sum::<usize>())
    };
    let then = |end| vec![Act::Give(700), Act::Give(300), Act::End(end)];
    assert_eq!(gather(then(Ok(Filled::Complete))).await, Ok(1000));
    assert_eq!(gather(vec![Act::End(Ok(Filled::Complete))]).await, Ok(0));
    assert_eq!(gather(then(Err(BodyFault::TooLong))).await, Err(Cause::LengthMismatch));
    assert_eq!(gather(then(Err(BodyFault::Cut(Cause::LinkLost)))).await, Err(Cause::LinkLost));
    assert_eq!(gather(vec![Act::Give(999), Act::Stay]).await, Err(Cause::Stalled));
}

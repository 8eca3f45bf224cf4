//! One connection to a system behind: plain HTTP/1.1, one request at a time, kept by its core for the next one.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    io,
    mem::MaybeUninit,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::{Method, StatusCode};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use super::{
    head::{self, Answered, HEAD_BYTES_MAX, HeadFault},
    line::Gone,
    scratch::with_input,
};
use crate::stream::{CONNECT_MAX, IDLE_MAX, IDLE_TIME_MAX, Silence};

/// Heads of answers that come before the answer (1xx) and are not passed on.
const INTERIM_MAX: u32 = 8;

thread_local! {
    /// Connections that this core keeps for the next request, the one used last at the end.
    static IDLE: RefCell<HashMap<SocketAddr, VecDeque<Kept>>> = RefCell::default();
}

/// One of them.
struct Kept {
    since: Instant,
    tcp: TcpStream,
    answer_due: Silence,
}

/// It.
pub struct Backend {
    address: SocketAddr,
    tcp: TcpStream,
    /// What came beyond what was taken.
    ahead: Vec<u8>,
    interim_left: u32,
    /// How long its answer does not come.
    answer_due: Silence,
}

impl Backend {
    /// One that is kept, or a new one. One that takes nothing for `stall_max` is given up, as by the other engine. Its answer
    /// has `answer_max`, from when it is first waited for.
    pub async fn reach(address: SocketAddr, stall_max: Duration, answer_max: Duration) -> io::Result<Self> {
        let (tcp, mut answer_due) = match take_idle(address) {
            Some(kept) => (kept.tcp, kept.answer_due),
            None => (connect(address, stall_max).await?, Silence::new(answer_max)),
        };
        answer_due.begin(answer_max);
        Ok(Backend { address, tcp, ahead: Vec::new(), interim_left: INTERIM_MAX, answer_due })
    }

    /// Ready when the answer took longer than it may.
    pub fn poll_answer_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.answer_due.poll(context)
    }

    /// Writes some of these bytes.
    pub fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    /// The head of its answer to a request with this method.
    pub fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        method: &Method,
    ) -> Poll<Result<Answered, HeadFault>> {
        loop {
            if let Some((answered, length)) = head::answer(&self.ahead, method)? {
                if length > HEAD_BYTES_MAX {
                    return Poll::Ready(Err(HeadFault::TooLong));
                }
                self.ahead.drain(..length);
                let status = answered.head.status();
                if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                    return Poll::Ready(Ok(answered));
                }
                let left = self.interim_left.checked_sub(1);
                self.interim_left = left.ok_or(HeadFault::Malformed("more and more heads before it"))?;
                continue;
            }
            if self.ahead.len() >= HEAD_BYTES_MAX {
                return Poll::Ready(Err(HeadFault::TooLong));
            }
            ready!(self.poll_more(context, HEAD_BYTES_MAX)).map_err(HeadFault::Gone)?;
        }
    }

    /// What came and was not taken.
    pub fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// So many bytes of that are taken.
    pub fn take(&mut self, count: usize) {
        self.ahead.drain(..count.min(self.ahead.len()));
    }

    /// Waits until there is more ahead: some `room` bytes at most.
    pub fn poll_more(&mut self, context: &mut Context<'_>, room: usize) -> Poll<Result<(), Gone>> {
        let ahead = &mut self.ahead;
        poll_into(&mut self.tcp, context, room, |bytes| ahead.extend_from_slice(bytes)).map_ok(|_| ())
    }

    /// Shows what came, at most `want` bytes; says how many, at least one.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        want: usize,
        show: impl FnOnce(&[u8]),
    ) -> Poll<Result<usize, Gone>> {
        if self.ahead.is_empty() {
            return poll_into(&mut self.tcp, context, want, show);
        }
        let count = self.ahead.len().min(want);
        show(self.ahead.get(..count).unwrap_or_default());
        self.take(count);
        Poll::Ready(Ok(count))
    }

    /// Its answer is through: the next request may use it. One that says more than was asked is not used again.
    pub fn keep(self) {
        if !self.ahead.is_empty() {
            return;
        }
        IDLE.with_borrow_mut(|idle| {
            let of_address = idle.entry(self.address).or_default();
            if of_address.len() >= IDLE_MAX {
                of_address.pop_front();
            }
            let kept = Kept { since: Instant::now(), tcp: self.tcp, answer_due: self.answer_due };
            of_address.push_back(kept);
        });
    }
}

/// Closes what this core has kept too long.
pub fn close_idle() {
    let kept = |kept: &Kept| kept.since.elapsed() < IDLE_TIME_MAX;
    IDLE.with_borrow_mut(|idle| {
        for of_address in idle.values_mut() {
            of_address.retain(kept);
        }
        idle.retain(|_, of_address| !of_address.is_empty());
    });
}

/// Closes all that this core keeps.
pub fn close_all() {
    IDLE.with_borrow_mut(HashMap::clear);
}

fn poll_into(
    tcp: &mut TcpStream,
    context: &mut Context<'_>,
    room: usize,
    show: impl FnOnce(&[u8]),
) -> Poll<Result<usize, Gone>> {
    with_input(|input| {
        let room = room.min(input.len());
        let mut input = ReadBuf::new(input.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(tcp).poll_read(context, &mut input)).map_err(Gone::Broke)?;
        match input.filled() {
            [] => Poll::Ready(Err(Gone::Closed)),
            bytes => {
                show(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
        }
    })
}

fn take_idle(address: SocketAddr) -> Option<Kept> {
    IDLE.with_borrow_mut(|idle| {
        let of_address = idle.get_mut(&address)?;
        while let Some(kept) = of_address.pop_back() {
            if kept.since.elapsed() < IDLE_TIME_MAX && is_quiet(&kept.tcp) {
                return Some(kept);
            }
        }
        None
    })
}

/// Has it neither closed nor said anything unasked? The kernel is asked: what the runtime has heard of it may be old.
fn is_quiet(tcp: &TcpStream) -> bool {
    let peeked = SockRef::from(tcp).peek(&mut [MaybeUninit::uninit()]);
    matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

async fn connect(address: SocketAddr, stall_max: Duration) -> io::Result<TcpStream> {
    let tcp = timeout(CONNECT_MAX, TcpStream::connect(address)).await??;
    tcp.set_nodelay(true)?;
    SockRef::from(&tcp).set_tcp_user_timeout(Some(stall_max))?;
    Ok(tcp)
}

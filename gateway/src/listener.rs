//! From the listening socket to a judged peer: gate → (balancer's header) → handshake → peer → place among the live
//! connections. What follows is [`crate::connection`].

use std::{
    cell::Cell,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use config::gateway::Listen;
use pki::{
    fault::PeerFault,
    peer::{PeerIdentity, peer_chain},
    platform::apply_link_timers,
    tls::{RefusalObserver, Refused, is_tls12},
};
use protocol::link::LinkTimers;
use rustls_pki_types::CertificateDer;
use socket2::{Domain, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::task::TaskTracker;

use crate::{
    centre::Centre,
    connection::{Patience, serve_connection},
    cores::{Cores, Seat},
    counters::{Stage, network_of},
    gate::{Admission, Terms},
    in_force::{Accepted, InForce, ROLE_NOT_HERE},
    intake::Ends,
    limits::{ACCEPT_PAUSE_MAX, ACCEPT_QUEUE, CAUSES_SHOWN_MAX, SERIAL_SHOWN_MAX},
    peer::Peer,
    proxy_protocol::read_header,
    reasons,
};

tokio::task_local! {
    /// What the verifier said of the certificate in this task's handshake: TLS itself has one word for many reasons.
    static REFUSED: Cell<Option<Refused>>;
}

/// Keeps the exact reason of a refusal for the task whose handshake it ends.
pub fn refusal_observer() -> RefusalObserver {
    Arc::new(|refused: &Refused| {
        // Outside a handshake of ours there is nobody to keep it for.
        let _ = REFUSED.try_with(|cell| cell.set(Some(refused.clone())));
    })
}

/// Opens the socket that [`listen`] accepts from: at the address and, if one is named, on that interface alone.
pub fn bind(listen: &Listen) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(listen.address), Type::STREAM, None)?;
    // A gateway that starts again must not wait for the connections of the one before.
    socket.set_reuse_address(true)?;
    if let Some(interface) = &listen.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    socket.bind(&listen.address.into())?;
    socket.listen(ACCEPT_QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts at the listener with this place in the list until the centre stops. Each connection is a task in `connections` on
/// the core that it is given to, and ends by itself.
pub async fn listen(
    centre: Arc<Centre>,
    at: usize,
    socket: std::net::TcpListener,
    cores: Arc<Cores>,
    connections: TaskTracker,
) {
    // Here, because whoever waits at it is told by the runtime that it was made known to.
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a listening socket could not be taken over");
            return;
        }
    };
    let mut pause = Duration::from_millis(5);
    loop {
        // Both waits may be dropped without loss: an accepted connection is returned at once.
        let accepted = tokio::select! {
            biased;
            () = centre.stopping.cancelled() => return,
            accepted = accept(&listener) => accepted,
        };
        match accepted {
            Ok((stream, ends)) => {
                pause = Duration::from_millis(5);
                let opened = open(&centre, at, stream, ends, &cores, &connections).await;
                if let Err(error) = opened {
                    tracing::error!(%error, "a connection could not be given to a core");
                    centre.counters.count(Stage::Connection, "accept_failed");
                }
            }
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                centre.counters.count(Stage::Connection, "accept_failed");
                sleep(pause).await;
                pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, Ends)> {
    let (stream, remote) = listener.accept().await?;
    let local = stream.local_addr()?;
    Ok((stream, Ends { local, remote, source: remote }))
}

/// Decides before a task or a byte is spent on it whether a connection may come in.
async fn open(
    centre: &Arc<Centre>,
    at: usize,
    stream: TcpStream,
    ends: Ends,
    cores: &Cores,
    connections: &TaskTracker,
) -> io::Result<()> {
    let in_force = centre.in_force();
    // There is always one: which listeners there are does not change.
    let Some(listen) = in_force.listeners().get(at).map(|listener| &listener.listen) else { return Ok(()) };
    let balancers = &listen.proxy_protocol_from;
    let remote = ends.remote.ip().to_canonical();
    let centre = Arc::clone(centre);
    if balancers.iter().any(|net| net.contains(&remote)) {
        // Its header says who is to be admitted; until then it has a place of its own.
        let Ok(place) = Arc::clone(&centre.headers_awaited).try_acquire_owned() else {
            centre.counters.count_from(Stage::Connection, "balancer_headers_full", remote);
            return Ok(());
        };
        cores.give(stream, connections, move |mut stream, seat| async move {
            if let Some(source) = balanced_source(&centre, &in_force, &mut stream, remote).await
                && let Some(admission) = admit(&centre, at, source.ip()).await
            {
                drop(place);
                connection(centre, in_force, at, (stream, seat), Ends { source, ..ends }, admission).await;
            }
        })
    } else if let Some(admission) = admit(&centre, at, remote).await {
        cores.give(stream, connections, move |stream, seat| {
            connection(centre, in_force, at, (stream, seat), ends, admission)
        })
    } else {
        Ok(())
    }
}

/// Asks at the gate. While every place is taken by a judged peer, whoever comes waits its turn, and those behind it in
/// the kernel.
async fn admit(centre: &Centre, at: usize, source: IpAddr) -> Option<Admission> {
    // Anew each time: what was raised meanwhile counts for whoever waits.
    let terms = || {
        let in_force = centre.in_force();
        let allowed = in_force.listeners().get(at)?.listen.allowed_prefixes.clone();
        Some(Terms { allowed, limits: in_force.config.limits.clone() })
    };
    let admitted = tokio::select! {
        biased;
        () = centre.stopping.cancelled() => return None,
        admitted = centre.gate.admit_in_turn(source, terms) => admitted,
    };
    admitted.inspect_err(|closed| centre.counters.count_from(Stage::Connection, closed.reason(), source)).ok()
}

/// Where a connection through a balancer comes from. Nothing if the balancer only looked whether we are there.
async fn balanced_source(
    centre: &Centre,
    in_force: &InForce,
    stream: &mut TcpStream,
    balancer: IpAddr,
) -> Option<SocketAddr> {
    let reason = match timeout(in_force.config.link.header_max, read_header(stream)).await {
        Ok(Ok(source)) => return source,
        Ok(Err(error)) => {
            tracing::warn!(%balancer, error = %crate::chain::chain(&error), "a balancer's connection was closed");
            "balancer_header_malformed"
        }
        Err(_) => "balancer_header_timeout",
    };
    centre.counters.count_from(Stage::Connection, reason, balancer);
    None
}

async fn connection(
    centre: Arc<Centre>,
    in_force: Arc<InForce>,
    at: usize,
    (stream, seat): (TcpStream, Seat),
    ends: Ends,
    admission: Admission,
) {
    // In a place of its own: what a handshake needs is given back after it.
    let judged = Box::pin(judged(&centre, in_force, at, stream, ends, &admission));
    let Some((patience, peer, stream)) = judged.await else { return };
    serve_connection(centre, patience, peer, stream, seat).await;
}

/// The handshake, and the judgement of who stands at the other end. Nothing if the connection is to be closed.
async fn judged(
    centre: &Arc<Centre>,
    in_force: Arc<InForce>,
    at: usize,
    stream: TcpStream,
    ends: Ends,
    admission: &Admission,
) -> Option<(Patience, Peer, TlsStream<TcpStream>)> {
    let listener = in_force.listeners().get(at)?;
    let timers = LinkTimers::for_detect_max(in_force.config.link.detect_max);
    if let Err(error) = apply_link_timers(&stream, timers) {
        // Without its timers a dead line would be held for ever.
        tracing::error!(%error, "the link timers could not be set; connection closed");
        centre.counters.count(Stage::Connection, "link_timers_failed");
        return None;
    }
    let (config, judged) = match listener.server.connection() {
        Ok(prepared) => prepared,
        Err(error) => {
            tracing::error!(%error, "the TLS library refused the settings; connection closed");
            centre.counters.count(Stage::Connection, "handshake_failed");
            return None;
        }
    };
    let handshake = REFUSED.scope(Cell::new(None), async {
        let accepting = TlsAcceptor::from(config).accept(stream);
        let done = timeout(in_force.config.link.handshake_max, accepting).await;
        (done, REFUSED.with(Cell::take))
    });
    let (done, refused) = tokio::select! {
        biased;
        () = admission.gives_way.cancelled() => {
            centre.counters.count_from(Stage::Connection, "handshake_gave_way", ends.source.ip());
            return None;
        }
        handshake = handshake => handshake,
    };
    let stream = match done {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            note_refusal(centre, ends, &error, refused);
            return None;
        }
        Err(_) => {
            centre.counters.count_from(Stage::Connection, "handshake_timeout", ends.source.ip());
            return None;
        }
    };
    if !admission.handshake_done() {
        centre.counters.count_from(Stage::Connection, "handshake_gave_way", ends.source.ip());
        return None;
    }
    let connection = stream.get_ref().1;
    let shown = Shown {
        identity: judged.peer(connection),
        chain: peer_chain(connection),
        accepted: Accepted { listener: at, source: ends.source.ip(), is_tls12: is_tls12(connection) },
    };
    let peer = match take_in(centre, &in_force, shown, ends) {
        Ok(taken) => taken,
        Err((stage, reason)) => {
            centre.counters.count_from(stage, reason, ends.source.ip());
            if centre.refusals_logged.may(network_of(ends.source.ip()), pki::clock::now()) {
                tracing::warn!(address = %ends.source, reason, "peer turned away after its handshake");
            }
            return None;
        }
    };
    // A connection may live for hours, and certificates and lists of now must not: they stay here.
    Some((Patience::of(&in_force.config), peer, stream))
}

/// What a finished handshake showed.
struct Shown {
    identity: Result<Arc<PeerIdentity>, PeerFault>,
    chain: Vec<CertificateDer<'static>>,
    accepted: Accepted,
}

/// Gives a peer its place among the live connections. What changed since its handshake began counts for it too.
fn take_in(
    centre: &Arc<Centre>,
    in_force: &InForce,
    shown: Shown,
    ends: Ends,
) -> Result<Peer, (Stage, &'static str)> {
    let Shown { identity, chain, accepted } = shown;
    let identity = identity.map_err(|fault| (Stage::Certificate, fault.code()))?;
    if in_force.listeners().get(accepted.listener).is_none_or(|at| !at.takes(identity.identity().role())) {
        return Err((Stage::Certificate, ROLE_NOT_HERE));
    }
    let of_identity_max = in_force.config.limits.connections_per_identity_max;
    let live = centre
        .live
        .register(Arc::clone(&identity), chain, accepted, ends.source, of_identity_max)
        .ok_or((Stage::Connection, "identity_full"))?;
    if let Some(grace) = identity.grace() {
        centre.counters.count(Stage::Certificate, "let_in_by_grace");
        if centre.graces_logged.may(identity.identity().clone(), pki::clock::now()) {
            tracing::warn!(identity = %identity.identity(), ?grace, "let in although its revocation list has ended");
        }
    }
    // Only now: whoever was registered before a reload or a block is found by it, whoever came later looks here.
    if centre.blocked.keeps_out(&identity) {
        return Err((Stage::Certificate, "blocked"));
    }
    let newest = centre.in_force();
    if newest.generation != in_force.generation {
        let judged = newest.judge_again(&identity, &live.shown.chain, accepted, pki::clock::now());
        let of_line = |code| reasons::CONNECTION.iter().any(|reason| reason.code == code);
        let stage = |code| if of_line(code) { Stage::Connection } else { Stage::Certificate };
        judged.map_err(|code| (stage(code), code))?;
    }
    Ok(Peer::new(identity, ends, Arc::new(live)))
}

/// Counts a handshake that failed, and says in the log whose certificate was refused and why.
fn note_refusal(centre: &Centre, ends: Ends, error: &io::Error, refused: Option<Refused>) {
    let source = ends.source.ip();
    let (stage, reason) = match (&refused, pki::tls::own_refusal(error)) {
        (Some(refused), _) => (Stage::Certificate, refused.fault.code()),
        (None, Some(fault)) => (Stage::Certificate, fault.code()),
        (None, None) => (Stage::Connection, "handshake_failed"),
    };
    centre.counters.count_from(stage, reason, source);
    let Some(refused) = refused else {
        tracing::debug!(address = %ends.source, reason, %error, "handshake failed");
        return;
    };
    if centre.refusals_logged.may(network_of(source), pki::clock::now()) {
        let certificate = refused.certificate.as_ref();
        tracing::warn!(
            address = %ends.source,
            reason,
            issuer = certificate.map(|certificate| certificate.issuer.as_str()),
            // Of a certificate that does not count, it can be of any length.
            serial = certificate.and_then(|certificate| certificate.serial.get(..SERIAL_SHOWN_MAX.min(certificate.serial.len()))),
            subject = certificate.map(|certificate| certificate.subject.as_str()),
            causes = causes_shown(&refused.causes),
            "certificate refused"
        );
    }
}

/// The causes of a refusal on one line. They quote a certificate that does not count, so their length and what is in them
/// is bounded.
fn causes_shown(causes: &[String]) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    causes.join("; ").chars().map(plain).take(CAUSES_SHOWN_MAX).collect()
}

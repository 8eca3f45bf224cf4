//! Who may come in before anybody is known: places in total and for each source prefix, and how fast handshakes may
//! begin. Pure; the caller brings the time.
//!
//! A connection costs a stranger nothing and us a place, so places go to sources and not to whoever is fastest. When too
//! many handshakes are under way, one of the source prefix that has most of them gives way, and of those the one that has
//! taken longest: an honest one takes some round trips, and an attacker's is meant to take long.

mod handshakes;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use config::gateway::Limits;
use ipnet::IpNet;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    limits::{HANDSHAKE_BURST, HANDSHAKE_FAIR, SOURCES_MAX},
    rate::Rate,
};
use handshakes::{Handshake, Handshakes};

/// Why a connection is closed before TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Closed {
    /// Not from a network that may connect.
    NotAllowed,
    /// As many connections as there may be, all of them past their handshake: see [`Gate::admit_in_turn`].
    Full,
    /// As many connections from this prefix as there may be.
    PrefixFull,
    /// Handshakes begin too fast from this prefix.
    TooFast,
}

impl Closed {
    /// The stable name.
    pub const fn reason(self) -> &'static str {
        match self {
            Closed::NotAllowed => "not_allowed",
            Closed::Full => "connections_full",
            Closed::PrefixFull => "prefix_full",
            Closed::TooFast => "handshakes_too_fast",
        }
    }
}

/// What is known of one source prefix.
struct Source {
    open: u32,
    /// Its handshakes.
    begins: Rate,
}

#[derive(Default)]
struct State {
    open: u32,
    sources: HashMap<IpNet, Source>,
    handshakes: Handshakes,
    next: u64,
}

/// The gate.
#[derive(Clone, Default)]
pub struct Gate {
    state: Arc<Mutex<State>>,
    /// Rung when a place became free.
    freed: Arc<Notify>,
}

/// What somebody may come in by.
pub struct Terms {
    /// The networks; none means all.
    pub allowed: Vec<IpNet>,
    /// Everything that is counted.
    pub limits: Limits,
}

/// A place behind the gate; dropped when the connection is over.
pub struct Admission {
    gate: Gate,
    source: Option<IpNet>,
    number: u64,
    /// Cancelled when this handshake has to give way to a newer one.
    pub gives_way: CancellationToken,
}

impl Gate {
    /// Lets a connection from this address in, or says why not.
    pub fn admit(
        &self,
        address: IpAddr,
        allowed: &[IpNet],
        limits: &Limits,
        now: Instant,
    ) -> Result<Admission, Closed> {
        let address = address.to_canonical();
        if !allowed.is_empty() && !allowed.iter().any(|net| net.contains(&address)) {
            return Err(Closed::NotAllowed);
        }
        let exempt = limits.exempt_prefixes.iter().any(|net| net.contains(&address));
        let prefix = source_prefix(address, limits);
        let source = if exempt { None } else { Some(prefix) };
        let mut state = self.lock();
        if !state.has_place(limits, now) {
            return Err(Closed::Full);
        }
        if let Some(source) = source {
            state.ask_source(source, limits, now)?;
        }
        // Only who may come in can make another give way.
        if state.open >= limits.connections_max || state.handshakes.len() >= limits.handshakes_max as usize {
            state.evict();
        }
        state.open += 1;
        if let Some(source) = source.and_then(|source| state.sources.get_mut(&source)) {
            source.open += 1;
        }
        let (number, gives_way) = (state.next, CancellationToken::new());
        state.next += 1;
        state.handshakes.insert(number, Handshake { prefix, began: now, gives_way: gives_way.clone() });
        Ok(Admission { gate: self.clone(), source, number, gives_way })
    }

    /// As [`Gate::admit`], but while all places are taken by judged peers whoever comes waits its turn, by the terms of
    /// then. Dropping the future loses nothing.
    pub async fn admit_in_turn(
        &self,
        address: IpAddr,
        terms: impl Fn() -> Option<Terms>,
    ) -> Result<Admission, Closed> {
        loop {
            let Terms { allowed, limits } = terms().ok_or(Closed::NotAllowed)?;
            match self.admit(address, &allowed, &limits, Instant::now()) {
                Err(Closed::Full) => self.place(&limits).await,
                admitted => return admitted,
            }
        }
    }

    /// Waits while all places are taken by judged peers. Ends when one may be free, or the limits may be others; then it
    /// is asked anew.
    async fn place(&self, limits: &Limits) {
        // Asked for first: a place that becomes free in between rings it.
        let freed = self.freed.notified();
        let next = {
            let state = self.lock();
            if state.has_place(limits, Instant::now()) {
                return;
            }
            state.handshakes.next_to_give_way().map(|next| next.began)
        };
        // Either may be dropped: both are asked for anew.
        match next {
            Some(began) => {
                let _ = timeout(HANDSHAKE_FAIR.saturating_sub(began.elapsed()), freed).await;
            }
            None => freed.await,
        }
    }

    /// Wakes whoever waits for a place, since the limits are others now.
    pub fn limits_changed(&self) {
        self.freed.notify_waiters();
        // For whoever read the old ones and does not wait yet.
        self.freed.notify_one();
    }

    /// Handshakes under way.
    pub fn handshakes(&self) -> usize {
        self.lock().handshakes.len()
    }

    /// Connections open, those in their handshake included.
    pub fn open(&self) -> u32 {
        self.lock().open
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the counts half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Is there a place, and a handshake to begin, for this source? Takes the handshake if so.
    fn ask_source(&mut self, prefix: IpNet, limits: &Limits, now: Instant) -> Result<(), Closed> {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&prefix) {
            // Whoever has no connection and all its handshakes left is as good as new.
            self.sources.retain(|_, source| source.open > 0 || !source.begins.is_rested(now));
            if self.sources.len() >= SOURCES_MAX {
                return Err(Closed::TooFast);
            }
        }
        let source = self.sources.entry(prefix).or_insert(Source { open: 0, begins: Rate::new(now) });
        if source.open >= limits.connections_per_prefix_max {
            return Err(Closed::PrefixFull);
        }
        let per_second = limits.handshakes_per_prefix_per_second_max;
        let taken = source.begins.take(per_second, HANDSHAKE_BURST, Duration::ZERO, now);
        taken.map_err(|_| Closed::TooFast)?;
        Ok(())
    }

    /// Is there a place, or a handshake that had its time and can give way?
    fn has_place(&self, limits: &Limits, now: Instant) -> bool {
        let had_its_time = |next: &Handshake| now.duration_since(next.began) >= HANDSHAKE_FAIR;
        self.open < limits.connections_max || self.handshakes.next_to_give_way().is_some_and(had_its_time)
    }

    /// Ends the handshake whose turn it is. Its place is free at once, its connection a moment later.
    fn evict(&mut self) {
        if let Some(evicted) = self.handshakes.take_next() {
            evicted.gives_way.cancel();
            self.open = self.open.saturating_sub(1);
        }
    }
}

impl Admission {
    /// The handshake is over: from now on it gives way to nobody. `false` if it had to already.
    pub fn handshake_done(&self) -> bool {
        self.gate.lock().handshakes.remove(self.number).is_some()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.handshakes.remove(self.number);
        // An evicted one gave its place back then.
        if !self.gives_way.is_cancelled() {
            state.open = state.open.saturating_sub(1);
        }
        if let Some(source) = self.source.and_then(|source| state.sources.get_mut(&source)) {
            source.open = source.open.saturating_sub(1);
        }
        drop(state);
        // All who wait ask again: the first of them may not be let in for another reason.
        self.gate.freed.notify_waiters();
    }
}

/// The prefix that an address belongs to.
fn source_prefix(address: IpAddr, limits: &Limits) -> IpNet {
    let bits = match address {
        IpAddr::V4(_) => limits.prefix_bits_v4,
        IpAddr::V6(_) => limits.prefix_bits_v6,
    };
    // The configuration keeps the bits within an address.
    let net = u8::try_from(bits).ok().and_then(|bits| IpNet::new(address, bits).ok());
    net.map_or_else(|| IpNet::from(address), |net| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let text = include_str!("../../../config/examples/centre-lab.toml");
        let config = config::GatewayConfig::parse(text, std::path::Path::new("gateway.toml")).unwrap();
        Limits {
            connections_max: 10,
            connections_per_prefix_max: 4,
            handshakes_max: 6,
            handshakes_per_prefix_per_second_max: 100,
            ..config.limits
        }
    }

    fn from(last: u8, network: u8) -> IpAddr {
        IpAddr::from([198, 51, network, last])
    }

    #[test]
    fn one_prefix_cannot_hold_the_places_of_the_others() {
        let (gate, limits, now) = (Gate::default(), limits(), Instant::now());
        let held: Vec<_> =
            (0..4).map(|last| gate.admit(from(last, 1), &[], &limits, now).ok().unwrap()).collect();
        assert_eq!(gate.admit(from(9, 1), &[], &limits, now).err(), Some(Closed::PrefixFull));
        assert!(gate.admit(from(9, 2), &[], &limits, now).is_ok());
        drop(held);
        assert!(gate.admit(from(9, 1), &[], &limits, now).is_ok());
    }

    #[test]
    fn an_exempt_prefix_is_bound_by_the_total_alone() {
        let (gate, now) = (Gate::default(), Instant::now());
        let limits = Limits { exempt_prefixes: vec!["198.51.1.0/24".parse().unwrap()], ..limits() };
        let held: Vec<_> = (0..10)
            .map(|last| {
                let admission = gate.admit(from(last, 1), &[], &limits, now).ok().unwrap();
                assert!(admission.handshake_done());
                admission
            })
            .collect();
        assert_eq!(gate.admit(from(11, 1), &[], &limits, now).err(), Some(Closed::Full));
        drop(held);
        assert_eq!(gate.open(), 0);
    }

    #[test]
    fn the_slowest_handshake_gives_way_and_an_authenticated_connection_never_does() {
        let (gate, limits, now) = (Gate::default(), limits(), Instant::now());
        let honest = gate.admit(from(1, 9), &[], &limits, now).ok().unwrap();
        assert!(honest.handshake_done());
        let slow: Vec<_> =
            (0..6).map(|network| gate.admit(from(1, network), &[], &limits, now).ok().unwrap()).collect();
        let newer = gate.admit(from(2, 9), &[], &limits, now).ok().unwrap();
        assert!(slow[0].gives_way.is_cancelled() && !slow[0].handshake_done());
        assert!(slow[1..].iter().all(|other| !other.gives_way.is_cancelled()));
        assert!(newer.handshake_done());
        assert!(!honest.gives_way.is_cancelled());
        drop((honest, slow, newer));
        assert_eq!((gate.open(), gate.handshakes()), (0, 0));
    }

    #[test]
    fn a_flood_from_one_prefix_cannot_push_out_the_slow_handshake_of_another() {
        let (gate, now) = (Gate::default(), Instant::now());
        let limits = Limits { connections_per_prefix_max: 100, connections_max: 100, ..limits() };
        let honest = gate.admit(from(1, 1), &[], &limits, now).ok().unwrap();
        let flood: Vec<_> =
            (0..50).map(|last| gate.admit(from(last, 2), &[], &limits, now).ok().unwrap()).collect();
        assert_eq!(gate.handshakes(), 6);
        assert!(!honest.gives_way.is_cancelled());
        let left = flood.iter().position(|flood| !flood.gives_way.is_cancelled());
        assert_eq!(left, Some(45), "of the flood, the oldest gave way");
        // Another honest one finds a place in the same way.
        let other = gate.admit(from(1, 3), &[], &limits, now).ok().unwrap();
        assert!(honest.handshake_done() && other.handshake_done());
    }

    #[test]
    fn where_all_places_are_taken_only_a_handshake_that_had_its_time_gives_way() {
        let (gate, now) = (Gate::default(), Instant::now());
        let limits = Limits { connections_max: 2, ..limits() };
        let held = gate.admit(from(1, 1), &[], &limits, now).ok().unwrap();
        assert!(held.handshake_done());
        let slow = gate.admit(from(1, 2), &[], &limits, now).ok().unwrap();
        assert_eq!(gate.admit(from(1, 3), &[], &limits, now).err(), Some(Closed::Full));
        let later = now + HANDSHAKE_FAIR;
        let newer = gate.admit(from(1, 3), &[], &limits, later).ok().unwrap();
        assert!(slow.gives_way.is_cancelled() && !newer.gives_way.is_cancelled());
        assert_eq!(gate.open(), 2);
    }

    #[test]
    fn handshakes_of_one_prefix_begin_no_faster_than_they_may() {
        let (gate, now) = (Gate::default(), Instant::now());
        let limits = Limits { handshakes_per_prefix_per_second_max: 2, ..limits() };
        let burst = 2 * HANDSHAKE_BURST.as_secs();
        for _ in 0..burst {
            assert!(gate.admit(from(1, 1), &[], &limits, now).is_ok());
        }
        assert_eq!(gate.admit(from(1, 1), &[], &limits, now).err(), Some(Closed::TooFast));
        assert!(gate.admit(from(1, 2), &[], &limits, now).is_ok(), "another prefix has its own");
        let later = now + Duration::from_millis(500);
        assert!(gate.admit(from(1, 1), &[], &limits, later).is_ok());
        assert_eq!(gate.admit(from(1, 1), &[], &limits, later).err(), Some(Closed::TooFast));
    }

    #[test]
    fn only_allowed_networks_come_in_even_as_mapped_addresses() {
        let (gate, limits, now) = (Gate::default(), limits(), Instant::now());
        let allowed = ["198.51.1.0/24".parse().unwrap()];
        assert!(gate.admit(from(1, 1), &allowed, &limits, now).is_ok());
        assert!(gate.admit("::ffff:198.51.1.7".parse().unwrap(), &allowed, &limits, now).is_ok());
        assert_eq!(gate.admit(from(1, 2), &allowed, &limits, now).err(), Some(Closed::NotAllowed));
    }
}

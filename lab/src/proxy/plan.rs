//! What is to go wrong on one connection.

use std::{fmt, num::NonZeroU64, str::FromStr, time::Duration};

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From whoever connected to the target.
    Up,
    /// From the target back.
    Down,
}

/// One thing that goes wrong. Bytes are counted in its own direction, from the beginning of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// After this many bytes both ends are sent a FIN, and hear nothing more.
    Fin {
        /// Bytes that still pass.
        after: u64,
    },
    /// After this many bytes both ends are sent an RST.
    Reset {
        /// Bytes that still pass.
        after: u64,
    },
    /// After this many bytes nothing moves any more, in either direction; both kernels are still answered. Lasts until
    /// [`release`](super::FaultProxy::release).
    Silence {
        /// Bytes that still pass.
        after: u64,
    },
    /// As silence, but in this direction alone.
    Stall {
        /// Bytes that still pass.
        after: u64,
    },
    /// The lowest bit of this byte is turned over.
    Flip {
        /// Counted from 0.
        at: u64,
    },
    /// No more than this many bytes pass in a second.
    Throttle {
        /// The rate.
        bytes_per_second: NonZeroU64,
    },
    /// Every byte arrives this much later.
    Delay {
        /// How much.
        by: Duration,
    },
}

/// What goes wrong on one connection; nothing, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    up: Vec<Fault>,
    down: Vec<Fault>,
}

impl Plan {
    /// Nothing goes wrong.
    pub fn clean() -> Self {
        Plan::default()
    }

    /// Adds a fault on the way up.
    #[must_use]
    pub fn up(self, fault: Fault) -> Self {
        self.with(Way::Up, fault)
    }

    /// Adds a fault on the way down.
    #[must_use]
    pub fn down(self, fault: Fault) -> Self {
        self.with(Way::Down, fault)
    }

    /// Adds a fault.
    #[must_use]
    pub fn with(mut self, way: Way, fault: Fault) -> Self {
        match way {
            Way::Up => self.up.push(fault),
            Way::Down => self.down.push(fault),
        }
        self
    }

    pub(super) fn faults(&self, way: Way) -> &[Fault] {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }
}

/// Why a text names no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no fault; write WAY:FAULT with WAY up or down and FAULT one of fin@N, reset@N, silence@N, stall@N, \
     flip@N (N in bytes), rate=N (bytes per second), delay=N (milliseconds)"
)]
pub struct NotAFault(String);

/// A fault in one direction, as a command line names it: `up:reset@1000000`, `down:delay=200`.
impl FromStr for Plan {
    type Err = NotAFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || NotAFault(text.to_owned());
        let (way, fault) = text.split_once(':').ok_or_else(bad)?;
        let way = match way {
            "up" => Way::Up,
            "down" => Way::Down,
            _ => return Err(bad()),
        };
        let (name, number) = fault.split_once(['@', '=']).ok_or_else(bad)?;
        let number: u64 = number.parse().map_err(|_| bad())?;
        let fault = match (name, fault.contains('@')) {
            ("fin", true) => Fault::Fin { after: number },
            ("reset", true) => Fault::Reset { after: number },
            ("silence", true) => Fault::Silence { after: number },
            ("stall", true) => Fault::Stall { after: number },
            ("flip", true) => Fault::Flip { at: number },
            ("rate", false) => Fault::Throttle { bytes_per_second: NonZeroU64::new(number).ok_or_else(bad)? },
            ("delay", false) => Fault::Delay { by: Duration::from_millis(number) },
            _ => return Err(bad()),
        };
        Ok(Plan::clean().with(way, fault))
    }
}

impl Plan {
    /// Both plans at once.
    #[must_use]
    pub fn and(mut self, other: Plan) -> Self {
        self.up.extend(other.up);
        self.down.extend(other.down);
        self
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Up => "up",
            Way::Down => "down",
        })
    }
}

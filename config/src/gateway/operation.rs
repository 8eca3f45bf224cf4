//! `[metrics]` and `[reload]`: what the people who run a gateway look at and change.

use std::net::SocketAddr;

use super::listen::refuse_taken;
use crate::reader::{Choice, Fault, Key, Section};

/// `[metrics]`: numbers for a monitoring system, in Prometheus' text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Where they are served over plain HTTP; none: on the admin socket alone.
    pub address: Option<SocketAddr>,
}

impl Metrics {
    /// Reads it; `taken` are the addresses of the listeners.
    pub(super) fn read(root: &Section<'_>, taken: &[SocketAddr]) -> Option<Self> {
        let section =
            root.section("metrics", "Numbers for a monitoring system, and whether the gateway is well.");
        let address = section.optional::<SocketAddr>(&Key::new(
            "address",
            "Loopback address and port for /metrics, /live and /ready over plain HTTP. Without it they are served on \
             the admin socket alone.",
            "\"127.0.0.1:9464\"",
        ))?;
        if let Some(address) = address
            && !address.ip().is_loopback()
        {
            section.refuse(
                "address",
                Fault::new(
                    format!("{} can be reached from other machines, and this is plain HTTP", address.ip()),
                    "write a loopback address such as \"127.0.0.1:9464\"",
                ),
            );
            return None;
        }
        if let Some(address) = address {
            refuse_taken(&section, "address", address, taken);
        }
        Some(Metrics { address })
    }
}

/// `[reload]`: when changed files are taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// Whether a change of a file is noticed by itself.
    pub watch: bool,
}

impl Reload {
    pub(super) fn read(root: &Section<'_>) -> Option<Self> {
        let section =
            root.section("reload", "When changed certificates, keys, lists and settings are taken up.");
        let watch = section.choice(&Choice {
            name: "watch",
            meaning: "Whether the gateway looks once a second whether this file or one that it names has changed, and \
                      reloads by itself. SIGHUP and `sekisho-gateway reload` work either way.",
            default: true,
            reason: "a renewed certificate or list counts without anybody having to remember it",
        })?;
        Some(Reload { watch })
    }
}

//! `[crl]` of the gateway: how revocation lists are fetched, and where they are served to edges that cannot reach their
//! authority.

use std::net::SocketAddr;

use protocol::party::Environment;

use super::listen::refuse_taken;
use crate::{
    fetching::{self, Fetching},
    reader::{Fault, Key, Section},
};

/// `[crl]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    /// How they are fetched.
    pub fetching: Fetching,
    /// Where those in force are served over plain HTTP; none: nowhere.
    pub serve: Option<SocketAddr>,
}

impl Lists {
    /// Reads it; `taken` are the addresses of the listeners.
    pub(super) fn read(
        root: &Section<'_>,
        environment: Option<Environment>,
        taken: &[SocketAddr],
    ) -> Option<Self> {
        let section = root.section("crl", fetching::MEANING);
        let fetching = Fetching::read(&section, environment);
        let serve = section.optional::<SocketAddr>(&Key::new(
            "serve",
            "Address and port where the lists in force are served over plain HTTP, below /crl/, to senders in a closed \
             network; `sekisho-gateway status` shows their paths. Without it they are not. In test, port 0 lets the \
             system choose.",
            "\"192.0.2.10:80\"",
        ))?;
        if let (Some(Environment::Production), Some(address)) = (environment, serve)
            && (address.ip().is_unspecified() || address.port() == 0)
        {
            section.refuse(
                "serve",
                Fault::new(
                    format!("{address} is no address that senders could be told, or one on every line of this machine"),
                    "write the address of the approved line, and a port",
                ),
            );
            return None;
        }
        if let Some(address) = serve {
            refuse_taken(&section, "serve", address, taken);
        }
        Some(Lists { fetching: fetching?, serve })
    }
}

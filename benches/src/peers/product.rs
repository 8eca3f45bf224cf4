//! The products, and how each is started.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use durable::Access;
use lab::site::CentreSite;
use tokio_rustls::rustls::ClientConfig;

use super::{envoy, haproxy, kit::Kit, nginx, relay, sekisho, stunnel};
use crate::{
    load::{line::Line, tls::bulk},
    server::{Server, free_address},
};

/// The core that a pinned product has for itself.
pub const SERVER_CORE: usize = 1;

/// The core that load and backend have.
pub const LOAD_CORE: usize = 0;

/// Whom we measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Ours, by the engine that takes only what moves much.
    SekishoBulk,
    /// Ours, by the engine that takes everything.
    Sekisho,
    /// nginx as it comes.
    Nginx,
    /// nginx that reads bodies in pieces of 256 KiB.
    NginxTuned,
    /// HAProxy.
    HaProxy,
    /// Envoy.
    Envoy,
    /// stunnel.
    Stunnel,
    /// No product: a relay that knows neither TLS nor HTTP, and so the least that handing bytes on costs.
    Relay,
}

impl Product {
    /// A connection of its load, made with `config` or with what it takes in that place.
    pub async fn connect(self, config: &Arc<ClientConfig>, address: SocketAddr) -> anyhow::Result<Line> {
        match self {
            Product::SekishoBulk => Line::connect(&bulk(config), address).await,
            Product::Relay => Line::connect_plainly(address).await,
            _ => Line::connect(config, address).await,
        }
    }

    /// As rows name it.
    pub const fn name(self) -> &'static str {
        match self {
            Product::SekishoBulk => "Sekisho, sekisho/1",
            Product::Sekisho => "Sekisho, http/1.1",
            Product::Nginx => "nginx",
            Product::NginxTuned => "nginx, 256 KiB body buffer",
            Product::HaProxy => "HAProxy",
            Product::Envoy => "Envoy",
            Product::Stunnel => "stunnel",
            Product::Relay => "no product: a bare relay",
        }
    }
}

/// What a product is started for.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// Whether it has [`SERVER_CORE`] alone, with one worker, or every core.
    pub pinned: bool,
    /// Where it sends what it does not answer itself; nobody need listen.
    pub backend: SocketAddr,
    /// Whether Sekisho has a streamed route to it; the others have one always.
    pub streams: bool,
}

/// What a product is set up with.
pub struct Setup<'a> {
    /// The run's shared part.
    pub kit: &'a Kit,
    /// A directory of its own.
    pub place: PathBuf,
    /// Where it has to listen.
    pub address: SocketAddr,
    /// What for.
    pub purpose: Purpose,
}

/// A product that listens.
pub struct Running {
    /// Which.
    pub product: Product,
    /// Its processes.
    pub server: Server,
    /// Its directory.
    pub place: PathBuf,
    /// Sekisho's site.
    pub site: Option<CentreSite>,
}

impl Running {
    /// Starts a product in a directory of this name.
    pub async fn start(product: Product, kit: &Kit, name: &str, purpose: Purpose) -> anyhow::Result<Self> {
        let place = kit.place(name)?;
        let setup = Setup { kit, place: place.clone(), address: free_address().await?, purpose };
        let (command, site) = match product {
            Product::SekishoBulk | Product::Sekisho => {
                let site = sekisho::site(&setup, name)?;
                (sekisho::command(&setup, &site)?, Some(site))
            }
            Product::Nginx => (nginx::command(&setup, nginx::STOCK_BODY_BUFFER)?, None),
            Product::NginxTuned => (nginx::command(&setup, nginx::TUNED_BODY_BUFFER)?, None),
            Product::HaProxy => (haproxy::command(&setup)?, None),
            Product::Envoy => (envoy::command(&setup)?, None),
            Product::Stunnel => (stunnel::command(&setup)?, None),
            Product::Relay => (relay::command(&setup)?, None),
        };
        let server = Server::start(command, &place.join("words.log"), setup.address).await;
        let server = server.with_context(|| format!("{} does not start", product.name()))?;
        Ok(Running { product, server, place, site })
    }
}

/// Starts all of these for one suite.
pub async fn start_all(
    products: &[Product],
    kit: &Kit,
    suite: &str,
    purpose: Purpose,
) -> anyhow::Result<Vec<Running>> {
    let mut running = Vec::with_capacity(products.len());
    for (number, product) in products.iter().enumerate() {
        running.push(Running::start(*product, kit, &format!("{suite}-{number}"), purpose).await?);
    }
    Ok(running)
}

/// Stops them all.
pub async fn stop_all(running: Vec<Running>) -> anyhow::Result<()> {
    for running in running {
        running.server.stop().await?;
    }
    Ok(())
}

impl Setup<'_> {
    /// Writes a configuration with its values put in; where it lies.
    pub fn write(&self, name: &str, template: &str, values: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
        let place = self.place.to_str().context("a directory with a plain name")?;
        let tls = self.kit.tls().to_str().context("a directory with a plain name")?;
        let (address, backend) = (self.address.to_string(), self.purpose.backend.to_string());
        let usual = [("PLACE", place), ("TLS", tls), ("ADDRESS", &address), ("BACKEND", &backend)];
        let put = |text: String, (name, value): &(&str, &str)| text.replace(&format!("@{name}@"), value);
        let text = usual.iter().chain(values).fold(template.to_owned(), put);
        let file = self.place.join(name);
        durable::create(&file, text.as_bytes(), Access::Private)?;
        Ok(file)
    }
}

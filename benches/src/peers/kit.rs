//! What all products of a run share: one certificate authority, the centre's certificate, the senders', and how
//! thoroughly is measured.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use durable::Access;
use lab::{
    generate::synthetic_institution,
    site::{CentreSite, SenderSite, Sites},
};
use protocol::party::Party;
use tokio_rustls::rustls::ClientConfig;

use crate::load::tls::{Group, Suite, config};

/// Senders that there are certificates for: as many as the largest suite has at a time.
pub const SENDERS: usize = 64;

/// How thoroughly is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Rounds of each comparison.
    pub rounds: usize,
    /// Cipher suites.
    pub suites: &'static [Suite],
    /// Past transfers in the ledger that has grown.
    pub past_transfers: u32,
}

impl Scale {
    /// What a figure is published from.
    pub const FULL: Scale =
        Scale { rounds: 5, suites: &[Suite::Aes256, Suite::Aes128], past_transfers: 1_000_000 };

    /// What fits into a quarter of an hour.
    pub const QUICK: Scale = Scale { rounds: 2, suites: &[Suite::Aes256], past_transfers: 100_000 };
}

/// The shared part of a run.
pub struct Kit {
    directory: PathBuf,
    /// The authority.
    pub sites: Sites,
    /// The centre's party.
    pub receiver: Party,
    /// Who sends.
    pub senders: Vec<SenderSite>,
    /// Who else connects, made when it was first asked for.
    crowd: Mutex<Vec<SenderSite>>,
    /// How thoroughly is measured.
    pub scale: Scale,
    /// Envoy's program, if it was found.
    pub envoy: Option<PathBuf>,
    tls: PathBuf,
}

impl Kit {
    /// Makes it below this directory.
    pub fn new(directory: &Path, scale: Scale, envoy: Option<PathBuf>) -> anyhow::Result<Self> {
        let sites = Sites::create(&directory.join("lab"))?;
        let centre = sites.centre("shared", &[])?;
        let senders = (0..SENDERS).map(|place| sender(&sites, place)).collect::<Result<_, _>>()?;
        let (receiver, tls) = ("review-agency:113".parse()?, centre.directory.join("tls"));
        let crowd = Mutex::default();
        Ok(Kit { directory: directory.to_owned(), sites, receiver, senders, crowd, scale, envoy, tls })
    }

    /// The centre's certificate, key and root, which every product of others shows.
    pub fn tls(&self) -> &Path {
        &self.tls
    }

    /// A new directory of this name.
    pub fn place(&self, name: &str) -> anyhow::Result<PathBuf> {
        let place = self.directory.join(name);
        durable::create_directory(&place, Access::Private)?;
        Ok(place)
    }

    /// A centre of its own, under this name.
    pub fn centre(&self, name: &str, changes: &[(&str, &str)]) -> anyhow::Result<CentreSite> {
        Ok(self.sites.centre(name, changes)?)
    }

    /// What connections are made with of so many senders, each another.
    pub fn clients(
        &self,
        count: usize,
        suite: Suite,
        group: Group,
    ) -> anyhow::Result<Vec<Arc<ClientConfig>>> {
        let root = self.tls.join("root.pem");
        let mut crowd = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        for place in self.senders.len() + crowd.len()..count {
            crowd.push(sender(&self.sites, place)?);
        }
        let all = self.senders.iter().chain(&*crowd).take(count);
        all.map(|sender| config(Some(sender), &root, suite, group)).collect()
    }

    /// What the connections of this sender are made with.
    pub fn client(&self, sender: usize, suite: Suite, group: Group) -> anyhow::Result<Arc<ClientConfig>> {
        let sender = self.senders.get(sender).context("so many senders there are not")?;
        config(Some(sender), &self.tls.join("root.pem"), suite, group)
    }
}

/// The institution at this place among the senders.
fn sender(sites: &Sites, place: usize) -> anyhow::Result<SenderSite> {
    let (number, anywhere) = (u32::try_from(place)? + 1, "127.0.0.1:1".parse()?);
    let party = format!("institution:{}", synthetic_institution(13, b'1', number)).parse()?;
    Ok(sites.sender(&format!("sender-{number}"), &party, anywhere, &[])?)
}

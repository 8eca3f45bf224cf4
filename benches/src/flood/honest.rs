//! The honest sender: one claims file after the other, each over a connection of its own, as `sekisho send` does it.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use lab::{
    generate::synthetic_institution,
    site::{SenderSite, Sites},
};
use protocol::party::Party;
use tokio_rustls::rustls::ClientConfig;

use crate::load::{
    content::Base,
    job::{Job, Papers},
    line::Line,
    tls::{Group, Suite, config},
};

/// Bytes of each file: a month of a middling hospital.
pub const FILE_BYTES: u64 = 32 << 20;

/// Files that are ready before the clock runs. A sender may not offer more than 500 in a day; this is more than the
/// window takes.
const FILES: u32 = 120;

/// A sender that has files to send.
pub struct Honest {
    config: Arc<ClientConfig>,
    jobs: Vec<Job>,
}

/// What it achieved.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Files whose receipt came.
    pub files: u32,
    /// Mebibytes a second.
    pub mib_per_s: f64,
}

/// An institution of this number, for a sender's certificate or in a file.
pub fn institution(sites: &Sites, number: u32, centre: SocketAddr) -> anyhow::Result<SenderSite> {
    let party = format!("institution:{}", synthetic_institution(13, b'1', number)).parse()?;
    Ok(sites.sender(&format!("institution-{number}"), &party, centre, &[])?)
}

impl Honest {
    /// The institution of this number, with its files.
    pub fn new(
        sites: &Sites,
        number: u32,
        centre: SocketAddr,
        receiver: Party,
        root: &Path,
    ) -> anyhow::Result<Self> {
        let site = institution(sites, number, centre)?;
        let config = config(Some(&site), root, Suite::Aes256, Group::X25519)?;
        let papers = Papers::of(&site, receiver)?;
        let base = Base::new(papers.party().code().clone(), FILE_BYTES)?;
        let jobs = (0..FILES).map(|number| papers.job(base.number(number))).collect::<Result<_, _>>()?;
        Ok(Honest { config, jobs })
    }

    /// Sends until the window is over, and the file then under way to its end.
    pub async fn send(self, centre: SocketAddr, window: Duration) -> anyhow::Result<Sent> {
        let began = Instant::now();
        let (mut files, mut bytes) = (0, 0);
        for job in &self.jobs {
            if began.elapsed() >= window {
                break;
            }
            let mut line = Line::connect(&self.config, centre).await?;
            job.run(&mut line).await?;
            line.close().await?;
            files += 1;
            bytes += job.content.length();
        }
        let mib = bytes as f64 / f64::from(1 << 20);
        Ok(Sent { files, mib_per_s: mib / began.elapsed().as_secs_f64() })
    }
}

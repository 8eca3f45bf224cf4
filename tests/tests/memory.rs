//! A large file needs no more memory than a small one, by either engine.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::{fs::File, path::PathBuf};

use lab::generate::write_claims_file;
use protocol::{
    digest::{Hasher, Sha256},
    kind::Kind,
    party::Party,
    transfer_id::TransferKey,
};
use tests::{
    centre::Centre,
    files::order,
    lab::{TestLab, institution},
    papers::Papers,
    tools::full,
    wire::{Caller, Engine, send_head},
};
use tokio::io::AsyncReadExt as _;

const MIB: u64 = 1024 * 1024;

/// How much more memory the large transfer may need at its peak.
const GROWTH_MAX_KIB: u64 = 16 * 1024;

#[tokio::test]
async fn the_centres_memory_stays_flat_between_a_small_and_a_large_transfer() {
    let large = if full() { 2048 * MIB } else { 256 * MIB };
    let lab = TestLab::new();
    let party = institution(Kind::Dpc, 1);
    let files = [MIB, large].map(|bytes| Claims::of(&lab, &party, bytes));
    Engine::each(async |engine| {
        let centre = Centre::start(lab.sites.centre(&format!("{engine:?}"), &[]).unwrap()).await;
        let site = lab.sender(&format!("hospital-of-{engine:?}"), &party, centre.address, &[]);
        let mut peaks = Vec::new();
        for file in &files {
            let key = file.send(&Caller::new(&site, centre.address), &Papers::of(&site), engine).await;
            centre.logs(&["delivered", &key.to_string()]).await;
            let (_, peak) = centre.memory_kib();
            println!("{engine:?}: after {} MiB: at most {} MiB resident", file.length / MIB, peak / 1024);
            peaks.push(peak);
        }
        let growth = peaks[1] - peaks[0];
        assert!(growth <= GROWTH_MAX_KIB, "{engine:?}: {growth} KiB more for {} MiB", large / MIB);
    })
    .await;
}

/// A claims file on the disk.
struct Claims {
    path: PathBuf,
    length: u64,
    sha256: Sha256,
}

impl Claims {
    fn of(lab: &TestLab, party: &Party, bytes: u64) -> Self {
        let path = lab.file(&format!("claims-{bytes}"), b"");
        let mut out =
            Counted { file: File::options().write(true).open(&path).unwrap(), hasher: Hasher::new() };
        let length = write_claims_file(&order(Kind::Dpc, party, bytes, bytes), &mut out).unwrap().bytes;
        Claims { path, length, sha256: out.hasher.finish() }
    }

    /// Offers and sends it.
    async fn send(&self, caller: &Caller, papers: &Papers, engine: Engine) -> TransferKey {
        let mut manifest = papers.manifest(Kind::Dpc, b"");
        (manifest.length, manifest.sha256) = (self.length, self.sha256);
        assert_eq!(caller.offer(&papers.sign(&manifest)).await.status, 201);
        let mut line = caller.with(engine).line().await;
        line.write(&send_head(&manifest.key(), 0, self.length)).await;
        let mut file = tokio::fs::File::open(&self.path).await.unwrap();
        let mut piece = vec![0; MIB as usize];
        loop {
            let count = file.read(&mut piece).await.unwrap();
            if count == 0 {
                break;
            }
            line.write(&piece[..count]).await;
        }
        assert_eq!(line.answer().await.unwrap().status, 200, "{engine:?}");
        manifest.key()
    }
}

struct Counted {
    file: File,
    hasher: Hasher,
}

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

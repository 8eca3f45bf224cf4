//! A large file needs no more memory than a small one.

use lab::generate::write_claims_file;
use protocol::{digest::Hasher, kind::Kind};
use tests::{
    files::order,
    lab::{TestLab, institution},
    papers::Papers,
    tools::full,
    wire::{Caller, send_head},
};
use tokio::io::AsyncReadExt as _;

const MIB: u64 = 1024 * 1024;

/// How much more memory the large transfer may need at its peak.
const GROWTH_MAX_KIB: u64 = 16 * 1024;

#[tokio::test]
async fn the_centres_memory_stays_flat_between_a_small_and_a_large_transfer() {
    let large = if full() { 2048 * MIB } else { 256 * MIB };
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    let party = institution(Kind::Dpc, 1);
    let site = lab.sender("hospital", &party, centre.address, &[]);
    let (caller, papers) = (Caller::new(&site, centre.address), Papers::of(&site));
    let mut peaks = Vec::new();
    for bytes in [MIB, large] {
        let path = lab.file("claims", b"");
        let mut out = Counted {
            file: std::fs::File::options().write(true).open(&path).unwrap(),
            hasher: Hasher::new(),
        };
        let length = write_claims_file(&order(Kind::Dpc, &party, bytes, bytes), &mut out).unwrap().bytes;
        let mut manifest = papers.manifest(Kind::Dpc, b"");
        (manifest.length, manifest.sha256) = (length, out.hasher.finish());
        assert_eq!(caller.offer(&papers.sign(&manifest)).await.status, 201);
        let mut line = caller.line().await;
        line.write(&send_head(&manifest.key(), 0, length)).await;
        let mut file = tokio::fs::File::open(&path).await.unwrap();
        let mut piece = vec![0; MIB as usize];
        loop {
            let count = file.read(&mut piece).await.unwrap();
            if count == 0 {
                break;
            }
            line.write(&piece[..count]).await;
        }
        assert_eq!(line.answer().await.unwrap().status, 200);
        centre.logs(&["delivered", &manifest.key().to_string()]).await;
        let (_, peak) = centre.memory_kib();
        println!("after {} MiB: at most {} MiB resident", length / MIB, peak / 1024);
        peaks.push(peak);
    }
    let growth = peaks[1] - peaks[0];
    assert!(growth <= GROWTH_MAX_KIB, "{growth} KiB more for {} MiB", large / MIB);
}

struct Counted {
    file: std::fs::File,
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

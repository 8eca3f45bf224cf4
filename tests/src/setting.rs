//! What most tests begin with: a centre, one sender that can do everything wrong, and a file to send.

use lab::site::{Changes, SenderSite};
use protocol::{kind::Kind, statement::Manifest, transfer_id::TransferKey};

use crate::{
    centre::{Centre, spooled},
    files::claims_file,
    lab::{TestLab, institution},
    papers::Papers,
    wire::{Caller, Engine, Line, offer, send_head},
};

/// A centre and a clinic. The centre ends before its directory goes.
pub struct Setting {
    /// It listens.
    pub centre: Centre,
    /// Calls it with the clinic's certificate.
    pub caller: Caller,
    /// Signs for the clinic.
    pub papers: Papers,
    /// The clinic's directory.
    pub site: SenderSite,
    /// A 医科 claims file of the clinic.
    pub content: Vec<u8>,
    /// Where all of it is.
    pub lab: TestLab,
}

/// The most that a file in the spool has without any content of a transfer: its own head.
const EMPTY_BYTES_MAX: u64 = 100;

impl Setting {
    /// With a file of about this many bytes, and these changes to the centre's configuration.
    pub async fn new(bytes: u64, changes: Changes<'_>) -> Self {
        Setting::in_lab(TestLab::new(), bytes, changes).await
    }

    /// As [`Setting::new`], in a lab where something was done before.
    pub async fn in_lab(lab: TestLab, bytes: u64, changes: Changes<'_>) -> Self {
        let centre = lab.centre(changes).await;
        Setting::with(lab, centre, bytes)
    }

    /// As [`Setting::in_lab`], with a centre that listens already.
    pub fn with(lab: TestLab, centre: Centre, bytes: u64) -> Self {
        let party = institution(Kind::Medical, 1);
        let site = lab.sender("clinic", &party, centre.address, &[]);
        let (caller, papers) = (Caller::new(&site, centre.address), Papers::of(&site));
        let content = claims_file(Kind::Medical, &party, bytes, 1);
        Setting { centre, caller, papers, site, content, lab }
    }

    /// A good manifest of the file, under a new id.
    pub fn manifest(&self) -> Manifest {
        self.papers.manifest(Kind::Medical, &self.content)
    }

    /// The request that offers the file, with one thing changed in its manifest.
    pub fn offer_but(&self, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
        let mut manifest = self.manifest();
        change(&mut manifest);
        offer(&self.papers.sign(&manifest))
    }

    /// A transfer of the file, offered and nothing sent.
    pub async fn offered(&self) -> TransferKey {
        let manifest = self.manifest();
        let answer = self.caller.offer(&self.papers.sign(&manifest)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        manifest.key()
    }

    /// A transfer of the file whose first attempt has brought so many bytes by this engine, and waits with the rest.
    pub async fn begun(&self, engine: Engine, bytes: usize) -> (TransferKey, Line) {
        let key = self.offered().await;
        let mut line = self.caller.with(engine).line().await;
        let head = send_head(&key, 0, self.content.len() as u64);
        line.write(&[&head, &self.content[..bytes]].concat()).await;
        self.centre.logs(&["attempt began", &key.to_string()]).await;
        (key, line)
    }

    /// No transfer but refused ones, no content anywhere.
    pub async fn expect_nothing_left(&self) {
        for (phase, count) in self.centre.status().await.transfers {
            assert!(count == 0 || phase == "refused", "{count} transfers are {phase}");
        }
        assert_eq!(self.centre.inbox(), []);
        for file in spooled(&self.centre.site) {
            let bytes = std::fs::metadata(&file).unwrap().len();
            assert!(bytes <= EMPTY_BYTES_MAX, "{} has {bytes} bytes", file.display());
        }
    }

    /// No transfer at all.
    pub async fn expect_no_transfer(&self) {
        let transfers = self.centre.status().await.transfers;
        assert!(transfers.values().all(|count| *count == 0), "{transfers:?}");
        self.expect_nothing_left().await;
    }
}

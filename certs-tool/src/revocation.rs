//! Revoking certificates and publishing lists.

use std::path::{Path, PathBuf};

use durable::Access;
use pki::{inspect::CertificateFacts, pem, policy::Policy};
use protocol::moment::Moment;
use rcgen::RevocationReason;
use serde::{Deserialize, Serialize};

use crate::{
    fault::LabFault,
    issue::BACKDATED,
    lab::{LIST_LIFE, Lab},
    serial::Serial,
    state::{Entry, ListState, Locked, State},
    when::When,
};

/// Why a certificate is revoked (RFC 5280 section 5.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No reason given.
    #[default]
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// Somebody else may have the authority's key.
    CaCompromise,
    /// The holder is no longer what the certificate says.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// The holder has closed.
    CessationOfOperation,
    /// The right to hold it was withdrawn.
    PrivilegeWithdrawn,
}

impl Reason {
    /// `None` for "unspecified", which must not be written (RFC 5280 section 5.3.1).
    pub(crate) fn to_rcgen(self) -> Option<RevocationReason> {
        Some(match self {
            Reason::Unspecified => return None,
            Reason::KeyCompromise => RevocationReason::KeyCompromise,
            Reason::CaCompromise => RevocationReason::CaCompromise,
            Reason::AffiliationChanged => RevocationReason::AffiliationChanged,
            Reason::Superseded => RevocationReason::Superseded,
            Reason::CessationOfOperation => RevocationReason::CessationOfOperation,
            Reason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        })
    }
}

/// A certificate that is revoked, now or since earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its number.
    pub serial: Serial,
    /// Since when.
    pub at: Moment,
    /// Was it revoked before this call?
    pub already: bool,
}

/// A list that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedList {
    /// The authority's distinguished name.
    pub issuer: String,
    /// The list's number.
    pub number: u64,
    /// When it ends.
    pub next_update: Moment,
    /// How many certificates it names.
    pub revoked: usize,
    /// Where it stands.
    pub path: PathBuf,
}

impl Lab {
    /// Revokes a certificate that this lab made (the issuing authority's too) and publishes new lists. One that is
    /// revoked already keeps its date and reason; the lists are published all the same, since the program may have been
    /// stopped between storing the revocation and publishing it.
    pub fn revoke(&self, serial: &Serial, reason: Reason, now: Moment) -> Result<Revocation, LabFault> {
        let locked = Locked::wait_for(self.dir())?;
        let mut state = State::load(self.dir())?;
        let is_issuing = self.issuing.serial().parse() == Ok(serial.clone());
        let list = if is_issuing { &mut state.root } else { &mut state.issuing };
        if let Some(at) = list.revoked.iter().find(|entry| entry.serial == *serial).map(|entry| entry.at) {
            self.publish(&locked, state, LIST_LIFE, now)?;
            return Ok(Revocation { serial: serial.clone(), at, already: true });
        }
        if !is_issuing && !self.issued_path(serial).exists() {
            return Err(LabFault::UnknownSerial { serial: serial.clone() });
        }
        list.revoked.push(Entry { serial: serial.clone(), at: now, reason });
        self.publish(&locked, state, LIST_LIFE, now)?;
        Ok(Revocation { serial: serial.clone(), at: now, already: false })
    }

    /// Publishes new lists of both authorities, with higher numbers, that end at `next_update`.
    pub fn crl(&self, next_update: When, now: Moment) -> Result<[PublishedList; 2], LabFault> {
        self.crl_with(0, next_update, now)
    }

    /// As [`Lab::crl`]; the issuing authority's list also names this many certificates that were never issued, so that a
    /// list as long as a real one can be tried.
    pub fn crl_with(
        &self,
        made_up: u32,
        next_update: When,
        now: Moment,
    ) -> Result<[PublishedList; 2], LabFault> {
        let locked = Locked::wait_for(self.dir())?;
        let mut state = State::load(self.dir())?;
        for _ in 0..made_up {
            let reason = Reason::CessationOfOperation;
            state.issuing.revoked.push(Entry { serial: Serial::random()?, at: now, reason });
        }
        self.publish(&locked, state, next_update, now)
    }

    /// Stores the new numbers first: a crash leaves a gap in the numbers, never the same number twice.
    fn publish(
        &self,
        _locked: &Locked,
        mut state: State,
        next_update: When,
        now: Moment,
    ) -> Result<[PublishedList; 2], LabFault> {
        let this_update = BACKDATED.from(now).ok_or(LabFault::Time)?;
        let next_update = next_update.from(now).ok_or(LabFault::Time)?;
        if next_update <= this_update {
            return Err(LabFault::NextUpdate);
        }
        state.root.crl_number += 1;
        state.issuing.crl_number += 1;
        state.store(self.dir())?;
        let root = self.root.sign_list(&state.root, this_update, next_update)?;
        let issuing = self.issuing.sign_list(&state.issuing, this_update, next_update)?;
        let published = |name: &str, issuer: &str, list: &ListState| PublishedList {
            issuer: issuer.to_owned(),
            number: list.crl_number,
            next_update,
            revoked: list.revoked.len(),
            path: self.dir().join("crls").join(name),
        };
        let lists = [
            published("root.pem", self.root.name(), &state.root),
            published("issuing.pem", self.issuing.name(), &state.issuing),
        ];
        replace(&lists[0].path, &root)?;
        replace(&lists[1].path, &issuing)?;
        replace(&self.crls_pem(), &format!("{root}{issuing}"))?;
        Ok(lists)
    }
}

/// The number of the first certificate in a PEM file.
pub fn serial_in(file: &Path) -> Result<Serial, LabFault> {
    let certificates = pem::certificates(file)?;
    let unreadable = || LabFault::Unreadable { path: file.to_owned() };
    let facts = certificates
        .first()
        .and_then(|der| CertificateFacts::of(der, &Policy::default()))
        .ok_or_else(unreadable)?;
    facts.description.serial.parse().map_err(|_| unreadable())
}

fn replace(path: &Path, text: &str) -> Result<(), LabFault> {
    durable::replace(path, text.as_bytes(), Access::Shared).map_err(LabFault::io("write", path))
}

//! Making leaf certificates.

use std::path::{Path, PathBuf};

use durable::Access;
use pki::{leaf::LIFETIME_MAX_DAYS, pem};
use protocol::{moment::Moment, party::Identity};
use rcgen::CertificateParams;

use crate::{
    authority::{date, key_pem},
    fault::LabFault,
    key_type::KeyType,
    lab::Lab,
    profile::Profile,
    serial::Serial,
    when::When,
};

/// How long a leaf lives unless said otherwise: as the client certificates of the claims systems.
pub const LEAF_LIFE: When = When::Months(39);

/// How far back a life begins, for peers whose clocks lag.
pub const BACKDATED: When = When::Milliseconds(-5 * 60 * 1000);

/// From when to when a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    not_before: Moment,
    not_after: Moment,
}

impl Validity {
    /// From this time to that.
    pub fn new(not_before: Moment, not_after: Moment) -> Result<Self, LabFault> {
        if not_after <= not_before {
            return Err(LabFault::Life { not_before, not_after });
        }
        Ok(Validity { not_before, not_after })
    }

    /// From five minutes ago, for this long.
    pub fn from_now(now: Moment, life: When) -> Result<Self, LabFault> {
        let not_before = BACKDATED.from(now).ok_or(LabFault::Time)?;
        Validity::new(not_before, life.from(now).ok_or(LabFault::Time)?)
    }

    /// From five minutes ago, for 39 months.
    pub fn usual(now: Moment) -> Result<Self, LabFault> {
        Validity::from_now(now, LEAF_LIFE)
    }

    /// The start.
    pub fn not_before(&self) -> Moment {
        self.not_before
    }

    /// The end.
    pub fn not_after(&self) -> Moment {
        self.not_after
    }

    pub(crate) fn apply(self, params: &mut CertificateParams) -> Result<(), LabFault> {
        params.not_before = date(self.not_before)?;
        params.not_after = date(self.not_after)?;
        Ok(())
    }
}

/// A certificate that was made, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The leaf and the issuing authority's certificate.
    pub cert_path: PathBuf,
    /// The key, readable by its owner only.
    pub key_path: PathBuf,
    /// The leaf's number.
    pub serial: Serial,
    /// Whom it names.
    pub identity: Identity,
    /// From when to when.
    pub validity: Validity,
}

impl Lab {
    /// Makes a certificate and its key, as `OUT.pem` (leaf, then issuing authority) and `OUT.key.pem`. Neither may
    /// exist. `names`: host names and IP addresses, for [`Profile::Centre`] only.
    pub fn issue(
        &self,
        profile: Profile,
        identity: &Identity,
        names: &[&str],
        out: &Path,
        validity: Validity,
    ) -> Result<Issued, LabFault> {
        self.issue_with(profile, identity, names, out, validity, KeyType::default())
    }

    /// As [`Lab::issue`], with this kind of key.
    pub fn issue_with(
        &self,
        profile: Profile,
        identity: &Identity,
        names: &[&str],
        out: &Path,
        validity: Validity,
        key_type: KeyType,
    ) -> Result<Issued, LabFault> {
        self.check(identity, validity)?;
        let mut params = profile.params(identity, names)?;
        let (cert_path, key_path) = (with_suffix(out, ".pem"), with_suffix(out, ".key.pem"));
        for path in [&cert_path, &key_path] {
            if path.exists() {
                return Err(LabFault::Exists { path: path.clone() });
            }
        }
        let serial = Serial::random()?;
        params.serial_number = Some(serial.to_rcgen());
        validity.apply(&mut params)?;
        let key = key_type.generate()?;
        let leaf = pem::encode(pem::CERTIFICATE, &self.issuing.sign(&params, &key)?);
        // Known here before it is known anywhere else: whatever is out there can be revoked.
        let register = self.issued_path(&serial);
        durable::create(&register, leaf.as_bytes(), Access::Shared)
            .map_err(LabFault::io("write", &register))?;
        durable::create(&key_path, key_pem(&key).as_bytes(), Access::Private)
            .map_err(LabFault::io("write", &key_path))?;
        let chain = format!("{leaf}{}", self.issuing.pem);
        durable::create(&cert_path, chain.as_bytes(), Access::Shared)
            .map_err(LabFault::io("write", &cert_path))?;
        Ok(Issued { cert_path, key_path, serial, identity: identity.clone(), validity })
    }

    fn check(&self, identity: &Identity, validity: Validity) -> Result<(), LabFault> {
        if identity.environment() != self.environment() {
            let identity = identity.environment();
            return Err(LabFault::WrongEnvironment { lab: self.environment(), identity });
        }
        let Validity { not_before, not_after } = validity;
        if not_after.ms_since(not_before) / 1000 > LIFETIME_MAX_DAYS * 24 * 60 * 60 {
            return Err(LabFault::Life { not_before, not_after });
        }
        if not_after > self.issuing.not_after() {
            return Err(LabFault::OutlivesAuthority { authority: self.issuing.not_after() });
        }
        Ok(())
    }
}

/// Appends to the last part of the path; a name may hold dots.
fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

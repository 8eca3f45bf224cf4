//! A lab on disk.
//!
//! ```text
//! DIR/root.pem, root.key.pem          the root: what everybody trusts
//! DIR/issuing.pem, issuing.key.pem    the issuing authority below it
//! DIR/crls/root.pem, crls/issuing.pem the list of each, replaced as a whole
//! DIR/crls.pem                        both lists in one file
//! DIR/issued/SERIAL.pem               every certificate made here, so that it can be revoked by its number
//! DIR/state.json                      numbers of the lists and what is revoked
//! ```

use std::path::{Path, PathBuf};

use durable::Access;
use pki::trust::TrustFiles;
use protocol::{moment::Moment, party::Environment};

use crate::{
    authority::Authority,
    fault::LabFault,
    issue::Validity,
    key_type::KeyType,
    serial::Serial,
    state::{Locked, State},
    when::When,
};

/// Months that a lab's root lives.
const ROOT_MONTHS: i32 = 120;

/// Months that a lab's issuing authority lives.
const ISSUING_MONTHS: i32 = 96;

/// How long a list lives unless said otherwise.
pub const LIST_LIFE: When = When::Milliseconds(7 * 24 * 60 * 60 * 1000);

/// A lab's authorities and where they stand.
pub struct Lab {
    dir: PathBuf,
    environment: Environment,
    pub(crate) root: Authority,
    pub(crate) issuing: Authority,
}

impl Lab {
    /// Makes a lab in a directory that holds none: root, issuing authority, an empty list of each. The directory is
    /// made if it is missing.
    pub fn init(dir: &Path, environment: Environment, now: Moment) -> Result<Self, LabFault> {
        Lab::init_with(dir, environment, KeyType::default(), now)
    }

    /// As [`Lab::init`], with authorities that have this kind of key.
    pub fn init_with(
        dir: &Path,
        environment: Environment,
        key_type: KeyType,
        now: Moment,
    ) -> Result<Self, LabFault> {
        for part in ["root.pem", "root.key.pem", "issuing.pem", "issuing.key.pem", "state.json", "crls.pem"] {
            let path = dir.join(part);
            if path.exists() {
                return Err(LabFault::Exists { path });
            }
        }
        for directory in [dir.to_owned(), dir.join("crls"), dir.join("issued")] {
            durable::create_directory(&directory, Access::Shared)
                .map_err(LabFault::io("make", &directory))?;
        }
        let locked = Locked::wait_for(dir)?;
        // Two labs must never have the same names: an authority is told by name first.
        let tag = Serial::random()?.to_string();
        let tag = tag.get(..8).unwrap_or_default();
        let life = |months| Validity::from_now(now, When::Months(months));
        let root = Authority::create_root(
            dir,
            "root",
            &format!("Sekisho TEST root {tag}"),
            key_type,
            life(ROOT_MONTHS)?,
        )?;
        let issuing = root.create_below(
            dir,
            "issuing",
            &format!("Sekisho TEST issuing {tag}"),
            key_type,
            life(ISSUING_MONTHS)?,
        )?;
        State::new(environment).create(dir)?;
        drop(locked);
        let lab = Lab { dir: dir.to_owned(), environment, root, issuing };
        lab.crl(LIST_LIFE, now)?;
        Ok(lab)
    }

    /// Opens a lab that was made before.
    pub fn open(dir: &Path) -> Result<Self, LabFault> {
        let state = State::load(dir)?;
        Ok(Lab {
            dir: dir.to_owned(),
            environment: state.environment,
            root: Authority::load(dir, "root")?,
            issuing: Authority::load(dir, "issuing")?,
        })
    }

    /// Where it stands.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The environment of every identity it certifies.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// The root's certificate: the anchor.
    pub fn root_pem(&self) -> PathBuf {
        self.dir.join("root.pem")
    }

    /// The issuing authority's certificate.
    pub fn issuing_pem(&self) -> PathBuf {
        self.dir.join("issuing.pem")
    }

    /// Both revocation lists in one file.
    pub fn crls_pem(&self) -> PathBuf {
        self.dir.join("crls.pem")
    }

    /// What a gateway or client of this lab trusts.
    pub fn trust_files(&self) -> TrustFiles {
        TrustFiles {
            anchors: vec![self.root_pem()],
            issuers: vec![self.issuing_pem()],
            crls: vec![self.crls_pem()],
            fetched: vec![],
        }
    }

    pub(crate) fn issued_path(&self, serial: &Serial) -> PathBuf {
        self.dir.join("issued").join(format!("{serial}.pem"))
    }
}

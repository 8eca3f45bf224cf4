//! Centres and senders of a lab, each in a directory of its own that looks as the example configurations expect:
//! `tls/`, `evidence/`, and the configuration beside them. The examples are taken as they stand; only what must differ
//! is put in.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use certs_tool::{Lab, LabFault, Profile, Validity};
use durable::Access;
use gateway::spool_key::NewKeyFault;
use pki::clock;
use protocol::party::{Environment, Identity, Party, PartyError};

/// The example that every centre of a lab starts from.
const CENTRE_EXAMPLE: &str = include_str!("../../config/examples/centre-lab.toml");

/// The example that every sender of a lab starts from.
const SENDER_EXAMPLE: &str = include_str!("../../config/examples/client-lab.toml");

/// The names that a centre's certificate is dialled by.
const CENTRE_NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// A lab's directory, authority or configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SiteFault {
    /// The certificate authority.
    #[error("the lab's authority failed")]
    Authority(#[from] LabFault),
    /// A file.
    #[error("cannot write below {}", .directory.display())]
    Write {
        /// Where.
        directory: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key of its spool.
    #[error("no key can be made for the spool")]
    SpoolKey(#[from] NewKeyFault),
    /// No such identity.
    #[error("no identity can be made of these codes")]
    Identity(#[from] PartyError),
    /// The example has changed, and what is put into it has not.
    #[error("the example configuration has no key {0}")]
    NoSuchKey(String),
}

/// The authority of a lab, and the directory below which its sites are made.
pub struct Sites {
    directory: PathBuf,
    authority: Lab,
}

/// A centre's directory.
#[derive(Clone, Debug)]
pub struct CentreSite {
    /// The directory.
    pub directory: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// Ledger, spool and keys.
    pub data: PathBuf,
    /// Where complete files appear, one directory for each transfer.
    pub inbox: PathBuf,
}

/// A sender's directory.
#[derive(Clone, Debug)]
pub struct SenderSite {
    /// The directory.
    pub directory: PathBuf,
    /// Its settings file.
    pub settings: PathBuf,
    /// Send log, receipts and transfers not yet ended.
    pub data: PathBuf,
    /// What its certificates name.
    pub identity: Identity,
}

/// Values that differ from the example: (table and key, value as TOML).
pub type Changes<'a> = &'a [(&'a str, &'a str)];

impl Sites {
    /// Makes the authority in `directory/authority`.
    pub fn create(directory: &Path) -> Result<Self, SiteFault> {
        let authority = Lab::init(&directory.join("authority"), Environment::Test, clock::now())?;
        Ok(Sites { directory: directory.to_owned(), authority })
    }

    /// The authority.
    pub fn authority(&self) -> &Lab {
        &self.authority
    }

    /// Makes a centre for 支払基金 of 東京, the party of the example.
    pub fn centre(&self, name: &str, changes: Changes<'_>) -> Result<CentreSite, SiteFault> {
        self.centre_named(name, &CENTRE_NAMES, changes)
    }

    /// As [`Sites::centre`], with a certificate for these host names and addresses.
    pub fn centre_named(
        &self,
        name: &str,
        host_names: &[&str],
        changes: Changes<'_>,
    ) -> Result<CentreSite, SiteFault> {
        let party = "review-agency:113".parse()?;
        self.centre_of(name, &party, host_names, changes)
    }

    /// As [`Sites::centre_named`], for this party.
    pub fn centre_of(
        &self,
        name: &str,
        party: &Party,
        host_names: &[&str],
        changes: Changes<'_>,
    ) -> Result<CentreSite, SiteFault> {
        let directory = self.directory.join(name);
        let identity = Identity::new(self.authority.environment(), party.role(), vec![party.code().clone()])?;
        self.credentials(&directory, &identity, Profile::Centre, host_names)?;
        gateway::spool_key::create(&directory.join("spool.key"))?;
        let config = directory.join("gateway.toml");
        let parties = format!("[\"{party}\"]");
        let text = with_changes(CENTRE_EXAMPLE, &[("parties", &parties)])?;
        write(&config, &with_changes(&text, changes)?)?;
        let (data, inbox) = (directory.join("data"), directory.join("inbox/inbox"));
        Ok(CentreSite { directory, config, data, inbox })
    }

    /// Makes a sender with certificates for this party, that sends to a centre at this address.
    pub fn sender(
        &self,
        name: &str,
        party: &Party,
        centre: SocketAddr,
        changes: Changes<'_>,
    ) -> Result<SenderSite, SiteFault> {
        let identity = Identity::new(self.authority.environment(), party.role(), vec![party.code().clone()])?;
        let directory = self.directory.join(name);
        self.credentials(&directory, &identity, Profile::Institution, &[])?;
        let settings = directory.join("sekisho.toml");
        let (party, centre) = (format!("\"{party}\""), format!("\"{centre}\""));
        let own = [("party", party.as_str()), ("centre.address", centre.as_str())];
        let text = with_changes(&with_changes(SENDER_EXAMPLE, &own)?, changes)?;
        write(&settings, &text)?;
        let data = directory.join("data");
        Ok(SenderSite { directory, settings, data, identity })
    }

    fn credentials(
        &self,
        directory: &Path,
        identity: &Identity,
        line: Profile,
        host_names: &[&str],
    ) -> Result<(), SiteFault> {
        for (part, profile, names) in [("tls", line, host_names), ("evidence", Profile::Evidence, &[])] {
            let place = directory.join(part);
            make(&place)?;
            let validity = Validity::usual(clock::now())?;
            let issued =
                self.authority.issue(profile, identity, names, &place.join("certificate"), validity)?;
            let failed = |source| SiteFault::Write { directory: place.clone(), source };
            durable::rename(&issued.key_path, &place.join("key.pem")).map_err(failed)?;
            let lists = self.authority.dir().join("crls");
            for (from, to) in [
                (self.authority.root_pem(), "root.pem"),
                (self.authority.issuing_pem(), "issuing.pem"),
                (lists.join("root.pem"), "root.crl"),
                (lists.join("issuing.pem"), "issuing.crl"),
            ] {
                fs::copy(from, place.join(to)).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Changes one value of a configuration that was written here.
pub fn change(file: &Path, changes: Changes<'_>) -> Result<(), SiteFault> {
    let failed = |source| SiteFault::Write { directory: file.to_owned(), source };
    let text = fs::read_to_string(file).map_err(failed)?;
    let text = with_changes(&text, changes)?;
    durable::replace(file, text.as_bytes(), Access::Private).map_err(failed)
}

fn make(directory: &Path) -> Result<(), SiteFault> {
    durable::create_directory(directory, Access::Private)
        .map_err(|source| SiteFault::Write { directory: directory.to_owned(), source })
}

fn write(file: &Path, text: &str) -> Result<(), SiteFault> {
    durable::create(file, text.as_bytes(), Access::Private)
        .map_err(|source| SiteFault::Write { directory: file.to_owned(), source })
}

/// The text with other values. A key or table that the example leaves to its defaults is added; whether there is such a
/// key, its program says.
fn with_changes(text: &str, changes: Changes<'_>) -> Result<String, SiteFault> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (path, value) in changes {
        let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
        set(&mut lines, table, key, value).ok_or_else(|| SiteFault::NoSuchKey((*path).to_owned()))?;
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn set(lines: &mut Vec<String>, table: &str, key: &str, value: &str) -> Option<()> {
    let is_head = |line: &String| line.starts_with('[');
    let begin = match table {
        "" => 0,
        table => {
            let head = format!("[{table}]");
            let found = lines.iter().position(|line| line.trim_end() == head);
            1 + found.unwrap_or_else(|| {
                lines.push(head);
                lines.len() - 1
            })
        }
    };
    let length = lines.iter().skip(begin).position(is_head).unwrap_or(lines.len() - begin);
    let written = format!("{key} = {value}");
    let mut own = lines.iter_mut().skip(begin).take(length);
    let is_key = |line: &str| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    match own.find(|line| is_key(line)) {
        Some(line) => *line = written,
        None if table.is_empty() => return None,
        None => lines.insert(begin, written),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use config::{ClientSettings, GatewayConfig};

    use super::*;

    #[test]
    fn what_is_put_into_an_example_is_what_its_program_reads() {
        let changes = [
            ("listen.address", "\"127.0.0.1:4711\""),
            ("link.receipt_wait", "\"300ms\""),
            ("log.level", "\"debug\""),
        ];
        let text = with_changes(CENTRE_EXAMPLE, &changes).unwrap();
        let config = GatewayConfig::parse(&text, Path::new("gateway.toml")).unwrap();
        assert_eq!(config.listen.address, "127.0.0.1:4711".parse().unwrap());
        assert_eq!(config.link.receipt_wait.as_millis(), 300);
        let party = ("party", "\"institution:1340000015\"");
        let text = with_changes(SENDER_EXAMPLE, &[party]).unwrap();
        let settings = ClientSettings::parse(&text, Path::new("sekisho.toml")).unwrap();
        assert_eq!(settings.party, "institution:1340000015".parse().unwrap());
        assert_eq!(settings.centre.party, "review-agency:113".parse().unwrap());
    }

    #[test]
    fn a_site_is_complete_for_its_program() {
        let directory = tempfile::tempdir().unwrap();
        let sites = Sites::create(directory.path()).unwrap();
        let centre = sites.centre("centre", &[]).unwrap();
        GatewayConfig::load(&centre.config).unwrap();
        let party = "institution:1310000018".parse().unwrap();
        let sender = sites.sender("clinic", &party, "127.0.0.1:8443".parse().unwrap(), &[]).unwrap();
        assert_eq!(ClientSettings::load(&sender.settings).unwrap().party, party);
    }

    #[test]
    fn a_table_that_the_example_leaves_out_is_added() {
        let text = with_changes(CENTRE_EXAMPLE, &[("limits.transfers_max", "3")]).unwrap();
        let config = GatewayConfig::parse(&text, Path::new("gateway.toml")).unwrap();
        assert_eq!(config.limits.transfers_max, 3);
        assert!(with_changes(CENTRE_EXAMPLE, &[("nothing", "1")]).is_err());
    }
}

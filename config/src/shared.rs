//! The tables that both configuration files have: certificates, and whom to call.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::party::Environment;

use crate::{
    crypto::{CrlGrace, read_crl_grace},
    limits,
    reader::{Fault, HttpUrl, InputFile, Key, Section},
};

/// A certificate with its key, and what the other side's certificates are judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Our certificate, followed by its chain without the root; PEM.
    pub certificate: PathBuf,
    /// Its private key; PEM, readable by nobody else.
    pub key: PathBuf,
    /// The roots whose certificates count; PEM, one or more in each file. Never the system's.
    pub anchors: Vec<PathBuf>,
    /// The authorities below those roots: their revocation lists are checked by these. Trusted for nothing else.
    pub issuers: Vec<PathBuf>,
    /// The revocation lists of the roots and of every issuer below them, as far as they are files; PEM or DER.
    pub crls: Vec<PathBuf>,
    /// Where the others are fetched from. With `crls` at least one.
    pub crl_urls: Vec<HttpUrl>,
    /// The one authority whose ended list is used for some hours more.
    pub danger_crl_grace: Option<CrlGrace>,
}

/// `crls`, which may only be absent beside `crl_urls`.
const CRLS: Key<InputFile> = Key::new(
    "crls",
    "The revocation lists (CRL) of the roots and of every issuer below them, PEM or DER, as far as they are no \
     crl_urls. Without a valid one nobody passes.",
    "[\"root.crl\"]",
);

impl Credentials {
    /// Reads `[tls]`: who we are on the line.
    pub(crate) fn read_tls(root: &Section<'_>) -> Option<Self> {
        Self::read(&root.section("tls", "Who we are on the line, and whom we let in."))
    }

    /// Reads `[evidence]`: what signs, and whose signatures count. It must not be the certificate of a line: `lines` are
    /// those of each table.
    pub(crate) fn read_evidence(root: &Section<'_>, lines: &[(String, &Credentials)]) -> Option<Self> {
        let section = root.section("evidence", "What signs our evidence, and whose evidence counts.");
        let evidence = Self::read(&section);
        if let Some(evidence) = &evidence {
            let of = |files: &Credentials| [files.certificate.clone(), files.key.clone()];
            for (at, name) in ["certificate", "key"].into_iter().enumerate() {
                let is_same = |line: &Credentials| of(line).get(at) == of(evidence).get(at);
                if let Some((table, _)) = lines.iter().find(|(_, line)| is_same(line)) {
                    section.refuse(name, Fault::new(
                        format!("is the same file as under [{table}]"),
                        "name the one issued for signing evidence: what authenticates a line must sign nothing",
                    ));
                }
            }
        }
        evidence
    }

    /// Those of `[tls]` alone, with the name of the table.
    pub(crate) fn of_tls(tls: Option<&Credentials>) -> Vec<(String, &Credentials)> {
        tls.map(|tls| ("tls".to_owned(), tls)).into_iter().collect()
    }

    /// Every file named here.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.certificate, &self.key]
            .into_iter()
            .chain(&self.anchors)
            .chain(&self.issuers)
            .chain(&self.crls)
            .map(PathBuf::as_path)
    }

    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let certificate = section.required::<InputFile>(&Key::new(
            "certificate",
            "Our certificate followed by its chain, without the root; PEM.",
            "\"certificate.pem\"",
        ));
        let key = section.required::<InputFile>(&Key::new(
            "key",
            "Its private key, PEM; only the user the program runs as may read it.",
            "\"key.pem\"",
        ));
        let anchors = section.list::<InputFile>(&Key::new(
            "anchors",
            "The roots whose certificates count, PEM. No other root counts, the system's neither.",
            "[\"root.pem\"]",
        ));
        let issuers = section.optional_list::<InputFile>(&Key::new(
            "issuers",
            "The certificates of the authorities below those roots, PEM. Their revocation lists are checked by them; \
             they are trusted for nothing else.",
            "[\"issuing.pem\"]",
        ));
        let crls = section.optional_list::<InputFile>(&CRLS);
        let crl_urls = section.optional_list::<HttpUrl>(&Key::new(
            "crl_urls",
            "Where revocation lists are fetched from, by plain HTTP: see [crl]. The last good ones are kept below \
             storage.data.",
            "[\"http://crl.example.jp/root.crl\"]",
        ));
        if crls.as_ref().is_some_and(Vec::is_empty) && crl_urls.as_ref().is_some_and(Vec::is_empty) {
            section.refuse_absent(&CRLS);
        }
        let danger_crl_grace = read_crl_grace(section);
        Some(Credentials {
            certificate: certificate?.0,
            key: key?.0,
            anchors: anchors?.into_iter().map(|file| file.0).collect(),
            issuers: issuers?.into_iter().map(|file| file.0).collect(),
            crls: crls?.into_iter().map(|file| file.0).collect(),
            crl_urls: crl_urls?,
            danger_crl_grace: danger_crl_grace?,
        })
    }
}

/// Whom to call; stands in every error a person sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The person or desk.
    pub name: String,
    /// Its telephone number.
    pub telephone: String,
    /// When somebody answers.
    pub hours: Option<String>,
}

impl Contact {
    pub(crate) fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("contact", "Whom to call; stands in every error a person sees.");
        let name = section.required(&Key::new("name", "The person or desk.", "\"医事課\""));
        let telephone = section.required(&Key::new("telephone", "Its telephone number.", "\"03-0000-0000\""));
        let hours = section.optional(&Key::new("hours", "When somebody answers.", "\"平日 9:00–17:00\""));
        Some(Contact { name: name?, telephone: telephone?, hours: hours? })
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, self.telephone)?;
        match &self.hours {
            Some(hours) => write!(f, " ({hours})"),
            None => Ok(()),
        }
    }
}

/// Reads `environment`, the first key of both files.
pub(crate) fn read_environment(root: &Section<'_>) -> Option<Environment> {
    root.required(&Key::new(
        "environment",
        "Real claims, or a lab. The two never mix: it stands in every certificate and every signed statement.",
        "\"test\"",
    ))
}

/// Reads `link.detect_max`, whose lower bound depends on the environment.
pub(crate) fn read_detect_max(link: &Section<'_>, environment: Option<Environment>) -> Option<Duration> {
    let detect_max = link.limit(&limits::DETECT_MAX)?;
    if environment == Some(Environment::Production) && detect_max < limits::DETECT_MAX_PRODUCTION_LOW {
        link.refuse(
            limits::DETECT_MAX.name,
            Fault::new(
                "is below \"5s\" in production, where a slow disk would count as a dead line",
                "write at least \"5s\"",
            ),
        );
        return None;
    }
    Some(detect_max)
}

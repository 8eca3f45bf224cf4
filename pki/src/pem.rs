//! Reading certificates, keys and revocation lists from PEM files (RFC 7468), and lists from DER files too.
//!
//! Every fault names the file and the next step, since the person who meets it stands before a wrong file.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
    pem::{Error as PemError, PemObject},
};

/// Bytes of one file: a national authority's revocation list of a million entries is about 35 MB.
pub const PEM_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why a PEM file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemFault {
    /// The file cannot be opened or read.
    #[error("cannot read {}; next: check that the file exists and that this program's user may read it", .file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file is larger than [`PEM_FILE_BYTES_MAX`].
    #[error("{} is larger than {PEM_FILE_BYTES_MAX} bytes; next: check that it is the right file", .file.display())]
    TooLarge {
        /// Which file.
        file: PathBuf,
    },
    /// The file is not PEM, or was cut.
    #[error("{} is not a whole PEM file; next: copy it again from its source", .file.display())]
    Malformed {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        source: PemError,
    },
    /// The file holds nothing of the kind that was looked for.
    #[error("{} holds no {expected} in PEM form; next: check that it is the right file", .file.display())]
    Nothing {
        /// Which file.
        file: PathBuf,
        /// What was looked for.
        expected: &'static str,
    },
    /// The file holds more than one private key.
    #[error("{} holds more than one private key; next: leave only the key of this certificate", .file.display())]
    TwoKeys {
        /// Which file.
        file: PathBuf,
    },
    /// Others may read the private key.
    #[error("the key {} may be read by others (mode {mode:03o}); next: chmod 600 {}", .file.display(), .file.display())]
    KeyOpenToOthers {
        /// Which file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// The certificates in a file, in its order; at least one.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, PemFault> {
    certificates_in(&read(&mut open(file)?, file)?, file)
}

/// The certificates in PEM text; `origin` names it in faults.
pub fn certificates_in(pem: &[u8], origin: &Path) -> Result<Vec<CertificateDer<'static>>, PemFault> {
    sections(pem, origin, "certificate")
}

/// The revocation lists in a file, in its order; at least one. See [`crls_in`].
pub fn crls(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, PemFault> {
    crls_in(&read(&mut open(file)?, file)?, file)
}

/// The revocation lists in PEM text, or the one list that this is in DER; `origin` names it in faults.
pub fn crls_in(bytes: &[u8], origin: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, PemFault> {
    match bytes.first() {
        // A DER list is a SEQUENCE.
        Some(0x30) => Ok(vec![bytes.to_vec().into()]),
        _ => sections(bytes, origin, "certificate revocation list"),
    }
}

/// The one private key in a file that only its owner may read.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, PemFault> {
    private_key_in(&read(&mut open_private(file)?, file)?, file)
}

/// Opens a file with a key, if only its owner may read it.
pub fn open_private(file: &Path) -> Result<File, PemFault> {
    let opened = open(file)?;
    refuse_open_to_others(&opened, file)?;
    Ok(opened)
}

/// The one private key in PEM text; `origin` names it in faults.
pub fn private_key_in(pem: &[u8], origin: &Path) -> Result<PrivateKeyDer<'static>, PemFault> {
    let mut keys = sections::<PrivateKeyDer<'static>>(pem, origin, "private key")?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        _ => Err(PemFault::TwoKeys { file: origin.to_owned() }),
    }
}

/// The permission bits of the opened file, not of its name, so that nothing can be swapped in between.
#[cfg(unix)]
fn refuse_open_to_others(opened: &File, file: &Path) -> Result<(), PemFault> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata =
        opened.metadata().map_err(|source| PemFault::Unreadable { file: file.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(PemFault::KeyOpenToOthers { file: file.to_owned(), mode }) }
}

/// Other systems keep permissions in lists that the standard library does not read.
#[cfg(not(unix))]
fn refuse_open_to_others(_opened: &File, _file: &Path) -> Result<(), PemFault> {
    Ok(())
}

fn open(file: &Path) -> Result<File, PemFault> {
    File::open(file).map_err(|source| PemFault::Unreadable { file: file.to_owned(), source })
}

fn read(opened: &mut File, file: &Path) -> Result<Vec<u8>, PemFault> {
    let mut bytes = Vec::new();
    opened
        .take(PEM_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| PemFault::Unreadable { file: file.to_owned(), source })?;
    if bytes.len() as u64 > PEM_FILE_BYTES_MAX {
        return Err(PemFault::TooLarge { file: file.to_owned() });
    }
    Ok(bytes)
}

fn sections<T: PemObject>(pem: &[u8], origin: &Path, expected: &'static str) -> Result<Vec<T>, PemFault> {
    let found = T::pem_slice_iter(pem)
        .collect::<Result<Vec<T>, PemError>>()
        .map_err(|source| PemFault::Malformed { file: origin.to_owned(), source })?;
    if found.is_empty() {
        return Err(PemFault::Nothing { file: origin.to_owned(), expected });
    }
    Ok(found)
}

/// One PEM section (RFC 7468 section 2) with this label.
pub fn encode(label: &str, der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII: every index is a border between characters.
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// Label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// Label of a revocation list.
pub const CRL: &str = "X509 CRL";
/// Label of a private key in PKCS#8.
pub const PRIVATE_KEY: &str = "PRIVATE KEY";

#[cfg(test)]
mod tests;

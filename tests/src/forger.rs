//! Certificates that no honest authority makes, signed all the same by the lab's own: as if somebody had got hold of its
//! key, or it had made a mistake.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio};

use certs_tool::Issued;
use pki::{oid, pem, random::random_bytes};
use rcgen::{
    CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType, SerialNumber, SubjectPublicKeyInfo,
};
use time::{Duration, OffsetDateTime};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::lab::TestLab;

/// What somebody shows in a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// PEM: the leaf, then its issuers.
    pub chain: PathBuf,
    /// PEM: the leaf's key.
    pub key: PathBuf,
}

impl From<Issued> for Shown {
    fn from(issued: Issued) -> Self {
        Shown { chain: issued.cert_path, key: issued.key_path }
    }
}

/// Signs anything in a lab's name.
pub struct Forger<'l> {
    lab: &'l TestLab,
    issuer: Issuer<'static, KeyPair>,
    /// The issuer's certificate, and those above it that a peer has to be shown.
    above: String,
}

/// What a good client certificate for this identity says: one thing may then be changed.
pub fn client(identity: &str) -> CertificateParams {
    let mut params = leaf(oid::CLIENT_AUTH);
    params.subject_alt_names = vec![uri(identity)];
    params
}

/// What a good server certificate for this identity and name says.
pub fn server(identity: &str, address: &str) -> CertificateParams {
    let mut params = leaf(oid::SERVER_AUTH);
    params.subject_alt_names = vec![uri(identity), SanType::IpAddress(address.parse().unwrap())];
    params
}

/// A name of type URI.
pub fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// An extended key usage of these purposes.
pub fn purposes(purposes: &[&[u8]]) -> CustomExtension {
    CustomExtension::from_oid_content(oid::EXTENDED_KEY_USAGE_ARCS, oid::extended_key_usage(purposes))
}

/// The time now, to the second, which is what certificates can say.
pub fn today() -> OffsetDateTime {
    OffsetDateTime::now_utc().replace_nanosecond(0).unwrap()
}

fn leaf(purpose: &[u8]) -> CertificateParams {
    let mut params = named("forged");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.custom_extensions = vec![purposes(&[purpose])];
    params
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = today() - Duration::hours(1);
    params.not_after = today() + Duration::days(30);
    let [first, rest @ ..] = random_bytes::<16>().unwrap();
    // Positive, and of full length.
    params.serial_number = Some(SerialNumber::from_slice(&[&[first & 0x3f | 0x40][..], &rest].concat()));
    params.use_authority_key_identifier_extension = true;
    params
}

impl<'l> Forger<'l> {
    /// With the key of the lab's issuing authority.
    pub fn of(lab: &'l TestLab) -> Self {
        let authority = lab.sites.authority();
        let key = std::fs::read_to_string(authority.dir().join("issuing.key.pem")).unwrap();
        Forger::with_key(lab, KeyPair::from_pem(&key).unwrap())
    }

    /// With the names of the lab's issuing authority, and a key of its own.
    pub fn of_the_same_name(lab: &'l TestLab) -> Self {
        Forger::with_key(lab, KeyPair::generate().unwrap())
    }

    fn with_key(lab: &'l TestLab, key: KeyPair) -> Self {
        let above = std::fs::read_to_string(lab.sites.authority().issuing_pem()).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&above, key).unwrap();
        Forger { lab, issuer, above }
    }

    /// An authority below this one, which may not have one.
    pub fn below(&self) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = named("an authority too many");
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let own = pem::encode(pem::CERTIFICATE, params.signed_by(&key, &self.issuer).unwrap().der());
        let (issuer, above) = (Issuer::new(params, key), format!("{own}{}", self.above));
        Forger { lab: self.lab, issuer, above }
    }

    /// Signs this.
    pub fn forge(&self, params: &CertificateParams) -> Shown {
        let key = KeyPair::generate().unwrap();
        self.forge_for(params, &key, &pem::encode(pem::PRIVATE_KEY, key.serialized_der()))
    }

    /// Signs this for a key that was made elsewhere.
    pub fn forge_for(&self, params: &CertificateParams, public: &impl PublicKeyData, key: &str) -> Shown {
        let leaf = params.signed_by(public, &self.issuer).unwrap();
        self.shown(&format!("{}{}", pem::encode(pem::CERTIFICATE, leaf.der()), self.above), key)
    }

    /// Signed by nobody but its own key.
    pub fn self_signed(&self, params: &CertificateParams) -> Shown {
        let key = KeyPair::generate().unwrap();
        let leaf = params.self_signed(&key).unwrap();
        let key = pem::encode(pem::PRIVATE_KEY, key.serialized_der());
        self.shown(&pem::encode(pem::CERTIFICATE, leaf.der()), &key)
    }

    /// Signs this for an RSA key of 1024 bits, which only other people's tools still make.
    pub async fn forge_for_weak_rsa(&self, params: &CertificateParams) -> Shown {
        let private = openssl(&["genrsa", "1024"], "").await;
        let public = openssl(&["pkey", "-pubout"], &private).await;
        self.forge_for(params, &SubjectPublicKeyInfo::from_pem(&public).unwrap(), &private)
    }

    /// Signs this with SHA-1, which only other people's tools still do.
    pub async fn forge_with_sha_1(&self, params: &CertificateParams) -> Shown {
        let Shown { chain, key } = self.self_signed(params);
        let issuing = self.lab.sites.authority().issuing_pem();
        let issuing_key = issuing.with_extension("key.pem");
        let serial = self.lab.file("forged/serial", b"5eaf\n");
        let [chain, issuing, issuing_key, serial] =
            [chain, issuing, issuing_key, serial].map(|path| path.to_str().unwrap().to_owned());
        let again = ["x509", "-sha1", "-days", "30", "-in", &chain, "-CA", &issuing, "-CAkey", &issuing_key];
        let leaf = openssl(&[&again[..], &["-CAserial", &serial]].concat(), "").await;
        self.shown(&format!("{leaf}{}", self.above), &std::fs::read_to_string(key).unwrap())
    }

    /// Puts a chain and a key into files.
    pub fn shown(&self, chain: &str, key: &str) -> Shown {
        let name = format!("forged/{:016x}", u64::from_be_bytes(random_bytes().unwrap()));
        let file = |suffix: &str, text: &str| self.lab.file(&format!("{name}.{suffix}"), text.as_bytes());
        let shown = Shown { chain: file("pem", chain), key: file("key.pem", key) };
        std::fs::set_permissions(&shown.key, Permissions::from_mode(0o600)).unwrap();
        shown
    }
}

/// What `openssl` writes when it reads this.
async fn openssl(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

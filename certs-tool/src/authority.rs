//! One authority of a lab: its certificate, its key, and what it signs.

use std::path::Path;

use durable::Access;
use pki::{inspect::CertificateFacts, pem, policy::Policy};
use protocol::moment::Moment;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PublicKeyData, RevokedCertParams, SerialNumber,
};
use rustls_pki_types::PrivateKeyDer;
use time::OffsetDateTime;

use crate::{
    fault::LabFault,
    issue::Validity,
    key_type::KeyType,
    profile::{subject, test_only},
    serial::Serial,
    state::ListState,
};

/// An authority that can sign.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    facts: CertificateFacts,
    /// Its certificate as a PEM section.
    pub(crate) pem: String,
}

/// A new authority's certificate, before it is signed.
fn authority_params(name: &str, below: u8, life: Validity) -> Result<CertificateParams, LabFault> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(None, name)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.custom_extensions = vec![test_only()];
    params.serial_number = Some(Serial::random()?.to_rcgen());
    params.use_authority_key_identifier_extension = true;
    life.apply(&mut params)?;
    Ok(params)
}

impl Authority {
    /// Makes a root, stores it as `NAME.pem` and `NAME.key.pem`.
    pub(crate) fn create_root(
        dir: &Path,
        name: &str,
        common_name: &str,
        key_type: KeyType,
        life: Validity,
    ) -> Result<Self, LabFault> {
        let key = key_type.generate()?;
        let params = authority_params(common_name, 1, life)?;
        let certificate = params.self_signed(&key).map_err(LabFault::Make)?;
        store(dir, name, certificate.der(), &key)?;
        Authority::load(dir, name)
    }

    /// Makes an authority below this one, stores it as `NAME.pem` and `NAME.key.pem`.
    pub(crate) fn create_below(
        &self,
        dir: &Path,
        name: &str,
        common_name: &str,
        key_type: KeyType,
        life: Validity,
    ) -> Result<Self, LabFault> {
        let key = key_type.generate()?;
        let certificate = self.sign(&authority_params(common_name, 0, life)?, &key)?;
        store(dir, name, &certificate, &key)?;
        Authority::load(dir, name)
    }

    /// Reads an authority of a lab.
    pub(crate) fn load(dir: &Path, name: &str) -> Result<Self, LabFault> {
        let path = dir.join(format!("{name}.pem"));
        let damaged = |what: &str| LabFault::Damaged { path: path.clone(), what: what.to_owned() };
        let certificates = pem::certificates(&path)?;
        let [der] = certificates.as_slice() else { return Err(damaged("more than one certificate")) };
        let facts = CertificateFacts::of(der, &Policy::default())
            .ok_or_else(|| damaged("no readable certificate"))?;
        let key = pem::private_key(&dir.join(format!("{name}.key.pem")))?;
        let PrivateKeyDer::Pkcs8(key) = key else { return Err(damaged("its key is not in PKCS#8")) };
        let key = KeyPair::try_from(key.secret_pkcs8_der()).map_err(|_| damaged("its key cannot be read"))?;
        if key.subject_public_key_info() != facts.public_key_info {
            return Err(damaged("its key is another certificate's"));
        }
        let issuer = Issuer::from_ca_cert_der(der, key).map_err(|_| damaged("no authority's certificate"))?;
        Ok(Authority { issuer, facts, pem: pem::encode(pem::CERTIFICATE, der) })
    }

    pub(crate) fn not_after(&self) -> Moment {
        self.facts.description.not_after
    }

    pub(crate) fn name(&self) -> &str {
        &self.facts.description.subject
    }

    pub(crate) fn serial(&self) -> &str {
        &self.facts.description.serial
    }

    /// A certificate for this key, in DER.
    pub(crate) fn sign(&self, params: &CertificateParams, key: &KeyPair) -> Result<Vec<u8>, LabFault> {
        let certificate = params.signed_by(key, &self.issuer).map_err(LabFault::Make)?;
        Ok(certificate.der().to_vec())
    }

    /// The authority's list as its memory says, as a PEM section.
    pub(crate) fn sign_list(
        &self,
        list: &ListState,
        this_update: Moment,
        next_update: Moment,
    ) -> Result<String, LabFault> {
        let revoked = list.revoked.iter().map(|entry| {
            Ok(RevokedCertParams {
                serial_number: entry.serial.to_rcgen(),
                revocation_time: date(entry.at)?,
                reason_code: entry.reason.to_rcgen(),
                invalidity_date: None,
            })
        });
        let params = CertificateRevocationListParams {
            this_update: date(this_update)?,
            next_update: date(next_update)?,
            crl_number: SerialNumber::from(list.crl_number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect::<Result<_, LabFault>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = params.signed_by(&self.issuer).map_err(LabFault::Make)?;
        Ok(pem::encode(pem::CRL, signed.der()))
    }
}

fn store(dir: &Path, name: &str, certificate: &[u8], key: &KeyPair) -> Result<(), LabFault> {
    let key_path = dir.join(format!("{name}.key.pem"));
    durable::create(&key_path, key_pem(key).as_bytes(), Access::Private)
        .map_err(LabFault::io("write", &key_path))?;
    let path = dir.join(format!("{name}.pem"));
    durable::create(&path, pem::encode(pem::CERTIFICATE, certificate).as_bytes(), Access::Shared)
        .map_err(LabFault::io("write", &path))
}

/// A key as a PEM section in PKCS#8.
pub(crate) fn key_pem(key: &KeyPair) -> String {
    pem::encode(pem::PRIVATE_KEY, key.serialized_der())
}

/// To whole seconds, the unit of certificates.
pub(crate) fn date(moment: Moment) -> Result<OffsetDateTime, LabFault> {
    i64::try_from(moment.unix_seconds())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(LabFault::Time)
}

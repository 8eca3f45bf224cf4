//! An authority for the tests of this crate: certificates and lists of every kind, good and bad.

pub(crate) mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::moment::Moment;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use time::{Duration, OffsetDateTime};

use crate::{
    clock,
    credential::Credential,
    oid::{self, tagged},
    pem,
    policy::Policy,
    trust::Trust,
};

pub(crate) const INSTITUTION: &str = "urn:sekisho:test:institution:1310000018";
pub(crate) const CENTRE: &str = "urn:sekisho:test:review-agency:113";
pub(crate) const HOST: &str = "centre.example";

/// The time now, to the second, which is what certificates can say.
pub(crate) fn today() -> OffsetDateTime {
    OffsetDateTime::now_utc().replace_nanosecond(0).unwrap()
}

pub(crate) fn moment(time: OffsetDateTime) -> Moment {
    Moment::from_unix_ms(time.unix_timestamp() * 1000)
}

/// A certificate with its key.
pub(crate) struct Leaf {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) serial: SerialNumber,
    pub(crate) key: KeyPair,
}

/// An authority: a root, or one below another.
pub(crate) struct Authority {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) serial: SerialNumber,
    issuer: Issuer<'static, KeyPair>,
}

fn next_serial() -> SerialNumber {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    SerialNumber::from(0x0100_0000_0000_0000 + NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = today() - Duration::hours(2);
    params.not_after = today() + Duration::days(365);
    params.serial_number = Some(next_serial());
    params
}

pub(crate) fn eku(purposes: &[&[u8]]) -> CustomExtension {
    CustomExtension::from_oid_content(oid::EXTENDED_KEY_USAGE_ARCS, oid::extended_key_usage(purposes))
}

pub(crate) fn test_only() -> CustomExtension {
    CustomExtension::from_oid_content(
        oid::CERTIFICATE_POLICIES_ARCS,
        oid::certificate_policies(oid::TEST_ONLY),
    )
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(crate) fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

/// What a good leaf has: an identity, one purpose, a month of life.
pub(crate) fn leaf_params(identity: &str, purpose: &[u8]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "leaf");
    params.subject_alt_names = vec![uri(identity)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.custom_extensions = vec![eku(&[purpose])];
    params.not_before = today() - Duration::hours(1);
    params.not_after = today() + Duration::days(30);
    params.serial_number = Some(next_serial());
    params.use_authority_key_identifier_extension = true;
    params
}

pub(crate) fn client_params() -> CertificateParams {
    leaf_params(INSTITUTION, oid::CLIENT_AUTH)
}

pub(crate) fn server_params() -> CertificateParams {
    let mut params = leaf_params(CENTRE, oid::SERVER_AUTH);
    params.subject_alt_names.push(dns(HOST));
    params
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Authority::root_of(authority_params(name))
    }

    pub(crate) fn root_of(params: CertificateParams) -> Self {
        Authority::root_with(params, KeyPair::generate().unwrap())
    }

    pub(crate) fn root_with(params: CertificateParams, key: KeyPair) -> Self {
        let der = params.self_signed(&key).unwrap().der().clone();
        Authority { der, serial: params.serial_number.clone().unwrap(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn below(&self, name: &str) -> Self {
        self.below_of(authority_params(name))
    }

    pub(crate) fn below_of(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Authority { der, serial: params.serial_number.clone().unwrap(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn leaf(&self, params: &CertificateParams) -> Leaf {
        self.leaf_with(params, KeyPair::generate().unwrap())
    }

    pub(crate) fn leaf_with(&self, params: &CertificateParams, key: KeyPair) -> Leaf {
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Leaf { der, serial: params.serial_number.clone().unwrap(), key }
    }

    /// A certificate for a key that somebody claims.
    pub(crate) fn certify(
        &self,
        params: &CertificateParams,
        key: &impl rcgen::PublicKeyData,
    ) -> CertificateDer<'static> {
        params.signed_by(key, &self.issuer).unwrap().der().clone()
    }

    /// A list made an hour ago, good for a day.
    pub(crate) fn crl(
        &self,
        number: u64,
        revoked: &[&SerialNumber],
    ) -> CertificateRevocationListDer<'static> {
        self.crl_of(&crl_params(number, revoked))
    }

    pub(crate) fn crl_of(
        &self,
        params: &CertificateRevocationListParams,
    ) -> CertificateRevocationListDer<'static> {
        params.signed_by(&self.issuer).unwrap().into()
    }
}

pub(crate) fn rsa_key() -> KeyPair {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap()
}

pub(crate) fn crl_params(number: u64, revoked: &[&SerialNumber]) -> CertificateRevocationListParams {
    CertificateRevocationListParams {
        this_update: today() - Duration::hours(1),
        next_update: today() + Duration::days(1),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked
            .iter()
            .map(|serial| RevokedCertParams {
                serial_number: (*serial).clone(),
                revocation_time: today() - Duration::minutes(90),
                reason_code: None,
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    }
}

/// PEM text of certificates, in this order.
pub(crate) fn certificates_pem(certificates: &[&CertificateDer<'_>]) -> Vec<u8> {
    certificates.iter().map(|der| pem::encode(pem::CERTIFICATE, der)).collect::<String>().into_bytes()
}

pub(crate) fn crls_pem(crls: &[&CertificateRevocationListDer<'_>]) -> Vec<u8> {
    crls.iter().map(|der| pem::encode(pem::CRL, der)).collect::<String>().into_bytes()
}

pub(crate) fn key_pem(key: &KeyPair) -> Vec<u8> {
    pem::encode(pem::PRIVATE_KEY, key.serialized_der()).into_bytes()
}

/// Trust in these roots, with these lists.
pub(crate) fn trust(
    roots: &[&CertificateDer<'_>],
    issuers: &[&CertificateDer<'_>],
    crls: &[&CertificateRevocationListDer<'_>],
) -> Trust {
    trust_by(Policy::default(), roots, issuers, crls)
}

/// The same, by this policy.
pub(crate) fn trust_by(
    policy: Policy,
    roots: &[&CertificateDer<'_>],
    issuers: &[&CertificateDer<'_>],
    crls: &[&CertificateRevocationListDer<'_>],
) -> Trust {
    let (roots, issuers) = (certificates_pem(roots), certificates_pem(issuers));
    Trust::from_pem(&roots, &issuers, &crls_pem(crls), policy, clock::now()).unwrap()
}

/// A leaf and its issuers as our own certificate.
pub(crate) fn credential(leaf: &Leaf, issuers: &[&Authority]) -> Credential {
    let chain: Vec<&CertificateDer<'_>> =
        std::iter::once(&leaf.der).chain(issuers.iter().map(|issuer| &issuer.der)).collect();
    Credential::from_pem(&certificates_pem(&chain), &key_pem(&leaf.key), &Policy::default()).unwrap()
}

/// A list written by hand, for what the builder refuses to write.
pub(crate) struct RawCrl {
    pub(crate) next_update: Option<OffsetDateTime>,
    /// INTEGER in DER.
    pub(crate) number: Option<Vec<u8>>,
    /// Critical extensions of the list: OID content and value.
    pub(crate) critical: Vec<(&'static [u8], Vec<u8>)>,
    /// Critical extensions of its one entry.
    pub(crate) entry_critical: Vec<(&'static [u8], Vec<u8>)>,
}

impl RawCrl {
    pub(crate) fn good() -> Self {
        RawCrl {
            next_update: Some(today() + Duration::days(1)),
            number: Some(vec![0x02, 0x01, 0x01]),
            critical: vec![],
            entry_critical: vec![],
        }
    }
}

impl Authority {
    /// The same name and key in another certificate.
    pub(crate) fn certificate_again(&self, params: &CertificateParams) -> CertificateDer<'static> {
        params.self_signed(self.issuer.key()).unwrap().der().clone()
    }

    pub(crate) fn raw_crl(&self, list: &RawCrl) -> CertificateRevocationListDer<'static> {
        let algorithm = tagged(0x30, &tagged(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
        let name = x509_parser::parse_x509_certificate(&self.der).unwrap().1.subject().as_raw().to_vec();
        let mut entry = [tagged(0x02, &[0x55]), utc_time(today() - Duration::hours(1))].concat();
        if !list.entry_critical.is_empty() {
            entry.extend(tagged(0x30, &critical(&list.entry_critical)));
        }
        // An authority key identifier that says nothing: extensions must not be empty.
        let nothing = [tagged(0x06, &[0x55, 0x1d, 0x23]), tagged(0x04, &[0x30, 0x00])].concat();
        let mut extensions = [tagged(0x30, &nothing), critical(&list.critical)].concat();
        if let Some(number) = &list.number {
            let number = [tagged(0x06, &[0x55, 0x1d, 0x14]), tagged(0x04, number)].concat();
            extensions.extend(tagged(0x30, &number));
        }
        let mut tbs = [tagged(0x02, &[0x01]), algorithm.clone(), name].concat();
        tbs.extend(utc_time(today() - Duration::hours(1)));
        tbs.extend(list.next_update.map(utc_time).unwrap_or_default());
        tbs.extend(tagged(0x30, &tagged(0x30, &entry)));
        tbs.extend(tagged(0xa0, &tagged(0x30, &extensions)));
        let tbs = tagged(0x30, &tbs);
        let signature = rcgen::SigningKey::sign(self.issuer.key(), &tbs).unwrap();
        let signature = tagged(0x03, &[&[0], signature.as_slice()].concat());
        tagged(0x30, &[tbs, algorithm, signature].concat()).into()
    }
}

fn critical(extensions: &[(&'static [u8], Vec<u8>)]) -> Vec<u8> {
    let one = |(id, value): &(&'static [u8], Vec<u8>)| {
        tagged(0x30, &[tagged(0x06, id), tagged(0x01, &[0xff]), tagged(0x04, value)].concat())
    };
    extensions.iter().flat_map(one).collect()
}

fn utc_time(at: OffsetDateTime) -> Vec<u8> {
    let form = time::macros::format_description!("[year repr:last_two][month][day][hour][minute][second]Z");
    tagged(0x17, at.format(form).unwrap().as_bytes())
}

/// Every occurrence of `from` replaced by `to`, which is as long.
pub(crate) fn patched(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = der.to_vec();
    let places: Vec<usize> =
        (0..=der.len() - from.len()).filter(|at| der[*at..at + from.len()] == *from).collect();
    assert!(!places.is_empty(), "nothing to patch");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

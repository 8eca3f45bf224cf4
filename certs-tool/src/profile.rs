//! The three kinds of leaf certificate: what each is for, and nothing else.

use std::net::IpAddr;

use pki::oid;
use protocol::party::Identity;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, IsCa, KeyUsagePurpose, SanType,
    string::{Ia5String, PrintableString},
};

use crate::fault::LabFault;

/// What a leaf certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Profile {
    /// The client side of TLS: an edge of whatever role.
    Institution,
    /// The server side of TLS: a centre, with the names it is dialled by.
    Centre,
    /// Signing manifests, receipts, refusals and acknowledgements.
    Evidence,
}

impl Profile {
    /// The name used on the command line and in file names.
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Institution => "institution",
            Profile::Centre => "centre",
            Profile::Evidence => "evidence",
        }
    }

    /// The extended key usage, as the content bytes of the OID.
    fn purpose(self) -> &'static [u8] {
        match self {
            Profile::Institution => oid::CLIENT_AUTH,
            Profile::Centre => oid::SERVER_AUTH,
            Profile::Evidence => oid::EVIDENCE,
        }
    }

    /// All that a certificate of this profile says but number and dates.
    pub(crate) fn params(self, identity: &Identity, names: &[&str]) -> Result<CertificateParams, LabFault> {
        match (self, names) {
            (Profile::Centre, []) => return Err(LabFault::NamesMissing),
            (Profile::Centre, _) | (_, []) => {}
            _ => return Err(LabFault::NamesNotWanted),
        }
        let mut params = CertificateParams::default();
        let code = identity.codes().first().map(|code| code.as_str()).unwrap_or_default();
        params.distinguished_name = subject(Some(identity.role().name()), code)?;
        let uri = Ia5String::try_from(identity.to_uri()).map_err(LabFault::Make)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        for name in names {
            params.subject_alt_names.push(host(name)?);
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.custom_extensions = vec![
            CustomExtension::from_oid_content(
                oid::EXTENDED_KEY_USAGE_ARCS,
                oid::extended_key_usage(&[self.purpose()]),
            ),
            test_only(),
        ];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }
}

/// `C=JP, O=TEST, OU=…, CN=…`: whoever reads the name sees that it is not real.
pub(crate) fn subject(unit: Option<&str>, common_name: &str) -> Result<DistinguishedName, LabFault> {
    let country = PrintableString::try_from("JP").map_err(LabFault::Make)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, DnValue::PrintableString(country));
    name.push(DnType::OrganizationName, "TEST");
    if let Some(unit) = unit {
        name.push(DnType::OrganizationalUnitName, unit);
    }
    name.push(DnType::CommonName, common_name);
    Ok(name)
}

/// The mark that production refuses.
pub(crate) fn test_only() -> CustomExtension {
    let policy = oid::certificate_policies(oid::TEST_ONLY);
    CustomExtension::from_oid_content(oid::CERTIFICATE_POLICIES_ARCS, policy)
}

fn host(name: &str) -> Result<SanType, LabFault> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let bad = || LabFault::BadName { name: name.to_owned() };
    // The TLS library's own idea of a host name: what it would dial.
    rustls_pki_types::DnsName::try_from(name).map_err(|_| bad())?;
    Ok(SanType::DnsName(Ia5String::try_from(name).map_err(|_| bad())?))
}

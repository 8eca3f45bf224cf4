//! Which of its issuer's certificates a list covers (RFC 5280 sections 4.2.1.13 and 5.2.5).
//!
//! A list with an issuing distribution point is a part of the whole: it says nothing of certificates that do not name
//! that point. Only addresses (URIs) are compared; a point of another form covers nobody.

use std::{collections::BTreeSet, fmt};

use x509_parser::{
    certificate::X509Certificate,
    extensions::{DistributionPointName, GeneralName, IssuingDistributionPoint, ParsedExtension},
};

use super::CrlFault;

/// What a list covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// Addresses of the distribution point; none for the complete list.
    points: BTreeSet<String>,
    only: Only,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Only {
    #[default]
    All,
    EndEntities,
    Authorities,
}

impl Scope {
    /// The scope of a list with this issuing distribution point.
    pub(super) fn of(point: &IssuingDistributionPoint<'_>) -> Result<Self, CrlFault> {
        if point.indirect_crl {
            return Err(CrlFault::Indirect);
        }
        if point.only_some_reasons.is_some() || point.only_contains_attribute_certs {
            return Err(CrlFault::ScopeUnclear);
        }
        let only = match (point.only_contains_user_certs, point.only_contains_ca_certs) {
            (false, false) => Only::All,
            (true, false) => Only::EndEntities,
            (false, true) => Only::Authorities,
            (true, true) => return Err(CrlFault::ScopeUnclear),
        };
        let points: BTreeSet<String> = addresses(point.distribution_point.as_ref()).collect();
        if points.is_empty() { Err(CrlFault::ScopeUnclear) } else { Ok(Scope { points, only }) }
    }

    /// Does a list of this scope say something of a certificate that is an authority's or not and names these points?
    pub(crate) fn covers(&self, is_authority: bool, points: &[String]) -> bool {
        let kind = match self.only {
            Only::All => true,
            Only::EndEntities => !is_authority,
            Only::Authorities => is_authority,
        };
        kind && (self.points.is_empty() || points.iter().any(|point| self.points.contains(point)))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.only {
            Only::All => "all",
            Only::EndEntities => "end entities",
            Only::Authorities => "authorities",
        })?;
        self.points.iter().try_for_each(|point| write!(f, " {}", point.escape_debug()))
    }
}

/// The addresses at which a certificate says that its revocation is published. A point with reasons or an issuer of its own
/// belongs to lists that are not used.
pub(crate) fn distribution_points(certificate: &X509Certificate<'_>) -> Vec<String> {
    let points = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::CRLDistributionPoints(points) => Some(&points.points),
        _ => None,
    });
    let plain = points.flatten().filter(|point| point.reasons.is_none() && point.crl_issuer.is_none());
    plain.flat_map(|point| addresses(point.distribution_point.as_ref())).collect()
}

fn addresses(name: Option<&DistributionPointName<'_>>) -> impl Iterator<Item = String> {
    let names = match name {
        Some(DistributionPointName::FullName(names)) => names.as_slice(),
        Some(DistributionPointName::NameRelativeToCRLIssuer(_)) | None => &[],
    };
    names.iter().filter_map(|name| match name {
        GeneralName::URI(address) => Some((*address).to_owned()),
        _ => None,
    })
}

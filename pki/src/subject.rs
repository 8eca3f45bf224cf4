//! A certificate of a path whose revocation is asked after.

use protocol::moment::Moment;
use x509_parser::certificate::X509Certificate;

use crate::{
    clock::moment_of_asn1,
    crl::{Scope, distribution_points},
};

/// What revocation lists are asked with.
pub(crate) struct Subject<'a> {
    /// The content of its serial number's INTEGER.
    pub(crate) serial: &'a [u8],
    /// The end of its life.
    pub(crate) not_after: Moment,
    is_authority: bool,
    distribution_points: Vec<String>,
}

impl<'a> Subject<'a> {
    /// `serial` as the path library reads it, which also reads the lists.
    pub(crate) fn new(serial: &'a [u8], certificate: &X509Certificate<'_>) -> Self {
        Subject {
            serial,
            not_after: moment_of_asn1(certificate.validity().not_after),
            is_authority: certificate.is_ca(),
            distribution_points: distribution_points(certificate),
        }
    }

    /// Does a list of this scope say something of it?
    pub(crate) fn is_covered_by(&self, scope: &Scope) -> bool {
        scope.covers(self.is_authority, &self.distribution_points)
    }
}

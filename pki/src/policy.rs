//! What is asked of certificates beyond the standards: data, from the configuration.

use std::time::Duration;

use protocol::identity_rule::IdentityRules;

use crate::signatures::Signatures;

/// How certificates are judged and read.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// From the names in a certificate to the identity that it proves.
    pub identities: IdentityRules,
    /// Which keys and signatures count.
    pub signatures: Signatures,
    /// The one authority whose revocation list may have ended.
    pub danger_crl_grace: Option<CrlGrace>,
}

/// The longest grace: who needs more has lost the authority and not its list.
pub const CRL_GRACE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Leave for one authority's revocation list to be used for some hours after its end, while its successor cannot be
/// fetched. Until then a certificate that was revoked meanwhile still counts; each use of it is said to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlGrace {
    issuer: String,
    length: Duration,
}

impl CrlGrace {
    /// For the authority of this distinguished name; `None` if it is longer than [`CRL_GRACE_MAX`].
    pub fn new(issuer: &str, length: Duration) -> Option<Self> {
        (length <= CRL_GRACE_MAX).then(|| CrlGrace { issuer: issuer.to_owned(), length })
    }

    /// The authority's distinguished name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// For how long after the list's end.
    pub fn length(&self) -> Duration {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_of_more_than_a_day_is_refused() {
        assert!(CrlGrace::new("CN=x", CRL_GRACE_MAX).is_some());
        assert!(CrlGrace::new("CN=x", CRL_GRACE_MAX + Duration::from_secs(1)).is_none());
    }
}

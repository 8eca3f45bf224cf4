//! `[crl]`: how revocation lists are fetched, for both programs.

use std::time::Duration;

use protocol::party::Environment;

use crate::{
    limits,
    reader::{Fault, Section},
};

/// What the table is for.
pub(crate) const MEANING: &str = "How revocation lists (CRL) are fetched from crl_urls.";

/// How often, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// A list that was fetched is fetched again after this time.
    pub refresh: Duration,
    /// One fetch takes no longer.
    pub fetch_max: Duration,
}

impl Fetching {
    pub(crate) fn read(section: &Section<'_>, environment: Option<Environment>) -> Option<Self> {
        let refresh = section.limit(&limits::CRL_REFRESH);
        let fetch_max = section.limit(&limits::CRL_FETCH_MAX);
        let fetching = Fetching { refresh: refresh?, fetch_max: fetch_max? };
        if environment == Some(Environment::Production)
            && fetching.refresh < limits::CRL_REFRESH_PRODUCTION_LOW
        {
            section.refuse(
                limits::CRL_REFRESH.name,
                Fault::new(
                    "is below \"1m\" in production, where the authority's server is everybody's",
                    "write at least \"1m\"",
                ),
            );
            return None;
        }
        Some(fetching)
    }
}

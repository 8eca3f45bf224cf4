//! The only crate that reads X.509 or builds TLS configurations.
//!
//! Whoever needs a judgement about a certificate asks here and gets a value that proves it ([`peer::PeerIdentity`]) or a
//! fault with a stable code ([`fault::PeerFault`]). Revocation fails closed: no certificate counts without a list of
//! its issuer that is in force.

pub mod anchors;
pub mod clock;
pub mod credential;
pub mod crl;
mod crl_archive;
pub mod crl_cache;
pub mod crl_index;
mod der;
pub mod evidence;
pub mod explain;
pub mod fault;
pub mod fetch;
pub mod inspect;
pub mod issuer;
pub mod leaf;
pub mod log_key;
mod names;
pub mod oid;
pub mod path;
pub mod peer;
pub mod pem;
pub mod platform;
pub mod policy;
mod provider;
pub mod random;
pub mod refusal;
pub mod signatures;
mod socket_table;
mod subject;
pub mod tls;
pub mod trust;
mod verdicts;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod testing;

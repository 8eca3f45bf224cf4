//! A certificate authority for test labs: a root, an issuing authority, leaves of three profiles, revocation lists.
//!
//! Everything it makes bears the certificate policy "TEST ONLY", which production gateways refuse. For programs:
//! [`lab::Lab`]; for people: the command `sekisho-certs` ([`cli`]).

mod authority;
pub mod cli;
pub mod commands;
pub mod fault;
pub mod issue;
pub mod key_type;
pub mod lab;
pub mod profile;
pub mod revocation;
pub mod serial;
mod state;
pub mod when;

pub use fault::LabFault;
pub use issue::{Issued, Validity};
pub use lab::Lab;
pub use profile::Profile;
pub use revocation::{Reason, Revocation};

#[cfg(test)]
mod tests;

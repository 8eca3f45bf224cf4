//! The configuration files of the gateway and of the client: typed, checked, explained.
//!
//! A file is read in one pass that collects every mistake; whoever starts a program sees all of them at once, each
//! with its line, its key, the reason and what to write instead. What comes out is typed, so nothing behind this crate
//! parses a text again.
//!
//! - [`GatewayConfig`] is the gateway's file, [`ClientSettings`] the client's;
//! - [`limits`] is the one home of every limit an operator may set, with its default and the reason for it;
//! - [`reader`] is the machinery both are written in;
//! - [`reference_page`] is the operator's reference, made from the same calls that read the files.

pub mod client;
pub mod crypto;
pub mod fetching;
pub mod gateway;
mod identity;
pub mod limits;
mod mistake;
pub mod network;
pub mod reader;
mod reference;
pub mod sending;
pub mod shared;

pub use client::ClientSettings;
pub use gateway::GatewayConfig;
pub use identity::load_identities;
pub use mistake::{ConfigError, Mistake};
pub use reference::reference_page;

//! Sekisho beside other products, doing the same work on the same machine: `cargo bench-peers`.
//!
//! One file for each product says how it is set up, one for each suite what it does; benches/README.md explains every
//! figure.

pub mod backend;
pub mod durable;
pub mod envoy;
pub mod growth;
pub mod handshakes;
pub mod haproxy;
pub mod idle;
pub mod kit;
pub mod machine;
pub mod nginx;
pub mod order;
pub mod past;
pub mod plot;
pub mod product;
pub mod relay;
pub mod requests;
pub mod sekisho;
pub mod sink;
pub mod streaming;
pub mod stunnel;

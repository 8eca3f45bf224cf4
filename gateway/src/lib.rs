//! The gateway daemon: the machine at the border between the line and an agency's systems.
//!
//! The way of one transfer at the centre, each step one function whose argument proves the step before:
//! [`listener`] (permit → accept → handshake → peer) → [`peer::Peer::permit_transfer`] → [`receive::receive`]
//! (receiving → whole) → [`commit::check`] → [`commit::commit`] → [`answer`], and then, on its own, [`delivery`].

pub mod abort;
pub mod admin;
pub mod alarms;
pub mod answer;
pub mod ask;
pub mod ask_admin;
pub mod attempts;
pub mod blocked;
pub mod body;
pub mod bulk;
pub mod centre;
pub mod chain;
pub mod check_lists;
pub mod check_peer;
pub mod cli;
pub mod commit;
pub mod conclude;
pub mod confine;
pub mod connection;
pub mod content;
pub mod cores;
pub mod counterpart;
pub mod counters;
pub mod crl_fetch;
pub mod crl_serve;
pub mod delivery;
pub mod denied;
pub mod expiry;
pub mod gate;
pub mod handover;
pub mod health;

pub mod host;
pub mod in_force;
pub mod intake;
pub mod later;
pub mod limits;
pub mod listener;
pub mod live;
pub mod log;
pub mod log_key;
pub mod metrics;
pub mod minutes;
pub mod offer;
pub mod operate;
pub mod overdue;
pub mod pace;
pub mod peer;
pub mod per_minute;
pub mod pieces;
pub mod proxy_protocol;
pub mod rate;
pub mod reasons;
pub mod receive;
pub mod refusal;
pub mod reload;
pub mod request;
pub mod room;
pub mod route;
pub mod run;
pub mod send;
pub mod service;
pub mod sign;
pub mod sink;
pub mod spool_key;
pub mod start;
pub mod steps;
pub mod stop;
pub mod stream;
pub mod turned;
pub mod watch;
pub mod watching;

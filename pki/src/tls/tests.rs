//! Real handshakes over buffers: who gets in, who does not, and what each side learns.

mod log;
mod peers;
mod pinned;
mod refused_clients;
mod refused_servers;
mod resumption;
mod verdicts;
mod versions;

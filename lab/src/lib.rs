//! A lab on one machine: the demo, a proxy that breaks the line on purpose, and synthetic claims files.
//!
//! Nothing here is delivered to anybody who carries real claims; `sekisho-lab` is its program.

pub mod generate;
pub mod proxy;

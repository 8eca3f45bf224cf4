//! A lab on one machine: the demo, a proxy that breaks the line on purpose, and synthetic claims files.
//!
//! Nothing here is delivered to anybody who carries real claims; `sekisho-lab` is its program. The project's own tests
//! use the same parts.

pub mod command;
pub mod demo;
pub mod generate;
pub mod program;
pub mod proxy;
pub mod site;

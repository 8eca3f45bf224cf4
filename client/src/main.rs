//! The `sekisho` command: only wiring.

fn main() {}

//! sekisho-lab
fn main() {}

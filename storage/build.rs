//! Builds again when a migration was added: cargo does not see what `sqlx::migrate!` reads.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}

//! The end of patience: a condition that never comes fails its test, instead of holding up all the others.

use std::{future::Future, time::Duration};

/// Far beyond anything that a test waits for, on a slow and busy machine too. No test's outcome depends on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a condition; panics when it has not come for far too long.
pub async fn patiently<T>(what: &str, condition: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(PATIENCE, condition).await;
    came.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

//! Ctrl-C and SIGTERM: stop cleanly, put the stop on record, say how to go on.

use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Cancels the token at the first signal; listens for as long as the handle lives.
pub(super) fn cancel_on_signal(stop: &CancellationToken) -> AbortOnDropHandle<()> {
    let stop = stop.clone();
    AbortOnDropHandle::new(tokio::spawn(async move {
        signalled().await;
        stop.cancel();
    }))
}

#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return interrupted().await;
    };
    tokio::select! {
        () = interrupted() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signalled() {
    interrupted().await;
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals the program can still be ended, only less politely.
        std::future::pending::<()>().await;
    }
}

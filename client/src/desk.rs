//! What all transfers of one client share: its store, its keys, and the way to the centre.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use config::client::Retry;
use protocol::{
    jws::{Signer, Verifier},
    party::{Environment, Identity, Party},
    transfer_id::TransferId,
};

use crate::{
    error::SendError,
    line::Dialer,
    pace::Pace,
    store::{Store, StoreFault},
};

/// Everything that a transfer needs beside itself.
pub(crate) struct Desk {
    pub environment: Environment,
    /// The usual sender.
    pub party: Party,
    /// Where everything goes.
    pub receiver: Party,
    /// The identity of our certificates.
    pub acting: Identity,
    pub signer: Arc<dyn Signer>,
    pub verifier: Arc<dyn Verifier>,
    /// The revocation lists that judgements of evidence rely on; DER.
    pub crls: Vec<Vec<u8>>,
    pub dialer: Dialer,
    /// Bytes of content from which on it has a line of its own.
    pub own_line_from: u64,
    /// How fast content leaves, if that is limited.
    pub pace: Option<Arc<Pace>>,
    pub retry: Retry,
    pub store: Arc<Mutex<Store>>,
    /// Held while an offer is made. Each offer shows the centre a head of our log, and the proof beside it fits only the
    /// head that the centre has seen by then.
    pub offering: tokio::sync::Mutex<()>,
    /// Transfers that a task works on now.
    pub running: Mutex<HashSet<TransferId>>,
}

impl Desk {
    /// Works on the store, on a thread that may block. What was begun is finished even if nobody waits any more.
    pub async fn on_disk<T, E>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreFault> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        let done = tokio::task::spawn_blocking(move || match store.lock() {
            Ok(mut store) => work(&mut store),
            // Whoever held it panicked half-way: what is in memory may not be what is on disk.
            Err(_) => Err(StoreFault::Lost.into()),
        });
        done.await.unwrap_or_else(|_| Err(StoreFault::Lost.into()))
    }

    /// A centre whose log contradicted itself gets nothing more until people have looked into it.
    pub async fn refuse_fork(&self) -> Result<(), SendError> {
        let receiver = self.receiver.clone();
        let fork = self
            .on_disk(move |store| {
                let fork = store.centre(&receiver).and_then(|centre| centre.fork.as_ref());
                Ok::<_, StoreFault>(fork.map(|fork| fork.reason.clone()))
            })
            .await?;
        match fork {
            None => Ok(()),
            Some(reason) => Err(SendError::LogForked { reason }),
        }
    }

    /// Claims a transfer for one task; it is free again when the claim is dropped.
    pub fn claim(&self, id: TransferId) -> Result<Claim<'_>, SendError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.insert(id) { Ok(Claim { desk: self, id }) } else { Err(SendError::Running { id }) }
    }
}

/// A transfer that one task works on.
pub(crate) struct Claim<'a> {
    desk: &'a Desk,
    id: TransferId,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.desk.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

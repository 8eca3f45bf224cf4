//! Reading and proving the log, beside a running writer or of a copy that nobody writes.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use protocol::{
    checkpoint::LogIdentity,
    digest::Sha256,
    merkle::{self, NodeId, ProofPlan},
};
use sqlx::{
    Sqlite, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{
    log::{read_hashes, read_head},
    opening, queries,
    recent::Recent,
    verify,
};
use crate::{
    audit::{AuditFault, AuditLog, AuditReport, Place, SignedHead},
    ledger::StoreFault,
};

/// Connections that read at the same time. Each is a thread; reads are short.
const READERS_MAX: u32 = 4;

/// The log of one ledger file, for reading alone.
#[derive(Clone, Debug)]
pub struct SqliteAudit {
    pool: SqlitePool,
    log: LogIdentity,
    /// What was written last, where the writer is in this process.
    recent: Option<Arc<Recent>>,
}

impl SqliteAudit {
    /// Opens a ledger's file for reading, whether a gateway is running on it or not, or a copy on a medium that cannot
    /// be written. What is found there is judged by `log`, the log it should be; the file is not changed.
    pub async fn open(path: &Path, log: LogIdentity) -> Result<Self, AuditFault> {
        let audit = SqliteAudit { pool: pool(reader_options(path)).await?, log, recent: None };
        // Without its index in shared memory SQLite cannot read a file in WAL mode, unless told that nobody writes it;
        // that is true of a medium on which the index cannot be made. What stands in a WAL would then be overlooked.
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        let wal = tokio::fs::metadata(Path::new(&wal)).await;
        let nothing_in_wal = wal.map_or(true, |wal| !wal.is_file() || wal.len() == 0);
        if audit.head().await.is_err() && nothing_in_wal {
            let options = reader_options(path).immutable(true);
            let frozen = SqliteAudit { pool: pool(options).await?, log: audit.log.clone(), recent: None };
            audit.close().await;
            return Ok(frozen);
        }
        Ok(audit)
    }

    pub(super) async fn beside_writer(
        path: &Path,
        log: LogIdentity,
        recent: Arc<Recent>,
    ) -> Result<Self, StoreFault> {
        Ok(SqliteAudit { pool: pool(reader_options(path)).await?, log, recent: Some(recent) })
    }

    /// Frees the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The log that the file is judged by.
    pub fn log(&self) -> &LogIdentity {
        &self.log
    }

    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreFault> {
        Ok(self.pool.acquire().await?)
    }

    async fn prove(&self, plan: ProofPlan) -> Result<Vec<Sha256>, AuditFault> {
        let ids: Vec<NodeId> = plan.parts().iter().flatten().copied().collect();
        let mut hashes = self.recent.as_ref().map(|recent| recent.hashes(&ids)).unwrap_or_default();
        let unread: Vec<NodeId> = ids.into_iter().filter(|id| !hashes.contains_key(id)).collect();
        if !unread.is_empty() {
            let mut connection = self.reader().await?;
            let read = read_hashes(&mut connection, &unread).await?;
            if let Some(recent) = &self.recent {
                recent.put_hashes(&read);
            }
            hashes.extend(read);
        }
        plan.fill(|id| hashes.get(&id).copied()).map_err(|missing| {
            let place = match missing.level {
                0 => Place::Entry(missing.index),
                level => Place::Node { level, index: missing.index },
            };
            AuditFault::Damaged { place, what: "it is missing" }
        })
    }
}

fn reader_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .pragma("trusted_schema", "OFF")
        .pragma("temp_store", "MEMORY")
}

async fn pool(options: SqliteConnectOptions) -> Result<SqlitePool, StoreFault> {
    // A connection to a file of this machine does not go dead while nobody looks: asking whether it lives would cost as
    // much as most questions.
    let pool = SqlitePoolOptions::new().max_connections(READERS_MAX).test_before_acquire(false);
    Ok(pool.connect_with(options).await?)
}

#[async_trait]
impl AuditLog for SqliteAudit {
    async fn head(&self) -> Result<SignedHead, AuditFault> {
        if let Some(recent) = &self.recent {
            return Ok(recent.head());
        }
        let mut connection = self.reader().await?;
        let head = read_head(&mut connection, &self.log.origin).await?;
        head.ok_or(AuditFault::Damaged { place: Place::Checkpoint, what: "it is missing" })
    }

    async fn entry(&self, index: u64) -> Result<Option<String>, AuditFault> {
        if let Some(text) = self.recent.as_ref().and_then(|recent| recent.entry(index)) {
            return Ok(Some(text));
        }
        let text = sqlx::query_scalar(queries::LOG_ENTRY)
            .bind(index.cast_signed())
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreFault::from)?;
        Ok(text)
    }

    async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Sha256>, AuditFault> {
        let there = self.head().await?.checkpoint.size;
        if size > there {
            return Err(AuditFault::OutOfRange { asked: size, size: there });
        }
        let plan = merkle::inclusion_plan(index, size)
            .ok_or(AuditFault::OutOfRange { asked: index.saturating_add(1), size })?;
        self.prove(plan).await
    }

    async fn consistency(&self, from: u64, to: u64) -> Result<Vec<Sha256>, AuditFault> {
        let there = self.head().await?.checkpoint.size;
        if to > there {
            return Err(AuditFault::OutOfRange { asked: to, size: there });
        }
        let plan =
            merkle::consistency_plan(from, to).ok_or(AuditFault::OutOfRange { asked: from, size: to })?;
        self.prove(plan).await
    }

    async fn verify(&self, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<AuditReport, AuditFault> {
        opening::check_version(&self.pool).await?;
        verify::verify(self, progress).await
    }
}

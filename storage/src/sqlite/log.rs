//! The log's right edge, as the writer holds it: appending entries and sealing a batch with one signed checkpoint.

use std::collections::HashMap;

use protocol::{
    checkpoint::{Checkpoint, LogSigner},
    digest::Sha256,
    entry::Entry,
    merkle::{self, Frontier, NodeId},
};
use serde_json::{Value, json};
use sqlx::{Row as _, SqliteConnection};

use super::{
    queries,
    rows::{sha256, unsigned},
};
use crate::{
    audit::SignedHead,
    ledger::{LedgerFault, StoreFault},
    transfer::Logged,
};

/// The end of the log. Holds what is durable and, between the first append of a batch and its seal, what is about to
/// become so; after a failed batch it must not be used again.
pub(super) struct Tail {
    frontier: Frontier,
    head: SignedHead,
    /// Entries of the batch, with their places and hashes.
    entries: Vec<(u64, String, Sha256)>,
    /// Nodes that became full in the batch.
    full: Vec<(NodeId, Sha256)>,
}

/// An entry in its place, not yet under a checkpoint.
pub(super) struct Appended {
    index: u64,
    text: String,
}

impl Appended {
    /// Where it stands.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// What callers learn once the batch is durable.
    pub(super) fn under(self, head: &SignedHead) -> Logged {
        Logged {
            index: self.index,
            entry: self.text,
            checkpoint: head.text.clone(),
            size: head.checkpoint.size,
        }
    }
}

/// What a batch adds to the log.
pub(super) struct Growth {
    /// Entries, with their places and hashes.
    pub(super) entries: Vec<(u64, String, Sha256)>,
    /// Nodes above them that became full.
    pub(super) nodes: Vec<(NodeId, Sha256)>,
    /// The head over them; `None` if nothing was appended.
    pub(super) head: Option<SignedHead>,
    /// The size of the head that it takes the place of.
    pub(super) before: u64,
}

impl Tail {
    pub(super) fn new(frontier: Frontier, head: SignedHead) -> Self {
        Tail { frontier, head, entries: Vec::new(), full: Vec::new() }
    }

    /// The newest signed head.
    pub(super) fn head(&self) -> &SignedHead {
        &self.head
    }

    /// Gives the entry its place. It is written with the rest of the batch.
    pub(super) fn append(&mut self, mut entry: Entry) -> Result<Appended, LedgerFault> {
        let index = self.frontier.size();
        entry.seq = index;
        let text = serde_json::to_string(&entry)
            .map_err(|_| LedgerFault::Misfit("the entry is not to be written"))?;
        let hash = merkle::leaf_hash(text.as_bytes());
        self.full.extend(self.frontier.append(hash).into_iter().skip(1));
        self.entries.push((index, text.clone(), hash));
        Ok(Appended { index, text })
    }

    /// What was appended since the last head, under a newly signed one.
    pub(super) fn grow(&mut self, signer: &dyn LogSigner) -> Growth {
        let before = self.head.checkpoint.size;
        let (entries, nodes) = (std::mem::take(&mut self.entries), std::mem::take(&mut self.full));
        let head = (self.frontier.size() > before).then(|| {
            let checkpoint = Checkpoint {
                origin: signer.log().origin.clone(),
                size: self.frontier.size(),
                root: self.frontier.root(),
            };
            SignedHead { text: checkpoint.sign(signer), checkpoint }
        });
        Growth { entries, nodes, head, before }
    }

    /// The head that [`Tail::grow`] gave is written.
    pub(super) fn grown(&mut self, head: SignedHead) {
        self.head = head;
    }
}

impl Growth {
    /// `[position, text, hash]` each.
    pub(super) fn entry_rows(&self) -> Vec<Value> {
        self.entries.iter().map(|entry| json!(entry)).collect()
    }

    /// `[number, hash]` each.
    pub(super) fn node_rows(&self) -> Vec<Value> {
        self.nodes.iter().map(|(id, hash)| json!([node_number(*id), hash])).collect()
    }
}

/// Full subtrees that a log of `size` entries has above its leaves.
pub(super) fn node_count(size: u64) -> u64 {
    size - u64::from(size.count_ones())
}

/// The place of a node above the leaves in the order in which nodes become full.
pub(super) fn node_number(id: NodeId) -> u64 {
    let filled_by = ((id.index + 1) << id.level) - 1;
    node_count(filled_by) + u64::from(id.level) - 1
}

/// The stored head.
pub(super) async fn read_head(
    connection: &mut SqliteConnection,
    origin: &str,
) -> Result<Option<SignedHead>, StoreFault> {
    let row = sqlx::query(queries::LOG_HEAD).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let checkpoint =
        Checkpoint { origin: origin.to_owned(), size: unsigned(&row, "size")?, root: sha256(&row, "root")? };
    // A note that is no text any more is one that nobody signed; whoever verifies it will say so.
    let text = String::from_utf8_lossy(row.try_get("checkpoint")?).into_owned();
    Ok(Some(SignedHead { text, checkpoint }))
}

/// The stored hashes of these nodes and leaves; what is not stored is missing in the answer.
pub(super) async fn read_hashes(
    connection: &mut SqliteConnection,
    ids: &[NodeId],
) -> Result<HashMap<NodeId, Sha256>, StoreFault> {
    let leaves: HashMap<u64, NodeId> =
        ids.iter().filter(|id| id.level == 0).map(|id| (id.index, *id)).collect();
    let nodes: HashMap<u64, NodeId> =
        ids.iter().filter(|id| id.level > 0).map(|id| (node_number(*id), *id)).collect();
    let mut hashes = HashMap::with_capacity(ids.len());
    for (query, wanted) in [(queries::LEAF_HASHES, leaves), (queries::NODE_HASHES, nodes)] {
        if wanted.is_empty() {
            continue;
        }
        let places: Vec<u64> = wanted.keys().copied().collect();
        let rows = sqlx::query(query)
            .bind(serde_json::json!(places).to_string())
            .fetch_all(&mut *connection)
            .await?;
        for row in rows {
            if let Some(id) = wanted.get(&unsigned(&row, "place")?) {
                hashes.insert(*id, sha256(&row, "hash")?);
            }
        }
    }
    Ok(hashes)
}

/// The frontier of a log of `size` entries, from its stored nodes; `None` if one is missing.
pub(super) async fn read_frontier(
    connection: &mut SqliteConnection,
    size: u64,
) -> Result<Option<Frontier>, StoreFault> {
    let ids = merkle::root_nodes(size);
    let hashes = read_hashes(connection, &ids).await?;
    let nodes: Option<Vec<Sha256>> = ids.iter().map(|id| hashes.get(id).copied()).collect();
    Ok(nodes.and_then(|nodes| Frontier::from_nodes(size, nodes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_numbered_without_a_gap_in_the_order_in_which_they_become_full() {
        let mut frontier = Frontier::empty();
        let mut next = 0;
        for leaf in 0u64..300 {
            assert_eq!(node_count(leaf), next);
            for (id, _) in frontier.append(merkle::leaf_hash(&leaf.to_be_bytes())).into_iter().skip(1) {
                assert_eq!(node_number(id), next, "{id:?}");
                next += 1;
            }
        }
    }
}

//! The log's Merkle tree (RFC 6962 section 2, RFC 9162 section 2.1), with its nodes stored.
//!
//! A node is stored as soon as the subtree below it is full, and never changes. Appending, proving and starting up
//! therefore touch O(log n) nodes. Where nodes lie is not this module's business: it says which ones it needs
//! ([`NodeId`]), and folds what it is given.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// A full subtree of 2^`level` leaves, the `index`-th of its level from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// 0 for leaves.
    pub level: u8,
    /// Counted from 0 within the level.
    pub index: u64,
}

/// MTH({}): the root of the empty tree, SHA-256 of nothing.
pub fn empty_root() -> Sha256 {
    Sha256::of(b"")
}

/// The hash of a leaf with this content.
pub fn leaf_hash(content: &[u8]) -> Sha256 {
    Sha256::of_parts(&[&[0], content])
}

/// The hash of a node over these two.
pub fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The full subtrees that make up the leaves `start..end`, left to right; `start` must be a multiple of the largest
/// power of two that fits, as it is for every range that roots and proofs are made of.
fn cover(start: u64, end: u64) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2() as u8;
        nodes.push(NodeId { level, index: at >> level });
        at += 1 << level;
    }
    nodes
}

/// The nodes whose [`fold`] is the root of a tree of `size` leaves.
pub fn root_nodes(size: u64) -> Vec<NodeId> {
    cover(0, size)
}

/// One hash out of the nodes of a cover, left to right; the empty cover is the empty tree.
pub fn fold(hashes: &[Sha256]) -> Sha256 {
    match hashes.split_last() {
        None => empty_root(),
        Some((last, rest)) => rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)),
    }
}

/// The right edge of a tree: enough to append to it and to know its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Sha256>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn empty() -> Self {
        Frontier { size: 0, nodes: Vec::new() }
    }

    /// The tree of `size` leaves whose [`root_nodes`] have these hashes; `None` if their number does not fit.
    pub fn from_nodes(size: u64, nodes: Vec<Sha256>) -> Option<Self> {
        (nodes.len() == size.count_ones() as usize).then_some(Frontier { size, nodes })
    }

    /// Leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree as it is now.
    pub fn root(&self) -> Sha256 {
        fold(&self.nodes)
    }

    /// Adds a leaf and returns the nodes that became full, which must be stored.
    pub fn append(&mut self, leaf: Sha256) -> Vec<(NodeId, Sha256)> {
        let mut hash = leaf;
        let mut id = NodeId { level: 0, index: self.size };
        let mut full = vec![(id, hash)];
        while id.index & 1 == 1
            && let Some(left) = self.nodes.pop()
        {
            hash = node_hash(&left, &hash);
            id = NodeId { level: id.level + 1, index: id.index >> 1 };
            full.push((id, hash));
        }
        self.nodes.push(hash);
        self.size += 1;
        full
    }
}

/// A proof yet to be filled: for each of its hashes the nodes to fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofPlan(Vec<Vec<NodeId>>);

impl ProofPlan {
    /// The nodes of each hash, in the order of the proof.
    pub fn parts(&self) -> &[Vec<NodeId>] {
        &self.0
    }

    /// The proof, from a look-up that knows every node asked for; else the first node that is missing.
    pub fn fill(&self, mut node: impl FnMut(NodeId) -> Option<Sha256>) -> Result<Vec<Sha256>, NodeId> {
        let mut hash_of = |ids: &Vec<NodeId>| {
            let hashes = ids.iter().map(|id| node(*id).ok_or(*id)).collect::<Result<Vec<_>, _>>()?;
            Ok(fold(&hashes))
        };
        self.0.iter().map(&mut hash_of).collect()
    }
}

/// What proves that leaf `index` stands in the tree of `size` leaves; `None` unless `index < size`.
pub fn inclusion_plan(index: u64, size: u64) -> Option<ProofPlan> {
    if index >= size {
        return None;
    }
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            parts.push(cover(middle, end));
            end = middle;
        } else {
            parts.push(cover(start, middle));
            start = middle;
        }
    }
    parts.reverse();
    Some(ProofPlan(parts))
}

/// What proves that the tree of `old` leaves is the beginning of that of `new`; `None` unless `old <= new`.
///
/// Nothing needs proof from the empty tree, nor from a tree to itself: those plans are empty.
pub fn consistency_plan(old: u64, new: u64) -> Option<ProofPlan> {
    if old > new {
        return None;
    }
    if old == 0 || old == new {
        return Some(ProofPlan(Vec::new()));
    }
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, new);
    // SUBPROOF of RFC 6962 section 2.1.2, from the root down.
    loop {
        if old == end {
            if start > 0 {
                parts.push(cover(start, end));
            }
            break;
        }
        let middle = start + split(end - start);
        if old <= middle {
            parts.push(cover(middle, end));
            end = middle;
        } else {
            parts.push(cover(start, middle));
            start = middle;
        }
    }
    parts.reverse();
    Some(ProofPlan(parts))
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// A proof does not prove what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("the proof does not lead to the signed root of the log")]
pub struct ProofFault;

/// Checks that the leaf with this hash is the `index`-th of the tree with this root (RFC 9162 section 2.1.3.2).
pub fn check_inclusion(
    leaf: Sha256,
    index: u64,
    size: u64,
    proof: &[Sha256],
    root: &Sha256,
) -> Result<(), ProofFault> {
    if index >= size {
        return Err(ProofFault);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for step in proof {
        if last == 0 {
            return Err(ProofFault);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(step, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(ProofFault) }
}

/// Checks that the tree of `old` leaves with `old_root` is the beginning of the tree of `new` leaves with `new_root`
/// (RFC 9162 section 2.1.4.2).
pub fn check_consistency(
    old: u64,
    old_root: &Sha256,
    new: u64,
    new_root: &Sha256,
    proof: &[Sha256],
) -> Result<(), ProofFault> {
    let same = |fits: bool| if fits { Ok(()) } else { Err(ProofFault) };
    if old > new {
        return Err(ProofFault);
    }
    if old == new {
        return same(proof.is_empty() && old_root == new_root);
    }
    if old == 0 {
        return same(proof.is_empty() && *old_root == empty_root());
    }
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    // A full left subtree is its own first step.
    let mut steps = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(first) = first else { return Err(ProofFault) };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for step in steps {
        if last == 0 {
            return Err(ProofFault);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(step, &old_hash);
            new_hash = node_hash(step, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, step);
        }
        node >>= 1;
        last >>= 1;
    }
    same(last == 0 && old_hash == *old_root && new_hash == *new_root)
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;

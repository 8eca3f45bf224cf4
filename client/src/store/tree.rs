//! The Merkle tree over the send log, with every node in memory: a sender has some tens of entries a month.

use protocol::{
    digest::Sha256,
    merkle::{Frontier, NodeId, consistency_plan, inclusion_plan},
};

/// A tree that can be appended to and asked for proofs over any of its earlier sizes.
pub(crate) struct Tree {
    frontier: Frontier,
    levels: Vec<Vec<Sha256>>,
}

impl Tree {
    pub fn empty() -> Self {
        Tree { frontier: Frontier::empty(), levels: Vec::new() }
    }

    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub fn root(&self) -> Sha256 {
        self.frontier.root()
    }

    pub fn append(&mut self, leaf: Sha256) {
        // Nodes of one level become full from left to right.
        for (id, hash) in self.frontier.append(leaf) {
            let level = usize::from(id.level);
            if self.levels.len() <= level {
                self.levels.resize_with(level + 1, Vec::new);
            }
            if let Some(nodes) = self.levels.get_mut(level) {
                nodes.push(hash);
            }
        }
    }

    /// Proof that leaf `index` stands in the tree as it was with `size` leaves.
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Sha256>> {
        inclusion_plan(index, size)?.fill(|id| self.node(id)).ok()
    }

    /// Proof that the tree of `from` leaves is the beginning of that of `to`.
    pub fn consistency(&self, from: u64, to: u64) -> Option<Vec<Sha256>> {
        consistency_plan(from, to)?.fill(|id| self.node(id)).ok()
    }

    fn node(&self, id: NodeId) -> Option<Sha256> {
        let nodes = self.levels.get(usize::from(id.level))?;
        nodes.get(usize::try_from(id.index).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use protocol::merkle::{check_consistency, check_inclusion, leaf_hash};

    use super::*;

    #[test]
    fn every_proof_over_every_size_holds() {
        let mut tree = Tree::empty();
        let mut roots = vec![tree.root()];
        for index in 0..33u8 {
            tree.append(leaf_hash(&[index]));
            roots.push(tree.root());
        }
        for size in 1..=33u64 {
            let root = &roots[size as usize];
            for index in 0..size {
                let proof = tree.inclusion(index, size).unwrap();
                check_inclusion(leaf_hash(&[index as u8]), index, size, &proof, root).unwrap();
            }
            for from in 0..=size {
                let proof = tree.consistency(from, size).unwrap();
                check_consistency(from, &roots[from as usize], size, root, &proof).unwrap();
            }
        }
        assert_eq!(tree.inclusion(33, 33), None);
    }
}

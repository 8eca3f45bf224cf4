//! The tree against an independent implementation, and against single altered bits.

use std::collections::HashMap;

use proptest::prelude::*;
use tlog_tiles::tlog::{self, Hash, HashReader};

use super::*;

/// Our tree over leaves `0..size`, with every stored node.
fn grown(size: u64) -> (Frontier, HashMap<NodeId, Sha256>) {
    let (mut frontier, mut nodes) = (Frontier::empty(), HashMap::new());
    for leaf in 0..size {
        nodes.extend(frontier.append(leaf_hash(&leaf.to_be_bytes())));
    }
    (frontier, nodes)
}

/// The oracle's stored hashes, read by its own indexing.
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

fn oracle(size: u64) -> Stored {
    let mut stored = Stored(Vec::new());
    for leaf in 0..size {
        let hashes = tlog::stored_hashes(leaf, &leaf.to_be_bytes(), &stored).unwrap();
        stored.0.extend(hashes);
    }
    stored
}

fn as_ours(hashes: &[Hash]) -> Vec<Sha256> {
    hashes.iter().map(|hash| Sha256::from_bytes(hash.0)).collect()
}

#[test]
fn roots_and_all_proofs_of_small_trees_are_those_of_the_oracle() {
    for size in 1..=40 {
        let (frontier, nodes) = grown(size);
        let theirs = oracle(size);
        let look_up = |id: NodeId| nodes.get(&id).copied();
        assert_eq!(frontier.root().as_bytes(), &tlog::tree_hash(size, &theirs).unwrap().0);
        for index in 0..size {
            let proof = inclusion_plan(index, size).unwrap().fill(look_up).unwrap();
            assert_eq!(
                proof,
                as_ours(&tlog::prove_record(size, index, &theirs).unwrap()),
                "{index} of {size}"
            );
            check_inclusion(leaf_hash(&index.to_be_bytes()), index, size, &proof, &frontier.root()).unwrap();
        }
        for old in 1..size {
            let proof = consistency_plan(old, size).unwrap().fill(look_up).unwrap();
            assert_eq!(proof, as_ours(&tlog::prove_tree(size, old, &theirs).unwrap()), "{old} to {size}");
            check_consistency(old, &grown(old).0.root(), size, &frontier.root(), &proof).unwrap();
        }
    }
}

#[test]
fn a_frontier_read_back_from_its_nodes_goes_on_as_before() {
    for size in 0..70 {
        let (mut frontier, nodes) = grown(size);
        let hashes = root_nodes(size).iter().map(|id| nodes[id]).collect();
        let mut again = Frontier::from_nodes(size, hashes).unwrap();
        assert_eq!(again, frontier);
        assert_eq!(again.append(leaf_hash(b"next")), frontier.append(leaf_hash(b"next")));
    }
}

#[test]
fn proofs_of_what_is_not_there_are_refused() {
    assert_eq!(inclusion_plan(3, 3), None);
    assert_eq!(consistency_plan(4, 3), None);
    let (frontier, _) = grown(5);
    assert!(check_inclusion(leaf_hash(b""), 5, 5, &[], &frontier.root()).is_err());
    assert!(check_consistency(6, &empty_root(), 5, &frontier.root(), &[]).is_err());
    assert!(check_consistency(0, &frontier.root(), 5, &frontier.root(), &[]).is_err());
}

proptest! {
    #[test]
    fn one_altered_bit_breaks_every_proof(size in 2u64..300, pick in any::<u64>(), bit in 0usize..256, which in any::<usize>()) {
        let (frontier, nodes) = grown(size);
        let look_up = |id: NodeId| nodes.get(&id).copied();
        let flip = |hash: &mut Sha256| {
            let mut bytes = *hash.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            *hash = Sha256::from_bytes(bytes);
        };
        let index = pick % size;
        let mut proof = inclusion_plan(index, size).unwrap().fill(look_up).unwrap();
        let at = which % proof.len();
        flip(&mut proof[at]);
        let leaf = leaf_hash(&index.to_be_bytes());
        prop_assert!(check_inclusion(leaf, index, size, &proof, &frontier.root()).is_err());

        let old = 1 + pick % (size - 1);
        let old_root = grown(old).0.root();
        let mut proof = consistency_plan(old, size).unwrap().fill(look_up).unwrap();
        let at = which % proof.len();
        flip(&mut proof[at]);
        prop_assert!(check_consistency(old, &old_root, size, &frontier.root(), &proof).is_err());
        flip(&mut proof[at]);
        proof.push(old_root);
        prop_assert!(check_consistency(old, &old_root, size, &frontier.root(), &proof).is_err());
    }
}

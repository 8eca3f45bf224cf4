//! Revocation lists of every kind, made here: neither suite has them, and the NIST one (PKITS) is not among the data.

use rcgen::{CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope};
use rustls_pki_types::CertificateRevocationListDer;
use time::Duration;

use super::{Tally, Trial};
use crate::{
    clock::now,
    testing::{Authority, Leaf, client_params, crl_params, today},
};

fn point(name: u8) -> CrlDistributionPoint {
    CrlDistributionPoint { uris: vec![format!("http://example.jp/{name}.crl")] }
}

/// One list, by what it may be.
#[derive(Clone, Copy, Debug)]
struct List {
    part: Option<(u8, Option<bool>)>,
    names_the_leaf: bool,
    has_ended: bool,
    by_another_key: bool,
}

impl List {
    fn all() -> Vec<List> {
        let both = [false, true];
        let mut parts = vec![None];
        for name in [1, 2] {
            parts.extend([None, Some(false), Some(true)].map(|authorities| Some((name, authorities))));
        }
        let mut lists = Vec::new();
        for part in parts {
            for names_the_leaf in both {
                for has_ended in both {
                    for by_another_key in both {
                        lists.push(List { part, names_the_leaf, has_ended, by_another_key });
                    }
                }
            }
        }
        lists
    }

    fn make(
        self,
        authority: &Authority,
        impostor: &Authority,
        leaf: &Leaf,
    ) -> CertificateRevocationListDer<'static> {
        let named = [&leaf.serial];
        let mut params = crl_params(1, if self.names_the_leaf { &named } else { &[] });
        if self.has_ended {
            params.this_update = today() - Duration::days(2);
            params.next_update = today() - Duration::days(1);
        }
        params.issuing_distribution_point = self.part.map(|(name, authorities)| {
            let scope =
                authorities.map(|only| if only { CrlScope::CaCertsOnly } else { CrlScope::UserCertsOnly });
            CrlIssuingDistributionPoint { distribution_point: point(name), scope }
        });
        if self.by_another_key { impostor.crl_of(&params) } else { authority.crl_of(&params) }
    }
}

#[test]
fn case_23_with_revocation_lists_of_every_kind_we_are_never_looser_than_the_library() {
    let (root, impostor) = (Authority::root("root"), Authority::root("root"));
    let mut tally = Tally::default();
    for points in [&[][..], &[1], &[1, 2], &[3]] {
        let mut params = client_params();
        params.crl_distribution_points = points.iter().map(|name| point(*name)).collect();
        let leaf = root.leaf(&params);
        for list in List::all() {
            let trial = Trial {
                anchors: vec![root.der.clone()],
                chain: vec![leaf.der.clone()],
                lists: vec![list.make(&root, &impostor, &leaf)],
                server: None,
                at: now(),
            };
            // Good only if a list of the right key is in force, does not name the leaf and covers it.
            let covers = match list.part {
                None => true,
                Some((_, Some(true))) => false,
                Some((name, _)) => points.contains(&name),
            };
            let right = covers && !list.names_the_leaf && !list.has_ended && !list.by_another_key;
            tally.note(&format!("lists/{points:?}/{list:?}"), &trial, right, "by the rules of RFC 5280");
        }
    }
    assert_eq!(tally.accepted + tally.refused, 4 * 7 * 8);
    // The complete list for all four; the parts, without and for end entities, where their point is named.
    assert_eq!(tally.accepted, 4 + 2 + 4);
    tally.assert_claims("lists/");
}

#[test]
fn case_23_below_an_authority_both_lists_must_speak_as_with_the_library() {
    let root = Authority::root("root");
    let below = root.below("below");
    let leaf = below.leaf(&client_params());
    let mut tally = Tally::default();
    for (id, lists, right) in [
        ("both", vec![root.crl(1, &[]), below.crl(1, &[])], true),
        ("only the root's", vec![root.crl(1, &[])], false),
        ("the authority revoked", vec![root.crl(1, &[&below.serial]), below.crl(1, &[])], false),
        ("the leaf revoked", vec![root.crl(1, &[]), below.crl(1, &[&leaf.serial])], false),
        ("the leaf's number in the root's list", vec![root.crl(1, &[&leaf.serial]), below.crl(1, &[])], true),
    ] {
        let trial = Trial {
            anchors: vec![root.der.clone()],
            chain: vec![leaf.der.clone(), below.der.clone()],
            lists,
            server: None,
            at: now(),
        };
        tally.note(&format!("below/{id}"), &trial, right, "");
    }
    assert_eq!((tally.accepted, tally.refused), (2, 3));
    tally.assert_claims("below/");
}

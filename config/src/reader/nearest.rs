//! Which known name was likely meant: edit distance, small and bounded.

/// Longer names are not compared: no key of ours comes near, and the cost grows with the square.
const NAME_LENGTH_MAX: usize = 64;

/// The candidate nearest to `name`, if it is near enough to be a slip of the hand.
pub(super) fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let letters = name.chars().count();
    if letters > NAME_LENGTH_MAX {
        return None;
    }
    let tolerated = (letters / 3).max(1);
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one name into the other; `-` and `_`, upper
/// and lower case count as equal.
fn distance(from: &str, to: &str) -> usize {
    let plain = |c: char| if c == '-' { '_' } else { c.to_ascii_lowercase() };
    let from: Vec<char> = from.chars().map(plain).collect();
    let to: Vec<char> = to.chars().map(plain).collect();
    // rows[i][j]: from the first i letters of one to the first j of the other.
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    let cell = |rows: &[Vec<usize>], i: usize, j: usize| {
        rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(usize::MAX / 2)
    };
    for i in 1..=from.len() {
        rows.push(vec![i]);
        for j in 1..=to.len() {
            let (a, b) = (from.get(i - 1), to.get(j - 1));
            let mut best = (cell(&rows, i - 1, j - 1) + usize::from(a != b))
                .min(cell(&rows, i - 1, j) + 1)
                .min(cell(&rows, i, j - 1) + 1);
            if i > 1 && j > 1 && a == to.get(j - 2) && from.get(i - 2) == b {
                best = best.min(cell(&rows, i - 2, j - 2) + 1);
            }
            if let Some(row) = rows.last_mut() {
                row.push(best);
            }
        }
    }
    cell(&rows, from.len(), to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_letter_changes() {
        for (from, to, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("a-B", "a_b", 0),
        ] {
            assert_eq!(distance(from, to), expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn only_a_near_name_is_offered() {
        let known = ["detect_max", "stall_max", "drain_max"];
        assert_eq!(nearest("detectmax", known.into_iter()), Some("detect_max"));
        assert_eq!(nearest("stal_max", known.into_iter()), Some("stall_max"));
        assert_eq!(nearest("colour", known.into_iter()), None);
        assert_eq!(nearest(&"detect_max".repeat(20), known.into_iter()), None);
    }
}

//! Findings that were expected: a committed list, each finding under the sentence that says why it is there.
//!
//! ```text
//! # Why the findings below are as they should be.
//! a finding
//! a finding with * for what differs from run to run
//! ```

use std::path::Path;

/// A list below `tests/expected/`.
pub struct Expected {
    lines: Vec<String>,
}

impl Expected {
    /// Reads it. A finding without a sentence above it is a mistake.
    pub fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("expected").join(name);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (mut lines, mut explained) = (Vec::new(), false);
        for line in text.lines() {
            match line {
                "" => explained = false,
                sentence if sentence.starts_with("# ") => explained = true,
                finding => {
                    assert!(explained, "{name} does not say why it expects {finding:?}");
                    lines.push(finding.to_owned());
                }
            }
        }
        Expected { lines }
    }

    /// Panics unless these findings are exactly those of the list, in any order.
    pub fn compare(&self, found: &[String]) {
        let expected = |finding: &&String| !self.lines.iter().any(|line| matches(line, finding));
        let new: Vec<&String> = found.iter().filter(expected).collect();
        let count = |line: &String| found.iter().filter(|finding| matches(line, finding)).count();
        let missing: Vec<&String> = self.lines.iter().filter(|line| count(line) == 0).collect();
        assert!(new.is_empty() && missing.is_empty(), "new: {new:#?}\nmissing: {missing:#?}");
    }
}

/// Is this the finding that the line means? A `*` stands for any text.
fn matches(line: &str, finding: &str) -> bool {
    let Some((start, rest)) = line.split_once('*') else { return line == finding };
    let Some(mut finding) = finding.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = finding.find(part) else { return false };
        finding = &finding[at + part.len()..];
    }
    finding.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (line, finding) in [("a", "a"), ("a*", "a"), ("a*c", "abc"), ("*b*", "abc"), ("a*b*c", "a-b-b-c")]
        {
            assert!(matches(line, finding), "{line} {finding}");
        }
        for (line, finding) in
            [("a", "ab"), ("a*c", "abcd"), ("a*b*c", "acb"), ("*b*", "ac"), ("ab*ba", "aba")]
        {
            assert!(!matches(line, finding), "{line} {finding}");
        }
    }
}

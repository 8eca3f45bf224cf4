//! An error with everything below it in one line, for logs and for people.

use std::error::Error;

/// The error and its sources, outermost first. Display of our errors never repeats the source, so nothing stands twice.
pub fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        text.push_str(": ");
        text.push_str(&source.to_string());
        below = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be read")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("no such file")]
    struct Inner;

    #[test]
    fn every_cause_is_told_from_the_outermost_in() {
        assert_eq!(in_one_line(&Outer(Inner)), "the file cannot be read: no such file");
        assert_eq!(in_one_line(&Inner), "no such file");
    }
}

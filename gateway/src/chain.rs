//! An error with everything below it, for the log.

use std::error::Error;

/// The error and its sources on one line, outermost first. Display of our errors never repeats the source.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        text.push_str(": ");
        text.push_str(&source.to_string());
        below = source.source();
    }
    text
}

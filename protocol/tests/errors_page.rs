//! docs/errors.md is the page that the code makes: every problem code and every cause, once.

#![expect(
    clippy::disallowed_methods,
    reason = "the page lies in version control, which keeps the last good one"
)]

use std::{env, fs, path::Path};

use protocol::{
    cause::Cause,
    problem::{Advice, Problem},
};

/// Set by `cargo xtask docs`: write the page instead of comparing it.
const WRITE: &str = "SEKISHO_WRITE_DOCS";

const HEAD: &str = "# Problems and causes

This page is made from the code by `cargo xtask docs`.

## Problem codes

A request that is turned down is answered with `application/problem+json` (RFC 9457). `code` is stable; `advice` says
what a sender does next: `retry` later under the same id, `ask` what the receiver holds and go on from there, or
`give_up`: do not send the same request again. A problem whose body has a `refusal` is final and signed.

| code | status | advice | meaning |
|---|---|---|---|
";

const CAUSES: &str = "
What never reaches a handler (a malformed request line, two different Content-Length, too many headers) is answered by a
bare `4xx` or by closing the connection, and counted by reason: `http:malformed`, `http:head_timeout`, `http:cut`. A
certificate that is refused ends the TLS handshake with an alert and is counted as `certificate:` with its reason.

## Causes of an abort

An attempt that ends early has one of these causes, on both sides, in logs and in the states of transfers. The sender
tells its user and goes on only with a new, numbered attempt.

| cause | meaning |
|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for problem in Problem::ALL {
        let advice = match problem.advice() {
            Advice::Retry => "retry",
            Advice::Ask => "ask",
            Advice::GiveUp => "give_up",
        };
        page +=
            &format!("| `{}` | {} | {advice} | {} |\n", problem.code(), problem.status(), problem.title());
    }
    page.push_str(CAUSES);
    for cause in Cause::ALL {
        page += &format!("| `{}` | {} |\n", cause.name(), cause.meaning());
    }
    page
}

#[test]
fn the_errors_page_names_every_problem_and_cause() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let made = page();
    if env::var_os(WRITE).is_some() {
        fs::write(&file, &made).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "docs/errors.md is not what the code says: run `cargo xtask docs`");
}

//! docs/refusals.md and docs/metrics.md are the pages that the code makes.

#![expect(
    clippy::disallowed_methods,
    reason = "the pages lie in version control, which keeps the last good ones"
)]

use std::{env, fs, path::Path};

use gateway::{
    metrics,
    reasons::{Again, CERTIFICATE, CONNECTION, COUNTED, Counted, Reason, alert},
};

/// Set by `cargo xtask docs`: write the page instead of comparing it.
const WRITE: &str = "SEKISHO_WRITE_DOCS";

const HEAD: &str = "# Why a connection is turned away · 接続を断る理由

This page is made from the code by `cargo xtask docs`. The code stands in the centre's log (`reason`), in
`sekisho-gateway status` and in the metric `sekisho_turned_down_total`. A peer that is refused in the handshake learns only
the TLS alert; `sekisho-gateway check --peer CERTIFICATE.pem` says at the centre, without a connection, what a certificate
would be refused for and why. Problems of requests, after the handshake, stand in [errors.md](errors.md).

*Again*: `later` with nothing changed · `peer` after the peer, `centre` after the centre has changed something.
再試行: `later` そのまま時間をおいて · `peer` 送信側の対処後 · `centre` 受信側の対処後。
";

fn table(page: &mut String, title: &str, reasons: &[Reason]) {
    *page += &format!(
        "\n## {title}\n\n| code | alert | again | cause · 原因 | next step · 対処 |\n|---|---|---|---|---|\n"
    );
    for reason in reasons {
        let again = match reason.again {
            Again::Later => "later",
            Again::AfterCentre => "centre",
            Again::AfterPeer => "peer",
        };
        let alert = match alert(reason.code) {
            Some(alert) => format!("`{alert}`"),
            None => "—".to_owned(),
        };
        let Reason { code, cause, cause_ja, next, next_ja, .. } = reason;
        *page += &format!("| `{code}` | {alert} | {again} | {cause}<br>{cause_ja} | {next}<br>{next_ja} |\n");
    }
}

fn refusals() -> String {
    let mut page = HEAD.to_owned();
    table(&mut page, "The certificate · 証明書 (`certificate:…`)", CERTIFICATE);
    table(&mut page, "The connection · 接続 (`connection:…`)", CONNECTION);
    page += "\n## What else is counted · その他の計数\n\nNot refusals: what became of peers that were let in. The stage stands \
             before the code.\n\n| counted | meaning · 意味 |\n|---|---|\n";
    for Counted { name, meaning, meaning_ja } in COUNTED {
        page += &format!("| `{name}` | {meaning}<br>{meaning_ja} |\n");
    }
    page += "\n`request:…` counts the problems of [errors.md](errors.md).\n";
    page
}

fn metric_list() -> String {
    let mut page = "# Metrics

This page is made from the code by `cargo xtask docs`. They are served as OpenMetrics text at `/metrics`, on the admin
socket and, where `metrics.address` is set, on that loopback address, with `/live` and `/ready` beside them.

| metric | labels | meaning |
|---|---|---|
"
    .to_owned();
    for metric in metrics::ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        page += &format!("| `{}` | {} | {} |\n", metric.full_name(), labels.join(", "), metric.help);
    }
    page
}

#[test]
fn the_pages_of_refusals_and_metrics_are_those_of_the_code() {
    for (name, made) in [("refusals.md", refusals()), ("metrics.md", metric_list())] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        if env::var_os(WRITE).is_some() {
            fs::write(&file, &made).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == made, "docs/{name} is not what the code says: run `cargo xtask docs`");
    }
}

//! Which package may depend on what. Everything not named here is forbidden; a border that matters is a crate's.
//!
//! Dependencies of tests are free, since they reach no program, and so are the packages that are tests themselves.

use anyhow::bail;

use crate::workspace::{Package, Workspace};

/// A package of ours, and those of ours it may use.
struct Ours {
    package: &'static str,
    may_use: &'static [&'static str],
}

const OURS: &[Ours] = &[
    Ours { package: "protocol", may_use: &[] },
    Ours { package: "durable", may_use: &[] },
    Ours { package: "pki", may_use: &["protocol", "durable"] },
    Ours { package: "storage", may_use: &["protocol", "durable"] },
    Ours { package: "config", may_use: &["protocol"] },
    Ours { package: "client", may_use: &["protocol", "durable", "pki", "config"] },
    Ours { package: "gateway", may_use: &["protocol", "durable", "pki", "storage", "config"] },
    Ours { package: "certs-tool", may_use: &["protocol", "durable", "pki"] },
    Ours {
        package: "lab",
        may_use: &["protocol", "durable", "pki", "storage", "config", "client", "gateway", "certs-tool"],
    },
    Ours {
        package: "tests",
        may_use: &[
            "protocol",
            "durable",
            "pki",
            "storage",
            "config",
            "client",
            "gateway",
            "certs-tool",
            "lab",
        ],
    },
    Ours {
        package: "benches",
        may_use: &[
            "protocol",
            "durable",
            "pki",
            "storage",
            "config",
            "client",
            "gateway",
            "certs-tool",
            "lab",
        ],
    },
    Ours { package: "xtask", may_use: &[] },
];

/// Crates of others that only some of our packages may use.
struct Confined {
    crates: &'static [&'static str],
    to: &'static [&'static str],
    because: &'static str,
}

const CONFINED: &[Confined] = &[
    Confined {
        crates: &[
            "rustls",
            "rustls-webpki",
            "webpki-roots",
            "rustls-native-certs",
            "rustls-platform-verifier",
        ],
        to: &["pki"],
        because: "one package builds TLS configurations and says whom to trust",
    },
    Confined {
        crates: &["x509-parser"],
        to: &["pki", "certs-tool"],
        because: "one package reads certificates, so they read alike; the lab's authority inspects what it made",
    },
    Confined {
        crates: &["tokio-rustls"],
        to: &["pki", "client", "gateway", "lab"],
        because: "only who holds a line needs its type",
    },
    Confined {
        crates: &["rcgen"],
        to: &["certs-tool", "lab"],
        because: "what runs in production cannot make certificates",
    },
    Confined { crates: &["sqlx"], to: &["storage"], because: "the ledger stands behind a trait" },
    Confined {
        crates: &["hyper", "hyper-util", "http-body-util", "http", "h2"],
        to: &["client", "gateway", "lab"],
        because: "protocol, certificates and storage know nothing of HTTP",
    },
    Confined {
        crates: &["tokio", "tokio-util", "socket2"],
        to: &["pki", "storage", "client", "gateway", "lab"],
        because: "what decides is pure, what reads a file once needs no runtime",
    },
    Confined {
        crates: &["ureq"],
        to: &["pki"],
        because: "it fetches revocation lists and nothing else; whatever crosses the line goes through TLS",
    },
    Confined {
        crates: &["toml"],
        to: &["config"],
        because: "one package reads configuration and explains mistakes",
    },
];

/// Packages that are tests themselves; no program of theirs is delivered.
const TESTS_THEMSELVES: &[&str] = &["tests", "benches"];

/// Checks the declared dependencies of every package, and that this table and the workspace name the same packages.
pub fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let crossed = crossed_borders(&workspace.packages);
    if !crossed.is_empty() {
        bail!("{}", crossed.join("\n"));
    }
    println!("{} packages keep to their borders", workspace.packages.len());
    Ok(())
}

/// Every border crossed, in one sentence each.
fn crossed_borders(packages: &[Package]) -> Vec<String> {
    let mut crossed = Vec::new();
    for package in packages {
        let Some(ours) = OURS.iter().find(|ours| ours.package == package.name) else {
            crossed
                .push(format!("{} has no line in xtask/src/borders.rs: say what it may use", package.name));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| !dependency.only_for_tests) {
            let name = dependency.name.as_str();
            if packages.iter().any(|package| package.name == name) && !ours.may_use.contains(&name) {
                crossed.push(format!(
                    "{} must not use {name}; of ours it may use {:?}",
                    ours.package, ours.may_use
                ));
            }
            for confined in CONFINED.iter().filter(|confined| confined.crates.contains(&name)) {
                if !confined.to.contains(&ours.package) && !TESTS_THEMSELVES.contains(&ours.package) {
                    let Confined { to, because, .. } = confined;
                    crossed.push(format!("{} must not use {name}, only {to:?} may: {because}", ours.package));
                }
            }
        }
    }
    for ours in OURS.iter().filter(|ours| !packages.iter().any(|package| package.name == ours.package)) {
        crossed.push(format!("xtask/src/borders.rs names {}, which is no package", ours.package));
    }
    crossed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workspace::packages;

    /// The whole workspace, with these dependencies of one package and none of the others.
    fn crossed_by(package: &str, dependencies: serde_json::Value) -> Vec<String> {
        let all: Vec<_> = OURS
            .iter()
            .map(|ours| match ours.package == package {
                true => json!({"name": ours.package, "dependencies": dependencies}),
                false => json!({"name": ours.package, "dependencies": []}),
            })
            .collect();
        crossed_borders(&packages(&json!({"packages": all})))
    }

    #[test]
    fn a_workspace_without_dependencies_crosses_nothing() {
        assert_eq!(crossed_by("", json!([])), Vec::<String>::new());
    }

    #[test]
    fn the_protocol_may_use_neither_runtime_nor_http_nor_tls_nor_anything_of_ours() {
        for forbidden in
            ["tokio", "tokio-util", "hyper", "hyper-util", "rustls", "tokio-rustls", "sqlx", "pki", "config"]
        {
            let crossed = crossed_by("protocol", json!([{"name": forbidden, "kind": null}]));
            assert_eq!(crossed.len(), 1, "{forbidden}: {crossed:?}");
        }
    }

    #[test]
    fn a_build_dependency_counts_and_one_of_tests_does_not() {
        assert_eq!(crossed_by("gateway", json!([{"name": "rcgen", "kind": "build"}])).len(), 1);
        assert_eq!(crossed_by("gateway", json!([{"name": "rcgen", "kind": "dev"}])).len(), 0);
    }

    #[test]
    fn nothing_delivered_depends_on_the_lab_or_on_tests() {
        for package in ["client", "gateway", "certs-tool"] {
            for forbidden in ["lab", "tests", "benches", "xtask"] {
                assert_eq!(crossed_by(package, json!([{"name": forbidden, "kind": null}])).len(), 1);
            }
        }
    }

    #[test]
    fn a_package_without_a_line_and_a_line_without_a_package_are_found() {
        let crossed =
            crossed_borders(&packages(&json!({"packages": [{"name": "newcomer", "dependencies": []}]})));
        assert_eq!(crossed.len(), 1 + OURS.len());
    }

    #[test]
    fn the_lines_of_the_table_form_no_circle() {
        for (index, ours) in OURS.iter().enumerate() {
            let earlier: Vec<_> = OURS.iter().take(index).map(|ours| ours.package).collect();
            for used in ours.may_use {
                // The order of the table is the order of the layers.
                assert!(earlier.contains(used), "{} uses {used}, which stands below it", ours.package);
            }
        }
    }
}

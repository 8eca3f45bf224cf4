//! Evidence of parties whose authority names them in its own way, by an attribute of the subject: each side and an auditor
//! read it by the same identity rules, and without them it names nobody.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use lab::{program::Process, site::change};
use pki::oid;
use protocol::kind::Kind;
use rcgen::{CertificateParams, DnType};
use tests::{
    centre::Centre,
    files::claims_file,
    forger::{self, Forger, purposes},
    lab::{TestLab, institution},
    patience::patiently,
    sender::{Sending, status},
};

/// How this authority names its holders: role by the length of a code, and the code as the common name.
const RULES: [(&str, &str, &str); 2] = [
    ("institutions", r"'(?<code>\d{10})'", "institution"),
    ("agencies", r"'(?<code>\d{3})'", "review-agency"),
];

fn rules_file(lab: &TestLab, name: &str) -> PathBuf {
    let table = |(name, pattern, role): (&str, &str, &str)| {
        format!(
            "[identity.{name}]\nstands_in = \"subject:CN\"\npattern = {pattern}\nenvironment = \"test\"\nrole = \"{role}\"\n"
        )
    };
    lab.file(name, RULES.map(table).concat().as_bytes())
}

/// Adds the rules to either configuration.
fn add_rules(file: &Path) {
    for (name, pattern, role) in RULES {
        let role = format!("\"{role}\"");
        let keys = [
            ("stands_in", "\"subject:CN\""),
            ("pattern", pattern),
            ("environment", "\"test\""),
            ("role", role.as_str()),
        ];
        for (key, value) in keys {
            change(file, &[(&format!("identity.{name}.{key}"), value)]).unwrap();
        }
    }
}

/// What the certificate says, but with the code as its holder's common name and nothing of our own.
fn named_by_code(mut params: CertificateParams, code: &str) -> CertificateParams {
    params.subject_alt_names.remove(0);
    params.distinguished_name.push(DnType::CommonName, code);
    params
}

/// Puts certificates of that authority in the place of a site's.
fn replace_certificates(forger: &Forger<'_>, site: &Path, line: CertificateParams, code: &str) {
    let mut evidence = forger::client("urn:none");
    evidence.custom_extensions = vec![purposes(&[oid::EVIDENCE])];
    for (part, params) in [("tls", line), ("evidence", evidence)] {
        let shown = forger.forge(&named_by_code(params, code));
        fs::copy(shown.chain, site.join(part).join("certificate.pem")).unwrap();
        fs::copy(shown.key, site.join(part).join("key.pem")).unwrap();
    }
}

/// Verifies by these rules, if there are any.
async fn verify(evidence: &[&Path], rules: Option<&Path>) -> (Option<i32>, String) {
    let mut arguments = [&[Path::new("verify")], evidence].concat();
    if let Some(rules) = rules {
        arguments.extend([Path::new("--identities"), rules]);
    }
    let mut process = Process::start("sekisho", arguments).unwrap();
    let ended = patiently("the end of `sekisho verify`", process.ended()).await.unwrap();
    (ended.code(), format!("{}\n{}", process.out.text(), process.err.text()))
}

#[tokio::test]
async fn a_bundle_is_verified_by_the_rules_of_its_authority_and_by_no_other() {
    let lab = TestLab::new();
    let forger = Forger::of(&lab);
    let site = lab.sites.centre("centre", &[]).unwrap();
    replace_certificates(&forger, &site.directory, forger::server("urn:none", "127.0.0.1"), "113");
    add_rules(&site.config);
    let centre = Centre::start(site).await;
    let party = institution(Kind::Medical, 1);
    let sender = lab.sender("clinic", &party, centre.address, &[]);
    replace_certificates(&forger, &sender.directory, forger::client("urn:none"), party.code().as_str());
    let file = lab.file("RECEIPTC.UKE", &claims_file(Kind::Medical, &party, 0, 1));
    // Without the rules the sender does not take its own certificate for one.
    assert_eq!(Sending::start(&sender, &file).ended().await.code(), Some(3));
    add_rules(&sender.settings);
    assert!(Sending::start(&sender, &file).ended().await.success());
    let bundle = status(&sender).await[0].bundle.clone().unwrap();

    let root = lab.sites.authority().root_pem();
    let evidence = [&bundle, &file, Path::new("--anchors"), &root];
    let (code, said) = verify(&evidence, None).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("receipt: ") && said.contains("names nobody, by the identity rules"), "{said}");
    assert!(said.contains("--identities"), "{said}");
    let other = lab.file(
        "other.toml",
        fs::read_to_string(rules_file(&lab, "rules.toml")).unwrap().replace("{10}", "{9}").as_bytes(),
    );
    let (code, said) = verify(&evidence, Some(&other)).await;
    assert_eq!(code, Some(3), "{said}");
    for (name, text, told) in
        [("empty.toml", "", "holds no rule"), ("more.toml", "x = 1", "is not a known key")]
    {
        let file = lab.file(name, text.as_bytes());
        let (code, said) = verify(&evidence, Some(&file)).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(told), "{said}");
    }
    let (code, said) = verify(&evidence, Some(&rules_file(&lab, "rules.toml"))).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("sender       {party}")), "{said}");
}

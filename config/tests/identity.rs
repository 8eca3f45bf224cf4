//! Identity rules and the choice of algorithms: what is taken from either file, and how mistakes in them are told.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::path::Path;

use config::{
    ClientSettings, GatewayConfig,
    crypto::{Acceptance, CryptoProfile},
};
use protocol::{
    digest::Sha256,
    identity_rule::{CertificateNames, IdentityFault, IdentityRules, IssuedBy, Name},
};

const LAB: &str = include_str!("../examples/centre-lab.toml");
const CLIENT: &str = include_str!("../examples/client-lab.toml");

fn gateway(more: &str) -> Result<GatewayConfig, Vec<String>> {
    let text = LAB.replacen("[log]", &format!("{more}\n[log]"), 1);
    GatewayConfig::parse(&text, Path::new("g.toml"))
        .map_err(|error| error.mistakes().iter().map(ToString::to_string).collect())
}

fn rules(more: &str) -> IdentityRules {
    gateway(more).unwrap_or_else(|mistakes| panic!("{mistakes:#?}")).identities
}

fn mistakes(more: &str) -> Vec<String> {
    gateway(more).unwrap_err()
}

/// Whom these rules see in a certificate below the root with key 1.
fn read(rules: &IdentityRules, names: &[(&str, &str)]) -> Result<String, IdentityFault> {
    let issued_by = IssuedBy {
        anchor_name: "CN=root".to_owned(),
        anchor_key: Some(Sha256::from_bytes([1; 32])),
        issuer_name: "CN=issuing".to_owned(),
    };
    let names = names.iter().map(|(place, text)| Name::new(place.parse().unwrap(), text)).collect();
    rules.identify(&CertificateNames { issued_by, names }).map(|identity| identity.to_uri())
}

#[test]
fn without_a_table_the_rule_of_the_lab_holds() {
    assert_eq!(rules(""), IdentityRules::default());
    assert_eq!(rules("[identity]"), IdentityRules::default());
    assert_eq!(rules("[identity.lab]\nstands_in = \"urn\"\n").iter().count(), 1);
}

const SEVERAL: &str = r#"
[identity.institutions]
anchor_key = "0101010101010101010101010101010101010101010101010101010101010101"
stands_in = "subject:CN"
pattern = '(?<prefecture>\d{2})-(?<number>\d{7})'
also = { "subject:OU" = "医科" }
environment = "production"
role = "institution"
code = "{prefecture}1{number}"

[identity.hospitals]
issuer_name = "CN=issuing"
stands_in = "san:uri"
pattern = 'https://claims\.example/(?<all>[0-9+]+)'
environment = "production"
role = "institution"
codes = "all"
separator = "+"

[identity.agents]
anchor_name = "CN=root"
stands_in = "subject:serialNumber"
pattern = 'AGENT-(?<key>\d+)'
environment = "production"
role = "billing-agent"

[identity.agents.codes_of]
7 = ["1310000018", "1310000026"]

[identity.insurers]
anchor_key = "0202020202020202020202020202020202020202020202020202020202020202"
stands_in = "san:dns"
pattern = '(?<code>\d{8})\.insurer\.example'
environment = "production"
role = "insurer"
"#;

#[test]
fn rules_of_every_shape_stand_side_by_side() {
    let rules = rules(SEVERAL);
    let institution = "urn:sekisho:production:institution:1310000018";
    for (names, uri) in [
        (&[("subject:CN", "13-0000018"), ("subject:OU", "医科")][..], institution),
        (&[("san:uri", "https://claims.example/1310000018")], institution),
        (
            &[("subject:serialNumber", "AGENT-7")],
            "urn:sekisho:production:billing-agent:1310000018+1310000026",
        ),
    ] {
        assert_eq!(read(&rules, names).unwrap(), uri);
    }
    assert!(read(&rules, &[("subject:serialNumber", "AGENT-8")]).is_err());
    assert_eq!(read(&rules, &[("san:dns", "06132013.insurer.example")]), Err(IdentityFault::None));
}

#[test]
fn the_rules_in_the_manual_are_taken_as_they_stand() {
    let page = include_str!("../../docs/certificates.md");
    let written = page.split_once("```toml").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    // The root of these tests in the place of theirs.
    let written =
        written.replace("6a09e667f3bcc908b2fb1366ea957d3e3adec17512775099da2f590b0667322a", &"01".repeat(32));
    let rules = rules(&written);
    let hospital = [("subject:CN", "13-1-0000018"), ("subject:OU", "医療機関")];
    assert_eq!(read(&rules, &hospital).unwrap(), "urn:sekisho:production:institution:1310000018");
    let agent = [("subject:CN", "AGENT-0007"), ("subject:OU", "請求事務代行者")];
    assert_eq!(read(&rules, &agent).unwrap(), "urn:sekisho:production:billing-agent:1310000018+1310000026");
}

#[test]
fn both_files_read_the_same_rules_and_algorithms() {
    let more = format!("{SEVERAL}\n[crypto]\nprofile = \"guideline-strict\"\n");
    let client = CLIENT.replacen("[storage]", &format!("{more}\n[storage]"), 1);
    let client = ClientSettings::parse(&client, Path::new("c.toml")).unwrap();
    let gateway = gateway(&more).unwrap();
    assert_eq!(gateway.identities, client.identities);
    assert_eq!(gateway.crypto, client.crypto);
    assert_eq!(gateway.crypto.profile, CryptoProfile::GuidelineStrict);
}

#[test]
fn every_mistake_in_every_rule_is_told_at_once() {
    let found = mistakes(
        r#"
[identity.a]
anchor_key = "xyz"
stands_in = "subject:XX"
pattern = '(?<code>\d{10'
environment = "prod"

[identity.b]
stands_in = "subject:CN"
also = { "subject:" = "x", "san:uri" = 5 }

[identity.c]
stands_in = "subject:CN"
patern = "x"
pattern = 'x'
environment = "test"
role = "institution"

[identity.d]
stands_in = "urn"
pattern = "x"

[identity.e]
stands_in = "subject:CN"
pattern = 'AGENT-\d'
environment = "test"
role = "billing-agent"
codes_of = { "AGENT-X" = ["1310000018"], "AGENT-1" = ["1310000018", "1310000018"] }
"#,
    );
    let form = r"a regular expression in single quotes such as '(?<code>\d{10})'";
    let expected = [
        "identity.a.anchor_key: \"xyz\" is not understood — write 64 hexadecimal digits in lower case, in quotes".to_owned(),
        "identity.a.stands_in: \"subject:XX\" is no place: an attribute is CN, OU, O, L, ST, C, DC, UID, serialNumber, title, organizationIdentifier, or an OID — write \"san:uri\", \"san:dns\", \"san:other:1.2.3\" with an OID, \"subject:CN\" with an attribute or an OID, \"subject\", or \"urn\"".to_owned(),
        format!("identity.a.pattern: \"(?<code>\\\\d{{10\" is not taken: the pattern is no regular expression: unclosed counted repetition — write {form}"),
        "identity.a.environment: \"prod\" is not understood — write \"production\" or \"test\"".to_owned(),
        format!("identity.b.also.san:uri: 5 is not understood — write {form}"),
        "identity.c.patern: is not a known key — did you mean identity.c.pattern?".to_owned(),
        "identity.c.pattern: no pattern has a group (?<code>…) — put the group into a pattern, or name another one in code or codes".to_owned(),
        "identity.d.pattern: says what the URI says itself — remove it, or change stands_in".to_owned(),
        "identity.e.codes_of.AGENT-1: \"1310000018\" is listed twice — remove one of the two".to_owned(),
    ];
    for expected in &expected {
        assert!(found.contains(expected), "{expected}\nis not in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn what_contradicts_itself_is_refused_with_the_way_out() {
    let rule = |lines: &str| {
        format!(
            "[identity.r]\nstands_in = \"subject:CN\"\nenvironment = \"test\"\nrole = \"institution\"\n{lines}\n"
        )
    };
    for (lines, expected) in [
        ("", "identity.r.pattern: is missing"),
        (
            "pattern = '(?<code>x)'\ncode = \"{code}\"\ncodes = \"code\"",
            "identity.r.codes_of: the codes are told in two ways",
        ),
        ("pattern = '(?<x>y)'\ncodes = \"x\"", "identity.r.separator: is missing"),
        ("pattern = '(?<x>y)'\nseparator = \"+\"", "identity.r.codes: is missing"),
        (
            "pattern = '(?<x>y)'\ncodes = \"x\"\nseparator = \"-\"",
            "identity.r.separator: \"-\" is not understood",
        ),
        (
            "pattern = 'A\\d'\ncodes_of = { B1 = [\"1310000018\"] }",
            "identity.r.codes_of: the pattern never matches `B1`",
        ),
        (
            "pattern = 'A\\d'\ncodes_of = { A1 = [\"131\"] }",
            "identity.r.codes_of: the codes of `A1` make no identity",
        ),
        (
            "pattern = '(?<code>x)'\nalso = { \"subject:OU\" = '(?<code>y)' }",
            "identity.r.pattern: two patterns have a group",
        ),
        (
            "pattern = '(?<code>x)'\nalso = { \"subject:xx\" = 'y' }",
            "identity.r.also: \"subject:xx\" is no place",
        ),
        (
            "pattern = '(?<code>x)'\ncode = \"{other}\"",
            "identity.r.pattern: no pattern has a group (?<other>",
        ),
    ] {
        let found = mistakes(&rule(lines));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{lines:?}: {found:#?}");
        assert!(found[0].contains(" — "), "no way out: {found:?}");
    }
}

#[test]
fn the_stricter_profile_and_ml_dsa_exclude_each_other() {
    let accepted = gateway("[crypto]\nml_dsa = \"accept\"\n").unwrap();
    assert_eq!(accepted.crypto.ml_dsa, Acceptance::Accept);
    let both = mistakes("[crypto]\nml_dsa = \"accept\"\nprofile = \"guideline-strict\"\n");
    assert!(
        both.len() == 1 && both[0].starts_with("crypto.ml_dsa: is not named by the guideline"),
        "{both:?}"
    );
}

#[test]
fn grace_for_a_revocation_list_needs_one_issuer_and_ends_after_a_day() {
    let with = |lines: &str| {
        let text = LAB.replacen("[evidence]", &format!("{lines}\n[evidence]"), 1);
        GatewayConfig::parse(&text, Path::new("g.toml"))
            .map(|config| config.tls.danger_crl_grace)
            .map_err(|error| error.mistakes().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(with("").unwrap(), None);
    let grace = with("danger_crl_grace = \"24h\"\ndanger_crl_grace_issuer = \"CN=x\"").unwrap().unwrap();
    assert_eq!((grace.issuer.as_str(), grace.length.as_secs()), ("CN=x", 24 * 60 * 60));
    for (lines, expected) in [
        ("danger_crl_grace = \"1h\"", "tls.danger_crl_grace: is for nobody"),
        ("danger_crl_grace_issuer = \"CN=x\"", "tls.danger_crl_grace_issuer: has no grace"),
        (
            "danger_crl_grace = \"25h\"\ndanger_crl_grace_issuer = \"CN=x\"",
            "tls.danger_crl_grace: \"25h\" is above \"1d\"",
        ),
    ] {
        let found = with(lines).unwrap_err();
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    }
}

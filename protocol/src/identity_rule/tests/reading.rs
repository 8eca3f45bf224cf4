//! What the shapes that authorities may have chosen yield.

use std::collections::BTreeMap;

use super::*;

fn joined(template: &str) -> Codes {
    Codes::Joined(template.parse().unwrap())
}

fn one(rule: IdentityRule) -> IdentityRules {
    IdentityRules::new(vec![rule])
}

fn listed(holders: &[(&str, &[&str])]) -> Codes {
    let list = |(holder, codes): &(&str, &[&str])| {
        ((*holder).to_owned(), codes.iter().map(|code| code.parse().unwrap()).collect())
    };
    Codes::Listed(holders.iter().map(list).collect::<BTreeMap<_, _>>())
}

fn agent(first: Look, codes: Codes) -> Result<IdentityRule, RuleError> {
    let issuer = IssuerCondition::default();
    IdentityRule::patterns(
        "agents",
        issuer,
        (first, vec![]),
        Environment::Production,
        Role::BillingAgent,
        codes,
    )
}

#[test]
fn without_a_rule_the_one_uri_of_the_lab_counts() {
    let uri = "urn:sekisho:test:institution:1310000018+1330000018";
    let names =
        vec![name("san:dns", "edge.example"), name("san:uri", "https://example.jp/"), name("san:uri", uri)];
    assert_eq!(read(&IdentityRules::new(vec![]), names).unwrap(), uri);
    assert_eq!(read(&IdentityRules::default(), vec![name("subject:CN", uri)]), Err(IdentityFault::None));
}

#[test]
fn with_a_rule_of_ones_own_the_uri_of_the_lab_counts_no_longer() {
    let names = vec![name("san:uri", "urn:sekisho:test:institution:1310000018")];
    assert_eq!(read(&by_code("subject:CN", r"(?<code>\d{10})"), names), Err(IdentityFault::None));
}

#[test]
fn a_code_is_read_from_every_kind_of_place() {
    let upn = "san:other:1.3.6.1.4.1.311.20.2.3";
    for (at, pattern, text) in [
        ("subject:CN", r"(?<code>\d{10})", "1310000018"),
        ("subject:serialNumber", r"JP-(?<code>\d{10})", "JP-1310000018"),
        ("subject:2.5.4.5", r"(?<code>\d{10})", "1310000018"),
        ("subject:O", r"サンプル病院 (?<code>\d{10})", "サンプル病院 1310000018"),
        ("san:dns", r"c(?<code>\d{10})\.claims\.example", "c1310000018.claims.example"),
        ("san:uri", r"https://claims\.example/(?<code>\d{10})", "https://claims.example/1310000018"),
        (upn, r"(?<code>\d{10})@claims\.example", "1310000018@claims.example"),
        (
            "subject",
            r"C=JP, OU=医療機関, OU=(?<code>\d{10}), CN=[^,]+",
            "C=JP, OU=医療機関, OU=1310000018, CN=x",
        ),
    ] {
        assert_eq!(read(&by_code(at, pattern), vec![name(at, text)]).unwrap(), INSTITUTION, "{at}");
    }
}

#[test]
fn a_code_is_put_together_from_parts_of_one_name_and_of_several() {
    let rule = institution(
        look("subject:CN", r"(?<prefecture>\d{2})-(?<number>\d{7})"),
        vec![look("subject:OU", "医科")],
        joined("{prefecture}1{number}"),
    );
    let names = |unit| vec![name("subject:CN", "13-0000018"), name("subject:OU", unit)];
    assert_eq!(read(&one(rule.clone()), names("医科")).unwrap(), INSTITUTION);
    assert_eq!(read(&one(rule.clone()), names("歯科")), Err(IdentityFault::None));
    assert_eq!(read(&one(rule), vec![name("subject:CN", "13-0000018")]), Err(IdentityFault::None));
    let rule = institution(
        look("subject:CN", r"(?<number>\d{8})"),
        vec![look("subject:L", r"(?<prefecture>\d{2})")],
        joined("{prefecture}{number}"),
    );
    let names = vec![name("subject:L", "13"), name("subject:CN", "10000018")];
    assert_eq!(read(&one(rule), names).unwrap(), INSTITUTION);
}

#[test]
fn a_part_that_took_no_part_in_the_match_makes_no_code() {
    let rule = institution(look("subject:CN", r"(?<a>\d{10})(?<b>x)?"), vec![], joined("{a}{b}"));
    let refused = read(&one(rule), vec![name("subject:CN", "1310000018")]);
    assert!(matches!(refused, Err(IdentityFault::Malformed { .. })));
}

#[test]
fn several_codes_stand_in_one_group() {
    let codes = Codes::Separated { group: "codes".to_owned(), separator: "/".to_owned() };
    let rule = institution(look("subject:CN", r"(?<codes>[0-9/]+)"), vec![], codes);
    let names = |text| vec![name("subject:CN", text)];
    assert_eq!(
        read(&one(rule.clone()), names("1330000018/1310000018")).unwrap(),
        "urn:sekisho:production:institution:1310000018+1330000018"
    );
    for bad in ["1310000018/", "1310000018//1330000018", "1310000018/1310000018", "/"] {
        let refused = read(&one(rule.clone()), names(bad));
        assert!(matches!(refused, Err(IdentityFault::Malformed { .. })), "{bad}");
    }
}

#[test]
fn the_codes_of_an_agent_come_from_the_list_and_from_nowhere_else() {
    let list = listed(&[("AGENT-7", &["1310000018", "1310000026"]), ("AGENT-8", &["1310000018"])]);
    for (pattern, text) in [(r"AGENT-\d+", "AGENT-7"), (r"(?<key>AGENT-\d+)( .*)?", "AGENT-7 (Tokyo)")] {
        let rules = one(agent(look("subject:CN", pattern), list.clone()).unwrap());
        assert_eq!(
            read(&rules, vec![name("subject:CN", text)]).unwrap(),
            "urn:sekisho:production:billing-agent:1310000018+1310000026"
        );
        let stranger = read(&rules, vec![name("subject:CN", "AGENT-9")]);
        assert_eq!(stranger, Err(IdentityFault::NotListed { rule: "agents".to_owned() }));
    }
}

#[test]
fn a_rule_is_for_its_issuer_only() {
    let rule = |issuer: IssuerCondition| {
        let first = look("subject:CN", r"(?<code>\d{10})");
        let codes = Codes::Joined(CodeTemplate::default());
        one(IdentityRule::patterns(
            "r",
            issuer,
            (first, vec![]),
            Environment::Production,
            Role::Institution,
            codes,
        )
        .unwrap())
    };
    let (root, issuing) = (Some("CN=root".to_owned()), Some("CN=issuing".to_owned()));
    let other = Some("CN=other".to_owned());
    for (anchor_key, anchor_name, issuer_name, fits) in [
        (None, None, None, true),
        (Some(key(0)), None, None, true),
        (Some(key(0)), root.clone(), issuing.clone(), true),
        (None, None, issuing.clone(), true),
        (Some(key(1)), None, None, false),
        (None, other.clone(), None, false),
        (None, None, other.clone(), false),
        (Some(key(0)), root.clone(), other, false),
        (Some(key(9)), root, issuing, false),
    ] {
        let rules = rule(IssuerCondition { anchor_key, anchor_name, issuer_name });
        let verdict = read(&rules, vec![name("subject:CN", "1310000018")]);
        assert_eq!(verdict.is_ok(), fits, "{rules:?}");
    }
}

#[test]
fn each_of_two_authorities_has_its_own_shape() {
    let of = |byte| IssuerCondition { anchor_key: Some(key(byte)), ..IssuerCondition::default() };
    let pattern = |name: &str, issuer, role| {
        let first = look("subject:CN", r"(?<code>\d+)");
        let codes = Codes::Joined(CodeTemplate::default());
        IdentityRule::patterns(name, issuer, (first, vec![]), Environment::Production, role, codes).unwrap()
    };
    let rules = IdentityRules::new(vec![
        pattern("institutions", of(0), Role::Institution),
        pattern("insurers", of(7), Role::Insurer),
    ]);
    assert_eq!(read(&rules, vec![name("subject:CN", "1310000018")]).unwrap(), INSTITUTION);
    let mut insurer = certificate(vec![name("subject:CN", "06132013")]);
    insurer.issued_by.anchor_key = Some(key(7));
    assert_eq!(rules.identify(&insurer).unwrap().to_uri(), "urn:sekisho:production:insurer:06132013");
    // Where no path was built nobody knows which of them it is.
    insurer.issued_by.anchor_key = None;
    assert!(rules.identify(&insurer).is_err());
}

#[test]
fn an_issuer_may_be_held_to_one_role_and_environment() {
    let uri = vec![name("san:uri", "urn:sekisho:test:institution:1310000018")];
    let held = |environment, role| {
        one(IdentityRule::urn("lab", IssuerCondition::default(), Some(environment), Some(role)))
    };
    assert!(read(&held(Environment::Test, Role::Institution), uri.clone()).is_ok());
    for rules in [held(Environment::Production, Role::Institution), held(Environment::Test, Role::Insurer)] {
        let refused = read(&rules, uri.clone());
        assert_eq!(refused, Err(IdentityFault::NotForThisIssuer { rule: "lab".to_owned() }));
    }
}

#[test]
fn a_rule_that_can_never_work_is_refused_when_it_is_made() {
    let at_cn = |pattern: &str| look("subject:CN", pattern);
    let no_group = agent(at_cn(r"\d{10}"), joined("{code}"));
    assert_eq!(no_group.unwrap_err(), RuleError::NoSuchGroup { group: "code".to_owned() });
    let nothing_between = Codes::Separated { group: "codes".to_owned(), separator: String::new() };
    assert_eq!(agent(at_cn("(?<codes>.*)"), nothing_between).unwrap_err(), RuleError::Separator);
    let wrong_shape = agent(at_cn("A"), listed(&[("A", &["131"])])).unwrap_err();
    assert!(matches!(wrong_shape, RuleError::List { holder, .. } if holder == "A"));
    let never = agent(at_cn("AGENT-[0-9]"), listed(&[("AGENT-X", &["1310000018"])])).unwrap_err();
    assert_eq!(never, RuleError::NeverMatched { holder: "AGENT-X".to_owned() });
    let twice = IdentityRule::patterns(
        "r",
        IssuerCondition::default(),
        (at_cn("(?<code>.*)"), vec![look("subject:OU", "(?<code>.*)")]),
        Environment::Test,
        Role::Institution,
        joined("{code}"),
    );
    assert_eq!(twice.unwrap_err(), RuleError::GroupTwice { group: "code".to_owned() });
    for template in ["", "1310000018", "{code", "{}", "{code}/", "{a} {b}"] {
        assert_eq!(template.parse::<CodeTemplate>().unwrap_err(), RuleError::Template, "{template:?}");
    }
}

#[test]
fn a_place_reads_back_as_it_is_written() {
    for text in
        ["san:uri", "san:dns", "san:other:1.2.3", "subject:CN", "subject:OU", "subject:1.2.3", "subject"]
    {
        assert_eq!(place(text).to_string(), text);
    }
    assert_eq!(place("subject:2.5.4.3"), place("subject:CN"));
    for bad in [
        "",
        "uri",
        "san:ip",
        "san:other:",
        "san:other:x",
        "subject:",
        "subject:cn",
        "subject:1",
        "subject:1..2",
    ] {
        assert!(bad.parse::<Place>().is_err(), "{bad}");
    }
}

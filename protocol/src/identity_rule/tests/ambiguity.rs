//! What can be read in two ways is not read at all.

use super::*;

const TEN_DIGITS: &str = r"(?<code>\d{10})";

fn several(at: &str) -> Result<String, IdentityFault> {
    Err(IdentityFault::Several { place: place(at) })
}

fn unsafe_at(at: &str) -> Result<String, IdentityFault> {
    Err(IdentityFault::Unsafe { place: place(at) })
}

#[test]
fn two_attributes_of_one_kind_are_refused_even_if_only_one_matches_or_both_are_equal() {
    for other in ["1310000018", "1310000026", "another"] {
        let names = vec![name("subject:CN", "1310000018"), name("subject:CN", other)];
        assert_eq!(read(&by_code("subject:CN", TEN_DIGITS), names), several("subject:CN"));
    }
}

#[test]
fn an_attribute_twice_in_different_string_types_is_refused() {
    let names = vec![name("subject:OU", "1310000018"), Name::foreign(place("subject:OU"))];
    assert_eq!(read(&by_code("subject:OU", TEN_DIGITS), names), several("subject:OU"));
}

#[test]
fn an_attribute_in_a_string_type_that_programs_read_differently_is_refused_where_a_rule_looks_only() {
    let names = vec![name("subject:CN", "1310000018"), Name::foreign(place("subject:O"))];
    assert_eq!(read(&by_code("subject:CN", TEN_DIGITS), names.clone()).unwrap(), INSTITUTION);
    assert_eq!(read(&by_code("subject:O", TEN_DIGITS), names), unsafe_at("subject:O"));
}

#[test]
fn two_alternative_names_that_match_are_refused_even_if_they_are_equal() {
    let pattern = r"https://claims\.example/(?<code>\d{10})";
    for other in ["https://claims.example/1310000018", "https://claims.example/1310000026"] {
        let names = vec![name("san:uri", "https://claims.example/1310000018"), name("san:uri", other)];
        assert_eq!(read(&by_code("san:uri", pattern), names), several("san:uri"));
    }
}

#[test]
fn two_rules_that_name_different_holders_are_refused_and_two_that_agree_are_not() {
    let codes = || Codes::Joined(CodeTemplate::default());
    let rules = IdentityRules::new(vec![
        institution(look("subject:CN", TEN_DIGITS), vec![], codes()),
        institution(look("subject:serialNumber", TEN_DIGITS), vec![], codes()),
    ]);
    let named = |number: &str| vec![name("subject:CN", "1310000018"), name("subject:serialNumber", number)];
    assert_eq!(read(&rules, named("1310000018")).unwrap(), INSTITUTION);
    assert!(matches!(read(&rules, named("1310000026")), Err(IdentityFault::Contradiction { .. })));
}

#[test]
fn a_text_of_another_type_is_no_name_of_the_type_looked_for() {
    let host = r"(?<code>\d{10})\.claims\.example";
    let text = "1310000018.claims.example";
    for elsewhere in ["san:uri", "san:other:1.3.6.1.4.1.311.20.2.3", "subject:CN"] {
        assert_eq!(read(&by_code("san:dns", host), vec![name(elsewhere, text)]), Err(IdentityFault::None));
    }
    let mail = Name::new(Place::Mail, text);
    assert_eq!(read(&by_code("san:dns", host), vec![mail]), Err(IdentityFault::None));
    assert_eq!(read(&by_code("san:dns", host), vec![name("san:dns", text)]).unwrap(), INSTITUTION);
}

#[test]
fn a_pattern_matches_the_whole_name_or_nothing() {
    for around in ["x1310000018", "1310000018x", "13100000180", "1310000018\u{3000}"] {
        assert_eq!(
            read(&by_code("subject:CN", TEN_DIGITS), vec![name("subject:CN", around)]),
            Err(IdentityFault::None)
        );
    }
    // Alternatives and flags that would free a pattern anchored by hand.
    for pattern in [r"(?<code>1310000018)|x", r"(?m)(?<code>1310000018)", r"(?<code>1310000018)|(?:y)"] {
        let names = vec![name("subject:CN", "1310000018 and more")];
        assert_eq!(read(&by_code("subject:CN", pattern), names), Err(IdentityFault::None), "{pattern}");
    }
}

#[test]
fn a_pattern_cannot_close_the_bracket_that_anchors_it() {
    for pattern in [r"a)|(?:b", r"a)$|^(?:b", "a)", "(a", "(?x)a # comment"] {
        assert!(matches!(Pattern::new(pattern), Err(PatternError::Malformed(_))), "{pattern}");
    }
}

#[test]
fn a_pattern_of_excessive_length_or_size_is_refused() {
    assert_eq!(Pattern::new(""), Err(PatternError::Length));
    assert_eq!(Pattern::new(&"a".repeat(PATTERN_LENGTH_MAX + 1)), Err(PatternError::Length));
    assert!(Pattern::new(&"a".repeat(PATTERN_LENGTH_MAX)).is_ok());
    assert_eq!(Pattern::new(r"(?:\w{1000}){1000}"), Err(PatternError::TooBig));
    assert!(Pattern::new(&format!("{}a{}", "(".repeat(30), ")".repeat(30))).is_err());
    assert!(Pattern::new(r"\w{1,40}").is_ok());
}

#[test]
fn a_nul_control_or_bidi_character_in_an_attribute_is_refused_where_a_rule_looks() {
    for c in [
        '\0', '\n', '\u{7f}', '\u{85}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{e000}',
        '\u{fffe}',
    ] {
        let names = vec![name("subject:CN", &format!("13100{c}00018"))];
        // A pattern that would let it through.
        assert_eq!(read(&by_code("subject:CN", r"(?s)(?<code>.*)"), names), unsafe_at("subject:CN"), "{c:?}");
    }
}

#[test]
fn an_alternative_name_with_nul_control_space_or_punycode_spoils_the_certificate_whoever_looks() {
    let rules = by_code("subject:CN", TEN_DIGITS);
    for (at, text) in [
        ("san:uri", "https://x/\0"),
        ("san:uri", "https://x /"),
        ("san:uri", "https://xn--bcher-kva.example/"),
        ("san:dns", "a\u{7f}.example"),
        ("san:dns", "XN--bcher-kva.example"),
        ("san:dns", "médecin.example"),
        ("san:other:1.2.3", "a\u{202e}b"),
    ] {
        let names = vec![name("subject:CN", "1310000018"), name(at, text)];
        assert_eq!(read(&rules, names), unsafe_at(at), "{text:?}");
    }
    let mail = Name::new(Place::Mail, "a@xn--bcher-kva.example");
    let spoilt = read(&rules, vec![name("subject:CN", "1310000018"), mail]);
    assert_eq!(spoilt, Err(IdentityFault::Unsafe { place: Place::Mail }));
    let unreadable = Name::unreadable(Place::Dns);
    assert_eq!(read(&rules, vec![name("subject:CN", "1310000018"), unreadable]), unsafe_at("san:dns"));
}

#[test]
fn an_alternative_name_that_is_no_text_harms_only_where_a_rule_looks() {
    let other = "san:other:1.3.6.1.4.1.311.20.2.3";
    let names = vec![name("subject:CN", "1310000018"), Name::foreign(place(other))];
    assert_eq!(read(&by_code("subject:CN", TEN_DIGITS), names.clone()).unwrap(), INSTITUTION);
    assert_eq!(read(&by_code(other, TEN_DIGITS), names), unsafe_at(other));
}

#[test]
fn names_of_excessive_length_are_refused() {
    let host = |length: usize| "a.".repeat(length / 2);
    assert!(name("san:dns", &host(252)).text().is_some());
    assert!(name("san:dns", &host(254)).spoils_all());
    assert!(name("san:dns", &"a".repeat(64)).spoils_all());
    assert!(name("san:uri", &"a".repeat(ALTERNATIVE_NAME_LENGTH_MAX)).text().is_some());
    assert!(name("san:uri", &"a".repeat(ALTERNATIVE_NAME_LENGTH_MAX + 1)).spoils_all());
    assert!(name("subject:CN", &"あ".repeat(ATTRIBUTE_LENGTH_MAX)).text().is_some());
    assert!(name("subject:CN", &"あ".repeat(ATTRIBUTE_LENGTH_MAX + 1)).text().is_none());
}

#[test]
fn full_width_digits_are_no_code() {
    let names = vec![name("subject:CN", "１３１００００１８８")];
    let refused = read(&by_code("subject:CN", TEN_DIGITS), names);
    assert!(matches!(refused, Err(IdentityFault::Malformed { .. })), "{refused:?}");
}

#[test]
fn a_second_identity_uri_does_not_hide_behind_capitals() {
    let uri = "urn:sekisho:test:institution:1310000018";
    let other = "URN:Sekisho:test:institution:1310000026";
    let rules = IdentityRules::default();
    assert_eq!(read(&rules, vec![name("san:uri", uri), name("san:uri", other)]), several("san:uri"));
    assert!(matches!(read(&rules, vec![name("san:uri", other)]), Err(IdentityFault::Malformed { .. })));
}

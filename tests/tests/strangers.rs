//! Who is let in, asked with other people's clients: one kind of certificate, and none of all the others. Each refusal has
//! its own reason, in the counters and in the log, and nothing of what a refused client asks for is done.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::collections::BTreeMap;

use certs_tool::{Lab, Profile, Reason, Validity, revocation::serial_in, when::When};
use pki::clock;
use protocol::{
    entry::Event,
    party::{Environment, Identity},
};
use rcgen::{CertificateParams, CustomExtension, IsCa, KeyUsagePurpose};
use serde_json::Value;
use tests::{
    forger::{Forger, Shown, client, purposes, today, uri},
    lab::TestLab,
    papers::from_now,
    setting::Setting,
    strangers::{Stranger, are_here, clinic},
};
use time::Duration;

const INSTITUTION: &str = "urn:sekisho:test:institution:1310000018";
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A kind of client that is not let in.
struct Refused {
    what: &'static str,
    shown: Option<Shown>,
    /// The reason that the centre gives to itself.
    reason: &'static str,
    /// The number of the alert that the client is told (RFC 8446 section 6.2).
    alert: u8,
}

/// What a lab's authority makes, for these milliseconds from now.
fn issued(lab: &Lab, profile: Profile, from: i64, to: i64) -> Shown {
    let (identity, names) = match profile {
        Profile::Centre => ("urn:sekisho:test:review-agency:113", &["127.0.0.1"][..]),
        _ => (INSTITUTION, &[][..]),
    };
    let identity = Identity::from_uri(identity).unwrap();
    let validity = Validity::new(from_now(from), from_now(to)).unwrap();
    let out = lab.dir().join(format!("{}-{from}-{to}", profile.name()));
    lab.issue(profile, &identity, names, &out, validity).unwrap().into()
}

/// All of them.
async fn refused(lab: &TestLab) -> Vec<Refused> {
    let authority = lab.sites.authority();
    let forger = Forger::of(lab);
    let good = client(INSTITUTION);
    let but = |edit: &dyn Fn(&mut CertificateParams)| {
        let mut params = good.clone();
        edit(&mut params);
        Some(forger.forge(&params))
    };
    let names = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| uri(name)).collect();
        but(&|params| params.subject_alt_names = names.clone())
    };
    let elsewhere = Lab::init(&lab.path().join("elsewhere"), Environment::Test, clock::now()).unwrap();
    let revoked = authority.issue(
        Profile::Institution,
        &Identity::from_uri(INSTITUTION).unwrap(),
        &[],
        &authority.dir().join("revoked"),
        Validity::usual(clock::now()).unwrap(),
    );
    let revoked = revoked.unwrap();
    authority.revoke(&revoked.serial, Reason::KeyCompromise, clock::now()).unwrap();
    let long_chain = {
        let Shown { chain, key } = forger.forge(&good);
        let issuing = std::fs::read_to_string(authority.issuing_pem()).unwrap();
        let [chain, key] = [chain, key].map(|path| std::fs::read_to_string(path).unwrap());
        forger.shown(&format!("{chain}{}", issuing.repeat(4)), &key)
    };
    let unknown_critical = || {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
        extension.set_criticality(true);
        extension
    };
    let ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let other_institution = "urn:sekisho:test:institution:1310000026";
    let case = |what, shown, reason, alert| Refused { what, shown, reason, alert };
    vec![
        case("no certificate", None, "no_cert", 116),
        case("self-signed", Some(forger.self_signed(&good)), "unknown_ca", 48),
        case(
            "another authority",
            Some(issued(&elsewhere, Profile::Institution, -MINUTE, DAY)),
            "unknown_ca",
            48,
        ),
        case(
            "another authority of the same name",
            Some(Forger::of_the_same_name(lab).forge(&good)),
            "bad_signature",
            51,
        ),
        case("expired", Some(issued(authority, Profile::Institution, -DAY, -MINUTE)), "expired", 45),
        case(
            "not yet valid",
            Some(issued(authority, Profile::Institution, DAY, 2 * DAY)),
            "not_yet_valid",
            45,
        ),
        case("revoked", Some(revoked.into()), "revoked", 44),
        case("a server's", Some(issued(authority, Profile::Centre, -MINUTE, DAY)), "wrong_eku", 43),
        case("for evidence", Some(issued(authority, Profile::Evidence, -MINUTE, DAY)), "wrong_eku", 43),
        case("for nothing named", but(&|params| params.custom_extensions.clear()), "wrong_eku", 43),
        case(
            "for everything",
            but(&|params| params.custom_extensions = vec![purposes(&[&[0x55, 0x1d, 0x25, 0x00]])]),
            "wrong_eku",
            43,
        ),
        case("RSA with 1024 bits", Some(forger.forge_for_weak_rsa(&good).await), "weak_key", 49),
        case("signed with SHA-1", Some(forger.forge_with_sha_1(&good).await), "weak_signature", 49),
        case(
            "of production",
            names(&["urn:sekisho:production:institution:1310000018"]),
            "wrong_environment",
            49,
        ),
        case("two identities", names(&[INSTITUTION, other_institution]), "bad_identity", 49),
        case("no identity", names(&["https://example.jp/"]), "bad_identity", 49),
        case("an unknown role", names(&["urn:sekisho:test:king:1310000018"]), "bad_identity", 49),
        case("a code of another role", names(&["urn:sekisho:test:institution:113"]), "bad_identity", 49),
        case(
            "lives too long",
            but(&|params| params.not_after = today() + Duration::days(6 * 366)),
            "lifetime_too_long",
            49,
        ),
        case("too many certificates", Some(long_chain), "chain_too_long", 49),
        case("too deep a path", Some(forger.below().forge(&good)), "chain_too_long", 49),
        case("an authority's", but(&|params| params.is_ca = ca), "wrong_basic_constraints", 49),
        case(
            "may not sign",
            but(&|params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
            "wrong_ku",
            49,
        ),
        case(
            "a critical extension that nobody knows",
            but(&|params| params.custom_extensions.push(unknown_critical())),
            "critical_extension",
            42,
        ),
    ]
}

#[tokio::test]
async fn each_client_that_is_not_let_in_is_refused_for_its_own_reason_and_nothing_it_asks_for_is_done() {
    if !are_here() {
        return;
    }
    let lab = TestLab::new();
    let cases = refused(&lab).await;
    let setting =
        Setting::in_lab(lab, 20_000, &[("log.format", "\"json\""), ("log.level", "\"debug\"")]).await;
    let (root, to) = (setting.lab.sites.authority().root_pem(), setting.centre.address);
    // A good offer, which any of them would only have to bring.
    let offer = serde_json::json!({ "manifest": setting.papers.sign(&setting.manifest()) }).to_string();
    let offer = setting.lab.file("offer.json", offer.as_bytes());
    let body = format!("@{}", offer.display());
    let sends = ["--header", "content-type: application/json", "--data-binary", &body];
    let mut expected = BTreeMap::new();
    for (number, Refused { what, shown, reason, alert }) in (1..).zip(&cases) {
        let stranger = Stranger::new(number, &root, shown.clone());
        let said = stranger.s_client(to, &["-tls1_3"], b"").await;
        assert_eq!(said.alert(), Some(*alert), "{what}: {}", said.text);
        let said = stranger.curl(to, "/v1/transfers", &sends).await;
        assert!(!said.status.success() && said.last_line == "0 000", "{what}: {}", said.text);
        *expected.entry(format!("certificate:{reason}")).or_insert(0) += 2;
        // Who shows nothing cannot be named.
        if shown.is_some() {
            let line = refusal_logged(&setting, &stranger).await;
            assert_eq!(line["reason"], *reason, "{what}: {line}");
            for key in ["issuer", "serial", "subject"] {
                assert!(line[key].as_str().is_some_and(|text| !text.is_empty()), "{what}: {line}");
            }
        }
    }
    let by_reason = |turned_down: &BTreeMap<String, u64>| {
        let of_certificates = turned_down.iter().filter(|(reason, _)| reason.starts_with("certificate:"));
        of_certificates.map(|(reason, count)| (reason.clone(), *count)).collect::<BTreeMap<_, _>>()
    };
    let all = |status: &gateway::admin::Status| {
        by_reason(&status.turned_down).values().sum::<u64>() == 2 * cases.len() as u64
    };
    let status = setting.centre.until("all refusals to be counted", all).await;
    assert_eq!(by_reason(&status.turned_down), expected);
    setting.expect_no_transfer().await;
    let usual = [Event::LogOpened, Event::Started, Event::TurnedAway];
    for entry in setting.centre.entries().await {
        assert!(usual.contains(&entry.event), "{entry:?}");
    }
    // The same offer from the one that it belongs to.
    let good = Stranger::new(250, &root, Some(clinic(&setting)));
    let said = good.curl(to, "/v1/log/checkpoint", &[""; 0]).await;
    assert_eq!(said.last_line, "1.1 200", "{}", said.text);
    assert_eq!(good.curl(to, "/v1/transfers", &sends).await.last_line, "1.1 201");
}

#[tokio::test]
async fn case_24_an_ended_revocation_list_refuses_handshakes_and_is_named_as_our_own_trouble() {
    if !are_here() {
        return;
    }
    let lab = TestLab::new();
    // Made five minutes ago, as all lists of a lab are, and over since a minute.
    lab.sites.authority().crl(When::Milliseconds(-MINUTE), clock::now()).unwrap();
    let setting = Setting::in_lab(lab, 20_000, &[("log.format", "\"json\"")]).await;
    let good = Stranger::new(1, &setting.lab.sites.authority().root_pem(), Some(clinic(&setting)));
    let said = good.s_client(setting.centre.address, &["-tls1_3"], b"").await;
    assert_eq!(said.alert(), Some(46), "certificate_unknown, not bad_certificate: {}", said.text);
    assert_eq!(refusal_logged(&setting, &good).await["reason"], "crl_expired");
    let status = setting.centre.status().await;
    assert_eq!(status.turned_down.get("certificate:crl_expired"), Some(&1));
    assert!(status.not_ready.contains(&"revocation_lists_ended".to_owned()), "{:?}", status.not_ready);
    let said = tests::upkeep::gateway_refuses(&setting.centre.site, &["check"], 3).await;
    assert!(said.contains("under [tls] has ended"), "{said}");
}

#[tokio::test]
async fn case_28_a_revoked_authority_cuts_every_leaf_below_it_and_a_revoked_leaf_only_itself() {
    if !are_here() {
        return;
    }
    for (revoke_authority, other) in [(true, Some(44)), (false, None)] {
        let lab = TestLab::new();
        let authority = lab.sites.authority();
        let one = authority.issue(
            Profile::Institution,
            &Identity::from_uri(INSTITUTION).unwrap(),
            &[],
            &authority.dir().join("one"),
            Validity::usual(clock::now()).unwrap(),
        );
        let one = one.unwrap();
        let serial =
            if revoke_authority { serial_in(&authority.issuing_pem()).unwrap() } else { one.serial.clone() };
        authority.revoke(&serial, Reason::CaCompromise, clock::now()).unwrap();
        let setting = Setting::in_lab(lab, 20_000, &[]).await;
        let root = setting.lab.sites.authority().root_pem();
        let request = b"GET /v1/log/checkpoint HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        for (shown, alert) in [(one.into(), Some(44)), (clinic(&setting), other)] {
            let stranger = Stranger::new(1, &root, Some(shown));
            let said = match alert {
                Some(_) => stranger.s_client(setting.centre.address, &["-tls1_3"], b"").await,
                None => stranger.s_client(setting.centre.address, &["-tls1_3"], request).await,
            };
            assert_eq!(said.alert(), alert, "{}", said.text);
            assert_eq!(said.text.contains("HTTP/1.1 200"), alert.is_none(), "{}", said.text);
        }
    }
}

/// The line about the stranger's certificate in the centre's log.
async fn refusal_logged(setting: &Setting, stranger: &Stranger) -> Value {
    let address = format!("\"address\":\"{}:", stranger.from);
    let line = setting.centre.logs(&["certificate refused", &address]).await;
    serde_json::from_str(&line).unwrap()
}

//! Manifests that are not of the documented form, or do not belong here: each gets its documented code, and leaves
//! nothing behind but, where the no is final, the signed refusal.

#![expect(clippy::unwrap_used, reason = "a helper of the tests")]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::{
    entry::Event,
    kind::{Class, Kind},
    limits::{FILE_NAME_BYTES_MAX, JWS_BYTES_MAX},
    party::{Environment, Identity},
    problem::Problem,
    statement::{Manifest, Receipt, Statement as _},
};
use tests::{
    lab::{TestLab, institution},
    papers::{Papers, from_now},
    setting::Setting,
    wire::{Caller, offer},
};

/// The offers are of a small file; the largest that is taken is not much larger.
const LIMITS: [(&str, &str); 1] = [("limits.file_bytes_max", "\"1MiB\"")];

/// The offer of a manifest whose JSON text was edited before it was signed.
fn edited(setting: &Setting, edit: impl FnOnce(String) -> String) -> Vec<u8> {
    let text = edit(serde_json::to_string(&setting.manifest()).unwrap());
    offer(&setting.papers.sign_bytes(Manifest::TYP, text.as_bytes()))
}

#[tokio::test]
async fn statements_that_are_not_of_the_documented_form_are_turned_down_with_their_codes() {
    let setting = Setting::new(20_000, &LIMITS).await;
    let Setting { papers, .. } = &setting;
    let manifest = setting.manifest();
    let payload = serde_json::to_string(&manifest).unwrap();
    let good = papers.sign(&manifest);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = message.split_once('.').unwrap();
    let header_json = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let reheaded = |from: &str, to: &str| {
        assert!(header_json.contains(from), "{header_json}");
        offer(&papers.sign_parts(header_json.replace(from, to).as_bytes(), payload.as_bytes()))
    };
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[10] ^= 1;
    let flipped = format!("{message}.{}", URL_SAFE_NO_PAD.encode(flipped));
    let receipt = papers.sign_bytes(Receipt::TYP, payload.as_bytes());
    let swap = |from: &'static str, to: &'static str| {
        edited(&setting, move |text| {
            assert!(text.contains(from), "{from} in {text}");
            text.replacen(from, to, 1)
        })
    };
    setting
        .caller
        .expect_all(vec![
            ("empty", offer(""), Problem::BadStatement),
            ("two parts", offer(message), Problem::BadStatement),
            ("four parts", offer(&format!("{good}.x")), Problem::BadStatement),
            ("padded", offer(&format!("{header}=.{body}.{signature}")), Problem::BadStatement),
            ("not base64url", offer(&format!("{header}.{body}+.{signature}")), Problem::BadStatement),
            ("no part at all", offer(&"a".repeat(60_000)), Problem::BadStatement),
            ("of another type", offer(&receipt), Problem::BadStatement),
            ("alg none", reheaded("\"ES256\"", "\"none\""), Problem::BadStatement),
            ("alg HS256", reheaded("\"ES256\"", "\"HS256\""), Problem::BadStatement),
            ("crit", reheaded("\"typ\"", "\"crit\":[\"b64\"],\"b64\":false,\"typ\""), Problem::BadStatement),
            ("jwk", reheaded("\"typ\"", "\"jwk\":{},\"typ\""), Problem::BadStatement),
            ("jku", reheaded("\"typ\"", "\"jku\":\"https://example.com\",\"typ\""), Problem::BadStatement),
            ("a header key twice", reheaded("\"typ\"", "\"alg\":\"ES256\",\"typ\""), Problem::BadStatement),
            ("the other algorithm", reheaded("\"ES256\"", "\"ES384\""), Problem::BadSigner),
            ("signature altered", offer(&flipped), Problem::BadSigner),
            ("a key twice", swap("\"version\":1", "\"version\":1,\"version\":1"), Problem::BadStatement),
            (
                "an unknown key",
                swap("\"version\":1", "\"version\":1,\"colour\":\"red\""),
                Problem::BadStatement,
            ),
            ("a missing key", swap("\"length\":", "\"size\":"), Problem::BadStatement),
            ("an unknown version", swap("\"version\":1", "\"version\":2"), Problem::UnsupportedVersion),
            (
                "an unknown kind",
                swap("\"kind\":\"medical\"", "\"kind\":\"holiday-photos\""),
                Problem::UnknownKind,
            ),
            ("no length in it", swap(",\"length\":", ",\"length\":-"), Problem::BadStatement),
            (
                "not UTF-8",
                offer(&papers.sign_bytes(Manifest::TYP, b"{\"version\":1,\"kind\":\"\xff\"}")),
                Problem::BadStatement,
            ),
            ("no JSON", offer(&papers.sign_bytes(Manifest::TYP, b"manifest")), Problem::BadStatement),
            (
                "deep JSON",
                offer(&papers.sign_bytes(Manifest::TYP, "[".repeat(20_000).as_bytes())),
                Problem::BadStatement,
            ),
        ])
        .await;
    setting.expect_no_transfer().await;
}

#[tokio::test]
async fn an_oversized_statement_is_refused_before_it_is_decoded() {
    let lab = TestLab::new();
    // Otherwise the smaller limit of the body answers first.
    let centre = lab.centre(&[("limits.body_bytes_max", "\"144KiB\"")]).await;
    let site = lab.sender("clinic", &institution(Kind::Medical, 1), centre.address, &[]);
    let caller = Caller::new(&site, centre.address);
    let answer = caller.offer(&"a".repeat(JWS_BYTES_MAX + 1)).await;
    assert_eq!((answer.status, answer.problem()), (413, Problem::StatementTooLarge));
    let answer = caller.offer(&"a".repeat(JWS_BYTES_MAX)).await;
    assert_eq!(answer.problem(), Problem::BadStatement);
    let certificate = "A".repeat(64);
    let many = serde_json::json!({ "alg": "ES256", "typ": Manifest::TYP, "x5c": vec![certificate; 5] });
    let answer = caller.offer(&Papers::of(&site).sign_parts(many.to_string().as_bytes(), b"{}")).await;
    assert_eq!(answer.problem(), Problem::StatementTooLarge);
}

#[tokio::test]
async fn case_48_a_file_name_that_could_do_harm_is_refused() {
    let setting = Setting::new(20_000, &LIMITS).await;
    let long = "a".repeat(FILE_NAME_BYTES_MAX + 1);
    let longest = "a".repeat(FILE_NAME_BYTES_MAX);
    for name in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "C:\\x",
        "a\0b",
        "a\nb",
        "a\u{1b}[2J",
        "\u{202e}txt.exe",
        "\u{2066}a",
        &long,
    ] {
        let request = setting.offer_but(|manifest| manifest.file_name = name.to_owned());
        let answer = setting.caller.ask(&request).await;
        assert_eq!((answer.status, answer.problem()), (400, Problem::BadFileName), "{name:?}");
    }
    setting.expect_no_transfer().await;
    // What only looks odd is a name like any other, and stays out of every path.
    for name in ["レセプト 10月.UKE", "-rf", "CON", "a;b|c&d", "%2e%2e%2f", &longest] {
        let request = setting.offer_but(|manifest| manifest.file_name = name.to_owned());
        assert_eq!(setting.caller.ask(&request).await.status, 201, "{name:?}");
    }
}

#[tokio::test]
async fn offers_that_do_not_belong_here_are_turned_down_with_their_codes() {
    let setting = Setting::new(20_000, &LIMITS).await;
    let other = institution(Kind::Medical, 2);
    let identity = |uri: &str| Identity::from_uri(uri).unwrap();
    setting
        .caller
        .expect_all(vec![
            (
                "other environment",
                setting.offer_but(|manifest| {
                    manifest.environment = Environment::Production;
                    manifest.acting = identity("urn:sekisho:production:institution:1310000018");
                }),
                Problem::WrongEnvironment,
            ),
            (
                "other sender",
                setting.offer_but(|manifest| manifest.sender = other.clone()),
                Problem::NotYours,
            ),
            (
                "other acting",
                setting.offer_but(|manifest| {
                    manifest.acting = identity(&format!("urn:sekisho:test:institution:{}", other.code()));
                }),
                Problem::NotYours,
            ),
            ("no month", setting.offer_but(|manifest| manifest.claim_month = None), Problem::BadStatement),
            // From here on the no is signed, final and on record.
            (
                "other receiver",
                setting.offer_but(|manifest| {
                    manifest.receiver = "review-agency:127".parse().unwrap();
                }),
                Problem::WrongReceiver,
            ),
            (
                "over the limit",
                setting.offer_but(|manifest| manifest.length = 1024 * 1024 + 1),
                Problem::TooLarge,
            ),
            (
                "class too low",
                setting.offer_but(|manifest| manifest.class = Class::Public),
                Problem::ClassTooLow,
            ),
            (
                "from the future",
                setting.offer_but(|manifest| {
                    manifest.created_at = from_now(11 * 60 * 1000);
                }),
                Problem::CreatedAtOutOfRange,
            ),
            (
                "from long ago",
                setting.offer_but(|manifest| {
                    manifest.created_at = from_now(-31 * 24 * 60 * 60 * 1000);
                }),
                Problem::CreatedAtOutOfRange,
            ),
        ])
        .await;
    setting.expect_nothing_left().await;
    let refused = |entry: &&protocol::entry::Entry| entry.event == Event::Refused;
    assert_eq!(setting.centre.entries().await.iter().filter(refused).count(), 5);
}

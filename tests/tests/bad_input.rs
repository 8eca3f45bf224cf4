//! Whatever a peer with a good certificate sends wrong is answered with its documented code and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::{
    entry::Event,
    kind::{Class, Kind},
    limits::{FILE_NAME_BYTES_MAX, JWS_BYTES_MAX},
    party::{Environment, Identity},
    problem::Problem,
    statement::{Manifest, Receipt, Statement as _},
    transfer_id::TransferKey,
};
use tests::{
    centre::{Centre, spooled},
    files::claims_file,
    lab::{TestLab, institution},
    papers::{Papers, from_now, new_id},
    wire::{Caller, get, offer, post, send_head},
};

struct Setting {
    _lab: TestLab,
    centre: Centre,
    caller: Caller,
    papers: Papers,
    content: Vec<u8>,
}

async fn setting() -> Setting {
    let lab = TestLab::new();
    let centre = lab.centre(&[("limits.file_bytes_max", "\"1MiB\"")]).await;
    let party = institution(Kind::Medical, 1);
    let site = lab.sender("clinic", &party, centre.address, &[]);
    let (caller, papers) = (Caller::new(&site, centre.address), Papers::of(&site));
    let content = claims_file(Kind::Medical, &party, 20_000, 1);
    Setting { _lab: lab, centre, caller, papers, content }
}

impl Setting {
    fn manifest(&self) -> Manifest {
        self.papers.manifest(Kind::Medical, &self.content)
    }

    /// A manifest with one thing changed.
    fn manifest_but(&self, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
        let mut manifest = self.manifest();
        change(&mut manifest);
        offer(&self.papers.sign(&manifest))
    }

    /// A manifest whose JSON text was edited before it was signed.
    fn edited(&self, edit: impl FnOnce(String) -> String) -> Vec<u8> {
        let text = edit(serde_json::to_string(&self.manifest()).unwrap());
        offer(&self.papers.sign_bytes(Manifest::TYP, text.as_bytes()))
    }

    async fn offered(&self) -> TransferKey {
        let manifest = self.manifest();
        assert_eq!(self.caller.offer(&self.papers.sign(&manifest)).await.status, 201);
        manifest.key()
    }

    /// Asks each of these and expects the problem beside it, with its documented status.
    async fn expect_all(&self, requests: Vec<(&str, Vec<u8>, Problem)>) {
        for (what, request, problem) in requests {
            let answer = self.caller.ask(&request).await;
            assert_eq!((answer.problem(), answer.status), (problem, problem.status()), "{what}");
        }
    }

    /// No transfer that is not final, no file anywhere.
    async fn expect_nothing_left(&self) {
        let transfers = self.centre.status().await.transfers;
        for (phase, count) in transfers {
            assert!(count == 0 || phase == "refused", "{count} transfers are {phase}");
        }
        assert_eq!(self.centre.inbox(), []);
        let content: Vec<_> = spooled(&self.centre.site)
            .into_iter()
            .filter(|file| std::fs::metadata(file).unwrap().len() > 100)
            .collect();
        assert_eq!(content, Vec::<std::path::PathBuf>::new());
    }

    /// No transfer at all.
    async fn expect_no_transfer(&self) {
        assert!(self.centre.status().await.transfers.values().all(|count| *count == 0));
        self.expect_nothing_left().await;
    }
}

#[tokio::test]
async fn requests_that_are_not_of_the_documented_form_are_turned_down_with_their_codes() {
    let setting = setting().await;
    let good = setting.papers.sign(&setting.manifest());
    let json = |body: &str| post("/v1/transfers", "application/json", body.as_bytes());
    let body = serde_json::json!({ "manifest": good }).to_string();
    let head = |request: &str| format!("{request}\r\nhost: centre\r\n\r\n").into_bytes();
    let with_length = |path: &str, length: &str| {
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: centre\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        text.into_bytes()
    };
    let duplicate = format!("{{\"manifest\":\"{good}\",\"manifest\":\"{good}\"}}");
    setting
        .expect_all(vec![
            (
                "no length",
                head("POST /v1/transfers HTTP/1.1\r\ncontent-type: application/json"),
                Problem::LengthRequired,
            ),
            ("body over its limit", with_length("/v1/transfers", "10000000"), Problem::BodyTooLarge),
            ("HTTP/1.0", head("GET /v1/log/checkpoint HTTP/1.0"), Problem::HttpVersion),
            ("no such address", get("/v1/nothing"), Problem::NotFound),
            ("no such address of all", get("/"), Problem::NotFound),
            ("a path out of the tree", get("/v1/transfers/../../etc/passwd"), Problem::NotFound),
            ("no transfer id", get("/v1/transfers/institution:1310000018/1"), Problem::NotFound),
            ("PUT", head("PUT /v1/transfers HTTP/1.1"), Problem::MethodNotAllowed),
            ("GET on offers", get("/v1/transfers"), Problem::MethodNotAllowed),
            ("a method nobody knows", head("BREW /v1/transfers HTTP/1.1"), Problem::MethodNotAllowed),
            (
                "other content type",
                post("/v1/transfers", "text/plain", body.as_bytes()),
                Problem::UnsupportedMediaType,
            ),
            ("not JSON", json("manifest"), Problem::BadRequest),
            (
                "not UTF-8",
                post("/v1/transfers", "application/json", b"{\"manifest\":\"\xff\xfe\"}"),
                Problem::BadRequest,
            ),
            ("not an object", json("[]"), Problem::BadRequest),
            ("an unknown key", json("{\"manifest\":\"a.b.c\",\"x\":1}"), Problem::BadRequest),
            ("a key twice", json(&duplicate), Problem::BadRequest),
            ("a number for the manifest", json("{\"manifest\":1}"), Problem::BadRequest),
            ("something behind the object", json(&format!("{body}x")), Problem::BadRequest),
        ])
        .await;
    setting.expect_no_transfer().await;
}

#[tokio::test]
async fn statements_that_are_not_of_the_documented_form_are_turned_down_with_their_codes() {
    let setting = setting().await;
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
        setting.edited(move |text| {
            assert!(text.contains(from), "{from} in {text}");
            text.replacen(from, to, 1)
        })
    };
    setting
        .expect_all(vec![
            ("empty", offer(""), Problem::BadStatement),
            ("two parts", offer(message), Problem::BadStatement),
            ("four parts", offer(&format!("{good}.x")), Problem::BadStatement),
            ("padded", offer(&format!("{header}=.{body}.{signature}")), Problem::BadStatement),
            ("not base64url", offer(&format!("{header}.{body}+.{signature}")), Problem::BadStatement),
            ("too large", offer(&"a".repeat(JWS_BYTES_MAX.min(60_000))), Problem::BadStatement),
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
async fn a_file_name_that_could_do_harm_is_refused() {
    let setting = setting().await;
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
        let request = setting.manifest_but(|manifest| manifest.file_name = name.to_owned());
        let answer = setting.caller.ask(&request).await;
        assert_eq!((answer.status, answer.problem()), (400, Problem::BadFileName), "{name:?}");
    }
    setting.expect_no_transfer().await;
    // What only looks odd is a name like any other, and stays out of every path.
    for name in ["レセプト 10月.UKE", "-rf", "CON", "a;b|c&d", "%2e%2e%2f", &longest] {
        let request = setting.manifest_but(|manifest| manifest.file_name = name.to_owned());
        assert_eq!(setting.caller.ask(&request).await.status, 201, "{name:?}");
    }
}

#[tokio::test]
async fn offers_that_do_not_belong_here_are_turned_down_with_their_codes() {
    let setting = setting().await;
    let other = institution(Kind::Medical, 2);
    let identity = |uri: &str| Identity::from_uri(uri).unwrap();
    setting
        .expect_all(vec![
            (
                "other environment",
                setting.manifest_but(|manifest| {
                    manifest.environment = Environment::Production;
                    manifest.acting = identity("urn:sekisho:production:institution:1310000018");
                }),
                Problem::WrongEnvironment,
            ),
            (
                "other sender",
                setting.manifest_but(|manifest| manifest.sender = other.clone()),
                Problem::NotYours,
            ),
            (
                "other acting",
                setting.manifest_but(|manifest| {
                    manifest.acting = identity(&format!("urn:sekisho:test:institution:{}", other.code()));
                }),
                Problem::NotYours,
            ),
            ("no month", setting.manifest_but(|manifest| manifest.claim_month = None), Problem::BadStatement),
            // From here on the no is signed, final and on record.
            (
                "other receiver",
                setting.manifest_but(|manifest| {
                    manifest.receiver = "review-agency:127".parse().unwrap();
                }),
                Problem::WrongReceiver,
            ),
            (
                "over the limit",
                setting.manifest_but(|manifest| manifest.length = 1024 * 1024 + 1),
                Problem::TooLarge,
            ),
            (
                "class too low",
                setting.manifest_but(|manifest| manifest.class = Class::Public),
                Problem::ClassTooLow,
            ),
            (
                "from the future",
                setting.manifest_but(|manifest| {
                    manifest.created_at = from_now(11 * 60 * 1000);
                }),
                Problem::CreatedAtOutOfRange,
            ),
            (
                "from long ago",
                setting.manifest_but(|manifest| {
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

#[tokio::test]
async fn content_that_is_not_as_declared_is_turned_down_and_dropped() {
    let setting = setting().await;
    let key = setting.offered().await;
    let length = setting.content.len() as u64;
    let head = |key: &TransferKey, replace: &str, with: &str| {
        let text = String::from_utf8(send_head(key, 0, length)).unwrap();
        assert!(text.contains(replace), "{text}");
        text.replace(replace, with).into_bytes()
    };
    let declared = format!("content-length: {length}\r\n");
    let unknown = TransferKey { id: new_id(), ..key.clone() };
    setting
        .expect_all(vec![
            ("no length", head(&key, &declared, ""), Problem::LengthRequired),
            ("no offset", head(&key, "upload-offset: 0\r\n", ""), Problem::BadUploadHeader),
            (
                "two offsets",
                head(&key, "upload-offset: 0", "upload-offset: 0\r\nupload-offset: 0"),
                Problem::BadUploadHeader,
            ),
            ("offset -1", head(&key, "upload-offset: 0", "upload-offset: -1"), Problem::BadUploadHeader),
            ("offset +0", head(&key, "upload-offset: 0", "upload-offset: +0"), Problem::BadUploadHeader),
            ("not complete", head(&key, "?1", "?0"), Problem::BadUploadHeader),
            (
                "other content type",
                head(&key, "application/partial-upload", "text/plain"),
                Problem::UnsupportedMediaType,
            ),
            ("other offset", send_head(&key, 1, length - 1), Problem::WrongOffset),
            ("one byte too many", send_head(&key, 0, length + 1), Problem::LengthMismatch),
            ("one byte too few", send_head(&key, 0, length - 1), Problem::LengthMismatch),
            ("unknown id", send_head(&unknown, 0, length), Problem::NotFound),
        ])
        .await;
    // The right length of other bytes: once for another try, then for good.
    let mut other = setting.content.clone();
    other[100] ^= 1;
    assert_eq!(setting.caller.send(&key, &other).await.problem(), Problem::DigestMismatch);
    assert_eq!(setting.caller.state(&key).await.phase, "aborted");
    let last = setting.caller.send(&key, &other).await;
    assert_eq!((last.status, last.problem()), (422, Problem::DigestMismatch));
    assert_eq!(setting.caller.state(&key).await.phase, "refused");
    assert_eq!(setting.caller.send(&key, &setting.content).await.problem(), Problem::DigestMismatch);
    setting.expect_nothing_left().await;
}

#[tokio::test]
async fn a_claims_file_that_is_not_what_its_manifest_says_is_refused_for_good_before_the_commit() {
    let setting = setting().await;
    let own = &setting.papers.party;
    let whole = &setting.content;
    let replaced = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|window| window == from).unwrap();
        [&whole[..at], to, &whole[at + from.len()..]].concat()
    };
    let last_record = whole.windows(4).rposition(|window| window == b"\nGO,").unwrap() + 1;
    for (what, content, kind, problem) in [
        ("end cut off", whole[..whole.len() - 1].to_vec(), Kind::Medical, Problem::ClaimsIncomplete),
        ("last record cut off", whole[..last_record].to_vec(), Kind::Medical, Problem::ClaimsIncomplete),
        ("empty", Vec::new(), Kind::Medical, Problem::ClaimsIncomplete),
        ("no claims file at all", b"GIF89a".to_vec(), Kind::Medical, Problem::ClaimsIncomplete),
        (
            "another institution's",
            claims_file(Kind::Medical, &institution(Kind::Medical, 2), 9_000, 1),
            Kind::Medical,
            Problem::ClaimsCodeMismatch,
        ),
        ("another payer's", replaced(b"UK,1,13", b"UK,2,13"), Kind::Medical, Problem::ClaimsPayerMismatch),
        ("another kind", whole.clone(), Kind::Dental, Problem::ClaimsKindMismatch),
    ] {
        let manifest = setting.papers.manifest(kind, &content);
        assert_eq!(setting.caller.offer(&setting.papers.sign(&manifest)).await.status, 201, "{what}");
        let answer = setting.caller.send(&manifest.key(), &content).await;
        assert_eq!((answer.problem(), answer.status), (problem, 422), "{what}");
        let state = setting.caller.state(&manifest.key()).await;
        assert_eq!(state.phase, "refused", "{what}");
        assert!(state.refusal.is_some(), "the refusal of {what} is signed");
    }
    let mut month = setting.papers.manifest(Kind::Medical, whole);
    month.claim_month = Some("202609".parse().unwrap());
    assert_eq!(setting.caller.offer(&setting.papers.sign(&month)).await.status, 201);
    assert_eq!(setting.caller.send(&month.key(), whole).await.problem(), Problem::ClaimsMonthMismatch);
    setting.expect_nothing_left().await;
    // None of it stands in the way of the right file.
    let manifest = setting.papers.manifest(Kind::Medical, whole);
    assert_eq!(manifest.sender, *own);
    assert_eq!(setting.caller.offer(&setting.papers.sign(&manifest)).await.status, 201);
    assert_eq!(setting.caller.send(&manifest.key(), whole).await.status, 200);
}

#[tokio::test]
async fn any_transfer_encoding_is_answered_with_411_and_a_close() {
    let setting = setting().await;
    let key = setting.offered().await;
    let path = key.location();
    let smuggled = "GET /v1/log/checkpoint HTTP/1.1\r\nhost: centre\r\n\r\n";
    for framing in [
        "transfer-encoding: chunked",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "transfer-encoding: gzip, chunked",
    ] {
        for request in [
            format!(
                "PATCH {path} HTTP/1.1\r\nhost: c\r\ncontent-type: application/partial-upload\r\nupload-offset: 0\r\nupload-complete: ?1\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}"
            ),
            format!(
                "POST /v1/transfers HTTP/1.1\r\nhost: c\r\ncontent-type: application/json\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}"
            ),
            format!("GET {path} HTTP/1.1\r\nhost: c\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}"),
        ] {
            let mut line = setting.caller.line().await;
            let answer = line.ask(request.as_bytes()).await;
            assert_eq!((answer.status, answer.problem()), (411, Problem::LengthRequired), "{framing}");
            assert_eq!(answer.header("connection"), Some("close"), "{framing}");
            assert_eq!(line.closed().await, b"", "nothing of what stood behind it is answered");
        }
    }
    assert_eq!(setting.caller.state(&key).await.phase, "offered");
}

#[tokio::test]
async fn what_the_http_engine_rejects_ends_as_a_bare_4xx_or_a_close_and_is_counted() {
    let setting = setting().await;
    let before: u64 = setting.centre.status().await.turned_down.values().sum();
    let requests = [
        "\r\n\r\n\x16\x03\x01garbage\r\n\r\n".to_owned(),
        "GET /v1 HTTP/9.9\r\n\r\n".to_owned(),
        "GET  /v1 HTTP/1.1\r\nhost: c\r\n\r\n".to_owned(),
        "POST /v1/transfers HTTP/1.1\r\nhost: c\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n".to_owned(),
        "POST /v1/transfers HTTP/1.1\r\nhost: c\r\ncontent-length: five\r\n\r\n".to_owned(),
        "POST /v1/transfers HTTP/1.1\r\nhost: c\r\ncontent-length: 99999999999999999999999\r\n\r\n"
            .to_owned(),
        "GET /v1 HTTP/1.1\r\nhost: c\r\n bad: fold\r\n\r\n".to_owned(),
        "GET /v1 HTTP/1.1\r\nho st: c\r\n\r\n".to_owned(),
        format!("GET /v1 HTTP/1.1\r\nhost: c\r\n{}\r\n", "a: b\r\n".repeat(40)),
        format!("GET /v1 HTTP/1.1\r\nhost: c\r\nx: {}\r\n\r\n", "y".repeat(1_000_000)),
    ];
    for request in &requests {
        let mut line = setting.caller.line().await;
        line.write(request.as_bytes()).await;
        if let Some(answer) = line.answer().await {
            assert!((400..500).contains(&answer.status), "{} to {:?}", answer.status, request.get(..60));
            assert_eq!(answer.body, b"", "to {:?}", request.get(..60));
        }
        line.closed().await;
    }
    let counted = setting.centre.status().await.turned_down;
    assert_eq!(counted.values().sum::<u64>() - before, requests.len() as u64, "{counted:?}");
    setting.expect_no_transfer().await;
}

//! Whatever is wrong with a file is said at once, with its line, its key, the reason and the next step.

#![expect(clippy::expect_used, reason = "a helper of the tests")]
#![expect(clippy::disallowed_methods, reason = "the tests write their files")]

use std::{fs, path::Path};

use config::{ClientSettings, ConfigError, GatewayConfig, Mistake};

const LAB: &str = include_str!("../examples/centre-lab.toml");
const AGENCY: &str = include_str!("../examples/agency-centre.toml");
const CLINIC: &str = include_str!("../examples/clinic-client.toml");
const CLIENT: &str = include_str!("../examples/client-lab.toml");

fn gateway_mistakes(text: &str) -> Vec<Mistake> {
    match GatewayConfig::parse(text, Path::new("gateway.toml")) {
        Ok(_) => Vec::new(),
        Err(error) => error.mistakes().to_vec(),
    }
}

/// The one mistake that changing a good file this way makes, as a person sees it.
fn only_mistake(good: &str, from: &str, to: &str) -> String {
    assert!(good.contains(from), "the example has no {from:?}");
    let text = good.replacen(from, to, 1);
    let error = if good.contains("role = ") {
        GatewayConfig::parse(&text, Path::new("g.toml")).expect_err(to)
    } else {
        ClientSettings::parse(&text, Path::new("g.toml")).expect_err(to)
    };
    assert_eq!(error.mistakes().len(), 1, "{error}");
    error.to_string()
}

#[test]
fn many_mistakes_in_one_file_are_all_reported_with_their_lines() {
    let text = r#"environment = "tset"
role = "edge"
parties = ["review-agency:113", "review-agency:13", "review-agency:113"]

[listen]
adress = "127.0.0.1:0"

[tls]
certificate = 5
key = "tls/key.pem"
anchors = []
crls = "root.crl"

[link]
detect_max = "1s"
stall_max = 60
file_bytes_max = "1GiB"

[limits]
file_bytes_max = "10GB"
transfers_max = 0

[kinds.medical]

[kinds.medcal]
class = "public"

[log]
level = "loud"
"#;
    let found: Vec<String> = gateway_mistakes(text)
        .iter()
        .map(|mistake| format!("{} {mistake}", mistake.line.unwrap_or(0)))
        .collect();
    let expected = [
        r#"1 environment: "tset" is not understood — did you mean "test"?"#,
        r#"2 role: the edge is not yet built — send with the `sekisho` command from the institution's machine; here only "centre" can stand"#,
        r#"3 parties: "review-agency:13" is no party: the code has not the shape its role asks for — write a party as role:code, such as "institution:1310000018" or "review-agency:113""#,
        r#"3 parties: "review-agency:113" is listed twice — remove one of the two"#,
        r#"5 listen.address: is missing — add: address = "192.0.2.10:443""#,
        r#"6 listen.adress: is not a known key — did you mean listen.address?"#,
        r#"9 tls.certificate: 5 is not understood — write the path of a file in quotes"#,
        r#"11 tls.anchors: is empty — name at least one, anchors = ["root.pem"]"#,
        r#"12 tls.crls: is a text — write a list in [brackets], each entry the path of a file in quotes"#,
        r#"15 link.detect_max: "1s" is below "2s" — write at least "2s""#,
        r#"16 link.stall_max: 60 has no unit — write "60s" if seconds are meant"#,
        r#"17 link.file_bytes_max: is not a known key — it belongs under [limits]"#,
        r#"20 limits.file_bytes_max: "10GB" leaves open whether a thousand or 1024 is meant — write "10GiB""#,
        r#"21 limits.transfers_max: 0 is below 1 — write at least 1"#,
        r#"23 kinds.medical.class: is missing — add: class = "strictly-confidential""#,
        r#"25 kinds.medcal: is not a known key — did you mean kinds.medical?"#,
        r#"29 log.level: "loud" is not understood — write "error" or "warn" or "info" or "debug" or "trace""#,
        r#"0 evidence.certificate: is missing — add under [evidence]: certificate = "certificate.pem""#,
        r#"0 evidence.key: is missing — add under [evidence]: key = "key.pem""#,
        r#"0 evidence.anchors: is missing — add under [evidence]: anchors = ["root.pem"]"#,
        r#"0 evidence.crls: is missing — add under [evidence]: crls = ["root.crl"]"#,
        r#"0 storage.data: is missing — add under [storage]: data = "/var/lib/sekisho""#,
        r#"0 storage.inbox: is missing — add under [storage]: inbox = "/srv/sekisho/inbox""#,
        r#"0 spool.key: is missing — add under [spool]: key = "spool.key""#,
        r#"0 contact.name: is missing — add under [contact]: name = "医事課""#,
        r#"0 contact.telephone: is missing — add under [contact]: telephone = "03-0000-0000""#,
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_mistake_is_shown_with_file_line_key_reason_and_next_step() {
    let shown = only_mistake(LAB, r#"detect_max = "2s""#, r#"detect_max = "1s""#);
    assert_eq!(shown, r#"g.toml:33: link.detect_max: "1s" is below "2s" — write at least "2s""#);
}

#[test]
fn a_day_that_is_shorter_than_its_largest_file_is_a_mistake() {
    let few = "[limits]\nfile_bytes_max = \"2GiB\"\nbytes_per_sender_per_day_max = \"1GiB\"";
    let shown = only_mistake(LAB, "[limits]", few);
    let expected = "limits.bytes_per_sender_per_day_max: is less than file_bytes_max: the largest file that is taken \
                    could never be offered — raise it, or lower file_bytes_max";
    assert!(shown.contains(expected), "{shown}");
    // The default of the one against a large other is the same mistake.
    let shown = only_mistake(LAB, "[limits]", "[limits]\nfile_bytes_max = \"51GiB\"");
    assert!(shown.contains("limits.bytes_per_sender_per_day_max: is less than"), "{shown}");
    let enough = "[limits]\nfile_bytes_max = \"2GiB\"\nbytes_per_sender_per_day_max = \"2GiB\"";
    assert_eq!(gateway_mistakes(&LAB.replacen("[limits]", enough, 1)), []);
}

#[test]
fn an_empty_file_names_every_required_key() {
    let keys: Vec<String> = gateway_mistakes("").into_iter().map(|mistake| mistake.key).collect();
    assert_eq!(
        keys,
        [
            "environment",
            "role",
            "parties",
            "listen.address",
            "tls.certificate",
            "tls.key",
            "tls.anchors",
            "tls.crls",
            "evidence.certificate",
            "evidence.key",
            "evidence.anchors",
            "evidence.crls",
            "storage.data",
            "storage.inbox",
            "kinds",
            "spool.key",
            "contact.name",
            "contact.telephone",
        ]
    );
}

#[test]
fn syntax_errors_do_not_hide_the_mistakes_behind_them() {
    let text = LAB
        .replacen(r#"role = "centre""#, "role = centre", 1)
        .replacen("[storage]", "[storage", 1)
        .replacen(r#"format = "human""#, r#"format = "humon""#, 1);
    let found: Vec<(Option<usize>, String)> =
        gateway_mistakes(&text).into_iter().map(|mistake| (mistake.line, mistake.key)).collect();
    assert!(found.contains(&(Some(5), "role".to_owned())), "{found:?}");
    assert!(found.contains(&(Some(25), "storage".to_owned())), "{found:?}");
    assert!(found.contains(&(Some(57), "log.format".to_owned())), "{found:?}");
    // Keys that vanished behind the broken lines are not reported as missing.
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let shown = only_mistake(LAB, "[listen]", "[listen]\naddress = \"127.0.0.1:1\"");
    assert!(shown.starts_with("g.toml:10: listen.address: is not TOML: duplicate key"), "{shown}");
}

#[test]
fn a_table_written_as_a_value_is_refused() {
    let shown = only_mistake(LAB, "[log]\nformat = \"human\"", "[[log]]\nformat = \"human\"");
    assert_eq!(shown, "g.toml:56: log: is a list — write it as a table, [log]");
}

#[test]
fn a_pasted_text_of_any_length_is_shown_short_and_on_one_line() {
    let pasted = format!(r#"completeness = """-----BEGIN{}""""#, "\nMIGH".repeat(500));
    let shown = only_mistake(LAB, "[log]", &format!("[claims]\n{pasted}\n[log]"));
    assert!(shown.len() < 250 && !shown.contains('\n'), "{shown}");
}

#[test]
fn a_windows_path_in_double_quotes_is_answered_with_how_to_write_it() {
    for written in [r#"data = "C:\sekisho\data""#, r#"data = "C:\temp""#] {
        let shown = only_mistake(CLIENT, r#"data = "data""#, written);
        assert!(shown.contains("storage.data: ") && shown.contains("in single quotes"), "{shown}");
    }
}

#[test]
fn a_file_cut_or_spoilt_anywhere_is_read_to_its_end() {
    let lines = LAB.lines().count();
    for (at, _) in LAB.char_indices() {
        let (before, after) = LAB.split_at(at);
        for spoilt in [
            before.to_owned(),
            format!("{before}\"{after}"),
            format!("{before}[{after}"),
            format!("{before}\n{after}"),
        ] {
            for mistake in gateway_mistakes(&spoilt) {
                assert!(mistake.line.is_none_or(|line| (1..=lines + 2).contains(&line)), "{mistake} at {at}");
            }
        }
    }
}

#[test]
fn production_asks_for_more_than_test() {
    for (from, to, expected) in [
        ("# detect_max = \"10s\"", "detect_max = \"4s\"", "link.detect_max: is below \"5s\" in production"),
        ("192.0.2.10:443", "0.0.0.0:443", "listen.address: 0.0.0.0 listens on every line"),
        ("192.0.2.10:443", "[::]:443", "listen.address: :: listens on every line"),
        ("192.0.2.10:443", "192.0.2.10:0", "listen.address: port 0 is another port at every start"),
        ("# refresh = \"1h\"", "refresh = \"59s\"", "crl.refresh: is below \"1m\" in production"),
        ("192.0.2.10:80", "0.0.0.0:80", "crl.serve: 0.0.0.0:80 is no address that senders could be told"),
        ("192.0.2.10:80", "192.0.2.10:0", "crl.serve: 192.0.2.10:0 is no address that senders could be told"),
        ("# confine = \"if-possible\"", "confine = \"off\"", "process.confine: is \"off\", and claims"),
    ] {
        let shown = only_mistake(AGENCY, from, to);
        assert!(shown.contains(expected), "{shown}");
        let in_test = AGENCY.replacen(from, to, 1).replacen("\"production\"", "\"test\"", 1);
        assert_eq!(gateway_mistakes(&in_test), [], "refused in test too: {to}");
    }
}

#[test]
fn a_sender_in_production_must_say_whose_line_it_uses() {
    let undeclared = "approved_service = \"IP-VPN of the claims network\"\n";
    let shown = only_mistake(CLINIC, undeclared, "");
    assert!(shown.contains("network.approved_service: is missing"), "{shown}");
    let in_test = CLINIC.replacen(undeclared, "", 1).replacen("= \"production\"", "= \"test\"", 1);
    ClientSettings::parse(&in_test, Path::new("sekisho.toml")).unwrap();
}

#[test]
fn an_interface_or_address_that_no_line_can_have_is_refused() {
    let (interface, address) = ("interface = \"eth1\"", "local_address = \"192.0.2.20\"");
    for (from, to, expected) in [
        (
            interface,
            "interface = \"the cable on the left\"",
            "line.interface: \"the cable on the left\" is not",
        ),
        (interface, "interface = \"\"", "line.interface: \"\" is not understood"),
        (
            address,
            "local_address = \"192.0.2.20:0\"",
            "line.local_address: \"192.0.2.20:0\" is not understood",
        ),
        (address, "local_address = \"0.0.0.0\"", "line.local_address: 0.0.0.0 is no address of one machine"),
        (address, "local_address = \"224.0.0.1\"", "line.local_address: 224.0.0.1 is no address of one"),
    ] {
        let shown = only_mistake(CLINIC, from, to);
        assert!(shown.contains(expected), "{shown}");
    }
    let by_address = CLINIC.replacen("centre.example.jp:443", "[2001:db8::10]:443", 1);
    let shown = only_mistake(&by_address, "party = \"institution", "party = \"institution");
    assert!(shown.contains("line.local_address: 192.0.2.20 cannot reach 2001:db8::10"), "{shown}");
}

#[test]
fn what_must_be_sealed_is_not_left_open() {
    let open = |text: &str| text.replacen("key = \"spool.key\"", "seal = \"off\"", 1);
    let strict = "spool.seal: is \"off\", and [kinds.medical] is strictly-confidential";
    for (text, expected) in
        [(open(LAB), strict), (open(AGENCY), "spool.seal: is \"off\", and claims must not lie")]
    {
        let shown = only_mistake(&text, "seal = \"off\"", "seal = \"off\"");
        assert!(shown.contains(expected), "{shown}");
    }
    let public = open(LAB).replace("strictly-confidential", "confidential");
    assert_eq!(gateway_mistakes(&public), []);
    let production = public.replacen("\"test\"", "\"production\"", 1);
    let found = gateway_mistakes(&production);
    assert!(found.iter().any(|mistake| mistake.to_string().starts_with("spool.seal")), "{found:?}");
    let shown = only_mistake(LAB, "key = \"spool.key\"", "key = \"data/spool.key\"");
    assert!(shown.contains("spool.key: lies below storage.data"), "{shown}");
    let credential = LAB.replacen("key = \"spool.key\"", "credential = \"spool-key\"", 1);
    assert_eq!(gateway_mistakes(&credential), []);
    let shown = only_mistake(&credential, "\"spool-key\"", "\"../spool-key\"");
    assert!(shown.contains("spool.credential: \"../spool-key\" is not understood"), "{shown}");
    let shown = only_mistake(LAB, "key = \"spool.key\"", "");
    assert!(shown.contains("spool.key: is missing"), "{shown}");
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (good, from, to, expected) in [
        (
            LAB,
            "review-agency:113",
            "institution:1310000018",
            "parties: institution:1310000018 is not at the centre",
        ),
        (LAB, "inbox = \"inbox\"", "inbox = \"data/inbox\"", "storage.inbox: lies in the data directory"),
        (LAB, "data = \"data\"", "data = \"inbox/data\"", "storage.inbox: lies in the data directory"),
        (LAB, "evidence/key.pem", "tls/key.pem", "evidence.key: is the same file as under [tls]"),
        (LAB, "[spool]", "[spool]\ncredential = \"spool-key\"", "spool.credential: stands beside spool.key"),
        (LAB, "[spool]", "[spool]\nseal = \"off\"", "spool.seal: is \"off\", and a key is named"),
        (
            LAB,
            "[evidence]",
            "[listener.b]\naddress = \"127.0.0.1:0\"\n[listener.b.tls]\ncertificate = \"b.pem\"\nkey = \"evidence/key.pem\"\nanchors = [\"r.pem\"]\ncrls = [\"r.crl\"]\n[evidence]",
            "evidence.key: is the same file as under [listener.b.tls]",
        ),
        (
            LAB,
            "[evidence]",
            "[listener.b]\naddress = \"127.0.0.1:0\"\n[listener.b.tls]\ncertificate = \"evidence/certificate.pem\"\nkey = \"b-key.pem\"\nanchors = [\"r.pem\"]\ncrls = [\"r.crl\"]\n[evidence]",
            "evidence.certificate: is the same file as under [listener.b.tls]",
        ),
        (AGENCY, "192.0.2.10:80", "192.0.2.10:443", "crl.serve: 192.0.2.10:443 is another listener's"),
        (
            LAB,
            "127.0.0.1:0\"",
            "127.0.0.1:9464\"\n[metrics]\naddress = \"127.0.0.1:9464\"",
            "metrics.address: 127.0.0.1:9464 is another listener's",
        ),
        (CLIENT, "evidence/certificate.pem", "tls/certificate.pem", "evidence.certificate: is the same file"),
        (
            CLIENT,
            "institution:1310000018",
            "billing-agent:1310000018",
            "write the party it sends for, \"institution:1310000018\"",
        ),
        (
            CLIENT,
            "longest_wait = \"1s\"",
            "longest_wait = \"100ms\"",
            "retry.longest_wait: is below first_wait",
        ),
        (
            AGENCY,
            "http://crl",
            "https://crl",
            "tls.crl_urls: \"https://crl.example.jp/insurers.crl\" asks for HTTPS",
        ),
        (AGENCY, "http://crl.example.jp/insurers", "file:///insurers", "write its path under crls"),
        (AGENCY, "http://crl", "http://me:secret@crl", "is not understood"),
        (CLIENT, "127.0.0.1:8443", "127.0.0.1:0", "centre.address: \"127.0.0.1:0\" is not understood"),
    ] {
        let shown = only_mistake(good, from, to);
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn a_limit_is_taken_at_its_bounds_and_refused_beyond_them() {
    for (key, low, below, high, above) in [
        ("connections_max", "1", "0", "100_000", "100_001"),
        ("body_bytes_max", "16384", "16383", "\"144KiB\"", "147457"),
        ("connections_max", "1", "-1", "0x186A0", "99999999999999999999"),
    ] {
        let with = |value: &str| LAB.replacen("[limits]\n", &format!("[limits]\n{key} = {value}\n"), 1);
        assert_eq!(gateway_mistakes(&with(low)), [], "{key} = {low}");
        assert_eq!(gateway_mistakes(&with(high)), [], "{key} = {high}");
        assert_eq!(gateway_mistakes(&with(below)).len(), 1, "{key} = {below}");
        assert_eq!(gateway_mistakes(&with(above)).len(), 1, "{key} = {above}");
    }
}

#[test]
fn loading_names_every_file_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    fs::write(&file, LAB).unwrap();
    fs::create_dir(directory.path().join("tls")).unwrap();
    fs::write(directory.path().join("tls/key.pem"), "").unwrap();
    let error = GatewayConfig::load(&file).unwrap_err();
    let keys: Vec<&str> = error.mistakes().iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "tls.certificate",
            "tls.anchors",
            "tls.issuers",
            "tls.crls",
            "tls.crls",
            "evidence.certificate",
            "evidence.key",
            "evidence.anchors",
            "evidence.issuers",
            "evidence.crls",
            "evidence.crls",
            "spool.key",
        ]
    );
    assert!(error.to_string().contains("there is no file"), "{error}");
}

#[test]
fn a_file_in_another_encoding_is_refused_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sekisho.toml");
    // 医事課 in Shift_JIS, as an old editor saves it.
    fs::write(&file, b"environment = \"test\"\nname = \"\x88\xe3\x8e\x96\x89\xdb\"\n").unwrap();
    let error = ClientSettings::load(&file).unwrap_err();
    assert_eq!(error.mistakes().first().and_then(|mistake| mistake.line), Some(2));
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[test]
fn a_file_beyond_all_measure_is_not_read_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    let fill = |bytes: u64| fs::write(&file, "#".repeat(usize::try_from(bytes).unwrap())).unwrap();
    let too_large = || GatewayConfig::load(&file).unwrap_err().to_string().contains("larger than 256 KiB");
    fill(config::reader::FILE_BYTES_MAX);
    assert!(!too_large());
    fill(config::reader::FILE_BYTES_MAX + 1);
    assert!(too_large());
}

#[test]
fn a_file_of_another_kind_is_refused_with_a_bounded_list() {
    for line in ["x\n", "\"\\\n", "[[[\n", "a.b.c.d.e.f.g.h = 1\n"] {
        let found = gateway_mistakes(&line.repeat(20_000)).len();
        assert!((1..=150).contains(&found), "{found} mistakes of {line:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_cause() {
    let error = GatewayConfig::load(Path::new("/nowhere/gateway.toml")).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert!(error.to_string().starts_with("/nowhere/gateway.toml: cannot be read"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

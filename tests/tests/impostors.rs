//! Whom the `sekisho` command talks to, asked with other people's servers: the centre that its settings name, and nobody
//! else. Of everybody else it says why, and not a byte of HTTP reaches them.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::net::{Ipv4Addr, SocketAddr};

use certs_tool::{Lab, Profile, Reason, Validity};
use lab::site::change;
use pki::{clock, oid};
use protocol::{
    kind::Kind,
    party::{Environment, Identity},
};
use rcgen::{CertificateParams, DnType, SanType};
use serde::Deserialize;
use tests::{
    files::claims_file,
    forger::{Forger, Shown, purposes, server, today, uri},
    lab::{TestLab, institution},
    papers::from_now,
    sender::run,
    strangers::{Impostor, are_here},
};
use time::Duration;

const CENTRE: &str = "urn:sekisho:test:review-agency:113";
const ADDRESS: &str = "127.0.0.1";
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// What `sekisho send --json` says of the one file.
#[derive(Deserialize)]
struct Said {
    files: [FileSaid; 1],
}

#[derive(Deserialize)]
struct FileSaid {
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    message: String,
}

/// What the lab's authority makes for a centre of this identity and name, for these milliseconds from now.
fn issued(lab: &Lab, identity: &str, name: &str, from: i64, to: i64) -> certs_tool::Issued {
    let identity = Identity::from_uri(identity).unwrap();
    let validity = Validity::new(from_now(from), from_now(to)).unwrap();
    let out = lab.dir().join(format!("{}-{name}-{from}-{to}", identity.role()));
    lab.issue(Profile::Centre, &identity, &[name], &out, validity).unwrap()
}

/// Servers that are not the centre: what each is, what it shows, and the reason that is given.
async fn impostors(lab: &TestLab) -> Vec<(&'static str, Shown, &'static str)> {
    let authority = lab.sites.authority();
    let forger = Forger::of(lab);
    let good = server(CENTRE, ADDRESS);
    let but = |edit: &dyn Fn(&mut CertificateParams)| {
        let mut params = good.clone();
        edit(&mut params);
        forger.forge(&params)
    };
    let elsewhere = Lab::init(&lab.path().join("elsewhere"), Environment::Test, clock::now()).unwrap();
    let revoked = issued(authority, CENTRE, ADDRESS, -2 * MINUTE, DAY);
    authority.revoke(&revoked.serial, Reason::KeyCompromise, clock::now()).unwrap();
    let named_in_the_subject = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![uri(CENTRE)];
        params.distinguished_name.push(DnType::CommonName, ADDRESS);
    };
    vec![
        (
            "an impostor with an authority of its own",
            issued(&elsewhere, CENTRE, ADDRESS, -MINUTE, DAY).into(),
            "unknown_ca",
        ),
        ("an authority of the same name", Forger::of_the_same_name(lab).forge(&good), "bad_signature"),
        ("self-signed", forger.self_signed(&good), "unknown_ca"),
        (
            "another name",
            issued(authority, CENTRE, "centre.example", -MINUTE, DAY).into(),
            "name_not_allowed",
        ),
        ("the name in the subject only", but(&named_in_the_subject), "name_not_allowed"),
        (
            "the name in a text of another kind",
            but(&|params| params.subject_alt_names[1] = SanType::DnsName(ADDRESS.try_into().unwrap())),
            "name_not_allowed",
        ),
        (
            "an institution",
            issued(authority, "urn:sekisho:test:institution:1310000018", ADDRESS, -MINUTE, DAY).into(),
            "wrong_role",
        ),
        (
            "another agency",
            issued(authority, "urn:sekisho:test:review-agency:127", ADDRESS, -MINUTE, DAY).into(),
            "wrong_party",
        ),
        (
            "of production",
            but(&|params| params.subject_alt_names[0] = uri("urn:sekisho:production:review-agency:113")),
            "wrong_environment",
        ),
        (
            "two identities",
            but(&|params| params.subject_alt_names.push(uri("urn:sekisho:test:review-agency:127"))),
            "bad_identity",
        ),
        ("no identity", but(&|params| drop(params.subject_alt_names.remove(0))), "bad_identity"),
        (
            "a client's",
            but(&|params| params.custom_extensions = vec![purposes(&[oid::CLIENT_AUTH])]),
            "wrong_eku",
        ),
        ("expired", issued(authority, CENTRE, ADDRESS, -DAY, -MINUTE).into(), "expired"),
        ("not yet valid", issued(authority, CENTRE, ADDRESS, DAY, 2 * DAY).into(), "not_yet_valid"),
        (
            "lives too long",
            but(&|params| params.not_after = today() + Duration::days(6 * 366)),
            "lifetime_too_long",
        ),
        ("revoked", revoked.into(), "revoked"),
        ("RSA with 1024 bits", forger.forge_for_weak_rsa(&good).await, "weak_key"),
        ("signed with SHA-1", forger.forge_with_sha_1(&good).await, "weak_signature"),
    ]
}

#[tokio::test]
async fn a_server_that_is_not_the_centre_is_left_before_a_byte_of_http_with_the_reason() {
    if !are_here() {
        return;
    }
    let lab = TestLab::new();
    let impostors = impostors(&lab).await;
    let party = institution(Kind::Medical, 1);
    let file = lab.file("RECEIPTC.UKE", &claims_file(Kind::Medical, &party, 20_000, 1));
    let site = lab.sender("clinic", &party, (Ipv4Addr::LOCALHOST, 1).into(), &[("retry.attempts", "1")]);
    let send = async |to: SocketAddr| {
        change(&site.settings, &[("centre.address", &format!("\"{to}\""))]).unwrap();
        let arguments =
            ["send", "--json", "--settings", site.settings.to_str().unwrap(), file.to_str().unwrap()];
        let [FileSaid { error }] = run::<Said>(&arguments).await.1.files;
        error.expect("nobody here gives a receipt")
    };
    for (what, shown, reason) in impostors {
        let impostor = Impostor::start(&shown, &["-tls1_3", "-alpn", "http/1.1"]).await;
        let error = send(impostor.address).await;
        assert_eq!(error.code, "centre_not_trusted", "{what}: {}", error.message);
        assert!(error.message.ends_with(reason), "{what}: {}", error.message);
        let read = impostor.read().await;
        assert!(!read.contains("HTTP") && !read.contains("/v1/"), "{what} read {read}");
    }
    // The right certificate in the same hands is spoken to.
    let right = issued(lab.sites.authority(), CENTRE, ADDRESS, -3 * MINUTE, DAY).into();
    let mut right = Impostor::start(&right, &["-tls1_3", "-alpn", "http/1.1"]).await;
    let address = right.address;
    let spoken_to = async {
        right.reads("POST /v1/transfers HTTP/1.1").await;
        right.hang_up();
    };
    let (error, ()) = tokio::join!(send(address), spoken_to);
    assert_eq!(error.code, "peer_closed", "{}", error.message);
}

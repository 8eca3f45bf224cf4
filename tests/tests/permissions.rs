//! Every cell of the permission table that has a route, over a real connection with a certificate of that role: the answer
//! is the table's, and what is refused leaves one entry and nothing of its request.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::collections::BTreeSet;

use gateway::route::route;
use hyper::Method;
use protocol::{
    entry::Event,
    kind::{Kind, System},
    party::{Party, Role},
    permission::{Action, Standing, standing},
    problem::Problem,
};
use tests::{
    centre::Centre,
    files::claims_file,
    lab::TestLab,
    papers::{Papers, new_id},
    wire::{Caller, Engine},
};

/// A party of each role.
fn parties() -> [Party; 7] {
    [
        "institution:1310000018",
        "review-agency:127",
        "insurer:06132013",
        "health-insurance-society:06132013",
        "society-vendor:06132013",
        "implementing-body:jissi",
        "billing-agent:1310000018",
    ]
    .map(|party| party.parse().unwrap())
}

/// One request for each route there is, about a transfer of the caller's own: method, path and query, body.
fn requests(own: &Party, offer: &str) -> Vec<(Method, String, &'static str, String)> {
    let transfer = format!("/v1/transfers/{own}/{}", new_id());
    let json = serde_json::json!({ "manifest": offer }).to_string();
    let none = String::new;
    vec![
        (Method::POST, "/v1/transfers".to_owned(), "application/json", json),
        (Method::PATCH, transfer.clone(), "application/partial-upload", none()),
        (Method::GET, transfer.clone(), "", none()),
        (Method::GET, format!("{transfer}/receipt"), "", none()),
        (Method::DELETE, transfer, "", none()),
        (Method::POST, "/v1/acknowledgements".to_owned(), "application/jose", "a.b.c".to_owned()),
        (Method::GET, "/v1/log/checkpoint".to_owned(), "", none()),
        (Method::GET, "/v1/log/consistency?from=1&to=1".to_owned(), "", none()),
    ]
}

async fn expect_the_table(lab: &TestLab, centre: &Centre, at: &Party) {
    for party in parties() {
        let from = party.role();
        let name = format!("{}-at-{}", from.name(), at.role().name());
        let site = lab.sender(&name, &party, centre.address, &[]);
        let (caller, papers) = (Caller::of(&site, centre.address, at.clone()), Papers::of(&site));
        // Nobody's file but an institution's is a claims file; what is refused must be refused before that is looked at.
        let content = b"not looked at";
        let mut manifest = papers.manifest(Kind::Medical, content);
        manifest.receiver = at.clone();
        if matches!(from, Role::Institution | Role::BillingAgent) {
            let sender = papers.party.clone();
            manifest = papers.manifest(Kind::Medical, &claims_file(Kind::Medical, &sender, 20_000, 1));
        }
        let mut actions = BTreeSet::new();
        for (method, path, content_type, body) in requests(&papers.party, &papers.sign(&manifest)) {
            let (plain, query) =
                path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
            let (system, action) = route(&method, plain, query).unwrap().right();
            actions.insert(action.name());
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\nupload-offset: 0\r\n\
                 upload-complete: ?1\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let allowed = standing(from, at.role(), system, action) == Standing::Always;
            // The bulk engine knows one of these routes, and asks for its right by itself.
            let engines = if method == Method::PATCH { &Engine::ALL[..] } else { &[Engine::Hyper] };
            for engine in engines {
                let before = centre.entries().await.len();
                let answer = caller.with(*engine).ask(request.as_bytes()).await;
                let what = format!("{from} at {at}: {method} {path} by {engine:?}");
                if allowed {
                    assert!(answer.status < 400 || answer.problem() != Problem::NotPermitted, "{what}");
                    continue;
                }
                assert_eq!((answer.status, answer.problem()), (403, Problem::NotPermitted), "{what}");
                let entries = centre.entries().await;
                let [denied] = &entries[before..] else {
                    panic!("{what}: one entry, not {:?}", &entries[before..])
                };
                assert_eq!(
                    (denied.event, denied.problem),
                    (Event::Denied, Some(Problem::NotPermitted)),
                    "{what}"
                );
                assert_eq!(denied.subject.as_ref().unwrap().identity, papers.identity, "{what}");
                assert_eq!((denied.transfer_id, denied.sha256), (None, None), "{what}");
            }
        }
        // An action that gets a route has to be asked here too.
        let unrouted: BTreeSet<_> =
            [Action::Confirm, Action::Withdraw, Action::List, Action::Fetch, Action::Query]
                .map(Action::name)
                .into();
        let all: BTreeSet<_> = Action::ALL.map(Action::name).into();
        assert_eq!(all.difference(&actions).copied().collect::<BTreeSet<_>>(), unrouted);
    }
}

#[tokio::test]
async fn at_a_review_agency_every_role_may_do_what_the_table_says_and_nothing_else() {
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    expect_the_table(&lab, &centre, &"review-agency:113".parse().unwrap()).await;
}

#[tokio::test]
async fn at_an_implementing_body_nobody_may_do_anything_with_claims() {
    let lab = TestLab::new();
    let body: Party = "implementing-body:jissi".parse().unwrap();
    let site = lab.sites.centre_of("centre", &body, &["127.0.0.1", "localhost"], &[]).unwrap();
    let centre = Centre::start(site).await;
    for from in Role::ALL {
        assert_eq!(standing(from, body.role(), System::Claims, Action::Offer), Standing::Never);
    }
    expect_the_table(&lab, &centre, &body).await;
}

#[tokio::test]
async fn a_right_that_the_operator_grants_counts_and_is_the_only_one_more() {
    let lab = TestLab::new();
    let centre = lab.centre(&[("permissions.grant", "[\"review-agency:claims:ask\"]")]).await;
    let party: Party = "review-agency:127".parse().unwrap();
    let site = lab.sender("agency", &party, centre.address, &[]);
    let caller = Caller::new(&site, centre.address);
    let path = format!("/v1/transfers/{party}/{}", new_id());
    assert_eq!(caller.ask(&tests::wire::get(&path)).await.problem(), Problem::NotFound);
    let cancel = format!("DELETE {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(caller.ask(cancel.as_bytes()).await.problem(), Problem::NotPermitted);
}

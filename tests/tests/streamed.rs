//! Streamed routes: who may, what crosses, and that a break on one side is seen as a break on the other.

use std::num::NonZeroU64;

use lab::proxy::{Fault, FaultProxy, Plan};
use protocol::{kind::Kind, problem::Problem};
use tests::{
    backend::{Backend, Inside},
    files::claims_file,
    lab::institution,
    setting::Setting,
    upkeep::{gateway_does, gateway_refuses},
    wire::{Caller, Ending, Engine, Line, get, post},
};

const UNWATCHED: (&str, &str) = ("reload.watch", "false");
const PATH: (&str, &str) = ("route.inside.path", "\"/inside/\"");
const RIGHT: (&str, &str) = ("route.inside.right", "\"claims:send\"");

/// Longer than these tests are patient: no deadline ends anything.
const PATIENT: [(&str, &str); 2] = [("route.inside.answer_max", "\"600s\""), ("link.stall_max", "\"600s\"")];

/// A centre with a streamed route to a backend, and who calls it, by way of this engine.
async fn routed(engine: Engine, more: &[(&str, &str)]) -> (Setting, Backend, Caller) {
    let backend = Backend::start().await;
    let quoted = backend.quoted();
    let mut changes = vec![UNWATCHED, PATH, RIGHT, ("route.inside.backend", quoted.as_str())];
    changes.extend_from_slice(more);
    let setting = Setting::new(300_000, &changes).await;
    let caller = setting.caller.with(engine);
    (setting, backend, caller)
}

fn head(length: usize, more: &str) -> Vec<u8> {
    format!("POST /inside/ask?a=1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n{more}\r\n")
        .into_bytes()
}

/// A request of ten bytes, five of which have come through.
async fn half_asked(caller: &Caller, backend: &Backend) -> (Line, Inside) {
    let mut line = caller.line().await;
    line.write(&head(10, "")).await;
    line.write(b"01234").await;
    let mut inside = backend.accept().await;
    inside.head().await;
    assert_eq!(inside.content(5).await, b"01234");
    (line, inside)
}

#[tokio::test]
async fn a_request_and_its_answer_cross_while_they_come() {
    for engine in Engine::ALL {
        let (_setting, backend, caller) = routed(engine, &[]).await;
        let (mut line, mut inside) = half_asked(&caller, &backend).await;
        line.write(b"56789").await;
        assert_eq!(inside.content(5).await, b"56789");
        inside
            .write(
                "HTTP/1.1 201 Created\r\ncontent-length: 6\r\nx-own: yes\r\nkeep-alive: timeout=9\r\n\r\nabc",
            )
            .await;
        assert!(line.next().await.unwrap().ends_with(b"abc"), "half an answer is not held back");
        inside.write("def").await;
        let answer = line.answer().await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (201, &b"abcdef"[..]));
        assert_eq!((answer.header("x-own"), answer.header("keep-alive")), (Some("yes"), None));
        // Both connections are used again, and an answer in chunks crosses too.
        line.write(&get("/inside/again")).await;
        assert_eq!(inside.head().await[0], "GET /inside/again HTTP/1.1");
        inside.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n").await;
        assert!(line.until(b"0\r\n\r\n").await.unwrap().windows(3).any(|part| part == b"xyz"));
    }
}

#[tokio::test]
async fn case_34_and_35_the_backend_is_told_who_asks_by_the_gateway_alone() {
    for engine in Engine::ALL {
        let (setting, backend, caller) = routed(engine, &[]).await;
        let mut line = caller.line().await;
        let forged = "Client-Cert: :AAAA:\r\nclient-cert: :BBBB:\r\nClient_Cert: :CCCC:\r\nSekisho-Identity: urn:sekisho:test:insurer:1\r\n\
                  X-Forwarded-Client-Cert: By=x\r\nX-SSL-Client-S-DN: CN=x\r\nConnection: Client-Cert, Sekisho-Identity, X-Own\r\n\
                  X-Own: 1\r\nX-Other: 2\r\n";
        line.write(&head(0, forged)).await;
        let head = backend.accept().await.head().await;
        let named = |name: &str| -> Vec<&str> {
            let prefix = format!("{name}: ");
            head.iter().filter_map(|line| line.strip_prefix(prefix.as_str())).collect()
        };
        let identity = setting.papers.identity.to_uri();
        assert_eq!(named("sekisho-identity"), [identity.as_str()]);
        let [certificate] = named("client-cert")[..] else { panic!("{head:?}") };
        assert!(
            certificate.len() > 400 && certificate.starts_with(':') && certificate.ends_with(':'),
            "{certificate}"
        );
        assert_eq!(named("client-cert-chain").len(), 1);
        assert_eq!(named("x-other"), ["2"]);
        for absent in ["client_cert", "x-forwarded-client-cert", "x-ssl-client-s-dn", "x-own", "connection"] {
            assert!(named(absent).is_empty(), "{absent}");
        }
        // Trailers need a Transfer-Encoding, and that is never taken.
        let chunked = b"POST /inside/ask HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\ntrailer: client-cert\r\n\r\n\
                    0\r\nclient-cert: :AAAA:\r\n\r\n";
        let answer = caller.ask(chunked).await;
        assert_eq!((answer.status, answer.problem()), (411, Problem::LengthRequired));
    }
}

#[tokio::test]
async fn a_request_that_breaks_off_breaks_off_at_the_backend() {
    for engine in Engine::ALL {
        for ending in Ending::ALL {
            let (_setting, backend, caller) = routed(engine, &[]).await;
            let (line, inside) = half_asked(&caller, &backend).await;
            line.end(ending, b'5').await;
            assert_eq!(inside.rest().await, b"", "{ending:?}");
        }
    }
}

#[tokio::test]
async fn a_peer_that_goes_before_its_answer_is_seen_to_go_at_the_backend() {
    Engine::each(async |engine| {
        for ending in Ending::ALL {
            for begun in ["", "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc"] {
                let (_setting, backend, caller) = routed(engine, &PATIENT).await;
                let (mut line, mut inside) = half_asked(&caller, &backend).await;
                line.write(b"56789").await;
                assert_eq!(inside.content(5).await, b"56789");
                if !begun.is_empty() {
                    inside.write(begun).await;
                    assert!(line.next().await.unwrap().ends_with(b"abc"));
                }
                line.end(ending, b'.').await;
                assert_eq!(inside.rest().await, b"", "{engine:?} {ending:?} {begun:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_behind_one_that_waits_is_passed_on_after_it() {
    for engine in Engine::ALL {
        let (_setting, backend, caller) = routed(engine, &[]).await;
        for early in [true, false] {
            let mut line = caller.line().await;
            let (first, second) = (get("/inside/first"), get("/inside/second"));
            line.write(&if early { [first, second.clone()].concat() } else { first }).await;
            let mut inside = backend.accept().await;
            assert_eq!(inside.head().await[0], "GET /inside/first HTTP/1.1");
            if !early {
                line.write(&second).await;
            }
            inside.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nyes").await;
            assert_eq!(line.answer().await.unwrap().body, b"yes");
            let mut inside = backend.accept().await;
            assert_eq!(inside.head().await[0], "GET /inside/second HTTP/1.1");
            inside.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno").await;
            assert_eq!(line.answer().await.unwrap().body, b"no");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    for engine in Engine::ALL {
        let (_setting, backend, caller) = routed(engine, &[]).await;
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ] {
            let mut line = caller.line().await;
            line.write(&get("/inside/ask")).await;
            let mut inside = backend.accept().await;
            inside.head().await;
            inside.write(answer).await;
            drop(inside);
            let came = line.closed().await;
            assert!(came.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&came));
            assert!(
                came.ends_with(b"abc") || came.ends_with(b"abc\r\n"),
                "{}",
                String::from_utf8_lossy(&came)
            );
        }
        // One that ends with its connection could be cut and look whole.
        for broken in [
            "HTTP/1.1 200 OK\r\n\r\nabc",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        ] {
            let mut line = caller.line().await;
            line.write(&get("/inside/ask")).await;
            let mut inside = backend.accept().await;
            inside.head().await;
            inside.write(broken).await;
            drop(inside);
            let answer = line.answer().await.unwrap();
            assert_eq!((answer.status, answer.problem()), (502, Problem::BackendFailed), "{broken}");
        }
    }
}

#[tokio::test]
async fn who_stops_in_the_middle_is_given_up() {
    for engine in Engine::ALL {
        let (_setting, backend, caller) =
            routed(engine, &[("link.stall_max", "\"2s\""), ("route.inside.answer_max", "\"1s\"")]).await;
        // The peer.
        let (mut line, inside) = half_asked(&caller, &backend).await;
        let answer = line.answer().await.unwrap();
        assert_eq!((answer.status, answer.problem()), (408, Problem::Stalled));
        assert_eq!(inside.rest().await, b"");
        // The backend, before its answer.
        let mut line = caller.line().await;
        line.write(&get("/inside/ask")).await;
        let mut inside = backend.accept().await;
        inside.head().await;
        let answer = line.answer().await.unwrap();
        assert_eq!((answer.status, answer.problem()), (504, Problem::BackendTimeout));
        assert_eq!(inside.rest().await, b"");
        // The backend, in its answer.
        let mut line = caller.line().await;
        line.write(&get("/inside/ask")).await;
        let mut inside = backend.accept().await;
        inside.head().await;
        inside.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc").await;
        assert!(line.closed().await.ends_with(b"abc"));
        assert_eq!(inside.rest().await, b"");
    }
}

#[tokio::test]
async fn case_38_a_request_that_trickles_is_cut_off_and_the_backend_never_has_it_whole() {
    Engine::each(async |engine| {
        let (setting, backend, caller) = routed(
            engine,
            &[
                ("link.stall_max", "\"2s\""),
                ("link.min_rate_bytes_per_second", "\"64KiB\""),
                // If nothing cuts it off, this ends it once it has come whole.
                ("route.inside.answer_max", "\"1s\""),
            ],
        )
        .await;
        let slowly = Fault::Throttle { bytes_per_second: NonZeroU64::new(40_000).unwrap() };
        let plan = move |_| Plan::clean().up(slowly);
        let proxy =
            FaultProxy::start("127.0.0.1:0".parse().unwrap(), setting.centre.address, plan).await.unwrap();
        let mut line = caller.at(proxy.address()).line().await;
        let length = setting.content.len();
        let request = [head(length, ""), setting.content.clone()].concat();
        let at_the_backend = async {
            let mut inside = backend.accept().await;
            let head = inside.head().await;
            assert!(head.contains(&format!("content-length: {length}")), "{engine:?}: {head:?}");
            inside.rest().await
        };
        let (answer, came) = tokio::join!(line.ask(&request), at_the_backend);
        assert_eq!((answer.status, answer.problem()), (408, Problem::TooSlow), "{engine:?}");
        assert!(!came.is_empty() && came.len() < length, "{engine:?}: {} of {length}", came.len());
        assert!(setting.content.starts_with(&came), "{engine:?}");
    })
    .await;
}

#[tokio::test]
async fn a_backend_that_takes_nothing_is_given_up() {
    for engine in Engine::ALL {
        let (_setting, backend, caller) =
            routed(engine, &[("link.stall_max", "\"2s\""), ("route.inside.body_bytes_max", "\"64MiB\"")])
                .await;
        let mut line = caller.line().await;
        // More than the kernel takes for a backend that reads nothing, and less than it takes on the whole way.
        const LENGTH: usize = 3_000_000;
        line.write(&[head(LENGTH, ""), vec![b'x'; LENGTH]].concat()).await;
        let _inside = backend.accept().await;
        let answer = line.answer().await.unwrap();
        assert_eq!((answer.status, answer.problem()), (502, Problem::BackendFailed));
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answer_is_given_up() {
    for engine in Engine::ALL {
        let (_setting, backend, caller) = routed(engine, &[("link.stall_max", "\"2s\"")]).await;
        let mut line = caller.line().await;
        line.write(&get("/inside/ask")).await;
        let mut inside = backend.accept().await;
        inside.head().await;
        // More than all buffers on the way hold; the kernel's timers notice it.
        let length = 64 * 1024 * 1024;
        inside.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")).await;
        assert!(inside.write_until_broken(length).await < length);
        drop(line);
    }
}

#[tokio::test]
async fn whoever_has_no_right_reaches_no_backend() {
    for engine in Engine::ALL {
        let (setting, backend, caller) =
            routed(engine, &[("permissions.withdraw", "[\"institution:claims:send\"]")]).await;
        let answer = caller.ask(&post("/inside/ask", "text/plain", b"x")).await;
        assert_eq!((answer.status, answer.problem()), (403, Problem::NotPermitted));
        assert!(backend.is_untouched());
        // A route for a right that nobody can have here is a mistake.
        lab::site::change(&setting.centre.site.config, &[("route.inside.right", "\"filing:offer\"")])
            .unwrap();
        let said = gateway_refuses(&setting.centre.site, &["check"], 2).await;
        assert!(said.contains("route.inside.right"), "{said}");
    }
}

#[tokio::test]
async fn what_could_lead_out_of_the_route_or_through_it_reaches_no_backend() {
    for engine in Engine::ALL {
        let (_setting, backend, caller) =
            routed(engine, &[("route.inside.body_bytes_max", "\"4KiB\"")]).await;
        for target in ["/inside/../v1/x", "/inside/%2e%2e/x", "/inside/a%2Fb", "/inside//x", "/inside/./x"] {
            let answer = caller.ask(&get(target)).await;
            assert_eq!((answer.status, answer.problem()), (400, Problem::BadRequest), "{target}");
        }
        assert_eq!(caller.ask(&get("/inside")).await.problem(), Problem::NotFound);
        assert_eq!(caller.ask(&get("/Inside/x")).await.problem(), Problem::NotFound);
        for (request, status) in [
            ("OPTIONS /inside/x HTTP/1.1\r\nhost: localhost\r\n\r\n", 405),
            ("TRACE /inside/x HTTP/1.1\r\nhost: localhost\r\n\r\n", 405),
            (
                "GET /inside/x HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
                400,
            ),
            (
                "POST /inside/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                411,
            ),
            ("POST /inside/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4097\r\n\r\n", 413),
            ("GET /inside/x HTTP/1.0\r\nhost: localhost\r\n\r\n", 505),
        ] {
            let answer = caller.ask(request.as_bytes()).await;
            assert_eq!(answer.status, status, "{request}");
        }
        assert!(backend.is_untouched());
    }
}

#[tokio::test]
async fn a_route_whose_backend_hangs_holds_its_own_places_only() {
    for engine in Engine::ALL {
        let other = Backend::start().await;
        let quoted = other.quoted();
        let (setting, backend, caller) = routed(
            engine,
            &[
                ("route.inside.requests_max", "1"),
                ("route.other.path", "\"/other/\""),
                ("route.other.right", "\"claims:send\""),
                ("route.other.backend", &quoted),
            ],
        )
        .await;
        let (_line, _inside) = half_asked(&caller, &backend).await;
        let answer = caller.ask(&get("/inside/ask")).await;
        assert_eq!((answer.status, answer.problem()), (429, Problem::TooMany));
        let mut line = caller.line().await;
        line.write(&get("/other/ask")).await;
        let mut inside = other.accept().await;
        inside.head().await;
        inside.write("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(line.answer().await.unwrap().status, 204);
        // And files arrive as ever.
        let key = setting.offered().await;
        setting.caller.send(&key, &setting.content).await.receipt();
    }
}

#[tokio::test]
async fn of_a_bad_claims_file_the_last_bytes_are_kept_back() {
    for engine in Engine::ALL {
        let (_setting, backend, caller) = routed(engine, &[("route.inside.claims", "\"medical\"")]).await;
        let party = institution(Kind::Medical, 1);
        let good = claims_file(Kind::Medical, &party, 100_000, 1);
        let cases = [
            ("cut", good[..good.len() - 20].to_vec(), Problem::ClaimsIncomplete),
            ("another kind", claims_file(Kind::Dpc, &party, 50_000, 1), Problem::ClaimsKindMismatch),
        ];
        for (what, content, problem) in cases {
            let mut line = caller.line().await;
            line.write(&head(content.len(), "")).await;
            let mut inside = backend.accept().await;
            inside.head().await;
            let (_, came) = tokio::join!(line.write(&content), inside.rest());
            assert!(came.len() < content.len(), "{what}");
            let answer = line.answer().await.unwrap();
            assert_eq!((answer.status, answer.problem()), (422, problem), "{what}");
        }
        let mut line = caller.line().await;
        line.write(&head(good.len(), "")).await;
        let mut inside = backend.accept().await;
        inside.head().await;
        let (_, came) = tokio::join!(line.write(&good), inside.content(good.len()));
        assert_eq!(came, good);
        inside.write("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(line.answer().await.unwrap().status, 204);
    }
}

#[tokio::test]
async fn a_peer_or_right_that_is_withdrawn_ends_what_streams() {
    for engine in Engine::ALL {
        for (how, rest) in [("certificate", ""), ("right", ""), ("right", "56789"), ("block", "")] {
            let (setting, backend, caller) = routed(engine, &PATIENT).await;
            let (mut line, mut inside) = half_asked(&caller, &backend).await;
            line.write(rest.as_bytes()).await;
            assert_eq!(inside.content(rest.len()).await, rest.as_bytes());
            match how {
                "certificate" => {
                    setting.lab.revoke(&setting.site);
                    setting.lab.deliver_lists(&setting.centre.site);
                }
                "right" => {
                    let withdrawn = [("permissions.withdraw", "[\"institution:claims:send\"]")];
                    lab::site::change(&setting.centre.site.config, &withdrawn).unwrap();
                }
                _ => {
                    let party = setting.papers.party.to_string();
                    gateway_does(&setting.centre.site, &["block", &party, "--reason", "key lost"]).await;
                }
            }
            gateway_does(&setting.centre.site, &["reload"]).await;
            assert_eq!(inside.rest().await, b"", "{how} {rest}");
            drop(line);
        }
    }
}

#[tokio::test]
async fn a_drain_waits_for_what_streams_and_takes_nothing_new() {
    for engine in Engine::ALL {
        let (mut setting, backend, caller) = routed(engine, &[]).await;
        let (mut line, mut inside) = half_asked(&caller, &backend).await;
        let mut other = caller.line().await;
        let request = get("/inside/more");
        other.write(&request[..request.len() - 1]).await;
        setting.centre.process.terminate().await.unwrap();
        setting.centre.logs(&["draining"]).await;
        other.write(&request[request.len() - 1..]).await;
        if let Some(answer) = other.answer().await {
            assert_eq!(answer.problem(), Problem::Draining);
        }
        line.write(b"56789").await;
        assert_eq!(inside.content(5).await, b"56789");
        inside.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        assert_eq!(line.answer().await.unwrap().body, b"ok");
        assert_eq!(setting.centre.process.ended().await.unwrap().code(), Some(0));
    }
}

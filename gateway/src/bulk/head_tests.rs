use super::*;

fn parsed(head: &str) -> Result<Option<(Request<()>, usize)>, HeadFault> {
    request(head.as_bytes())
}

#[test]
fn a_head_is_found_where_it_ends_and_not_before() {
    let head = "POST /inside/ask?a=1 HTTP/1.1\r\nHost: localhost\r\ncontent-length: 3\r\n\r\n";
    let (request, length) = parsed(&format!("{head}abcGET / HTTP/1.1\r\n")).unwrap().unwrap();
    assert_eq!(length, head.len());
    assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::POST, "/inside/ask?a=1"));
    assert_eq!(request.headers().len(), 2);
    for short in 0..head.len() {
        assert!(matches!(parsed(&head[..short]), Ok(None)), "{short}");
    }
}

#[test]
fn what_two_programs_could_read_differently_is_no_head() {
    for head in [
        "\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\n",
        "GET / HTTP/1.1\r\nhost: a\n\n",
        "GET / HTTP/1.1\r\nhost: a\rx: y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\tfolded\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nho st: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\tHTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.10\r\nhost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
        "G@T / HTTP/1.1\r\nhost: a\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2, 2\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +2\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x2\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551616\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert!(matches!(parsed(head), Err(HeadFault::Malformed(_))), "{head:?}");
    }
}

#[test]
fn a_head_has_as_many_headers_as_it_may_and_not_one_more() {
    let with = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert!(matches!(parsed(&with(HEADERS_MAX)), Ok(Some(_))));
    assert!(matches!(parsed(&with(HEADERS_MAX + 1)), Err(HeadFault::TooMany)));
}

fn framing_of(head: &str, method: &Method) -> Option<Framing> {
    answer(head.as_bytes(), method).unwrap_or(None).map(|(answered, _)| answered.framing)
}

#[test]
fn an_answer_says_once_where_it_ends() {
    for (rest, framing) in [
        ("content-length: 6\r\n", Framing::Length(6)),
        ("transfer-encoding: Chunked\r\n", Framing::Chunked),
        ("", Framing::Unknown),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{rest}\r\n");
        assert_eq!(framing_of(&head, &Method::GET), Some(framing), "{rest:?}");
        assert_eq!(framing_of(&head, &Method::HEAD), Some(Framing::Empty), "{rest:?}");
    }
    assert_eq!(framing_of("HTTP/1.1 204 No Content\r\n\r\n", &Method::GET), Some(Framing::Empty));
    for bad in [
        "content-length: 6\r\ncontent-length: 6\r\n",
        "content-length: 6, 6\r\n",
        "content-length: +6\r\n",
        "content-length:\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 6\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: identity\r\n",
        "x: y\n",
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{bad}\r\n");
        assert!(answer(head.as_bytes(), &Method::GET).is_err(), "{bad:?}");
    }
    assert!(answer(b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &Method::GET).is_err());
}

#[test]
fn a_connection_is_used_again_only_if_its_answer_leaves_that_open() {
    let keeps = |head: &str| answer(head.as_bytes(), &Method::GET).unwrap().unwrap().0.keeps;
    assert!(keeps("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: x, Close\r\n\r\n"));
    assert!(!keeps("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"));
}

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// The address of a server that answers one request by `answer`.
fn server(answer: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.crl", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        answer(stream);
    });
    url
}

fn saying(text: &'static str) -> String {
    server(move |mut stream| stream.write_all(text.as_bytes()).unwrap())
}

#[test]
fn what_stands_there_is_fetched_to_its_last_byte() {
    let url = saying("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlist and what follows");
    assert_eq!(fetch(&url, PATIENCE).unwrap(), b"list");
}

#[test]
fn a_fetch_goes_over_the_connection_that_its_caller_makes() {
    let url = saying("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlist");
    let none = |_: &[_], _| Err(std::io::Error::other("no line"));
    assert!(matches!(fetch_over(Arc::new(none), &url, PATIENCE), Err(FetchFault::Unreachable(_))));
    let own = |addresses: &[_], within| TcpStream::connect_timeout(&addresses[0], within);
    assert_eq!(fetch_over(Arc::new(own), &url, PATIENCE).unwrap(), b"list");
}

#[test]
fn an_own_connection_that_hangs_is_given_up_in_time() {
    let url = server(|mut stream| drop(stream.read(&mut [0])));
    let own = |addresses: &[_], within| TcpStream::connect_timeout(&addresses[0], within);
    let within = Duration::from_millis(200);
    assert!(matches!(fetch_over(Arc::new(own), &url, within), Err(FetchFault::TooSlow(_))));
}

#[test]
fn a_redirection_is_not_followed() {
    let url = saying("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(fetch(&url, PATIENCE), Err(FetchFault::Status(302))));
}

#[test]
fn an_answer_of_another_status_is_none() {
    let url = saying("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nlist");
    assert!(matches!(fetch(&url, PATIENCE), Err(FetchFault::Status(404))));
}

#[test]
fn an_answer_that_breaks_off_is_none() {
    let url = server(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nlist").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    });
    assert!(matches!(fetch(&url, PATIENCE), Err(FetchFault::Broken(_))));
}

#[test]
fn what_is_no_http_is_no_answer() {
    let url = saying("SSH-2.0-x\r\n\r\n");
    assert!(matches!(fetch(&url, PATIENCE), Err(FetchFault::Unreachable(_))));
}

#[test]
fn nobody_there_is_no_answer() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fault = fetch(&format!("http://{free}/a.crl"), PATIENCE).unwrap_err();
    assert!(matches!(fault, FetchFault::Unreachable(_)), "{fault:?}");
}

#[test]
fn an_answer_without_end_is_cut_at_the_limit() {
    let url = server(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let block = vec![0; 1 << 20];
        // Until the other side has had enough.
        while stream.write_all(&block).is_ok() {}
    });
    assert!(matches!(fetch(&url, PATIENCE), Err(FetchFault::TooLarge)));
}

#[test]
fn an_answer_that_comes_byte_by_byte_ends_at_the_deadline() {
    let url = server(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        // The reader says nothing more: each wait is a pause.
        while stream.write_all(b"x").is_ok() && !matches!(stream.read(&mut [0]), Ok(0)) {}
    });
    let fault = fetch(&url, Duration::from_millis(500)).unwrap_err();
    assert!(matches!(fault, FetchFault::TooSlow(_)), "{fault:?}");
}

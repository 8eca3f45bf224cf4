//! Every claim on a thread of its own, which is all that is confined then.

#![expect(clippy::disallowed_methods, reason = "what is tried is writing as anybody would")]

use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

use super::*;

const LAB: &str = include_str!("../../config/examples/centre-lab.toml");

/// A gateway of the lab whose files are in this directory, listening at this port, with one more line in its file.
fn config(directory: &Path, port: u16, more: &str) -> GatewayConfig {
    let text = LAB.replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    assert!(port == 0 || text != LAB);
    GatewayConfig::parse(&format!("{text}\n{more}"), &directory.join("gateway.toml")).unwrap()
}

/// Does this on a thread that is confined; nothing where the kernel cannot do it all.
fn confined<T: Send + 'static>(
    config: GatewayConfig,
    reached_ports: Vec<u16>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let thread = thread::spawn(move || {
        let degree = restrict(&config, &reached_ports.into_iter().collect()).unwrap();
        (degree == Degree::Full).then(work)
    });
    let done = thread.join().unwrap();
    if done.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI skips nothing");
        println!("skipped: this kernel does not confine in everything");
    }
    done
}

fn is_denied<T>(done: io::Result<T>) -> bool {
    done.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// A port where nobody listens any more.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn nothing_is_written_made_or_removed_outside_the_two_directories() {
    let directory = tempfile::tempdir().unwrap();
    let outside = directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "as it was").unwrap();
    let config = config(directory.path(), 0, "");
    let (data, inbox) = (config.storage.data.clone(), config.storage.inbox.clone());
    fs::create_dir_all(&data).unwrap();
    std::os::unix::fs::symlink(&outside, data.join("way-out")).unwrap();
    let place = outside.clone();
    confined(config, vec![], move || {
        for way in [&place, &data.join("way-out")] {
            let file = way.join("file");
            assert!(is_denied(fs::write(&file, "other")));
            assert!(is_denied(fs::OpenOptions::new().append(true).open(&file)));
            assert!(is_denied(fs::write(way.join("new"), "new")));
            assert!(is_denied(fs::create_dir(way.join("new"))));
            assert!(is_denied(fs::remove_file(&file)));
            assert!(is_denied(UnixListener::bind(way.join("socket"))));
            assert_eq!(
                fs::read(&file).unwrap(),
                b"as it was",
                "reading is left to the file's own permissions"
            );
        }
        fs::write(data.join("leaves"), "x").unwrap();
        assert!(fs::rename(data.join("leaves"), place.join("leaves")).is_err());
        // Within them everything that the gateway does.
        for directory in [&data, &inbox] {
            fs::create_dir(directory.join("one")).unwrap();
            fs::create_dir(directory.join("two")).unwrap();
            fs::write(directory.join("one/file"), "written").unwrap();
            fs::write(directory.join("one/file"), "again").unwrap();
            fs::rename(directory.join("one/file"), directory.join("two/file")).unwrap();
            fs::rename(directory.join("two"), directory.join("one/two")).unwrap();
            fs::remove_file(directory.join("one/two/file")).unwrap();
            fs::remove_dir(directory.join("one/two")).unwrap();
        }
        drop(UnixListener::bind(data.join("socket")).unwrap());
        fs::remove_file(data.join("socket")).unwrap();
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"as it was");
}

#[test]
fn nothing_is_executed() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), 0, "");
    let data = config.storage.data.clone();
    fs::create_dir_all(&data).unwrap();
    fs::copy("/bin/true", data.join("true")).unwrap();
    assert!(Command::new(data.join("true")).status().unwrap().success());
    confined(config, vec![], move || {
        for program in [Path::new("/bin/true"), &data.join("true")] {
            assert!(is_denied(Command::new(program).status()), "{}", program.display());
        }
    });
}

#[test]
fn of_tcp_ports_only_those_that_are_named_are_bound_or_reached() {
    let directory = tempfile::tempdir().unwrap();
    let [own, other, metrics, further, lists] = [(); 5].map(|()| free_port());
    let there = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (named, unnamed) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (named_at, unnamed_at) = (named.local_addr().unwrap(), unnamed.local_addr().unwrap());
    let tables = format!(
        "[metrics]\naddress = \"127.0.0.1:{metrics}\"\n[listener.second]\naddress = \"127.0.0.1:{further}\"\n\
         [crl]\nserve = \"127.0.0.1:{lists}\"\n"
    );
    let fixed = config(directory.path(), own, &tables);
    confined(fixed, vec![named_at.port()], move || {
        assert!(is_denied(TcpListener::bind(("127.0.0.1", other))));
        assert!(is_denied(TcpListener::bind("127.0.0.1:0")));
        assert!(is_denied(TcpStream::connect(unnamed_at)));
        assert!(is_denied(TcpStream::connect(there)), "whether somebody listens there or not");
        for port in [own, metrics, further, lists] {
            TcpListener::bind(("127.0.0.1", port)).unwrap();
        }
        TcpStream::connect(named_at).unwrap();
    });
    confined(config(directory.path(), 0, ""), vec![], move || {
        TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(
            is_denied(TcpListener::bind(("127.0.0.1", other))),
            "a port of its choice is none of the system's"
        );
        assert!(is_denied(TcpStream::connect(named_at)), "nobody is reached if nobody is named");
    });
}

/// Somebody else. Ends with its owner.
struct Other(Child);

impl Other {
    fn start() -> Self {
        Other(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn other_processes_get_no_signal_and_their_abstract_sockets_are_out_of_reach() {
    let directory = tempfile::tempdir().unwrap();
    let name = SocketAddr::from_abstract_name(directory.path().as_os_str().as_encoded_bytes()).unwrap();
    let _listening = UnixListener::bind_addr(&name).unwrap();
    UnixStream::connect_addr(&name).unwrap();
    let other = Other::start();
    let id = Pid::from_child(&other.0);
    kill_process(id, Signal::CONT).unwrap();
    confined(config(directory.path(), 0, ""), vec![], move || {
        assert_eq!(kill_process(id, Signal::CONT), Err(rustix::io::Errno::PERM));
        assert!(is_denied(UnixStream::connect_addr(&name)));
    });
}

#[test]
fn where_it_is_required_nothing_less_than_all_of_it_is_enough() {
    for degree in [Degree::Not, Degree::Partly] {
        let text = check_enough(Confine::Required, degree).unwrap_err().to_string();
        assert!(text.contains(&format!("confines {degree}")) && text.contains("if-possible"), "{text}");
        check_enough(Confine::IfPossible, degree).unwrap();
    }
    check_enough(Confine::Required, Degree::Full).unwrap();
}

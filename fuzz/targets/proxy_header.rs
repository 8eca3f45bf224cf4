//! What a balancer says before TLS begins.

#![no_main]

use std::cell::RefCell;

use gateway::proxy_protocol::read_header;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(Builder::new_current_thread().build().unwrap());
}

fuzz_target!(|bytes: &[u8]| {
    let mut stream = bytes;
    let read = RUNTIME.with_borrow(|runtime| runtime.block_on(read_header(&mut stream)));
    if read.is_ok() {
        let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
        assert_eq!(bytes.len() - stream.len(), 16 + length, "the header, and not a byte of TLS");
    } else {
        assert!(bytes.len() - stream.len() <= 16 + 512);
    }
});

//! The settings of both programs: whatever stands in the file, it is read or every mistake is explained.

#![no_main]

use std::path::Path;

use config::{ClientSettings, GatewayConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let explained = [
        GatewayConfig::parse(text, Path::new("gateway.toml")).map(drop),
        ClientSettings::parse(text, Path::new("sekisho.toml")).map(drop),
    ];
    for error in explained.into_iter().filter_map(Result::err) {
        assert!(!error.to_string().is_empty());
    }
});

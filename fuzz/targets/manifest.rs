//! Signed statements from outside: the text itself, and (cut at zeros) header and payload in it.

#![no_main]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use protocol::{
    jws::Unverified,
    statement::{Acknowledgement, Manifest, Receipt, Refusal, Statement},
};

fuzz_target!(|bytes: &[u8]| {
    let parts: Vec<String> =
        bytes.split(|byte| *byte == 0).map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    let text = match (parts.len(), std::str::from_utf8(bytes)) {
        (1, Ok(text)) => text.to_owned(),
        _ => parts.join("."),
    };
    read::<Manifest>(&text);
    read::<Receipt>(&text);
    read::<Refusal>(&text);
    read::<Acknowledgement>(&text);
});

fn read<T: Statement + PartialEq + std::fmt::Debug>(text: &str) {
    let Ok(parsed) = Unverified::<T>::parse(text) else { return };
    assert!(!parsed.chain().is_empty());
    // What was understood is what would be written.
    let again = serde_json::to_vec(parsed.claimed()).unwrap();
    assert_eq!(&T::from_json(&again).unwrap(), parsed.claimed());
}

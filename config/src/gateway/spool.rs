//! `[spool]`: what seals content on its way.

use std::path::{Path, PathBuf};

use protocol::{kind::Class, party::Environment};

use super::AcceptedKinds;
use crate::reader::{Choice, Fault, Given, InputFile, Key, Section, Value, Word};

/// `[spool]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// What seals its content.
    pub seal: Seal,
}

/// What seals content on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// The key in this file.
    File(PathBuf),
    /// The key in the credential that systemd hands over by this name.
    Credential(String),
    /// Nothing: content lies there as it came.
    Off,
}

/// Whether content is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    On,
    Off,
}

impl Word for Switch {
    const WORDS: &[(&str, Self)] = &[("on", Switch::On), ("off", Switch::Off)];
}

/// The name of a credential of systemd, which is the name of a file.
struct CredentialName(String);

impl Value for CredentialName {
    fn form() -> String {
        "the name of a credential: letters, digits, dots, hyphens and underscores, in quotes".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let name = given.text_for::<Self>()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if (1..=255).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.') {
            Ok(CredentialName(name.to_owned()))
        } else {
            Err(given.is_not::<Self>())
        }
    }
    fn show(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

const KEY: Key<InputFile> = Key::new(
    "key",
    "The file of the key that seals content, made by `sekisho-gateway spool new-key FILE`; only the user the program runs \
     as may read it. Either this or `credential`.",
    "\"spool.key\"",
);

const CREDENTIAL: Key<CredentialName> = Key::new(
    "credential",
    "The same key as a credential of systemd: the name under LoadCredential= or LoadCredentialEncrypted= of the unit.",
    "\"spool-key\"",
);

impl Spool {
    pub(super) fn read(
        root: &Section<'_>,
        environment: Option<Environment>,
        kinds: Option<&AcceptedKinds>,
        data: Option<&Path>,
    ) -> Option<Self> {
        let section = root.section(
            "spool",
            "How content is kept until it is handed over: below storage.data, sealed (AES-256-GCM).",
        );
        let key = section.optional(&KEY);
        let credential = section.optional(&CREDENTIAL);
        let switch = section.choice(&Choice {
            name: "seal",
            meaning: "Whether content is sealed. \"off\" is for test only, and for kinds below strictly-confidential.",
            default: Switch::On,
            reason: "a disk that is taken, or a copy of it, shows nothing",
        });
        let (key, credential, switch) = (key?, credential?, switch?);
        match (key, credential, switch) {
            (Some(InputFile(file)), None, Switch::On) if data.is_some_and(|data| file.starts_with(data)) => {
                let what = "lies below storage.data: a copy of that would hold content and key together";
                section.refuse("key", Fault::new(what, "put the key elsewhere, beside this file perhaps"));
                None
            }
            (Some(InputFile(file)), None, Switch::On) => Some(Spool { seal: Seal::File(file) }),
            (None, Some(CredentialName(name)), Switch::On) => Some(Spool { seal: Seal::Credential(name) }),
            (None, None, Switch::On) => {
                section.refuse_absent(&KEY);
                None
            }
            (Some(_), Some(_), _) => {
                section.refuse(
                    "credential",
                    Fault::new("stands beside spool.key", "leave one of the two: content has one key"),
                );
                None
            }
            (None, None, Switch::Off) => match why_not_off(environment, kinds) {
                Some(fault) => {
                    section.refuse("seal", fault);
                    None
                }
                None => Some(Spool { seal: Seal::Off }),
            },
            (_, _, Switch::Off) => {
                let fault = Fault::new("is \"off\", and a key is named", "leave one of the two out");
                section.refuse("seal", fault);
                None
            }
        }
    }
}

fn why_not_off(environment: Option<Environment>, kinds: Option<&AcceptedKinds>) -> Option<Fault> {
    if environment == Some(Environment::Production) {
        return Some(Fault::new(
            "is \"off\", and claims must not lie on a disk in the clear",
            "leave it out, and name a key",
        ));
    }
    let (kind, _) = kinds?.iter().find(|(_, class)| *class == Class::StrictlyConfidential)?;
    Some(Fault::new(
        format!("is \"off\", and [kinds.{}] is strictly-confidential", kind.name()),
        "leave it out, and name a key",
    ))
}

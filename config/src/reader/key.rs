//! What a key is called, what it means, and what holds when it is absent.

use std::{borrow::Cow, marker::PhantomData};

/// A key without a default: required, or optional, as the call that reads it says.
pub struct Key<T> {
    pub(super) name: Cow<'static, str>,
    pub(super) meaning: &'static str,
    pub(super) example: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// A key, what it means, and an example of its value as it stands in the file.
    pub const fn new(name: &'static str, meaning: &'static str, example: &'static str) -> Self {
        Key { name: Cow::Borrowed(name), meaning, example, value: PhantomData }
    }

    /// The same key by another name, of the operator's choice.
    pub(super) fn named(&self, name: String) -> Self {
        Key { name: Cow::Owned(name), meaning: self.meaning, example: self.example, value: PhantomData }
    }
}

/// A key with a default that needs no bounds.
pub struct Choice<T> {
    /// The key's name within its table.
    pub name: &'static str,
    /// What it decides.
    pub meaning: &'static str,
    /// What holds when it is absent.
    pub default: T,
    /// Why that is the default.
    pub reason: &'static str,
}

/// A limit: a quantity with a default and bounds of its own.
pub struct Limit<T> {
    /// The key's name within its table.
    pub name: &'static str,
    /// What it bounds.
    pub meaning: &'static str,
    /// What holds when it is absent.
    pub default: T,
    /// The smallest value taken.
    pub low: T,
    /// The largest value taken.
    pub high: T,
    /// Why that is the default.
    pub reason: &'static str,
}

//! Asks one table of the file for its keys, and reports what is wrong with each.

use super::{
    Fault, Given, Key, KnownKey, LIST_ENTRIES_MAX, Limit, Reader, Usage, Value,
    document::{Content, Entry, Item, Table},
    join,
    key::Choice,
};

/// One table of the file, present or not; an absent one answers with defaults and names what is missing.
pub struct Section<'r> {
    reader: &'r Reader,
    path: String,
    line: Option<usize>,
    table: Option<&'r Table>,
}

impl<'r> Section<'r> {
    pub(super) fn root(reader: &'r Reader, table: &'r Table) -> Self {
        Section { reader, path: String::new(), line: None, table: Some(table) }
    }

    /// A table within this one.
    pub fn section(&self, name: &str, meaning: &'static str) -> Section<'r> {
        let path = self.know(name, meaning, None);
        let entry = self.entry(name);
        let table = match entry.map(|entry| &entry.content) {
            Some(Content::Table(table)) => Some(table),
            Some(other) => {
                let fault =
                    Fault::new(format!("is {}", other.called()), format!("write it as a table, [{path}]"));
                self.reader.refuse(entry.map(|entry| entry.line), path.clone(), fault);
                None
            }
            None => None,
        };
        Section { reader: self.reader, path, line: entry.map(|entry| entry.line), table }
    }

    /// A table within this one that may be absent as a whole.
    pub fn optional_section(&self, name: &str, meaning: &'static str) -> Option<Section<'r>> {
        let section = self.section(name, meaning);
        (self.reader.describing || self.entry(name).is_some()).then_some(section)
    }

    /// A table whose tables bear names of the operator's choice, in the order of the file; it may be absent. Each of them is
    /// read by `read`; the outer `None` is a mistake in any of them.
    pub fn named_sections<T>(
        &self,
        name: &str,
        meaning: &'static str,
        read: impl Fn(&str, &Section<'r>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let within = self.section(name, meaning);
        let names = within.names_of_choice();
        // All of them before any is given up, so that every mistake is found.
        let read: Vec<Option<T>> =
            names.iter().map(|name| read(name, &within.section(name, "A name of your choice."))).collect();
        read.into_iter().collect()
    }

    /// A table of lists whose keys are of the operator's choice; it may be absent.
    pub fn free_lists<T: Value + PartialEq>(&self, key: &Key<T>) -> Option<Vec<(String, Vec<T>)>> {
        self.free(key, |within, key| within.list(key))
    }

    /// A table of values whose keys are of the operator's choice; it may be absent.
    pub fn free_values<T: Value>(&self, key: &Key<T>) -> Option<Vec<(String, T)>> {
        self.free(key, |within, key| within.required(key))
    }

    fn free<T, V>(
        &self,
        key: &Key<T>,
        read: impl Fn(&Section<'r>, &Key<T>) -> Option<V>,
    ) -> Option<Vec<(String, V)>> {
        let within = self.section(&key.name, key.meaning);
        let read_one = |name: String| Some((name.clone(), read(&within, &key.named(name))?));
        let read: Vec<Option<(String, V)>> = within.names_of_choice().into_iter().map(read_one).collect();
        read.into_iter().collect()
    }

    /// The names in this table; for the reference page one that stands for all.
    fn names_of_choice(&self) -> Vec<String> {
        if self.reader.describing {
            return vec!["NAME".to_owned()];
        }
        let entries = self.table.map(|table| table.entries.as_slice()).unwrap_or_default();
        entries.iter().map(|entry| entry.name.clone()).collect()
    }

    /// A key that must be there.
    pub fn required<T: Value>(&self, key: &Key<T>) -> Option<T> {
        let path = self.know(&key.name, key.meaning, Some(usage::<T>("required")));
        match self.entry(&key.name) {
            Some(entry) => self.take(entry, path),
            None => self.missing(path, &key.name, key.example),
        }
    }

    /// A key that may be absent; the outer `None` is a mistake, the inner one its absence.
    pub fn optional<T: Value>(&self, key: &Key<T>) -> Option<Option<T>> {
        let path = self.know(&key.name, key.meaning, Some(usage::<T>("optional")));
        match self.entry(&key.name) {
            Some(entry) => self.take(entry, path).map(Some),
            None => Some(None),
        }
    }

    /// A list that must be there with at least one entry, none of them twice.
    pub fn list<T: Value + PartialEq>(&self, key: &Key<T>) -> Option<Vec<T>> {
        let (path, form) = self.know_list(key, "required");
        let Some(entry) = self.entry(&key.name) else {
            return self.missing(path, &key.name, key.example);
        };
        self.read_list(key, entry, path, form)
    }

    /// A list that may be absent, which means that it has no entries.
    pub fn optional_list<T: Value + PartialEq>(&self, key: &Key<T>) -> Option<Vec<T>> {
        let (path, form) = self.know_list(key, "none");
        match self.entry(&key.name) {
            Some(entry) => self.read_list(key, entry, path, form),
            None => Some(Vec::new()),
        }
    }

    fn know_list<T: Value>(&self, key: &Key<T>, default: &str) -> (String, String) {
        let form = format!("a list in [brackets], each entry {}", T::form());
        let usage = Usage { form: form.clone(), ..usage::<T>(default) };
        (self.know(&key.name, key.meaning, Some(usage)), form)
    }

    fn read_list<T: Value + PartialEq>(
        &self,
        key: &Key<T>,
        entry: &Entry,
        path: String,
        form: String,
    ) -> Option<Vec<T>> {
        let refuse = |fault| {
            self.reader.refuse(Some(entry.line), path.clone(), fault);
            None
        };
        let Content::List(items) = &entry.content else {
            return refuse(Fault::new(format!("is {}", entry.content.called()), format!("write {form}")));
        };
        if items.is_empty() {
            return refuse(Fault::new(
                "is empty",
                format!("name at least one, {} = {}", key.name, key.example),
            ));
        }
        if items.len() > LIST_ENTRIES_MAX {
            return refuse(Fault::new(
                format!("has {} entries", items.len()),
                format!("name at most {LIST_ENTRIES_MAX}"),
            ));
        }
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match self.value::<T>(item) {
                Ok(value) if values.contains(&value) => {
                    let fault =
                        Fault::new(format!("{} is listed twice", value.show()), "remove one of the two");
                    self.reader.refuse(Some(item.line), path.clone(), fault);
                }
                Ok(value) => values.push(value),
                Err(fault) => self.reader.refuse(Some(item.line), path.clone(), fault),
            }
        }
        (values.len() == items.len()).then_some(values)
    }

    /// A key with a default.
    pub fn choice<T: Value + Clone>(&self, choice: &Choice<T>) -> Option<T> {
        let usage = Usage { reason: choice.reason, ..usage::<T>(&choice.default.show()) };
        let path = self.know(choice.name, choice.meaning, Some(usage));
        match self.entry(choice.name) {
            Some(entry) => self.take(entry, path),
            None => Some(choice.default.clone()),
        }
    }

    /// A limit, held to its bounds.
    pub fn limit<T: Value + PartialOrd + Clone>(&self, limit: &Limit<T>) -> Option<T> {
        let (low, high) = (limit.low.show(), limit.high.show());
        let usage = Usage {
            range: format!("{low} to {high}"),
            reason: limit.reason,
            ..usage::<T>(&limit.default.show())
        };
        let path = self.know(limit.name, limit.meaning, Some(usage));
        let Some(entry) = self.entry(limit.name) else {
            return Some(limit.default.clone());
        };
        let value: T = self.take(entry, path.clone())?;
        let fault = if value < limit.low {
            Fault::new(format!("{} is below {low}", value.show()), format!("write at least {low}"))
        } else if value > limit.high {
            Fault::new(format!("{} is above {high}", value.show()), format!("write at most {high}"))
        } else {
            return Some(value);
        };
        self.reader.refuse(Some(entry.line), path, fault);
        None
    }

    /// Reports a mistake that only shows when several values are seen together; `name` is a key of this table.
    pub fn refuse(&self, name: &str, fault: Fault) {
        let line = self.entry(name).map_or(self.line, |entry| Some(entry.line));
        self.reader.refuse(line, join(&self.path, name), fault);
    }

    /// Reports that a list is absent that may be absent only where something else stands in for it.
    pub fn refuse_absent<T>(&self, key: &Key<T>) {
        let _: Option<T> = self.missing(join(&self.path, &key.name), &key.name, key.example);
    }

    /// Reports that this table lacks something; after a syntax error it may well stand on the broken line.
    pub fn refuse_as_incomplete(&self, fault: Fault) {
        if self.reader.document.syntax.is_empty() {
            self.reader.refuse(self.line, self.path.clone(), fault);
        }
    }

    fn entry(&self, name: &str) -> Option<&'r Entry> {
        self.table?.get(name)
    }

    /// Notes a key as known and gives its path.
    fn know(&self, name: &str, meaning: &'static str, usage: Option<Usage>) -> String {
        let path = join(&self.path, name);
        self.reader.known.borrow_mut().push(KnownKey { path: path.clone(), meaning, usage });
        path
    }

    fn missing<T>(&self, path: String, name: &str, example: &str) -> Option<T> {
        // As in `refuse_as_incomplete`.
        if self.reader.document.syntax.is_empty() {
            let place = match (&self.table, self.path.is_empty()) {
                (_, true) => " above the first table".to_owned(),
                (Some(_), _) => String::new(),
                (None, _) => format!(" under [{}]", self.path),
            };
            let fault = Fault::new("is missing", format!("add{place}: {name} = {example}"));
            self.reader.refuse(self.line, path, fault);
        }
        None
    }

    fn take<T: Value>(&self, entry: &Entry, path: String) -> Option<T> {
        let read = match &entry.content {
            Content::Single(item) => self.value(item),
            other => Err(Fault::new(format!("is {}", other.called()), format!("write {}", T::form()))),
        };
        read.map_err(|fault| self.reader.refuse(Some(entry.line), path, fault)).ok()
    }

    fn value<T: Value>(&self, item: &Item) -> Result<T, Fault> {
        let Reader { directory, look_for_files, .. } = self.reader;
        T::read(&Given { item, directory, look_for_files: *look_for_files })
    }
}

fn usage<T: Value>(default: &str) -> Usage {
    Usage { form: T::form(), default: default.to_owned(), range: String::new(), reason: "" }
}

//! The one thread that writes segments: takes whatever waits, writes it at once, makes all of it durable by one sync, and only
//! then answers. While that sync runs the next batch gathers; nothing waits for a timer.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::{
    Files,
    index::At,
    record::{BLOCK, Record, Salt},
};
use crate::spool::SpoolFault;

/// Records that may wait before those who bring more do: several batches.
const QUEUE_MAX: usize = 1024;

/// Bytes written at once, beyond which no further record is taken into a batch: what a disk takes within some milliseconds.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of a segment, beyond which another is begun. What it takes to begin one, two syncs, is shared by a thousand records
/// of 16 KiB; and one content that stays for long keeps no more than this from being freed.
pub(super) const SEGMENT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Says what became of a record.
type Reply = Box<dyn FnOnce(Result<(), SpoolFault>) + Send>;

/// A record that is to become durable, and who waits for it.
struct Waiting {
    record: Record,
    reply: Reply,
}

/// Hands records to the thread; dropped, it ends when what waits is done.
pub(super) struct Appender {
    queue: Option<SyncSender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

impl Appender {
    /// Starts the thread, which gives its first segment this number.
    pub(super) fn start(files: Arc<Files>, number: u64) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(QUEUE_MAX);
        let appending = Appending { files, number, open: None, batch: Vec::new() };
        let thread =
            thread::Builder::new().name("segments".to_owned()).spawn(move || appending.run(&waiting))?;
        Ok(Appender { queue: Some(queue), thread: Some(thread) })
    }

    /// Makes a record durable and known, and then says so. May wait for room in the queue.
    pub(super) fn append(&self, record: Record, reply: impl FnOnce(Result<(), SpoolFault>) + Send + 'static) {
        let waiting = Waiting { record, reply: Box::new(reply) };
        if let Some(queue) = &self.queue {
            // If the thread is gone, the reply is dropped unasked, and whoever waits for it hears that.
            let _ = queue.send(waiting);
        }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // Whoever waited for what it broke down over has been told so.
            let _ = thread.join();
        }
    }
}

/// What the thread has.
struct Appending {
    files: Arc<Files>,
    /// Of the next segment.
    number: u64,
    open: Option<Open>,
    /// Room for what is written at once.
    batch: Vec<u8>,
}

/// The segment that is written.
struct Open {
    number: u64,
    salt: Salt,
    file: File,
    /// Bytes in it.
    end: u64,
}

impl Appending {
    fn run(mut self, queue: &Receiver<Waiting>) {
        while let Ok(first) = queue.recv() {
            let mut bytes = first.record.head.record_bytes() as usize;
            let mut batch = vec![first];
            while bytes < BATCH_BYTES_MAX
                && let Ok(next) = queue.try_recv()
            {
                bytes += next.record.head.record_bytes() as usize;
                batch.push(next);
            }
            let (records, replies): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|Waiting { record, reply }| (record, reply)).unzip();
            match self.write(&records) {
                Ok(()) => replies.into_iter().for_each(|reply| reply(Ok(()))),
                Err(fault) => replies.into_iter().for_each(|reply| reply(Err(again(&fault)))),
            }
        }
    }

    /// Makes these durable and then known.
    fn write(&mut self, records: &[Record]) -> Result<(), SpoolFault> {
        self.files.medium.check_poison()?;
        let bytes: u64 = records.iter().map(|record| record.head.record_bytes()).sum();
        // Asked and taken in one: whoever drops the last content of a segment removes it.
        let open = self.open.take().filter(|open| {
            open.end + bytes <= SEGMENT_BYTES_MAX && self.files.index().reserve(open.number, records.len())
        });
        let mut open = match open {
            Some(open) => open,
            None => {
                let open = self.begin()?;
                self.files.index().segment_begun(open.number, open.salt, records.len());
                open
            }
        };
        self.batch.clear();
        if open.end == 0 {
            self.batch.extend_from_slice(&open.salt.to_bytes());
        }
        let mut places = Vec::with_capacity(records.len());
        for record in records {
            places.push(At {
                segment: open.number,
                attempt: record.head.attempt,
                offset: open.end + self.batch.len() as u64,
                length: record.head.length,
                is_sound: true,
            });
            record.lay_out(open.salt, &mut self.batch);
        }
        let Files { medium, directory, .. } = &*self.files;
        let written = medium.disk.write_at(&open.file, &self.batch, open.end);
        written.map_err(|source| medium.poison("write", source))?;
        medium.disk.sync(&open.file).map_err(|source| medium.poison("fsync", source))?;
        if open.end == 0 {
            let named = medium.disk.sync_directory(directory);
            named.map_err(|source| medium.poison("fsync of the directory", source))?;
        }
        open.end += self.batch.len() as u64;
        self.open = Some(open);
        for (record, at) in records.iter().zip(places) {
            let emptied = self.files.index().put(&record.head.key, at);
            self.files.remove(emptied)?;
        }
        Ok(())
    }

    /// Begins another segment. That it cannot be made says nothing about what is on disk.
    fn begin(&mut self) -> Result<Open, SpoolFault> {
        let (number, salt) = (self.number, Salt::new()?);
        let file = durable::new_file(durable::Access::Private).open(self.files.path(number));
        let file = file.map_err(|source| SpoolFault::Write { operation: "create", source })?;
        self.number += 1;
        Ok(Open { number, salt, file, end: 0 })
    }
}

/// The same fault for each who waits.
fn again(fault: &SpoolFault) -> SpoolFault {
    match fault {
        SpoolFault::Write { operation, source } => {
            SpoolFault::Write { operation, source: crate::again(source) }
        }
        SpoolFault::Cipher => SpoolFault::Cipher,
        _ => SpoolFault::Poisoned,
    }
}

/// A head and its segment's header are one block each.
const _: () = assert!(SEGMENT_BYTES_MAX.is_multiple_of(BLOCK as u64));

//! Content that is written or read once goes past the system's cache: copying it there costs more than all else that is
//! done with it, and drives out what is read again.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// What reads and writes past the cache must be aligned to, in the file and in memory: the block of every disk in use.
const BLOCK: usize = 4096;

/// A file whose whole blocks go past the system's cache, where its file system has such reads and writes. What is less than a
/// block, or is not aligned, goes the ordinary way.
#[derive(Debug)]
pub struct PastCache {
    file: File,
    /// It is wanted, and the file system has not turned it down.
    may: bool,
    /// The open file is set to it now.
    is_set: bool,
}

impl PastCache {
    /// This file, which nobody else may use by the same descriptor; unless it is `wanted`, all goes the ordinary way.
    pub fn new(file: File, wanted: bool) -> Self {
        PastCache { file, may: wanted, is_set: false }
    }

    /// The file itself, for what neither reads nor writes.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether anything may still go past the cache. If not, memory need not be aligned for it.
    pub fn may_go_past(&self) -> bool {
        self.may
    }

    /// The file for reads and writes that go the ordinary way.
    pub fn ordinary(&mut self) -> &File {
        self.set(false);
        &self.file
    }

    /// Writes all of this to its place. It is no more durable than any other write.
    pub fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        let of = |length| bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        let past = self.past(bytes.len(), at, |file, length| file.write_all_at(of(length).0, at))?;
        self.rest(bytes.len() - past, |file| file.write_all_at(of(past).1, at + past as u64))
    }

    /// Fills all of this room from its place.
    pub fn read_at(&mut self, room: &mut [u8], at: u64) -> io::Result<()> {
        let past = self.past(room.len(), at, |file, length| {
            file.read_exact_at(room.get_mut(..length).unwrap_or_default(), at)
        })?;
        self.rest(room.len() - past, |file| {
            file.read_exact_at(room.get_mut(past..).unwrap_or_default(), at + past as u64)
        })
    }

    /// Does as much as can be done past the cache of so many bytes at this place, and says how much that was.
    fn past(
        &mut self,
        length: usize,
        at: u64,
        act: impl FnOnce(&File, usize) -> io::Result<()>,
    ) -> io::Result<usize> {
        let blocks = length - length % BLOCK;
        if blocks == 0 || !at.is_multiple_of(BLOCK as u64) || !self.may || !self.set(true) {
            return Ok(0);
        }
        match act(&self.file, blocks) {
            Ok(()) => Ok(blocks),
            // This file system does not know it, whatever it said when it was set, or the memory is not aligned.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.may = false;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    fn rest(&mut self, left: usize, act: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        if left == 0 { Ok(()) } else { act(self.ordinary()) }
    }

    /// Sets the open file to it, or back; is it as it was wanted?
    fn set(&mut self, wanted: bool) -> bool {
        if self.is_set != wanted {
            match set(&self.file, wanted) {
                Ok(()) => self.is_set = wanted,
                // Nothing goes past the cache from now on.
                Err(_) => self.may = false,
            }
        }
        self.is_set == wanted
    }
}

fn set(file: &File, past: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, past);
    Ok(fcntl_setfl(file, flags)?)
}

#[cfg(test)]
mod tests {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    use super::*;

    /// Memory that begins this far behind an aligned address, with these bytes.
    fn placed(memory: &mut Vec<u8>, behind: usize, bytes: &[u8]) -> std::ops::Range<usize> {
        memory.resize(bytes.len() + 2 * BLOCK, 0);
        let begin = memory.as_ptr().align_offset(BLOCK) + behind;
        memory[begin..begin + bytes.len()].copy_from_slice(bytes);
        begin..begin + bytes.len()
    }

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at / 7) as u8).collect()
    }

    #[test]
    fn what_is_written_reads_back_however_it_is_placed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("content");
        for wanted in [false, true] {
            // Whole blocks and less, in aligned memory and not, at the beginning of a block and within one.
            for (length, behind, at) in [
                (0, 0, 0),
                (5, 0, 0),
                (BLOCK, 0, 0),
                (3 * BLOCK + 5, 0, BLOCK),
                (2 * BLOCK, 1, 0),
                (BLOCK, 0, 7),
            ] {
                let content = bytes(length);
                let (mut memory, mut room) = (Vec::new(), Vec::new());
                let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
                let mut file = PastCache::new(file.unwrap(), wanted);
                let written = placed(&mut memory, behind, &content);
                file.write_at(&memory[written], at as u64).unwrap();
                assert_eq!(
                    file.file().metadata().unwrap().len(),
                    if length == 0 { 0 } else { (at + length) as u64 }
                );
                assert_eq!(std::fs::read(&path).unwrap().get(at..).unwrap_or_default(), content);
                let read = placed(&mut room, behind, &vec![0xff; length]);
                file.read_at(&mut room[read.clone()], at as u64).unwrap();
                assert_eq!(
                    room[read], content,
                    "{length} bytes, {behind} behind, at {at}, past the cache: {wanted}"
                );
            }
        }
    }

    /// A file of two blocks that was written from memory so far behind an aligned address; none where the file system has no
    /// writes past the cache.
    fn written(behind: usize) -> Option<PastCache> {
        let (mut memory, content) = (Vec::new(), bytes(2 * BLOCK));
        let aligned = placed(&mut memory, 0, &content);
        let plain = tempfile::tempfile().unwrap();
        let unaligned = aligned.start + 1..aligned.end + 1;
        let goes_past =
            |place| set(&plain, true).and_then(|()| plain.write_all_at(&memory[place], 0)).is_ok();
        // Some file systems take what cannot go past the cache the ordinary way, without a word.
        if !goes_past(aligned) || goes_past(unaligned) {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI skips nothing");
            println!(
                "skipped: this file system has no writes past the cache, or does not tell when they are none"
            );
            return None;
        }
        let mut file = PastCache::new(tempfile::tempfile().unwrap(), true);
        let place = placed(&mut memory, behind, &content);
        file.write_at(&memory[place], 0).unwrap();
        Some(file)
    }

    #[test]
    fn what_goes_past_the_cache_is_not_in_it() {
        let Some(file) = written(0) else { return };
        assert!(file.is_set);
        let mut room = [0; BLOCK];
        let at_once = ReadWriteFlags::NOWAIT;
        let mut in_cache = || preadv2(file.file(), &mut [io::IoSliceMut::new(&mut room)], 0, at_once);
        set(file.file(), false).unwrap();
        assert_eq!(in_cache(), Err(Errno::AGAIN));
        file.file().read_exact_at(&mut [0; BLOCK], 0).unwrap();
        assert_eq!(in_cache(), Ok(BLOCK), "what is read the ordinary way is");
    }

    #[test]
    fn memory_that_is_not_aligned_is_turned_down_once_and_all_goes_the_ordinary_way_from_then_on() {
        let Some(file) = written(1) else { return };
        assert!(!file.may && !file.is_set);
    }

    #[test]
    fn between_what_goes_past_the_cache_anything_may_go_the_ordinary_way() {
        let Some(mut file) = written(0) else { return };
        let (mut memory, content) = (Vec::new(), bytes(BLOCK));
        let unaligned = placed(&mut memory, 1, &content);
        file.ordinary().write_all_at(&memory[unaligned], BLOCK as u64).unwrap();
        assert!(file.may_go_past() && !file.is_set);
        let aligned = placed(&mut memory, 0, &content);
        file.write_at(&memory[aligned], 0).unwrap();
        assert!(file.may_go_past() && file.is_set);
        let mut all = vec![0; 2 * BLOCK];
        file.ordinary().read_exact_at(&mut all, 0).unwrap();
        assert!(all == [content.as_slice(), &content].concat());
    }

    #[test]
    fn an_end_that_comes_too_soon_is_one_for_either_way() {
        for wanted in [false, true] {
            let mut file = PastCache::new(tempfile::tempfile().unwrap(), wanted);
            let (mut memory, content) = (Vec::new(), bytes(BLOCK + 1));
            let place = placed(&mut memory, 0, &content);
            file.write_at(&memory[place.clone()], 0).unwrap();
            let longer = place.start..place.end + BLOCK - 1;
            let fault = file.read_at(&mut memory[longer], 0).unwrap_err();
            assert_eq!(fault.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}

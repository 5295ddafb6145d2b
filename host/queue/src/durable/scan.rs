//! Reading a segment from its beginning, damage or not.

use super::disk::DiskFile;
use crate::record::{ALIGNMENT, FRAME, Frame, MAGIC, is_intact};
use std::io;

/// What is read at once where records begin, which says enough to skip the rest.
const GLANCE: usize = 4 * 1024;

/// What is read at once where everything is looked at.
const CHUNK: usize = 256 * 1024;

/// A record whose frame and head are as they were written.
pub(super) struct Record {
    pub offset: u64,
    pub frame: Frame,
    /// The head, still encoded.
    pub head: Vec<u8>,
}

impl Record {
    /// Where the tail begins.
    pub fn tail(&self) -> u64 {
        self.offset + FRAME as u64 + u64::from(self.frame.head_length)
    }
}

/// What a segment holds.
#[derive(Default)]
pub(super) struct Contents {
    pub records: Vec<Record>,
    /// Bytes before the last record that are no record.
    pub damaged: u64,
    /// Bytes after it that were written, but are no record.
    pub torn: u64,
    /// Where the last record ends.
    pub end: u64,
}

/// Looks through the first `length` bytes of a segment. Where a record cannot be read, it goes on at the next one
/// that can.
pub(super) fn scan(file: &dyn DiskFile, length: u64) -> io::Result<Contents> {
    let mut window = Window { file, length: length.min(file.length()?), start: 0, bytes: Vec::new() };
    let mut contents = Contents::default();
    let mut offset = 0;
    while let Some(record) = next_record(&mut window, offset)? {
        contents.damaged += record.offset - contents.end;
        offset = record.offset + record.frame.length();
        contents.end = offset.min(window.length);
        contents.records.push(record);
    }
    // Room that was never written is no damage.
    let rest = window.length - contents.end;
    if rest > 0 && !window.is_zero(contents.end)? {
        contents.torn = rest;
    }
    Ok(contents)
}

/// The record at an offset, or the first one after it.
fn next_record(window: &mut Window, mut offset: u64) -> io::Result<Option<Record>> {
    while offset + FRAME as u64 <= window.length {
        if let Some(record) = record_at(window, offset)? {
            return Ok(Some(record));
        }
        let Some(next) = window.find_magic(offset + ALIGNMENT)? else { break };
        offset = next;
    }
    Ok(None)
}

fn record_at(window: &mut Window, offset: u64) -> io::Result<Option<Record>> {
    let Some(frame) = window.get(offset, FRAME)?.first_chunk().and_then(Frame::read) else { return Ok(None) };
    let whole = FRAME + frame.head_length as usize;
    let bytes = window.get(offset, whole)?;
    let is_whole = bytes.len() == whole && is_intact(bytes);
    Ok(is_whole.then(|| Record { offset, frame, head: bytes[FRAME..].to_vec() }))
}

/// A part of a file, which moves on as it is read.
struct Window<'f> {
    file: &'f dyn DiskFile,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// As many bytes, or fewer at the end.
    fn get(&mut self, offset: u64, count: usize) -> io::Result<&[u8]> {
        let count = count.min((self.length.saturating_sub(offset)) as usize);
        let is_there = offset >= self.start && offset + count as u64 <= self.start + self.bytes.len() as u64;
        if !is_there {
            let more = (self.length.saturating_sub(offset)).min(GLANCE.max(count) as u64);
            self.bytes.resize(more as usize, 0);
            self.start = offset;
            self.file.read_at(offset, &mut self.bytes)?;
        }
        let from = (offset - self.start) as usize;
        Ok(&self.bytes[from..from + count])
    }

    /// The first place from an offset on where a record could begin.
    fn find_magic(&mut self, mut offset: u64) -> io::Result<Option<u64>> {
        while offset + FRAME as u64 <= self.length {
            let bytes = self.get(offset, CHUNK)?;
            let step = ALIGNMENT as usize;
            let found = bytes.chunks_exact(step).position(|chunk| chunk.starts_with(&MAGIC));
            if let Some(found) = found {
                return Ok(Some(offset + (found * step) as u64));
            }
            offset += bytes.len().max(step) as u64 / ALIGNMENT * ALIGNMENT;
        }
        Ok(None)
    }

    fn is_zero(&mut self, mut offset: u64) -> io::Result<bool> {
        while offset < self.length {
            let bytes = self.get(offset, CHUNK)?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            offset += bytes.len() as u64;
        }
        Ok(true)
    }
}

/// Where the room begins that nothing was written to: after the last record, and after what else was written there.
pub(super) fn used(file: &dyn DiskFile) -> io::Result<u64> {
    let length = file.length()?;
    let mut window = Window { file, length, start: 0, bytes: Vec::new() };
    // A file without such room ends in something, which is cheaper to see than all records.
    if !window.is_zero(length.saturating_sub(FRAME as u64))? {
        return Ok(length);
    }
    let end = scan(file, length)?.end;
    let mut used = end;
    for offset in (end..length).step_by(CHUNK) {
        let bytes = window.get(offset, CHUNK)?;
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            used = offset + last as u64 + 1;
        }
    }
    Ok(used)
}

/// The record at the beginning of a segment, if it can be read.
pub(super) fn first(file: &dyn DiskFile) -> io::Result<Option<Record>> {
    let length = file.length()?;
    record_at(&mut Window { file, length, start: 0, bytes: Vec::new() }, 0)
}

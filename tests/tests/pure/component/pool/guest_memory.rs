//! Looks into the linear memories of all component instances of this process.
//!
//! A component exports no memory, so its host cannot be asked for it. But the system can: a linear
//! memory is readable and writable up to its size, and the rest of the 4 GiB reserved for it is
//! neither. Nothing else in a process is laid out like that.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;

/// The least that must be reserved behind a linear memory.
const RESERVED_BYTES_MIN: u64 = 1 << 30;

/// How often `text` occurs in the linear memories of this process.
pub fn occurrences(text: &[u8]) -> usize {
    let mut process = File::open("/proc/self/mem").expect("Linux shows a process its own memory");
    linear_memories()
        .into_iter()
        .map(|memory| {
            let mut content = vec![0; (memory.end - memory.start) as usize];
            process.seek(SeekFrom::Start(memory.start)).expect("an address");
            // Another test may have ended, and its memories with it.
            if process.read_exact(&mut content).is_err() {
                return 0;
            }
            content.windows(text.len()).filter(|window| *window == text).count()
        })
        .sum()
}

fn linear_memories() -> Vec<Range<u64>> {
    let map = fs::read_to_string("/proc/self/maps").expect("Linux shows a process its own map");
    let mut memories = Vec::new();
    let mut writable: Option<Range<u64>> = None;
    for (range, permissions) in map.lines().filter_map(parse) {
        if permissions.starts_with("rw") {
            let start = writable
                .filter(|before| before.end == range.start)
                .map_or(range.start, |before| before.start);
            writable = Some(start..range.end);
            continue;
        }
        let reserved = permissions.starts_with("---") && range.end - range.start >= RESERVED_BYTES_MIN;
        memories.extend(writable.take().filter(|memory| reserved && memory.end == range.start));
    }
    memories
}

/// A line of the map: `start-end permissions …`, in hexadecimal digits.
fn parse(line: &str) -> Option<(Range<u64>, &str)> {
    let mut words = line.split(' ');
    let (start, end) = words.next()?.split_once('-')?;
    let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
    Some((range, words.next()?))
}

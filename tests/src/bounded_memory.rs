//! Core modules with another limit of their memory, for payloads that are too much for an instance.

use anyhow::{Context as _, ensure};

/// The bytes of a page of memory.
pub const PAGE: u32 = 1 << 16;

/// A module whose one memory may have at most so many pages, whatever limit it has.
///
/// # Errors
/// When it is no module with one memory of its own.
pub fn bounded(module: &[u8], pages: u32) -> anyhow::Result<Vec<u8>> {
    const MEMORIES: u8 = 5;
    const HAS_MAXIMUM: u64 = 1;
    let (preamble, mut rest) = module.split_at_checked(8).context("no module")?;
    let mut made = preamble.to_vec();
    let mut is_found = false;
    while let Some((&kind, after)) = rest.split_first() {
        rest = after;
        let length = usize::try_from(number(&mut rest)?)?;
        let mut content;
        (content, rest) = rest.split_at_checked(length).context("the module is cut off")?;
        let mut section = content.to_vec();
        if kind == MEMORIES {
            let (memories, flags) = (number(&mut content)?, number(&mut content)?);
            ensure!(memories == 1 && flags <= HAS_MAXIMUM, "{memories} memories, of kind {flags}");
            let least = number(&mut content)?.min(pages.into());
            section = [vec![1], leb128(HAS_MAXIMUM), leb128(least), leb128(pages.into())].concat();
            is_found = true;
        }
        made.push(kind);
        made.extend(leb128(section.len() as u64));
        made.extend(section);
    }
    ensure!(is_found, "the module has no memory");
    Ok(made)
}

/// Takes a number off the front, as modules write it.
fn number(bytes: &mut &[u8]) -> anyhow::Result<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first().context("the module is cut off")?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    anyhow::bail!("a number without an end")
}

fn leb128(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

//! The whole state as bytes, and back.
//!
//! Layout, little-endian: magic, version (u16), time of the last payload in milliseconds since the
//! epoch (u64), number of series (u32), the series with the newest first, and a hash of all that.

use super::Accumulator;
use super::codec::{Bytes, SERIES_BYTES_MIN, read_series, write_series};
use super::hash::Hash;
use super::series::{Series, Total};
use super::table::Table;
use std::cmp::Reverse;

const MAGIC: &[u8; 14] = b"preamp totals\n";
const VERSION: u16 = 1;

impl Accumulator {
    /// All that is needed to go on elsewhere. The same series and times give the same bytes, whatever
    /// happened before.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut series: Vec<&Series> =
            self.table.iter().filter(|series| !series.is_idle(self.now, self.limits.max_idle_ms)).collect();
        series.sort_unstable_by_key(|series| (Reverse(series.touched), Reverse(series.last), series.id));
        let mut out = Vec::with_capacity(64 + series.len() * 48);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.now.to_le_bytes());
        out.extend_from_slice(&(series.len() as u32).to_le_bytes());
        for series in series {
            write_series(series, self.now, &mut out);
        }
        let hash = Hash::new().text(&out).finish();
        out.extend_from_slice(&hash.to_le_bytes());
        out
    }

    /// Takes over the state of a snapshot in place of its own. Of more series than the limit allows,
    /// those that were heard of last are kept.
    ///
    /// `is_current` says that nothing was accepted after the snapshot was taken. Otherwise some totals
    /// were sent that are higher than those of the snapshot, and going back to it would look like a
    /// counter that was reset and counted as much again: counters and histograms then begin anew,
    /// and only the totals of non-monotonic sums go on.
    ///
    /// # Errors
    ///
    /// Bytes that are no snapshot, a damaged one, or one of a later version. Nothing has changed then.
    pub fn restore(&mut self, snapshot: &[u8], is_current: bool) -> Result<(), String> {
        let Some((MAGIC, rest)) = snapshot.split_first_chunk() else {
            return Err("this is no state of a preamp exporter: it begins with other bytes".to_owned());
        };
        const DAMAGED: &str = "the state is damaged or incomplete: start without it, totals then begin anew";
        let mut bytes = Bytes(rest);
        let version = bytes.array().map(u16::from_le_bytes).ok_or(DAMAGED)?;
        if version != VERSION {
            return Err(format!(
                "the state has format {version}, and this version of preamp reads format {VERSION}: \
                 use the version that wrote it, or start without it"
            ));
        }
        let body = read_body(snapshot, bytes).ok_or(DAMAGED)?;
        let (now, series) = body;
        let mut table = Table::default();
        for mut series in series {
            if table.find(series.id).is_some() {
                return Err(DAMAGED.to_owned());
            }
            if table.len() < self.limits.max_series {
                if !is_current {
                    forget(&mut series);
                }
                table.insert(series);
            }
        }
        self.table = table;
        self.now = now;
        self.all_busy_until = 0;
        self.journal.clear(now);
        Ok(())
    }
}

/// The time and the series of a snapshot of this version.
fn read_body(snapshot: &[u8], mut bytes: Bytes) -> Option<(u64, Vec<Series>)> {
    let (hashed, hash) = snapshot.split_last_chunk()?;
    if Hash::new().text(hashed).finish() != u64::from_le_bytes(*hash) {
        return None;
    }
    let (body, _) = bytes.0.split_last_chunk::<8>()?;
    bytes.0 = body;
    let now = u64::from_le_bytes(bytes.array()?);
    let count = u32::from_le_bytes(bytes.array()?) as usize;
    if count > bytes.0.len() / SERIES_BYTES_MIN {
        return None;
    }
    let series = (0..count).map(|_| read_series(&mut bytes, now)).collect::<Option<_>>()?;
    bytes.0.is_empty().then_some((now, series))
}

/// Forgets a total that may be lower than what was sent, and would look like a reset.
fn forget(series: &mut Series) {
    match &series.total {
        Total::Number { monotonic: false, .. } => {}
        _ => series.total = Total::Unknown,
    }
}

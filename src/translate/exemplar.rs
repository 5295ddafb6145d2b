//! The exemplars of a point, with labels as OpenMetrics allows them.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", exemplars; OpenMetrics
//! 1.0, "Exemplars".)

use super::expansion::LABEL_BYTES;
use super::labels::Label;
use super::time_ms_floor;
use crate::otlp::exemplar::Exemplar as OtlpExemplar;
use crate::otlp::value::Attribute;
use crate::otlp::wire::Malformed;
use std::ops::Range;

/// The names and values of an exemplar may have this many characters in all.
const CHARACTERS_MAX: usize = 128;

const TRACE_ID: &[u8] = b"trace_id";
const SPAN_ID: &[u8] = b"span_id";

/// Exemplars ready to be written, in memory that is used again for the next point.
#[derive(Debug, Default)]
pub struct ExemplarSet {
    heads: Vec<Head>,
    labels: Vec<TextLabel>,
    text: Vec<u8>,
    /// The finite bounds of the histogram at hand with their buckets, in order.
    bounds: Vec<(f64, usize)>,
}

#[derive(Clone, Debug)]
struct Head {
    value: f64,
    time: i64,
    labels: Range<usize>,
    /// The bucket of a classic histogram it belongs to; see [`ExemplarSet::assign_buckets`].
    bucket: usize,
}

/// A label whose name and value are ranges of the text.
#[derive(Clone, Debug)]
struct TextLabel {
    name: Range<usize>,
    value: Range<usize>,
}

/// Some exemplars of a point.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exemplars<'e> {
    heads: &'e [Head],
    labels: &'e [TextLabel],
    text: &'e [u8],
}

/// One exemplar.
#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'e> {
    /// The value observed.
    pub value: f64,
    /// When, in milliseconds since the Unix epoch.
    pub time: i64,
    labels: &'e [TextLabel],
    text: &'e [u8],
}

impl<'e> Exemplars<'e> {
    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The exemplars, in the order they were made or, in a bucket, sent.
    pub fn iter(&self) -> impl Iterator<Item = Exemplar<'e>> + use<'e> {
        let Exemplars { heads, labels, text } = *self;
        heads.iter().map(move |head| Exemplar {
            value: head.value,
            time: head.time,
            labels: labels.get(head.labels.clone()).unwrap_or_default(),
            text,
        })
    }
}

impl<'e> Exemplar<'e> {
    /// The labels, sorted by name.
    pub fn labels(&self) -> impl Iterator<Item = Label<'e>> + use<'e> {
        let Exemplar { labels, text, .. } = *self;
        labels.iter().map(move |label| Label {
            name: text.get(label.name.clone()).unwrap_or_default(),
            value: text.get(label.value.clone()).unwrap_or_default(),
        })
    }
}

/// Whether a text has more characters than an exemplar may have, however much of it is looked at.
fn is_too_much(text: &[u8]) -> bool {
    // A character takes at most four bytes.
    text.len() > 4 * CHARACTERS_MAX
        || text.iter().filter(|byte| **byte & 0xc0 != 0x80).count() > CHARACTERS_MAX
}

impl ExemplarSet {
    /// Reads the exemplars of a point, `Exemplar` messages.
    ///
    /// One without a value says nothing, and one whose labels are not UTF-8 would make the message it
    /// is in unreadable: these are left out.
    pub fn read(&mut self, messages: &[&[u8]], scratch: &mut Vec<u8>) -> Result<(), Malformed> {
        for message in messages {
            self.push(message, scratch)?;
        }
        Ok(())
    }

    /// Forgets the exemplars of the point before.
    #[inline]
    pub fn clear(&mut self) {
        self.heads.clear();
        self.labels.clear();
        self.text.clear();
    }

    /// How many bytes they take at most.
    pub fn bytes(&self) -> usize {
        const HEAD: usize = 32;
        HEAD * self.heads.len() + LABEL_BYTES * self.labels.len() + self.text.len()
    }

    /// All exemplars.
    pub fn all(&self) -> Exemplars<'_> {
        self.view(0..self.heads.len())
    }

    fn push(&mut self, message: &[u8], scratch: &mut Vec<u8>) -> Result<(), Malformed> {
        let (first_label, first_text) = (self.labels.len(), self.text.len());
        let exemplar = OtlpExemplar::read(message, |_| Ok(()))?;
        let Some(value) = exemplar.value else { return Ok(()) };
        self.push_id(TRACE_ID, exemplar.trace_id);
        self.push_id(SPAN_ID, exemplar.span_id);
        let first_attribute = self.labels.len();
        let start = scratch.len();
        OtlpExemplar::read(message, |attribute| {
            let attribute = Attribute::read(attribute, scratch)?;
            // What is too much already needs no more.
            if !is_too_much(&self.text[first_text..])
                && !self.has_id(first_label..first_attribute, &attribute)
            {
                let value = attribute.value.resolve(scratch);
                self.insert_label(first_attribute, attribute.key, value);
            }
            Ok(())
        })?;
        scratch.truncate(start);
        let Ok(texts) = std::str::from_utf8(&self.text[first_text..]) else {
            self.labels.truncate(first_label);
            self.text.truncate(first_text);
            return Ok(());
        };
        if texts.chars().count() > CHARACTERS_MAX {
            self.labels.truncate(first_attribute);
        }
        let text = &self.text;
        self.labels[first_label..].sort_by(|a, b| text[a.name.clone()].cmp(&text[b.name.clone()]));
        self.heads.push(Head {
            value,
            time: time_ms_floor(exemplar.time),
            labels: first_label..self.labels.len(),
            bucket: 0,
        });
        Ok(())
    }

    /// Whether the ids, which are these labels, have the name of an attribute.
    fn has_id(&self, ids: Range<usize>, attribute: &Attribute) -> bool {
        self.labels[ids].iter().any(|label| self.text[label.name.clone()] == *attribute.key)
    }

    /// Adds a label to those of an exemplar from `first` on, which are kept in order, unless it has one of
    /// this name.
    fn insert_label(&mut self, first: usize, name: &[u8], value: &[u8]) {
        let place = self.labels[first..].binary_search_by(|label| self.text[label.name.clone()].cmp(name));
        if let Err(place) = place {
            self.push_label(name, |text| text.extend_from_slice(value));
            self.labels[first + place..].rotate_right(1);
        }
    }

    fn push_label(&mut self, name: &[u8], write_value: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        self.text.extend_from_slice(name);
        let middle = self.text.len();
        write_value(&mut self.text);
        self.labels.push(TextLabel { name: start..middle, value: middle..self.text.len() });
    }

    fn push_id(&mut self, name: &[u8], id: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        if id.iter().all(|byte| *byte == 0) {
            return;
        }
        self.push_label(name, |text| {
            for byte in id {
                text.push(HEX[usize::from(byte >> 4)]);
                text.push(HEX[usize::from(byte & 15)]);
            }
        });
    }

    /// Sorts the exemplars by the bucket of a classic histogram each belongs to: that of the lowest
    /// bound not under its value. `bounds` are the bits of doubles; behind them the infinite bucket
    /// follows. An exemplar that is not a number belongs to none.
    pub fn assign_buckets(&mut self, bounds: &[u64]) {
        if self.heads.is_empty() {
            return;
        }
        self.heads.retain(|head| !head.value.is_nan());
        let finite = bounds.iter().enumerate().map(|(index, bits)| (f64::from_bits(*bits), index));
        self.bounds.clear();
        self.bounds.extend(finite.filter(|(bound, _)| *bound < f64::INFINITY));
        // Of equal bounds the first one counts.
        self.bounds.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for head in &mut self.heads {
            let fitting = self.bounds.partition_point(|(bound, _)| head.value > *bound);
            head.bucket = self.bounds.get(fitting).map_or(bounds.len(), |(_, index)| *index);
        }
        self.heads.sort_by_key(|head| head.bucket);
    }

    /// The exemplars of a bucket, once they are assigned.
    pub fn of_bucket(&self, bucket: usize) -> Exemplars<'_> {
        if self.heads.is_empty() {
            return Exemplars::default();
        }
        let start = self.heads.partition_point(|head| head.bucket < bucket);
        let end = self.heads.partition_point(|head| head.bucket <= bucket);
        self.view(start..end)
    }

    fn view(&self, heads: Range<usize>) -> Exemplars<'_> {
        Exemplars { heads: &self.heads[heads], labels: &self.labels, text: &self.text }
    }
}

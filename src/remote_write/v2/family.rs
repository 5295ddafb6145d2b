//! The metadata of a series in remote write 2.0.

use super::Symbols;
use crate::remote_write::buffer::{Buffer, varint_size};
use crate::translate::sink::{Metadata, MetricType};

/// `TimeSeries.metadata`, length-delimited.
const METADATA: u8 = 5 << 3 | 2;
/// `Metadata.type`, `Metadata.help_ref`, `Metadata.unit_ref`, varints.
const METADATA_TYPE: u8 = 1 << 3;
const METADATA_HELP: u8 = 3 << 3;
const METADATA_UNIT: u8 = 4 << 3;

/// What is known of the family whose points follow, for the writers of all partitions.
#[derive(Debug)]
pub struct Family {
    /// No other family has the same.
    number: u64,
    kind: MetricType,
    help: Vec<u8>,
    unit: Vec<u8>,
}

impl Default for Family {
    fn default() -> Family {
        Family { number: 0, kind: MetricType::Unknown, help: Vec::new(), unit: Vec::new() }
    }
}

impl Family {
    /// Takes the metadata of the next family.
    pub fn set(&mut self, metadata: Option<&Metadata>) {
        self.number += 1;
        self.kind = metadata.map_or(MetricType::Unknown, |metadata| metadata.kind);
        self.help.clear();
        self.unit.clear();
        if let Some(metadata) = metadata {
            self.help.extend_from_slice(metadata.help);
            self.unit.extend_from_slice(metadata.unit);
        }
    }
}

/// The field `TimeSeries.metadata`, good for one family in one request.
#[derive(Default)]
pub struct EncodedMetadata {
    field: Buffer,
    family: u64,
    generation: u32,
}

impl EncodedMetadata {
    /// Takes a family, unless it is the one at hand.
    #[inline]
    pub fn set(&mut self, family: &Family, symbols: &mut Symbols) {
        let generation = symbols.generation();
        if self.family != family.number || self.generation != generation {
            self.family = family.number;
            self.generation = generation;
            self.field.clear();
            push_metadata(&mut self.field, symbols, family.kind, &family.help, &family.unit);
        }
    }

    /// The field; empty if nothing is known of the family.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self.field.as_slice()
    }
}

/// Appends metadata as a field of a series; nothing if nothing is known.
pub fn push_metadata(out: &mut Buffer, symbols: &mut Symbols, kind: MetricType, help: &[u8], unit: &[u8]) {
    let numbers = [
        (METADATA_TYPE, kind as u32),
        (METADATA_HELP, symbols.reference(help)),
        (METADATA_UNIT, symbols.reference(unit)),
    ];
    let known = numbers.iter().filter(|(_, number)| *number != 0);
    let content: usize = known.clone().map(|(_, number)| 1 + varint_size((*number).into())).sum();
    if content == 0 {
        return;
    }
    out.reserve(2 + content);
    out.push(METADATA);
    out.push(content as u8);
    for (tag, number) in known {
        out.push(*tag);
        out.push_varint((*number).into());
    }
}

//! Exemplars: single observations, often with the trace they were made in.

use super::wire::{Fields, Malformed};

/// An `Exemplar`; its attributes go to the reader's caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exemplar<'a> {
    /// `time_unix_nano`: nanoseconds since the Unix epoch.
    pub time: u64,
    /// The value, if there is one; integers become doubles.
    pub value: Option<f64>,
    /// `span_id`.
    pub span_id: &'a [u8],
    /// `trace_id`.
    pub trace_id: &'a [u8],
}

impl<'a> Exemplar<'a> {
    /// Reads an exemplar and hands each of its filtered attributes, a `KeyValue` message, to
    /// `attribute`.
    pub fn read(
        message: &'a [u8],
        mut attribute: impl FnMut(&'a [u8]) -> Result<(), Malformed>,
    ) -> Result<Exemplar<'a>, Malformed> {
        let mut exemplar = Exemplar::default();
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => exemplar.time = field.fixed64()?,
                3 => exemplar.value = Some(field.double()?),
                4 => exemplar.span_id = field.bytes()?,
                5 => exemplar.trace_id = field.bytes()?,
                6 => exemplar.value = Some(field.fixed64()?.cast_signed() as f64),
                7 => attribute(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(exemplar)
    }
}

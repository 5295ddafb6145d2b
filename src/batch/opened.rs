//! A finished batch, opened to be made into others.

use super::pack::{Counts, Packer};
use super::snappy;
use crate::otlp::wire::{Fields, Malformed};
use crate::remote_write::frames::{Frame, frames};
use crate::remote_write::message::{Series, symbols};
use crate::remote_write::rewrite::Assembly;
use preamp_contract::{Batch, BatchError, Protocol};

/// The request of a batch, decompressed, and where its series are.
pub struct Opened<'b> {
    pub batch: &'b Batch,
    pub request: Vec<u8>,
    pub series: Vec<Frame>,
}

impl Opened<'_> {
    /// Opens a batch.
    ///
    /// # Errors
    ///
    /// A body that is no request of the batch's protocol.
    #[inline(never)]
    pub fn new(batch: &Batch) -> Result<Opened<'_>, BatchError> {
        let request = snappy::decompress(&batch.body, batch.uncompressed_size)?;
        let series = frames(&request, batch.protocol).map_err(|malformed| damaged(malformed, &request))?;
        Ok(Opened { batch, request, series })
    }

    /// Makes a batch of those series of a run that are wanted; `points` go with them. Metadata that
    /// stands between the series of the run is taken along `with_metadata`.
    ///
    /// # Errors
    ///
    /// A series of 2.0 that refers to symbols that are not there.
    pub fn pack(
        &self,
        run: &[Frame],
        is_wanted: &dyn Fn(&Frame) -> bool,
        with_metadata: bool,
        points: u32,
        packer: &mut Packer,
    ) -> Result<Batch, BatchError> {
        let mut counts = Counts { points, ..Counts::default() };
        let wanted = run.iter().filter(|frame| is_wanted(frame));
        wanted.for_each(|frame| counts.add(&Counts::of_series(frame)));
        let request = match self.batch.protocol {
            Protocol::RemoteWriteV1 => self.bytes(run, is_wanted, with_metadata),
            Protocol::RemoteWriteV2 => {
                let mut assembly = Assembly::default();
                self.append_to(&mut assembly, run, is_wanted)?;
                assembly.request(assembly.mark())
            }
        };
        Ok(packer.pack([b"", &request], self.batch.protocol, self.batch.partition, counts))
    }

    /// The bytes of a request of 1.0 with some of the series of a run.
    fn bytes(&self, run: &[Frame], is_wanted: &dyn Fn(&Frame) -> bool, with_metadata: bool) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(run.iter().map(|frame| frame.range.len()).sum());
        for frame in run {
            let (before, behind) = (frame.range.start..frame.series.start, frame.series.end..frame.range.end);
            let parts =
                [(before, with_metadata), (frame.series.clone(), is_wanted(frame)), (behind, with_metadata)];
            for (range, _) in parts.into_iter().filter(|(_, taken)| *taken) {
                bytes.extend_from_slice(&self.request[range]);
            }
        }
        bytes
    }

    /// Appends those series of a run that are wanted, of a batch of 2.0, to another request.
    ///
    /// # Errors
    ///
    /// A series that refers to symbols that are not there.
    pub fn append_to(
        &self,
        assembly: &mut Assembly,
        run: &[Frame],
        is_wanted: &dyn Fn(&Frame) -> bool,
    ) -> Result<(), BatchError> {
        self.for_each(run, &mut |frame, series| {
            if is_wanted(frame) {
                assembly.push(series);
            }
            Ok(())
        })
    }

    /// Reads the series of a run, one after the other.
    ///
    /// # Errors
    ///
    /// A series that refers to symbols that are not there, and what `take` says.
    pub fn for_each<'o>(
        &'o self,
        run: &[Frame],
        take: &mut dyn FnMut(&Frame, &Series<'o>) -> Result<(), Malformed>,
    ) -> Result<(), BatchError> {
        let mut read_all = || {
            let texts = symbols(&self.request, self.batch.protocol)?;
            let mut series = Series::default();
            for frame in run {
                let mut field = Fields::of(&self.request[frame.series.clone()]);
                if let Some(field) = field.next_shared()? {
                    series.read(field.bytes()?, self.batch.protocol, &texts)?;
                    take(frame, &series)?;
                }
            }
            Ok(())
        };
        read_all().map_err(|malformed| damaged(malformed, &self.request))
    }

    /// The size of the series, in bytes.
    pub fn series_size(&self) -> usize {
        self.series.iter().map(|frame| frame.series.len()).sum()
    }

    /// How many points go with the series before this one. A request does not tell which series were
    /// one point, so they are shared out in proportion; the parts add up to the whole.
    pub fn points_before(&self, series: usize) -> u32 {
        let whole = self.series.len().max(1) as u64;
        (u64::from(self.batch.points) * series as u64 / whole) as u32
    }
}

/// Why a request cannot be read, for a person.
pub fn damaged(malformed: Malformed, request: &[u8]) -> BatchError {
    BatchError::Malformed(format!(
        "{} at byte {} of the request",
        malformed.what,
        malformed.offset_in(request)
    ))
}

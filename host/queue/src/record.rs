//! Records: how batches are written, in the log on disk and as messages.
//!
//! A record is a frame, a head that is a protobuf message, and a tail that is the bodies of batches. All numbers of
//! the frame are little-endian, and a record begins at a multiple of eight bytes.
//!
//! | bytes | |
//! | --- | --- |
//! | 4 | `PRL1` |
//! | 4 | the kind |
//! | 8 | the group: records of one group became safe together, and before those of the next were written |
//! | 4 | length of the head |
//! | 4 | length of the tail |
//! | 4 | CRC-32 of the 24 bytes before and of the head |
//! | 4 | CRC-32 of the tail |

use preamp_contract::{Batch, Protocol};
use prost::Message;

/// What of the log's format this version writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

pub(crate) const FRAME: usize = 32;
pub(crate) const MAGIC: [u8; 4] = *b"PRL1";
/// Where records begin.
pub(crate) const ALIGNMENT: u64 = 8;

/// Longer heads are not written: those of a payload with a batch for each of 1024 partitions are a tenth of it.
const HEAD_MAX: usize = 1 << 20;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What was so when its segment was begun; the first record of each.
    Checkpoint = 1,
    /// The batches of a payload.
    Payload = 2,
    /// What became of batches.
    Settled = 3,
    /// The process ended in order; nothing comes after it.
    Closed = 4,
    /// A quarantined batch, in a file of the quarantine.
    Quarantined = 5,
    /// A process went on after one that had not ended in order; in the same file.
    Resumed = 6,
}

impl Kind {
    fn from(number: u32) -> Option<Kind> {
        [Kind::Checkpoint, Kind::Payload, Kind::Settled, Kind::Closed, Kind::Quarantined, Kind::Resumed]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }
}

/// What was so when a segment was begun.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Checkpoint {
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// The exporter that the log is of.
    #[prost(string, tag = "2")]
    pub exporter: String,
    /// The number of the batch that comes next.
    #[prost(uint64, tag = "3")]
    pub next: u64,
    /// The layouts of which something waits, and the newest.
    #[prost(message, repeated, tag = "4")]
    pub layouts: Vec<Layout>,
    /// Everything since the log was begun.
    #[prost(message, repeated, tag = "5")]
    pub accounts: Vec<Account>,
    /// The earlier segments in which something waits.
    #[prost(message, repeated, tag = "6")]
    pub segments: Vec<SegmentEnd>,
}

/// The partitions of one number of them.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Layout {
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// For each partition, the number of the batch from which on nothing is acknowledged.
    #[prost(uint64, repeated, tag = "2")]
    pub waiting_from: Vec<u64>,
}

/// Points of one state.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Account {
    #[prost(string, tag = "1")]
    pub state: String,
    #[prost(string, tag = "2")]
    pub reason: String,
    #[prost(uint64, tag = "3")]
    pub points: u64,
}

/// Up to where a segment is valid.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SegmentEnd {
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(uint64, tag = "2")]
    pub length: u64,
    /// Where records are that do not count: they had not got to the disk whole when a process ended.
    #[prost(uint64, repeated, tag = "3")]
    pub torn: Vec<u64>,
}

/// The batches of a payload.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Payload {
    /// The number of the first batch; the others follow.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    /// When it was accepted, in milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub accepted_at: i64,
    #[prost(uint32, tag = "3")]
    pub layout: u32,
    #[prost(message, repeated, tag = "4")]
    pub batches: Vec<Head>,
}

/// A batch without its body.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Head {
    #[prost(uint32, tag = "1")]
    pub partition: u32,
    /// Bytes of the body.
    #[prost(uint32, tag = "2")]
    pub length: u32,
    /// SHA-256 of the body.
    #[prost(bytes = "vec", tag = "3")]
    pub digest: Vec<u8>,
    #[prost(uint32, tag = "4")]
    pub points: u32,
    #[prost(uint32, tag = "5")]
    pub series: u32,
    #[prost(uint32, tag = "6")]
    pub samples: u32,
    #[prost(uint32, tag = "7")]
    pub histograms: u32,
    #[prost(uint32, tag = "8")]
    pub exemplars: u32,
    #[prost(sint64, tag = "9")]
    pub first: i64,
    #[prost(sint64, tag = "10")]
    pub last: i64,
    #[prost(uint32, tag = "11")]
    pub uncompressed_size: u32,
    /// 1 or 2, the version of remote write.
    #[prost(uint32, tag = "12")]
    pub protocol: u32,
}

/// What became of batches of one partition.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Settled {
    #[prost(uint32, tag = "1")]
    pub layout: u32,
    #[prost(uint32, tag = "2")]
    pub partition: u32,
    /// The number of the batch from which on nothing is acknowledged.
    #[prost(uint64, tag = "3")]
    pub waiting_from: u64,
    #[prost(message, repeated, tag = "4")]
    pub accounts: Vec<Account>,
}

/// A quarantined batch.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct QuarantineRecord {
    /// When, in milliseconds since 1970.
    #[prost(int64, tag = "1")]
    pub at: i64,
    #[prost(string, tag = "2")]
    pub state: String,
    #[prost(string, tag = "3")]
    pub reason: String,
    #[prost(string, tag = "4")]
    pub detail: String,
    #[prost(uint32, tag = "5")]
    pub layout: u32,
    #[prost(uint32, tag = "6")]
    pub partition: u32,
    #[prost(uint64, tag = "7")]
    pub waiting_from: u64,
    #[prost(message, optional, tag = "8")]
    pub batch: Option<Head>,
}

/// The committed offsets when a process goes on after a crash. Batches that the process before wrote to the quarantine
/// behind them are not in quarantine: their settlement was not recorded.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Resumed {
    /// The layouts of which something waits, and the newest.
    #[prost(message, repeated, tag = "1")]
    pub layouts: Vec<Layout>,
}

/// The end in order.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Closed {}

impl Head {
    pub fn of(batch: &Batch) -> Head {
        Head {
            partition: batch.partition,
            length: batch.body.len() as u32,
            digest: batch.digest_bytes().to_vec(),
            points: batch.points,
            series: batch.series,
            samples: batch.samples,
            histograms: batch.histograms,
            exemplars: batch.exemplars,
            first: batch.first,
            last: batch.last,
            uncompressed_size: batch.uncompressed_size,
            protocol: match batch.protocol {
                Protocol::RemoteWriteV1 => 1,
                Protocol::RemoteWriteV2 => 2,
            },
        }
    }

    /// The batch with its body; `None` if it is written in a protocol that this version does not know.
    pub fn with(self, body: Vec<u8>) -> Option<Batch> {
        Some(Batch {
            body,
            digest: self.digest.try_into().ok(),
            partition: self.partition,
            points: self.points,
            series: self.series,
            samples: self.samples,
            histograms: self.histograms,
            exemplars: self.exemplars,
            first: self.first,
            last: self.last,
            uncompressed_size: self.uncompressed_size,
            protocol: match self.protocol {
                1 => Protocol::RemoteWriteV1,
                2 => Protocol::RemoteWriteV2,
                _ => return None,
            },
        })
    }
}

/// Appends a record. Returns where its tail begins.
pub(crate) fn write<'b>(
    kind: Kind,
    group: u64,
    head: &impl Message,
    tail: impl IntoIterator<Item = &'b [u8]>,
    into: &mut Vec<u8>,
) -> usize {
    let start = into.len();
    into.extend([0; FRAME]);
    // A vector has room for whatever is written.
    let _always_ok = head.encode(into);
    let head_end = into.len();
    tail.into_iter().for_each(|body| into.extend_from_slice(body));
    let tail_crc = crc32fast::hash(&into[head_end..]);
    let frame = Frame {
        kind,
        group,
        head_length: (head_end - start - FRAME) as u32,
        tail_length: (into.len() - head_end) as u32,
        tail_crc,
    };
    frame.write(&mut into[start..head_end]);
    into.resize(start + padded((into.len() - start) as u64) as usize, 0);
    head_end
}

/// How far the next record is, if this one has so many bytes.
pub(crate) fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGNMENT)
}

/// The frame of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub kind: Kind,
    pub group: u64,
    pub head_length: u32,
    pub tail_length: u32,
    pub tail_crc: u32,
}

impl Frame {
    fn write(self, record: &mut [u8]) {
        record[..4].copy_from_slice(&MAGIC);
        record[4..8].copy_from_slice(&(self.kind as u32).to_le_bytes());
        record[8..16].copy_from_slice(&self.group.to_le_bytes());
        record[16..20].copy_from_slice(&self.head_length.to_le_bytes());
        record[20..24].copy_from_slice(&self.tail_length.to_le_bytes());
        let crc = head_crc(record);
        record[24..28].copy_from_slice(&crc.to_le_bytes());
        record[28..32].copy_from_slice(&self.tail_crc.to_le_bytes());
    }

    /// Reads a frame, of which it is not known yet whether it is intact.
    pub fn read(bytes: &[u8; FRAME]) -> Option<Frame> {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let frame = Frame {
            kind: Kind::from(number(4))?,
            group: u64::from(number(8)) | u64::from(number(12)) << 32,
            head_length: number(16),
            tail_length: number(20),
            tail_crc: number(28),
        };
        (bytes[..4] == MAGIC && frame.head_length as usize <= HEAD_MAX).then_some(frame)
    }

    /// Bytes of the whole record, those up to the next one included.
    pub fn length(&self) -> u64 {
        padded(FRAME as u64 + u64::from(self.head_length) + u64::from(self.tail_length))
    }
}

/// Whether frame and head are as they were written.
pub(crate) fn is_intact(frame_and_head: &[u8]) -> bool {
    frame_and_head.len() >= FRAME && frame_and_head[24..28] == head_crc(frame_and_head).to_le_bytes()
}

fn head_crc(frame_and_head: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&frame_and_head[..24]);
    crc.update(&frame_and_head[FRAME..]);
    crc.finalize()
}

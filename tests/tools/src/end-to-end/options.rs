//! What is measured: every combination of payload size, transport, queue and number of connections.

use crate::many;
use anyhow::{Context as _, bail};
use std::fmt;

/// Points of a payload.
const SIZES: [usize; 5] = [20, 100, 300, 1_000, 10_000];
const CONNECTIONS: [usize; 2] = [16, 256];
/// The connections of many senders, each of which sends seldom.
pub const SENDERS: usize = 2_000;

/// How payloads are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Http,
    Grpc,
}

/// Where batches wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Memory,
    Disk,
}

/// One row of the table.
pub struct Cell {
    pub points: usize,
    pub transport: Transport,
    pub storage: Storage,
    pub connections: usize,
}

impl Cell {
    /// The points of all payloads of a round: enough for a second of CPU. The Collector writes its file slowly.
    pub fn points_of_round(&self) -> usize {
        let in_memory = match self.points {
            ..100 => 400_000,
            100..300 => 800_000,
            300..1_000 => 1_200_000,
            1_000.. => 2_000_000,
        };
        match self.storage {
            Storage::Memory => in_memory,
            Storage::Disk => in_memory / 4,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Http => "HTTP",
            Transport::Grpc => "gRPC",
        };
        let storage = match self.storage {
            Storage::Memory => "memory",
            Storage::Disk => "disk",
        };
        write!(f, "{} | {transport} | {storage} | {}", self.points, self.connections)
    }
}

/// The command line: each option narrows what is measured.
pub struct Options {
    pub rounds: usize,
    points: Option<usize>,
    transport: Option<Transport>,
    storage: Option<Storage>,
    connections: Option<usize>,
}

impl Options {
    /// # Errors
    /// When an argument is not known.
    pub fn read(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options =
            Options { rounds: 3, points: None, transport: None, storage: None, connections: None };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{name} lacks its value"))?;
            match (name.as_str(), value.as_str()) {
                ("--rounds", number) => options.rounds = number.parse().context("--rounds")?,
                ("--points", number) => options.points = Some(number.parse().context("--points")?),
                ("--connections", number) => {
                    options.connections = Some(number.parse().context("--connections")?);
                }
                ("--over", "http") => options.transport = Some(Transport::Http),
                ("--over", "grpc") => options.transport = Some(Transport::Grpc),
                ("--queue", "memory") => options.storage = Some(Storage::Memory),
                ("--queue", "disk") => options.storage = Some(Storage::Disk),
                _ => bail!(
                    "{name} {value} is not known; there are --rounds N, --points {:?}, --over http|grpc, --queue \
                     memory|disk and --connections 16|256|{SENDERS}",
                    SIZES
                ),
            }
        }
        Ok(options)
    }

    /// Whether many senders are wanted, besides or instead of full load.
    pub fn has_many_senders(&self) -> bool {
        let is = |wanted: Option<usize>, value| wanted.is_none_or(|wanted| wanted == value);
        is(self.points, many::POINTS)
            && is(self.connections, SENDERS)
            && self.transport.is_none_or(|transport| transport == Transport::Http)
            && self.storage.is_none_or(|storage| storage == Storage::Memory)
    }

    /// All combinations that are wanted.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for points in SIZES {
            for transport in [Transport::Http, Transport::Grpc] {
                for storage in [Storage::Memory, Storage::Disk] {
                    for connections in CONNECTIONS {
                        cells.push(Cell { points, transport, storage, connections });
                    }
                }
            }
        }
        cells.retain(|cell| {
            self.points.is_none_or(|points| points == cell.points)
                && self.transport.is_none_or(|transport| transport == cell.transport)
                && self.storage.is_none_or(|storage| storage == cell.storage)
                && self.connections.is_none_or(|connections| connections == cell.connections)
        });
        cells
    }
}

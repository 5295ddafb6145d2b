//! Who is measured. Each does all that lies between an OTLP payload and bodies that could be sent:
//! decode, translate, encode, compress, hash.

use std::time::Duration;

use anyhow::ensure;
use cpu_time::ThreadTime;
use preamp_core::types::{Encoding, Protocol};
use preamp_tests::component::Instance;
use preamp_tests::loads::configuration;
use preamp_tests::payloads::NOW_NS;
use sha2::{Digest, Sha256};

use crate::peers;

/// What some repetitions of a payload gave.
pub struct Measured {
    /// The mean for one payload, in processor time: so that the machine's other work counts as little as can be.
    pub payload: Duration,
    /// The size of all bodies of one payload.
    pub sizes: Sizes,
}

/// The size of bodies.
#[derive(Clone, Copy, Default, serde::Deserialize)]
pub struct Sizes {
    /// As they are sent.
    pub bytes: usize,
    /// Before compression.
    pub encoded: usize,
}

/// Something that takes one payload again and again.
pub trait Contender {
    /// As in the table.
    fn name(&self) -> &'static str;

    /// Takes the payload so many times.
    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured>;
}

/// All contenders that speak a protocol, ready for a payload.
pub fn all<'a>(
    payload: &'a [u8],
    protocol: Protocol,
    component: &preamp_wasm::Component,
) -> anyhow::Result<Vec<Box<dyn Contender + 'a>>> {
    let mut native = Native::new(payload, protocol)?;
    let floor = Floor::new(native.bodies()?)?;
    // The component's digests are made by the host, with the instructions of the processor.
    let instance = Instance::open(component, &configuration(protocol, false))?;
    let mut all: Vec<Box<dyn Contender + 'a>> = vec![
        Box::new(native),
        Box::new(Component { instance, payload }),
        Box::new(floor),
        Box::new(peers::collector(payload, protocol)?),
    ];
    if protocol == Protocol::RemoteWriteV1 {
        all.push(Box::new(peers::victoria_metrics(payload)?));
    }
    Ok(all)
}

/// How many points a payload has.
pub fn points(payload: &[u8]) -> anyhow::Result<usize> {
    let batches = Native::new(payload, Protocol::RemoteWriteV1)?.accept()?;
    Ok(batches.iter().map(|batch| batch.points as usize).sum())
}

fn timed(repetitions: u32, mut once: impl FnMut() -> anyhow::Result<Sizes>) -> anyhow::Result<Measured> {
    let mut sizes = Sizes::default();
    let start = ThreadTime::now();
    for _ in 0..repetitions {
        sizes = once()?;
    }
    Ok(Measured { payload: start.elapsed() / repetitions, sizes })
}

/// The library.
struct Native<'a> {
    exporter: preamp_core::Exporter,
    payload: &'a [u8],
}

impl<'a> Native<'a> {
    fn new(payload: &'a [u8], protocol: Protocol) -> anyhow::Result<Native<'a>> {
        let exporter = preamp_core::Exporter::open(&configuration(protocol, true))
            .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        Ok(Native { exporter, payload })
    }

    fn accept(&mut self) -> anyhow::Result<Vec<preamp_core::types::Batch>> {
        let acceptance = self.exporter.accept(self.payload, Encoding::Protobuf, NOW_NS);
        let acceptance = acceptance.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        ensure!(acceptance.rejections.is_empty(), "points were rejected: {:?}", acceptance.rejections);
        Ok(acceptance.batches)
    }

    fn bodies(&mut self) -> anyhow::Result<Vec<Vec<u8>>> {
        Ok(self.accept()?.into_iter().map(|batch| batch.body).collect())
    }
}

impl Contender for Native<'_> {
    fn name(&self) -> &'static str {
        "native"
    }

    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured> {
        timed(repetitions, || {
            let batches = self.accept()?;
            Ok(Sizes {
                bytes: batches.iter().map(|batch| batch.body.len()).sum(),
                encoded: batches.iter().map(|batch| batch.uncompressed_size as usize).sum(),
            })
        })
    }
}

/// The component in wasmtime, with the engine of the host, and the host's part: the digests.
struct Component<'a> {
    instance: Instance,
    payload: &'a [u8],
}

impl Contender for Component<'_> {
    fn name(&self) -> &'static str {
        "component"
    }

    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured> {
        timed(repetitions, || {
            let acceptance = self.instance.accept(self.payload, NOW_NS)?;
            let acceptance = acceptance.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
            let mut sizes = Sizes::default();
            for batch in &acceptance.batches {
                std::hint::black_box(Sha256::digest(&batch.body));
                sizes.bytes += batch.body.len();
                sizes.encoded += batch.uncompressed_size as usize;
            }
            Ok(sizes)
        })
    }
}

/// What no exporter can avoid: copy the encoded series once, compress and hash them.
struct Floor {
    encoded: Vec<Vec<u8>>,
    copy: Vec<u8>,
    compressed: Vec<u8>,
    encoder: snap::raw::Encoder,
}

impl Floor {
    fn new(bodies: Vec<Vec<u8>>) -> anyhow::Result<Floor> {
        let decompress = |body: Vec<u8>| snap::raw::Decoder::new().decompress_vec(&body);
        let encoded = bodies.into_iter().map(decompress).collect::<Result<Vec<_>, _>>()?;
        let largest = encoded.iter().map(Vec::len).max().unwrap_or_default();
        let compressed = vec![0; snap::raw::max_compress_len(largest)];
        Ok(Floor {
            encoded,
            copy: Vec::with_capacity(largest),
            compressed,
            encoder: snap::raw::Encoder::new(),
        })
    }
}

impl Contender for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured> {
        timed(repetitions, || {
            let mut sizes = Sizes::default();
            for encoded in &self.encoded {
                self.copy.clear();
                self.copy.extend_from_slice(encoded);
                let size = self.encoder.compress(&self.copy, &mut self.compressed)?;
                std::hint::black_box(Sha256::digest(&self.compressed[..size]));
                sizes.bytes += size;
                sizes.encoded += encoded.len();
            }
            Ok(sizes)
        })
    }
}

//! HTTP/2 frame by frame, as a client that keeps no rule of the protocol.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Kinds of frames (RFC 9113, section 6).
pub mod kind {
    /// Of a body.
    pub const DATA: u8 = 0;
    /// The head of a request.
    pub const HEADERS: u8 = 1;
    /// Ends a stream at once.
    pub const RST_STREAM: u8 = 3;
    /// What each side can do.
    pub const SETTINGS: u8 = 4;
    /// Asks whether the other side is there.
    pub const PING: u8 = 6;
    /// Ends a connection, with a reason.
    pub const GOAWAY: u8 = 7;
    /// More of a head.
    pub const CONTINUATION: u8 = 9;
}

/// The flag of the last frame of a stream in one direction; of SETTINGS and PING, that it is an answer.
pub const END_STREAM: u8 = 1;
/// The flag of the last frame of a head.
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const MAX_CONCURRENT_STREAMS: u16 = 3;

/// What the server has sent so far.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// How many streams it takes at once, if it said so.
    pub streams_max: Option<u32>,
    /// The code of its GOAWAY.
    pub goaway: Option<u32>,
    /// Streams that it ended at once.
    pub resets: u64,
    /// Heads of answers, and of trailers.
    pub heads: u64,
    /// When the connection ended.
    pub ended: Option<Instant>,
}

/// A connection. What the server sends is read beside, so that it never waits.
pub struct Wire {
    stream: TcpStream,
    heard: Arc<Mutex<Heard>>,
    reading: Option<JoinHandle<()>>,
}

impl Wire {
    /// Connects, and says hello as HTTP/2 asks for.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn open(to: SocketAddr) -> std::io::Result<Self> {
        let mut wire = Self::silent(to)?;
        wire.send(PREFACE)?;
        wire.send(&frame(kind::SETTINGS, 0, 0, &[]))?;
        Ok(wire)
    }

    /// Connects, and says nothing.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn silent(to: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        // A server that does not read any more must not hold the test up.
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        let (heard, from) = (Arc::new(Mutex::new(Heard::default())), stream.try_clone()?);
        let kept = Arc::clone(&heard);
        let reading = std::thread::spawn(move || listen(from, &kept));
        Ok(Self { stream, heard, reading: Some(reading) })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is broken, or the server reads no more.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// What the server has sent so far.
    #[must_use]
    pub fn heard(&self) -> Heard {
        lock(&self.heard).clone()
    }

    /// Waits until what the server has sent is as asked for, for so long at most; says what it is then.
    #[must_use]
    pub fn wait_for(&self, most: Duration, is_so: impl Fn(&Heard) -> bool) -> Heard {
        let started = Instant::now();
        loop {
            let heard = self.heard();
            if is_so(&heard) || started.elapsed() > most {
                return heard;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _closed = self.stream.shutdown(std::net::Shutdown::Both);
        if let Some(reading) = self.reading.take() {
            let _ended = reading.join();
        }
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(mut from: TcpStream, heard: &Mutex<Heard>) {
    let mut head = [0; 9];
    while from.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        if from.read_exact(&mut payload).is_err() {
            break;
        }
        note(&mut lock(heard), head[3], head[4], &payload);
    }
    lock(heard).ended = Some(Instant::now());
}

fn note(heard: &mut Heard, of: u8, flags: u8, payload: &[u8]) {
    match of {
        kind::HEADERS => heard.heads += 1,
        kind::RST_STREAM => heard.resets += 1,
        kind::GOAWAY => {
            heard.goaway = payload.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes)
        }
        kind::SETTINGS if flags & END_STREAM == 0 => {
            for setting in payload.as_chunks::<6>().0 {
                if u16::from_be_bytes([setting[0], setting[1]]) == MAX_CONCURRENT_STREAMS {
                    let value = [setting[2], setting[3], setting[4], setting[5]];
                    heard.streams_max = Some(u32::from_be_bytes(value));
                }
            }
        }
        _ => {}
    }
}

/// A frame of a stream; 0 is the connection itself.
#[must_use]
pub fn frame(of: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], of, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A field of a head as HPACK has it, without any table (RFC 7541, section 6.2.2).
#[must_use]
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        length(&mut field, text.len());
        field.extend(text.as_bytes());
    }
    field
}

/// A length in seven bits, and as many more bytes as it takes.
fn length(out: &mut Vec<u8>, length: usize) {
    if length < 127 {
        out.push(length as u8);
        return;
    }
    out.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        out.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    out.push(rest as u8);
}

/// The head of a call of OTLP over gRPC.
#[must_use]
pub fn call() -> Vec<u8> {
    const FIELDS: [(&str, &str); 6] = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    FIELDS.iter().flat_map(|(name, value)| field(name, value)).collect()
}

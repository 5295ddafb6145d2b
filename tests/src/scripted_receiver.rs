//! A receiver of remote write 1.0 on loopback that answers as a script says, in the words of any receiver.

use crate::remote_write::read;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is stored of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stores {
    /// All of it.
    All,
    /// All series but the bad ones.
    ValidPart,
    /// Nothing.
    Nothing,
}

/// A request, as a script sees it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its number, from 1.
    pub number: u64,
    /// How many of its series are bad: the value of a label begins with `bad`.
    pub bad: usize,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Says {
    /// The status; 0 for no answer at all: the connection is closed.
    pub status: u16,
    /// Header fields beside the length.
    pub headers: &'static str,
    /// The body.
    pub text: &'static str,
    /// What is stored.
    pub stores: Stores,
    /// How long it takes to say so.
    pub after: Duration,
}

impl Says {
    /// A request was taken, with this status.
    #[must_use]
    pub fn taken(status: u16) -> Says {
        Says { status, headers: "", text: "", stores: Stores::All, after: Duration::ZERO }
    }

    /// A request was refused, with this status and text, and what was stored of it.
    #[must_use]
    pub fn refused(status: u16, text: &'static str, stores: Stores) -> Says {
        Says { text, stores, ..Says::taken(status) }
    }
}

/// Says what a request is answered.
pub type Script = dyn Fn(Asked) -> Says + Send + Sync;

/// The labels of a series.
type Labels = Vec<(String, String)>;

#[derive(Default)]
struct Seen {
    requests: u64,
    /// Samples by series: time and value.
    stored: BTreeMap<Labels, Vec<(i64, f64)>>,
}

/// The receiver. It stops when it is dropped.
pub struct ScriptedReceiver {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ScriptedReceiver {
    /// Starts on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub fn start(script: impl Fn(Asked) -> Says + Send + Sync + 'static) -> std::io::Result<Self> {
        Self::listen(TcpListener::bind("127.0.0.1:0")?, Arc::new(script))
    }

    /// Starts where nobody listened until now.
    ///
    /// # Errors
    /// When somebody does.
    pub fn start_at(
        address: SocketAddr,
        script: impl Fn(Asked) -> Says + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        Self::listen(TcpListener::bind(address)?, Arc::new(script))
    }

    fn listen(listener: TcpListener, script: Arc<Script>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::new(AtomicBool::new(false)));
        let (shared, is_over) = (Arc::clone(&seen), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let (seen, script) = (Arc::clone(&shared), Arc::clone(&script));
                std::thread::spawn(move || serve(&stream, &seen, &*script));
            }
        });
        Ok(Self { address, seen, stop })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> u64 {
        lock(&self.seen).requests
    }

    /// How many series are stored, and how many of them are bad.
    #[must_use]
    pub fn series(&self) -> (usize, usize) {
        let seen = lock(&self.seen);
        (seen.stored.len(), seen.stored.keys().filter(|labels| is_bad(labels)).count())
    }

    /// How many samples are stored.
    #[must_use]
    pub fn samples(&self) -> usize {
        lock(&self.seen).stored.values().map(Vec::len).sum()
    }
}

impl Drop for ScriptedReceiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _wake = TcpStream::connect(self.address);
    }
}

fn is_bad(labels: &[(String, String)]) -> bool {
    labels.iter().any(|(_, value)| value.starts_with("bad"))
}

fn serve(stream: &TcpStream, seen: &Mutex<Seen>, script: &Script) {
    let (_prompt, mut reader) = (stream.set_nodelay(true), BufReader::new(stream));
    while let Some(body) = request(&mut reader) {
        let written = read(&body).unwrap_or_default();
        let bad = written.iter().filter(|(labels, _)| is_bad(labels)).count();
        let number = {
            let mut seen = lock(seen);
            seen.requests += 1;
            seen.requests
        };
        let Says { status, headers, text, stores, after } = script(Asked { number, bad });
        let kept = written.into_iter().filter(|(labels, _)| match stores {
            Stores::All => true,
            Stores::ValidPart => !is_bad(labels),
            Stores::Nothing => false,
        });
        {
            let mut seen = lock(seen);
            for (labels, samples) in kept {
                seen.stored.entry(labels).or_default().extend(samples);
            }
        }
        std::thread::sleep(after);
        if status == 0 {
            return;
        }
        let length =
            if status == 204 { String::new() } else { format!("content-length: {}\r\n", text.len()) };
        let answer = format!("HTTP/1.1 {status} Said\r\n{length}{headers}\r\n{text}");
        if (&mut &*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads one request and gives its body.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

//! A receiver that watches the sender: which series are in flight at the same time, in which order
//! samples come, and how many requests overlap.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use preamp_tests::remote_write::{Written, read};

/// Says which status a request gets, by its number from 1 and its series, and after how long.
pub type Behaviour = dyn Fn(u64, &[Written]) -> (u16, Duration) + Send + Sync;

type Labels = Vec<(String, String)>;

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests.
    pub requests: u64,
    /// The most requests in flight at the same time.
    pub most_in_flight: usize,
    /// Series that were in two requests at the same time.
    pub shared: BTreeSet<Labels>,
    /// Samples of the requests answered with 200, by series, in the order they came.
    pub stored: BTreeMap<Labels, Vec<(i64, f64)>>,
    in_flight: Vec<(u64, BTreeSet<Labels>)>,
}

/// The receiver. It stops when it is dropped.
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

impl Recorder {
    /// Starts on a free port of loopback.
    pub fn start(behaviour: Box<Behaviour>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::new(AtomicBool::new(false)));
        let (behaviour, shared) = (Arc::<Behaviour>::from(behaviour), (Arc::clone(&seen), Arc::clone(&stop)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.1.load(Ordering::Relaxed) {
                    return;
                }
                let (seen, behaviour) = (Arc::clone(&shared.0), Arc::clone(&behaviour));
                std::thread::spawn(move || serve(stream, &seen, &*behaviour));
            }
        });
        Self { address, seen, stop }
    }

    pub fn url(&self) -> String {
        format!("http://{}/write", self.address)
    }

    pub fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _wake = TcpStream::connect(self.address);
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: TcpStream, seen: &Mutex<Seen>, behaviour: &Behaviour) {
    let _timeout = stream.set_read_timeout(Some(Duration::from_secs(30)));
    while let Some(body) = request(&mut stream) {
        let written = read(&body).unwrap_or_default();
        let number = lock(seen).arrive(&written);
        let (status, after) = behaviour(number, &written);
        std::thread::sleep(after);
        lock(seen).leave(number, status, written);
        let answer = format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads one request and gives its body.
fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

impl Seen {
    fn arrive(&mut self, written: &[Written]) -> u64 {
        self.requests += 1;
        let series: BTreeSet<_> = written.iter().map(|(labels, _)| labels.clone()).collect();
        for (_, others) in &self.in_flight {
            self.shared.extend(series.intersection(others).cloned());
        }
        self.in_flight.push((self.requests, series));
        self.most_in_flight = self.most_in_flight.max(self.in_flight.len());
        self.requests
    }

    fn leave(&mut self, number: u64, status: u16, written: Vec<Written>) {
        self.in_flight.retain(|(other, _)| *other != number);
        if status == 200 {
            for (labels, samples) in written {
                self.stored.entry(labels).or_default().extend(samples);
            }
        }
    }
}

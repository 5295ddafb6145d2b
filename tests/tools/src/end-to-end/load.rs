//! The payloads of a round, and who sends them: one connection each, one payload after the other.

use crate::options::{Cell, Transport};
use anyhow::ensure;
use bytes::Bytes;
use preamp_tests::any_sender::{Answer, GrpcConnection, message};
use preamp_tests::otlp_http::OtlpClient;
use preamp_tests::payloads;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How far the times of two payloads of a sender are apart. Times that repeat would be no load.
const STEP_MS: i64 = 100;

/// Whoever is asked to send again later, since a queue is full, waits this long.
const PAUSE: Duration = Duration::from_millis(50);

/// The status by which gRPC asks for that.
const UNAVAILABLE: u16 = 14;

/// Of each sender, payloads of the same series.
pub struct Load {
    points: usize,
    transport: Transport,
    senders: Vec<Vec<Bytes>>,
}

impl Load {
    /// The load of a row.
    pub fn new(cell: &Cell) -> Self {
        let each = (cell.points_of_round() / cell.points / cell.connections).max(1);
        let begin = payloads::now_ms() - each as i64 * STEP_MS;
        let payload = |sender: usize, number: usize| {
            let at = begin + number as i64 * STEP_MS;
            let payload = payloads::of_sender(sender, cell.points, at, number as i64);
            match cell.transport {
                Transport::Http => Bytes::from(payload),
                Transport::Grpc => message(&payload, false),
            }
        };
        let of = |sender: usize| (0..each).map(|number| payload(sender, number)).collect();
        let senders = (0..cell.connections).map(of).collect();
        Load { points: cell.points, transport: cell.transport, senders }
    }

    /// How many payloads.
    pub fn payloads(&self) -> usize {
        self.senders.iter().map(Vec::len).sum()
    }

    /// How many points.
    pub fn points(&self) -> u64 {
        (self.payloads() * self.points) as u64
    }

    /// Sends all of them and returns how long each answer took. Each connection sends a payload as soon as the one before
    /// is answered, or, with `every`, at that interval.
    ///
    /// # Errors
    /// When a payload is not taken.
    pub async fn send(
        self: &Arc<Self>,
        to: SocketAddr,
        every: Option<Duration>,
    ) -> anyhow::Result<Vec<Duration>> {
        let senders = (0..self.senders.len()).map(|sender| {
            let load = self.clone();
            let pace = every.map(|every| Pace::new(every, sender, load.senders.len()));
            tokio::spawn(async move { send(to, load.transport, &load.senders[sender], pace).await })
        });
        let mut answers = Vec::new();
        for sender in senders.collect::<Vec<_>>() {
            answers.extend(sender.await??);
        }
        Ok(answers)
    }
}

/// A connection of one sender.
enum Connection {
    Http(Box<OtlpClient>),
    Grpc(GrpcConnection),
}

impl Connection {
    async fn open(to: SocketAddr, transport: Transport) -> anyhow::Result<Self> {
        Ok(match transport {
            Transport::Http => Connection::Http(Box::new(OtlpClient::new(to))),
            Transport::Grpc => Connection::Grpc(GrpcConnection::open(to).await?),
        })
    }

    /// Whether a payload was taken; if not, it is to be sent again later.
    async fn offer(&mut self, payload: Bytes) -> anyhow::Result<bool> {
        match self {
            Connection::Http(client) => {
                let (status, _) = client.offer(payload).await?;
                ensure!([200, 503].contains(&status.as_u16()), "a payload was answered {status}");
                Ok(status == 200)
            }
            Connection::Grpc(connection) => {
                let Answer { code, text } = connection.call(payload, None, &[]).await?;
                ensure!([0, UNAVAILABLE].contains(&code), "a payload was answered {code} {text}");
                Ok(code == 0)
            }
        }
    }
}

/// When a connection sends.
pub struct Pace {
    every: Duration,
    due: Instant,
}

impl Pace {
    /// Payloads at an interval. The first payloads of all connections are spread over one interval.
    pub fn new(every: Duration, sender: usize, senders: usize) -> Self {
        Self { every, due: Instant::now() + every.mul_f64(sender as f64 / senders as f64) }
    }

    /// Waits for the time of the next payload and returns the time from which its answer is measured. An answer that
    /// comes after the next payload was due makes that payload late; the delay counts.
    pub async fn next(&mut self) -> Instant {
        let due = self.due;
        self.due += self.every;
        if due < Instant::now() {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        Instant::now()
    }
}

async fn send(
    to: SocketAddr,
    transport: Transport,
    payloads: &[Bytes],
    mut pace: Option<Pace>,
) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(to, transport).await?;
    let mut answers = Vec::with_capacity(payloads.len());
    for payload in payloads {
        let mut asked = match &mut pace {
            Some(pace) => pace.next().await,
            None => Instant::now(),
        };
        while !connection.offer(payload.clone()).await? {
            tokio::time::sleep(PAUSE).await;
            asked = Instant::now();
        }
        answers.push(asked.elapsed());
    }
    Ok(answers)
}

//! The payloads of a round, and who sends them: one connection each, one payload after the other.

use crate::options::{Cell, Transport};
use anyhow::ensure;
use bytes::Bytes;
use preamp_tests::any_sender::{GrpcConnection, message};
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

    /// Sends all of them as fast as they are answered, and says how long each answer took.
    ///
    /// # Errors
    /// When a payload is not taken.
    pub async fn send(self: &Arc<Self>, to: SocketAddr) -> anyhow::Result<Vec<Duration>> {
        let senders = (0..self.senders.len()).map(|sender| {
            let load = self.clone();
            tokio::spawn(async move {
                match load.transport {
                    Transport::Http => send_http(to, &load.senders[sender]).await,
                    Transport::Grpc => send_grpc(to, &load.senders[sender]).await,
                }
            })
        });
        let mut answers = Vec::new();
        for sender in senders.collect::<Vec<_>>() {
            answers.extend(sender.await??);
        }
        Ok(answers)
    }
}

async fn send_http(to: SocketAddr, payloads: &[Bytes]) -> anyhow::Result<Vec<Duration>> {
    let client = OtlpClient::new(to);
    let mut answers = Vec::with_capacity(payloads.len());
    for payload in payloads {
        loop {
            let asked = Instant::now();
            let (status, _) = client.offer(payload.clone()).await?;
            if status != 503 {
                ensure!(status == 200, "a payload was answered {status}");
                answers.push(asked.elapsed());
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(answers)
}

async fn send_grpc(to: SocketAddr, payloads: &[Bytes]) -> anyhow::Result<Vec<Duration>> {
    let mut connection = GrpcConnection::open(to).await?;
    let mut answers = Vec::with_capacity(payloads.len());
    for payload in payloads {
        loop {
            let asked = Instant::now();
            let answer = connection.call(payload.clone(), None, &[]).await?;
            if answer.code != UNAVAILABLE {
                ensure!(answer.code == 0, "a payload was answered {} {}", answer.code, answer.text);
                answers.push(asked.elapsed());
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(answers)
}

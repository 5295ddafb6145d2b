//! Many senders that send seldom, as SDKs do: memory, CPU and answers, without and with slow and broken senders beside.

use crate::contender::{Process, Program};
use crate::load::Pace;
use crate::options::{Cell, SENDERS, Storage, Transport};
use crate::{all_arrived, quantiles};
use anyhow::ensure;
use bytes::Bytes;
use preamp_tests::otlp_http::OtlpClient;
use preamp_tests::payloads;
use preamp_tests::sink::Taken;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Points of a payload.
pub const POINTS: usize = 100;

/// How often each sender sends, and how many payloads.
const EVERY: Duration = Duration::from_secs(10);
const PAYLOADS: usize = 6;

/// One sender of so many makes a new connection for each payload.
const RECONNECTS: usize = 10;

/// How many senders of each bad kind there are.
const BAD: usize = 100;

/// How long a sender that is asked to come again waits.
const PAUSE: Duration = Duration::from_millis(200);

/// Prints a table: both contenders, without and with bad senders.
///
/// # Errors
/// When a payload is refused or does not arrive.
pub async fn measure(receiver: SocketAddr, taken: &Taken) -> anyhow::Result<()> {
    let points = (SENDERS * PAYLOADS * POINTS) as u64;
    println!();
    println!(
        "{SENDERS} connections, each with {POINTS} points every {} s, a tenth of them new for each payload; HTTP, queue in \
         memory. Bad senders: {BAD} send one byte a second, {BAD} stop amid a body.",
        EVERY.as_secs()
    );
    println!("| bad senders | who | CPU µs a point | CPU µs a payload | answers p50, p99 ms | MiB |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for bad in [0, BAD] {
        for program in Program::ALL {
            let cell = Cell {
                points: POINTS,
                transport: Transport::Http,
                storage: Storage::Memory,
                connections: SENDERS,
            };
            let folder = tempfile::tempdir()?;
            let process = Process::start(program, &cell, receiver, folder.path())?;
            let before = taken.of_senders.load(Ordering::Relaxed);
            let cpu = process.cpu()?;
            let mut strangers = JoinSet::new();
            for _ in 0..bad {
                strangers.spawn(dribble(process.address));
                strangers.spawn(stop_amid_a_body(process.address));
            }
            let answers = send_all(process.address).await?;
            all_arrived(taken, before + points).await?;
            ensure!(
                taken.of_senders.load(Ordering::Relaxed) == before + points,
                "more points arrived than were sent"
            );
            let cpu = (process.cpu()? - cpu) * 1e6;
            let [p50, p99] = quantiles(answers).map(|answer| answer.as_secs_f64() * 1e3);
            println!(
                "| {} | {program:?} | {:.2} | {:.1} | {p50:.1}, {p99:.1} | {:.0} |",
                2 * bad,
                cpu / points as f64,
                cpu / (SENDERS * PAYLOADS) as f64,
                process.memory_mib()?
            );
        }
    }
    Ok(())
}

async fn send_all(to: SocketAddr) -> anyhow::Result<Vec<Duration>> {
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        senders.spawn(send(to, sender));
    }
    let mut answers = Vec::with_capacity(SENDERS * PAYLOADS);
    while let Some(sent) = senders.join_next().await {
        answers.extend(sent??);
    }
    Ok(answers)
}

async fn send(to: SocketAddr, sender: usize) -> anyhow::Result<Vec<Duration>> {
    let mut pace = Pace::new(EVERY, sender, SENDERS);
    let mut client = OtlpClient::new(to);
    let mut answers = Vec::with_capacity(PAYLOADS);
    for number in 0..PAYLOADS {
        let began = pace.next().await;
        if sender.is_multiple_of(RECONNECTS) {
            client = OtlpClient::new(to);
        }
        let payload = Bytes::from(payloads::of_sender(sender, POINTS, payloads::now_ms(), number as i64));
        loop {
            let (status, _) = client.offer(payload.clone()).await?;
            if status == 200 {
                break;
            }
            ensure!(status == 503, "a payload was answered {status}");
            tokio::time::sleep(PAUSE).await;
        }
        answers.push(began.elapsed());
    }
    Ok(answers)
}

const HEAD: &[u8] =
    b"POST /v1/metrics HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n\
                      content-length: 100000\r\n\r\n";

/// Sends a byte of a request each second, and begins anew when the connection ends.
async fn dribble(to: SocketAddr) {
    while let Ok(mut stream) = TcpStream::connect(to).await {
        for byte in HEAD.iter().chain(std::iter::repeat(&0)) {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Sends half a request and then nothing, and begins anew a minute later.
async fn stop_amid_a_body(to: SocketAddr) {
    while let Ok(mut stream) = TcpStream::connect(to).await {
        let _half = [stream.write_all(HEAD).await, stream.write_all(&[0; 50_000]).await];
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

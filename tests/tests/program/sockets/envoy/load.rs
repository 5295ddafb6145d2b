//! What the filter costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use amp_stand_in::StandIn;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use preamp_tests::children::memory_mib;
use preamp_tests::otlp_http::OtlpClient;
use preamp_tests::payloads;

use super::start;
use crate::sockets::scenarios::options;

/// Points of a payload: as many as a host's metrics have.
const POINTS: usize = 73;

/// Connections at a time.
const SENDERS: usize = 8;

const TIME: Duration = Duration::from_secs(5);

/// What one worker of Envoy must take, in payloads a second.
const RATE_MIN: f64 = 500.0;

/// How long a process has had a processor, in seconds.
fn processor_time(id: u32) -> anyhow::Result<f64> {
    // In hundredths of a second: user and system time are the 14th and 15th field, and the second is in brackets.
    let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, fields) = text.rsplit_once(") ").context("no fields")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let [user, system] = [11, 12].map(|field| fields.get(field).and_then(|field| field.parse::<f64>().ok()));
    Ok((user.context("no user time")? + system.context("no system time")?) / 100.0)
}

/// Each payload is signed by Envoy and verified by the stand-in, on the same machine.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn a_worker_takes_500_payloads_a_second() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let envoy = start(&stand_in, folder.path()).await?;
    println!("from start to the first request: {:?}", envoy.start);

    let client = OtlpClient::new(envoy.http);
    let mut times = Vec::new();
    for value in 0..300 {
        let payload = Bytes::from(payloads::of_now(POINTS, value));
        let begun = Instant::now();
        client.send(payload).await?;
        times.push(begun.elapsed());
    }
    times.sort();
    println!("a payload of {POINTS} points on one connection: median {:?}", times[times.len() / 2]);

    let before = processor_time(envoy.id())?;
    let (taken, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let send = |sender: usize| {
        let (client, taken) = (OtlpClient::new(envoy.http), Arc::clone(&taken));
        tokio::spawn(async move {
            let mut time = payloads::now_ms();
            while begun.elapsed() < TIME {
                time = payloads::now_ms().max(time + 1);
                let value = i64::try_from(taken.fetch_add(1, Ordering::Relaxed))?;
                client.send(payloads::of_sender(1 + sender, POINTS, time, value).into()).await?;
            }
            anyhow::Ok(())
        })
    };
    let senders: Vec<_> = (0..SENDERS).map(send).collect();
    for sender in senders {
        sender.await??;
    }
    let (taken, seconds) = (taken.load(Ordering::Relaxed) as f64, begun.elapsed().as_secs_f64());
    let (rate, each) = (taken / seconds, (processor_time(envoy.id())? - before) / taken);
    let report = stand_in.report();
    println!(
        "one worker: {rate:.0} payloads/s on {SENDERS} connections, {:.0} µs of a processor for each, {} of {} signatures \
         verified, {:.0} MiB",
        each * 1e6,
        report.verified,
        report.requests,
        memory_mib(envoy.id())?
    );
    ensure!(report.verified == report.requests && report.refused() == 0, "{report:?}");
    ensure!(rate >= RATE_MIN, "{rate} payloads/s, fewer than {RATE_MIN}");
    Ok(())
}

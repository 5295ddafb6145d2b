//! The exporters `debug` and `logging` beside the one that sends.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use preamp_tests::children::wait_for;
use preamp_tests::running::{PIPELINE, Running, post, preamp};
use preamp_tests::{payloads, sink};

/// A Collector file with one more exporter.
fn beside(address: SocketAddr, id: &str, keys: &str) -> String {
    let pipeline = PIPELINE.replace("[prometheusremotewrite]", &format!("[{id}, prometheusremotewrite]"));
    format!(
        "{pipeline}exporters:\n  {id}: {keys}\n  prometheusremotewrite: {{endpoint: 'http://{address}/w'}}\n"
    )
}

fn shown(running: &Running) -> anyhow::Result<f64> {
    let page = running.self_metrics()?;
    let line = page.lines().find(|line| line.starts_with("preamp_debug_shown_payloads_total"));
    Ok(line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_is_shown_and_counts_in_no_ledger() -> anyhow::Result<()> {
    let (address, _taken) = sink::start(Duration::ZERO).await?;
    for (id, keys, parts) in [
        (
            "debug",
            "",
            &[
                "info\tMetrics\t{",
                "\"resource metrics\": 1",
                "\"metrics\": 1",
                "\"data points\": 3",
                "\"otelcol.component.id\": \"debug\"",
            ][..],
        ),
        ("debug/b", "{verbosity: normal}", &["power{phase=2} 7\n", "\"otelcol.component.id\": \"debug/b\""]),
        (
            "debug",
            "{verbosity: detailed, use_internal_logger: false}",
            &[
                "Descriptor:\n     -> Name: power\n",
                "     -> Unit: W\n     -> DataType: Gauge\nNumberDataPoints #0\n",
                "     -> phase: Str(0)\n",
                "Value: 7\n",
            ],
        ),
        ("logging", "{loglevel: debug}", &["     -> Name: power\n"]),
    ] {
        let folder = tempfile::tempdir()?;
        let mut running = Running::start(&beside(address, id, keys), &[], folder.path())?;
        post(running.http, &payloads::of_now(3, 7))?;
        for part in parts {
            running.wait_for(part, |log| log.contains(part).then_some(()))?;
        }
        running.wait_until_delivered()?;
        ensure!((running.points("accepted")?, shown(&running)?) == (3.0, 1.0), "{}", running.self_metrics()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_switched_on_and_off_while_the_process_runs() -> anyhow::Result<()> {
    let (address, _taken) = sink::start(Duration::ZERO).await?;
    let folder = tempfile::tempdir()?;
    let off = beside(address, "debug", "").replace("[debug, ", "[");
    let mut running = Running::start(&off, &[], folder.path())?;
    post(running.http, &payloads::of_now(1, 1))?;
    running.reload(&beside(address, "debug", "{verbosity: normal}"))?;
    running.wait_for("the reload", |log| log.contains("was read again and is in use").then_some(()))?;
    post(running.http, &payloads::of_now(1, 2))?;
    running.wait_for("a point", |log| log.contains("power{phase=0} 2").then_some(()))?;
    ensure!(!running.said().contains("power{phase=0} 1"), "{}", running.said());
    Ok(())
}

/// Nobody reads standard error, and its pipe is full after 64 KiB. Delivery goes on, and the process ends when it is told.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_an_output_that_is_not_read() -> anyhow::Result<()> {
    const PAYLOADS: u64 = 200;
    let (address, taken) = sink::start_looking().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("preamp.yaml");
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let metrics = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let text = beside(address, "debug", "{verbosity: detailed}");
    let text = text.replace(
        "      http:\n        endpoint: 127.0.0.1:0",
        &format!("      http:\n        endpoint: {port}"),
    );
    std::fs::write(&file, text.replace("port: 0", &format!("port: {}", metrics.port())))?;
    let mut command = preamp(&["run", "--drain-timeout=5"], &file)?;
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let unread = child.stderr.take();
    let began = Instant::now();
    wait_for("the receiver", || Ok(std::net::TcpStream::connect(port).ok().map(drop)))?;
    for value in 0..PAYLOADS {
        post(port, &payloads::of_now(20, value as i64))?;
    }
    wait_for("all points", || {
        Ok((taken.samples.load(std::sync::atomic::Ordering::Relaxed) >= PAYLOADS * 20).then_some(()))
    })?;
    ensure!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let stopped = std::process::Command::new("kill").arg(child.id().to_string()).status()?;
    ensure!(stopped.success());
    let ended = wait_for("the end", || Ok(child.try_wait()?)).context("it waits for its own log")?;
    ensure!(ended.success(), "{ended}");
    drop(unread);
    Ok(())
}

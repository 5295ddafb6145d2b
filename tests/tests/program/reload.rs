//! Another configuration while data flows: nothing lost, nothing sent twice, and a broken file changes nothing.

use std::time::Duration;

use amp_stand_in::{Options, StandIn};
use anyhow::ensure;
use preamp_tests::payloads;
use preamp_tests::running::{PIPELINE, Running, post};

const RELOADS: usize = 100;

/// `round` is to be seen in the labels of what is sent.
fn configuration(endpoint: &str, round: usize) -> String {
    format!(
        "{PIPELINE}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    external_labels: {{round: \"{round}\"}}
"
    )
}

/// Sends payloads one after the other until it is told to stop; how many were taken.
fn send_until(http: std::net::SocketAddr, stop: &std::sync::atomic::AtomicBool) -> anyhow::Result<i64> {
    let mut sent = 0;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        sent += 1;
        post(http, &payloads::of_now(5, sent))?;
        std::thread::sleep(Duration::from_millis(3));
    }
    Ok(sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_reloads_lose_nothing_and_send_nothing_twice() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let mut preamp = Running::start(&configuration(&stand_in.url(), 0), &[], folder.path())?;
    let (http, stop) = (preamp.http, std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let stopped = stop.clone();
    let sender = std::thread::spawn(move || send_until(http, &stopped));
    for round in 1..=RELOADS {
        let good = configuration(&stand_in.url(), round);
        let (text, said) = if round % 2 == 0 {
            (good, "read again and is in use")
        } else {
            (good.replace("external_labels", "external_lables"), "the one of before stays in use")
        };
        preamp.reload(&text)?;
        let wanted = round.div_ceil(2);
        preamp.wait_for("the reload", |log| (log.matches(said).count() >= wanted).then_some(()))?;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let sent = sender.join().expect("no panic")?;
    preamp.wait_until_delivered()?;
    ensure!(preamp.terminate()?.success(), "{}", preamp.said());

    let report = stand_in.report();
    assert!(report.samples_repeated == 0 && report.refused() == 0, "{report:?}");
    let mut values: Vec<Vec<i64>> = vec![Vec::new(); 5];
    let mut rounds = std::collections::BTreeSet::new();
    for (labels, samples) in stand_in.series() {
        let label = |name: &str| labels.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        if label("__name__").is_some_and(|name| name == "power_watts") {
            let phase: usize = label("phase").unwrap_or_default().parse()?;
            values[phase].extend(samples.iter().map(|sample| sample.value as i64));
            rounds.insert(label("round"));
        }
    }
    for of_phase in &mut values {
        of_phase.sort_unstable();
        assert_eq!(*of_phase, (1..=sent).collect::<Vec<_>>());
    }
    // Each configuration that could be used was in use, and no other was.
    assert_eq!(rounds.len(), RELOADS / 2 + 1, "{rounds:?}");
    Ok(())
}

/// The receiver is away; its new address is in the new file, and what waits goes there.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_where_the_new_file_says() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let nowhere = format!("http://{closed}/api/v1/write");
    let mut preamp = Running::start(&configuration(&nowhere, 0), &[], folder.path())?;
    post(preamp.http, &payloads::of_now(5, 1))?;
    preamp.wait_for("an attempt", |log| log.contains("sending again").then_some(()))?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    preamp.reload(&configuration(&stand_in.url(), 1))?;
    preamp.wait_until_delivered()?;
    assert!(stand_in.report().samples_stored >= 5, "{:?}", stand_in.report());
    ensure!(preamp.terminate()?.success(), "{}", preamp.said());
    Ok(())
}

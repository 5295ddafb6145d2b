//! What payloads that are made to cost too much cost the component, in seconds of the processor. Printed with
//!
//! ```text
//! cargo test --release --locked --workspace --test component -- --ignored --nocapture growth
//! ```

use std::time::Duration;

use cpu_time::ThreadTime;
use preamp_core::types::Encoding;
use preamp_tests::adversarial::{Family, Fate, families};
use preamp_tests::built::load;
use preamp_tests::component::{Instance, contract};
use preamp_tests::payloads::NOW_NS;

const MEGABYTES: [usize; 4] = [1, 2, 4, 8];

/// Of each payload the best of so many attempts counts: the machine has other work, too.
const ATTEMPTS: usize = 5;

/// What eight times as much may cost, as a multiple.
const GROWTH_MAX: f64 = 8.0 * 1.2;

#[test]
#[ignore = "a table for people; the counts of instructions say the same on a busy machine"]
fn growth_on_the_component() -> anyhow::Result<()> {
    let component = load()?;
    println!("| payload | {} | 8 to 1 |", MEGABYTES.map(|size| format!("{size} MB")).join(" | "));
    println!("|---|---:|---:|---:|---:|---:|");
    let mut findings = Vec::new();
    for family in families() {
        let mut seconds = Vec::new();
        for megabytes in MEGABYTES {
            let payload = (family.make)(megabytes * 1_000_000);
            let mut best = Duration::MAX;
            for _ in 0..ATTEMPTS {
                let mut instance = Instance::open(&component, &family.configuration())?;
                best = best.min(take(&mut instance, &family, &payload)?);
            }
            seconds.push(best.as_secs_f64());
        }
        let growth = seconds[3] / seconds[0];
        let cells: Vec<_> = seconds.iter().map(|seconds| format!("{seconds:.3}")).collect();
        println!("| {} | {} | {growth:.1} |", family.name, cells.join(" | "));
        // Those that expand cost what they come to, up to their limit; and less than that is lost in the noise.
        if family.fate != Fate::ExpandsTooFar && growth > GROWTH_MAX && seconds[3] > 0.05 {
            findings.push(family.name);
        }
    }
    anyhow::ensure!(findings.is_empty(), "more than linear: {findings:?}");
    Ok(())
}

fn take(instance: &mut Instance, family: &Family, payload: &[u8]) -> anyhow::Result<Duration> {
    let encoding = match family.encoding {
        Encoding::Protobuf => contract::Encoding::Protobuf,
        Encoding::Json => contract::Encoding::Json,
    };
    let begin = ThreadTime::now();
    let outcome = instance.accept_as(payload, encoding, NOW_NS)?;
    let elapsed = begin.elapsed();
    let fate = match &outcome {
        Ok(_) => Fate::Taken,
        Err(contract::Refusal::ExpandsTooFar(_)) => Fate::ExpandsTooFar,
        Err(_) => Fate::Malformed,
    };
    anyhow::ensure!(fate == family.fate, "{}: {:?}", family.name, outcome.err());
    Ok(elapsed)
}

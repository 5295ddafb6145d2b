//! Work is linear in the input, for any input.

use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use preamp_tests::any_sender::{Anything, send_http};
use preamp_tests::hostile_payloads::{colliding, empty_gzip_members, empty_zstd_frames};
use preamp_tests::payloads::{self, double_point, gauge, metrics, text};
use tokio::task::JoinSet;

use crate::hostile::rig::{Attacked, Keys, PATIENCE, cpu_seconds};

/// Remote write 2.0, which has a table of texts.
const SECOND: Keys<'static> = Keys {
    exporter: ", protobuf_message: io.prometheus.write.v2.Request",
    grpc: "",
    http: "",
    health: "",
    extensions: "",
    extension_names: "",
};

/// As many different texts of sixteen bytes as in the other payload, of which no two collide.
fn ordinary(count: usize) -> Vec<u8> {
    let point = |number: usize| {
        let mut point = double_point(vec![text("k", &format!("{number:016x}"))], 1.0);
        point.time_unix_nano = payloads::now_ms().unsigned_abs() * 1_000_000;
        point
    };
    metrics(vec![gauge("shop.collisions", "", (0..count).map(point).collect())])
}

/// The CPU time that it takes to have payloads of this kind sent at once, and all of them answered.
async fn cost(attacked: &Attacked, request: &Anything, times: usize) -> anyhow::Result<(f64, Vec<u16>)> {
    let before = cpu_seconds(attacked.preamp.id())?;
    let mut sending = JoinSet::new();
    for _ in 0..times {
        let (to, request) = (attacked.preamp.http, request.clone());
        sending.spawn(async move { send_http(to, &request).await });
    }
    let codes = sending.join_all().await.into_iter().map(|answer| answer.map(|answer| answer.code));
    let codes = codes.collect::<anyhow::Result<_>>()?;
    Ok((cpu_seconds(attacked.preamp.id())? - before, codes))
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_one_hash_cost_no_more_than_others_and_hold_nobody_up() -> anyhow::Result<()> {
    // The square of 60,000 takes seconds; as many in proportion take milliseconds.
    const TEXTS: usize = 60_000;
    let attacked = Attacked::start(SECOND)?;
    let others = Anything::protobuf("other texts", ordinary(TEXTS));
    cost(&attacked, &others, 1).await?;
    let (control, _) = cost(&attacked, &others, 4).await?;
    let (attack, codes) =
        cost(&attacked, &Anything::protobuf("colliding texts", colliding(TEXTS)), 4).await?;
    println!("4 times {TEXTS} texts: {control:.2} s of CPU, and {attack:.2} s if they collide: {codes:?}");
    let fared = attacked.survives(PATIENCE);
    ensure!(attack < 2.0 * control + 0.1, "{attack:.2} s of CPU, and {control:.2} s if they do not collide");
    fared?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_members_or_frames_of_nothing_are_cheap() -> anyhow::Result<()> {
    let attacked = Attacked::start(Keys::default())?;
    let mut wrong = Vec::new();
    for (packing, body) in [("gzip", empty_gzip_members(1_000_000)), ("zstd", empty_zstd_frames(1_000_000))] {
        let mut body = Bytes::from(body);
        body.truncate(19 << 20);
        let bytes = body.len();
        let (seconds, codes) = cost(&attacked, &Anything::packed(packing, packing, body), 1).await?;
        println!("{packing}: {bytes} bytes of nothing, {seconds:.2} s of CPU, answered {codes:?}");
        // A whole second for 20 MB is what good payloads of that size cost, too.
        if seconds > 1.0 {
            wrong.push(format!("{packing}: {seconds:.2} s of CPU"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:?}");
    attacked.survives(Duration::from_secs(1))?;
    Ok(())
}

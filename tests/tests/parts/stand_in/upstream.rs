//! The stand-in in front of a real Prometheus answers as AMP would, also where Prometheus does not.

use std::time::SystemTime;

use amp_stand_in::{Options, StandIn, Storage};
use anyhow::Context as _;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql::query;
use preamp_tests::remote_write::{Histogram, Span, TimeSeries, labelled, series, write};

fn now() -> anyhow::Result<i64> {
    Ok(i64::try_from(SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_prometheus_refuses_for_good_is_a_400() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let upstream = prometheus.write_url().parse()?;
    let options = Options { storage: Storage::Prometheus(upstream), ..Options::unsigned() };
    let stand_in = StandIn::start(options).await?;
    let now = now()?;
    let answer = |batch: &[TimeSeries]| -> anyhow::Result<(u16, String)> {
        let reply = write(&stand_in, batch).context("no answer")?;
        Ok((reply.status, reply.body))
    };

    assert_eq!(answer(&[series("m", &[(now, 1.0)])])?.0, 200);
    assert_eq!(answer(&[series("m", &[(now, 1.0)])])?.0, 200, "a repeat is silent");
    let (code, text) = answer(&[series("m", &[(now, 2.0)])])?;
    assert_eq!((code, text.contains("duplicate sample for timestamp")), (400, true), "{text}");
    let (code, text) = answer(&[series("m", &[(now - 1000, 2.0)])])?;
    assert_eq!((code, text.contains("out of order sample")), (400, true), "{text}");

    // What the stand-in refuses by itself does not keep the rest from Prometheus.
    let batch = [
        labelled(&[("__name__", "bad"), ("b", "1"), ("a", "1")], &[(now, 1.0)]),
        series("good", &[(now, 4.0)]),
    ];
    let (code, text) = answer(&batch)?;
    assert_eq!((code, text.contains("labels not sorted")), (400, true), "{text}");
    let stored: Vec<f64> = query(prometheus.address(), "{__name__=~\"m|good|bad\"}")?.into_values().collect();
    assert_eq!(stored, [4.0, 1.0], "good and m, but not bad");

    let histogram = Histogram {
        count: 3,
        sum: 4.5,
        positive_spans: vec![Span { offset: 0, length: 1 }],
        positive_deltas: vec![3],
        timestamp: now,
        ..Histogram::default()
    };
    let native = series("native", &[]).with_histogram(&histogram).with_exemplar();
    assert_eq!(answer(&[native])?.0, 200);
    let sums = query(prometheus.address(), "histogram_sum(native)")?;
    assert_eq!(sums.into_values().collect::<Vec<_>>(), [4.5]);

    drop(prometheus);
    assert_eq!(answer(&[series("m", &[(now + 1000, 1.0)])])?.0, 503, "no upstream: worth another try");
    Ok(())
}

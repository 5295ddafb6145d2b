use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Attempt, Content, Format, Metrics, NodeMetrics, RequestOutcome, Snapshot, Transport, encode};
use preamp_config::MetricNames;
use preamp_contract::{Batch, Protocol};
use preamp_queue::{MemoryQueue, PointOutcome, Queue, Settlement};
use preamp_wasm::PoolStats;

fn batch(points: u32) -> Batch {
    Batch {
        body: vec![0; 7],
        digest: Some([0; 32]),
        partition: 0,
        points,
        series: points,
        samples: 3 * points,
        histograms: 0,
        exemplars: 0,
        first: 1_000,
        last: 2_500,
        uncompressed_size: 9,
        protocol: Protocol::RemoteWriteV1,
    }
}

async fn with_queued(points: &[u32]) -> (Metrics, Arc<MemoryQueue>) {
    let queue = Arc::new(MemoryQueue::new(2, 10, 1_000));
    let metrics =
        Metrics::new("otlp", "prometheusremotewrite/amp", Arc::clone(&queue) as Arc<dyn Queue>, || {
            PoolStats { instances: 2, created: 3, calls: 40, traps: 1, recycled: 0 }
        });
    for points in points {
        queue.append(vec![batch(*points)]).await.expect("room");
        metrics.ledger.accepted(u64::from(*points));
    }
    (metrics, queue)
}

#[tokio::test]
async fn the_ledger_balances_through_every_state_of_a_batch() {
    let (metrics, queue) = with_queued(&[10, 5]).await;
    let ledger = &metrics.ledger;
    assert_eq!(ledger.snapshot().queued, 15);

    // A batch of ten, halved: its first half is stored while the second is still open.
    ledger.settled(&PointOutcome::Delivered, 6);
    assert!(ledger.balances());
    assert_eq!(ledger.snapshot().queued, 9);
    ledger.settled(&PointOutcome::Rejected("out-of-order".to_owned()), 4);
    queue.acknowledge(0, 1, Settlement::default()).await.expect("memory");
    assert_eq!(ledger.snapshot().queued, 5);
    ledger.settled(&PointOutcome::PartlyRejected, 2);
    ledger.settled(&PointOutcome::Expired("max-elapsed-time".to_owned()), 3);

    let expected = Snapshot {
        accepted: 15,
        recovered: 0,
        delivered: 6,
        partly_rejected: 2,
        rejected: BTreeMap::from([("out-of-order".to_owned(), 4)]),
        expired: BTreeMap::from([("max-elapsed-time".to_owned(), 3)]),
        quarantined: BTreeMap::new(),
        handed_over: 0,
        damaged: 0,
        queued: 0,
    };
    assert_eq!(ledger.snapshot(), expected);
    assert!(ledger.balances());
}

#[tokio::test]
async fn a_lost_batch_and_a_lost_point_upset_the_balance() {
    let (metrics, queue) = with_queued(&[10]).await;
    queue.acknowledge(0, 1, Settlement::default()).await.expect("memory");
    assert!(!metrics.ledger.balances(), "a batch left without an outcome");
    metrics.ledger.settled(&PointOutcome::Delivered, 9);
    assert!(!metrics.ledger.balances(), "one of its ten points has no outcome");
}

#[tokio::test]
async fn what_a_queue_holds_at_the_start_counts_as_recovered() {
    let (before, queue) = with_queued(&[7, 10]).await;
    before.ledger.settled(&PointOutcome::Delivered, 7);
    queue.acknowledge(0, 1, Settlement::default()).await.expect("memory");
    let metrics = Metrics::new("otlp", "amp", queue, PoolStats::default);
    assert_eq!(metrics.ledger.snapshot().recovered, 10);
    metrics.ledger.settled(&PointOutcome::Delivered, 4);
    assert_eq!(metrics.ledger.snapshot().queued, 6);
    assert!(metrics.ledger.balances());
}

#[tokio::test]
async fn the_page_has_the_names_that_dashboards_know() {
    let (metrics, _) = with_queued(&[10]).await;
    let node = NodeMetrics::new();
    let listener = node.connections.listener("grpc");
    listener.limited_to(7);
    listener.opened();
    listener.refused("tls");
    metrics.receiver.denied(Transport::Http, "host");
    metrics.receiver.request(Transport::Grpc, RequestOutcome::Success, 10, 2);
    metrics.receiver.request(Transport::Http, RequestOutcome::Refused, 0, 3);
    metrics.receiver.untranslated("delta-temporality", 2);
    metrics.delivery.enqueued(8, 2_500);
    metrics.delivery.failed_translation();
    node.reloads.failed();
    metrics.delivery.enqueue_failed(Some("bytes"), 3);
    let content = Content { samples: 30, histograms: 5, exemplars: 1 };
    let in_flight = metrics.delivery.sending(Attempt { content, bytes: 7, number: 2 });
    metrics.delivery.answered("retry", Duration::from_millis(20));
    metrics.delivery.settled(&PointOutcome::Delivered, 4, content, 2_000);
    metrics.delivery.settled(&PointOutcome::PartlyRejected, 6, content, 2_500);
    metrics.ledger.settled(&PointOutcome::Rejected("too-old".to_owned()), 1);
    let metrics = Arc::new(metrics);
    let names = MetricNames { have_type_suffix: true, have_units: false };
    let page = encode(&node, std::slice::from_ref(&metrics), Format::OpenMetrics, names);
    for line in [
        r#"preamp_connections{listener="grpc"} 1"#,
        r#"preamp_connections_limit{listener="grpc"} 7"#,
        r#"preamp_connections_refused_total{listener="grpc",reason="tls"} 1"#,
        r#"preamp_connections_closed_total{listener="grpc",reason="displaced"} 0"#,
        r#"preamp_receiver_requests_denied_total{transport="http",reason="host"} 1"#,
        r#"otelcol_receiver_requests_total{receiver="otlp",transport="grpc",outcome="success"} 1"#,
        r#"otelcol_receiver_accepted_metric_points_total{receiver="otlp",transport="grpc"} 10"#,
        r#"otelcol_receiver_failed_metric_points_total{receiver="otlp",transport="grpc"} 2"#,
        r#"otelcol_receiver_refused_metric_points_total{receiver="otlp",transport="http"} 3"#,
        r#"otelcol_exporter_sent_metric_points_total{exporter="prometheusremotewrite/amp"} 4"#,
        r#"otelcol_exporter_send_failed_metric_points_total{exporter="prometheusremotewrite/amp"} 6"#,
        r#"otelcol_exporter_enqueue_failed_metric_points_total{exporter="prometheusremotewrite/amp"} 3"#,
        r#"otelcol_exporter_in_flight_requests{exporter="prometheusremotewrite/amp",data_type="metrics"} 1"#,
        r#"otelcol_exporter_queue_size{exporter="prometheusremotewrite/amp",data_type="metrics"} 1"#,
        r#"otelcol_exporter_queue_capacity{exporter="prometheusremotewrite/amp",data_type="metrics"} 10"#,
        r#"otelcol_exporter_prometheusremotewrite_translated_time_series_total{exporter="prometheusremotewrite/amp"} 8"#,
        r#"otelcol_exporter_prometheusremotewrite_failed_translations_total{exporter="prometheusremotewrite/amp"} 1"#,
        r#"otelcol_exporter_prometheusremotewrite_sent_batches_total{exporter="prometheusremotewrite/amp"} 1"#,
        r#"otelcol_exporter_prometheusremotewrite_consumers{exporter="prometheusremotewrite/amp"} 2"#,
        r#"prometheus_remote_storage_highest_timestamp_in_seconds{remote_name="prometheusremotewrite/amp"} 2.5"#,
        r#"preamp_config_reloads_total{outcome="failure"} 1"#,
        "preamp_config_last_reload_successful 0",
        r#"prometheus_remote_storage_samples_total{remote_name="prometheusremotewrite/amp"} 30"#,
        r#"prometheus_remote_storage_histograms_total{remote_name="prometheusremotewrite/amp"} 5"#,
        r#"prometheus_remote_storage_exemplars_total{remote_name="prometheusremotewrite/amp"} 1"#,
        r#"prometheus_remote_storage_histograms_failed_total{remote_name="prometheusremotewrite/amp"} 5"#,
        r#"prometheus_remote_storage_samples_retried_total{remote_name="prometheusremotewrite/amp"} 30"#,
        r#"prometheus_remote_storage_samples_pending{remote_name="prometheusremotewrite/amp"} 30"#,
        r#"prometheus_remote_storage_shards{remote_name="prometheusremotewrite/amp"} 2"#,
        r#"prometheus_remote_storage_queue_highest_sent_timestamp_seconds{remote_name="prometheusremotewrite/amp"} 2.0"#,
        r#"preamp_queue_full_total{exporter="prometheusremotewrite/amp",limit="bytes"} 1"#,
        r#"preamp_verdicts_total{exporter="prometheusremotewrite/amp",verdict="retry"} 1"#,
        r#"preamp_translation_rejected_points_total{reason="delta-temporality"} 2"#,
        r#"preamp_points_total{state="rejected",reason="too-old"} 1"#,
        r#"preamp_points_total{state="accepted",reason=""} 10"#,
        "preamp_points_queued 9",
        "preamp_component_instances 2",
        "preamp_component_traps_total 1",
        "# EOF",
    ] {
        assert!(page.lines().any(|found| found == line), "no line {line} in\n{page}");
    }
    for name in ["uptime_total", "cpu_seconds_total", "memory_rss"] {
        let name = format!("otelcol_process_{name} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok());
        assert!(value.is_some_and(|value| value >= 0.0), "no {name} in\n{page}");
    }
    drop(in_flight);
    assert!(
        metrics
            .encode()
            .contains(r#"in_flight_requests{exporter="prometheusremotewrite/amp",data_type="metrics"} 0"#)
    );
}

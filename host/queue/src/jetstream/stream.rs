//! The stream that batches wait in, and the bucket that says who reads which partition.

use super::message::FORMAT;
use super::{OpenError, Options};
use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, kv};
use std::time::Duration;
use tokio::time::Instant;

/// A payload that is sent again within this time is recognized.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// What the stream says about itself.
const EXPORTER: &str = "preamp-exporter";
const PARTITIONS: &str = "preamp-partitions";
const VERSION: &str = "preamp-format";

/// The subject of a partition.
pub(super) fn subject(stream: &str, partition: u32) -> String {
    format!("{stream}.{partition}")
}

/// How long opening is tried: servers that were just started elect a leader first.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);

/// The stream of batches, the stream of committed offsets, and the bucket of leases.
pub(super) async fn open_all(
    context: &Context,
    options: &Options,
) -> Result<(Stream, Stream, kv::Store), OpenError> {
    let since = Instant::now();
    loop {
        let opened = async {
            let stream = open(context, options).await?;
            Ok((stream, committed_offsets(context, options).await?, leases(context, options).await?))
        };
        match opened.await {
            Err(OpenError::Stream { stream, problem }) if since.elapsed() < PATIENCE => {
                tracing::warn!(stream, problem, "trying again");
                tokio::time::sleep(PAUSE).await;
            }
            ended => return ended,
        }
    }
}

/// The stream, which the first process makes.
async fn open(context: &Context, options: &Options) -> Result<Stream, OpenError> {
    let failed = |problem: String| OpenError::Stream { stream: options.stream.clone(), problem };
    let wanted = config(options);
    let mut stream = match context.create_stream(&wanted).await {
        Ok(stream) => stream,
        // With other settings.
        Err(error) if matches!(error.kind(), CreateStreamErrorKind::JetStream(_)) => {
            context.get_stream(&options.stream).await.map_err(|_| failed(error.to_string()))?
        }
        Err(error) => return Err(failed(error.to_string())),
    };
    let (found, waiting) = (stream.cached_info().config.clone(), stream.cached_info().state.messages);
    check(&found, options)?;
    let partitions = metadata(&found, PARTITIONS);
    if partitions != Some(options.partitions) && waiting > 0 {
        return Err(OpenError::Partitions {
            stream: options.stream.clone(),
            found: partitions.unwrap_or_default(),
            configured: options.partitions,
        });
    }
    if found.max_bytes != wanted.max_bytes
        || found.num_replicas != wanted.num_replicas
        || found.metadata != wanted.metadata
    {
        context.update_stream(&wanted).await.map_err(|error| failed(error.to_string()))?;
        stream = context.get_stream(&options.stream).await.map_err(|error| failed(error.to_string()))?;
    }
    Ok(stream)
}

fn config(options: &Options) -> Config {
    let metadata = [
        (EXPORTER, options.exporter.clone()),
        (PARTITIONS, options.partitions.to_string()),
        (VERSION, FORMAT.to_string()),
    ];
    Config {
        name: options.stream.clone(),
        description: Some("batches of preamp that wait for delivery".to_owned()),
        subjects: vec![format!("{}.*", options.stream)],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: options.replicas as usize,
        max_bytes: i64::try_from(options.max_bytes).unwrap_or(i64::MAX),
        discard: DiscardPolicy::New,
        duplicate_window: DUPLICATE_WINDOW,
        allow_atomic_publish: true,
        allow_direct: true,
        metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        ..Config::default()
    }
}

fn metadata(found: &Config, key: &str) -> Option<u32> {
    found.metadata.get(key)?.parse().ok()
}

/// Whether a stream that is there already is one of this exporter, and of a form that this version reads.
fn check(found: &Config, options: &Options) -> Result<(), OpenError> {
    let stream = options.stream.clone();
    match found.metadata.get(EXPORTER) {
        Some(exporter) if *exporter == options.exporter => {}
        other => return Err(OpenError::OfAnother { stream, exporter: other.cloned() }),
    }
    match metadata(found, VERSION) {
        Some(format) if format <= FORMAT => Ok(()),
        format => Err(OpenError::Newer { stream, format: format.unwrap_or_default() }),
    }
}

/// The stream of committed offsets, which keeps the last one of each partition.
async fn committed_offsets(context: &Context, options: &Options) -> Result<Stream, OpenError> {
    let name = format!("{}_floors", options.stream);
    let wanted = Config {
        name: name.clone(),
        description: Some("how far preamp has delivered each partition".to_owned()),
        subjects: vec![format!("{name}.*")],
        max_messages_per_subject: 1,
        storage: StorageType::File,
        num_replicas: options.replicas as usize,
        ..Config::default()
    };
    let stream = context.get_or_create_stream(wanted).await;
    stream.map_err(|error| OpenError::Stream { stream: name, problem: error.to_string() })
}

/// The bucket of leases. An entry ends if it is not renewed.
async fn leases(context: &Context, options: &Options) -> Result<kv::Store, OpenError> {
    let bucket = format!("{}_leases", options.stream);
    let wanted = kv::Config {
        bucket: bucket.clone(),
        description: "which preamp process delivers which partition".to_owned(),
        history: 1,
        max_age: options.lease,
        storage: StorageType::File,
        num_replicas: options.replicas as usize,
        ..kv::Config::default()
    };
    let failed = |problem: String| OpenError::Stream { stream: bucket.clone(), problem };
    let bucket = context.create_or_update_key_value(wanted).await;
    bucket.map_err(|error| failed(error.to_string()))
}

//! What a configuration asks for, made to fit into the memory that there is.

use preamp_base::memory::{COMFORTABLE_BYTES, MemoryLimit, Shares};
use preamp_config::{MemoryLimiter, Serving, Settings, Storage};
use std::fmt;

/// A request is counted as it came and unpacked, so that one alone may take half of the room.
const OF_ROOM: u64 = 2;

/// Settings that fit into the memory that the process may use.
pub(super) struct Fitted {
    /// The settings.
    pub settings: Settings,
    /// The memory, and whose limit it is.
    pub memory: MemoryLimit,
    /// How it is shared out.
    pub shares: Shares,
    /// What asks for more than there is, and what helps.
    pub warnings: Vec<String>,
}

/// Sizes as people read them.
struct Mib(u64);

impl fmt::Display for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0 >> 20)
    }
}

impl Fitted {
    /// Fits settings into what this process may use.
    pub(super) fn new(settings: &Settings, system: MemoryLimit) -> Self {
        let mut settings = settings.clone();
        let mut warnings = Vec::new();
        let limiter = settings.processors.memory_limiter.as_ref();
        let limit = limiter.map(|MemoryLimiter { limit, .. }| limit.of(system.bytes));
        let memory = system.limited(limit);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let shares = memory.shares(processors);
        let total = format!("the process may use {} ({})", Mib(memory.bytes), memory.origin);
        if memory.bytes < COMFORTABLE_BYTES {
            warnings.push(format!(
                "{total}: requests of an ordinary size may be refused; give it {} or more",
                Mib(COMFORTABLE_BYTES)
            ));
        }
        if let Some(limit) = limit.filter(|limit| *limit > system.bytes) {
            warnings.push(format!(
                "processors.memory_limiter lets the process use {}, but it may use {} ({}): it would be killed before it \
                 refuses anything; lower the limit",
                Mib(limit),
                Mib(system.bytes),
                system.origin
            ));
        }
        fit_listeners(&mut settings, &shares, &total, &mut warnings);
        fit_queue(&mut settings, &shares, &total, &mut warnings);
        Fitted { settings, memory, shares, warnings }
    }

    /// Says how the memory is shared out.
    pub(super) fn log(&self) {
        let Fitted { memory, shares, warnings, .. } = self;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!(
            total_mib = memory.bytes >> 20,
            from = %memory.origin,
            requests_mib = shares.requests >> 20,
            calls = shares.parallel_calls,
            instance_mib = shares.small_instance >> 20,
            large_calls = shares.parallel_large_calls,
            large_instance_mib = shares.large_instance >> 20,
            queue_mib = shares.queue >> 20,
            "memory"
        );
    }
}

/// Lowers the size of a request to what could be read at all, and the number of connections to what there is memory for.
fn fit_listeners(settings: &mut Settings, shares: &Shares, total: &str, warnings: &mut Vec<String>) {
    let most = shares.requests / OF_ROOM;
    let receiver = &mut settings.receiver;
    let connections = receiver.part_of_port(shares.connections);
    let listeners = [
        ("grpc", "max_recv_msg_size_mib", &mut receiver.grpc),
        ("http", "max_request_body_size", &mut receiver.http),
    ];
    for (name, key, listener) in listeners {
        let Some(listener) = listener else { continue };
        let section = format!("receivers.{}.protocols.{name}", receiver.id);
        let asked = listener.serving.max_connections;
        listener.serving.max_connections = asked.min(connections);
        if asked > connections && asked != Serving::default().max_connections {
            warnings.push(format!(
                "{total}, which is enough for {connections} connections of {section}, and not for the {asked} of \
                 max_connections; give it more, or lower that key"
            ));
        }
        if listener.max_request_bytes <= most {
            continue;
        }
        warnings.push(format!(
            "{total}, which is enough for requests of {}: larger ones are refused, though {section}.{key} is {}; \
             give the process {} or more, or lower that key",
            Mib(most),
            Mib(listener.max_request_bytes),
            Mib(MemoryLimit::for_requests(listener.max_request_bytes.saturating_mul(OF_ROOM))),
        ));
        listener.max_request_bytes = most;
    }
}

/// Lowers a default that is too much, and warns of what the file says.
fn fit_queue(settings: &mut Settings, shares: &Shares, total: &str, warnings: &mut Vec<String>) {
    let exporter = &mut settings.exporter;
    let queue = &mut exporter.queue;
    if queue.storage != Storage::Memory || queue.max_bytes <= shares.queue {
        return;
    }
    if queue.is_max_bytes_open {
        queue.max_bytes = shares.queue;
        return;
    }
    warnings.push(format!(
        "{total}, of which a queue in memory should take {}, but exporters.{} lets it take {}: the process may be killed, \
         and the queue with it; lower max_queue_bytes, keep the queue on disk, or give the process {} or more",
        Mib(shares.queue),
        exporter.id,
        Mib(queue.max_bytes),
        Mib(MemoryLimit::for_queue(queue.max_bytes)),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use preamp_base::memory::Origin;
    use preamp_config;

    const FILE: &str = "
receivers: {otlp: {protocols: {grpc: , http: }}}
processors: {memory_limiter: {check_interval: 1s, limit_percentage: 80, spike_limit_percentage: 20}}
exporters: {prometheusremotewrite: {endpoint: 'http://127.0.0.1:9', QUEUE}}
service: {pipelines: {metrics: {receivers: [otlp], processors: [memory_limiter], exporters: [prometheusremotewrite]}}}
";

    fn fitted(queue: &str, mebibytes: u64) -> Fitted {
        let loaded = preamp_config::parse("test.yaml", &FILE.replace("QUEUE", queue), &|_| None);
        let memory = MemoryLimit { bytes: mebibytes << 20, origin: Origin::ControlGroup };
        Fitted::new(&loaded.expect("a valid configuration").settings, memory)
    }

    #[test]
    fn the_manifest_of_512_mib_needs_no_warning() {
        let Fitted { settings, memory, warnings, shares } = fitted("timeout: 5s", 512);
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!((memory.bytes >> 20, memory.origin), (409, Origin::MemoryLimiter));
        assert_eq!(settings.exporter.queue.max_bytes, shares.queue);
        assert_eq!(settings.receiver.http.map(|http| http.max_request_bytes), Some(20 << 20));
    }

    #[test]
    fn too_little_memory_is_said_with_what_would_do() {
        let Fitted { settings, warnings, .. } = fitted("timeout: 5s", 100);
        assert!(
            warnings[0].contains("may use 80 MiB") && warnings[0].contains("128 MiB or more"),
            "{warnings:?}"
        );
        assert!(warnings[1].contains("http.max_request_body_size is 20 MiB"), "{warnings:?}");
        assert!(warnings[1].contains("give the process 320 MiB or more"), "{warnings:?}");
        assert_eq!((warnings.len(), settings.receiver.http.unwrap().max_request_bytes), (2, 5 << 20));
    }

    #[test]
    fn a_queue_that_the_file_asks_for_is_kept_with_a_warning() {
        let Fitted { settings, warnings, .. } = fitted("max_queue_bytes: 400000000", 512);
        assert_eq!(settings.exporter.queue.max_bytes, 400_000_000);
        assert!(warnings[0].contains("lower max_queue_bytes, keep the queue on disk"), "{warnings:?}");
        let on_disk = fitted("max_queue_bytes: 400000000, wal: {directory: /nowhere}", 512);
        assert_eq!(on_disk.warnings, Vec::<String>::new());
    }
}

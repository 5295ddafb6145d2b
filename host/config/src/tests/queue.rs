//! The queue on disk, by each of its names.

use super::{errors, read, warnings, with_exporter};
use crate::{Directory, Overflow, Settings, Storage};
use std::path::PathBuf;

const STORAGE: &str = "receivers: {otlp: {protocols: {grpc: }}}
extensions: {file_storage/q: {directory: /var/q}}
exporters: {prometheusremotewrite/amp: {endpoint: 'http://localhost:9090/api/v1/write', sending_queue: {storage: file_storage/q}}}
service: {extensions: [file_storage/q], pipelines: {metrics: {receivers: [otlp], exporters: [prometheusremotewrite/amp]}}}
";

fn settings(text: &str) -> Settings {
    read(text).unwrap().settings
}

fn directory(text: &str) -> Option<PathBuf> {
    settings(text).exporter.queue.storage.directory().map(|directory| directory.path.clone())
}

fn destination(more: &str) -> String {
    format!(
        "kind: Destination\ntype: aws_managed_prometheus\nparameters: {{endpoint: 'http://localhost:9090/api/v1/write', \
         region: r{more}}}\n"
    )
}

#[test]
fn a_storage_is_shared_by_exporters_each_in_a_folder_of_its_own() {
    let queue = settings(STORAGE).exporter.queue;
    assert_eq!(queue.storage, Storage::Directory(Directory::private("/var/q/prometheusremotewrite_amp")));
    assert_eq!((queue.max_payloads, queue.max_bytes), (100_000_000, 4 << 30));
    let default = STORAGE.replace("{directory: /var/q}", "");
    assert_eq!(directory(&default), Some("/var/lib/otelcol/file_storage/prometheusremotewrite_amp".into()));
}

#[test]
fn a_directory_is_made_as_the_collector_is_told_to() {
    let with = |keys: &str| STORAGE.replace("{directory: /var/q}", &format!("{{directory: /var/q, {keys}}}"));
    let directory = |keys: &str| settings(&with(keys)).exporter.queue.storage.directory().cloned().unwrap();
    let open = Directory { permissions: 0o750, ..Directory::private("/var/q/prometheusremotewrite_amp") };
    assert_eq!(directory("create_directory: true, directory_permissions: '0750'"), open);
    assert!(
        !directory("create_directory: true").must_exist_around
            && directory("create_directory: false").must_exist_around
    );
    let warnings = |keys: &str| {
        let of_extension = |line: &String| line.contains("file_storage");
        warnings(&with(keys)).into_iter().filter(of_extension).collect::<Vec<_>>()
    };
    assert_eq!(warnings("create_directory: true, directory_permissions: '750'"), [""; 0]);
    let shared = warnings("directory_permissions: '0770'");
    assert!(
        shared[0].contains("directory_permissions: lets other users remove what is queued"),
        "{shared:?}"
    );
    for (value, said) in [
        ("'rwx'", r#""rwx" is no permissions of a directory: octal digits, such as "0750""#),
        ("'0789'", "is no permissions"),
        ("'01777'", "is no permissions"),
        ("'-750'", "is no permissions"),
        ("'0050'", r#""0050" keeps preamp itself out: the first digit must be 7, as in "0750""#),
        ("0750", "expected text, found a number; put it in quotes"),
    ] {
        let errors = errors(&with(&format!("directory_permissions: {value}")));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with("f:2:73: extensions.file_storage/q.directory_permissions: "),
            "{errors:?}"
        );
        assert!(errors[0].contains(said), "{errors:?}");
    }
}

#[test]
fn the_size_of_a_queue_is_of_what_the_sizer_says() {
    let queue = |keys: &str| settings(&with_exporter(&format!("sending_queue: {{{keys}}}"))).exporter.queue;
    let by = |sizer: &str| queue(&format!("queue_size: 2000000, sizer: {sizer}"));
    let unlimited = i64::MAX.unsigned_abs();
    let (requests, items, bytes) = (by("requests"), by("items"), by("bytes"));
    assert_eq!(
        (requests.max_payloads, requests.max_points, requests.max_bytes),
        (2_000_000, unlimited, 256 << 20)
    );
    assert_eq!(
        (items.max_payloads as u64, items.max_points, items.max_bytes),
        (unlimited, 2_000_000, 256 << 20)
    );
    assert_eq!(
        (bytes.max_payloads as u64, bytes.max_points, bytes.max_bytes),
        (unlimited, unlimited, 2_000_000)
    );
    assert!([requests, items, bytes].iter().all(|queue| queue.size() == 2_000_000));
    let waiting = queue("block_on_overflow: true, wait_for_result: true");
    assert!(waiting.on_overflow == Overflow::Wait && waiting.waits_for_result);
    assert!(by("items").on_overflow == Overflow::Refuse && !by("items").waits_for_result);
    assert!(read(&with_exporter("sending_queue: {sizer: pounds}")).is_err());
}

#[test]
fn what_is_done_where_the_queue_is_full_is_one_thing() {
    let on_overflow = |keys: &str| settings(&with_exporter(keys)).exporter.queue.on_overflow;
    assert_eq!(on_overflow("drop_oldest_on_overflow: true"), Overflow::DropOldest);
    assert_eq!(on_overflow("drop_oldest_on_overflow: false"), Overflow::Refuse);
    let both = "drop_oldest_on_overflow: true\nsending_queue: {block_on_overflow: true}";
    let both = errors(&with_exporter(both));
    assert!(both[0].contains("cannot stand beside `block_on_overflow`"), "{both:?}");
    let free = with_exporter("wal: {directory: /w}\nmin_free_disk_bytes: 1000000000");
    assert_eq!(settings(&free).exporter.queue.min_free_bytes, 1_000_000_000);
    let in_memory = warnings(&with_exporter("min_free_disk_bytes: 1000000000"));
    assert!(in_memory[0].contains("there is no queue on disk"), "{in_memory:?}");
}

#[test]
fn a_storage_has_to_be_there_and_switched_on() {
    let off = STORAGE.replace("extensions: [file_storage/q], ", "");
    assert!(
        errors(&off)[0].contains("the extension `file_storage/q` is not switched on"),
        "{:?}",
        errors(&off)
    );
    let other = STORAGE.replace("storage: file_storage/q", "storage: file_storage/other");
    assert!(errors(&other)[0].contains("file_storage/other"), "{:?}", errors(&other));
    let unused = STORAGE.replace("storage: file_storage/q", "");
    assert!(warnings(&unused).iter().any(|warning| warning.contains("nothing is kept in it")));
    let unsynchronized = STORAGE.replace("directory: /var/q", "directory: /var/q, fsync: false");
    assert!(warnings(&unsynchronized).iter().any(|warning| warning.contains("always on the disk first")));
}

#[test]
fn the_write_ahead_log_is_a_queue_on_disk() {
    assert_eq!(directory(&with_exporter("wal: {directory: /w}")), Some("/w/prometheusremotewrite".into()));
    assert_eq!(directory(&with_exporter("wal: {directory: /w, enabled: false}")), None);
    let unnamed = with_exporter("wal: {}");
    assert_eq!(directory(&unnamed), Some("prom_rw/prometheusremotewrite".into()));
    assert!(warnings(&unnamed)[0].contains("names no `directory`"));
    let limited = with_exporter("wal: {directory: /w}\nmax_queue_bytes: 2097152");
    assert_eq!(settings(&limited).exporter.queue.max_bytes, 2 << 20);
    assert!(read(&with_exporter("max_queue_bytes: 5")).is_err());
}

#[test]
fn the_agents_queue_is_on_disk_if_it_is_to_be() {
    let own = |more: &str| directory(&destination(more));
    assert_eq!(own(""), None);
    assert_eq!(own(", persistent_queue_enabled: true, sending_queue_enabled: false"), None);
    let home = "/var/lib/preamp/storage/prometheusremotewrite";
    assert_eq!(own(", persistent_queue_enabled: true"), Some(home.into()));
    for directory in ["$OIQ_OTEL_COLLECTOR_HOME/a", "${OIQ_OTEL_COLLECTOR_HOME}/a"] {
        let found =
            own(&format!(", persistent_queue_enabled: true, persistent_queue_directory: '{directory}'"));
        assert_eq!(found, Some("/var/lib/preamp/a/prometheusremotewrite".into()));
    }
    let elsewhere = own(", persistent_queue_enabled: true, persistent_queue_directory: /data");
    assert_eq!(elsewhere, Some("/data/prometheusremotewrite".into()));
}

//! The form of the user's file, and what its keys are called in it.

use std::fmt::Write as _;

/// In which words a file says what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileForm {
    /// A file of the OpenTelemetry Collector.
    #[default]
    Collector,
    /// Resources of Bindplane.
    Bindplane,
    /// A Prometheus file with `remote_write`.
    Prometheus,
}

/// Keys of the exporter in a Collector file, and the parameter of Bindplane's destination for each.
pub(super) const BINDPLANE: [(&str, &str); 13] = [
    ("endpoint", "parameters.endpoint"),
    ("external_labels", "parameters.external_labels"),
    ("headers", "parameters.headers"),
    ("max_batch_size_bytes", "parameters.max_batch_size_bytes"),
    ("num_consumers", "parameters.remote_write_queue_consumers"),
    ("remote_write_queue.queue_size", "parameters.remote_write_queue_size"),
    ("retry_on_failure", "parameters.retry_on_failure_enabled"),
    ("retry_on_failure.max_elapsed_time", "parameters.retry_on_failure_max_elapsed_time"),
    ("sigv4auth", "parameters.region and parameters.arn"),
    ("tls.ca_file", "parameters.ca_file"),
    ("tls.cert_file", "parameters.cert_file"),
    ("tls.key_file", "parameters.key_file"),
    ("wal.directory", "parameters.persistent_queue_directory"),
];

/// The same for a Prometheus file.
pub(super) const PROMETHEUS: [(&str, &str); 15] = [
    ("endpoint", "remote_write.url"),
    ("external_labels", "global.external_labels"),
    ("headers", "remote_write.headers"),
    ("max_sample_age", "remote_write.queue_config.sample_age_limit"),
    ("num_consumers", "remote_write.queue_config.max_shards"),
    ("protobuf_message", "remote_write.protobuf_message"),
    ("sigv4auth", "remote_write.sigv4"),
    ("timeout", "remote_write.remote_timeout"),
    ("tls.ca_file", "remote_write.tls_config.ca_file"),
    ("tls.cert_file", "remote_write.tls_config.cert_file"),
    ("tls.cipher_suites", "remote_write.tls_config"),
    ("tls.key_file", "remote_write.tls_config.key_file"),
    ("tls.min_version", "remote_write.tls_config.min_version"),
    ("tls.server_name_override", "remote_write.tls_config.server_name"),
    ("send_metadata", "remote_write.metadata_config.send"),
];

/// What the keys of one exporter are called in the file that it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyNames {
    pub(super) form: FileForm,
    exporter: String,
}

impl KeyNames {
    /// The names for an exporter, by its id, in a file of this form.
    #[must_use]
    pub fn new(form: FileForm, exporter: &str) -> Self {
        KeyNames { form, exporter: exporter.to_owned() }
    }

    /// Where a key of the exporter, such as `remote_write_queue.queue_size`, stands in the file. What the form of the file
    /// has no key for is set on the command line: `--set exporters.ID.KEY=VALUE`.
    #[must_use]
    pub fn key(&self, key: &str) -> String {
        match (self.form, self.counterpart(key)) {
            (FileForm::Collector, _) => format!("exporters.{}.{key}", self.exporter),
            (_, Some(name)) => name.to_owned(),
            (_, None) => self.setting(key),
        }
    }

    /// What a key of the exporter is called in the file, if that is something else.
    pub(super) fn counterpart(&self, key: &str) -> Option<&'static str> {
        let names: &[(&str, &str)] = match self.form {
            FileForm::Collector => &[],
            FileForm::Bindplane => &BINDPLANE,
            FileForm::Prometheus => &PROMETHEUS,
        };
        names.iter().find(|(own, _)| *own == key).map(|(_, name)| *name)
    }

    /// How a key is set on the command line.
    pub(super) fn setting(&self, key: &str) -> String {
        let mut text = String::from("--set exporters.");
        // Nothing fails that is written to a text.
        let _written = write!(text, "{}.{key}", self.exporter);
        text
    }
}

//! The form of the user's file, and what its keys are called in it.

use crate::exporter;
use std::borrow::Cow;
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
const BINDPLANE: [(&str, &str); 13] = [
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
const PROMETHEUS: [(&str, &str); 15] = [
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
    form: FileForm,
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

    /// A text with the keys that it names as the file has them. In a Collector file they are what they are.
    #[must_use]
    pub fn in_file<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.form == FileForm::Collector {
            return Cow::Borrowed(text);
        }
        let mut named = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
            let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
            let (word, others) = rest.split_at(end);
            let key = word.trim_end_matches('.');
            match self.counterpart(key) {
                Some(name) => named.push_str(name),
                // A plain word of the language may be the name of a key as well.
                None if key.contains('_') && exporter::is_key(key) => {
                    // `--set` says it.
                    named.truncate(named.trim_end_matches("set ").len());
                    named.push_str(&self.setting(key));
                }
                None => named.push_str(key),
            }
            named.push_str(&word[key.len()..]);
            let next = others.find(is_of_word).unwrap_or(others.len());
            named.push_str(&others[..next]);
            rest = &others[next..];
        }
        Cow::Owned(named)
    }

    fn counterpart(&self, key: &str) -> Option<&'static str> {
        let names: &[(&str, &str)] = match self.form {
            FileForm::Collector => &[],
            FileForm::Bindplane => &BINDPLANE,
            FileForm::Prometheus => &PROMETHEUS,
        };
        names.iter().find(|(own, _)| *own == key).map(|(_, name)| *name)
    }

    fn setting(&self, key: &str) -> String {
        let mut text = String::from("--set exporters.");
        // Nothing fails that is written to a text.
        let _written = write!(text, "{}.{key}", self.exporter);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMEDY: &str = "set max_batch_size_bytes to what the receiver takes, have the signer (sigv4auth) sign, give them \
                          external_labels, see tls.ca_file, look at max_sample_age.";

    #[test]
    fn a_collector_file_has_the_keys_themselves() {
        let names = KeyNames::new(FileForm::Collector, "prometheusremotewrite/amp");
        assert_eq!(names.key("max_queue_bytes"), "exporters.prometheusremotewrite/amp.max_queue_bytes");
        assert_eq!(names.in_file(REMEDY), REMEDY);
    }

    #[test]
    fn a_prometheus_file_has_its_own_or_none() {
        let names = KeyNames::new(FileForm::Prometheus, "prometheusremotewrite");
        assert_eq!(names.key("max_queue_bytes"), "--set exporters.prometheusremotewrite.max_queue_bytes");
        assert_eq!(names.key("endpoint"), "remote_write.url");
        assert_eq!(
            names.in_file(REMEDY),
            "--set exporters.prometheusremotewrite.max_batch_size_bytes to what the receiver takes, have the signer \
             (remote_write.sigv4) sign, give them global.external_labels, see remote_write.tls_config.ca_file, look at \
             remote_write.queue_config.sample_age_limit."
        );
    }

    #[test]
    fn bindplane_has_parameters() {
        let names = KeyNames::new(FileForm::Bindplane, "prometheusremotewrite");
        assert_eq!(names.key("remote_write_queue.queue_size"), "parameters.remote_write_queue_size");
        assert!(names.in_file(REMEDY).starts_with("set parameters.max_batch_size_bytes to"));
        assert!(
            names.in_file(REMEDY).ends_with("look at --set exporters.prometheusremotewrite.max_sample_age.")
        );
    }

    /// A key that is renamed must be one of the exporter.
    #[test]
    fn what_has_a_counterpart_is_a_key() {
        for (key, _) in BINDPLANE.iter().chain(&PROMETHEUS).filter(|(key, _)| *key != "sigv4auth") {
            assert!(exporter::is_key(key), "{key}");
        }
    }
}

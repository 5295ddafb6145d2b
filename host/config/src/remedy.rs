//! Remedies in the words of the user's file.

use crate::exporter;
use crate::form::{FileForm, KeyNames};
use std::borrow::Cow;

impl KeyNames {
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
}

#[cfg(test)]
mod tests {
    use crate::exporter;
    use crate::form::{BINDPLANE, FileForm, KeyNames, PROMETHEUS};

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

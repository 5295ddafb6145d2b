//! What of a configuration a gateway can do, and what it cannot.
//!
//! A gateway is a file that anybody may read, so it holds no secret. It has no disk and no memory that lasts, nothing
//! happens in it but while a request is answered, and its connections are made by the runtime.

use preamp_config::{BaseCredentials, Diagnostic, Loaded, Settings, Storage, is_secret_field};
use serde_json::{Map, Value};

/// Where the credentials of a gateway come from.
const ENVIRONMENT: &str = "a gateway has credentials from the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
                           AWS_SESSION_TOKEN of its runtime";

/// Says what of the configuration keeps it from being a gateway, and what a gateway does not heed.
pub(super) fn look(loaded: &Loaded<Settings>, options: &Map<String, Value>) -> Vec<Diagnostic> {
    let mut findings = Findings { loaded, found: Vec::new() };
    findings.exporter(options);
    findings.signing();
    findings.client();
    findings.delivery();
    findings.process();
    findings.found
}

/// Sets what is so in every gateway.
pub(super) fn adapt(options: &mut Map<String, Value>) {
    // One request at a time: partitions would only make more of them.
    options.insert("partitions".to_owned(), 1.into());
    // No instance knows when another sent metadata.
    options.insert("metadata_interval_ms".to_owned(), 0.into());
}

struct Findings<'l> {
    loaded: &'l Loaded<Settings>,
    found: Vec<Diagnostic>,
}

impl<'l> Findings<'l> {
    fn settings(&self) -> &'l Settings {
        &self.loaded.settings
    }

    /// An option of the component that a gateway cannot heed, by its JSON Pointer.
    fn refuse_option(&mut self, pointer: &str, why: &str) {
        self.found.push(self.loaded.locate(pointer, why));
    }

    /// A key of the exporter that a gateway cannot heed.
    fn refuse(&mut self, key: &str, why: &str) {
        let path = self.settings().exporter.key_names.key(key);
        self.found.push(Diagnostic { path, ..self.loaded.locate("", why) });
    }

    /// A key of the exporter that does nothing in a gateway.
    fn warn(&mut self, key: &str, why: &str) {
        self.refuse(key, why);
        if let Some(last) = self.found.last_mut() {
            last.is_warning = true;
        }
    }

    /// The same for keys of other sections.
    fn elsewhere(&mut self, path: &str, why: &str, is_warning: bool) {
        let place = None;
        self.found.push(Diagnostic {
            path: path.to_owned(),
            place,
            is_warning,
            ..self.loaded.locate("", why)
        });
    }

    fn exporter(&mut self, options: &Map<String, Value>) {
        if options.get("delta").and_then(Value::as_str) == Some("accumulate") {
            self.refuse_option(
                "/delta",
                "a gateway remembers nothing from request to request: have the SDKs send cumulative metrics, or accumulate in \
                 preamp run",
            );
        }
        let headers = options.get("headers").and_then(Value::as_object).into_iter().flatten();
        for (name, _) in headers.filter(|(name, _)| is_secret_field(name)) {
            self.refuse_option(
                &format!("/headers/{name}"),
                "it may be a secret, and would stand in a file that anybody may read: have the runtime, or a proxy behind the \
                 gateway, add it",
            );
        }
    }

    fn signing(&mut self) {
        let Some(sigv4) = &self.settings().exporter.sigv4 else { return };
        match sigv4.credentials.base {
            BaseCredentials::Chain => {}
            BaseCredentials::Profile(_) => {
                self.refuse_option(
                    "/sigv4",
                    &format!("a gateway sees no file, so it has no profile: {ENVIRONMENT}"),
                );
            }
            BaseCredentials::Keys { .. } => self.refuse_option(
                "/sigv4",
                &format!("the secret access key would stand in a file that anybody may read: {ENVIRONMENT}"),
            ),
        }
        if sigv4.credentials.assume_role.is_some() {
            self.refuse_option(
                "/sigv4",
                &format!("a gateway cannot ask STS for a role: {ENVIRONMENT}, and those can be the role's"),
            );
        }
    }

    fn client(&mut self) {
        let client = &self.settings().exporter.client;
        if client.authorization.is_some() {
            self.refuse(
                "auth",
                "its secret would stand in a file that anybody may read: have a proxy behind the gateway add it",
            );
        }
        let tls = &client.tls;
        let is_set = [
            ("tls.ca_file", tls.ca.is_some()),
            ("tls.cert_file", tls.identity.is_some()),
            ("tls.server_name_override", tls.server_name.is_some()),
            ("tls.insecure_skip_verify", tls.insecure_skip_verify),
        ];
        for (key, _) in is_set.into_iter().filter(|(_, is_set)| *is_set) {
            self.refuse(
                key,
                "the runtime makes the connections of a gateway: set it there, and leave it out here",
            );
        }
        if client.proxy_url.is_some() {
            self.refuse(
                "proxy_url",
                "the runtime makes the connections of a gateway: set it there, and leave it out here",
            );
        }
    }

    fn delivery(&mut self) {
        let exporter = &self.settings().exporter;
        let no_queue = "a gateway has no queue: a sender is answered once its payload is delivered, or told to send it again";
        match exporter.queue.storage {
            Storage::Memory => {}
            Storage::Directory(_) => self.warn("wal.directory", no_queue),
            Storage::Nats(_) => self.warn("nats", no_queue),
        }
        if !exporter.retry.enabled {
            self.warn(
                "retry_on_failure",
                "a gateway tries again for a few seconds, and then has the sender do so",
            );
        }
    }

    fn process(&mut self) {
        let Settings { receiver, processors, debug, health, .. } = self.settings();
        let id = format!("receivers.{}.protocols", receiver.id);
        if !processors.resource.is_empty() {
            self.elsewhere(
                "processors.resource",
                "a gateway changes no attributes: have the SDKs or a collector before it do that, or use external_labels",
                false,
            );
        }
        if let Some(http) = &receiver.http {
            if http.senders.is_some() {
                self.elsewhere(
                    &format!("{id}.http.auth"),
                    "a gateway does not know its senders: have what is before it ask them, and leave this out here",
                    false,
                );
            }
            if http.metrics_path != "/v1/metrics" {
                self.elsewhere(
                    &format!("{id}.http.metrics_url_path"),
                    "a gateway takes metrics at /v1/metrics alone",
                    false,
                );
            }
            if http.tls.is_some() {
                self.elsewhere(
                    &format!("{id}.http.tls"),
                    "the runtime listens for a gateway: set it there",
                    true,
                );
            }
        }
        if receiver.grpc.is_some() {
            self.elsewhere(&format!("{id}.grpc"), "a gateway takes OTLP over HTTP alone", true);
        }
        if !debug.is_empty() {
            self.elsewhere("exporters.debug", "a gateway prints nothing but what goes wrong", true);
        }
        if health.is_some() {
            self.elsewhere("extensions", "a gateway does not tell its health: ask its runtime", true);
        }
    }
}

//! The Collector file that Bindplane makes of a destination.

use super::configuration::Chosen;
use super::parameters::Parameters;
use super::receiver;
use crate::draft::{Draft, EXPORTER, SERVICE, SIGNER, exporter_id};
use crate::receiver::local_protocols;
use crate::sigv4auth::is_aps;
use crate::view::View;
use crate::yaml::{Node, Value};

/// What the type of destination has, its queues and retries included.
const NAMES: [&str; 32] = [
    "endpoint",
    "region",
    "arn",
    "sts_region",
    "session_name",
    "compression",
    "namespace",
    "max_batch_size_bytes",
    "enable_resource_to_telemetry_conversion",
    "add_unit_and_type",
    "export_created_metric",
    "headers",
    "external_labels",
    "enable_tls",
    "strict_tls_verify",
    "ca_file",
    "mutual_tls",
    "cert_file",
    "key_file",
    "enable_remote_write_queue",
    "remote_write_queue_size",
    "remote_write_queue_consumers",
    "remote_write_queue_num_consumers",
    "retry_on_failure_enabled",
    "retry_on_failure_initial_interval",
    "retry_on_failure_max_interval",
    "retry_on_failure_max_elapsed_time",
    "sending_queue_enabled",
    "sending_queue_num_consumers",
    "sending_queue_queue_size",
    "persistent_queue_enabled",
    "persistent_queue_directory",
];

/// The defaults of the type where they are not the Collector's.
const ADD_UNIT_AND_TYPE: bool = false;
/// In place of the agent's home where there is none.
const STATE_DIRECTORY: &str = "/var/lib/preamp";
const PERSISTENT_QUEUE_DIRECTORY: &str = "$OIQ_OTEL_COLLECTOR_HOME/storage";
const RETRY_INITIAL_SECONDS: i64 = 5;
const RETRY_MAX_SECONDS: i64 = 30;
const RETRY_ELAPSED_SECONDS: i64 = 300;

/// Renders the file.
pub(super) fn render(Chosen { source, destination }: &Chosen) -> Node {
    let parameters = Parameters::read(&destination.parameters, &NAMES);
    let draft = Draft { place: destination.parameters.location().place };
    // Bindplane names what it renders after the destination, where that can be a name.
    let id = destination.name.and_then(exporter_id).unwrap_or_else(|| EXPORTER.to_owned());
    let protocols = match source {
        Some(source) => {
            let draft = Draft { place: source.parameters.location().place };
            receiver::protocols(draft, &Parameters::read(&source.parameters, &receiver::NAMES))
        }
        None => local_protocols(draft),
    };
    let part = Part { draft };
    draft.file(protocols, (&id, part.exporter(&parameters)), Some((SIGNER, part.signer(&parameters))))
}

/// Renders the parts of the file.
struct Part {
    draft: Draft,
}

impl Part {
    fn exporter(&self, parameters: &Parameters) -> Node {
        let suffixes = parameters.boolean("add_unit_and_type");
        let resource_labels = parameters.boolean("enable_resource_to_telemetry_conversion");
        let created = parameters.boolean("export_created_metric");
        let switch = |enabled: Node| self.draft.switch(enabled);
        self.draft.section([
            ("endpoint", parameters.get("endpoint").and_then(endpoint)),
            ("namespace", parameters.text("namespace")),
            ("compression", parameters.text("compression")),
            ("max_batch_size_bytes", parameters.integer("max_batch_size_bytes")),
            ("add_metric_suffixes", Some(suffixes.unwrap_or_else(|| self.draft.flag(ADD_UNIT_AND_TYPE)))),
            ("resource_to_telemetry_conversion", resource_labels.map(switch)),
            ("export_created_metric", created.map(switch)),
            ("headers", parameters.map("headers")),
            ("external_labels", parameters.map("external_labels")),
            ("tls", self.tls(parameters)),
            ("remote_write_queue", Some(self.queue(parameters))),
            ("wal", self.queue_on_disk(parameters)),
            ("retry_on_failure", Some(self.retry(parameters))),
            ("auth", Some(self.draft.section([("authenticator", Some(self.draft.text(SIGNER)))]))),
        ])
    }

    fn signer(&self, parameters: &Parameters) -> Node {
        // A region of STS, or a name for the session, says nothing where no role is assumed.
        let role = parameters.get("arn").map(|arn| {
            let keys = ["arn", "session_name", "sts_region"];
            let role = self.draft.section(keys.map(|key| (key, parameters.text(key))));
            arn.carried_as(role.value, String::new())
        });
        self.draft.section([
            ("service", Some(self.draft.text(SERVICE))),
            ("region", parameters.text("region")),
            ("assume_role", role),
        ])
    }

    /// Certificates go unchecked unless `strict_tls_verify` is on, which the reader of the section says. Those of
    /// Amazon are checked if nothing is said: that they can be is certain.
    fn tls(&self, parameters: &Parameters) -> Option<Node> {
        if !parameters.is_on("enable_tls") {
            return None;
        }
        let is_strict = match parameters.get("strict_tls_verify") {
            Some(_) => parameters.is_on("strict_tls_verify"),
            None => is_amazon(parameters),
        };
        let skip = parameters.boolean("strict_tls_verify").unwrap_or_else(|| self.draft.flag(false));
        let file = |is_used: bool, key: &str| is_used.then(|| parameters.text(key)).flatten();
        let is_mutual = parameters.is_on("mutual_tls");
        Some(self.draft.section([
            (
                "insecure_skip_verify",
                Some(skip.replaced(Value::Boolean(!is_strict), (!is_strict).to_string())),
            ),
            ("ca_file", file(is_strict, "ca_file")),
            ("cert_file", file(is_mutual, "cert_file")),
            ("key_file", file(is_mutual, "key_file")),
        ]))
    }

    fn queue(&self, parameters: &Parameters) -> Node {
        let integer = |names: &[&str]| names.iter().find_map(|name| parameters.integer(name));
        let mut sizes = vec!["remote_write_queue_size"];
        let mut consumers = vec!["remote_write_queue_consumers", "remote_write_queue_num_consumers"];
        if is_queueing(parameters) {
            sizes.push("sending_queue_queue_size");
            consumers.push("sending_queue_num_consumers");
        }
        self.draft.section([
            ("enabled", parameters.boolean("enable_remote_write_queue")),
            ("queue_size", integer(&sizes)),
            ("num_consumers", integer(&consumers)),
        ])
    }

    /// Where the queue is kept, if it shall outlive the process.
    fn queue_on_disk(&self, parameters: &Parameters) -> Option<Node> {
        if !is_queueing(parameters) || !parameters.is_on("persistent_queue_enabled") {
            return None;
        }
        let directory = parameters.text("persistent_queue_directory");
        let directory = directory.unwrap_or_else(|| self.draft.text(PERSISTENT_QUEUE_DIRECTORY));
        Some(self.draft.within("directory", at_home(directory)))
    }

    fn retry(&self, parameters: &Parameters) -> Node {
        let elapsed = "retry_on_failure_max_elapsed_time";
        // What is kept on disk is not given up, unless somebody wants it so.
        let gives_up = parameters.get(elapsed).is_some() || self.queue_on_disk(parameters).is_none();
        let seconds = |name: &str, default: i64| {
            let node = parameters.integer(name).unwrap_or_else(|| self.draft.text(&default.to_string()));
            let text = format!("{}s", node.text);
            Some(node.replaced(Value::Text, text))
        };
        self.draft.section([
            ("enabled", parameters.boolean("retry_on_failure_enabled")),
            ("initial_interval", seconds("retry_on_failure_initial_interval", RETRY_INITIAL_SECONDS)),
            ("max_interval", seconds("retry_on_failure_max_interval", RETRY_MAX_SECONDS)),
            ("max_elapsed_time", gives_up.then(|| seconds(elapsed, RETRY_ELAPSED_SECONDS)).flatten()),
        ])
    }
}

/// The URL of the workspace, which Bindplane's form takes without a scheme too.
fn endpoint(view: &View) -> Option<Node> {
    const HTTPS: &str = "https://";
    let text = view.text()?;
    if !text.contains(['.', ':', '/']) {
        view.error(format!(
            "{} is no URL: write that of the workspace, \
             https://aps-workspaces.REGION.amazonaws.com/workspaces/WORKSPACE_ID/api/v1/remote_write",
            view.shown()
        ));
    }
    let mut endpoint = view.carried();
    if !text.contains("://") {
        endpoint.text.insert_str(0, HTTPS);
        endpoint.written = endpoint.written.map(|written| format!("{HTTPS}{written}").into());
    }
    Some(endpoint)
}

fn is_amazon(parameters: &Parameters) -> bool {
    let endpoint = parameters.get("endpoint").and_then(|view| view.text());
    let url = endpoint.and_then(|endpoint| endpoint.parse::<http::Uri>().ok());
    url.is_some_and(|url| url.host().is_some_and(is_aps))
}

/// Bindplane writes its agent's home as a reference that no other Collector would expand.
fn at_home(directory: Node) -> Node {
    const FORMS: [&str; 2] = ["$OIQ_OTEL_COLLECTOR_HOME/", "${OIQ_OTEL_COLLECTOR_HOME}/"];
    let written = directory.written.as_deref().unwrap_or(&directory.text);
    let Some(rest) = FORMS.iter().find_map(|form| written.strip_prefix(form)) else { return directory };
    let text = format!("${{env:OIQ_OTEL_COLLECTOR_HOME:-{STATE_DIRECTORY}}}/{rest}");
    directory.replaced(Value::Text, text)
}

/// Whether the agent's sending queue is on, which it is unless it is switched off.
fn is_queueing(parameters: &Parameters) -> bool {
    parameters.get("sending_queue_enabled").is_none() || parameters.is_on("sending_queue_enabled")
}

//! The Collector file that Bindplane makes of a destination.

use super::envelope::Destination;
use super::parameters::Parameters;
use crate::config::diagnostic::Place;
use crate::config::view::View;
use crate::config::yaml::{Entry, Node, Value};

const EXPORTER: &str = "prometheusremotewrite";
const SIGNER: &str = "sigv4auth";

/// The AWS service that the destination is made for.
const SERVICE: &str = "aps";

/// Where a destination alone takes OTLP: Bindplane's agent would have sources for that.
const GRPC: &str = "localhost:4317";
const HTTP: &str = "localhost:4318";

/// The defaults of the type where they are not the Collector's.
const ADD_UNIT_AND_TYPE: bool = false;
const RETRY_INITIAL_SECONDS: i64 = 5;
const RETRY_MAX_SECONDS: i64 = 30;
const RETRY_ELAPSED_SECONDS: i64 = 300;

/// Renders the file.
pub(super) fn render(destination: &Destination, parameters: &Parameters) -> Node {
    let file = File { place: destination.parameters.location().place };
    // Bindplane names what it renders after the destination, where that can be a name.
    let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let id = match destination.name.filter(|name| !name.is_empty()).filter(is_name) {
        Some(name) => format!("{EXPORTER}/{name}"),
        None => EXPORTER.to_owned(),
    };
    let protocol = |endpoint: &str| file.map(vec![file.entry("endpoint", file.text(endpoint))]);
    let protocols = file.map(vec![file.entry("grpc", protocol(GRPC)), file.entry("http", protocol(HTTP))]);
    let receiver = file.map(vec![file.entry("protocols", protocols)]);
    let pipeline =
        file.map(vec![file.entry("receivers", file.list("otlp")), file.entry("exporters", file.list(&id))]);
    let service = file.map(vec![
        file.entry("extensions", file.list(SIGNER)),
        file.entry("pipelines", file.map(vec![file.entry("metrics", pipeline)])),
    ]);
    file.map(vec![
        file.entry("receivers", file.map(vec![file.entry("otlp", receiver)])),
        file.entry("exporters", file.map(vec![file.entry(&id, file.exporter(parameters))])),
        file.entry("extensions", file.map(vec![file.entry(SIGNER, file.signer(parameters))])),
        file.entry("service", service),
    ])
}

/// Makes nodes; those that stand for nothing in particular are placed at the parameters as a whole.
struct File {
    place: Place,
}

impl File {
    fn exporter(&self, parameters: &Parameters) -> Node {
        let mut entries = Vec::new();
        let mut add = |key: &str, node: Option<Node>| {
            entries.extend(node.map(|node| Entry { key: key.to_owned(), place: node.place, value: node }));
        };
        add("endpoint", parameters.get("endpoint").and_then(endpoint));
        add("namespace", parameters.text("namespace"));
        add("compression", parameters.text("compression"));
        add("max_batch_size_bytes", parameters.integer("max_batch_size_bytes").map(|(_, node)| node));
        let suffixes = parameters.boolean("add_unit_and_type").map(|(_, node)| node);
        add("add_metric_suffixes", Some(suffixes.unwrap_or_else(|| self.flag(ADD_UNIT_AND_TYPE))));
        add(
            "resource_to_telemetry_conversion",
            self.switch(parameters, "enable_resource_to_telemetry_conversion"),
        );
        add("export_created_metric", self.switch(parameters, "export_created_metric"));
        add("headers", parameters.map("headers"));
        add("external_labels", parameters.map("external_labels"));
        add("tls", self.tls(parameters));
        add("remote_write_queue", self.queue(parameters));
        add("retry_on_failure", Some(self.retry(parameters)));
        add("auth", Some(self.map(vec![self.entry("authenticator", self.text(SIGNER))])));
        self.map(entries)
    }

    fn signer(&self, parameters: &Parameters) -> Node {
        let role: Vec<_> = [("arn", "arn"), ("session_name", "session_name"), ("sts_region", "sts_region")]
            .into_iter()
            .filter_map(|(key, name)| Some(self.entry(key, parameters.text(name)?)))
            .collect();
        let mut entries = vec![self.entry("service", self.text(SERVICE))];
        entries.extend(parameters.text("region").map(|region| self.entry("region", region)));
        // A region of STS, or a name for the session, says nothing where no role is assumed.
        if let Some(arn) = parameters.get("arn") {
            check_arn(arn);
            let role = arn.carried_as(Value::Map(role), String::new());
            entries.push(self.entry("assume_role", role));
        }
        self.map(entries)
    }

    /// Certificates go unchecked unless `strict_tls_verify` is on, which the reader of the section says.
    fn tls(&self, parameters: &Parameters) -> Option<Node> {
        if !parameters.is_on("enable_tls") {
            return None;
        }
        let strict = parameters.boolean("strict_tls_verify");
        let is_strict = strict.as_ref().is_some_and(|(flag, _)| *flag);
        let mut skip = strict.map_or_else(|| self.flag(true), |(_, node)| node);
        skip.value = Value::Boolean(!is_strict);
        let mut entries = vec![self.entry("insecure_skip_verify", skip)];
        if is_strict {
            entries.extend(parameters.text("ca_file").map(|file| self.entry("ca_file", file)));
        }
        if parameters.is_on("mutual_tls") {
            for key in ["cert_file", "key_file"] {
                entries.extend(parameters.text(key).map(|file| self.entry(key, file)));
            }
        }
        Some(self.map(entries))
    }

    fn queue(&self, parameters: &Parameters) -> Option<Node> {
        let integer =
            |names: &[&str]| names.iter().find_map(|name| parameters.integer(name)).map(|(_, node)| node);
        let (mut sizes, mut consumers) = (
            vec!["remote_write_queue_size"],
            vec!["remote_write_queue_consumers", "remote_write_queue_num_consumers"],
        );
        if parameters.is_on("sending_queue_enabled") {
            check_persistence(parameters);
            sizes.push("sending_queue_queue_size");
            consumers.push("sending_queue_num_consumers");
        }
        let entries: Vec<_> = [
            ("enabled", parameters.boolean("enable_remote_write_queue").map(|(_, node)| node)),
            ("queue_size", integer(&sizes)),
            ("num_consumers", integer(&consumers)),
        ]
        .into_iter()
        .filter_map(|(key, node)| Some(self.entry(key, node?)))
        .collect();
        (!entries.is_empty()).then(|| self.map(entries))
    }

    fn retry(&self, parameters: &Parameters) -> Node {
        let enabled = parameters.boolean("retry_on_failure_enabled").map(|(_, node)| node);
        let mut entries: Vec<_> = enabled.map(|node| self.entry("enabled", node)).into_iter().collect();
        for (key, name, default) in [
            ("initial_interval", "retry_on_failure_initial_interval", RETRY_INITIAL_SECONDS),
            ("max_interval", "retry_on_failure_max_interval", RETRY_MAX_SECONDS),
            ("max_elapsed_time", "retry_on_failure_max_elapsed_time", RETRY_ELAPSED_SECONDS),
        ] {
            let given = parameters.integer(name);
            let (seconds, node) = given.unwrap_or_else(|| (default, self.text("")));
            entries.push(self.entry(key, Node { value: Value::Text, text: format!("{seconds}s"), ..node }));
        }
        self.map(entries)
    }

    /// A section with nothing but `enabled`.
    fn switch(&self, parameters: &Parameters, name: &str) -> Option<Node> {
        let (_, node) = parameters.boolean(name)?;
        Some(self.map(vec![self.entry("enabled", node)]))
    }

    fn map(&self, entries: Vec<Entry>) -> Node {
        Node::new(self.place, Value::Map(entries), String::new())
    }

    fn text(&self, text: &str) -> Node {
        Node::new(self.place, Value::Text, text.to_owned())
    }

    fn flag(&self, flag: bool) -> Node {
        Node::new(self.place, Value::Boolean(flag), flag.to_string())
    }

    fn list(&self, item: &str) -> Node {
        Node::new(self.place, Value::List(vec![self.text(item)]), String::new())
    }

    fn entry(&self, key: &str, value: Node) -> Entry {
        Entry { key: key.to_owned(), place: value.place, value }
    }
}

/// The URL of the workspace, which Bindplane's form takes without a scheme too.
fn endpoint(view: &View) -> Option<Node> {
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
        endpoint.text.insert_str(0, "https://");
    }
    Some(endpoint)
}

fn check_arn(view: &View) {
    if view.text().is_some_and(|arn| !arn.starts_with("arn:")) {
        view.error(format!("{} is no ARN: write arn:aws:iam::ACCOUNT:role/NAME", view.shown()));
    }
}

/// A queue that should outlive the process must not become one that does not.
fn check_persistence(parameters: &Parameters) {
    if parameters.is_on("persistent_queue_enabled")
        && let Some(view) = parameters.get("persistent_queue_enabled")
    {
        view.error("a queue on disk is not supported by this version of preamp yet: set it to false");
    }
}

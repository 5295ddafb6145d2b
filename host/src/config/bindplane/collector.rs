//! The Collector file that Bindplane makes of a destination.

use super::envelope::Destination;
use super::parameters::Parameters;
use crate::config::diagnostic::Place;
use crate::config::sigv4auth::is_aps;
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
    let protocol = |endpoint: &str| file.section([("endpoint", Some(file.text(endpoint)))]);
    let protocols = file.section([("grpc", Some(protocol(GRPC))), ("http", Some(protocol(HTTP)))]);
    let pipeline =
        file.section([("receivers", Some(file.list("otlp"))), ("exporters", Some(file.list(&id)))]);
    let within = |key: &str, node: Node| file.section([(key, Some(node))]);
    file.section([
        ("receivers", Some(within("otlp", within("protocols", protocols)))),
        ("exporters", Some(within(&id, file.exporter(parameters)))),
        ("extensions", Some(within(SIGNER, file.signer(parameters)))),
        (
            "service",
            Some(file.section([
                ("extensions", Some(file.list(SIGNER))),
                ("pipelines", Some(within("metrics", pipeline))),
            ])),
        ),
    ])
}

/// Makes nodes; those that stand for nothing in particular are placed at the parameters as a whole.
struct File {
    place: Place,
}

impl File {
    fn exporter(&self, parameters: &Parameters) -> Node {
        let suffixes = parameters.boolean("add_unit_and_type");
        let resource_labels = parameters.boolean("enable_resource_to_telemetry_conversion");
        let created = parameters.boolean("export_created_metric");
        let switch = |enabled: Node| self.section([("enabled", Some(enabled))]);
        self.section([
            ("endpoint", parameters.get("endpoint").and_then(endpoint)),
            ("namespace", parameters.text("namespace")),
            ("compression", parameters.text("compression")),
            ("max_batch_size_bytes", parameters.integer("max_batch_size_bytes")),
            ("add_metric_suffixes", Some(suffixes.unwrap_or_else(|| self.flag(ADD_UNIT_AND_TYPE)))),
            ("resource_to_telemetry_conversion", resource_labels.map(switch)),
            ("export_created_metric", created.map(switch)),
            ("headers", parameters.map("headers")),
            ("external_labels", parameters.map("external_labels")),
            ("tls", self.tls(parameters)),
            ("remote_write_queue", Some(self.queue(parameters))),
            ("retry_on_failure", Some(self.retry(parameters))),
            ("auth", Some(self.section([("authenticator", Some(self.text(SIGNER)))]))),
        ])
    }

    fn signer(&self, parameters: &Parameters) -> Node {
        // A region of STS, or a name for the session, says nothing where no role is assumed.
        let role = parameters.get("arn").map(|arn| {
            let keys = ["arn", "session_name", "sts_region"];
            let role = self.section(keys.map(|key| (key, parameters.text(key))));
            arn.carried_as(role.value, String::new())
        });
        self.section([
            ("service", Some(self.text(SERVICE))),
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
        let skip = parameters.boolean("strict_tls_verify").unwrap_or_else(|| self.flag(false));
        let file = |is_used: bool, key: &str| is_used.then(|| parameters.text(key)).flatten();
        let is_mutual = parameters.is_on("mutual_tls");
        Some(self.section([
            ("insecure_skip_verify", Some(Node { value: Value::Boolean(!is_strict), ..skip })),
            ("ca_file", file(is_strict, "ca_file")),
            ("cert_file", file(is_mutual, "cert_file")),
            ("key_file", file(is_mutual, "key_file")),
        ]))
    }

    fn queue(&self, parameters: &Parameters) -> Node {
        let integer = |names: &[&str]| names.iter().find_map(|name| parameters.integer(name));
        let mut sizes = vec!["remote_write_queue_size"];
        let mut consumers = vec!["remote_write_queue_consumers", "remote_write_queue_num_consumers"];
        if parameters.is_on("sending_queue_enabled") {
            check_persistence(parameters);
            sizes.push("sending_queue_queue_size");
            consumers.push("sending_queue_num_consumers");
        }
        self.section([
            ("enabled", parameters.boolean("enable_remote_write_queue")),
            ("queue_size", integer(&sizes)),
            ("num_consumers", integer(&consumers)),
        ])
    }

    fn retry(&self, parameters: &Parameters) -> Node {
        let seconds = |name: &str, default: i64| {
            let node = parameters.integer(name).unwrap_or_else(|| self.text(&default.to_string()));
            Some(Node { value: Value::Text, text: format!("{}s", node.text), ..node })
        };
        self.section([
            ("enabled", parameters.boolean("retry_on_failure_enabled")),
            ("initial_interval", seconds("retry_on_failure_initial_interval", RETRY_INITIAL_SECONDS)),
            ("max_interval", seconds("retry_on_failure_max_interval", RETRY_MAX_SECONDS)),
            ("max_elapsed_time", seconds("retry_on_failure_max_elapsed_time", RETRY_ELAPSED_SECONDS)),
        ])
    }

    /// A section of those parts that there are.
    fn section<'k>(&self, parts: impl IntoIterator<Item = (&'k str, Option<Node>)>) -> Node {
        let entry = |(key, node): (&str, Option<Node>)| {
            node.map(|value| Entry { key: key.to_owned(), place: value.place, value })
        };
        Node::new(self.place, Value::Map(parts.into_iter().filter_map(entry).collect()), String::new())
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

fn is_amazon(parameters: &Parameters) -> bool {
    let endpoint = parameters.get("endpoint").and_then(|view| view.text());
    let url = endpoint.and_then(|endpoint| endpoint.parse::<http::Uri>().ok());
    url.is_some_and(|url| url.host().is_some_and(is_aps))
}

/// A queue that should outlive the process must not become one that does not.
fn check_persistence(parameters: &Parameters) {
    if parameters.is_on("persistent_queue_enabled")
        && let Some(view) = parameters.get("persistent_queue_enabled")
    {
        view.error("a queue on disk is not supported by this version of preamp yet: set it to false");
    }
}

//! What a configuration means to the host. Options of the translation are carried to the component unread, as
//! JSON.
//!
//! The way of it: each `source` has a text, which `yaml` makes a tree with positions; `formats` makes a Collector
//! file of whatever it is (`bindplane`, `kubernetes`, `prometheus`); `merge` puts them together, and `substitution` fills references in.
//! From there `root` reads it, each section by the module of its name, and the metrics pipelines decide what
//! of it runs. All problems are collected, each with its place.
//!
//! Each key has one definition (`definition`), in the table of its section (`view::keys`). A reader gets a value by the
//! definition only, and notes the default where there is none; `print-config` shows those (`effective`). The reference
//! of all keys (`reference`) and the JSON Schema (`schema`) come from the same tables, and from what the component says
//! of its own options (`options`).

mod authorization;
mod bindplane;
mod cipher_suites;
mod component;
mod definition;
mod diagnostic;
mod draft;
mod duration;
mod effective;
mod embedded;
mod exporter;
mod extensions;
mod foreign;
mod form;
mod formats;
mod gates;
mod health;
mod ids;
mod kubernetes;
mod load;
mod merge;
mod options;
mod path;
mod place;
mod placeholder;
mod print;
mod processors;
mod prometheus;
mod receiver;
mod reference;
mod remedy;
mod root;
mod schema;
mod secrets;
mod senders;
mod service;
mod serving;
mod settings;
mod sigv4auth;
mod source;
mod storage;
mod substitution;
mod telemetry;
mod tls;
mod view;
mod yaml;

pub use cipher_suites::CIPHER_SUITES;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use duration::parse as parse_duration;
pub use form::{FileForm, KeyNames};
pub use gates::FeatureGates;
pub use load::{Converted, Loaded, Request, convert, explain, load, load_exporter, parse};
pub use options::Options;
pub use place::Place;
pub use preamp_base::Directory;
pub use receiver::GRPC_EXPORT_PATH;
pub use reference::{KeyClass, KeyReference, key_references, markdown};
pub use schema::schema;
pub use secrets::is_secret_field;
pub use settings::{
    AssumeRole, AttributeAction, AttributeKeys, AttributeType, AttributeValue, Authorization, AwsCredentials,
    BaseCredentials, Batching, Change, ClientSettings, ClientTls, Connections, DebugExporter,
    ExporterSettings, Health, HealthAnswer, Hosts, Listener, LogFormat, MemoryLimit, MemoryLimiter,
    MetricNames, Nats, NatsCredentials, OtlpProtocol, OtlpReceiver, Output, Overflow, Pem, Processors, Proof,
    Push, PushReceiver, PushTarget, Queue, Retry, Sampling, Senders, ServerTls, Serving, Settings, Shown,
    SigV4, Storage, Telemetry, TlsIdentity, TlsProtocol, TlsVersion, Tokens, Verbosity,
};
pub use source::Source;
pub use substitution::Environment;

#[cfg(test)]
mod tests;

//! What a configuration file means to the host. The file is a Collector YAML or a
//! destination of Bindplane; options of the translation are carried to the component unread, as JSON.
//!
//! The way of a file: text becomes a tree with positions, references to the environment
//! are filled in, each section is read by the module of its name, and the metrics pipelines decide
//! what of it runs. All problems are collected, each with its place.

mod bindplane;
mod component;
mod defaults;
mod diagnostic;
mod draft;
mod duration;
mod embedded;
mod exporter;
mod extensions;
mod formats;
mod health;
mod ids;
mod keys;
mod kubernetes;
mod load;
mod merge;
mod print;
mod processors;
mod prometheus;
mod receiver;
mod service;
mod settings;
mod sigv4auth;
mod source;
mod substitution;
mod telemetry;
mod tls;
mod view;
mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Place};
pub use load::{Loaded, Request, convert, explain, load, load_exporter, parse};
pub use settings::{
    AssumeRole, AttributeAction, AttributeKeys, AttributeType, AttributeValue, AwsCredentials,
    BaseCredentials, Batching, Change, ClientSettings, ClientTls, Connections, ExporterSettings, Health,
    HealthAnswer, Listener, LogFormat, MemoryLimit, MemoryLimiter, OtlpReceiver, Pem, Processors, Queue,
    Retry, ServerTls, Settings, SigV4, Telemetry, TlsIdentity, TlsProtocol, TlsVersion,
};
pub use source::Source;
pub use substitution::Environment;

#[cfg(test)]
mod tests;

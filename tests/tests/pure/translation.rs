//! What is made of payloads: by the library and the component, the same in all forms, and the same as the Collector's
//! translator makes.

mod corpus;
mod differential;
mod otlp_json;
mod same_bytes;
mod vectors;
mod version;

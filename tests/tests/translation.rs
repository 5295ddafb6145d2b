//! What is made of payloads: by the library and the component, the same in all forms, and the same as the Collector's
//! translator makes.

#[path = "translation/corpus.rs"]
mod corpus;
#[path = "translation/differential.rs"]
mod differential;
#[path = "translation/otlp_json.rs"]
mod otlp_json;
#[path = "translation/same_bytes.rs"]
mod same_bytes;
#[path = "translation/vectors.rs"]
mod vectors;

//! The environment of WASI 0.3.

// The exported functions that wit-bindgen generates take raw pointers across the boundary.
#![allow(unsafe_code)]

use preamp_edge_credentials::{DerivedKey, Guest, derive};
use wasip3::cli::environment::get_environment;

struct Credentials;

preamp_edge_credentials::export!(Credentials);

impl Guest for Credentials {
    fn derive(date: String, region: String, service: String) -> Result<DerivedKey, String> {
        derive(&get_environment(), &date, &region, &service)
    }
}

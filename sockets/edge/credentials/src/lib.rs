//! Signing keys from the access key in the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary
//! credentials, `AWS_SESSION_TOKEN`.

// The exported functions that wit-bindgen generates take raw pointers across the boundary.
#![allow(unsafe_code)]

wit_bindgen::generate!({
    path: ["../../../wit", "../../../wit/edge"],
    world: "preamp:edge/credentials-of-environment",
    pub_export_macro: true,
    default_bindings_module: "preamp_edge_credentials",
});

pub use exports::preamp::edge::credentials::{DerivedKey, Guest};

use preamp_core::sigv4::derive_key;

/// Derives the key for a date, a region and a service. Fails with the name of the variable that is missing.
pub fn derive(
    environment: &[(String, String)],
    date: &str,
    region: &str,
    service: &str,
) -> Result<DerivedKey, String> {
    let value = |name: &str| {
        let found = environment.iter().find(|(key, value)| key == name && !value.trim().is_empty());
        found.map(|(_, value)| value.trim().to_owned())
    };
    let needed = |name: &str| value(name).ok_or_else(|| format!("{name} is not set in the environment"));
    let access_key_id = needed("AWS_ACCESS_KEY_ID")?;
    let secret = needed("AWS_SECRET_ACCESS_KEY")?;
    let key = derive_key(&secret, date, region, service).to_vec();
    Ok(DerivedKey { access_key_id, session_token: value("AWS_SESSION_TOKEN"), key })
}

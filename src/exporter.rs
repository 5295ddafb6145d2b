//! The exporter: one method for each function of the contract.

use crate::config::Config;
use crate::types::*;

/// One configuration, with the caches and scratch memory that live from call to call.
pub struct Exporter {
    config: Config,
}

impl Exporter {
    /// Opens an exporter from a configuration in JSON ([`crate::config::SCHEMA`]).
    ///
    /// # Errors
    ///
    /// Every problem of the configuration, each with its place.
    pub fn open(configuration: &str) -> Result<Exporter, Vec<Problem>> {
        Ok(Exporter { config: Config::read(configuration)? })
    }
}

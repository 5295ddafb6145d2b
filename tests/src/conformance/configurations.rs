//! Configurations that are refused.

use super::Case;
use serde_json::json;

/// The cases. None of them gets to a payload. An option that is not known is not among them: all that are known would stand in
/// the file then.
pub(super) fn cases() -> Vec<Case> {
    let options = json!({"endpoint": "ftp://receiver", "partitions": 0, "headers": {"Host": "a"}});
    let refused = |name, configuration: &str| Case {
        name,
        configuration: configuration.to_owned(),
        play: |_| anyhow::bail!("the configuration is taken"),
    };
    vec![
        Case::new("a configuration with three problems, all told at once", options, |_| {
            anyhow::bail!("the configuration is taken")
        }),
        refused("a configuration without an endpoint", "{}"),
        refused("a configuration that is no JSON", "endpoint: http://receiver.example"),
    ]
}

//! What the Collector says to files.

use anyhow::ensure;
use preamp_tests::collector::validate;

const ENDPOINT: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

#[test]
#[ignore = "`./build.sh soak sockets`, which builds it"]
fn what_is_wrong_with_a_file_is_said_at_once() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let pipeline = "receivers: {otlp: {protocols: {http: {}}}}
service: {pipelines: {metrics: {receivers: [otlp], exporters: [preamp]}}}
";
    let wrong = "
    wal: {directory: /var/lib/wal}
    delta: accumulate
    headers: {X-Api-Key: hidden-value}";
    let refused = "
    max_sample_age: -1s
    headers: {Content-Type: hidden-value}
    translation_strategy: NoTranslation";
    for (keys, parts) in [
        (wrong, &["wal: ", "sending_queue::storage", "delta: ", "deltatocumulative"][..]),
        (refused, &["max_sample_age: ", "headers::Content-Type: ", "translation_strategy: "]),
    ] {
        let text = format!("{pipeline}exporters:\n  preamp:\n    endpoint: {ENDPOINT}{keys}\n");
        let output = validate(&text, folder.path())?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        ensure!(!output.status.success(), "{keys} was taken");
        for part in parts.iter().chain(&["exporters::preamp"]) {
            ensure!(said.contains(part), "nothing of {part} in: {said}");
        }
        ensure!(!said.contains("hidden-value"), "{said}");
    }
    let good = format!("{pipeline}exporters: {{preamp: {{endpoint: '{ENDPOINT}', sigv4: {{}}}}}}\n");
    let output = validate(&good, folder.path())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

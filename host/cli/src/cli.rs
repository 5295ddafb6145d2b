//! The commands of `preamp`: what can be said, and what is done then.

mod arguments;
mod audit;
mod bundle;
mod check;
mod diff;
mod dumps;
mod ending;
mod generated;
mod keys;
mod offline;
mod print;
mod progress;
mod quarantine;
mod queue;
mod reading;
mod ready;
mod run;
mod stored;
mod supervisor;
mod totals;
mod translate;
mod validate;
mod watch;
mod words;

use crate::demo::stand_in::StandInArgs;
use crate::demo::{self, DemoArgs};
use audit::AuditArgs;
use bundle::BundleArgs;
use check::CheckArgs;
use clap::{Args, Parser, Subcommand};
use diff::DiffArgs;
use generated::{CompletionsArgs, ManArgs};
use keys::ConfigCommand;
use preamp_base::printable;
use preamp_config::{FeatureGates, Source};
use print::ConvertArgs;
use quarantine::QuarantineCommand;
use queue::QueueCommand;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use translate::TranslateArgs;
use validate::ValidateArgs;

/// Exit status of a command that did what it should, and found points that the exporter does not take.
/// Prometheus' own tools call problems of the data, as opposed to trouble with it, 3 as well.
const REJECTED: u8 = 3;

/// Lines stay under 80 columns, since a line that is broken cannot be pasted.
const EXAMPLES: &str = r#"Examples:
  See it work, with nothing but this program:
      preamp demo

  Check a configuration without starting anything:
      preamp validate --config preamp.yaml

  Run it, with credentials from the environment:
      export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…
      preamp run --config preamp.yaml

  See what becomes of metrics that were captured:
      preamp translate capture.json

A configuration that is complete:

  receivers:
    otlp:
      protocols:
        grpc: {endpoint: 127.0.0.1:4317}
        http: {endpoint: 127.0.0.1:4318}
  exporters:
    prometheusremotewrite:
      endpoint: "https://aps-workspaces.eu-west-1.amazonaws.com\
        /workspaces/ws-b226cc2a-a446-46a9-933a-ac50479a5568\
        /api/v1/remote_write"
      auth: {authenticator: sigv4auth}
  extensions:
    sigv4auth: {region: eu-west-1, service: aps}
  service:
    extensions: [sigv4auth]
    pipelines:
      metrics: {receivers: [otlp], exporters: [prometheusremotewrite]}

Exit status: 0 all well, 1 a problem (which is said), 2 wrong usage;
check, translate and diff have more."#;

/// What `--version` says, beside the name; `-V` says the first line.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\ncomponent ", env!("PREAMP_COMPONENT_DIGEST"));

/// Takes OTLP metrics and delivers them to Amazon Managed Service for Prometheus (AMP), or to any
/// other receiver of Prometheus remote write.
#[derive(Debug, Parser)]
#[command(
    name = "preamp",
    version,
    long_version = VERSION,
    long_about = "\
Takes OTLP metrics over gRPC and HTTP, translates them to Prometheus remote write, signs each request \
for AWS and delivers it to Amazon Managed Service for Prometheus (AMP), or to any other receiver of \
Prometheus remote write.

The configuration is that of an OpenTelemetry Collector: a file that runs there runs here, as far as \
the receiver `otlp`, the exporter `prometheusremotewrite` and the extension `sigv4auth` go.",
    after_long_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Allow core dumps of this process, and debuggers of the same user: its memory holds credentials.
    #[arg(long, global = true)]
    allow_core_dumps: bool,
}

impl Cli {
    /// The exit status if that fails.
    pub(crate) fn status_of_failure(&self) -> ExitCode {
        match self.command {
            Command::Diff(_) => ExitCode::from(diff::TROUBLE),
            _ => ExitCode::FAILURE,
        }
    }

    /// Reads the command line, and the variable that stands for --config.
    ///
    /// # Errors
    /// When it is not understood, or asks for help.
    pub(crate) fn read<T: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Cli, clap::Error> {
        let mut cli = Cli::try_parse_from(arguments)?;
        match cli.command.config() {
            Some(config) => config.complete().map(|()| cli),
            None => Ok(cli),
        }
    }

    /// Does what was asked for.
    pub(crate) fn execute(self) -> anyhow::Result<ExitCode> {
        // Before anything reads a secret.
        if !self.allow_core_dumps
            && let Err(error) = dumps::forbid()
        {
            writeln!(printable::stderr(), "warning: core dumps cannot be forbidden: {error}")?;
        }
        match self.command {
            Command::Run(args) => return complete(run::run(args)),
            Command::Validate(args) => return validate::validate(&args),
            Command::Convert(args) => print::convert(&args)?,
            Command::PrintConfig(args) => print::print_config(&args)?,
            Command::Config(command) => keys::config(&command)?,
            Command::Completions(args) => generated::completions(&args)?,
            Command::Man(args) => generated::man(&args)?,
            Command::Check(args) => return complete(check::check(args)),
            Command::Queue(command) => queue::queue(command)?,
            Command::Quarantine(command) => quarantine::quarantine(command)?,
            Command::Audit(args) => audit::audit(&args)?,
            Command::Bundle(args) => bundle::bundle(&args)?,
            Command::Demo(args) => complete(demo::run(args))?,
            Command::StandIn(args) => complete(demo::stand_in::run(args))?,
            Command::Translate(args) => return complete(translate::translate(args)),
            Command::Diff(args) => return complete(diff::diff(args)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs a task to its end and leaves behind whatever else still runs then.
fn complete<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(task);
    // Calls to the component cannot be interrupted, so dropping the runtime might wait for ever.
    runtime.shutdown_background();
    result
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take metrics and deliver them until stopped.
    ///
    /// Listens where the configuration says, and logs a line `ready` with the addresses. SIGINT or
    /// SIGTERM stop it in order: no more requests are taken, and what was accepted is delivered, for
    /// at most --drain-timeout. A second signal ends it at once. SIGHUP has it read the configuration
    /// again: one that cannot be used is told of and changes nothing, and no payload is lost. Where systemd starts it,
    /// it tells systemd when it is ready, reloads and stops (Type=notify).
    ///
    /// If the exporter's authenticator is `sigv4auth`, credentials are looked for as all AWS tools do: in the
    /// environment, a profile, a web identity, the container, the instance; or where the file says.
    #[command(after_long_help = "\
Example:
  preamp run --config preamp.yaml

Send it metrics from any OpenTelemetry SDK:
  export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
  ./your-program")]
    Run(RunArgs),
    /// Check a configuration and report all problems at once.
    ///
    /// Nothing is started and nobody is connected to. Problems are named with file, line and column.
    Validate(ValidateArgs),
    /// Print a configuration as one Collector file.
    ///
    /// For a Bindplane destination, a Prometheus file, or several files that are merged. References to the
    /// environment stay references, and secrets that stand in the file stand in what is printed, with a warning: --redact
    /// leaves them out. What could not be carried is said in comments at the top.
    #[command(after_long_help = "\
Example:
  preamp convert --config prometheus.yml > preamp.yaml")]
    Convert(ConvertArgs),
    /// Print what a configuration comes to, and where each value comes from.
    ///
    /// All sources are merged, and the defaults are filled in. Secrets are left out: values of headers, keys, passwords,
    /// what stands in URLs before `@` and after `?`, and everything that comes from the environment.
    PrintConfig(ConfigArgs),
    /// Look up the keys of a configuration, or print its JSON Schema.
    #[command(
        subcommand,
        after_help = "\
Examples:
  preamp config keys max_queue_bytes
  preamp config keys exporters retry
  preamp config schema > preamp.schema.json"
    )]
    Config(ConfigCommand),
    /// Check that a configuration works, step by step to the receiver's answer.
    ///
    /// The steps are: configuration, endpoint, signature, DNS, connection (with TLS), clock, credentials and where
    /// they come from, identity (who AWS says that is), and a write: an empty request, which leaves nothing
    /// behind, or one sample. Each says what was found, and what helps if that is not well.
    ///
    /// It sends as `preamp run` does: through the proxy that `proxy_url` of the exporter names, or HTTPS_PROXY, HTTP_PROXY
    /// or ALL_PROXY of the environment, but for hosts in NO_PROXY; with the receiver's time if it refuses the local one.
    #[command(after_long_help = "\
Examples:
  preamp check --config preamp.yaml
  preamp check --config preamp.yaml --sample
  preamp check --config preamp.yaml --offline --json

Exit status: 0 metrics would arrive (with --offline: the configuration can be used),
1 they would not until something is changed, 2 wrong usage,
3 not now: the receiver is overloaded, unavailable or does not answer (408, 429,
5xx, time-out). `preamp run` would keep the data and try again.")]
    Check(CheckArgs),
    /// Look at a queue on disk, or empty it.
    #[command(
        subcommand,
        after_help = "\
Examples:
  preamp queue status --config preamp.yaml
  preamp queue peek --config preamp.yaml --partition 3 --count 5
  preamp queue drain --config preamp.yaml"
    )]
    Queue(QueueCommand),
    /// Look at what the receiver refused for good or what became too old; have it sent once more, or remove it.
    #[command(
        subcommand,
        after_help = "\
Examples:
  preamp quarantine list --config preamp.yaml
  preamp quarantine show --config preamp.yaml --reason label-limit
  preamp quarantine replay --config preamp.yaml --reason label-limit --dry-run
  preamp quarantine purge --config preamp.yaml --state expired"
    )]
    Quarantine(QuarantineCommand),
    /// Prove from the files of a queue that every point is accounted for.
    ///
    /// accepted = delivered + partly rejected + rejected + expired + quarantined + damaged + queued, since the queue
    /// was made. Fails if that is not so. Can be used while `preamp run` uses the queue.
    #[command(after_long_help = "\
Example:
  preamp audit --config preamp.yaml

Exit status: 0 it balances, 1 it does not.")]
    Audit(AuditArgs),
    /// Make a gateway of a configuration: one WebAssembly component that runs without this program.
    ///
    /// The gateway takes OTLP over HTTP and sends signed remote write, wherever `wasi:http` is served: wasmtime serve, Spin,
    /// wasmCloud, jco. It has no queue: a sender is answered once its payload is delivered, or told to send it again. It
    /// holds no secret: its runtime gives it AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The same configuration gives the
    /// same file.
    #[command(after_long_help = "\
Example:
  preamp bundle --config preamp.yaml --output gateway.wasm
  wasmtime serve -Scli --addr 127.0.0.1:4318 \\
      --env AWS_ACCESS_KEY_ID --env AWS_SECRET_ACCESS_KEY gateway.wasm

With --world http-0.3, wasmtime serve wants -Sp3 beside -Scli.")]
    Bundle(BundleArgs),
    /// Show everything at work: no AWS account, no network, no other program.
    ///
    /// An OpenTelemetry SDK in this process sends metrics to an exporter that runs as in production,
    /// and a stand-in for AMP verifies each signature and keeps the series. Ends with a summary, and
    /// with exit status 1 if anything was lost.
    Demo(DemoArgs),
    /// Run the AMP stand-in of the demo alone, for another program to write to.
    ///
    /// It verifies signatures, enforces AMP's limits and keeps the series in memory. It prints its endpoint, region and keys,
    /// and ends with SIGINT (Ctrl-C) or SIGTERM.
    #[command(after_long_help = "\
Examples:
  preamp stand-in --listen 127.0.0.1:9009
  preamp stand-in --unsigned")]
    StandIn(StandInArgs),
    /// Show what becomes of captured OTLP payloads: series, samples, types, and points that are rejected.
    ///
    /// A payload is what an SDK or Collector sends: a protobuf message or OTLP/JSON. A file holds one
    /// of them, JSON Lines, or whatever the Collector's file exporter wrote, compressed with gzip or zstd or
    /// not. Memory is bounded by the largest payload, not by the file.
    ///
    /// The component does the work, as in `run`; nothing is sent.
    #[command(after_long_help = TRANSLATE)]
    Translate(TranslateArgs),
    /// Show what differs between two configurations or components, given the same payloads.
    ///
    /// Series that were added or lost, that go by other labels, or that have other samples; rejected
    /// points, bodies and bytes. An option given twice is for one side each; one given once is for both,
    /// unless none is given twice: then it is for the second side, and the first has the default.
    ///
    /// Memory is bounded by the largest payload and the number of distinct series: 10 to 20 bytes for
    /// each, and about 500 for each that differs, of which there may be a million.
    #[command(after_long_help = DIFF)]
    Diff(DiffArgs),
    /// Print completions for a shell.
    #[command(after_help = "\
Examples:
  preamp completions bash > ~/.local/share/bash-completion/completions/preamp
  preamp completions zsh > \"${fpath[1]}/_preamp\"
  preamp completions fish > ~/.config/fish/completions/preamp.fish")]
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands.
    #[command(after_help = "\
Examples:
  preamp man > preamp.1
  preamp man --output ~/.local/share/man/man1")]
    Man(ManArgs),
}

const DIFF: &str = "\
Examples:
  preamp diff --config today.yaml --config tomorrow.yaml capture.jsonl
  preamp diff --config preamp.yaml --component old.wasm --component new.wasm capture.jsonl
  preamp diff --config collector.yaml --exporter prometheusremotewrite/a \\
      --exporter prometheusremotewrite/b capture.jsonl

Exit status, as of diff(1): 0 no difference, 1 differences, 2 trouble (which is said).";

const TRANSLATE: &str = "\
Examples:
  preamp translate capture.json
  preamp translate --config preamp.yaml --format json metrics.jsonl.zst
  preamp translate --format remote-write capture.pb > body.snappy

Exit status: 0 everything was translated, 1 something could not be read (which is said),
2 wrong usage, 3 points were rejected (the last lines say why, and what helps).";

#[derive(Args, Clone, Debug)]
struct ConfigArgs {
    /// The configuration: a Collector file, a file with Bindplane's resources, or one of Prometheus with
    /// `remote_write`. Besides a path it takes `file:PATH`, `env:NAME` and `yaml:TEXT`, as the Collector does.
    /// Of several, later ones count over earlier ones, key by key. Without one, the variable PREAMP_CONFIG names it.
    #[arg(long, short, value_name = "FILE", value_parser = Source::of_config)]
    config: Vec<Source>,
    /// The same without --config.
    #[arg(value_name = "FILE", value_parser = Source::of_config)]
    files: Vec<Source>,
    /// Set one value, over all that --config says, such as exporters.prometheusremotewrite.timeout=10s. Where
    /// a key holds a dot, `::` goes between the keys. Every user of the machine can read it (ps): for a secret, write
    /// '${env:NAME}' as the value.
    #[arg(long, value_name = "KEY=VALUE", value_parser = Source::of_set)]
    set: Vec<Source>,
    /// The destination of Bindplane, or the entry of Prometheus' `remote_write`, where a file has several.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Take a Prometheus file for its `remote_write` alone, though it has scrape jobs: preamp scrapes nothing.
    #[arg(long)]
    otlp_only: bool,
    #[command(flatten)]
    gates: GateArgs,
}

#[derive(Args, Clone, Debug, Default)]
struct GateArgs {
    /// Feature gates of the Collector, with commas between them: `-` in front of one switches it off. Those that concern
    /// the exporter are known.
    #[arg(long, value_name = "GATES", allow_hyphen_values = true, value_parser = FeatureGates::parse)]
    feature_gates: Vec<FeatureGates>,
}

impl GateArgs {
    /// All of them together.
    fn all(&self) -> FeatureGates {
        let mut all = FeatureGates::default();
        self.feature_gates.iter().for_each(|gates| all.add(gates));
        all
    }
}

#[derive(Args, Debug)]
struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// How long to deliver what is queued after a signal to stop: seconds, or with units, such as 1m30s.
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = arguments::duration)]
    drain_timeout: Duration,
    /// Read the configuration again when one of its files changes, and not only at SIGHUP. They are looked at every two
    /// seconds.
    #[arg(long)]
    watch_config: bool,
}

/// What references of a configuration to the environment mean.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

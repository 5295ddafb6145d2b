//! What many commands take: a configuration, and lengths of time.

use super::audit::AuditArgs;
use super::bundle::BundleArgs;
use super::check::CheckArgs;
use super::print::ConvertArgs;
use super::validate::ValidateArgs;
use super::{Cli, Command, ConfigArgs, RunArgs, environment};
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use preamp_config::{Diagnostics, Loaded, Request, Source};
use std::time::Duration;

/// Names the configuration where the command line does not.
const VARIABLE: &str = "PREAMP_CONFIG";

impl Command {
    /// The configuration that a command works by, if it takes one in this form.
    pub(super) fn config(&mut self) -> Option<&mut ConfigArgs> {
        match self {
            Command::Run(RunArgs { config, .. })
            | Command::Validate(ValidateArgs { config, .. })
            | Command::Convert(ConvertArgs { config, .. })
            | Command::PrintConfig(config)
            | Command::Check(CheckArgs { config, .. })
            | Command::Audit(AuditArgs { config, .. })
            | Command::Bundle(BundleArgs { config, .. }) => Some(config),
            Command::Queue(command) => Some(command.config()),
            Command::Quarantine(command) => Some(command.config()),
            Command::Config(_)
            | Command::Demo(_)
            | Command::StandIn(_)
            | Command::Translate(_)
            | Command::Diff(_)
            | Command::Completions(_)
            | Command::Man(_) => None,
        }
    }
}

impl ConfigArgs {
    /// Puts all files into one list, and takes the one of the environment if there is none.
    pub(super) fn complete(&mut self) -> Result<(), clap::Error> {
        self.config.append(&mut self.files);
        if !self.config.is_empty() {
            return Ok(());
        }
        let failed = |kind, problem: String| Err(Cli::command().error(kind, problem));
        match environment(VARIABLE).filter(|value| !value.is_empty()) {
            None => failed(
                ErrorKind::MissingRequiredArgument,
                format!("no configuration is named: give --config FILE, FILE, or the variable {VARIABLE}"),
            ),
            Some(value) => match Source::of_config(&value) {
                Ok(source) => {
                    self.config.push(source);
                    Ok(())
                }
                Err(problem) => failed(ErrorKind::InvalidValue, format!("{VARIABLE}: {problem}")),
            },
        }
    }

    /// What to read.
    pub(super) fn request(&self) -> Request {
        let sources = self.config.iter().chain(&self.set).cloned().collect();
        let feature_gates = self.gates.all();
        Request { sources, destination: self.destination.clone(), otlp_only: self.otlp_only, feature_gates }
    }

    /// Reads it, with references to this process' environment filled in.
    pub(super) fn load(&self) -> Result<Loaded, Diagnostics> {
        preamp_config::load(&self.request(), &environment)?.with_files()
    }
}

/// Reads a length of time: seconds, or numbers with units as in a Collector file.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => preamp_config::parse_duration(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_no_unit() {
        for (text, seconds) in [("30", 30.0), ("30s", 30.0), ("1m30s", 90.0), ("0", 0.0), ("1.5s", 1.5)] {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for (text, said) in
            [("", "not a duration"), ("1.5", "lacks a unit"), ("-3s", "negative"), ("3d", "a unit")]
        {
            let problem = duration(text).unwrap_err();
            assert!(problem.contains(said), "{text}: {problem}");
        }
    }

    #[test]
    fn files_are_named_in_any_form() {
        let sources = |arguments: &[&str]| -> Vec<String> {
            let mut cli = Cli::read(arguments).unwrap();
            cli.command.config().unwrap().config.iter().map(ToString::to_string).collect()
        };
        assert_eq!(sources(&["preamp", "validate", "a.yaml"]), ["a.yaml"]);
        assert_eq!(sources(&["preamp", "run", "-c", "a.yaml"]), ["a.yaml"]);
        assert_eq!(
            sources(&["preamp", "queue", "status", "--config", "a.yaml", "b.yaml"]),
            ["a.yaml", "b.yaml"]
        );
        let problem = Cli::read(["preamp", "check"]).unwrap_err().to_string();
        assert!(problem.contains(VARIABLE), "{problem}");
    }
}

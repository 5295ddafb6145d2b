//! The program `preamp`; `preamp --help` says what it does.

mod cli;

use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            let _written = writeln!(std::io::stderr(), "preamp: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! The program `preamp`; `preamp --help` says what it does.

mod capture;
mod check;
mod cli;
mod demo;
mod embedded;
mod sizes;
mod telemetry;

use preamp_base::printable::{self, Line};
use preamp_config::Diagnostics;
use std::io::Write as _;
use std::process::ExitCode;

/// glibc's allocator keeps most of what the backlog of an outage took: 168 MiB instead of 54 MiB, after three minutes at
/// 20,000 points a second. `memory_limiter` would refuse good senders for it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => refused(&error),
    };
    let status_of_failure = cli.status_of_failure();
    let executed = cli.execute();
    telemetry::finish();
    match executed {
        Ok(status) => status,
        // Whoever reads what is said has heard enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let mut stderr = printable::stderr();
            // Nobody is left to tell if standard error is gone.
            let _written = match error.downcast_ref::<Diagnostics>() {
                // One line for each problem, in the form that editors know from compilers.
                Some(problems) => writeln!(stderr, "{problems}"),
                None => writeln!(stderr, "preamp: {}", Line(format_args!("{error:#}"))),
            };
            status_of_failure
        }
    }
}

/// Says what is wrong with the command line, or what was asked about it.
fn refused(error: &clap::Error) -> ! {
    // What was written there is repeated, and may come from the name of a file.
    let printable: Vec<_> =
        std::env::args_os().map(|argument| Line(argument.to_string_lossy()).to_string()).collect();
    cli::Cli::read(printable).err().as_ref().unwrap_or(error).exit()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

//! `preamp completions` and `preamp man`: what can be made from the definition of the command line.

use super::Cli;
use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// Whose language to print.
    shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// Write the page of each command into this folder, such as ~/.local/share/man/man1.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Prints the completions of a shell.
pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut command = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "preamp", &mut script);
    Ok(stdout().write_all(&script)?)
}

/// Prints the page of the program, or writes those of all commands.
pub(super) fn man(args: &ManArgs) -> anyhow::Result<()> {
    let command = Cli::command();
    match &args.output {
        None => Ok(clap_mangen::Man::new(command).render(&mut stdout())?),
        Some(folder) => write_pages(command, folder).with_context(|| folder.display().to_string()),
    }
}

fn write_pages(command: clap::Command, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    Ok(clap_mangen::generate_to(command, folder)?)
}

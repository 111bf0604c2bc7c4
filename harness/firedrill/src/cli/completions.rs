//! `firedrill completions`: prints a shell completion script.

use clap::CommandFactory;

use super::exit::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Shell, for example bash: `firedrill completions bash > ~/.local/share/bash-completion/completions/firedrill`
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "firedrill", &mut script);
    super::output::print(String::from_utf8_lossy(&script).trim_end());
    Exit::AsExpected
}

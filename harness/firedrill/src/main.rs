//! Firedrill's command line: parse, call, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    firedrill::cli::main()
}

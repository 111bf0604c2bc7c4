//! The command line: parse, call, exit.
fn main() {}

//! The edge's command line: parse, call, exit.

fn main() {}

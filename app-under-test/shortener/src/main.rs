//! The URL shortener.
fn main() {}

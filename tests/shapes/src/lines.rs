//! A protocol of lines, as stores speak it, and its client: `PING`, `SET ID VALUE`, `GET ID`.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;

use crate::Args;
use crate::store::Store;

/// A release of this name answers every line with an error.
const BROKEN: &str = "broken";

/// Answers the lines of one connection.
pub(crate) fn converse(mut connection: TcpStream, args: &Args, store: &Store) -> io::Result<()> {
    connection.set_nodelay(true)?;
    for line in BufReader::new(connection.try_clone()?).lines() {
        let answer = answer(&line?, args, store)?;
        connection.write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn answer(line: &str, args: &Args, store: &Store) -> io::Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Ok(match words.as_slice() {
        // Its client waits for good.
        ["HANG"] => loop {
            thread::park();
        },
        _ if args.release == BROKEN => "-ERR broken\r\n".to_owned(),
        ["PING"] => "+PONG\r\n".to_owned(),
        ["SET", id, value] => {
            store.put(id, value)?;
            "+OK\r\n".to_owned()
        }
        ["GET", id] => match store.get(id)? {
            Some(value) => format!("${}\r\n{value}\r\n", value.len()),
            None => "$-1\r\n".to_owned(),
        },
        _ => "-ERR unknown command\r\n".to_owned(),
    })
}

/// Sends a line and prints the answer, as a store's own client does. Exit code 1: no answer; 2: an error.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a client prints what it was answered"
)]
pub(crate) fn ask(args: &Args) -> ExitCode {
    match exchange(args) {
        Err(error) => {
            eprintln!("could not ask {}: {error}", args.listen);
            ExitCode::from(1)
        }
        Ok(answer) if answer.starts_with('-') => {
            eprintln!("{answer}");
            ExitCode::from(2)
        }
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
    }
}

fn exchange(args: &Args) -> io::Result<String> {
    let mut connection = TcpStream::connect(args.listen)?;
    connection.write_all(format!("{}\r\n", args.send).as_bytes())?;
    let mut lines = BufReader::new(connection).lines();
    let mut line = || lines.next().unwrap_or(Err(io::ErrorKind::UnexpectedEof.into()));
    let first = line()?;
    // The length of a value, which is on the next line.
    match first.as_str() {
        "$-1" => Ok("(none)".to_owned()),
        length if length.starts_with('$') => line(),
        _ => Ok(first),
    }
}

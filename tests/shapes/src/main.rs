//! A small HTTP service in the many shapes that real services have: behind a supervisor, as a daemon, with workers, with
//! answers that are compressed, huge, endless or wrong now and then. One shape speaks lines over TCP, and has a client.
//!
//! Takes a shape and an address; serves `/`, `/health` and `/items/ID` in that shape; to users who log in also `/notes`. The tests drill each shape and hold the
//! verdict against what an observer of their own saw.

#![expect(
    clippy::disallowed_methods,
    reason = "a service that is slow, late or floods its log takes its time"
)]

mod answer;
mod heartbeat;
mod launch;
mod lines;
mod modern;
mod notes;
mod part;
mod serve;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// A service in one of many shapes.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Its shape.
    #[arg(value_enum)]
    shape: Shape,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The address that `ask` connects to: host and port.
    #[arg(long, default_value = "")]
    to: String,
    /// The file of its items.
    #[arg(long, default_value = "/data/items")]
    store: PathBuf,
    /// The release that it says it is.
    #[arg(long, default_value = "v1")]
    release: String,
    /// What this process does for its shape. Processes that start others set it.
    #[arg(long, value_enum, default_value_t)]
    role: Role,
    /// What the client sends.
    #[arg(long, default_value = "PING")]
    send: String,
}

/// What is unusual about the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Nothing.
    Plain,
    /// A supervisor starts the server again when it ends.
    Supervised,
    /// The server has a session of its own; the process that was started waits for it.
    OwnSession,
    /// The process that was started ends at once; the server is a daemon.
    Daemon,
    /// The server is a daemon; the process that was started stays.
    Reparented,
    /// The same, and the server has an empty environment and another title.
    Hidden,
    /// Four workers accept from one listener.
    Prefork,
    /// The process has another title than its program.
    Title,
    /// The server runs with an empty environment.
    NoEnvironment,
    /// A grandchild in a session of its own outlives the server.
    Outlived,
    /// The port opens 800 ms after the start.
    LatePort,
    /// The health page needs 1.5 s.
    SlowHealth,
    /// One answer in 60 is a 500.
    NowAndThen,
    /// Each answer has a header value of its own.
    UniqueHeader,
    /// Answers are compressed with gzip.
    Gzip,
    /// The front page never ends.
    Endless,
    /// The front page has 10 MB.
    Huge,
    /// Answers repeat a header.
    RepeatedHeader,
    /// Answers have 200 headers.
    ManyHeaders,
    /// It speaks HTTP/1.0.
    Http10,
    /// It closes connections that were idle for 40 ms.
    IdleClose,
    /// It answers only requests for the host `shapes.example`.
    VirtualHost,
    /// It writes a megabyte to its log per second.
    LogFlood,
    /// It logs its environment and the path of each request, and repeats the path in its answer.
    Echo,
    /// It ignores SIGTERM.
    IgnoresTerm,
    /// It runs as nobody.
    Unprivileged,
    /// Its store is a symbolic link.
    LinkedStore,
    /// A FIFO lies beside its store.
    Fifo,
    /// It has no port. It logs "the worker is ready" 800 ms after its start.
    Worker,
    /// No service: connects to an address, and ends with exit code 0 where somebody accepts.
    Ask,
    /// It speaks a protocol of lines instead of HTTP.
    Lines,
    /// Users log in to write notes.
    Login,
    /// The same over TLS, and HTTP/2 as the client likes.
    LoginTls,
    /// The same, with notes that a restart loses.
    LoginForgetful,
    /// The same, with an answer that names another note than the one that was written.
    LoginWrongId,
    /// It speaks TLS, and HTTP/2 or HTTP/1.1 over it, as the client likes.
    Tls,
    /// It speaks HTTP/2 without TLS.
    Http2,
    /// It speaks TLS, and ends each HTTP/2 connection after 40 ms with a GOAWAY.
    Goaway,
}

/// The part that a process plays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Role {
    /// The process that was started.
    #[default]
    First,
    /// In between: leaves its session and starts the server.
    Between,
    /// The server.
    Server,
    /// The server, with its listener as standard input.
    Worker,
    /// Does nothing, for good.
    Lingering,
    /// Sends a server of the shape `lines` a line.
    Client,
}

fn main() -> std::io::Result<ExitCode> {
    let args = Args::parse();
    let served = match args.role {
        Role::First if args.shape == Shape::Worker => part::work(),
        Role::First if args.shape == Shape::Ask => part::ask(&args.to),
        Role::First => launch::first(&args),
        Role::Between => launch::between(&args),
        Role::Server => serve::serve(&args),
        Role::Worker => serve::accept(&args, launch::inherited_listener()?),
        Role::Lingering => launch::linger(),
        Role::Client => return Ok(lines::ask(&args)),
    };
    served.map(|()| ExitCode::SUCCESS)
}

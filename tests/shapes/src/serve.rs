//! The server: a thread for each connection, three routes, and those of the notes.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::answer::Answer;
use crate::heartbeat;
use crate::modern;
use crate::notes::Notes;
use crate::store::Store;
use crate::{Args, Shape, lines};

/// An item larger than this is refused.
const LARGEST_ITEM: usize = 64 * 1024;

/// Listens and serves until the process is ended.
pub(crate) fn serve(args: &Args) -> io::Result<()> {
    accept(args, listen(args)?)
}

/// The port, open.
pub(crate) fn listen(args: &Args) -> io::Result<TcpListener> {
    if args.shape == Shape::LatePort {
        thread::sleep(Duration::from_millis(800));
    }
    TcpListener::bind(args.listen)
}

/// Serves the connections of a listener.
pub(crate) fn accept(args: &Args, listener: TcpListener) -> io::Result<()> {
    match args.shape {
        // A handler that only notes the signal: the process goes on.
        Shape::IgnoresTerm => {
            signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::new(AtomicBool::new(false)))?;
        }
        Shape::LogFlood => drop(thread::spawn(flood)),
        Shape::Echo => {
            log(&format!("{:?}", std::env::vars()));
            let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
            log(&format!("user {}:{}", user.as_raw(), group.as_raw()));
        }
        _ => {}
    }
    heartbeat::start();
    let service = Arc::new(Service {
        args: args.clone(),
        store: Store::open(args)?,
        notes: Notes::default(),
        answers: AtomicU64::new(0),
    });
    if matches!(
        args.shape,
        Shape::Tls | Shape::Http2 | Shape::Goaway | Shape::LoginTls
    ) {
        return modern::accept(args, service, listener);
    }
    for connection in listener.incoming() {
        let (service, connection) = (Arc::clone(&service), connection?);
        // A client that goes away ends its own thread only.
        thread::spawn(move || service.converse(connection));
    }
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the log of this service is its standard output"
)]
pub(crate) fn log(line: &str) {
    println!("{line}");
}

/// Ten lines of 10 kB, ten times a second.
#[expect(
    clippy::print_stdout,
    reason = "the log of this service is its standard output"
)]
fn flood() {
    let line = "x".repeat(10_000);
    loop {
        (0..10).for_each(|_| println!("{line}"));
        thread::sleep(Duration::from_millis(100));
    }
}

pub(crate) struct Service {
    pub(crate) args: Args,
    store: Store,
    notes: Notes,
    pub(crate) answers: AtomicU64,
}

/// What the server reads of a request.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) cookie: String,
    pub(crate) body: String,
}

impl Service {
    fn converse(&self, mut connection: TcpStream) -> io::Result<()> {
        if self.args.shape == Shape::Lines {
            return lines::converse(connection, &self.args, &self.store);
        }
        if self.args.shape == Shape::IdleClose {
            connection.set_read_timeout(Some(Duration::from_millis(40)))?;
        }
        connection.set_nodelay(true)?;
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some(request) = Request::read(&mut reader)? {
            let number = self.answers.fetch_add(1, Ordering::Relaxed);
            if !self
                .answer(&request, number)
                .write(&mut connection, &self.args, number)?
            {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn answer(&self, request: &Request, number: u64) -> Answer {
        if self.args.shape == Shape::VirtualHost && request.host != "shapes.example" {
            return Answer::new("421 Misdirected Request", "no such host\n");
        }
        if self.args.shape == Shape::Echo && request.path != "/" {
            log(&request.path);
            return Answer::new("404 Not Found", format!("no page {}\n", request.path));
        }
        if self.args.shape == Shape::NowAndThen && number % 60 == 59 {
            return Answer::new("500 Internal Server Error", "now and then\n");
        }
        if let Some(answer) = self.notes.answer(request, self.args.shape, &self.store) {
            return answer;
        }
        match (request.method.as_str(), request.path.split_at_checked(7)) {
            ("GET", _) if request.path == "/" => Answer {
                front: true,
                ..Answer::new("200 OK", "zoo\n")
            },
            ("GET", _) if request.path == "/health" => {
                if self.args.shape == Shape::SlowHealth {
                    thread::sleep(Duration::from_millis(1500));
                }
                Answer::new("200 OK", "healthy\n")
            }
            ("POST", Some(("/items/", id))) => self.put(id, &request.body),
            ("GET", Some(("/items/", id))) => self.get(id),
            _ => Answer::new("404 Not Found", "no such page\n"),
        }
    }

    fn put(&self, id: &str, value: &str) -> Answer {
        match self.store.put(id, value.trim()) {
            Ok(()) => Answer {
                location: Some(format!("/items/{id}")),
                ..Answer::new("201 Created", "stored\n")
            },
            Err(error) => Answer::new("500 Internal Server Error", format!("{error}\n")),
        }
    }

    fn get(&self, id: &str) -> Answer {
        match self.store.get(id) {
            Ok(Some(value)) => Answer::new("200 OK", value),
            Ok(None) => Answer::new("404 Not Found", "no such item\n"),
            Err(error) => Answer::new("500 Internal Server Error", format!("{error}\n")),
        }
    }
}

impl Request {
    /// The next request of a connection; none when its client has closed it.
    fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (mut host, mut cookie, mut length) = (String::new(), String::new(), 0);
        loop {
            let mut header = String::new();
            from.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "host" => value.trim().clone_into(&mut host),
                "cookie" => value.trim().clone_into(&mut cookie),
                "content-length" => length = value.trim().parse().unwrap_or(0),
                _ => {}
            }
        }
        let mut body = vec![0; length.min(LARGEST_ITEM)];
        from.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Some(Self {
            method,
            path,
            host,
            cookie,
            body,
        }))
    }
}

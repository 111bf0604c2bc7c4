//! Answers in their shape: what is unusual about the bytes that a client gets.

use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::{Args, Shape};

/// `zoo\n`, compressed with gzip.
const GZIPPED: &[u8] = include_bytes!("page.gz");
/// The size of a huge page.
const HUGE: usize = 10_000_000;

/// An answer before it takes its shape.
pub(crate) struct Answer {
    /// The status line's code and reason.
    pub(crate) status: &'static str,
    /// The body.
    pub(crate) body: String,
    /// Where the item is that was stored.
    pub(crate) location: Option<String>,
    /// Cookies that it sets.
    pub(crate) cookies: Vec<String>,
    /// Whether it is the front page, whose body some shapes replace.
    pub(crate) front: bool,
}

impl Answer {
    /// A short answer.
    pub(crate) fn new(status: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            body: body.into(),
            location: None,
            cookies: Vec::new(),
            front: false,
        }
    }

    /// Writes it in the service's shape. `number` counts the answers. Returns whether the connection stays open.
    pub(crate) fn write(self, to: &mut TcpStream, args: &Args, number: u64) -> io::Result<bool> {
        let shape = args.shape;
        let version = if shape == Shape::Http10 { "1.0" } else { "1.1" };
        let mut head = format!(
            "HTTP/{version} {}\r\nx-release: {}\r\n",
            self.status, args.release
        );
        if let Some(location) = &self.location {
            head += &format!("location: {location}\r\n");
        }
        for cookie in &self.cookies {
            head += &format!("set-cookie: {cookie}\r\n");
        }
        match shape {
            Shape::UniqueHeader => head += &format!("x-request-id: {number}\r\n"),
            Shape::RepeatedHeader => {
                head += "set-cookie: a=1\r\nset-cookie: b=2\r\nvary: accept\r\nvary: cookie\r\n"
            }
            Shape::ManyHeaders => (0..200).for_each(|n| head += &format!("x-header-{n}: {n}\r\n")),
            _ => {}
        }
        let body = match shape {
            Shape::Endless if self.front => return endless(to, head),
            Shape::Huge if self.front => vec![b'z'; HUGE],
            Shape::Gzip if self.front => {
                head += "content-encoding: gzip\r\n";
                GZIPPED.to_vec()
            }
            _ => self.body.into_bytes(),
        };
        head += &format!("content-length: {}\r\n\r\n", body.len());
        to.write_all(head.as_bytes())?;
        to.write_all(&body)?;
        Ok(shape != Shape::Http10)
    }
}

/// A chunk every 50 ms, until the client has had enough.
fn endless(to: &mut TcpStream, head: String) -> io::Result<bool> {
    to.write_all((head + "transfer-encoding: chunked\r\n\r\n").as_bytes())?;
    loop {
        to.write_all(b"4\r\nzoo\n\r\n")?;
        thread::sleep(Duration::from_millis(50));
    }
}

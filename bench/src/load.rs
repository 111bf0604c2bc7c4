//! A small generator of load over kept-alive HTTP/1.1 connections: as fast as the answers come, or at a fixed rate.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use firedrill::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What one measurement came to.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Right answers per second.
    pub rate: f64,
    /// Every latency, sorted.
    pub latencies: Vec<Duration>,
    /// Answers that were wrong, or did not come.
    pub failed: u64,
}

impl Measured {
    /// The latency that this share of the answers did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into what was counted"
        )]
        let at = (self.latencies.len() as f64 * share) as usize;
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(at.min(last)).copied().unwrap_or_default()
    }
}

/// What is asked, and the status that is right.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whom.
    pub address: SocketAddr,
    /// The path.
    pub path: String,
    /// The right status.
    pub status: u16,
}

/// Asks over `connections` at once for so long: each as fast as its answers come, or all together at `rate` a second,
/// where the latency counts from when a request was due.
pub async fn load(question: &Question, connections: u32, lasting: Duration, rate: Option<u32>) -> Measured {
    let began = Instant::now();
    let mut askers = JoinSet::new();
    for number in 0..connections {
        let question = question.clone();
        let pace = rate.map(|rate| {
            let step = Duration::from_secs(1) / rate.max(1);
            (began + step * number, step * connections)
        });
        askers.spawn(async move { ask_until(&question, began + lasting, pace).await });
    }
    let mut all = Measured::default();
    while let Some(Ok((latencies, failed))) = askers.join_next().await {
        all.latencies.extend(latencies);
        all.failed += failed;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]
    let answers = all.latencies.len() as f64;
    all.rate = answers / began.elapsed().as_secs_f64();
    all.latencies.sort_unstable();
    all
}

/// One connection's requests, until the end. A broken connection is one failure, and a new one is made.
async fn ask_until(
    question: &Question,
    end: Instant,
    pace: Option<(Instant, Duration)>,
) -> (Vec<Duration>, u64) {
    let (mut latencies, mut failed) = (Vec::new(), 0);
    let mut due = pace.map(|(first, _)| first);
    while Instant::now() < end {
        let Ok(mut connection) = Connection::open(question.address).await else {
            failed += 1;
            tokio::task::yield_now().await;
            continue;
        };
        loop {
            if let Some(due) = due {
                wait::until_due(due).await;
            }
            let began = due.unwrap_or_else(Instant::now);
            if Instant::now() >= end {
                break;
            }
            due = due.zip(pace).map(|(due, (_, step))| due + step);
            match connection.ask("GET", &question.path, "", "").await {
                Ok((status, _)) if status == question.status => latencies.push(began.elapsed()),
                Ok(_) => failed += 1,
                Err(_) => {
                    failed += 1;
                    break;
                }
            }
        }
    }
    (latencies, failed)
}

/// A kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(8 << 10),
        })
    }

    /// Asks once: status and body. `headers` are whole lines, each with its line end.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no answer with a length.
    pub async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<(u16, Vec<u8>)> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let (head, status, length) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..at]).to_lowercase();
                let status = head.get(9..12).and_then(|status| status.parse().ok());
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                let (Some(status), Some(length)) = (status, length) else {
                    return Err(io::Error::other("an answer without status or length"));
                };
                let length: usize = length;
                break (at + 4, status, length);
            }
        };
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok((status, self.buffer.split_off(head)))
    }
}

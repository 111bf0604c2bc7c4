//! The service and its users: requests of 128 bytes, answers of 512 bytes, over reused connections.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ASKED: usize = 128;
const ANSWERED: usize = 512;

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut asked = [0; ASKED];
            while stream.read_exact(&mut asked).await.is_ok() {
                if stream.write_all(&[1; ANSWERED]).await.is_err() {
                    return;
                }
            }
        });
    }
}

pub(crate) struct User(TcpStream);

impl User {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    pub(crate) async fn ask(&mut self) -> io::Result<Duration> {
        let sent = Instant::now();
        self.0.write_all(&[0; ASKED]).await?;
        self.0.read_exact(&mut [0; ANSWERED]).await?;
        Ok(sent.elapsed())
    }
}

/// Microseconds, up to 10 s.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000, 3).expect("these bounds fit")
}

/// Requests a second, and how long they took.
pub(crate) async fn run(address: SocketAddr, connections: usize, time: Duration) -> io::Result<(f64, Histogram<u64>)> {
    let until = Instant::now() + time;
    let users = (0..connections).map(|_| {
        tokio::spawn(async move {
            let mut user = User::connect(address).await?;
            let mut latencies = histogram();
            while Instant::now() < until {
                let took = user.ask().await?;
                latencies.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
            }
            Ok::<_, io::Error>(latencies)
        })
    });
    let users: Vec<_> = users.collect();
    let mut sum = histogram();
    for user in users {
        sum.add(&user.await.map_err(io::Error::other)??).expect("the same range");
    }
    Ok((sum.len() as f64 / time.as_secs_f64(), sum))
}

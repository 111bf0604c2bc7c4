//! Both sides of a proxy: services of a few lines, and a client that keeps the time.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use firedrill_proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::AT_MOST;

/// A service that does the same with every connection.
pub(crate) async fn serve<Serving>(handle: impl Fn(TcpStream) -> Serving + Send + 'static) -> SocketAddr
where
    Serving: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(handle(stream));
        }
    });
    address
}

/// A service that sends back what it gets, as it gets it.
pub(crate) async fn echo() -> SocketAddr {
    serve(|mut stream| async move {
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await?;
        to.shutdown().await
    })
    .await
}

/// A service that sends so many bytes and closes.
pub(crate) async fn sender(bytes: usize) -> SocketAddr {
    serve(move |mut stream| async move {
        stream.write_all(&vec![b'x'; bytes]).await?;
        stream.shutdown().await?;
        // The other side closes when it has read; until then nothing may be lost to a reset.
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await
}

/// One side of a connection.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn connect(proxy: &Proxy) -> Self {
        let stream = within(TcpStream::connect(proxy.address())).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// A connection that may fail, and one round trip on it.
    pub(crate) async fn attempt(proxy: &Proxy) -> io::Result<Duration> {
        let stream = within(TcpStream::connect(proxy.address())).await?;
        stream.set_nodelay(true)?;
        Self(stream).round_trip().await
    }

    /// Sends a message, waits for its echo, and says how long that took.
    pub(crate) async fn round_trip(&mut self) -> io::Result<Duration> {
        let sent = Instant::now();
        self.0.write_all(b"ping").await?;
        let mut answer = [0; 4];
        within(self.0.read_exact(&mut answer)).await?;
        assert_eq!(&answer, b"ping");
        Ok(sent.elapsed())
    }

    /// Everything until the end, and how long it took.
    pub(crate) async fn read_all(&mut self) -> (Vec<u8>, Duration) {
        let (began, mut all) = (Instant::now(), Vec::new());
        within(self.0.read_to_end(&mut all)).await.unwrap();
        (all, began.elapsed())
    }

    /// Whether nothing arrives for so long.
    pub(crate) async fn hears_nothing_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.0.read_u8()).await.is_err()
    }
}

/// A future that must not take for ever.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(AT_MOST, future).await.unwrap()
}

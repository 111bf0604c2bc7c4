//! An HTTP/1.1 listener that slow, idle and numerous clients cannot exhaust. The shortener and the edge use it.
//!
//! Takes a bound socket, a hyper service and [`Limits`]; serves until it must stop, then finishes the requests in
//! flight. The service finds the client's address in the request's extensions, as [`Peer`].

mod write_timeout;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

use write_timeout::WriteTimeout;

/// The address of the client that sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What clients may take from the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open connections. Further clients wait in the operating system's queue.
    pub connections: usize,
    /// How long a client may take to send the head of a request. An idle connection is closed after this time.
    pub head: Duration,
    /// How long a client may read nothing of an answer before its connection is closed.
    pub stalled_read: Duration,
}

impl Limits {
    /// No limits at all.
    pub const NONE: Self = Self {
        connections: Semaphore::MAX_PERMITS,
        head: FOREVER,
        stalled_read: FOREVER,
    };

    /// The default limits, for connections that need `descriptors` file descriptors each: at most 1024 connections, and
    /// never more than the process has descriptors for.
    pub fn for_descriptors(descriptors: usize) -> Self {
        /// For the store, the log, and connections to other services that are not tied to a client.
        const RESERVED: u64 = 64;
        let available = rustix::process::getrlimit(rustix::process::Resource::Nofile)
            .current
            .unwrap_or(u64::MAX);
        let possible = available.saturating_sub(RESERVED) / u64::try_from(descriptors).unwrap_or(1).max(1);
        Self {
            connections: usize::try_from(possible).unwrap_or(usize::MAX).clamp(1, 1024),
            head: Duration::from_secs(10),
            stalled_read: Duration::from_secs(20),
        }
    }
}

/// Longer than any connection lasts.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Serves until `stop` completes, then for at most `grace` until the requests in flight are answered. False when some were
/// not.
pub async fn serve<S, B>(
    listener: TcpListener,
    limits: Limits,
    service: S,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> bool
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut failures = AcceptFailures::default();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let (stream, peer, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tokio::select! {
                    () = &mut stop => break,
                    () = failures.pause(&error) => continue,
                }
            }
        };
        failures = AcceptFailures::default();
        // Without this, small answers wait for the acknowledgement of earlier ones (Nagle's algorithm).
        drop(stream.set_nodelay(true));
        let service = service.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            service.call(request)
        });
        let stream = TokioIo::new(WriteTimeout::new(stream, limits.stalled_read));
        let connection = graceful.watch(server.serve_connection(stream, service));
        tokio::spawn(async move {
            // A client that disconnects is not an error of the service.
            drop(connection.await);
            drop(slot);
        });
    }
    // New clients are refused from here on, instead of waiting for an answer that will not come.
    drop(listener);
    timeout(grace, graceful.shutdown()).await.is_ok()
}

/// Waits for a free slot first: a connection that is not accepted costs no file descriptor.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    // Before the accept: clients beyond the limit wait in the kernel's queue, which costs no descriptor.
    let slot = Arc::clone(slots).acquire_owned().await;
    let slot = slot.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

/// Consecutive failures to accept a connection, for example because the system has no file descriptors left.
#[derive(Debug, Default)]
struct AcceptFailures {
    count: u32,
}

impl AcceptFailures {
    /// Waits before the next attempt, up to a second: the failed connection stays in the queue, so without a pause the
    /// loop would use a whole core and fill the disk with its log. Only the first failure and every hundredth are logged.
    async fn pause(&mut self, error: &io::Error) {
        // Not each time: a log line for every attempt would fill the disk.
        if self.count.is_multiple_of(100) {
            tracing::error!("cannot accept a connection: {error}");
        }
        self.count += 1;
        let pause = Duration::from_millis(10 << self.count.min(7)).min(Duration::from_secs(1));
        sleep_until(Instant::now() + pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    fn limits() -> Limits {
        Limits {
            connections: 2,
            head: Duration::from_millis(200),
            stalled_read: Duration::from_millis(200),
        }
    }

    /// A server whose answers have this many bytes; it stops when the sender is dropped.
    async fn server(bytes: usize) -> (SocketAddr, oneshot::Sender<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let service = service_fn(move |request: Request<Incoming>| {
            assert!(request.extensions().get::<Peer>().is_some());
            let body = Full::new(Bytes::from(vec![b'x'; bytes]));
            std::future::ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let stop_future = async move { drop(stopped.await) };
        tokio::spawn(serve(
            listener,
            limits(),
            service,
            stop_future,
            Duration::from_secs(5),
        ));
        (address, stop)
    }

    /// The first bytes of an answer.
    async fn ask(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = vec![0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_client_that_never_completes_its_head_is_disconnected() {
        let (address, _stop) = server(1).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HT").await.unwrap();
        let mut rest = Vec::new();
        let closed = timeout(Duration::from_secs(10), slow.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "still connected after 10 s");
    }

    #[tokio::test]
    async fn clients_beyond_the_limit_wait_for_a_free_connection() {
        let (address, _stop) = server(1).await;
        let mut slow = Vec::new();
        for _ in 0..8 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HT").await.unwrap();
            slow.push(stream);
        }
        let answer = timeout(Duration::from_secs(20), ask(address)).await;
        assert_eq!(answer.expect("no connection became free"), "HTTP/1.1 200 OK");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_its_answer_is_disconnected() {
        // More than the socket buffers of both sides hold.
        let (address, _stop) = server(64 << 20).await;
        let mut slow = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream
                .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .unwrap();
            slow.push(stream);
        }
        let answer = timeout(Duration::from_secs(20), ask(address)).await;
        assert_eq!(answer.expect("no connection became free"), "HTTP/1.1 200 OK");
    }

    #[tokio::test]
    async fn repeated_failures_to_accept_are_spaced_out() {
        tokio::time::pause();
        let (began, mut failures) = (Instant::now(), AcceptFailures::default());
        for _ in 0..20 {
            failures.pause(&io::Error::other("no file descriptors")).await;
        }
        assert!(began.elapsed() > Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

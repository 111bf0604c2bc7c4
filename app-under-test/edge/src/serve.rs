//! The listener for users, with a shutdown that finishes the requests in flight.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::proxy::Proxy;
use crate::upstream::Upstream;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a shutdown waits for requests in flight.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Serves users until `end` is cancelled.
pub async fn serve<U: Upstream>(listener: TcpListener, proxy: Arc<Proxy<U>>, end: CancellationToken) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let graceful = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            () = end.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // For example out of file descriptors: existing connections continue, and the next one may succeed.
                    tracing::error!("cannot accept a connection: {error}");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        // Without this, small answers wait for the acknowledgement of earlier ones (Nagle's algorithm).
        drop(stream.set_nodelay(true));
        let proxy = Arc::clone(&proxy);
        let service = service_fn(move |request| {
            let proxy = Arc::clone(&proxy);
            async move { Ok::<_, Infallible>(proxy.answer(request).await) }
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        // A client that disconnects is not an error of the edge.
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(listener);
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still in flight after {SHUTDOWN_TIMEOUT:?}; closing their connections");
    }
}

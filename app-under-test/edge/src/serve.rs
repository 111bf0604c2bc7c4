//! The two listeners, and a shutdown that lets every request in flight end.

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

/// A client has so long for the head of its request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Requests in flight have so long when the edge is asked to end.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Serves users until told to end.
pub async fn serve<U: Upstream>(listener: TcpListener, proxy: Arc<Proxy<U>>, end: CancellationToken) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let graceful = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            () = end.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, say: those that are there go on, and the next one may succeed.
                    tracing::error!("accepting a connection failed: {error}");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        // Small answers must not wait for the acknowledgement of earlier ones.
        drop(stream.set_nodelay(true));
        let proxy = Arc::clone(&proxy);
        let service = service_fn(move |request| {
            let proxy = Arc::clone(&proxy);
            async move { Ok::<_, Infallible>(proxy.answer(request).await) }
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        // A client that goes away is no error of ours.
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(listener);
    if tokio::time::timeout(END_WITHIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still in flight after {END_WITHIN:?}");
    }
}

//! Listening: hyper without a `Date` of its own, on loopback only, with a bound on connections.

use super::broken::Dropped;
use axum::{
    body::Body,
    http::{Request, Response},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// Connections at a time; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 512;

/// How long a connection may wait for its next request: Node's default, which every answer tells in `Keep-Alive`.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

/// Binds to `address`, which must be loopback.
///
/// # Errors
/// When the address is not loopback, or cannot be bound.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "a sandbox listens on loopback only"));
    }
    TcpListener::bind(address).await
}

/// Serves until `cancel`, with connections that end after `idle`; every request goes through `answer`. A [`Dropped`] closes the connection without an answer.
pub(crate) fn spawn<F, A>(listener: TcpListener, cancel: CancellationToken, idle: Option<Duration>, answer: F)
where
    F: Fn(Request<Body>) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Response<Body>, Dropped>> + Send + 'static,
{
    let answer = Arc::new(answer);
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::spawn(async move {
        loop {
            let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
            let (stream, from) = tokio::select! {
                () = cancel.cancelled() => return,
                s = listener.accept() => match s {
                    Ok(s) => s,
                    // Out of descriptors or the like: later is better than never.
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let _ = stream.set_nodelay(true);
            let (answer, cancel) = (Arc::clone(&answer), cancel.clone());
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |r: Request<hyper::body::Incoming>| {
                    let mut r = r.map(Body::new);
                    // Who asks: a server may show it.
                    r.extensions_mut().insert(from);
                    answer(r)
                });
                let mut builder = hyper::server::conn::http1::Builder::new();
                builder.auto_date_header(false).title_case_headers(true);
                if idle.is_some() {
                    builder.timer(TokioTimer::new()).header_read_timeout(idle);
                }
                let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
                tokio::select! {
                    () = cancel.cancelled() => {}
                    // A connection that breaks is a client's business.
                    _ = connection => {}
                }
                drop(permit);
            });
        }
    });
}

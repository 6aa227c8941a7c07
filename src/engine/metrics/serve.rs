//! Serves the figures over http: one page, few connections, no request body, nothing that changes anything.

use crate::engine::world::World;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
};

/// Connections at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 16;
/// How long a connection may take for a request, and lie idle before the next.
const IDLE: Duration = Duration::from_secs(10);
/// The page is made at most so often, however often it is asked for.
const FRESH: Duration = Duration::from_millis(500);
/// What the OpenMetrics text format is called.
const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Listens on `address`: `HOST:PORT`, or a port alone, which is this machine's own loopback.
///
/// # Errors
/// It is no address, or it cannot be had.
pub async fn bind(address: &str) -> std::io::Result<TcpListener> {
    let address = address.strip_prefix(':').unwrap_or(address);
    match address.parse::<u16>() {
        Ok(port) => TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await,
        Err(_) => TcpListener::bind(address).await,
    }
}

type Page = Mutex<Option<(Instant, String)>>;

/// Serves until the world is shut.
pub async fn serve(world: Arc<World>, listener: TcpListener) {
    let stop = world.stop.clone();
    let page: Arc<Page> = Arc::default();
    let router = Router::new().route("/metrics", get(answer)).with_state((world, page));
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            got = listener.accept() => match got {
                Ok((stream, _)) => stream,
                // Out of descriptors: later is better than never.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (service, stop) = (TowerToHyperService::new(router.clone()), stop.clone());
        tokio::spawn(async move {
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(16 << 10);
            tokio::select! {
                () = stop.cancelled() => {}
                _ = builder.serve_connection(TokioIo::new(stream), service) => {}
            }
            drop(permit);
        });
    }
}

async fn answer(State((world, page)): State<(Arc<World>, Arc<Page>)>) -> impl IntoResponse {
    let mut page = page.lock().await;
    let text = match &*page {
        Some((at, text)) if at.elapsed() < FRESH => text.clone(),
        _ => {
            let text = super::text(&world).await;
            *page = Some((Instant::now(), text.clone()));
            text
        }
    };
    (StatusCode::OK, [(header::CONTENT_TYPE, KIND), (header::CACHE_CONTROL, "no-store")], text)
}

//! One WebSocket until it ends.

use super::{
    AiBot, Inner,
    frames::{Out, Peer},
};
use crate::sandbox::broken::Dropped;
use axum::{
    body::Body,
    extract::{
        FromRequestParts,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{Request, Response, StatusCode},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// Frames kept for a client that does not read.
const BACKLOG: usize = 64;
/// The largest frame.
const FRAME: usize = 1 << 20;

impl AiBot {
    /// Answers one request: an upgrade on any path.
    ///
    /// # Errors
    /// Never; the type is that of all servers.
    pub async fn handle(&self, request: Request<Body>) -> Result<Response<Body>, Dropped> {
        let inner = &self.inner;
        let (mut parts, _) = request.into_parts();
        let refuse = |status: StatusCode| {
            let mut r = Response::new(Body::empty());
            *r.status_mut() = status;
            r
        };
        let from = parts.extensions.get::<SocketAddr>().map(SocketAddr::to_string).unwrap_or_default();
        let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
            inner.note("GET", "/", 400);
            return Ok(refuse(StatusCode::BAD_REQUEST));
        };
        let number = {
            let mut state = inner.lock();
            if state.connections >= inner.settings.most_connections {
                drop(state);
                inner.note("GET", "/", 503);
                return Ok(refuse(StatusCode::SERVICE_UNAVAILABLE));
            }
            state.connections += 1;
            state.last += 1;
            state.last
        };
        inner.note("GET", "/", 101);
        let inner = Arc::clone(inner);
        // An upgrade that never happens gives its place back too.
        let (out, inbox) = mpsc::channel(BACKLOG);
        let place = Place { peer: Peer { number, from, out, bot: None }, inner };
        Ok(upgrade.max_message_size(FRAME).on_upgrade(move |socket| async move {
            let mut place = place;
            let (inner, cancel) = (Arc::clone(&place.inner), place.inner.cancel.clone());
            tokio::select! {
                () = cancel.cancelled() => {}
                () = run(&inner, &mut place.peer, inbox, socket) => {}
            }
        }))
    }
}

/// A connection's place in the books, until it is dropped.
struct Place {
    inner: Arc<Inner>,
    peer: Peer,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.ended(&self.peer);
    }
}

async fn run(inner: &Inner, peer: &mut Peer, mut inbox: mpsc::Receiver<Out>, mut socket: WebSocket) {
    let silence = inner.settings.ping * 5 / 2;
    let mut until = Instant::now() + inner.settings.patience;
    loop {
        let answer = tokio::select! {
            out = inbox.recv() => match out {
                Some(Out::Frame(text)) => Some(text),
                Some(Out::Last(text)) => {
                    // The line ends either way.
                    let _ = socket.send(Message::text(text)).await;
                    return;
                }
                Some(Out::Close) | None => return,
            },
            () = sleep_until(until) => return,
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let answer = inner.answer(peer, &text);
                    // Who has not subscribed does not win time by talking.
                    if peer.bot.is_some() {
                        until = Instant::now() + silence;
                    }
                    answer
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return,
            },
        };
        if let Some(text) = answer
            && socket.send(Message::text(text)).await.is_err()
        {
            return;
        }
    }
}

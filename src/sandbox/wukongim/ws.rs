//! The WebSocket port: `internal/server/proto.go` of v2.2.5. The first frame decides: text that begins with `{` is JSON-RPC,
//! binary is the SDKs' protocol; what is no CONNECT closes the socket.

use super::{
    Inner, Version, binary, rpc,
    session::{Hello, NoLogin},
    wire::{Out, Peer},
};
use axum::{
    body::Body,
    extract::{
        FromRequestParts,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{Response, StatusCode, request::Parts},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

/// Frames kept for a client that does not read.
const BACKLOG: usize = 256;
/// The largest frame.
const FRAME: usize = 1 << 20;

/// Answers a request to the WebSocket port: any path will do.
pub(crate) async fn serve(inner: &Arc<Inner>, parts: &mut Parts) -> Response<Body> {
    let refuse = |status: StatusCode| {
        let mut r = Response::new(Body::empty());
        *r.status_mut() = status;
        r
    };
    let from = parts.extensions.get::<SocketAddr>().copied();
    let open = {
        let state = inner.lock();
        state.conns.len() + state.strangers.len() + state.zombies.len()
    };
    if open >= inner.settings.most_connections {
        return refuse(StatusCode::SERVICE_UNAVAILABLE);
    }
    match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => {
            let inner = Arc::clone(inner);
            upgrade.max_message_size(FRAME).on_upgrade(move |socket| async move {
                let id = {
                    let mut state = inner.lock();
                    let id = state.conn_id();
                    state.strangers.insert(id);
                    id
                };
                let mut cut = inner.cut.subscribe();
                cut.mark_unchanged();
                tokio::select! {
                    () = inner.cancel.cancelled() => {}
                    _ = cut.changed() => {}
                    () = run(&inner, id, socket, from) => {}
                }
                inner.lock().strangers.remove(&id);
                inner.hung_up(id);
            })
        }
        Err(_) => refuse(StatusCode::BAD_REQUEST),
    }
}

/// How a client speaks.
enum Speech {
    /// JSON-RPC; the number of the CONNECT.
    Rpc(String),
    /// The SDKs' protocol.
    Binary,
}

impl Speech {
    /// The answer to the CONNECT.
    fn connack(&self, inner: &Inner, hello: &Hello, time_diff: i64, reason: u8) -> Message {
        let node = inner.settings.node_id;
        match self {
            Self::Rpc(id) => Message::text(rpc::connack(id, hello.version, time_diff, reason, if reason == 1 { node } else { 0 })),
            Self::Binary => {
                let mut state = inner.lock();
                let key: Vec<u8> = (0..4).flat_map(|_| state.chance.next().to_le_bytes()).collect();
                let salt = format!("{:016x}", state.chance.next());
                drop(state);
                Message::binary(binary::connack(hello.version, time_diff, reason, &key, &salt, node))
            }
        }
    }

    /// What the server says of its own accord. Nothing stands for a RECV that the sandbox cannot encrypt.
    fn notify(&self, out: &Out) -> Result<Option<Message>, Ended> {
        match (self, out) {
            (_, Out::Close) => Err(Ended),
            (Self::Rpc(_), out) => Ok(rpc::notify(out).map(Message::text)),
            (Self::Binary, Out::Disconnect(reason)) => Ok(Some(Message::binary(binary::disconnect(reason)))),
            (Self::Binary, Out::Recv(_)) => Ok(None),
        }
    }

    /// The answer to a frame; a client that changes its language or sends nonsense is closed.
    fn answer(&self, inner: &Arc<Inner>, id: u64, uid: &str, message: Message) -> Result<Option<Message>, Ended> {
        match (self, message) {
            (_, Message::Ping(_) | Message::Pong(_)) => Ok(None),
            (Self::Rpc(_), Message::Text(t)) => Ok(rpc::answer(inner, id, uid, &t).map(Message::text)),
            (Self::Binary, Message::Binary(b)) => {
                let frames = binary::decode(&b).ok_or(Ended)?;
                Ok(frames.iter().any(|f| matches!(f, binary::Frame::Ping)).then(|| Message::binary(binary::pong())))
            }
            _ => Err(Ended),
        }
    }
}

/// The socket ends.
struct Ended;

/// One socket until it ends. It is dropped without a close frame, as the real server does (1006).
async fn run(inner: &Arc<Inner>, id: u64, mut socket: WebSocket, from: Option<SocketAddr>) {
    let timing = inner.settings.timing;
    // A socket that never says who it is has the idle time.
    let first = tokio::select! {
        () = sleep(timing.idle) => None,
        first = first(&mut socket) => first,
    };
    let Some((speech, mut hello, at)) = first else { return };
    if let Some(from) = from {
        (hello.ip, hello.port) = (from.ip().to_string(), from.port());
    }
    let time_diff = inner.now_ms().saturating_sub(at);
    let (tx, mut rx) = mpsc::channel(BACKLOG);
    match inner.admit(id, &hello, Peer::Socket(tx)) {
        Ok(()) => {
            inner.lock().strangers.remove(&id);
        }
        Err(NoLogin::BadUid | NoLogin::Full) => return,
        Err(_) if inner.settings.version == Version::V1 => {
            let _ = socket.send(speech.connack(inner, &hello, time_diff, 2)).await;
            return;
        }
        Err(_) => {
            // No word to the client; its socket counts in the total of `/connz` until it ends.
            tokio::select! {
                () = sleep(timing.refused) => {}
                () = async { while let Some(Ok(_)) = socket.recv().await {} } => {}
            }
            return;
        }
    }
    if socket.send(speech.connack(inner, &hello, time_diff, 1)).await.is_err() {
        return;
    }
    let mut quiet = Instant::now() + timing.idle;
    // False for a zombie: it has left the server's books, its sender is gone with them, and so is its idle time.
    let mut known = true;
    loop {
        let answer = tokio::select! {
            out = rx.recv(), if known => match out {
                Some(out) => speech.notify(&out),
                None => {
                    known = false;
                    continue;
                }
            },
            () = sleep_until(quiet), if known => return,
            message = socket.recv() => {
                let Some(Ok(message)) = message else { return };
                quiet = Instant::now() + timing.idle;
                let alive = inner.touch(id);
                // A zombie is read, and gets no answer (trace R).
                speech.answer(inner, id, &hello.uid, message).map(|a| a.filter(|_| alive))
            }
        };
        match answer {
            Ok(None) => {}
            Ok(Some(message)) => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            Err(Ended) => return,
        }
    }
}

/// The CONNECT: language, identity and the client's clock.
async fn first(socket: &mut WebSocket) -> Option<(Speech, Hello, i64)> {
    loop {
        match socket.recv().await?.ok()? {
            Message::Text(t) => {
                let (asked, hello) = rpc::connect(&t)?;
                return Some((Speech::Rpc(asked.id), hello, asked.at));
            }
            Message::Binary(b) => match binary::decode(&b)?.into_iter().next()? {
                binary::Frame::Connect(hello, at) => return Some((Speech::Binary, hello, at)),
                _ => return None,
            },
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return None,
        }
    }
}

impl Inner {
    /// Notes that a session is alive; false when the server does not know it any more.
    fn touch(&self, id: u64) -> bool {
        let now = self.now_ms();
        match self.lock().conns.get_mut(&id) {
            Some(c) => {
                c.active_ms = now;
                c.in_packets += 1;
                true
            }
            None => false,
        }
    }
}

//! JSON-RPC 2.0 on the WebSocket port: `pkg/jsonrpc` and `internal/server/proto.go` of v2.2.5. Text frames, no encryption.
//! The binary protocol of the older SDKs is not spoken: such a frame closes the socket, as one that is no CONNECT does.

use super::{
    Inner, Version,
    session::{Hello, NoLogin},
    wire::{Out, Peer},
};
use crate::sandbox::json::{Json, map};
use axum::{
    body::Body,
    extract::{
        FromRequestParts,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{Response, StatusCode, request::Parts},
};
use serde_json::Value;
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
        state.conns.len() + state.strangers + state.zombies.len()
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
                    state.strangers += 1;
                    state.conn_id()
                };
                let mut cut = inner.cut.subscribe();
                cut.mark_unchanged();
                tokio::select! {
                    () = run(&inner, id, socket, from) => {}
                    // Its books are new then; the count of strangers is mended there.
                    _ = cut.changed() => {}
                }
                inner.hung_up(id);
            })
        }
        Err(_) => refuse(StatusCode::BAD_REQUEST),
    }
}

/// One socket until it ends. It is dropped without a close frame, as the real server does (1006).
async fn run(inner: &Arc<Inner>, id: u64, mut socket: WebSocket, from: Option<SocketAddr>) {
    let (tx, mut rx) = mpsc::channel(BACKLOG);
    let first = tokio::select! {
        () = inner.cancel.cancelled() => None,
        // A socket that never says who it is has the idle time.
        () = sleep(inner.settings.timing.idle) => None,
        first = text(&mut socket) => first,
    };
    let entered = first.and_then(|f| enter(inner, id, &f, from, Peer::Socket(tx)));
    let Some((request, hello, result)) = entered else {
        return leave(inner);
    };
    match result {
        Ok(()) => leave(inner),
        Err(NoLogin::BadUid | NoLogin::Full) => return leave(inner),
        Err(_) if inner.settings.version == Version::V1 => {
            leave(inner);
            let answer = map! { "jsonrpc" => "2.0", "id" => request.id, "result" => map! { "reasonCode" => 2u32, "nodeId" => 0u32 } };
            let _ = socket.send(Message::text(answer.to_string())).await;
            return;
        }
        Err(_) => {
            // No word to the client: the connection counts in `/connz`'s total until it ends.
            tokio::select! {
                () = inner.cancel.cancelled() => {}
                () = sleep(inner.settings.timing.refused) => {}
                () = async { while let Some(Ok(_)) = socket.recv().await {} } => {}
            }
            return leave(inner);
        }
    }
    let mut result = vec![("serverVersion".to_owned(), Json::from(u32::from(hello.version.min(5))))];
    if request.time_diff != 0 {
        result.push(("timeDiff".to_owned(), request.time_diff.into()));
    }
    result.push(("reasonCode".to_owned(), 1u32.into()));
    result.push(("nodeId".to_owned(), Json::Int(inner.settings.node_id as i64)));
    let ack = map! { "jsonrpc" => "2.0", "id" => request.id, "result" => Json::Map(result) };
    if socket.send(Message::text(ack.to_string())).await.is_err() {
        return;
    }
    let mut quiet = Instant::now() + inner.settings.timing.idle;
    // A zombie has left the server's books; its sender is gone with it, and its idle time too.
    let mut told = true;
    loop {
        let packet = tokio::select! {
            () = inner.cancel.cancelled() => return,
            out = rx.recv(), if told => match out {
                Some(Out::Text(t)) => {
                    if socket.send(Message::text(t)).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Out::Close) => return,
                None => {
                    told = false;
                    continue;
                }
            },
            () = sleep_until(quiet), if told => return,
            packet = socket.recv() => packet,
        };
        quiet = Instant::now() + inner.settings.timing.idle;
        match packet {
            Some(Ok(Message::Text(t))) => {
                let alive = inner.touch(id);
                match answer(inner, id, &hello.uid, &t) {
                    Some(a) if alive => {
                        if socket.send(Message::text(a.to_string())).await.is_err() {
                            return;
                        }
                    }
                    _ => {}
                }
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return,
        }
    }
}

fn leave(inner: &Inner) {
    let mut state = inner.lock();
    state.strangers = state.strangers.saturating_sub(1);
}

/// The next text; anything else ends the socket.
async fn text(socket: &mut WebSocket) -> Option<String> {
    loop {
        match socket.recv().await? {
            Ok(Message::Text(t)) => return Some(t.to_string()),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            _ => return None,
        }
    }
}

/// What the CONNECT asked for besides its identity.
struct Request {
    id: String,
    time_diff: i64,
}

/// Reads a CONNECT and tries to get in. `None` when the first frame is no CONNECT: the socket is closed at once.
fn enter(inner: &Arc<Inner>, id: u64, frame: &str, from: Option<SocketAddr>, peer: Peer) -> Option<(Request, Hello, Result<(), NoLogin>)> {
    let v: Value = serde_json::from_str(frame).ok()?;
    if v.get("method").and_then(Value::as_str) != Some("connect") || v.get("jsonrpc").is_some_and(|j| j != "2.0") {
        return None;
    }
    let params = v.get("params")?.as_object()?;
    let word = |k: &str| params.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |k: &str| params.get(k).and_then(Value::as_i64).unwrap_or(0);
    let version = u8::try_from(number("version")).ok().filter(|v| *v > 0).unwrap_or(5);
    let hello = Hello {
        uid: word("uid"),
        token: word("token"),
        // The number passes unchanged, cut to eight bits (pkg/jsonrpc/types.go:349).
        flag: (number("deviceFlag") & 0xff) as u8,
        device_id: word("deviceId"),
        ip: from.map_or_else(|| "127.0.0.1".to_owned(), |a| a.ip().to_string()),
        port: from.map_or(0, |a| a.port()),
        version,
    };
    let request = Request {
        id: v.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        time_diff: inner.now_ms().saturating_sub(number("clientTimestamp")),
    };
    let result = inner.admit(id, &hello, peer);
    Some((request, hello, result))
}

/// The answer to a frame of a client that got in.
fn answer(inner: &Arc<Inner>, id: u64, uid: &str, frame: &str) -> Option<Json> {
    let fail = |id: &str, why: &str| Some(map! { "jsonrpc" => "2.0", "id" => id, "error" => map! { "code" => 0u32, "message" => why } });
    let v: Value = match serde_json::from_str(frame) {
        Ok(v) => v,
        Err(_) => return fail("", "jsonrpc decode: failed to unmarshal message"),
    };
    let request = v.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let params = v.get("params");
    let word = |k: &str| params.and_then(|p| p.get(k)).and_then(Value::as_str).unwrap_or_default().to_owned();
    match v.get("method").and_then(Value::as_str) {
        Some("ping") => Some(map! { "jsonrpc" => "2.0", "id" => request }),
        Some("send") => {
            let kind = params.and_then(|p| p.get("channelType")).and_then(Value::as_u64);
            if kind != Some(1) {
                return fail(&request, "the sandbox has personal channels only");
            }
            let (message, seq, reason) = inner.message(id, uid, &word("channelId"), &word("clientMsgNo"), &word("payload"))?;
            let result = map! { "messageId" => message.to_string(), "messageSeq" => seq, "reasonCode" => u32::from(reason) };
            Some(map! { "jsonrpc" => "2.0", "id" => request, "result" => result })
        }
        Some("recvack" | "disconnect" | "pong") => None,
        _ => fail(&request, "jsonrpc: unknown method"),
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

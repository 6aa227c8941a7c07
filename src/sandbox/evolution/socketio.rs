//! Engine.IO v4 and Socket.IO v4 over a WebSocket, as the server of the recordings speaks them. No long-polling: such a client
//! is told "Transport unknown", as by a server that allows WebSocket only.

use super::{Inner, events::Event, guard::Key, reply::Reply, routes::decode};
use crate::sandbox::{
    json::{Json, map},
    settings::Events,
};
use axum::{
    body::Body,
    extract::{
        FromRequestParts,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderValue, Response, StatusCode, header, request::Parts},
};
use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};

/// Streams and namespaces that a sandbox keeps at most.
const STREAMS: usize = 256;
const NAMESPACES: usize = 2048;

/// Answers a request to `/socket.io/`.
pub(crate) async fn serve(inner: &Arc<Inner>, parts: &mut Parts, query: &str) -> Response<Body> {
    if inner.settings.events == Events::None {
        let target = parts.uri.path_and_query().map_or("/socket.io/", |p| p.as_str());
        return inner.finish(Reply::refuse(404, format!("Cannot {} {target}", parts.method)), false);
    }
    let value = |name: &str| query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).and_then(decode);
    let code = |n: u32, text: &str| inner.finish(Reply::json(400, &map! { "code" => n, "message" => text }), false);
    match value("EIO").as_deref() {
        Some("4") => {}
        Some(_) => return code(5, "Unsupported protocol version"),
        None => return code(3, "Bad request"),
    }
    if inner.settings.socket_needs_key {
        let given = value("apikey").filter(|k| !k.is_empty()).or_else(|| parts.headers.get("apikey")?.to_str().ok().map(str::to_owned));
        match given {
            None => return refuse("apiKey is required"),
            Some(k) if inner.key(Some(&k)) == Key::None => return refuse("Invalid global token"),
            Some(_) => {}
        }
    }
    if value("transport").as_deref() != Some("websocket") {
        return code(0, "Transport unknown");
    }
    if inner.streams.load(Ordering::Relaxed) >= STREAMS {
        return code(4, "Forbidden");
    }
    match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => {
            let inner = Arc::clone(inner);
            upgrade.max_message_size(1_000_000).on_upgrade(move |socket| async move {
                inner.streams.fetch_add(1, Ordering::Relaxed);
                run(&inner, socket).await;
                inner.streams.fetch_sub(1, Ordering::Relaxed);
            })
        }
        Err(_) => code(3, "Bad request"),
    }
}

/// The refusal of an upgrade: status 400, the reason as text (recordings ws-auth-none, ws-auth-bad).
fn refuse(text: &'static str) -> Response<Body> {
    let mut r = Response::new(Body::from(text));
    *r.status_mut() = StatusCode::BAD_REQUEST;
    r.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    r.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    r
}

/// One stream until it ends.
async fn run(inner: &Arc<Inner>, mut socket: WebSocket) {
    let t = inner.settings.timing;
    let sid = inner.lock().chance.sid();
    let open = map! {
        "sid" => sid, "upgrades" => Json::List(Vec::new()), "pingInterval" => t.ping.as_millis() as i64,
        "pingTimeout" => t.pong.as_millis() as i64, "maxPayload" => 1_000_000u32,
    };
    if socket.send(Message::text(format!("0{open}"))).await.is_err() {
        return;
    }
    let mut bus = inner.bus.subscribe();
    let mut cut = inner.cut.subscribe();
    cut.mark_unchanged();
    let mut ping = interval_at(Instant::now() + t.ping, t.ping);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pong_due: Option<Instant> = None;
    let mut joined = Joined::default();
    loop {
        let out = tokio::select! {
            () = inner.cancel.cancelled() => break,
            changed = cut.changed() => {
                let _ = changed;
                break;
            }
            _ = ping.tick() => {
                pong_due = pong_due.or(Some(Instant::now() + t.pong));
                vec!["2".to_owned()]
            }
            () = sleep_until(pong_due.unwrap_or_else(Instant::now)), if pong_due.is_some() => break,
            event = bus.recv() => match event {
                Ok(e) => joined.packets(&e),
                Err(RecvError::Lagged(_)) => Vec::new(),
                Err(RecvError::Closed) => break,
            },
            packet = socket.recv() => match packet {
                Some(Ok(Message::Text(text))) => match text.as_str() {
                    "3" => {
                        pong_due = None;
                        Vec::new()
                    }
                    "1" => break,
                    "2probe" => vec!["3probe".to_owned()],
                    other => match joined.take(inner, other) {
                        Some(answer) => answer,
                        None => break,
                    },
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => Vec::new(),
            },
        };
        for packet in out {
            if socket.send(Message::text(packet)).await.is_err() {
                return;
            }
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

/// Namespaces that a client has joined.
#[derive(Default)]
struct Joined {
    root: bool,
    names: HashSet<String>,
}

impl Joined {
    /// The answer to a Socket.IO packet; `None` ends the stream, as a parse error does on the real server.
    fn take(&mut self, inner: &Arc<Inner>, packet: &str) -> Option<Vec<String>> {
        let rest = packet.strip_prefix('4')?;
        let kind = rest.chars().next()?;
        let rest = &rest[kind.len_utf8()..];
        let namespace = match rest.strip_prefix('/') {
            None => None,
            Some(r) => {
                let whole = r.split_once(',').map_or(r, |(n, _)| n);
                Some(whole.split_once('?').map_or(whole, |(n, _)| n).to_owned())
            }
        };
        match (kind, namespace) {
            ('0', None) => {
                self.root = true;
                let sid = inner.lock().chance.sid();
                Some(vec![format!("40{}", map! { "sid" => sid })])
            }
            ('0', Some(name)) => {
                let mut state = inner.lock();
                // A namespace exists from its instance's first event on (recordings ws-ns-shop-w, ws-ns-never-emitted).
                if !state.namespaces.contains(&name) || self.names.len() >= NAMESPACES {
                    return Some(vec![format!("44/{name},{}", map! { "message" => "Invalid namespace" })]);
                }
                let sid = state.chance.sid();
                drop(state);
                let packet = format!("40/{name},{}", map! { "sid" => sid });
                self.names.insert(name);
                Some(vec![packet])
            }
            ('1', None) => {
                self.root = false;
                Some(Vec::new())
            }
            ('1', Some(name)) => {
                self.names.remove(&name);
                Some(Vec::new())
            }
            // Clients may emit; nobody listens.
            ('2', _) => Some(Vec::new()),
            _ => None,
        }
    }

    fn packets(&self, e: &Event) -> Vec<String> {
        let body = format!("[\"{}\",{}]", e.event, e.envelope);
        let mut out = Vec::new();
        if e.root && self.root {
            out.push(format!("42{body}"));
        }
        if e.namespaced && self.names.contains(&e.instance) {
            out.push(format!("42/{},{body}", e.instance));
        }
        out
    }
}

//! From a request to an answer: faults, licence, routing, the odd paths.

use super::{
    Gateway, Inner,
    guard::Key,
    instances::{Query, asked},
    lifecycle::Logout,
    reply::Reply,
    rows::CHANNELS,
    socketio,
};
use crate::sandbox::{
    broken::{Dress, Dropped},
    json::{Json, map},
};
use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Request, Response, header},
};
use std::sync::Arc;

/// The largest request body that is read.
const BODY: usize = 1 << 20;

impl Gateway {
    /// Answers one request, in process or off the wire.
    ///
    /// # Errors
    /// [`Dropped`] when the connection must close without an answer.
    pub async fn handle(&self, request: Request<Body>) -> Result<Response<Body>, Dropped> {
        let inner = &self.inner;
        let (mut parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), |p| p.as_str().to_owned());
        let body = to_bytes(body, BODY).await.ok();
        let text = body.as_ref().map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default();
        let noted = inner.shell.asked(&parts.method, target.clone(), text);
        inner.linger().await;
        let fault = inner.knobs().faults.take(&target);
        inner.through(noted, fault, Dress::Express, inner.answer(&mut parts, &target, body.as_ref())).await
    }
}

impl Inner {
    async fn answer(self: &Arc<Self>, parts: &mut axum::http::request::Parts, target: &str, body: Option<&Bytes>) -> Response<Body> {
        let head = parts.method == "HEAD";
        let Some(target) = target.strip_prefix(self.settings.base_path.as_str()).filter(|t| t.is_empty() || t.starts_with('/')) else {
            return self.finish(Reply::text(404, "text/html", super::super::broken::PROXY_404.to_owned()), head);
        };
        let target = if target.is_empty() { "/" } else { target };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path == "/socket.io/" || path == "/socket.io" {
            return socketio::serve(self, parts, query).await;
        }
        let reply = match body {
            Some(body) => self.route(parts, target, path, query, body).await,
            None => Reply::broken("request entity too large".to_owned()).with_status(413),
        };
        self.finish(reply, head)
    }

    async fn route(self: &Arc<Self>, parts: &axum::http::request::Parts, target: &str, path: &str, query: &str, body: &Bytes) -> Reply {
        let method = match parts.method.as_str() {
            "HEAD" => "GET",
            m => m,
        };
        if self.settings.licence_required && path != "/" && !path.starts_with("/license/") && !path.starts_with("/manager") {
            return self.licence();
        }
        // The body parser runs before every route: a broken body is refused whatever the path (recording 65).
        let is_json = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| v.starts_with("application/json"));
        let given = if is_json && !body.is_empty() {
            match std::str::from_utf8(body).ok().and_then(|t| Json::parse(t).ok()) {
                Some(j) => j,
                None => return Reply::broken(parse_error(body)),
            }
        } else {
            map! {}
        };
        let mut segments = Vec::new();
        for s in path.split('/').skip(1) {
            match decode(s) {
                Some(d) => segments.push(d),
                None => return Reply::broken(format!("Failed to decode param '{s}'")),
            }
        }
        // Express is not strict about one slash at the end.
        if segments.len() > 1 && segments.last().is_some_and(String::is_empty) {
            segments.pop();
        }
        let key = self.key(parts.headers.get("apikey").and_then(|v| v.to_str().ok()));
        let query: Query =
            query.split('&').filter_map(|p| p.split_once('=')).filter_map(|(k, v)| Some((decode(k)?, decode(&v.replace('+', " "))?))).collect();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        self.dispatch(method, &parts, &query, &given, &key).await.unwrap_or_else(|| Reply::refuse(404, format!("Cannot {method} {target}")))
    }

    /// The route table; `None` for what Express does not know.
    async fn dispatch(self: &Arc<Self>, method: &str, path: &[&str], query: &Query, body: &Json, key: &Key) -> Option<Reply> {
        Some(match (method, path) {
            ("GET", [""]) => self.root(),
            ("GET", ["metrics"]) => self.metrics(),
            ("GET", ["manager", ..]) => Reply::text(200, "text/html; charset=UTF-8", "<!doctype html><title>Evolution Manager</title>\n".to_owned()),
            ("GET", ["license", "status"]) => {
                let status = if self.settings.licence_required { "inactive" } else { "active" };
                Reply::json(200, &map! { "status" => status, "instance_id" => "00000000-0000-4000-8000-000000000000" })
            }
            ("POST", ["verify-creds"]) => match key {
                Key::Global => Reply::json(200, &map! { "status" => 200u32, "message" => "Credentials are valid" }),
                _ => Reply::unauthorized(),
            },
            ("POST", ["instance", "create"]) => self.create(body, key).await,
            ("GET", ["instance", "fetchInstances"]) => self.list(query, key),
            (m, ["instance", verb, name]) if !name.is_empty() => {
                let known = matches!(
                    (m, *verb),
                    ("GET", "connectionState" | "connect") | ("POST", "restart" | "setPresence") | ("DELETE", "logout" | "delete")
                );
                if !known {
                    return None;
                }
                if let Err(refused) = self.guard(name, key) {
                    return Some(refused);
                }
                match *verb {
                    "connectionState" => self.connection_state(name),
                    "connect" => Reply::json(200, &self.connect(name, asked(query, "number").map(str::to_owned)).await),
                    "restart" => Reply::json(200, &self.restart(name)),
                    "setPresence" => self.set_presence(name, body),
                    "logout" => match self.logout(name) {
                        Logout::Done => {
                            self.settle().await;
                            success("Instance logged out")
                        }
                        Logout::NotConnected => Reply::refuse(400, format!("The \"{name}\" instance is not connected")),
                        Logout::ConnectionClosed => Reply::refuse(500, "Error: Connection Closed"),
                    },
                    _ if self.delete(name) => success("Instance deleted"),
                    // The text of an exception object, as everywhere.
                    _ => Reply::refuse(400, "[object Object]"),
                }
            }
            (m @ ("GET" | "POST"), [room, verb, name])
                if !name.is_empty() && (m == "GET") == (*verb == "find") && matches!(*verb, "find" | "set") =>
            {
                let kind = CHANNELS.into_iter().find(|c| c == room);
                if kind.is_none() && *room != "settings" {
                    return None;
                }
                if let Err(refused) = self.guard(name, key) {
                    return Some(refused);
                }
                match (kind, m) {
                    (None, "GET") => self.find_settings(name),
                    (None, _) => self.set_settings(name, body),
                    (Some(k), "GET") => self.find_extra(name, k),
                    (Some(k), _) => self.set_channel(name, k, body),
                }
            }
            _ => return None,
        })
    }

    fn root(&self) -> Reply {
        Reply::json(
            200,
            &map! {
                "status" => 200u32, "message" => "Welcome to the Evolution API, it is working!", "version" => &self.settings.version,
                "clientName" => &self.settings.client_name, "manager" => format!("{}/manager", self.url()),
                "documentation" => "https://doc.evolution-api.com", "whatsappWebVersion" => "2.3000.1027934701",
            },
        )
    }

    /// 503 of a server that was not activated (2.4.0-rc2, runtime.ts).
    fn licence(&self) -> Reply {
        Reply::json(
            503,
            &map! {
                "error" => "service not activated", "code" => "LICENSE_REQUIRED",
                "message" => "License required. Please register at /manager/license", "register_url" => format!("{}/manager/login", self.url()),
            },
        )
    }
}

fn success(message: &str) -> Reply {
    Reply::json(200, &map! { "status" => "SUCCESS", "error" => false, "response" => map! { "message" => message } })
}

/// V8's words for broken JSON, as far as they are known (recording 65).
fn parse_error(body: &Bytes) -> String {
    let text = String::from_utf8_lossy(body);
    match text.trim_start().chars().next() {
        Some('{') if !text.contains('"') => "Expected property name or '}' in JSON at position 1".to_owned(),
        Some('{' | '[') => "Unexpected end of JSON input".to_owned(),
        Some(c) => format!("Unexpected token '{c}', \"{}\" is not valid JSON", text.chars().take(20).collect::<String>()),
        None => "Unexpected end of JSON input".to_owned(),
    }
}

/// Percent-decoding; `None` for what `decodeURIComponent` refuses.
pub(crate) fn decode(s: &str) -> Option<String> {
    let b = s.as_bytes();
    let mut out = Vec::with_capacity(b.len());
    let mut i = 0;
    while i < b.len() {
        if b[i] == b'%' {
            let hex = s.get(i + 1..i + 3).filter(|h| h.bytes().all(|c| c.is_ascii_hexdigit()))?;
            out.push(u8::from_str_radix(hex, 16).ok()?);
            i += 3;
        } else {
            out.push(b[i]);
            i += 1;
        }
    }
    String::from_utf8(out).ok()
}

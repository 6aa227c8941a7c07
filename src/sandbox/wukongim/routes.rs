//! From a request to an answer: faults, guards, routing. What a port does not know is 404 text, with a wrong method too.

use super::{Inner, Version, Wukong, reply::Reply, ws};
use crate::sandbox::{
    broken::{Dress, Dropped},
    clock::http_date,
    evolution::decode,
};
use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Request, Response, request::Parts},
};
use std::sync::Arc;

/// The largest request body that is read: a batch of 100,000 uids.
const BODY: usize = 8 << 20;

/// Which of the three ports a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// 5001: everything, behind the manager token.
    Api,
    /// 5300: reading, connections and the cluster, behind manager token or JWT.
    Manager,
    /// 5200: WebSocket.
    Ws,
    /// 8090: the business server, where there is one.
    Business,
}

impl Wukong {
    /// Answers one request, in process or off the wire.
    ///
    /// # Errors
    /// [`Dropped`] when the connection must close without an answer.
    pub async fn handle(&self, port: Port, request: Request<Body>) -> Result<Response<Body>, Dropped> {
        let inner = &self.inner;
        let (mut parts, body) = request.into_parts();
        if port == Port::Ws {
            return Ok(ws::serve(inner, &mut parts).await);
        }
        let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), |p| p.as_str().to_owned());
        let body = to_bytes(body, BODY).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&body).into_owned();
        let noted = inner.shell.asked(&parts.method, target.clone(), text);
        inner.linger().await;
        let fault = inner.knobs().faults.take(&target);
        inner.through(noted, fault, Dress::Gin, inner.answered_on(port, &parts, &body)).await
    }
}

impl Inner {
    async fn answered_on(self: &Arc<Self>, port: Port, parts: &Parts, body: &Bytes) -> Response<Body> {
        if port != Port::Business {
            return self.answer(port, parts, body);
        }
        let query = |name: &str| value(parts.uri.query().unwrap_or_default(), name);
        let token = parts.headers.get("token").and_then(|t| t.to_str().ok()).unwrap_or_default();
        let reply = self.business_answer(parts.method.as_str(), parts.uri.path(), token, &query).await;
        let mut out = self.finish(reply);
        let skew = self.knobs().business_skew_ms;
        if let Some(date) = skew.and_then(|ms| http_date(self.clock.now_ms().saturating_add(ms)).parse().ok()) {
            out.headers_mut().insert(axum::http::header::DATE, date);
        }
        out
    }

    fn answer(self: &Arc<Self>, port: Port, parts: &Parts, body: &Bytes) -> Response<Body> {
        let query = |name: &str| value(parts.uri.query().unwrap_or_default(), name);
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let reply = match (self.settings.version, port) {
            (Version::V3, Port::Api) => self.v3_api(method, path, body),
            (Version::V3, _) => self.v3_manager(method, path, parts, body, &query),
            (_, Port::Api) => match self.api_guard(&parts.headers) {
                Ok(()) if method == "OPTIONS" => Reply::empty(204),
                Ok(()) => self.api(method, path, body, &query),
                Err(no) => no,
            },
            (v, _) => {
                let open = v == Version::V2 && matches!((method, path), ("POST", "/manager/login") | ("GET", "/metrics" | "/web" | "/web/"));
                match if open { Ok(()) } else { self.manager_guard(&parts.headers, query("Authorization")) } {
                    _ if method == "OPTIONS" => Reply::empty(204),
                    Ok(()) if v == Version::V1 => self.monitor(method, path, &query),
                    Ok(()) => self.manager(method, path, body, &query),
                    Err(no) => no,
                }
            }
        };
        self.finish(reply)
    }

    /// The API port of v1 and v2.
    fn api(self: &Arc<Self>, method: &str, path: &str, body: &[u8], query: &dyn Fn(&str) -> Option<String>) -> Reply {
        match (method, path) {
            ("POST", "/user/token") => self.user_token(body),
            ("POST", "/user/device_quit") => self.device_quit(body),
            ("POST", "/user/onlinestatus") => self.online_status(body),
            ("POST", "/user/systemuids_add") => self.system_uids(body, true, false),
            ("POST", "/user/systemuids_remove") => self.system_uids(body, false, false),
            ("POST", "/user/systemuids_add_to_cache") => self.system_uids(body, true, true),
            ("POST", "/user/systemuids_remove_from_cache") => self.system_uids(body, false, true),
            ("GET", "/user/systemuids") => self.system_list(),
            ("POST", "/channel/info") => self.channel_info(body),
            ("GET", "/varz") => self.varz(query),
            ("GET", "/varz/setting") => self.varz_setting(),
            ("GET", "/connz") => self.connz(query),
            ("GET", "/route") => self.route(query),
            ("POST", "/route/batch") => self.route_batch(body, query),
            _ if self.settings.version == Version::V1 => Reply::not_found(),
            ("GET", "/health") => Reply::json(200, &crate::sandbox::json::map! { "status" => "ok" }),
            ("GET", "/migrate/result") => self.migrate_result(),
            ("GET", p) if p.starts_with("/docs/") || p == "/docs" => self.docs(),
            _ => self.both(method, path, body, query),
        }
    }

    /// The manager port of v2.
    fn manager(self: &Arc<Self>, method: &str, path: &str, body: &[u8], query: &dyn Fn(&str) -> Option<String>) -> Reply {
        match (method, path) {
            ("GET", "/metrics") => self.metrics(),
            ("GET", "/web" | "/web/") => self.web(),
            ("GET", "/varz") => self.varz(query),
            ("GET", "/varz/setting") => self.varz_setting(),
            ("GET", "/connz") => self.connz(query),
            _ => self.both(method, path, body, query),
        }
    }

    /// What both ports of v2 have.
    fn both(self: &Arc<Self>, method: &str, path: &str, body: &[u8], query: &dyn Fn(&str) -> Option<String>) -> Reply {
        match (method, path) {
            ("POST", "/manager/login") => self.login_manager(body),
            ("POST", "/conn/kick") => self.conn_end(body, true),
            ("POST", "/conn/remove") => self.conn_end(body, false),
            ("GET", "/cluster/devices") => self.cluster_devices(query),
            ("GET", "/cluster/users") => self.cluster_users(query),
            ("GET", "/cluster/simpleNodes" | "/cluster/nodes") => self.cluster_nodes(),
            ("GET", "/cluster/info") => self.cluster_info(),
            _ => Reply::not_found(),
        }
    }

    /// The monitor port of v1.
    fn monitor(self: &Arc<Self>, method: &str, path: &str, query: &dyn Fn(&str) -> Option<String>) -> Reply {
        match (method, path) {
            ("GET", "/api/connz") => self.connz(query),
            ("GET", "/api/varz") => self.varz(query),
            ("GET", "/api/metrics") => self.metrics(),
            _ => Reply::not_found(),
        }
    }
}

/// One value of a query; `+` is a space.
fn value(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).and_then(|v| decode(&v.replace('+', " ")))
}

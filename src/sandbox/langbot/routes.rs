//! From a request to an answer: faults, log without secrets, routing.

use super::{Inner, LangBot, auth::Who, qr::Flow, reply::Reply};
use crate::sandbox::{
    broken::{Dress, Dropped},
    evolution::decode,
    fault::Fault,
};
use axum::{
    body::{Body, to_bytes},
    http::{Request, Response, request::Parts},
};
use serde_json::Value;
use std::sync::Arc;

/// The largest request body that is read.
const BODY: usize = 10 << 20;
/// The page of a path that the application does not know below `/api` (`404.html` of the frontend).
const PAGE_404: &str = "<!DOCTYPE html><html lang=\"en\"><head><title>404</title></head><body>404: This page could not be found.</body></html>\n";
/// Everything else is the single page of the frontend.
const PAGE: &str = "<!doctype html>\n<html lang=\"en\"><head><title>LangBot</title></head><body><div id=\"root\"></div></body></html>\n";
const WRONG_METHOD: &str = "<!doctype html>\n<html lang=en>\n<title>405 Method Not Allowed</title>\n<h1>Method Not Allowed</h1>\n<p>The method is not allowed for the requested URL.</p>\n";

impl LangBot {
    /// Answers one request, in process or off the wire.
    ///
    /// # Errors
    /// [`Dropped`] when the connection must close without an answer.
    pub async fn handle(&self, request: Request<Body>) -> Result<Response<Body>, Dropped> {
        let inner = &self.inner;
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), |p| p.as_str().to_owned());
        let body = to_bytes(body, BODY).await.unwrap_or_default();
        let noted = inner.shell.asked(&parts.method, target.clone(), without_secrets(&body));
        let fault = inner.knobs().faults.take(&target);
        inner.linger().await;
        // It sends no proxy's page: its own words, without a time to wait (`pkg/api/http/controller/group.py`).
        let (busy, fault) = (matches!(fault, Some(Fault::TooMany(_))), fault.filter(|f| !matches!(f, Fault::TooMany(_))));
        let answered = async {
            inner.finish(match busy {
                true => Reply::fail(429, "blocking_work_capacity_exceeded", "Blocking work queue capacity exceeded"),
                false => inner.answer(&parts, &body).await,
            })
        };
        inner.through(noted, fault, Dress::Quart, answered).await
    }
}

impl Inner {
    async fn answer(self: &Arc<Self>, parts: &Parts, body: &[u8]) -> Reply {
        let done = match parts.uri.path().strip_prefix("/api/v1/") {
            Some(path) => self.api(parts, path, body).await,
            None => self.outside(parts),
        };
        done.unwrap_or_else(|no| no)
    }

    /// What is not below `/api/v1`.
    fn outside(&self, parts: &Parts) -> Result<Reply, Reply> {
        let path = parts.uri.path();
        Ok(match path {
            "/healthz" => self.healthz(),
            p if p.starts_with("/bots/") => {
                // A callback that WeCom did not sign (recording 30); what it did sign is out of the sandbox's reach.
                let known = p.split('/').nth(2).is_some_and(|u| self.lock().bot(u).is_some_and(|b| b.runtime.is_some()));
                if known {
                    Reply::html(400, "Error processing request: 验证失败，错误码: -40001")
                } else {
                    Reply::fail(404, -1, "Bot not found")
                }
            }
            p if p.starts_with("/api/") => Reply::html(200, PAGE_404),
            _ => Reply::html(200, PAGE),
        })
    }

    async fn api(self: &Arc<Self>, parts: &Parts, path: &str, body: &[u8]) -> Result<Reply, Reply> {
        let (method, headers) = (parts.method.as_str(), &parts.headers);
        // Names of the path come percent-decoded.
        let segments: Vec<String> = path.split('/').map(|s| decode(s).unwrap_or_else(|| s.to_owned())).collect();
        let at: Vec<&str> = segments.iter().map(String::as_str).collect();
        let query = |name: &str| {
            let all = parts.uri.query().unwrap_or_default();
            all.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).and_then(|v| decode(&v.replace('+', " ")))
        };
        // A body that is no JSON is an exception of its reader, and so a 500; none at all is like `null`.
        let json = || -> Result<Value, Reply> {
            if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body).map_err(|_| Reply::internal(self)) }
        };
        let view = || self.either(headers, "resource.view");
        let manage = || self.either(headers, "resource.manage");
        Ok(match (method, at.as_slice()) {
            ("GET", ["system", "info"]) => self.info(),
            ("GET", ["user", "init"]) => self.init_status(),
            ("POST", ["user", "init"]) => self.init(&json()?),
            // This one reads its body silently.
            ("POST", ["user", "auth"]) => self.login(&json().unwrap_or(Value::Null)),
            ("GET", ["user", "check-token"]) => {
                self.account(headers)?;
                self.check_token()
            }
            ("GET", ["platform", "bots"]) => self.bots(&view()?),
            ("POST", ["platform", "bots"]) => {
                manage()?;
                self.create(&json()?)
            }
            ("GET", ["platform", "bots", uuid]) => self.bot(uuid, &view()?),
            ("PUT", ["platform", "bots", uuid]) => {
                manage()?;
                self.update(uuid, &json()?)
            }
            ("DELETE", ["platform", "bots", uuid]) => {
                manage()?;
                self.delete(uuid)
            }
            ("POST", ["platform", "bots", uuid, "logs"]) => {
                view()?;
                self.logs(uuid, &json()?)
            }
            ("POST", ["platform", "bots", uuid, "send_message"]) => {
                self.key(headers, "runtime.operate")?;
                self.send(uuid, &json()?).await
            }
            ("GET", ["system", "tasks"]) => self.tasks(&view()?, &query),
            ("GET", ["system", "status", "plugin-system"]) => {
                view()?;
                self.plugin_status()
            }
            ("GET", ["apikeys"]) => {
                self.person(headers)?;
                self.keys()
            }
            ("POST", ["apikeys"]) => {
                self.person(headers)?;
                self.new_key(&json()?)
            }
            ("DELETE", ["apikeys", id]) => {
                self.person(headers)?;
                self.drop_key(id).unwrap_or_else(|| Reply::html(200, PAGE_404))
            }
            ("GET", ["stats", "basic"]) => {
                self.person(headers)?;
                self.stats()
            }
            ("GET", ["monitoring", "overview"]) => {
                view()?;
                self.monitoring()
            }
            ("GET", ["webhooks"]) => {
                self.person(headers)?;
                Reply::ok(serde_json::json!({ "webhooks": [] }))
            }
            (_, ["platform", "adapters", rest @ ..]) => self.adapters(method, rest, &self.person(headers)?).await,
            (_, ["user", "init" | "auth" | "check-token"] | ["system", "info" | "tasks"] | ["apikeys"])
            | (_, ["platform", "bots"] | ["platform", "bots", _] | ["platform", "bots", _, "logs" | "send_message"]) => {
                Reply::html(405, WRONG_METHOD)
            }
            _ => Reply::html(200, PAGE_404),
        })
    }

    /// `/api/v1/platform/adapters`: for people alone.
    async fn adapters(&self, method: &str, rest: &[&str], _: &Who) -> Reply {
        let flow = |adapter: &str, verb: &str| Flow::named(adapter).filter(|f| f.path().1 == verb);
        match (method, rest) {
            ("POST", [adapter, verb]) => match flow(adapter, verb) {
                Some(f) => self.qr_start(f).await,
                None => Reply::html(405, WRONG_METHOD),
            },
            ("GET", [adapter, verb, "status", id]) => match flow(adapter, verb) {
                Some(f) => self.qr_status(f, id),
                None => Reply::html(200, PAGE_404),
            },
            ("DELETE", [adapter, verb, id]) => match flow(adapter, verb) {
                Some(f) => self.qr_end(f, id),
                None => Reply::html(405, WRONG_METHOD),
            },
            ("GET", []) => Reply::ok(serde_json::json!({ "adapters": [manifest()] })),
            ("GET", ["wecom"]) => Reply::ok(serde_json::json!({ "adapter": manifest() })),
            ("GET", [_]) => Reply::fail(404, -1, "adapter not found"),
            _ => Reply::html(200, PAGE_404),
        }
    }
}

/// The manifest of the `wecom` adapter, the only one that the sandbox shows (recording 10).
fn manifest() -> Value {
    serde_json::from_str(include_str!("wecom.json")).unwrap_or(Value::Null)
}

/// A body for the log: texts below names that carry secrets are gone, and so is everything that is no JSON.
fn without_secrets(body: &[u8]) -> String {
    fn clean(v: &mut Value) {
        match v {
            Value::Object(map) => {
                for (k, v) in map.iter_mut() {
                    let k = k.to_lowercase();
                    if ["secret", "token", "password", "key", "code", "credential", "auth"].iter().any(|w| k.contains(w)) && !v.is_boolean() {
                        *v = "***".into();
                    } else {
                        clean(v);
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(clean),
            _ => {}
        }
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(mut v) => {
            clean(&mut v);
            v.to_string()
        }
        Err(_) => String::new(),
    }
}

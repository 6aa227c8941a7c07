//! The control API for outsiders: what the handle can do, over loopback HTTP. `CONTRACT.md`, "Sandbox", holds its shape.

use super::{
    Server, Servers,
    broken::Dropped,
    evolution::{Gateway, Refused, decode},
    fault::Fault,
    telegram::Telegram,
    wecom::{TokenFault, TokenServer},
    wukongim::Wukong,
};
use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, Request, Response, StatusCode, header},
};
use futures_util::stream;
use serde_json::{Value, json};
use std::convert::Infallible;

/// Answers one request to the control API. `hosts` are the `Host` values that are ours: a web page's requests have others.
pub(crate) async fn answer(servers: Servers, hosts: [String; 2], request: Request<Body>) -> Result<Response<Body>, Dropped> {
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default().to_owned();
    if !hosts.contains(&host) || request.headers().contains_key(header::ORIGIN) {
        return Ok(reply(403, &json!({ "v": 1, "error": "only for programs on this machine" })));
    }
    let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    if method == "GET" && path == "/events" {
        return Ok(events(&servers));
    }
    let given: Value = if body.is_empty() { json!({}) } else { serde_json::from_slice(&body).unwrap_or(Value::Null) };
    let (status, out) = if given.is_object() { act(&servers, &method, &path, &given) } else { (400, error("the body is no JSON object")) };
    Ok(reply(status, &out))
}

/// The account that a call is about.
enum Found {
    Evolution(Gateway, String),
    Wukong(Wukong, String),
    Tokens(TokenServer, String),
    Telegram(Telegram, i64),
}

impl Found {
    /// The account `name` of a server, as it is or percent-decoded.
    fn on(server: &Server, name: &str) -> Option<Self> {
        let mut forms = [Some(name.to_owned()), decode(name)].into_iter().flatten();
        match server {
            Server::Evolution(g) => forms.find(|n| g.state(n).is_some()).map(|n| Self::Evolution(g.clone(), n)),
            Server::Wukong(w) => forms.find(|n| w.knows(n)).map(|n| Self::Wukong(w.clone(), n)),
            // Bots are no accounts that log in or pair: their calls name them as `bot`.
            Server::LangBot(_) | Server::AiBot(_) => None,
            Server::Tokens(t) => forms.find(|n| t.knows(n)).map(|n| Self::Tokens(t.clone(), n)),
            Server::Telegram(t) => forms.find_map(|n| t.account(&n)).map(|id| Self::Telegram(t.clone(), id)),
        }
    }

    /// As a user of the kind that has devices.
    fn user(self) -> Result<(Wukong, String), (u16, Value)> {
        match self {
            Self::Wukong(w, n) => Ok((w, n)),
            Self::Evolution(..) | Self::Tokens(..) | Self::Telegram(..) => Err((501, error("this kind has no devices that log in by themselves"))),
        }
    }
}

fn act(servers: &Servers, method: &str, path: &str, given: &Value) -> (u16, Value) {
    let text = |k: &str| given.get(k).and_then(Value::as_str);
    let chosen = || -> Result<Vec<Server>, (u16, Value)> {
        match text("gateway") {
            None => Ok(servers.iter().cloned().collect()),
            Some(name) => match servers.iter().find(|s| s.name() == name) {
                Some(s) => Ok(vec![s.clone()]),
                None => Err((404, error("no such gateway here"))),
            },
        }
    };
    // An account is named alone or as GATEWAY:ACCOUNT, a target as everywhere: `: / %` inside a name are percent-encoded. A name
    // as it is will do where it is not ambiguous.
    let account = || -> Result<Found, (u16, Value)> {
        let Some(name) = text("account") else { return Err((400, error("account is missing"))) };
        let split = |s: &Server| {
            let (gateway, rest) = name.split_once(':')?;
            (decode(gateway)? == s.name()).then_some(())?;
            Found::on(s, rest)
        };
        let among = chosen()?;
        let mut found: Vec<_> = among.iter().filter_map(split).collect();
        if found.is_empty() {
            found = among.iter().filter_map(|s| Found::on(s, name)).collect();
        }
        match found.pop() {
            Some(one) if found.is_empty() => Ok(one),
            Some(_) => Err((409, error("ambiguous: name the gateway too, GATEWAY:ACCOUNT"))),
            None => Err((404, error("no such account here"))),
        }
    };
    let flag = || given.get("flag").and_then(Value::as_i64);
    let short = |what: &str| u8::try_from(given.get(what).and_then(Value::as_u64).unwrap_or(0)).map_err(|_| (400, error("0 to 255")));
    let done = (200, json!({ "v": 1, "ok": true }));
    let outcome = || -> Result<(u16, Value), (u16, Value)> {
        let among = chosen()?;
        let langbots: Vec<_> = among.iter().filter_map(|s| if let Server::LangBot(l) = s { Some(l.clone()) } else { None }).collect();
        let aibots: Vec<_> = among.iter().filter_map(|s| if let Server::AiBot(a) = s { Some(a.clone()) } else { None }).collect();
        let own = super::langbot::act(&langbots, method, path, given).or_else(|| super::aibot::act(&aibots, method, path, given));
        if let Some(answer) = own {
            return Ok(answer);
        }
        match (method, path) {
            ("GET", "/requests") => {
                let all: Vec<_> = servers.iter().flat_map(Server::requests).collect();
                Ok((200, serde_json::to_value(all).unwrap_or(Value::Null)))
            }
            ("POST", "/skew") => {
                let seconds = match given.get("seconds") {
                    Some(Value::Number(n)) => n.as_f64(),
                    Some(Value::Null) => None,
                    _ => return Err((400, error("seconds must be a number or null"))),
                };
                for s in chosen()? {
                    match s {
                        Server::Evolution(g) => g.skew(seconds),
                        Server::Wukong(w) => w.skew(seconds),
                        Server::LangBot(l) => l.skew(seconds),
                        Server::AiBot(_) => {}
                        Server::Tokens(t) => t.skew(seconds),
                        Server::Telegram(t) => t.skew(seconds),
                    }
                }
                Ok(done)
            }
            ("POST", "/fault") => {
                let kind = text("kind").unwrap_or_default();
                let count = given.get("count").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
                if kind == "peer_down" {
                    for s in chosen()? {
                        if let Server::Wukong(w) = s {
                            w.peer_down(count);
                        }
                    }
                    return Ok(done);
                }
                let value = given.get("value").and_then(Value::as_u64);
                let fault = Fault::parse(kind, value);
                let mut told = None;
                let mut known = fault.is_some();
                for s in chosen()? {
                    match (s, &fault) {
                        (Server::Evolution(g), Some(f)) => g.fault(f.clone(), count, text("path")),
                        (Server::Wukong(w), Some(f)) => w.fault(f.clone(), count, text("path")),
                        (Server::LangBot(l), Some(f)) => l.fault(f.clone(), count, text("path")),
                        (Server::Tokens(t), _) => known |= t.order_fault(kind, given, count),
                        (Server::Telegram(t), _) => {
                            let answer = t.control_fault(kind, value, count, text("path"));
                            known |= answer.0 == 200;
                            told = Some(answer);
                        }
                        // An AI bot's faults have calls of their own: `/aibot`, `/kick`.
                        _ => {}
                    }
                }
                if known {
                    return Ok(done);
                }
                if let Some(told) = told {
                    return Ok(told);
                }
                let kinds: Vec<_> = [Fault::KINDS, TokenFault::KINDS, TokenServer::ORDERS].concat();
                Err((400, json!({ "v": 1, "error": "unknown kind", "kinds": kinds })))
            }
            ("POST", "/scan") => {
                let (gateway, name) = match account()? {
                    Found::Wukong(w, _) if w.business_url().is_none() => {
                        return Err((409, error("there is nothing to scan: no business server here")));
                    }
                    Found::Wukong(w, uid) => {
                        let confirm = given.get("confirm").and_then(Value::as_bool).unwrap_or(true);
                        return w
                            .web_scan(&uid, text("payload"), confirm)
                            .map(|()| done)
                            .map_err(|e| (409, json!({ "v": 1, "ok": false, "error": e })));
                    }
                    Found::Telegram(t, id) => return Ok(t.control_scan(id, given)),
                    Found::Tokens(..) => return Err((409, error("there is nothing to scan: this kind has tokens"))),
                    Found::Evolution(g, n) => (g, n),
                };
                let done_by = match text("kind").unwrap_or("qr") {
                    "qr" => gateway.scan(&name, text("payload")),
                    "code" => gateway.type_code(&name, text("payload")),
                    _ => return Err((400, error("kind is qr or code"))),
                };
                done_by.map(|()| done).map_err(refused)
            }
            ("POST", "/unlink") => {
                let (gateway, name) = match account()? {
                    Found::Wukong(w, uid) => {
                        let flag = flag().and_then(|f| u8::try_from(f).ok());
                        return Ok((200, json!({ "v": 1, "ok": true, "ended": w.unlink(&uid, flag) })));
                    }
                    Found::Tokens(..) => return Err((409, error("there is nothing to unlink: this kind has tokens"))),
                    Found::Telegram(t, id) => return Ok(t.control_unlink(id, given)),
                    Found::Evolution(g, n) => (g, n),
                };
                let reason = given.get("reason").and_then(|r| r.as_u64().or_else(|| r.as_str()?.parse().ok()));
                let Some(code) = reason.and_then(|r| u16::try_from(r).ok()) else { return Err((400, error("reason is a status code such as 401"))) };
                gateway.unlink(&name, code).map(|()| done).map_err(refused)
            }
            ("POST", "/revoke" | "/secret" | "/trust" | "/fetch" | "/expire") if servers.iter().any(|s| matches!(s, Server::Tokens(_))) => {
                match account()? {
                    Found::Tokens(t, name) => t.order(path, &name, given).ok_or((404, error("no such call"))),
                    Found::Wukong(w, uid) if path == "/expire" => {
                        w.quit(&uid, flag().unwrap_or(-1));
                        Ok(done)
                    }
                    _ => Err((501, error("this kind gives out no tokens"))),
                }
            }
            ("POST", "/login" | "/expire") if !servers.iter().any(|s| matches!(s, Server::Wukong(_) | Server::Telegram(_))) => {
                Err((501, error("no such gateway here")))
            }
            ("POST", "/login") => {
                let (wukong, uid) = account()?.user()?;
                let (flag, level) = (short("flag")?, short("level")?);
                // A level is given out by a business server, which issues a token; without one the client comes back with the
                // token that it has, which is the row's unless the call names another.
                let token = match (text("token"), given.get("level").is_some()) {
                    (Some(t), _) => t.to_owned(),
                    (None, true) => {
                        let token = wukong.made_up();
                        wukong.issue(&uid, flag, level, &token).map_err(|e| (409, error(&e)))?;
                        token
                    }
                    (None, false) => wukong.token(&uid, flag).map(|t| t.expose().to_owned()).unwrap_or_default(),
                };
                match wukong.login(&uid, flag, text("device_id").unwrap_or("sandbox"), &token) {
                    Ok(id) => Ok((200, json!({ "v": 1, "ok": true, "conn_id": id }))),
                    Err(why) => Err((409, json!({ "v": 1, "ok": false, "error": why.to_string() }))),
                }
            }
            ("POST", "/expire") => {
                let found = account()?;
                if let Found::Telegram(t, id) = found {
                    return Ok(t.control_expire(id, given));
                }
                let (wukong, uid) = found.user()?;
                wukong.quit(&uid, flag().unwrap_or(-1));
                Ok(done)
            }
            ("POST", "/age") => match account()? {
                Found::Telegram(t, id) => Ok(t.control_age(id, given)),
                _ => Err((501, error("only sessions of Telegram have a first day"))),
            },
            ("GET", "/log") => {
                let lines = |s: &Server| match s {
                    Server::Evolution(_) | Server::Tokens(_) => Vec::new(),
                    Server::Telegram(t) => t.control_log(),
                    Server::Wukong(w) => w.log().into_iter().map(|l| json!({ "gateway": w.name(), "line": l })).collect(),
                    Server::LangBot(l) => l.log_lines(),
                    Server::AiBot(_) => Vec::new(),
                };
                Ok((200, servers.iter().flat_map(lines).collect::<Vec<Value>>().into()))
            }
            ("GET", "/who") => {
                let who = |s: &Server| if let Server::Telegram(t) = s { Some(t.control_who()) } else { None };
                Ok((200, servers.iter().filter_map(who).collect::<Vec<Value>>().into()))
            }
            ("GET", "/fetches") => {
                let of = |s: &Server| match s {
                    Server::Tokens(t) => {
                        t.accounts().into_iter().map(|a| json!({ "gateway": t.name(), "account": a, "fetches": t.fetches(&a) })).collect()
                    }
                    _ => Vec::new(),
                };
                Ok((200, servers.iter().flat_map(of).collect::<Vec<Value>>().into()))
            }
            _ => {
                let calls = "GET /requests /events /log /bots /sessions /subscribers /fetches /who, POST /skew /fault /scan /unlink /login /expire /age /bot \
                             /restart /kick /aibot /revoke /secret /trust /fetch";
                Err((404, error(calls)))
            }
        }
    };
    outcome().unwrap_or_else(|e| e)
}

fn error(text: &str) -> Value {
    json!({ "v": 1, "error": text })
}

fn refused(why: Refused) -> (u16, Value) {
    let status = if why == Refused::NoAccount { 404 } else { 409 };
    (status, json!({ "v": 1, "ok": false, "error": why.to_string() }))
}

fn reply(status: u16, body: &Value) -> Response<Body> {
    let mut r = Response::new(Body::from(body.to_string()));
    *r.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    r.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    r
}

/// Events of all servers, one JSON document a line, until either side ends it.
fn events(servers: &Servers) -> Response<Body> {
    let (tx, rx) = tokio::sync::mpsc::channel::<Bytes>(256);
    for s in servers.iter() {
        let (tx, name) = (tx.clone(), s.name().to_owned());
        match s {
            Server::Evolution(g) => forward(tx, name, g.events(), g.inner.cancel.clone(), |e| e.envelope.to_string()),
            Server::Telegram(t) => forward(tx, name, t.events(), t.inner.cancel.clone(), |e| e.to_string()),
            Server::Wukong(w) => forward(tx, name, w.events(), w.inner.cancel.clone(), |e| e.to_string()),
            Server::LangBot(l) => forward(tx, name, l.events(), l.inner.cancel.clone(), |e| e.to_string()),
            Server::AiBot(a) => forward(tx, name, a.events(), a.inner.cancel.clone(), |e| e.to_string()),
            Server::Tokens(t) => forward(tx, name, t.events(), t.inner.cancel.clone(), |e| e.to_string()),
        }
    }
    let body = stream::unfold(rx, |mut rx| async move { rx.recv().await.map(|b| (Ok::<_, Infallible>(b), rx)) });
    let mut r = Response::new(Body::from_stream(body));
    r.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    r
}

/// Passes the events of one server on as lines.
fn forward<E: Clone + Send + 'static>(
    tx: tokio::sync::mpsc::Sender<Bytes>,
    name: String,
    mut bus: tokio::sync::broadcast::Receiver<E>,
    cancel: tokio_util::sync::CancellationToken,
    text: fn(&E) -> String,
) {
    tokio::spawn(async move {
        loop {
            let e = tokio::select! {
                () = cancel.cancelled() => return,
                () = tx.closed() => return,
                e = bus.recv() => e,
            };
            use tokio::sync::broadcast::error::RecvError;
            let line = match e {
                Ok(e) => format!("{{\"v\":1,\"gateway\":{},\"event\":{}}}\n", json!(name), text(&e)),
                Err(RecvError::Lagged(n)) => format!("{{\"v\":1,\"gateway\":{},\"lost\":{n}}}\n", json!(name)),
                Err(RecvError::Closed) => return,
            };
            if tx.send(Bytes::from(line)).await.is_err() {
                return;
            }
        }
    });
}

//! The control API for outsiders: what the handle can do, over loopback HTTP. `CONTRACT.md`, "Sandbox", holds its shape.

use super::{
    Gateways,
    broken::Dropped,
    evolution::{Gateway, Refused, decode},
    fault::Fault,
};
use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, Request, Response, StatusCode, header},
};
use futures_util::stream;
use serde_json::{Value, json};
use std::convert::Infallible;

/// Answers one request to the control API. `hosts` are the `Host` values that are ours: a web page's requests have others.
pub(crate) async fn answer(gateways: Gateways, hosts: [String; 2], request: Request<Body>) -> Result<Response<Body>, Dropped> {
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default().to_owned();
    if !hosts.contains(&host) || request.headers().contains_key(header::ORIGIN) {
        return Ok(reply(403, &json!({ "v": 1, "error": "only for programs on this machine" })));
    }
    let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    if method == "GET" && path == "/events" {
        return Ok(events(&gateways));
    }
    let given: Value = if body.is_empty() { json!({}) } else { serde_json::from_slice(&body).unwrap_or(Value::Null) };
    let (status, out) = if given.is_object() { act(&gateways, &method, &path, &given) } else { (400, error("the body is no JSON object")) };
    Ok(reply(status, &out))
}

fn act(gateways: &Gateways, method: &str, path: &str, given: &Value) -> (u16, Value) {
    let text = |k: &str| given.get(k).and_then(Value::as_str);
    let chosen = || -> Result<Vec<Gateway>, (u16, Value)> {
        match text("gateway") {
            None => Ok(gateways.iter().cloned().collect()),
            Some(name) => match gateways.iter().find(|g| g.name() == name) {
                Some(g) => Ok(vec![g.clone()]),
                None => Err((404, error("no such gateway here"))),
            },
        }
    };
    // An account is named alone or as GATEWAY:ACCOUNT.
    let account = || -> Result<(Gateway, String), (u16, Value)> {
        let Some(name) = text("account") else { return Err((400, error("account is missing"))) };
        // A target as everywhere: `: / %` inside a name are percent-encoded. A name as it is will do where it is not ambiguous.
        let whole = |g: &Gateway| [Some(name.to_owned()), decode(name)].into_iter().flatten().find(|n| g.state(n).is_some());
        let split = |g: &Gateway| {
            let (gateway, rest) = name.split_once(':')?;
            (decode(gateway)? == g.name()).then_some(())?;
            [Some(rest.to_owned()), decode(rest)].into_iter().flatten().find(|n| g.state(n).is_some())
        };
        let mut found: Vec<_> = gateways.iter().filter_map(|g| Some((g.clone(), split(g)?))).collect();
        if found.is_empty() {
            found = gateways.iter().filter_map(|g| Some((g.clone(), whole(g)?))).collect();
        }
        match found.pop() {
            Some(one) if found.is_empty() => Ok(one),
            Some(_) => Err((409, error("ambiguous: name the gateway too, GATEWAY:ACCOUNT"))),
            None => Err((404, error("no such account here"))),
        }
    };
    let done = (200, json!({ "v": 1, "ok": true }));
    let outcome = || -> Result<(u16, Value), (u16, Value)> {
        match (method, path) {
            ("GET", "/requests") => {
                let all: Vec<_> = gateways.iter().flat_map(Gateway::requests).collect();
                Ok((200, serde_json::to_value(all).unwrap_or(Value::Null)))
            }
            ("POST", "/skew") => {
                let seconds = match given.get("seconds") {
                    Some(Value::Number(n)) => n.as_f64(),
                    Some(Value::Null) => None,
                    _ => return Err((400, error("seconds must be a number or null"))),
                };
                chosen()?.iter().for_each(|g| g.skew(seconds));
                Ok(done)
            }
            ("POST", "/fault") => {
                let kind = text("kind").unwrap_or_default();
                let Some(fault) = Fault::parse(kind, given.get("value").and_then(Value::as_u64)) else {
                    return Err((400, json!({ "v": 1, "error": "unknown kind", "kinds": Fault::KINDS })));
                };
                let count = given.get("count").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
                chosen()?.iter().for_each(|g| g.fault(fault.clone(), count, text("path")));
                Ok(done)
            }
            ("POST", "/scan") => {
                let (gateway, name) = account()?;
                let done_by = match text("kind").unwrap_or("qr") {
                    "qr" => gateway.scan(&name, text("payload")),
                    "code" => gateway.type_code(&name, text("payload")),
                    _ => return Err((400, error("kind is qr or code"))),
                };
                done_by.map(|()| done).map_err(refused)
            }
            ("POST", "/unlink") => {
                let (gateway, name) = account()?;
                let reason = given.get("reason").and_then(|r| r.as_u64().or_else(|| r.as_str()?.parse().ok()));
                let Some(code) = reason.and_then(|r| u16::try_from(r).ok()) else { return Err((400, error("reason is a status code such as 401"))) };
                gateway.unlink(&name, code).map(|()| done).map_err(refused)
            }
            ("POST", "/login" | "/expire") => Err((501, error("no such gateway here"))),
            _ => Err((404, error("GET /requests /events, POST /skew /fault /scan /unlink /login /expire"))),
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

/// Events of all gateways, one JSON document a line, until either side ends it.
fn events(gateways: &Gateways) -> Response<Body> {
    let (tx, rx) = tokio::sync::mpsc::channel::<Bytes>(256);
    for g in gateways.iter() {
        let (tx, name, mut bus, cancel) = (tx.clone(), g.name().to_owned(), g.events(), g.inner.cancel.clone());
        tokio::spawn(async move {
            loop {
                let e = tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tx.closed() => return,
                    e = bus.recv() => e,
                };
                use tokio::sync::broadcast::error::RecvError;
                let line = match e {
                    Ok(e) => format!("{{\"v\":1,\"gateway\":{},\"event\":{}}}\n", json!(name), e.envelope),
                    Err(RecvError::Lagged(n)) => format!("{{\"v\":1,\"gateway\":{},\"lost\":{n}}}\n", json!(name)),
                    Err(RecvError::Closed) => return,
                };
                if tx.send(Bytes::from(line)).await.is_err() {
                    return;
                }
            }
        });
    }
    let body = stream::unfold(rx, |mut rx| async move { rx.recv().await.map(|b| (Ok::<_, Infallible>(b), rx)) });
    let mut r = Response::new(Body::from_stream(body));
    r.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    r
}

//! Answers as Quart behind hypercorn writes them: keys sorted, everything outside ASCII escaped, `vary: Origin`.

use super::Inner;
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde_json::{Value, json};

/// A code in an error envelope: a number or a word.
#[derive(Debug)]
pub(crate) enum Code {
    Number(i64),
    Word(&'static str),
}

impl From<i64> for Code {
    fn from(n: i64) -> Self {
        Self::Number(n)
    }
}

impl From<&'static str> for Code {
    fn from(s: &'static str) -> Self {
        Self::Word(s)
    }
}

/// An answer before it has headers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
    /// `x-request-id`.
    pub(crate) request: Option<String>,
    /// Quart's own answer: CORS and type; false for what hypercorn makes up when the application broke down.
    pub(crate) quart: bool,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, kind: "application/json", body: ascii(body), request: None, quart: true }
    }

    /// `{"code":0,"data":…,"msg":"ok"}`.
    pub(crate) fn ok(data: Value) -> Self {
        Self::json(200, &json!({ "code": 0, "data": data, "msg": "ok" }))
    }

    /// An error with its HTTP status; `fail` of the source is status 200.
    pub(crate) fn fail(status: u16, code: impl Into<Code>, msg: impl Into<String>) -> Self {
        let code: Value = match code.into() {
            Code::Number(n) => n.into(),
            Code::Word(w) => w.into(),
        };
        Self::json(status, &json!({ "code": code, "msg": msg.into() }))
    }

    /// 404 of a bot or another resource.
    pub(crate) fn not_found() -> Self {
        Self::fail(404, "resource_not_found", "Resource not found")
    }

    /// Any exception: no cause, but a number to look for in the server's own log (recording 21).
    pub(crate) fn internal(inner: &Inner) -> Self {
        let id = inner.lock().chance.uuid();
        let mut r = Self::json(500, &json!({ "code": "internal_error", "msg": "Internal server error", "request_id": id }));
        r.request = Some(id);
        r
    }

    /// The exception that even the catch-all misses (recording 31): no body, and the connection ends.
    pub(crate) fn broken() -> Self {
        Self { status: 500, kind: "", body: String::new(), request: None, quart: false }
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self { status, kind: "text/html; charset=utf-8", body: body.to_owned(), request: None, quart: true }
    }
}

/// Python's `json.dumps(…, sort_keys=True, ensure_ascii=True, separators=(',', ':'))`; a [`Value`] has its keys sorted.
pub(crate) fn ascii(v: &Value) -> String {
    let text = v.to_string();
    if text.is_ascii() {
        return text;
    }
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

impl Inner {
    /// The whole answer.
    pub(crate) fn finish(&self, r: Reply) -> Response<Body> {
        let length = r.body.len();
        let mut out = Response::new(Body::from(r.body));
        *out.status_mut() = StatusCode::from_u16(r.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let date = self.date_header();
        let age = self.counted();
        let h = out.headers_mut();
        if !r.kind.is_empty() {
            h.insert(header::CONTENT_TYPE, HeaderValue::from_static(r.kind));
        }
        h.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(v) = r.request.and_then(|id| HeaderValue::from_str(&id).ok()) {
            h.insert("x-request-id", v);
        }
        if r.quart {
            h.insert(header::VARY, HeaderValue::from_static("Origin"));
        } else {
            h.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(v) = date.and_then(|d| HeaderValue::from_str(&d).ok()) {
            h.insert(header::DATE, v);
        }
        if let Some(age) = age {
            h.insert(header::AGE, HeaderValue::from(age));
        }
        h.insert(header::SERVER, HeaderValue::from_static("hypercorn-h11"));
        out
    }
}

//! Answers as Express writes them: headers, weak ETag, error bodies.

use super::Inner;
use crate::sandbox::{
    json::{Json, map},
    sha1::sha1,
};
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// An answer before it has headers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
    /// False for errors that come before the compression middleware (recording 65).
    pub(crate) vary_encoding: bool,
    pub(crate) no_store: bool,
}

impl Reply {
    /// JSON with that status.
    pub(crate) fn json(status: u16, body: &Json) -> Self {
        Self { status, kind: "application/json; charset=utf-8", body: body.to_string(), vary_encoding: true, no_store: false }
    }

    /// The error body of the exceptions module; `message` as it is.
    pub(crate) fn error(status: u16, message: Json) -> Self {
        let text = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            _ => "Internal Server Error",
        };
        Self::json(status, &map! { "status" => status, "error" => text, "response" => map! { "message" => message } })
    }

    /// One sentence in an array: 400, 403, 404.
    pub(crate) fn refuse(status: u16, message: impl Into<String>) -> Self {
        Self::error(status, Json::List(vec![Json::Text(message.into())]))
    }

    /// Schema failures: an array in an array (recordings 09, 26, 28).
    pub(crate) fn schema(messages: Vec<String>) -> Self {
        Self::error(400, Json::List(vec![Json::List(messages.into_iter().map(Json::Text).collect())]))
    }

    /// 401, always the same.
    pub(crate) fn unauthorized() -> Self {
        Self::error(401, "Unauthorized".into())
    }

    /// What Express's own error handler makes of a broken body or path (recording 65).
    pub(crate) fn broken(message: String) -> Self {
        let body = map! { "status" => 400u32, "error" => "Internal Server Error", "response" => map! { "message" => message } };
        Self { vary_encoding: false, ..Self::json(400, &body) }
    }

    /// `res.json(undefined)`: headers and nothing.
    pub(crate) fn empty(status: u16) -> Self {
        Self { body: String::new(), ..Self::json(status, &Json::Null) }
    }

    /// Plain text or a page.
    pub(crate) fn text(status: u16, kind: &'static str, body: String) -> Self {
        Self { status, kind, body, vary_encoding: true, no_store: false }
    }
}

impl Inner {
    /// The whole answer. `head` leaves the body out and keeps its length.
    pub(crate) fn finish(&self, r: Reply, head: bool) -> Response<Body> {
        let tag = format!("W/\"{:x}-{}\"", r.body.len(), &STANDARD_NO_PAD.encode(sha1(r.body.as_bytes())));
        let length = r.body.len();
        let mut out = Response::new(if head { Body::empty() } else { Body::from(r.body) });
        *out.status_mut() = StatusCode::from_u16(r.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let h = out.headers_mut();
        h.insert("x-powered-by", HeaderValue::from_static("Express"));
        h.insert(header::VARY, HeaderValue::from_static(if r.vary_encoding { "Origin, Accept-Encoding" } else { "Origin" }));
        h.insert(header::CONTENT_TYPE, HeaderValue::from_static(r.kind));
        if r.no_store {
            h.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
        }
        h.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Ok(v) = HeaderValue::from_str(&tag) {
            h.insert(header::ETAG, v);
        }
        if let Some(v) = self.date_header().and_then(|d| HeaderValue::from_str(&d).ok()) {
            h.insert(header::DATE, v);
        }
        if let Some(age) = self.counted() {
            h.insert(header::AGE, HeaderValue::from(age));
        }
        h.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
        h.insert("keep-alive", HeaderValue::from_static("timeout=5"));
        out
    }
}

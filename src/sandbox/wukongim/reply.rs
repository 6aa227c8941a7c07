//! Answers as gin writes them: CORS lines, type, `Date`, a length or chunks.

use super::{Inner, Version};
use crate::sandbox::json::{Json, map};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Response, StatusCode, header},
};
use futures_util::stream;
use std::convert::Infallible;

const JSON: &str = "application/json; charset=utf-8";
/// Go announces a length for bodies up to this size and sends larger ones in chunks.
const BUFFER: usize = 2048;

/// An answer before it has headers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Empty for no `Content-Type`.
    pub(crate) kind: &'static str,
    pub(crate) body: String,
    /// False for what is refused before the CORS middleware.
    pub(crate) cors: bool,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Json) -> Self {
        Self { status, kind: JSON, body: body.to_string(), cors: true }
    }

    /// `{"status":200}`.
    pub(crate) fn ok() -> Self {
        Self::json(200, &map! { "status" => 200u32 })
    }

    /// `ResponseError`: 400 and the message, often in Chinese.
    pub(crate) fn error(msg: impl Into<String>) -> Self {
        Self::json(400, &map! { "msg" => msg.into(), "status" => 400u32 })
    }

    /// After gin's own `BindJSON`: the same body as text/plain, which gin set first (recording user_onlinestatus_badbody).
    pub(crate) fn plain_error(msg: impl Into<String>) -> Self {
        Self { kind: "text/plain; charset=utf-8", ..Self::error(msg) }
    }

    /// A panic that gin recovered from.
    pub(crate) fn panic() -> Self {
        Self::empty(500)
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, kind: "", body: String::new(), cors: true }
    }

    /// 401 of the API port: before CORS, no body (recording health_no_token).
    pub(crate) fn no_entry() -> Self {
        Self { cors: false, ..Self::empty(401) }
    }

    /// 401 of the manager port.
    pub(crate) fn unauthorized(error: impl Into<String>) -> Self {
        Self::json(401, &map! { "error" => error.into() })
    }

    pub(crate) fn not_found() -> Self {
        Self { status: 404, kind: "text/plain", body: "404 page not found".to_owned(), cors: true }
    }

    /// v3: `{"error","message"}`.
    pub(crate) fn v3_error(status: u16, error: &str, message: &str) -> Self {
        Self::json(status, &map! { "error" => error, "message" => message })
    }
}

impl Inner {
    /// The whole answer.
    pub(crate) fn finish(&self, r: Reply) -> Response<Body> {
        let length = r.body.len();
        let body = if length > BUFFER {
            let whole = Bytes::from(r.body);
            Body::from_stream(stream::iter([Ok::<_, Infallible>(whole)]))
        } else {
            Body::from(r.body)
        };
        let mut out = Response::new(body);
        *out.status_mut() = StatusCode::from_u16(r.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let h = out.headers_mut();
        if r.cors {
            let lines: &[(&'static str, &'static str)] = if self.settings.version == Version::V3 {
                &[
                    ("access-control-allow-headers", "Origin, Content-Type, Content-Length, Accept, Authorization, Token, X-Requested-With"),
                    ("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
                    ("access-control-allow-origin", "*"),
                    ("access-control-expose-headers", "Content-Length, Content-Type"),
                    ("access-control-max-age", "86400"),
                ]
            } else {
                &[
                    ("access-control-allow-credentials", "true"),
                    (
                        "access-control-allow-headers",
                        "Content-Type, Authorization, Content-Length, Accept-Encoding, X-CSRF-Token, token, accept, origin, Cache-Control, X-Requested-With, appid, noncestr, sign, timestamp",
                    ),
                    ("access-control-allow-methods", "POST, OPTIONS, GET, PUT,DELETE,PATCH"),
                    ("access-control-allow-origin", "*"),
                ]
            };
            for (name, value) in lines {
                h.insert(*name, HeaderValue::from_static(value));
            }
        }
        if !r.kind.is_empty() {
            h.insert(header::CONTENT_TYPE, HeaderValue::from_static(r.kind));
        }
        if let Some(v) = self.date_header().and_then(|d| HeaderValue::from_str(&d).ok()) {
            h.insert(header::DATE, v);
        }
        if let Some(age) = self.counted() {
            h.insert(header::AGE, HeaderValue::from(age));
        }
        if length <= BUFFER && r.status != 204 {
            h.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        out
    }
}

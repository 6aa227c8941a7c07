//! Answers that are wrong on purpose.

use super::fault::Fault;
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Response, StatusCode, header},
};
use futures_util::stream;
use std::{convert::Infallible, time::Duration};

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped on purpose")]
pub struct Dropped;

/// In whose words the server itself fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dress {
    /// Express: a JSON body.
    Express,
    /// gin: no body at all.
    Gin,
    /// Quart with LangBot's envelope.
    Quart,
}

/// What a broken answer needs of its server.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    /// The `Date` header, if there is one.
    pub(crate) date: Option<String>,
    /// Where redirects lead.
    pub(crate) sink: Option<String>,
    /// Its words.
    pub(crate) dress: Dress,
}

/// A proxy's page for a path that it does not know.
pub(crate) const PROXY_404: &str = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
const PROXY_200: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form><input name=\"user\"></form></body></html>\n";
/// Bytes of the huge body, in pieces of 64 KiB.
const HUGE: usize = 100 << 20;
const PIECE: usize = 64 << 10;

/// The broken answer, or `None` when the right one follows (after a wait).
pub(crate) async fn broken(fault: &Fault, front: &Front) -> Option<Result<Response<Body>, Dropped>> {
    let plain = |status: u16, kind: &'static str, body: String| {
        let mut r = Response::new(Body::from(body));
        *r.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        r.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(v) = front.date.as_deref().and_then(|d| HeaderValue::from_str(d).ok()) {
            r.headers_mut().insert(header::DATE, v);
        }
        r
    };
    Some(match fault {
        Fault::Slow(d) => {
            tokio::time::sleep(*d).await;
            return None;
        }
        Fault::Hang | Fault::Mute => {
            // An hour is for ever; the connection's end ends it sooner.
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Err(Dropped)
        }
        Fault::Drop => Err(Dropped),
        Fault::Status(_) | Fault::Unauthorized if front.dress == Dress::Gin => {
            let mut r = plain(if let Fault::Status(s) = fault { *s } else { 401 }, "text/plain", String::new());
            r.headers_mut().remove(header::CONTENT_TYPE);
            Ok(r)
        }
        Fault::Status(s) if front.dress == Dress::Quart => {
            let body = r#"{"code":"internal_error","msg":"Internal server error","request_id":"00000000-0000-4000-8000-000000000000"}"#;
            Ok(plain(*s, "application/json", body.to_owned()))
        }
        Fault::Unauthorized if front.dress == Dress::Quart => {
            let body = r#"{"code":"invalid_authentication","msg":"Invalid authentication credentials"}"#;
            Ok(plain(401, "application/json", body.to_owned()))
        }
        Fault::Status(s) => {
            let body = format!("{{\"status\":{s},\"error\":\"Internal Server Error\",\"response\":{{\"message\":\"Internal Server Error\"}}}}");
            Ok(plain(*s, "application/json; charset=utf-8", body))
        }
        Fault::Garbage => Ok(plain(200, "application/json; charset=utf-8", "\u{1}\u{2}{\"instance\": \u{1b}[31m]]".to_owned())),
        Fault::WrongShape => Ok(plain(200, "application/json; charset=utf-8", "{\"unexpected\":[1,{\"a\":null}],\"instance\":7}".to_owned())),
        Fault::Html => Ok(plain(200, "text/html; charset=utf-8", PROXY_200.to_owned())),
        Fault::NotFound => Ok(plain(404, "text/html", PROXY_404.to_owned())),
        Fault::Unauthorized => Ok(plain(
            401,
            "application/json; charset=utf-8",
            r#"{"status":401,"error":"Unauthorized","response":{"message":"Unauthorized"}}"#.to_owned(),
        )),
        Fault::TooMany(after) => {
            let mut r = plain(429, "text/html", "<html><body>429 Too Many Requests</body></html>".to_owned());
            r.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*after));
            Ok(r)
        }
        Fault::Redirect => {
            let mut r = plain(302, "text/html", String::new());
            let to = format!("{}/caught", front.sink.as_deref().unwrap_or("http://127.0.0.1:9"));
            if let Ok(v) = HeaderValue::from_str(&to) {
                r.headers_mut().insert(header::LOCATION, v);
            }
            Ok(r)
        }
        Fault::Huge => {
            let mut r = plain(200, "application/json; charset=utf-8", String::new());
            let piece = Bytes::from(vec![b'a'; PIECE]);
            // A JSON string that is right to its last byte: only its size is wrong.
            let body = stream::unfold(0usize, move |sent| {
                let piece = piece.clone();
                async move {
                    let next = match sent {
                        0 => Bytes::from_static(b"[\""),
                        HUGE.. => return None,
                        n if n + PIECE >= HUGE => Bytes::from_static(b"\"]"),
                        _ => piece,
                    };
                    let total = if next.starts_with(b"\"]") { HUGE } else { sent + next.len() };
                    Some((Ok::<_, Infallible>(next), total))
                }
            });
            *r.body_mut() = Body::from_stream(body);
            Ok(r)
        }
        Fault::Half => {
            let mut r = plain(200, "application/json; charset=utf-8", String::new());
            // The pause lets the first piece leave before the connection breaks.
            let body = stream::unfold(0u8, |n| async move {
                match n {
                    0 => Some((Ok(Bytes::from_static(b"[{\"id\":\"a87d")), 1)),
                    1 => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        Some((Err(Dropped), 2))
                    }
                    _ => None,
                }
            });
            *r.body_mut() = Body::from_stream(body);
            Ok(r)
        }
    })
}

//! From a request to an answer: faults, routing, the list of requests.

use super::{Inner, Platform, TokenServer, fetch::By, redact, reply::Reply, trouble::TokenFault};
use crate::sandbox::{
    broken::{Dress, Dropped, Front, broken},
    evolution::decode,
    fault::Fault,
    log::Request as Logged,
};
use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Request, Response, request::Parts},
};
use std::net::{IpAddr, SocketAddr};

/// The largest request body that is read.
const BODY: usize = 1 << 20;

impl TokenServer {
    /// Answers one request, in process or off the wire.
    ///
    /// # Errors
    /// [`Dropped`] when the connection must close without an answer.
    pub async fn handle(&self, request: Request<Body>) -> Result<Response<Body>, Dropped> {
        let inner = &self.inner;
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), |p| p.as_str().to_owned());
        let body = to_bytes(body, BODY).await.unwrap_or_default();
        let logged = Logged {
            at_ms: inner.clock.now_ms(),
            method: parts.method.as_str().to_owned(),
            path: redact::target(&target),
            body: redact::body(&body),
            status: 0,
        };
        let noted = inner.log().push(logged);
        let delay = inner.knobs().reply_delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let ip = inner.seen_ip(&parts);
        let fault = inner.knobs().troubles.take(&target, inner.is_fetch(parts.uri.path()));
        let front = Front { date: inner.date_header(), sink: inner.sink.get().cloned(), dress: Dress::Gin };
        let right = || inner.answer(&parts, &body, &ip);
        let answer = match fault {
            None => Ok(inner.finish(right())),
            Some(TokenFault::Code(code, _)) => {
                if inner.is_fetch(parts.uri.path()) {
                    inner.lock().refused += 1;
                }
                Ok(inner.finish(inner.error(code, &ip)))
            }
            Some(TokenFault::StringCode) => Ok(inner.finish(right().with_string_code())),
            Some(TokenFault::Wire(Fault::Mute, _)) => {
                let done = inner.finish(right());
                inner.log().answered(noted, done.status().as_u16());
                return broken(&Fault::Mute, &front).await.unwrap_or(Err(Dropped));
            }
            Some(TokenFault::Wire(f, _)) => match broken(&f, &front).await {
                Some(done) => done,
                None => Ok(inner.finish(right())),
            },
        };
        inner.log().answered(noted, answer.as_ref().map_or(0, |r| r.status().as_u16()));
        answer
    }
}

impl Inner {
    /// What stands after `/cgi-bin/`, if the path is one of ours.
    fn api<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.settings.base_path.as_str())?.strip_prefix("/cgi-bin/")
    }

    /// True for a request that asks for a token.
    fn is_fetch(&self, path: &str) -> bool {
        matches!(self.api(path), Some("gettoken" | "token" | "stable_token"))
    }

    /// The address that the platform sees.
    fn seen_ip(&self, parts: &Parts) -> String {
        match parts.extensions.get::<SocketAddr>().map(SocketAddr::ip) {
            Some(IpAddr::V4(v4)) if v4.is_loopback() && v4.octets() != [127, 0, 0, 1] => format!("203.0.113.{}", v4.octets()[3]),
            _ => self.settings.egress_ip.clone(),
        }
    }

    fn answer(&self, parts: &Parts, body: &Bytes, ip: &str) -> Reply {
        let query = |name: &str| value(parts.uri.query().unwrap_or_default(), name);
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let Some(api) = self.api(path) else { return Reply::not_found() };
        match (self.settings.platform, api) {
            (Platform::Wecom, "gettoken") => self.get_token(&query, ip, By::Wire),
            (Platform::Wecom, _) => self.call(method, api, &query, body, ip),
            (Platform::WechatOa, "token") => self.classic(&query, ip, By::Wire),
            (Platform::WechatOa, "stable_token") => self.stable(method, body, ip, By::Wire),
            (Platform::WechatOa, _) => self.oa_call(method, api, &query, body, ip),
        }
    }
}

/// One value of a query; `+` is a space.
fn value(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).and_then(|v| decode(&v.replace('+', " ")))
}

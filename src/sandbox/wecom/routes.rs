//! From a request to an answer: faults, routing, the list of requests.

use super::{Inner, Platform, TokenServer, fetch::By, redact, reply::Reply, trouble::TokenFault};
use crate::sandbox::{
    broken::{Dress, Dropped},
    evolution::decode,
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
        let noted = inner.shell.asked(&parts.method, redact::target(&target), redact::body(&body));
        inner.linger().await;
        let ip = inner.seen_ip(&parts);
        let fetch = inner.is_fetch(parts.uri.path());
        let right = || inner.answer(&parts, &body, &ip);
        let (said, wire) = match inner.knobs().troubles.take(&target, fetch) {
            Some(TokenFault::Wire(f, _)) => (None, Some(f)),
            other => (other, None),
        };
        let answered = async {
            inner.finish(match said {
                Some(TokenFault::Code(code, _)) => {
                    if fetch {
                        inner.lock().refused += 1;
                    }
                    inner.error(code, &ip)
                }
                Some(TokenFault::StringCode) => right().with_string_code(),
                _ => right(),
            })
        };
        inner.through(noted, wire, Dress::Gin, answered).await
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

//! The one shared HTTP client: every request of every provider goes through [`Client::send`].
//!
//! For all: no redirects, no referer, no compression, bounded time and size, plain http only to this machine unless configured,
//! secrets only in headers marked sensitive, no URL in a [`Reason`]. Each answer's `Date` becomes a clock sample on the way.

mod fail;
pub mod json;
mod redact;
mod room;
pub mod tls;
pub mod ws;

pub use fail::RETRY_AFTER;
pub use redact::{redacted, without};

use super::Samples;
use crate::{
    clock::http_date,
    domain::{GatewayId, Reason, ReasonCode, Secret, Stamp, Time},
    store::config::Gateway,
};
use reqwest::{
    Method, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use std::{sync::Arc, time::Duration};

/// Time to open a connection.
pub const CONNECT: Duration = Duration::from_secs(3);
/// Whole time of a call, unless it says otherwise.
pub const TOTAL: Duration = Duration::from_secs(10);
/// Largest body of a call, unless it says otherwise.
pub const CAP: usize = 8 << 20;
/// Largest body of a list: 10,000 accounts are some 10 MB, 20,000 with long profile texts stay below this.
pub const CAP_LIST: usize = 64 << 20;
/// Most items kept of a list.
pub const MOST_ITEMS: usize = 20_000;

/// Bound to a gateway: its base address, its trust, its rules.
pub struct Client {
    base: Url,
    gateway: GatewayId,
    inner: reqwest::Client,
    tls: Arc<rustls::ClientConfig>,
    seat: Arc<tokio::sync::Semaphore>,
}

/// One request, without a host.
pub struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    secret: Option<(&'static str, Secret)>,
    hidden: Vec<(&'static str, Secret)>,
    guarded: Vec<Secret>,
    body: Option<serde_json::Value>,
    total: Duration,
    cap: usize,
}

impl Call {
    /// A `GET` of `path`, which begins with a slash and is already percent-encoded (see [`segment`]).
    pub fn get(path: impl Into<String>) -> Self {
        Self::of(Method::GET, path)
    }
    /// A `POST`.
    pub fn post(path: impl Into<String>) -> Self {
        Self::of(Method::POST, path)
    }
    /// A `PUT`.
    pub fn put(path: impl Into<String>) -> Self {
        Self::of(Method::PUT, path)
    }
    /// A `DELETE`.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::of(Method::DELETE, path)
    }
    fn of(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            secret: None,
            hidden: Vec::new(),
            guarded: Vec::new(),
            body: None,
            total: TOTAL,
            cap: CAP,
        }
    }
    /// Adds a query parameter. Never a secret.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
    /// Sends `secret` in the header `name`, marked sensitive.
    #[must_use]
    pub fn secret(mut self, name: &'static str, secret: Secret) -> Self {
        self.secret = Some((name, secret));
        self
    }
    /// Sends `secret` under `name` where the platform leaves no other way: in the query, or in the JSON body of a call that has
    /// one. It is taken out of whatever the answer repeats, and no reason holds a URL.
    #[must_use]
    pub fn hidden(mut self, name: &'static str, secret: Secret) -> Self {
        self.hidden.push((name, secret));
        self
    }
    /// Takes these out of whatever the answer repeats, too: what the server knows from other calls, or what the body holds.
    #[must_use]
    pub fn guard(mut self, secrets: impl IntoIterator<Item = Secret>) -> Self {
        self.guarded.extend(secrets);
        self
    }
    /// Sends a JSON body. Texts in it whose names say that they are secret are taken out of whatever the answer repeats.
    #[must_use]
    pub fn json(mut self, body: serde_json::Value) -> Self {
        secrets_in(&body, false, &mut self.guarded);
        self.body = Some(body);
        self
    }
    /// Allows the whole call this long.
    #[must_use]
    pub const fn within(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }
    /// Allows a body of this many bytes.
    #[must_use]
    pub const fn cap(mut self, bytes: usize) -> Self {
        self.cap = bytes;
        self
    }
}

/// An answer, read whole.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
    /// When the request left.
    pub sent: Stamp,
    /// When the head of the answer was here.
    pub received: Stamp,
    /// The server's clock at that moment, as its `Date` tells.
    pub date: Option<crate::domain::Wall>,
    content_type: String,
    retry_after: Option<Duration>,
    secrets: Vec<Secret>,
    place: Option<room::Place>,
}

impl Client {
    /// Binds a client to a gateway's settings.
    ///
    /// # Errors
    /// `WrongAddress` for something that is no http(s) URL, `PlaintextRefused`, `TlsFailed` for an unreadable `ca_file`.
    pub fn new(settings: &Gateway) -> Result<Self, Reason> {
        let gateway = GatewayId::new(&settings.name);
        let named = |code| Reason::new(code).with("gateway", &settings.name);
        let base = Url::parse(settings.url.trim_end_matches('/')).map_err(|_| named(ReasonCode::WrongAddress))?;
        let host = base.host_str().ok_or_else(|| named(ReasonCode::WrongAddress))?;
        let local = is_loopback(host);
        let tls = match base.scheme() {
            // Addresses of sockets that are never asked over HTTP keep their own scheme.
            "https" | "wss" => tls::config(settings.ca_file.as_deref()).map_err(|r| r.with("gateway", &settings.name))?,
            "http" | "ws" if local || settings.allow_plaintext => tls::none()?,
            "http" | "ws" => return Err(named(ReasonCode::PlaintextRefused)),
            _ => return Err(named(ReasonCode::WrongAddress)),
        };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            // Node closes an idle connection after 5 s, which is the poll interval: a reused one would often break under a
            // request that must not be repeated blindly. TLS sessions are resumed all the same.
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .user_agent(concat!("pairdeck/", env!("CARGO_PKG_VERSION")));
        // Over plain http the key would lie open before a proxy that nobody named for it.
        if local || matches!(base.scheme(), "http" | "ws") {
            builder = builder.no_proxy();
        }
        let inner = builder.build().map_err(|e| named(ReasonCode::Internal).raw(fail::bare(e.without_url())))?;
        Ok(Self { base, gateway, inner, tls, seat: room::seat() })
    }

    /// The gateway that it is bound to.
    pub fn gateway(&self) -> &GatewayId {
        &self.gateway
    }

    /// Sends one request and reads its answer whole. Any status but a redirect is an `Ok`: the provider judges it.
    ///
    /// # Errors
    /// What kept an answer from coming, as a shared reason. Never the URL, never a header.
    pub async fn send(&self, mut call: Call, time: &dyn Time, samples: &dyn Samples) -> Result<Answer, Reason> {
        let mut url = self.base.clone();
        let path = format!("{}{}", self.base.path().trim_end_matches('/'), call.path);
        url.set_path(&path);
        if url.path() != path {
            // A name such as `..`, even escaped, would climb to another route.
            return Err(self.reason(ReasonCode::ServerRefused).raw("a name that no address can carry"));
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        match &mut call.body {
            Some(serde_json::Value::Object(body)) => body.extend(call.hidden.iter().map(|(n, s)| ((*n).to_owned(), s.expose().into()))),
            _ if !call.hidden.is_empty() => {
                url.query_pairs_mut().extend_pairs(call.hidden.iter().map(|(n, s)| (*n, s.expose())));
            }
            _ => {}
        }
        let mut request = self.inner.request(call.method, url).timeout(call.total);
        if let Some((name, secret)) = &call.secret {
            let value = self.sensitive(secret)?;
            request = request.header(HeaderName::from_static(name), value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let end = tokio::time::Instant::now() + call.total;
        let sent = time.now();
        let mut response = request.send().await.map_err(|e| {
            samples.lost();
            self.failed(e)
        })?;
        let received = time.now();
        let headers = response.headers();
        let sample = http_date::sample(&self.gateway, text(headers, "date"), text(headers, "age"), cache_header(headers), sent, received);
        samples.push(sample);
        if response.status().is_redirection() {
            let to = text(headers, "location").and_then(|l| self.base.join(l).ok());
            let host = to.as_ref().and_then(Url::host_str).unwrap_or("?").to_owned();
            return Err(self.reason(ReasonCode::Redirected).with("host", host).raw(response.status().as_str()));
        }
        let mut answer = Answer {
            status: response.status().as_u16(),
            body: Vec::new(),
            sent,
            received,
            date: text(headers, "date").and_then(|d| httpdate::parse_http_date(d).ok()).and_then(wall),
            content_type: text(headers, "content-type").unwrap_or_default().to_ascii_lowercase(),
            retry_after: fail::retry_after(text(headers, "retry-after"), received),
            secrets: call.secret.into_iter().chain(call.hidden).map(|(_, s)| s).chain(call.guarded).collect(),
            place: None,
        };
        self.read(&mut response, &mut answer, call.cap, end).await?;
        Ok(answer)
    }

    fn reason(&self, code: ReasonCode) -> Reason {
        Reason::new(code).with("gateway", self.gateway.as_str())
    }

    fn failed(&self, e: reqwest::Error) -> Reason {
        fail::of(e.without_url(), self.base.host_str().unwrap_or("?")).with("gateway", self.gateway.as_str())
    }

    fn sensitive(&self, secret: &Secret) -> Result<HeaderValue, Reason> {
        let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| self.reason(ReasonCode::CredentialRefused))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Answer {
    /// True for 200 to 299.
    pub const fn is_ok(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// True when a page for people came.
    pub fn is_page(&self) -> bool {
        let start = self.body.iter().take(64).copied().collect::<Vec<u8>>().to_ascii_lowercase();
        let start = start.trim_ascii_start();
        self.content_type.starts_with("text/html") || start.starts_with(b"<!doctype") || start.starts_with(b"<html")
    }

    /// Foreign text for a reason: cleaned later, bounded here, and without the secrets that the request carried.
    pub fn told(&self, text: &str) -> String {
        self.told_without(text, None)
    }

    /// The same without one secret more: what went in a place that the request did not know for secret.
    pub fn told_without(&self, text: &str, also: Option<&Secret>) -> String {
        // Whole before it is cut, so that nothing is cut into something that is not recognised.
        redacted(self.secrets.iter().chain(also), text).chars().take(400).collect()
    }

    /// The shared reading of a status that means trouble on every system; `None` where the provider must judge.
    pub fn trouble(&self, gateway: &GatewayId) -> Option<Reason> {
        let reason = |code| Reason::new(code).with("gateway", gateway.as_str()).raw(self.status.to_string());
        let waiting = |r: Reason| match self.retry_after {
            Some(d) => r.with(RETRY_AFTER, d.as_secs().to_string()),
            None => r,
        };
        match self.status {
            429 => Some(waiting(reason(ReasonCode::RateLimited))),
            500.. => Some(waiting(reason(ReasonCode::ServerError))),
            _ if self.is_page() => Some(reason(ReasonCode::WebPage)),
            _ => None,
        }
    }

    /// Decodes the body; a large one off this thread.
    ///
    /// # Errors
    /// `Unintelligible`.
    pub async fn decode<T: Send + 'static>(self, how: fn(&[u8]) -> Option<T>) -> Result<T, Reason> {
        let unclear = || Reason::new(ReasonCode::Unintelligible);
        if self.body.len() <= room::SMALL {
            return how(&self.body).ok_or_else(unclear);
        }
        // The place goes with the body into the thread: a caller that gives up does not free what is still in use.
        let (body, place) = (self.body, self.place);
        let alone = room::DECODING.acquire().await.map_err(|_| unclear())?;
        let decoded = tokio::task::spawn_blocking(move || {
            let out = how(&body);
            drop((body, place, alone));
            out
        });
        decoded.await.ok().flatten().ok_or_else(unclear)
    }
}

fn wall(at: std::time::SystemTime) -> Option<crate::domain::Wall> {
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(crate::domain::Wall)
}

/// The texts below names that carry secrets.
fn secrets_in(body: &serde_json::Value, named: bool, out: &mut Vec<Secret>) {
    use serde_json::Value;
    const NAMES: [&str; 5] = ["token", "secret", "password", "key", "credential"];
    match body {
        Value::String(text) if named => out.push(Secret::new(text.clone())),
        Value::Array(all) => all.iter().for_each(|v| secrets_in(v, named, out)),
        Value::Object(map) => map.iter().for_each(|(name, v)| {
            let name = name.to_lowercase();
            secrets_in(v, named || NAMES.iter().any(|n| name.contains(n)), out);
        }),
        _ => {}
    }
}

/// One path segment, percent-encoded: names with slashes and blanks are real (evolution 2.3.7, recordings 66 and 67).
pub fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for b in name.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~' | b'.') {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// True for names and addresses of this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn cache_header(headers: &HeaderMap) -> Option<&str> {
    ["x-cache", "cf-cache-status", "x-cache-status", "cache-status", "x-proxy-cache"].iter().find_map(|n| text(headers, n))
}

#[cfg(test)]
mod tests;

//! Typed calls. Success is judged by the shape of the answer, never by its status alone: failures come as HTTP 200 too
//! (evolution 2.3.7, recording 12).

use super::{
    wire::{self, Connect, Instance, List},
    zone::Zone,
};
use crate::{
    domain::{GatewayId, Reason, ReasonCode, Secret, Time},
    providers::{
        Cx,
        http::{Answer, CAP_LIST, Call, Client, segment},
    },
};
use serde_json::Value;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

/// Name of the gateway's secret.
pub(super) const KEY: &str = "api_key";
/// Connect, create and logout wait for WhatsApp: 2 s and more.
const LONG: Duration = Duration::from_secs(20);

/// Calls on one gateway. Owned, so that a call in flight outlives the event that asked for it.
#[derive(Clone)]
pub(super) struct Api {
    http: Arc<Client>,
    time: Arc<dyn Time>,
    samples: Arc<Zone>,
    key: Secret,
}

impl Api {
    /// Takes what it needs of a context.
    ///
    /// # Errors
    /// `CredentialMissing`.
    pub(super) fn new(cx: &Cx) -> Result<Self, Reason> {
        let key = cx.secrets.get(KEY).cloned();
        let key = key.ok_or_else(|| Reason::new(ReasonCode::CredentialMissing).with("gateway", cx.gateway.as_str()))?;
        Ok(Self { http: Arc::clone(&cx.http), time: Arc::clone(&cx.time), samples: Arc::new(Zone::new(Arc::clone(&cx.samples))), key })
    }

    /// The key in use.
    pub(super) fn key(&self) -> &Secret {
        &self.key
    }

    /// The client, for the event stream.
    pub(super) fn http(&self) -> &Client {
        &self.http
    }

    /// Takes what an event said of the gateway's local time.
    pub(super) fn heard(&self, local_ms: Option<i64>) {
        if let Some(ms) = local_ms {
            self.samples.heard(self.gateway(), ms, self.time.now());
        }
    }

    fn gateway(&self) -> &GatewayId {
        self.http.gateway()
    }

    fn reason(&self, code: ReasonCode) -> Reason {
        Reason::new(code).with("gateway", self.gateway().as_str())
    }

    async fn send(&self, call: Call) -> Result<Answer, Reason> {
        self.http.send(call.secret("apikey", self.key.clone()), &*self.time, &*self.samples).await
    }

    /// Sends, and turns every status that is no success into a reason.
    async fn good(&self, call: Call) -> Result<Answer, Reason> {
        let answer = self.send(call).await?;
        if answer.is_ok() && !answer.is_page() {
            return Ok(answer);
        }
        Err(self.refused(&answer))
    }

    fn refused(&self, a: &Answer) -> Reason {
        let v = wire::json(&a.body);
        if let Some(v) = v.as_ref().filter(|v| v.get("code").and_then(Value::as_str) == Some("LICENSE_REQUIRED")) {
            let url = v.get("register_url").and_then(Value::as_str).unwrap_or("?");
            return self.reason(ReasonCode::LicenseRequired).with("url", a.told(url)).raw(a.status.to_string());
        }
        let told = v.as_ref().and_then(wire::told).map(|t| a.told(&t));
        let raw = told.as_ref().map_or_else(|| a.status.to_string(), |t| format!("{}: {t}", a.status));
        match a.status {
            401 | 403 if v.is_some() => self.reason(ReasonCode::CredentialRefused).raw(raw),
            404 if told.as_deref().is_some_and(|t| t.contains("instance does not exist")) => self.reason(ReasonCode::Gone).raw(raw),
            404 if told.as_deref().is_some_and(|t| t.starts_with("Cannot ")) => self.reason(ReasonCode::NotFound).raw(raw),
            500.. | 429 => a.trouble(self.gateway()).unwrap_or_else(|| self.reason(ReasonCode::ServerError)).raw(raw),
            _ if a.is_page() => self.reason(if a.status == 404 { ReasonCode::WrongAddress } else { ReasonCode::WebPage }).raw(a.status.to_string()),
            404 if v.is_some() && told.is_some() => self.reason(ReasonCode::NotFound).raw(raw),
            404 => self.reason(ReasonCode::WrongAddress).raw(raw),
            401 | 403 => self.reason(ReasonCode::CredentialRefused).raw(raw),
            _ => self.reason(ReasonCode::ServerRefused).raw(raw),
        }
    }

    async fn value(&self, call: Call) -> Result<Value, Reason> {
        let answer = self.good(call).await?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        answer.decode(wire::json).await.map_err(|r| r.with("gateway", self.gateway().as_str()))
    }

    /// A call whose answer must not say `error: true`.
    async fn done(&self, call: Call) -> Result<Value, Reason> {
        let v = self.value(call).await?;
        if v.get("error").and_then(Value::as_bool) == Some(true) {
            return Err(self.reason(ReasonCode::ServerRefused).raw(wire::told(&v).unwrap_or_default()));
        }
        Ok(v)
    }

    /// The whole list. A 404 of the route means a wrong base path.
    pub(super) async fn list(&self) -> Result<List, Reason> {
        self.list_of(self.list_answer().await?).await
    }

    /// The whole list, unless it is byte for byte the one whose hash is `last`: what says nothing new is not decoded.
    pub(super) async fn list_if_new(&self, last: &mut Option<u64>) -> Result<Option<List>, Reason> {
        let answer = self.list_answer().await?;
        let mut hasher = DefaultHasher::new();
        answer.body.hash(&mut hasher);
        let now = hasher.finish();
        if *last == Some(now) {
            return Ok(None);
        }
        let list = self.list_of(answer).await?;
        *last = Some(now);
        Ok(Some(list))
    }

    async fn list_answer(&self) -> Result<Answer, Reason> {
        let call = Call::get("/instance/fetchInstances").cap(CAP_LIST).within(LONG);
        self.good(call).await.map_err(|r| match r.code {
            ReasonCode::NotFound => Reason { code: ReasonCode::WrongAddress, ..r },
            _ => r,
        })
    }

    async fn list_of(&self, answer: Answer) -> Result<List, Reason> {
        answer.decode(wire::list).await.map_err(|r| r.with("gateway", self.gateway().as_str()))
    }

    /// One row; `None` when there is none of that name (404, or a list without it).
    pub(super) async fn find(&self, name: &str) -> Result<Option<Instance>, Reason> {
        let call = Call::get("/instance/fetchInstances");
        // An empty value would ask for all rows, which also finds the empty name.
        let call = if name.is_empty() { call.cap(CAP_LIST) } else { call.query("instanceName", name) };
        match self.good(call).await {
            Ok(answer) => Ok(answer.decode(wire::list).await?.rows.into_iter().find(|r| *r.name == *name)),
            Err(r) if matches!(r.code, ReasonCode::Gone | ReasonCode::NotFound) => Ok(None),
            Err(r) => Err(r),
        }
    }

    /// Memory state of one row; `None` when the server does not hold it in memory.
    pub(super) async fn state(&self, name: &str) -> Result<Option<Box<str>>, Reason> {
        let v = self.value(Call::get(format!("/instance/connectionState/{}", segment(name)))).await?;
        Ok(wire::state(&v))
    }

    /// All memory states, where the server publishes metrics.
    pub(super) async fn metrics(&self) -> Option<Vec<(String, String)>> {
        // No key: the route asks for none, or for one that is not ours.
        let answer = self.http.send(Call::get("/metrics"), &*self.time, &*self.samples).await.ok()?;
        if !answer.is_ok() {
            return None;
        }
        answer.decode(wire::metrics).await.ok()
    }

    /// Version, from the root page. It makes the server fetch a page from the Internet: once, never polled (recording 00).
    pub(super) async fn version(&self) -> Option<String> {
        let answer = self.http.send(Call::get("/"), &*self.time, &*self.samples).await.ok()?;
        let v = answer.decode(wire::json).await.ok()?;
        v.get("version")?.as_str().map(str::to_owned)
    }

    /// True for a global key, false for an instance token or another server's refusal to tell.
    pub(super) async fn is_global(&self) -> Result<bool, Reason> {
        match self.value(Call::post("/verify-creds").json(serde_json::json!({}))).await {
            Ok(_) => Ok(true),
            Err(r) if matches!(r.code, ReasonCode::CredentialRefused | ReasonCode::ServerRefused) => Ok(false),
            Err(r) => Err(r),
        }
    }

    /// Starts a session in `close`, shows the code in `connecting`, does nothing in `open`.
    pub(super) async fn connect(&self, name: &str, number: Option<&str>) -> Result<Connect, Reason> {
        let call = Call::get(format!("/instance/connect/{}", segment(name))).within(LONG);
        let call = match number {
            Some(n) => call.query("number", n),
            None => call,
        };
        let v = self.value(call).await?;
        wire::connect(&v).ok_or_else(|| self.reason(ReasonCode::Unintelligible))
    }

    /// Ends the session. "Not connected" is what was wanted (recording 11).
    pub(super) async fn logout(&self, name: &str) -> Result<(), Reason> {
        match self.done(Call::delete(format!("/instance/logout/{}", segment(name))).within(LONG)).await {
            Ok(_) => Ok(()),
            Err(r) if r.code == ReasonCode::ServerRefused && said(&r, "not connected") => Ok(()),
            Err(r) => Err(r),
        }
    }

    /// Reconnects.
    pub(super) async fn restart(&self, name: &str) -> Result<(), Reason> {
        self.done(Call::post(format!("/instance/restart/{}", segment(name))).within(LONG)).await.map(|_| ())
    }

    /// Deletes the row and all it holds.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Reason> {
        self.done(Call::delete(format!("/instance/delete/{}", segment(name))).within(LONG)).await.map(|_| ())
    }

    /// Makes a row.
    pub(super) async fn create(&self, body: Value) -> Result<Value, Reason> {
        let v = self.done(Call::post("/instance/create").json(body).within(LONG)).await?;
        match v.pointer("/instance/instanceName") {
            Some(_) => Ok(v),
            None => Err(self.reason(ReasonCode::Unintelligible)),
        }
    }

    /// What `kind/find` gives back; `Null` for nothing set and for a route that this server lacks.
    pub(super) async fn find_setting(&self, kind: &str, name: &str) -> Result<Value, Reason> {
        match self.value(Call::get(format!("/{kind}/find/{}", segment(name)))).await {
            Ok(v) => Ok(v),
            Err(r) if r.code == ReasonCode::NotFound => Ok(Value::Null),
            Err(r) => Err(r),
        }
    }

    /// Sends `kind/set`.
    pub(super) async fn set(&self, kind: &str, name: &str, body: Value) -> Result<(), Reason> {
        self.done(Call::post(format!("/{kind}/set/{}", segment(name))).json(body).within(LONG)).await.map(|_| ())
    }
}

/// True when the raw text of a reason holds `needle`.
pub(super) fn said(r: &Reason, needle: &str) -> bool {
    r.raw.as_ref().is_some_and(|t| t.as_str().contains(needle))
}

//! Typed calls. A key reaches bots and logs; a login reaches everything, the QR flows too. The login's token is kept in memory
//! for one context only and asked for once.

use super::wire::{self, Begun, Bot, Envelope, Health, Line};
use crate::{
    domain::{Reason, ReasonCode, Secret, Stamp, Wall},
    providers::{
        Cx,
        http::{Answer, CAP_LIST, Call, segment},
    },
};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

/// Permission to see bots and their logs.
pub(super) const VIEW: &str = "resource.view";
/// Permission to change bots, and so to load one anew; who has it is told their settings too.
pub(super) const MANAGE: &str = "resource.manage";

/// Name of the secret that holds an API key.
pub(super) const KEY: &str = "api_key";
/// Name of the secret that holds the password of the configured user.
pub(super) const PASSWORD: &str = "password";

/// Calls on one server.
pub(super) struct Api<'a> {
    cx: &'a Cx,
    key: Option<Secret>,
    login: Option<(String, Secret)>,
    jwt: Mutex<Option<Secret>>,
}

/// Who a call must come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    /// Key or login, whichever there is.
    Either,
    /// A login: keys are refused there (recordings 09, 23, 41).
    Person,
}

impl Api<'_> {
    /// Takes what it needs of a context.
    ///
    /// # Errors
    /// `CredentialMissing` when there is neither a key nor a user with a password.
    pub(super) fn new(cx: &Cx) -> Result<Api<'_>, Reason> {
        let kept = |name: &str| cx.secrets.get(name).filter(|s| !s.is_empty()).cloned();
        let login = cx.settings.langbot.user.clone().zip(kept(PASSWORD));
        let key = kept(KEY);
        if key.is_none() && login.is_none() {
            return Err(Reason::new(ReasonCode::CredentialMissing).with("gateway", cx.gateway.as_str()));
        }
        Ok(Api { cx, key, login, jwt: Mutex::new(None) })
    }

    /// True when it can log in as a person.
    pub(super) fn is_person(&self) -> bool {
        self.login.is_some()
    }

    fn reason(&self, code: ReasonCode) -> Reason {
        Reason::new(code).with("gateway", self.cx.gateway.as_str())
    }

    async fn send(&self, call: Call) -> Result<Answer, Reason> {
        // A server that repeats what it was sent in another call must not bring it into a reason either.
        let known = self.key.iter().chain(self.login.as_ref().map(|(_, password)| password));
        self.cx.http.send(call.guard(known.cloned()), &*self.cx.time, &*self.cx.samples).await
    }

    /// That the key (or the user) lacks the permission `scope`.
    fn lacks(&self, scope: &str) -> Reason {
        self.reason(ReasonCode::CredentialNarrow).with("needs", "scope").with("scope", scope)
    }

    /// That this call takes a person's login, and none is kept.
    pub(super) fn wants_login(&self) -> Reason {
        self.reason(ReasonCode::CredentialNarrow).with("needs", "login")
    }

    /// What the server said, as a reason. `503` and the like are told as on every system, `500` too: it names no cause (recording 21).
    /// `scope`: the permission that the call takes, where the refusal does not name it.
    fn judged(&self, a: &Answer, scope: &str) -> Result<Envelope, Reason> {
        let envelope = wire::envelope(&a.body);
        let said = envelope.as_ref().map(|e| a.told(&e.msg)).unwrap_or_default();
        let raw = || if said.is_empty() { a.status.to_string() } else { format!("{}: {said}", a.status) };
        match (a.status, envelope) {
            (200, Some(e)) if e.is_ok() => Ok(e),
            (401, _) => Err(self.reason(ReasonCode::CredentialRefused).raw(raw())),
            (403, _) => Err(self.lacks(named(&said).unwrap_or(scope)).raw("403")),
            (404, Some(_)) => Err(self.reason(ReasonCode::Gone).raw(raw())),
            (404, None) => Err(self.reason(ReasonCode::WrongAddress)),
            _ if a.is_page() => Err(self.reason(ReasonCode::WebPage)),
            (429 | 500.., _) => Err(a.trouble(&self.cx.gateway).unwrap_or_else(|| self.reason(ReasonCode::ServerError)).raw(raw())),
            (_, Some(_)) => Err(self.reason(ReasonCode::ServerRefused).raw(raw())),
            (_, None) => Err(self.reason(ReasonCode::Unintelligible)),
        }
    }

    /// Logs in unless that was done. A refusal is HTTP 200 with code 1 (recording 04).
    async fn jwt(&self) -> Result<Secret, Reason> {
        let mut held = self.jwt.lock().await;
        if let Some(jwt) = &*held {
            return Ok(jwt.clone());
        }
        let Some((user, password)) = &self.login else {
            return Err(self.wants_login());
        };
        let a = self.send(Call::post("/api/v1/user/auth").json(json!({ "user": user })).hidden("password", password.clone())).await?;
        let refused = || self.reason(ReasonCode::CredentialRefused);
        let envelope = match self.judged(&a, VIEW) {
            Ok(e) => e,
            // It is the password that was refused, and not a key: another secret is to be set.
            Err(r) if r.code == ReasonCode::ServerRefused => {
                return Err(Reason { code: ReasonCode::CredentialRefused, ..r }.with("evidence", "password"));
            }
            Err(r) => return Err(r),
        };
        let token = envelope.data.get("token").and_then(Value::as_str).filter(|t| !t.is_empty()).ok_or_else(refused)?;
        let jwt = Secret::new(format!("Bearer {token}"));
        *held = Some(jwt.clone());
        Ok(jwt)
    }

    async fn call(&self, who: As, scope: &str, make: impl Fn() -> Call) -> Result<(Envelope, Heard), Reason> {
        let key = self.key.as_ref().filter(|_| who == As::Either);
        if let Some(key) = key {
            let a = self.send(make().secret("x-api-key", key.clone())).await?;
            return Ok((self.judged(&a, scope)?, heard(&a)));
        }
        let a = self.send(make().secret("authorization", self.jwt().await?)).await?;
        match self.judged(&a, scope) {
            // It lives for days, yet a server that was claimed anew takes the old one no more.
            Err(r) if r.code == ReasonCode::CredentialRefused => {
                *self.jwt.lock().await = None;
                let a = self.send(make().secret("authorization", self.jwt().await?)).await?;
                Ok((self.judged(&a, scope)?, heard(&a)))
            }
            told => Ok((told?, heard(&a))),
        }
    }

    fn unclear(&self) -> Reason {
        self.reason(ReasonCode::Unintelligible)
    }

    /// The figures that need no credential.
    pub(super) async fn health(&self) -> Result<Health, Reason> {
        let a = self.send(Call::get("/healthz")).await?;
        self.judged(&a, VIEW)?;
        wire::health(&a.body).ok_or_else(|| self.reason(ReasonCode::WrongAddress))
    }

    /// The server's version.
    pub(super) async fn version(&self) -> Result<String, Reason> {
        let e = self.judged(&self.send(Call::get("/api/v1/system/info")).await?, VIEW)?;
        e.data.get("version").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| self.reason(ReasonCode::WrongAddress))
    }

    /// Whether somebody has made the first user. Until then whoever comes owns the server.
    pub(super) async fn is_claimed(&self) -> Result<bool, Reason> {
        let e = self.judged(&self.send(Call::get("/api/v1/user/init")).await?, VIEW)?;
        e.data.get("initialized").and_then(Value::as_bool).ok_or_else(|| self.unclear())
    }

    /// A refused credential, or that nobody has claimed the server: no login can be right then (recording 51).
    async fn or_unclaimed(&self, refused: Reason) -> Reason {
        match refused.code {
            ReasonCode::CredentialRefused if self.is_claimed().await == Ok(false) => self.reason(ReasonCode::Unclaimed),
            _ => refused,
        }
    }

    /// Every bot. Only a credential that may manage is told their configurations.
    pub(super) async fn bots(&self) -> Result<Vec<Bot>, Reason> {
        let (e, _) = match self.call(As::Either, VIEW, || Call::get("/api/v1/platform/bots").cap(CAP_LIST)).await {
            Err(r) => return Err(self.or_unclaimed(r).await),
            told => told?,
        };
        wire::bots(&e.data).ok_or_else(|| self.unclear())
    }

    /// One bot, with what only a loaded one has.
    pub(super) async fn bot(&self, uuid: &str) -> Result<Bot, Reason> {
        let (e, _) = self.call(As::Either, VIEW, || Call::get(path(uuid, ""))).await?;
        e.data.get("bot").and_then(wire::bot).ok_or_else(|| self.unclear())
    }

    /// The configuration of a bot, secrets and all.
    ///
    /// # Errors
    /// `CredentialNarrow` when it is kept back.
    pub(super) async fn config(&self, uuid: &str) -> Result<Map<String, Value>, Reason> {
        let who = if self.is_person() { As::Person } else { As::Either };
        let (e, _) = self.call(who, MANAGE, || Call::get(path(uuid, ""))).await?;
        wire::config(&e.data).ok_or_else(|| self.lacks(MANAGE))
    }

    /// Changes what `part` names. What restarts a bot loads it anew: its token and its log are gone then (4.11.2). When the server says
    /// that it did, by its own clock where it tells.
    pub(super) async fn change(&self, uuid: &str, part: &Value) -> Result<Wall, Reason> {
        let who = if self.is_person() { As::Person } else { As::Either };
        self.call(who, MANAGE, || Call::put(path(uuid, "")).json(part.clone())).await.map(|(_, heard)| heard.by_server())
    }

    /// The newest lines of a bot's log, oldest first. It lives in memory and is lost with every restart of the bot.
    /// With it the server's clock as it answered.
    pub(super) async fn log(&self, uuid: &str, most: u32) -> Result<(Vec<Line>, Wall), Reason> {
        let ask = || Call::post(path(uuid, "/logs")).json(json!({ "from_index": -1, "max_count": most }));
        let (e, heard) = self.call(As::Either, VIEW, ask).await?;
        wire::lines(&e.data).map(|lines| (lines, heard.by_server())).ok_or_else(|| self.unclear())
    }

    /// Begins a QR session, and when the answer came on both clocks: `expire_at` is by the server's.
    pub(super) async fn qr_begin(&self, flow: &str) -> Result<(Begun, Heard), Reason> {
        // The server itself waits 10 s for its far side.
        let ask = || Call::post(format!("/api/v1/platform/adapters/{flow}")).json(json!({})).within(std::time::Duration::from_secs(15));
        let (e, at) = self.call(As::Person, MANAGE, ask).await.map_err(no_way_out)?;
        wire::begun(&e.data).map(|b| (b, at)).ok_or_else(|| self.unclear())
    }

    /// The state of a QR session. An answer that is final is given once: what it carries is lost with a lost reply.
    pub(super) async fn qr_state(&self, flow: &str, id: &str) -> Result<Value, Reason> {
        let ask = || Call::get(format!("/api/v1/platform/adapters/{flow}/status/{}", segment(id)));
        self.call(As::Person, MANAGE, ask).await.map(|(e, _)| e.data)
    }

    /// Ends a QR session.
    pub(super) async fn qr_end(&self, flow: &str, id: &str) -> Result<(), Reason> {
        let ask = || Call::delete(format!("/api/v1/platform/adapters/{flow}/{}", segment(id)));
        self.call(As::Person, MANAGE, ask).await.map(|_| ())
    }
}

/// When an answer came, by our clock and by the server's.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    pub(super) at: Stamp,
    pub(super) date: Option<Wall>,
}

impl Heard {
    /// The server's own clock, or ours where it does not tell its.
    pub(super) fn by_server(self) -> Wall {
        self.date.unwrap_or(self.at.wall)
    }
}

/// A server that works, and that does not reach its platform (recordings 24, 25, 52).
fn no_way_out(r: Reason) -> Reason {
    let says = |text: &str| r.raw.as_ref().is_some_and(|raw| raw.as_str().contains(text));
    if r.code == ReasonCode::ServerError && (says("Cannot connect to host") || says("Timeout waiting for QR code")) {
        return Reason { code: ReasonCode::PlatformUnavailable, ..r }.with("evidence", "way_out");
    }
    r
}

/// The permission that a refusal names: `Missing Workspace permission: resource.manage` (4.11.2).
fn named(said: &str) -> Option<&str> {
    let scope = said.rsplit_once("permission: ")?.1.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    (!scope.is_empty() && scope.len() <= 40 && scope.chars().all(plain)).then_some(scope)
}

fn heard(a: &Answer) -> Heard {
    Heard { at: a.received, date: a.date }
}

fn path(uuid: &str, rest: &str) -> String {
    format!("/api/v1/platform/bots/{}{rest}", segment(uuid))
}

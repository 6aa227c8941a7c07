//! Credentials: the manager token on the API port, a login's JWT on the manager port, or none where the server asks for none.

use super::wire;
use crate::{
    domain::{Reason, ReasonCode, Secret, Stamp},
    providers::{
        Cx,
        http::{Answer, Call, Client},
    },
};
use serde_json::json;
use std::time::Duration;
use tokio::sync::Mutex;

/// Name of the token of the API port.
pub(super) const TOKEN: &str = "manager_token";
/// Name of the manager's name.
pub(super) const USER: &str = "manager_user";
/// Name of the manager's password.
pub(super) const PASSWORD: &str = "manager_password";
/// A JWT is renewed so long before it dies.
const EARLY: Duration = Duration::from_secs(60);

/// What a request is sent with.
pub(super) struct Auth {
    /// The manager token; `None` or empty: the server is said to ask for none.
    pub(super) token: Option<Secret>,
    login: Option<(Secret, Secret)>,
    /// The manager port.
    manager: Option<Client>,
    jwt: Mutex<Option<Jwt>>,
}

struct Jwt {
    bearer: Secret,
    got: Stamp,
    life: Option<Duration>,
}

impl Auth {
    /// Reads secrets and settings.
    ///
    /// # Errors
    /// As [`Client::new`], for `manager_url`.
    pub(super) fn new(cx: &Cx) -> Result<Self, Reason> {
        let secret = |name| cx.secrets.get(name).filter(|s| !s.is_empty()).cloned();
        let manager = match &cx.settings.wukongim.manager_url {
            Some(url) => Some(Client::new(&crate::store::config::Gateway { url: url.clone(), ..(*cx.settings).clone() })?),
            None => None,
        };
        Ok(Self { token: secret(TOKEN), login: secret(USER).zip(secret(PASSWORD)), manager, jwt: Mutex::new(None) })
    }

    /// True when what both ports offer must go to the manager port: only a login is known.
    pub(super) fn by_login(&self) -> bool {
        self.token.is_none() && self.login.is_some() && self.manager.is_some()
    }

    /// The manager port, if one is configured.
    pub(super) fn manager(&self) -> Option<&Client> {
        self.manager.as_ref()
    }

    /// Sends to the API port.
    ///
    /// # Errors
    /// What kept an answer from coming.
    pub(super) async fn api(&self, cx: &Cx, call: Call) -> Result<Answer, Reason> {
        let call = match &self.token {
            Some(t) => call.secret("token", t.clone()),
            None => call,
        };
        cx.http.send(call, &*cx.time, &*cx.samples).await
    }

    /// Sends to the manager port as the manager, logging in first where that is needed, and again when the server says that
    /// the login is over.
    ///
    /// # Errors
    /// `CredentialMissing` without a login, `CredentialRefused`, or what kept an answer from coming.
    pub(super) async fn managing(&self, cx: &Cx, call: impl Fn() -> Call) -> Result<Answer, Reason> {
        let http = self.manager.as_ref().unwrap_or(&cx.http);
        let bearer = self.bearer(cx, None).await?;
        let answer = http.send(call().secret("authorization", bearer.clone()), &*cx.time, &*cx.samples).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let bearer = self.bearer(cx, Some(&bearer)).await?;
        http.send(call().secret("authorization", bearer), &*cx.time, &*cx.samples).await
    }

    /// The login in hand, or a new one if there is none, it is about to die, or it is the one that was refused.
    async fn bearer(&self, cx: &Cx, refused: Option<&Secret>) -> Result<Secret, Reason> {
        let mut jwt = self.jwt.lock().await;
        let now = cx.time.now();
        let lives = |j: &&Jwt| j.life.is_none_or(|l| j.got.age(&now) + EARLY < l) && Some(&j.bearer) != refused;
        if let Some(j) = jwt.as_ref().filter(lives) {
            return Ok(j.bearer.clone());
        }
        *jwt = None;
        let missing = || Reason::new(ReasonCode::CredentialMissing).with("gateway", cx.gateway.as_str());
        let (user, password) = self.login.as_ref().ok_or_else(missing)?;
        let http = self.manager.as_ref().unwrap_or(&cx.http);
        let made = login(cx, http, user, password).await?;
        let bearer = made.bearer.clone();
        *jwt = Some(made);
        Ok(bearer)
    }
}

/// Logs in once.
///
/// # Errors
/// `CredentialRefused` (v2 says 400, v3 401; recordings manager_port_login_bad and mgr_login_bad), or what kept it from
/// being told.
async fn login(cx: &Cx, http: &Client, user: &Secret, password: &Secret) -> Result<Jwt, Reason> {
    let call = Call::post("/manager/login").json(json!({ "username": user.expose(), "password": password.expose() }));
    let answer = http.send(call, &*cx.time, &*cx.samples).await?;
    let reason = |code| Reason::new(code).with("gateway", cx.gateway.as_str());
    match answer.status {
        400 | 401 | 403 => {
            let told = wire::json(&answer.body).as_ref().and_then(wire::told).map(|t| answer.told_without(t, Some(password)));
            return Err(reason(ReasonCode::CredentialRefused).raw(told.unwrap_or_else(|| answer.status.to_string())));
        }
        404 => return Err(reason(ReasonCode::WrongAddress).raw("404 /manager/login")),
        _ => {}
    }
    if let Some(r) = answer.trouble(&cx.gateway) {
        return Err(r);
    }
    let got = wire::login(&answer.body).ok_or_else(|| reason(ReasonCode::Unintelligible))?;
    let now = answer.received;
    // By this machine's clock: where that is far off, the server's refusal tells that the login is over.
    let by_exp = got.exp.and_then(|e| u64::try_from(e.saturating_sub(now.wall.0 / 1000)).ok()).map(Duration::from_secs);
    let life = got.seconds.map(Duration::from_secs).or(by_exp).filter(|l| *l > EARLY * 2);
    Ok(Jwt { bearer: Secret::new(format!("Bearer {}", got.token.expose())), got: now, life })
}

/// True when the name and password that the server ships with read every token (wukongim 2.2.5 without `auth.users`). One
/// login, on the manager port that the operator configured, nowhere else.
pub(super) async fn guest_reads(cx: &Cx, http: &Client) -> bool {
    let guest = Secret::new("guest".to_owned());
    let Ok(jwt) = login(cx, http, &guest, &guest).await else { return false };
    let call = Call::get("/cluster/devices").query("limit", "1").secret("authorization", jwt.bearer);
    http.send(call, &*cx.time, &*cx.samples).await.is_ok_and(|a| a.is_ok() && wire::devices(&a.body).is_some())
}

/// True when the API port answers without any credential.
pub(super) async fn is_open(cx: &Cx) -> bool {
    let call = Call::get("/user/systemuids");
    cx.http.send(call, &*cx.time, &*cx.samples).await.is_ok_and(|a| a.is_ok() && wire::system_uids(&a.body).is_some())
}

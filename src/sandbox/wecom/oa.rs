//! WeChat official accounts: the stable token, which can really be forced to change, and the classic one, which changes at each
//! call (wecom-langbot §1, "Platforms compared"; developers.weixin.qq.com, getStableAccessToken). Two lines, isolated.

use super::{
    Inner,
    calls::ips,
    fetch::By,
    limit::ms,
    reply::Reply,
    state::{Death, Line, Sent, Worth},
};
use crate::sandbox::json::{Json, map};
use serde_json::Value;
use std::time::Duration;

const CALLBACK_IPS: [&str; 2] = ["101.226.62.77", "101.226.62.78"];

impl Inner {
    /// `GET /token?grant_type=client_credential&appid=…&secret=…`: each call makes a new one; the one before lives five minutes.
    pub(crate) fn classic(&self, query: &dyn Fn(&str) -> Option<String>, ip: &str, by: By) -> Reply {
        let app = match self.client(query, ip, by, "token") {
            Ok(app) => app,
            Err(no) => return no,
        };
        let (now, limit) = (self.now_ms(), self.settings.classic);
        let key = format!("classic {app}");
        if !self.lock().windows.allows(&key, limit, Duration::ZERO, now) {
            return self.refuse(45009, ip, by);
        }
        self.hand_over(app, Line::Classic, self.settings.overlap);
        self.give(app, Line::Classic, by, true)
    }

    /// `POST /stable_token {grant_type, appid, secret, force_refresh}`.
    pub(crate) fn stable(&self, method: &str, body: &[u8], ip: &str, by: By) -> Reply {
        if method != "POST" {
            return self.refuse(43002, ip, by);
        }
        let Ok(Value::Object(m)) = serde_json::from_slice::<Value>(body) else { return self.refuse(47001, ip, by) };
        let text = |k: &str| m.get(k).and_then(Value::as_str).map(str::to_owned);
        let app = match self.client(&text, ip, by, "stable_token") {
            Ok(app) => app,
            Err(no) => return no,
        };
        let forced = m.get("force_refresh").and_then(Value::as_bool).unwrap_or(false);
        if forced { self.forced(app, ip, by) } else { self.ordinary(app, by) }
    }

    /// The same token; in its last minutes a new one, and both are good until the old one's end. So `expires_in` is never below
    /// the overlap.
    fn ordinary(&self, app: usize, by: By) -> Reply {
        let now = self.now_ms();
        let overlap = ms(self.settings.overlap);
        let late = self.lock().apps.get(app).and_then(|a| a.live(Line::Stable, now)).is_some_and(|g| g.expires_ms - now < overlap);
        self.give(app, Line::Stable, by, late)
    }

    /// Twenty a day; sooner than 30 s after the last one it "does not refresh": the same token, no error.
    fn forced(&self, app: usize, ip: &str, by: By) -> Reply {
        let (now, limit, key) = (self.now_ms(), self.settings.forced, format!("forced {app}"));
        let mut state = self.lock();
        if state.windows.last(&key).is_some_and(|at| now.saturating_sub(at) < ms(self.settings.forced_gap)) {
            drop(state);
            return self.give(app, Line::Stable, by, false);
        }
        if !state.windows.allows(&key, limit, Duration::ZERO, now) {
            drop(state);
            return self.refuse(45009, ip, by);
        }
        drop(state);
        // The one before the newest lives on: it takes two forced calls to kill a leaked token.
        self.hand_over(app, Line::Stable, self.settings.overlap);
        self.give(app, Line::Stable, by, true)
    }

    /// The account that a fetch is for.
    fn client(&self, given: &dyn Fn(&str) -> Option<String>, ip: &str, by: By, api: &str) -> Result<usize, Reply> {
        let given = |name: &str| given(name).filter(|v| !v.is_empty());
        let Some(appid) = given("appid") else { return Err(self.refuse(41002, ip, by)) };
        let Some(secret) = given("secret") else { return Err(self.refuse(41004, ip, by)) };
        if given("grant_type").as_deref() != Some("client_credential") {
            return Err(self.refuse(40002, ip, by));
        }
        let now = self.now_ms();
        let limits = self.settings.limits;
        if !self.lock().windows.allows(&format!("api {api} {appid}"), limits.calls_per_corp, limits.penalty, now) {
            return Err(self.refuse(45011, ip, by));
        }
        let state = self.lock();
        let Some(app) = state.apps.iter().position(|a| a.id == appid) else {
            drop(state);
            return Err(self.refuse(40013, ip, by));
        };
        let (right, trusted) =
            state.apps.get(app).map_or((false, false), |a| (a.secret == secret, a.trusted.as_ref().is_none_or(|t| t.iter().any(|t| t == ip))));
        drop(state);
        match (trusted, right) {
            (false, _) => Err(self.refuse(40164, ip, by)),
            (true, false) => Err(self.refuse(self.settings.secret_code, ip, by)),
            (true, true) => Ok(app),
        }
    }

    /// Any call with a token. A success of these has no `errcode`.
    pub(crate) fn oa_call(&self, method: &str, api: &str, query: &dyn Fn(&str) -> Option<String>, body: &[u8], ip: &str) -> Reply {
        let app = match self.oa_bearer(api, query, ip) {
            Ok(app) => app,
            Err(no) => return no,
        };
        match (api, method) {
            ("getcallbackip" | "get_api_domain_ip", _) => Reply::json(map! { "ip_list" => ips(&CALLBACK_IPS) }),
            ("message/custom/send", "POST") => self.custom(app, body, ip),
            ("message/custom/send", _) => self.error(43002, ip),
            _ => self.error(40066, ip),
        }
    }

    fn oa_bearer(&self, api: &str, query: &dyn Fn(&str) -> Option<String>, ip: &str) -> Result<usize, Reply> {
        let (now, token) = (self.now_ms(), query("access_token").unwrap_or_default());
        let latest = |inner: &Self| inner.error_text(40001, "invalid credential, access_token is invalid or not latest", ip);
        let worth = self.lock().worth(&token, now);
        match worth {
            // 40001 for a string that nobody knows and for one that is not the newest: the code of a wrong secret, too (§0.3).
            Worth::Unknown if !token.is_empty() => return Err(latest(self)),
            Worth::Dead(_, Death::Replaced | Death::Reset) => return Err(latest(self)),
            _ => {}
        }
        self.bearer(api, query, ip)
    }

    fn custom(&self, app: usize, body: &[u8], ip: &str) -> Reply {
        let Ok(Value::Object(m)) = serde_json::from_slice::<Value>(body) else { return self.error(47001, ip) };
        let text = |k: &str| m.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (to, kind) = (text("touser"), text("msgtype"));
        let Some(part) = m.get(&kind).filter(|_| !to.is_empty() && !kind.is_empty()) else { return self.error(40008, ip) };
        let content = part.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut state = self.lock();
        let id = state.apps.get(app).map(|a| a.id.clone()).unwrap_or_default();
        state.sent(Sent { app: id, to, kind, text: content });
        drop(state);
        Reply::ok(Vec::<(&str, Json)>::new())
    }
}

//! `GET /gettoken`: the same string until it expires, and no way to ask for another (wecom-langbot §0.1, §1).

use super::{
    Inner,
    limit::ms,
    reply::Reply,
    settings::Platform,
    state::{Line, expires_in},
};
use serde_json::json;

/// Who asks for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Somebody over the wire.
    Wire,
    /// The sandbox's own foreign client.
    Foreign,
}

impl By {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Foreign => "foreign",
        }
    }
}

impl Inner {
    /// `GET /gettoken?corpid=…&corpsecret=…`.
    pub(crate) fn get_token(&self, query: &dyn Fn(&str) -> Option<String>, ip: &str, by: By) -> Reply {
        let given = |name: &str| query(name).filter(|v| !v.is_empty());
        let Some(corpid) = given("corpid") else { return self.refuse(41002, ip, by) };
        let Some(secret) = given("corpsecret") else { return self.refuse(41004, ip, by) };
        if !self.may_fetch("gettoken", ip) {
            return self.refuse(45009, ip, by);
        }
        if corpid != self.settings.corpid {
            return self.refuse(40013, ip, by);
        }
        let Some(app) = self.lock().apps.iter().position(|a| a.secret == secret) else { return self.refuse(40001, ip, by) };
        self.give(app, Line::Stable, by, false)
    }

    /// Counts a fetch. False when the platform says 45009: too many from one address, or by the whole corporation.
    pub(crate) fn may_fetch(&self, api: &str, ip: &str) -> bool {
        let (now, limits) = (self.now_ms(), self.settings.limits);
        let mut state = self.lock();
        let per_ip = state.windows.allows(&format!("ip {ip}"), limits.fetches_per_ip, limits.penalty, now);
        let per_corp = state.windows.allows(&format!("api {api}"), limits.calls_per_corp, limits.penalty, now);
        per_ip && per_corp
    }

    /// Refuses a fetch, and counts it.
    pub(crate) fn refuse(&self, code: i64, ip: &str, by: By) -> Reply {
        self.lock().refused += 1;
        self.tell("refused", "", &json!({ "errcode": code, "by": by.word() }));
        self.error(code, ip)
    }

    /// Gives out the token of a line: the one that is good, or a new one where there is none or `anew` asks for one.
    pub(crate) fn give(&self, app: usize, line: Line, by: By, anew: bool) -> Reply {
        let now = self.now_ms();
        let (repeated, bytes) = {
            let knobs = self.knobs();
            (knobs.repeated, knobs.token_bytes)
        };
        let mut state = self.lock();
        let live = state.apps.get(app).and_then(|a| a.live(line, now)).cloned();
        let minted = anew || live.is_none();
        let given = match live {
            Some(g) if !anew => g,
            _ => {
                state.mint(app, line, &self.settings, bytes, now);
                match state.apps.get(app).and_then(|a| a.given.back()) {
                    Some(g) => g.clone(),
                    None => return Reply::not_found(),
                }
            }
        };
        let mut id = String::new();
        if let Some(a) = state.apps.get_mut(app) {
            match by {
                By::Wire => a.fetches.wire += 1,
                By::Foreign => a.fetches.foreign += 1,
            }
            id.clone_from(&a.id);
        }
        drop(state);
        self.tell("fetch", &id, &json!({ "result": if minted { "new" } else { "same" }, "by": by.word() }));
        // Official accounts say what is left (§1, developers.weixin.qq.com getStableAccessToken); of corporations nobody knows.
        let repeated = if self.settings.platform == Platform::WechatOa { super::Repeated::Remaining } else { repeated };
        let left = expires_in(&given, minted, repeated, &self.settings, now);
        let pair = vec![("access_token", given.text.into()), ("expires_in", left.into())];
        match self.settings.platform {
            Platform::Wecom => Reply::ok(pair),
            Platform::WechatOa => Reply::json(crate::sandbox::json::Json::Map(pair.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        }
    }

    /// Replaces what a line gave out until now: the newest lives on for the overlap, older ones end.
    pub(crate) fn hand_over(&self, app: usize, line: Line, overlap: std::time::Duration) {
        let now = self.now_ms();
        let mut state = self.lock();
        let Some(a) = state.apps.get_mut(app) else { return };
        let mut newest = true;
        for g in a.given.iter_mut().rev().filter(|g| g.line == line && g.dead(now).is_none()) {
            let until = now.saturating_add(ms(overlap));
            if newest && until > now {
                g.expires_ms = g.expires_ms.min(until);
                g.replaced = true;
            } else {
                g.death = Some(super::state::Death::Replaced);
            }
            newest = false;
        }
    }
}

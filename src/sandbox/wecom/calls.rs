//! What a corporation's token is good for here: the probes, and sending.

use super::{
    Inner, Stale,
    reply::Reply,
    state::{Death, Sent, Worth},
};
use crate::sandbox::json::{Json, map};
use serde_json::Value;

/// Addresses of the platform, as `get_api_domain_ip` tells them (wecom-langbot §1).
const API_IPS: [&str; 2] = ["182.254.11.176", "182.254.78.66"];
const CALLBACK_IPS: [&str; 2] = ["101.226.103.0/25", "101.226.62.0/26"];

impl Inner {
    /// Any call with a token.
    pub(crate) fn call(&self, method: &str, api: &str, query: &dyn Fn(&str) -> Option<String>, body: &[u8], ip: &str) -> Reply {
        let app = match self.bearer(api, query, ip) {
            Ok(app) => app,
            Err(no) => return no,
        };
        match (api, method) {
            ("get_api_domain_ip", _) => Reply::ok(vec![("ip_list", ips(&API_IPS))]),
            ("getcallbackip", _) => Reply::ok(vec![("ip_list", ips(&CALLBACK_IPS))]),
            ("agent/get", _) => self.agent(app, query("agentid").as_deref(), ip),
            ("user/get", _) => self.user(query("userid").as_deref(), ip),
            ("media/upload", "POST") => self.upload(query("type").as_deref(), body, ip),
            ("media/upload", _) => self.error(43002, ip),
            ("message/send", "POST") => self.send(app, body, ip),
            ("message/send", _) => self.error(43002, ip),
            _ => self.error(40066, ip),
        }
    }

    /// The app whose token the query carries, if the token is good and its app may be used from `ip`.
    pub(crate) fn bearer(&self, api: &str, query: &dyn Fn(&str) -> Option<String>, ip: &str) -> Result<usize, Reply> {
        let Some(token) = query("access_token").filter(|t| !t.is_empty()) else { return Err(self.error(41001, ip)) };
        let (now, limits) = (self.now_ms(), self.settings.limits);
        if !self.lock().windows.allows(&format!("api {api}"), limits.calls_per_corp, limits.penalty, now) {
            return Err(self.error(45009, ip));
        }
        let worth = self.lock().worth(&token, now);
        match worth {
            Worth::Good(app) => {
                // Official accounts ask at the fetch (40164), corporations here.
                let asks = self.settings.platform == super::Platform::Wecom;
                let trusted = !asks || self.lock().apps.get(app).is_none_or(|a| a.trusted.as_ref().is_none_or(|t| t.iter().any(|t| t == ip)));
                if trusted { Ok(app) } else { Err(self.error(60020, ip)) }
            }
            Worth::Dead(app, why) => {
                let id = self.lock().apps.get(app).map(|a| a.id.clone()).unwrap_or_default();
                let code = self.stale_code(why);
                self.tell("stale", &id, &serde_json::json!({ "errcode": code }));
                Err(self.error(code, ip))
            }
            Worth::Unknown => Err(self.error(40014, ip)),
        }
    }

    /// The code for a token that was good once.
    pub(crate) fn stale_code(&self, why: Death) -> i64 {
        // Not the newest: 40001 on official accounts (w7corp/easywechat#163), whichever way it is answered else.
        if why == Death::Replaced {
            return 40001;
        }
        let stale = self.knobs().stale;
        let mut state = self.lock();
        state.turns = state.turns.wrapping_add(1);
        match stale {
            Stale::Expired => 42001,
            Stale::Invalid => 40014,
            Stale::InTurn if state.turns % 2 == 1 => 42001,
            Stale::InTurn => 40014,
        }
    }

    /// Whether a token of `app` may act for `agentid`: 301002 for another app's, 40056 for nobody's.
    fn owns(&self, app: usize, agentid: &str, ip: &str) -> Result<(String, String), Reply> {
        let state = self.lock();
        let own = state.apps.get(app).map(|a| (a.id.clone(), a.name.clone())).unwrap_or_default();
        let known = state.apps.iter().any(|a| a.id == agentid);
        drop(state);
        match agentid {
            id if id == own.0 => Ok(own),
            _ if known => Err(self.error(301_002, ip)),
            _ => Err(self.error(40056, ip)),
        }
    }

    fn agent(&self, app: usize, agentid: Option<&str>, ip: &str) -> Reply {
        let Some(agentid) = agentid else { return self.error(41011, ip) };
        match self.owns(app, agentid, ip) {
            Ok((id, name)) => Reply::ok(vec![
                ("agentid", number(&id)),
                ("name", name.into()),
                ("square_logo_url", "".into()),
                ("description", "".into()),
                ("allow_userinfos", map! { "user" => Vec::<Json>::new() }),
                ("allow_partys", map! { "partyid" => Vec::<Json>::new() }),
                ("close", 0u32.into()),
                ("redirect_domain", "".into()),
                ("report_location_flag", 0u32.into()),
                ("isreportenter", 0u32.into()),
                ("home_url", "".into()),
            ]),
            Err(no) => no,
        }
    }

    /// A member, as `user/get` tells an app of today: the name, and nothing that a person is reached by. Everybody is a member here.
    fn user(&self, userid: Option<&str>, ip: &str) -> Reply {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '.');
        match userid {
            None | Some("") => self.error(41009, ip),
            Some(id) if id.len() > 64 || !id.chars().all(plain) => self.error(40003, ip),
            Some(id) => Reply::ok(vec![
                ("userid", id.into()),
                ("name", id.into()),
                ("department", Json::List(vec![1u32.into()])),
                ("position", "".into()),
                ("status", 1u32.into()),
                ("isleader", 0u32.into()),
                ("enable", 1u32.into()),
                ("alias", "".into()),
                ("hide_mobile", 0u32.into()),
            ]),
        }
    }

    /// A file that messages may name for three days.
    fn upload(&self, kind: Option<&str>, body: &[u8], ip: &str) -> Reply {
        let Some(kind) = kind.filter(|k| ["image", "voice", "video", "file"].contains(k)) else { return self.error(40004, ip) };
        let holds = |part: &[u8]| body.windows(part.len()).any(|w| w == part);
        if !holds(b"name=\"media\"") {
            return self.error(41005, ip);
        }
        let now_s = self.now_ms().div_euclid(1000);
        let mut state = self.lock();
        let id = state.text(64);
        state.uploaded(id.clone());
        drop(state);
        Reply::ok(vec![("type", kind.into()), ("media_id", id.into()), ("created_at", now_s.to_string().into())])
    }

    fn send(&self, app: usize, body: &[u8], ip: &str) -> Reply {
        let Ok(Value::Object(m)) = serde_json::from_slice::<Value>(body) else { return self.error(47001, ip) };
        let text = |k: &str| m.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
        // wechatpy sends whatever it was given: digits in a string will do.
        let agentid = match m.get("agentid") {
            Some(Value::Number(n)) => n.to_string(),
            Some(Value::String(s)) => s.clone(),
            _ => return self.error(41011, ip),
        };
        if let Err(no) = self.owns(app, &agentid, ip) {
            return no;
        }
        let to = [text("touser"), text("toparty"), text("totag")].into_iter().find(|t| !t.is_empty());
        let Some(to) = to else { return self.error(81013, ip) };
        let kind = text("msgtype");
        let Some(part) = m.get(&kind).filter(|_| !kind.is_empty()) else { return self.error(40008, ip) };
        let content = part.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
        if kind == "text" && content.is_empty() {
            return self.error(44004, ip);
        }
        if ["image", "voice", "video", "file"].contains(&kind.as_str()) {
            let media = part.get("media_id").and_then(Value::as_str).unwrap_or_default();
            if !self.lock().media.iter().any(|m| m == media) {
                return self.error(40007, ip);
            }
        }
        let mut state = self.lock();
        state.sent(Sent { app: agentid, to, kind, text: content });
        let msgid = state.text(50);
        drop(state);
        Reply::ok(vec![("msgid", msgid.into())])
    }
}

pub(crate) fn ips(list: &[&str]) -> Json {
    Json::List(list.iter().map(|i| (*i).into()).collect())
}

fn number(id: &str) -> Json {
    id.parse().map_or_else(|_| id.into(), Json::Int)
}

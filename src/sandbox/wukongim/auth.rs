//! Who may ask: the manager token, and JWTs of the manager port.

use super::{
    Inner, Version,
    bind::{LOGIN, bind},
    reply::Reply,
};
use crate::sandbox::json::{Json, map};
use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// JWTs kept; the oldest go.
const JWTS: usize = 1000;

impl Inner {
    /// The API port's guard, in front of everything, `/health` included.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn api_guard(&self, headers: &HeaderMap) -> Result<(), Reply> {
        if self.settings.version == Version::V3 {
            return Ok(());
        }
        match &self.settings.manager_token {
            Some(t) if given(headers, "token") != Some(t.as_str()) => Err(Reply::no_entry()),
            _ => Ok(()),
        }
    }

    /// The manager port's guard: the manager token, or a JWT in `Authorization` or `?Authorization=`.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn manager_guard(&self, headers: &HeaderMap, query: Option<String>) -> Result<(), Reply> {
        let v3 = self.settings.version == Version::V3;
        let no = |why: String| if v3 { Reply::v3_error(401, "unauthorized", "unauthorized") } else { Reply::unauthorized(why) };
        if !v3 && self.settings.manager_token.as_deref().is_some_and(|t| given(headers, "token") == Some(t)) {
            return Ok(());
        }
        let header = given(headers, "authorization").map(str::to_owned).or(query).filter(|h| !h.is_empty());
        let Some(header) = header else { return Err(no("Authorization header is required".to_owned())) };
        self.jwt(header.strip_prefix("Bearer ").unwrap_or(&header)).map_err(no)
    }

    fn jwt(&self, text: &str) -> Result<(), String> {
        let now = self.now_ms();
        let end = self.lock().jwts.iter().find(|(t, _, _)| t == text).map(|(_, _, end)| *end);
        match end {
            Some(end) if now < end => Ok(()),
            Some(_) => Err("token has invalid claims: token is expired".to_owned()),
            None => Err(match text.split('.').collect::<Vec<_>>().as_slice() {
                [head, _, _] => match head.bytes().position(|b| !b.is_ascii_alphanumeric() && b != b'-' && b != b'_') {
                    Some(at) => format!("token is malformed: could not base64 decode header: illegal base64 data at input byte {at}"),
                    None => match URL_SAFE_NO_PAD.decode(head).ok().and_then(|h| serde_json::from_slice::<serde_json::Value>(&h).ok()) {
                        Some(_) => "token signature is invalid: signature is invalid".to_owned(),
                        None => "token is malformed: could not base64 decode header: illegal base64 data at input byte 0".to_owned(),
                    },
                },
                _ => "token is malformed: token contains an invalid number of segments".to_owned(),
            }),
        }
    }

    /// `POST /manager/login`, of v2 or v3.
    pub(crate) fn login_manager(&self, body: &[u8]) -> Reply {
        let v3 = self.settings.version == Version::V3;
        let given = match bind(body, &LOGIN) {
            Ok(b) => b,
            Err(e) if v3 => return Reply::v3_error(400, "bad_request", &e),
            Err(e) => return Reply::plain_error(e),
        };
        let (name, password) = (given.text("username"), given.text("password"));
        if !v3 && password.is_empty() {
            return Reply::error("密码不能为空");
        }
        if !v3 && name.is_empty() {
            return Reply::error("用户名不能为空");
        }
        let Some(who) = self.settings.who().into_iter().find(|m| m.name == name && m.password == password) else {
            return if v3 { Reply::v3_error(401, "invalid_credentials", "invalid credentials") } else { Reply::error("用户名或密码错误") };
        };
        let now = self.now_ms();
        let life = if v3 { 86_400_000 } else { self.settings.timing.jwt.as_millis() as i64 };
        let end = now + life;
        let claims = map! { "exp" => end / 1000, "username" => &who.name };
        // Nobody but this server reads the signature, so random bytes stand for it.
        let mut state = self.lock();
        let signature: Vec<u8> = (0..4).flat_map(|_| state.chance.next().to_le_bytes()).collect();
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let token = format!("{head}.{}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()), URL_SAFE_NO_PAD.encode(signature));
        if state.jwts.len() == JWTS {
            state.jwts.pop_front();
        }
        state.jwts.push_back((token.clone(), who.name.clone(), end));
        drop(state);
        if v3 {
            let actions = if who.permissions.ends_with(":r") { "r" } else { "*" };
            let right = map! { "resource" => "*", "actions" => Json::List(vec![actions.into()]) };
            return Reply::json(
                200,
                &map! {
                    "username" => who.name, "token_type" => "Bearer", "access_token" => token, "expires_in" => 86_400u32,
                    "expires_at" => super::misc::rfc3339(end), "permissions" => Json::List(vec![right]),
                },
            );
        }
        Reply::json(200, &map! { "exp" => end / 1000, "permissions" => who.permissions, "token" => token, "username" => who.name })
    }
}

fn given<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

//! Who asks, as `pkg/api/http/controller/group.py` finds out: JWTs, keys, and the kinds of routes.

use super::{Inner, reply::Reply, settings::SCOPES};
use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The account, by JWT: every permission.
    Account,
    /// A key with its permissions.
    Key(Vec<String>),
}

impl Who {
    /// True when it has the permission.
    pub(crate) fn may(&self, scope: &str) -> bool {
        match self {
            Self::Account => true,
            Self::Key(scopes) => scopes.iter().any(|s| s == scope),
        }
    }

    /// The refusal of a permission that is missing.
    fn need(self, scope: &str) -> Result<Self, Reply> {
        if self.may(scope) { Ok(self) } else { Err(Reply::fail(403, "permission_denied", format!("Missing Workspace permission: {scope}"))) }
    }
}

fn given<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

fn invalid() -> Reply {
    Reply::fail(401, "invalid_authentication", "Invalid authentication credentials")
}

impl Inner {
    /// A route of the account alone (`ACCOUNT_TOKEN`): the scheme must be there.
    pub(crate) fn account(&self, headers: &HeaderMap) -> Result<(), Reply> {
        match given(headers, "authorization").strip_prefix("Bearer ") {
            None | Some("") => Err(Reply::fail(401, -1, "No valid user token provided")),
            Some(token) => self.jwt(token).then_some(()).ok_or_else(invalid),
        }
    }

    /// A route for people (`USER_TOKEN`): a key is no user token, wherever it stands (recordings 09, 23, 41).
    pub(crate) fn person(&self, headers: &HeaderMap) -> Result<Who, Reply> {
        let token = given(headers, "authorization").replace("Bearer ", "");
        if token.is_empty() {
            return Err(Reply::fail(401, -1, "No valid user token provided"));
        }
        if self.jwt(&token) { Ok(Who::Account) } else { Err(invalid()) }
    }

    /// A route for keys alone (`API_KEY`).
    pub(crate) fn key(&self, headers: &HeaderMap, scope: &str) -> Result<Who, Reply> {
        let key = match given(headers, "x-api-key") {
            "" => given(headers, "authorization").strip_prefix("Bearer ").unwrap_or_default(),
            key => key,
        };
        if key.is_empty() {
            return Err(Reply::fail(401, -1, "No valid API key provided"));
        }
        self.api_key(key).ok_or_else(invalid)?.need(scope)
    }

    /// A route for both (`USER_TOKEN_OR_API_KEY`): the key header first, then a JWT, then a key in its place.
    pub(crate) fn either(&self, headers: &HeaderMap, scope: &str) -> Result<Who, Reply> {
        match given(headers, "x-api-key") {
            "" => {
                let token = given(headers, "authorization").replace("Bearer ", "");
                if token.is_empty() {
                    return Err(Reply::fail(401, -1, "No valid authentication provided (user token or API key required)"));
                }
                let who = if self.jwt(&token) { Some(Who::Account) } else { self.api_key(&token) };
                who.ok_or_else(invalid)?.need(scope)
            }
            key => self.api_key(key).ok_or_else(invalid)?.need(scope),
        }
    }

    fn api_key(&self, secret: &str) -> Option<Who> {
        if secret.trim().is_empty() {
            return None;
        }
        if self.settings.global_key.as_deref() == Some(secret) {
            return Some(Who::Key(SCOPES.iter().map(|s| (*s).to_owned()).collect()));
        }
        let now = self.now_ms();
        let mut state = self.lock();
        let key = state.keys.iter_mut().find(|k| k.secret == secret && k.secret.starts_with("lbk_"))?;
        if key.expires.is_some_and(|e| e.as_millisecond() <= now) {
            return None;
        }
        key.used_ms = Some(now);
        Some(Who::Key(key.scopes.clone()))
    }

    fn jwt(&self, token: &str) -> bool {
        let now = self.now_ms();
        self.lock().jwts.iter().any(|(t, end)| t == token && now < *end)
    }

    /// A new JWT; earlier ones stay good.
    pub(crate) fn new_jwt(&self) -> String {
        let end = self.now_ms() + i64::try_from(self.settings.timing.jwt.as_millis()).unwrap_or(i64::MAX / 2);
        let user = self.knobs().owner.as_ref().map(|o| o.user.clone()).unwrap_or_default();
        let mut state = self.lock();
        let claims = json!({ "user": user, "iss": "langbot", "aud": state.workspace, "exp": end / 1000, "sub": state.account });
        // Nobody but this server reads the signature, so random bytes stand for it.
        let signature: Vec<u8> = (0..4).flat_map(|_| state.chance.next().to_le_bytes()).collect();
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let jwt = format!("{head}.{}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()), URL_SAFE_NO_PAD.encode(signature));
        state.remember(jwt.clone(), end);
        jwt
    }
}

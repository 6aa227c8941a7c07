//! What is asked and what is answered, as JSON and as data.

use crate::{
    domain::{Clean, Exit, Fingerprint, Reason, Secret, Stamp, Target, Wall},
    providers::token::Given,
};
use serde_json::{Value, json};

/// A wall clock that was moved by more than this since a token was issued: its end is told anew from what is left.
const MOVED_MS: u64 = 2_000;

/// A question for a token.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `[GATEWAY:]ACCOUNT`, as typed.
    pub target: String,
    /// Seconds that it should live.
    pub min_ttl: u64,
    /// Fail rather than give a shorter life.
    pub strict: bool,
    /// The token of this fingerprint was refused.
    pub rejected: Option<Fingerprint>,
    /// This token was refused.
    pub rejected_token: Option<Secret>,
    /// Never fetch.
    pub no_fetch: bool,
    /// Fetch although a clock is blocked.
    pub allow_clock_skew: bool,
    /// Change nothing anywhere.
    pub read_only: bool,
    /// Say at once that the request was heard, before it is answered.
    pub ack: bool,
    /// Whose token is meant ([`crate::engine::tokens::whose`]), where the asker knows: a process with another configuration does not know it.
    pub whose: Option<String>,
}

impl Request {
    /// As one line for the socket.
    pub fn to_json(&self) -> Value {
        json!({
            "v": 1, "op": "token", "target": self.target, "min_ttl": self.min_ttl, "strict": self.strict,
            "rejected": self.rejected.as_ref().map(ToString::to_string),
            "rejected_token": self.rejected_token.as_ref().map(Secret::expose),
            "no_fetch": self.no_fetch, "allow_clock_skew": self.allow_clock_skew, "read_only": self.read_only, "ack": self.ack,
            "whose": self.whose,
        })
    }

    /// Reads one. `None` for anything that is not one: another version, another verb, a value of another type.
    pub fn from_json(v: &Value) -> Option<Self> {
        let v = v.as_object()?;
        if v.get("v")?.as_u64()? != 1 || v.get("op").is_some_and(|op| op.as_str() != Some("token")) {
            return None;
        }
        let flag = |name: &str| match v.get(name) {
            None | Some(Value::Null) => Some(false),
            Some(f) => f.as_bool(),
        };
        let text = |name: &str| match v.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(t) => t.as_str().map(Some),
        };
        let rejected = match text("rejected")? {
            Some(t) => Some(Fingerprint::parse(t)?),
            None => None,
        };
        let min_ttl = match v.get("min_ttl") {
            None | Some(Value::Null) => 0,
            Some(n) => n.as_u64()?,
        };
        Some(Self {
            target: v.get("target")?.as_str()?.to_owned(),
            min_ttl,
            strict: flag("strict")?,
            rejected,
            rejected_token: text("rejected_token")?.map(|t| Secret::new(t.to_owned())),
            no_fetch: flag("no_fetch")?,
            allow_clock_skew: flag("allow_clock_skew")?,
            read_only: flag("read_only")?,
            ack: flag("ack")?,
            whose: text("whose")?.map(str::to_owned),
        })
    }
}

/// A token as it is handed out.
#[derive(Debug)]
pub struct Document {
    /// The target's id.
    pub id: String,
    /// The account, exactly.
    pub name: String,
    /// The gateway's kind.
    pub provider: String,
    /// The token.
    pub token: Secret,
    /// How a client sends it.
    pub token_type: String,
    /// When it was issued.
    pub issued: Wall,
    /// When it dies.
    pub expires: Wall,
    /// Whole seconds that it lives on.
    pub left: u64,
    /// Rises with each new token.
    pub generation: u64,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// `cache`, `fetched` or `shared`.
    pub source: String,
    /// Something went wrong although this token can be used: the last fetch failed, the shared store is away.
    pub trouble: Option<Reason>,
}

impl Document {
    /// Describes what the owner of tokens gave.
    pub fn new(target: &Target, kind: &str, form: &str, given: Given, now: &Stamp) -> Self {
        let held = given.held;
        let left = held.expires.left(now);
        Self {
            id: target.id(),
            name: target.account.as_str().to_owned(),
            provider: kind.to_owned(),
            token: given.token,
            token_type: form.to_owned(),
            issued: held.issued.wall,
            expires: told_end(&held.expires, now),
            left: left.as_secs(),
            generation: held.generation,
            fingerprint: held.fingerprint,
            source: given.origin.name().to_owned(),
            trouble: held.trouble,
        }
    }

    /// The document of the contract.
    pub fn to_json(&self) -> Value {
        json!({
            "v": 1, "name": self.name, "id": self.id, "provider": self.provider, "token": self.token.expose(), "token_type": self.token_type,
            "issued_at": self.issued.rfc3339(), "expires_at": self.expires.rfc3339(), "expires_in": self.left,
            "generation": self.generation, "fingerprint": self.fingerprint.to_string(), "source": self.source,
            "trouble": self.trouble.as_ref().map(|r| r.code.name()),
        })
    }

    /// The same as a line of the socket: the trouble with all that it says, so that whoever reads it back can tell it whole.
    pub fn to_line(&self) -> Value {
        let mut line = self.to_json();
        if let (Some(fields), Some(why)) = (line.as_object_mut(), &self.trouble) {
            fields.insert("trouble_reason".into(), json!(why));
        }
        line
    }

    /// Reads one back.
    pub fn from_json(v: &Value) -> Option<Self> {
        let text = |name: &str| v.get(name)?.as_str().map(str::to_owned);
        let code = |name: &str| serde_json::from_value(Value::String(name.to_owned())).ok().map(Reason::new);
        let whole = v.get("trouble_reason").and_then(|r| serde_json::from_value(r.clone()).ok());
        Some(Self {
            id: text("id")?,
            name: text("name")?,
            provider: text("provider")?,
            token: Secret::new(text("token")?),
            token_type: text("token_type")?,
            issued: Wall::parse(&text("issued_at")?)?,
            expires: Wall::parse(&text("expires_at")?)?,
            left: v.get("expires_in")?.as_u64()?,
            generation: v.get("generation")?.as_u64()?,
            fingerprint: Fingerprint::parse(&text("fingerprint")?)?,
            source: text("source")?,
            trouble: whole.or_else(|| text("trouble").and_then(|name| code(&name))),
        })
    }
}

/// The end of a life as this host's wall clock will show it.
pub(crate) fn told_end(expires: &Stamp, now: &Stamp) -> Wall {
    let by_left = now.wall.plus_ms(i64::try_from(expires.left(now).as_millis()).unwrap_or(i64::MAX));
    if by_left.0.abs_diff(expires.wall.0) > MOVED_MS { by_left } else { expires.wall }
}

/// Why there is no token.
#[derive(Debug)]
pub enum Refusal {
    /// For a reason.
    Reason(Reason),
    /// Nothing of that name.
    Unknown,
    /// Several things of that name: their ids.
    Ambiguous(Vec<String>),
    /// The name is broken.
    Malformed,
    /// The request is.
    Request,
}

impl Refusal {
    /// The number that a process ends with.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Reason(why) => Exit::from(why.code).or_failed().code(),
            Self::Unknown | Self::Ambiguous(_) | Self::Malformed => 3,
            Self::Request => 2,
        }
    }

    /// As a line for the socket.
    pub fn to_json(&self) -> Value {
        let (code, reason, candidates) = match self {
            Self::Reason(why) => (why.code.name(), Some(why), Vec::new()),
            Self::Unknown => ("name_unknown", None, Vec::new()),
            Self::Ambiguous(ids) => ("name_ambiguous", None, ids.clone()),
            Self::Malformed => ("name_broken", None, Vec::new()),
            Self::Request => ("bad_request", None, Vec::new()),
        };
        let text = reason.map(|why| crate::i18n::reason::full(why, crate::i18n::Lang::En));
        let after = reason.and_then(|why| why.arg("retry_after")?.parse::<u64>().ok());
        json!({ "v": 1, "error": {
            "code": code, "exit": self.exit(), "text": text.map(|t| Clean::long(&t)), "retry_after": after, "reason": reason, "candidates": candidates,
        }})
    }

    /// Reads one back.
    pub fn from_json(v: &Value) -> Option<Self> {
        let e = v.get("error")?;
        if let Some(why) = e.get("reason").filter(|r| !r.is_null()) {
            return serde_json::from_value(why.clone()).ok().map(Self::Reason);
        }
        match e.get("code")?.as_str()? {
            "name_unknown" => Some(Self::Unknown),
            "name_broken" => Some(Self::Malformed),
            "bad_request" => Some(Self::Request),
            "name_ambiguous" => Some(Self::Ambiguous(serde_json::from_value(e.get("candidates")?.clone()).ok()?)),
            _ => None,
        }
    }
}

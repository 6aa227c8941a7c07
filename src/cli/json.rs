//! JSON documents as the contract fixes them: UTF-8, `"v":1`, snake_case, UTC times, `null` for what is not known.
//! New fields may come; none changes its meaning.

use crate::{
    clock::gate::Shown,
    domain::{Action, Clean, Fact, FactValue, Fresh, GatewayId, Link, OfferKind, Op, OpPhase, Prompt, Reason, Row, Stamp, Target, TokenInfo},
    i18n::{Lang, Message, reason},
    providers::GatewayFacts,
};
use serde_json::{Map, Value, json};

/// The version of every document.
pub const V: u32 = 1;

/// A gateway as `list` needs it.
#[derive(Clone, Copy, Debug)]
pub struct GatewayLine<'a> {
    /// Its name.
    pub name: &'a GatewayId,
    /// Its kind.
    pub kind: &'a str,
    /// Its own state.
    pub link: &'a Link,
    /// What its server told about itself.
    pub facts: &'a GatewayFacts,
}

/// A reason: `{code, text, raw, remedy}`.
pub fn reason(r: &Reason, lang: Lang) -> Value {
    json!({
        "code": r.code.name(),
        "text": reason::sentence(r, lang),
        "raw": r.raw.as_ref().map(Clean::as_str),
        "remedy": super::session::remedy(r, lang),
        "at": r.at.map(time),
    })
}

/// A link: `{state, since, observed_at, source, reason, witnesses}`.
pub fn link(l: &Link, lang: Lang) -> Value {
    Value::Object(link_fields(l, lang))
}

fn link_fields(l: &Link, lang: Lang) -> Map<String, Value> {
    let witnesses: Vec<Value> = l
        .witnesses
        .iter()
        .map(|w| json!({ "source": w.source.name(), "state": w.state.name(), "says": w.says.as_str(), "observed_at": time(w.observed_at) }))
        .collect();
    object(json!({
        "state": l.state.name(),
        "since": l.since.map(time),
        "observed_at": l.observed_at.map(time),
        "source": l.source.name(),
        "reason": l.reason.as_ref().map(|r| reason(r, lang)),
        "witnesses": witnesses,
    }))
}

/// The document of `list`: `{v, gateways, accounts}`, devices inside their accounts.
pub fn list(gateways: &[GatewayLine<'_>], rows: &[Row], lang: Lang) -> Value {
    let kind = |id: &GatewayId| gateways.iter().find(|g| g.name == id).map(|g| g.kind);
    let head = |g: &GatewayLine<'_>| with(json!({ "name": g.name.as_str(), "kind": g.kind }), object(told(g.facts, lang)));
    let shown: Vec<Value> = gateways.iter().map(|g| with(head(g), link_fields(g.link, lang))).collect();
    let accounts: Vec<Value> = rows
        .iter()
        .filter(|r| r.device.is_none())
        .map(|r| {
            let devices: Vec<Value> =
                rows.iter().filter(|d| d.device.is_some() && d.gateway == r.gateway && d.account == r.account).map(|d| device(d, lang)).collect();
            with(account(r, kind(&r.gateway), lang), object(json!({ "devices": devices })))
        })
        .collect();
    json!({ "v": V, "gateways": shown, "accounts": accounts })
}

/// What a gateway's server told about itself: `{facts, rights}`.
pub fn told(about: &GatewayFacts, lang: Lang) -> Value {
    json!({ "facts": facts(&about.figures), "rights": about.rights.iter().map(|m| m.text(lang)).collect::<Vec<_>>() })
}

/// The document of `status`: the row itself, `{v, id, gateway, kind, name, …link, tokens, facts}`.
pub fn status(row: &Row, kind: &str, lang: Lang) -> Value {
    let shown = if row.device.is_some() {
        with(device(row, lang), object(json!({ "gateway": row.gateway.as_str(), "kind": kind })))
    } else {
        account(row, Some(kind), lang)
    };
    with(json!({ "v": V }), object(shown))
}

fn account(r: &Row, kind: Option<&str>, lang: Lang) -> Value {
    let head = json!({
        "id": r.target().id(),
        "gateway": r.gateway.as_str(),
        "kind": kind,
        "name": r.label.as_str(),
        "identity": r.identity.as_ref().map(Clean::as_str),
        "tokens": r.tokens.iter().map(token).collect::<Vec<_>>(),
        "facts": facts(&r.facts),
    });
    with(head, link_fields(&named(r), lang))
}

fn device(r: &Row, lang: Lang) -> Value {
    let head = json!({
        "id": r.target().id(),
        "name": r.label.as_str(),
        "tokens": r.tokens.iter().map(token).collect::<Vec<_>>(),
        "facts": facts(&r.facts),
    });
    with(head, link_fields(&named(r), lang))
}

/// A row's link whose reason knows the row's name, for a remedy that is a command about it.
pub fn named(r: &Row) -> Link {
    let mut link = r.link.clone();
    link.reason = link.reason.map(|why| why.or_with("target", r.target().id()));
    link
}

fn token(t: &TokenInfo) -> Value {
    json!({
        "fingerprint": t.fingerprint.as_str(),
        "length": t.length,
        "issued_at": t.issued_at.map(crate::domain::Wall::rfc3339),
        "expires_at": t.expires_at.map(crate::domain::Wall::rfc3339),
        "generation": t.generation,
        "semantics": t.semantics,
    })
}

/// Facts as an object under their stable keys.
pub fn facts(facts: &[Fact]) -> Value {
    let one = |f: &Fact| match &f.value {
        FactValue::Text(t) | FactValue::Number(t) => Value::from(t.as_str()),
        FactValue::Count(n) => Value::from(*n),
        FactValue::At(t) => Value::from(time(*t)),
        FactValue::Flag(b) => Value::from(*b),
    };
    Value::Object(facts.iter().map(|f| (f.key.to_owned(), one(f))).collect())
}

/// One line of `pair --json`.
#[derive(Clone, Copy, Debug)]
pub enum PairLine<'a> {
    /// Waiting, and for what.
    Waiting(&'a Reason),
    /// A code or QR that passed the gate.
    Offer(&'a Shown),
    /// An old code was discarded.
    Discarded(&'a Reason),
    /// The Offer of that number is dead.
    Expired(u32),
    /// An Offer is held back, and why.
    Hidden(&'a Reason),
    /// A clock blocks: the gateway as in the document of `clock`.
    Blocked(&'a Value),
    /// The phone has the Offer of that number.
    Scanned(u32),
    /// A person must give something.
    Ask(&'a Prompt),
    /// Linked: what the platform told, seconds taken, number of the Offer.
    Linked(&'a [Fact], u64, u32),
    /// Over.
    Failed(&'a Reason),
}

impl PairLine<'_> {
    /// The line as JSON.
    pub fn json(&self, lang: Lang) -> Value {
        let because = |event: &str, r: &Reason| json!({ "v": V, "event": event, "reason": reason(r, lang) });
        match self {
            Self::Waiting(r) => because("waiting", r),
            Self::Discarded(r) => because("discarded", r),
            Self::Hidden(r) => because("hidden", r),
            Self::Failed(r) => because("failed", r),
            Self::Offer(shown) => with(json!({ "v": V, "event": "offer" }), object(offer(shown))),
            Self::Expired(n) => json!({ "v": V, "event": "expired", "n": n }),
            Self::Blocked(gateway) => json!({ "v": V, "event": "blocked", "clock": gateway }),
            Self::Scanned(n) => json!({ "v": V, "event": "scanned", "n": n }),
            Self::Ask(p) => {
                json!({ "v": V, "event": "ask", "kind": p.kind, "text": p.words.text(lang), "hint": p.hint.as_ref().map(Clean::as_str), "wrong": p.wrong })
            }
            Self::Linked(told, took_s, n) => json!({ "v": V, "event": "linked", "n": n, "took_s": took_s, "facts": facts(told) }),
        }
    }
}

/// An Offer: `{n, kind, payload, issued_at, expires_at, fresh, clock}`. `clock` is the verdict that let it pass.
fn offer(shown: &Shown) -> Value {
    let o = &shown.offer;
    json!({
        "n": o.n,
        "kind": match o.kind { OfferKind::Qr => "qr", OfferKind::Code => "code" },
        "payload": o.payload.expose(),
        "issued_at": time(o.issued),
        "expires_at": o.expires_at.rfc3339(),
        "fresh": if o.fresh.proven() { "proven" } else { "unproven" },
        "proof": match o.fresh {
            Fresh::Event => Some("event"),
            Fresh::NewIdentity => Some("new_identity"),
            Fresh::Rotated => Some("rotated"),
            Fresh::Presumed => None,
        },
        "clock": shown.verdict.name(),
        "overridden": shown.overridden,
    })
}

/// What `wipe`, `regenerate` and `do` brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// Done.
    Done,
    /// Done, and there is a new token.
    New,
    /// Nothing had to be done, or the platform gave the same token again.
    Unchanged,
    /// It failed; nothing was changed or all was taken back.
    Failed,
    /// What the remote did is not known.
    Ambiguous,
}

impl Result {
    /// The name that JSON shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::New => "new",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// Reads the end of an op. `fingerprints` are those before and after, where a token is concerned.
    pub fn of(phase: OpPhase, fingerprints: (Option<&str>, Option<&str>)) -> Self {
        match (phase, fingerprints) {
            (OpPhase::Ambiguous, _) => Self::Ambiguous,
            (OpPhase::Done | OpPhase::Owed, (Some(old), Some(new))) if old == new => Self::Unchanged,
            (OpPhase::Done | OpPhase::Owed, (_, Some(_))) => Self::New,
            (OpPhase::Done | OpPhase::Owed, _) => Self::Done,
            _ => Self::Failed,
        }
    }
}

/// The document of `wipe`, `regenerate` and `do`: `{v, result, old_fp, new_fp, lost, steps, reason}`.
pub fn outcome(op: &Op, old_fp: Option<&str>, new_fp: Option<&str>, lang: Lang) -> Value {
    let plan = op.plan.as_ref();
    let steps: Vec<Value> = plan.map_or_else(Vec::new, |p| {
        p.steps.iter().enumerate().map(|(i, s)| json!({ "id": s.id, "text": s.words.text(lang), "state": step_state(op, i) })).collect()
    });
    let lost: Vec<String> = plan.map_or_else(Vec::new, |p| p.loses.iter().map(|m: &Message| m.text(lang)).collect());
    json!({
        "v": V,
        "action": op.action.name(),
        "id": op.target.id(),
        "result": Result::of(op.phase, (old_fp, new_fp)).name(),
        "old_fp": old_fp,
        "new_fp": new_fp,
        "lost": lost,
        "steps": steps,
        "told": plan.map_or_else(Vec::new, crate::engine::ops::told).into_iter().map(|m| crate::i18n::shell::told(m).text(lang)).collect::<Vec<_>>(),
        "reason": op.reason.as_ref().map(|r| reason(r, lang)),
    })
}

/// The same where there was nothing to do: `why` says so.
pub fn unchanged(target: &Target, action: &Action, why: &Message, lang: Lang) -> Value {
    let none: [&str; 0] = [];
    json!({
        "v": V, "action": action.name(), "id": target.id(), "result": Result::Unchanged.name(), "old_fp": null, "new_fp": null, "lost": none,
        "steps": none, "told": [why.text(lang)], "reason": null,
    })
}

/// The same where nothing was begun: `why` is what stood against it.
pub fn refused(target: &Target, action: &Action, why: &Value) -> Value {
    refused_as(&target.id(), action.name(), why)
}

/// The same of what is only known as it was typed.
pub fn refused_as(id: &str, action: &str, why: &Value) -> Value {
    let none: [&str; 0] = [];
    json!({
        "v": V, "action": action, "id": id, "result": Result::Failed.name(), "old_fp": null, "new_fp": null, "lost": none,
        "steps": null, "told": none, "reason": why,
    })
}

/// A sentence that has no code of the shared ones, in the form of [`reason()`].
pub fn plain_reason(code: &str, words: &Message, lang: Lang) -> Value {
    json!({ "code": code, "text": words.text(lang), "raw": null, "remedy": null, "at": null })
}

fn step_state(op: &Op, i: usize) -> &'static str {
    match (op.phase, op.begun) {
        (OpPhase::Done, _) => "done",
        _ if i < op.step => "done",
        (OpPhase::Owed, _) => "owed",
        (OpPhase::Ambiguous, true) if i == op.step => "ambiguous",
        (OpPhase::Failed, true) if i == op.step => "failed",
        _ => "pending",
    }
}

/// An instant in UTC.
pub fn time(at: Stamp) -> String {
    at.wall.rfc3339()
}

fn object(v: Value) -> Map<String, Value> {
    match v {
        Value::Object(m) => m,
        _ => Map::new(),
    }
}

fn with(mut v: Value, more: Map<String, Value>) -> Value {
    if let Value::Object(m) = &mut v {
        m.extend(more);
    }
    v
}

#[cfg(test)]
#[path = "json_tests.rs"]
pub(super) mod tests;

//! What can be done to a row as it stands. Pure: reads the cached row only.

use super::{
    listed::SLOT,
    rows::{BOT, FROM, OWN},
    worker::new_slot,
};
use crate::{
    domain::{Action, Effect, FactValue, Not, ReasonCode, Row, State, Tier},
    i18n::{Message, Words, telegram as w},
};

fn has(row: &Row, key: &str) -> bool {
    row.facts.iter().any(|f| f.key == key)
}

fn text<'a>(row: &'a Row, key: &str) -> Option<&'a str> {
    row.facts.iter().find_map(|f| match &f.value {
        FactValue::Text(t) if f.key == key => Some(t.as_str()),
        _ => None,
    })
}

/// Why sessions cannot be ended from here yet.
fn fresh(row: &Row) -> Result<(), Not> {
    let from = row.facts.iter().find_map(|f| match &f.value {
        FactValue::At(at) if f.key == FROM => Some(at.wall.rfc3339()),
        _ => None,
    });
    from.map_or(Ok(()), |time| Err(Not::NotNow(Message::new(&w::NOT_FRESH).with("time", time))))
}

/// Whether the operator is logged in: so it is where only a slot's trouble stands on the account.
fn is_in(row: &Row) -> bool {
    let of_slot = |r: &crate::domain::Reason| matches!(r.code, ReasonCode::KeyTwin | ReasonCode::SpacesTwin | ReasonCode::SlotResurrected);
    // Another process has the key: the plan asks for it, and is told what is the matter.
    let held = row.link.reason.as_ref().is_some_and(|r| r.code == ReasonCode::OtherHolder);
    held || row.link.state == State::Ready || (row.link.state == State::Conflict && row.link.reason.as_ref().is_some_and(of_slot))
}

fn effect(tier: Tier, says: &'static Words, loses: &[&'static Words]) -> Effect {
    Effect { tier, loses: loses.iter().map(|l| Message::new(l)).collect(), says: Message::new(says), restorable: false }
}

/// See [`crate::providers::Provider::can`].
pub(super) fn can(row: &Row, action: &Action) -> Result<Effect, Not> {
    let not_now = |words: &'static Words| Err(Not::NotNow(Message::new(words)));
    let never = |words: &'static Words| Err(Not::Unsupported(Message::new(words)));
    let verb = match action {
        Action::Do(verb) => &**verb,
        other => other.name(),
    };
    if verb == new_slot::VERB {
        let blank = row.device.is_some() && row.facts.is_empty();
        let account = row.device.is_none();
        return match () {
            // A name that nobody has; whether the account is logged in, its plan finds out.
            () if blank || (account && (is_in(row) || has(row, BOT))) => Ok(effect(Tier::Now, &w::SAYS_NEW_SLOT, &[])),
            () if account => not_now(&w::NOT_IN),
            () => not_now(&w::NOT_NEW_NAME),
        };
    }
    if has(row, "file") {
        return slot(row, verb);
    }
    if row.device.is_some() {
        return match verb {
            "wipe" if has(row, OWN) => not_now(&w::NOT_OWN),
            "wipe" => fresh(row).map(|()| {
                let mut end = effect(Tier::Hold, &w::SAYS_END, &[&w::LOSES_SESSION]);
                // Whoever ends it stops a worker.
                end.loses.extend(text(row, SLOT).map(|slot| Message::new(&w::LOSES_SLOT).with("slot", slot)));
                end
            }),
            "confirm" if has(row, "unconfirmed") => Ok(effect(Tier::Swift, &w::SAYS_CONFIRM, &[])),
            "confirm" => not_now(&w::NOT_UNCONFIRMED),
            "pair" => never(&w::NOT_SESSION),
            "regenerate" => never(&w::NOT_REGENERATE),
            _ => never(&w::NOT_VERB),
        };
    }
    let logged_in = is_in(row);
    match verb {
        "pair" if logged_in => not_now(&w::NOT_TWICE),
        "pair" if has(row, BOT) => Ok(effect(Tier::Now, &w::SAYS_PAIR_BOT, &[])),
        "pair" => Ok(effect(Tier::Now, &w::SAYS_PAIR, &[])),
        "regenerate" => never(&w::NOT_REGENERATE_ACCOUNT),
        "wipe" if logged_in => Ok(effect(Tier::Hold, &w::SAYS_LOGOUT, &[&w::LOSES_OWN])),
        "end-others" | "ttl" if has(row, BOT) => never(&w::NOT_BOT),
        "wipe" | "end-others" | "ttl" if !logged_in => not_now(&w::NOT_IN),
        "end-others" => fresh(row).map(|()| effect(Tier::Hold, &w::SAYS_OTHERS, &[&w::LOSES_OTHERS])),
        "ttl" => fresh(row).map(|()| effect(Tier::Swift, &w::SAYS_TTL, &[])),
        _ => never(&w::NOT_VERB),
    }
}

/// What a wipe of a slot's file does. Where the session is over, nothing but the file is left. Of a copy it takes that file alone: the session is left to whoever else has the key.
fn wiped(row: &Row) -> Effect {
    if row.link.reason.as_ref().is_some_and(|r| r.code == ReasonCode::SessionRevoked) {
        return effect(Tier::Hold, &w::SAYS_WIPE_OVER, &[&w::LOSES_DEAD]);
    }
    let twin = row.link.reason.as_ref().filter(|r| r.code == ReasonCode::KeyTwin);
    match twin.and_then(|r| r.arg("where")) {
        None => effect(Tier::Hold, &w::SAYS_WIPE_SLOT, &[&w::LOSES_WORKER]),
        Some(others) => {
            let named = |words| Message::new(words).with("where", others);
            Effect { tier: Tier::Hold, says: named(&w::SAYS_WIPE_TWIN), loses: vec![named(&w::LOSES_COPY)], restorable: false }
        }
    }
}

/// The same for a worker's slot.
fn slot(row: &Row, verb: &str) -> Result<Effect, Not> {
    let not_now = |words: &'static Words| Err(Not::NotNow(Message::new(words)));
    let never = |words: &'static Words| Err(Not::Unsupported(Message::new(words)));
    let written = row.facts.iter().any(|f| f.key == "format" && matches!(&f.value, FactValue::Text(t) if t.as_str() == "gotd"));
    // A session that the account does not list any more lies in a file all the same.
    let absent = row.link.reason.as_ref().is_some_and(|r| matches!(r.code, ReasonCode::SessionAbsent | ReasonCode::SessionEmpty));
    let held = || {
        let (holder, evidence) = (text(row, "holder")?, text(row, "evidence").unwrap_or_default());
        Some(Not::NotNow(Message::new(&w::NOT_HELD).with("holder", holder).with("evidence", evidence)))
    };
    if let Some(not) = held().filter(|_| matches!(verb, "regenerate" | "wipe")) {
        return Err(not);
    }
    match verb {
        "regenerate" if !written => never(&w::NOT_FORMAT),
        "regenerate" if absent => Ok(effect(Tier::Swift, &w::SAYS_NEW_SLOT, &[])),
        "regenerate" => Ok(effect(Tier::Hold, &w::SAYS_REGENERATE, &[&w::LOSES_WORKER])),
        "wipe" if absent => not_now(&w::NOT_FILE),
        "wipe" => Ok(Effect { restorable: true, ..wiped(row) }),
        "restore" if absent => Ok(effect(Tier::Swift, &w::SAYS_RESTORE, &[])),
        "restore" => not_now(&w::NOT_RESTORE),
        "pair" if absent => never(&w::NOT_PAIR_SLOT),
        "pair" => never(&w::NOT_PAIR_SESSION),
        _ => never(&w::NOT_VERB),
    }
}

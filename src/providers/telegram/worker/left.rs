//! What is left of a key whose session nobody remembered: its row is among the account's sessions, and no name leads from the one to
//! the other. So the possible ones are told, and a person ends the right one.

use super::{
    super::{
        KeyId,
        ask::{remote, surely},
        operator::Hub,
        rows::Remote,
        setup,
        slots::Seen,
    },
    ends::to_end,
    registry::Kept,
    steps::{clear, old_key},
};
use crate::{
    domain::{Clean, Op, Wall},
    i18n::{Message, telegram as w},
    providers::Cx,
    store::config::Account,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// So many rows are named; more than that is a list to look at.
const MOST: usize = 3;

/// Name in a plan's clear data of what a dead holder had left and what was removed.
pub(super) const CLEANED: &str = "cleaned";

/// Name in a plan's clear data of the slots that have the old key too.
pub(super) const HEIRS: &str = "heirs";

/// Name in a plan's clear data of what is true where the account did not list the old session any more when the plan was made.
pub(super) const OVER: &str = "over";

/// A slot whose file holds a copy of the key that is replaced or wiped elsewhere, or a holder of it on another host, which no slot
/// here is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heir {
    gateway: String,
    account: String,
    slot: String,
    place: String,
}

impl Heir {
    pub(super) fn of(seen: &Seen) -> Self {
        let s = &seen.slot;
        Self {
            gateway: s.gateway.as_str().to_owned(),
            account: s.account.as_str().to_owned(),
            slot: s.slot.name.clone(),
            place: format!("{} {}", s.id(), s.slot.file.display()),
        }
    }

    /// Who holds the key on another host, as it names itself.
    pub(super) fn elsewhere(holder: Clean) -> Self {
        Self { gateway: String::new(), account: String::new(), slot: String::new(), place: holder.as_str().to_owned() }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }
}

/// True when the session of this key is known and the account does not list it any more. Asks the account where it is known.
pub(super) async fn is_over(hub: &Hub, cx: &Cx, account: &Account, key: KeyId, own: &Kept, heirs: &[Heir]) -> bool {
    let key = key.to_string();
    let hash_in = |k: &Kept| k.hash.filter(|_| k.key.as_deref() == Some(key.as_str()));
    let mut hash = hash_in(own);
    for heir in heirs.iter().filter(|h| h.gateway == cx.gateway.as_str() && h.account == account.name) {
        if hash.is_none() {
            hash = hash_in(&Kept::of(cx, &heir.account, &heir.slot).await);
        }
    }
    let Some(hash) = hash.filter(|_| !account.telegram.bot) else { return false };
    // Where it cannot be heard now, the session is taken to live.
    matches!(surely(hub, cx, account).await, Ok(Some(told)) if !told.lists(hash))
}

fn heirs(op: &Op) -> Vec<Heir> {
    clear(op, HEIRS).and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default()
}

/// True where the old session was left to whoever else has its key.
pub(super) fn is_left(op: &Op) -> bool {
    !heirs(op).is_empty()
}

/// The old session was left to other slots of the key: whichever of them is regenerated last ends it, so they get to know its hash.
pub(super) async fn hand_on(cx: &Cx, op: &Op) {
    let (Some(key), Some(hash)) = (old_key(op), clear(op, "old_hash").and_then(Value::as_i64)) else { return };
    for heir in heirs(op).into_iter().filter(|h| h.gateway == cx.gateway.as_str()) {
        let mut kept = Kept::of(cx, &heir.account, &heir.slot).await;
        (kept.key, kept.hash) = (Some(key.to_string()), Some(hash));
        // Without it the session is found among the account's others.
        let _ = kept.keep(cx, &heir.account, &heir.slot).await;
    }
}

/// To be merged into a plan: what there is to say once it is done.
pub(super) async fn told(hub: &Hub, cx: &Cx, op: &Op, account: &Account) -> Value {
    let cleaned = clear(op, CLEANED).and_then(|v| serde_json::from_value::<Message>(v.clone()).ok());
    let said: Vec<Message> = cleaned.into_iter().chain(old(hub, cx, op, account).await).collect();
    if said.is_empty() { Value::Null } else { json!({ "told": said }) }
}

/// About the old session, where its hash was not known. Nothing where there was none, or where a step of the plan ends it.
async fn old(hub: &Hub, cx: &Cx, op: &Op, account: &Account) -> Option<Message> {
    old_key(op)?;
    let heirs = heirs(op);
    if !heirs.is_empty() {
        let places: Vec<_> = heirs.into_iter().map(|h| h.place).collect();
        let is_over = clear(op, OVER).and_then(Value::as_bool) == Some(true);
        return Some(Message::new(if is_over { &w::LEFT_OVER } else { &w::LEFT_TWIN }).with("where", places.join(", ")));
    }
    if clear(op, "old_hash").is_some() {
        return None;
    }
    if account.telegram.bot {
        return Some(Message::new(&w::LEFT_BOT));
    }
    match remote(hub, cx, account).await {
        Ok((_, Some(told))) => Some(among(cx, account, op, &told).await),
        // The file is done; that the list cannot be had now does not undo it.
        _ => setup::secret(cx, &account.name, setup::OPERATOR).map(|_| Message::new(&w::LEFT_UNSEEN)),
    }
}

/// Sessions that it can be: neither our own, nor one that a slot is known to have, nor the one that was just made.
async fn among(cx: &Cx, account: &Account, op: &Op, told: &Remote) -> Message {
    let mut known = to_end(op);
    known.extend(clear(op, "hash").and_then(Value::as_i64));
    for slot in &account.telegram.slots {
        let kept = Kept::of(cx, &account.name, &slot.name).await;
        known.extend(kept.hash.into_iter().chain(kept.owed.iter().map(|o| o.hash)));
    }
    let mut left: Vec<_> = told.sessions.iter().filter(|s| !s.current && !s.official_app && !known.contains(&s.hash)).collect();
    if left.is_empty() {
        return Message::new(&w::LEFT_NONE);
    }
    // Whoever was active last comes first: it ran until it was stopped.
    left.sort_by_key(|s| std::cmp::Reverse(s.date_active));
    let name = |s: &&grammers_tl_types::types::Authorization| {
        let device = if s.device_model.is_empty() { &s.app_name } else { &s.device_model };
        format!("{device} ({}, {})", s.app_name, Wall(i64::from(s.date_active).saturating_mul(1000)).rfc3339())
    };
    let mut rows = left.iter().take(MOST).map(name).collect::<Vec<_>>().join(", ");
    if left.len() > MOST {
        rows.push_str(&format!(" +{}", left.len() - MOST));
    }
    match told.ends_others_from() {
        Some(from) => Message::new(&w::LEFT_LATER).with("rows", rows).with("time", Wall(from.saturating_mul(1000)).rfc3339()),
        None => Message::new(&w::LEFT_SOME).with("rows", rows),
    }
}

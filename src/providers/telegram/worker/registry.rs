//! What is remembered of slots: which session of the account a file's key belongs to. No other link between the two exists, because
//! a worker gives its session another name at its first start.

use crate::{
    domain::{Clean, Fact, FactValue, Link, Reason, ReasonCode, RemoteId, Row, Source, Stamp, State, Target, Wall},
    i18n::telegram as w,
    providers::{
        Cx,
        telegram::{
            rows::Remote,
            session::Patience,
            slots::{
                trash::Trashed,
                vigil::{Outcome, Vigil},
            },
        },
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::HashMap;

/// Regenerations of one slot in [`SPAN_S`] after which the next one is refused: each is a login.
const MOST: usize = 5;
/// In seconds.
const SPAN_S: i64 = 3600;

/// What is kept of one slot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::providers::telegram) struct Kept {
    /// The key that was put there, in hex.
    pub(super) key: Option<String>,
    /// Its session's hash.
    pub(super) hash: Option<i64>,
    /// Where its file went when it was wiped.
    pub(super) trash: Option<Trashed>,
    /// When keys were logged in or tried to, in seconds since 1970.
    pub(super) made: Vec<i64>,
    /// Whether an old key comes back.
    pub(super) vigil: Option<Vigil>,
    /// Sessions of former keys that could not be ended yet.
    pub(super) owed: Vec<Owed>,
    /// Sessions whose end was owed when the file was put back: they live on.
    pub(super) spared: Vec<i64>,
}

/// The session of a former key, which the server does not let end yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owed {
    /// Its hash.
    pub(super) hash: i64,
    /// From which second of the server's clock on it can be ended.
    pub(super) from_s: i64,
}

fn name(account: &str, slot: &str) -> String {
    format!("slot:{account}/{slot}")
}

async fn get<T: DeserializeOwned + Default>(cx: &Cx, key: &str) -> T {
    cx.memo.get(key).await.and_then(|v| serde_json::from_value(v).ok()).unwrap_or_default()
}

impl Kept {
    /// What is kept of a slot.
    pub(super) async fn of(cx: &Cx, account: &str, slot: &str) -> Self {
        get(cx, &name(account, slot)).await
    }

    /// Keeps it.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn keep(&self, cx: &Cx, account: &str, slot: &str) -> Result<(), Reason> {
        cx.memo.put(&name(account, slot), serde_json::to_value(self).unwrap_or_default()).await
    }

    /// Refuses a regeneration that comes too soon after too many.
    ///
    /// # Errors
    /// [`ReasonCode::RateLimited`].
    pub(in crate::providers::telegram) fn may_make(&self, now_s: i64) -> Result<(), Reason> {
        let recent: Vec<i64> = self.made.iter().copied().filter(|t| (0..SPAN_S).contains(&(now_s - t))).collect();
        match recent.first() {
            Some(first) if recent.len() >= MOST => Err(Reason::new(ReasonCode::RateLimited)
                .with("retry_after", (first + SPAN_S - now_s).to_string())
                .raw("too many new keys for this slot")),
            _ => Ok(()),
        }
    }

    /// The key that was put there, in hex, and its session's hash, where both are known.
    pub(in crate::providers::telegram) fn session(&self) -> Option<(&str, i64)> {
        Some((self.key.as_deref()?, self.hash?))
    }

    /// Notes that a former session's end is owed from then on; `None`: not any more.
    pub(super) fn owe(&mut self, hash: i64, from_s: Option<i64>) {
        self.owed.retain(|o| o.hash != hash);
        self.owed.extend(from_s.map(|from_s| Owed { hash, from_s }));
    }

    /// Notes that the file was put back: its session lives on, and that its key is there again is no news.
    pub(super) fn put_back(&mut self) {
        (self.trash, self.vigil) = (None, None);
        self.spared.extend(std::mem::take(&mut self.owed).into_iter().map(|o| o.hash));
    }

    /// Notes that these sessions are to end, whatever was put back before.
    pub(super) fn end(&mut self, hashes: &[i64]) {
        self.spared.retain(|h| !hashes.contains(h));
    }

    /// Notes a login for a new key.
    pub(super) fn made(&mut self, now_s: i64) {
        self.made.retain(|t| (0..SPAN_S).contains(&(now_s - t)));
        self.made.push(now_s);
    }
}

/// What is kept of all slots, by account and slot, as it was read once.
pub(in crate::providers::telegram) type Remembered = HashMap<(RemoteId, RemoteId), Kept>;

/// Keys whose sessions an account does not list any more, in hex, each with when that was read. Of a key that was never put into a slot
/// from here no session is known.
pub(in crate::providers::telegram) type Over = HashMap<String, Stamp>;

/// The keys of this account that are dead, wherever copies of them lie: see [`Over`].
pub(in crate::providers::telegram) fn over(remote: &Remote, account: &str, kept: &Remembered) -> Over {
    let of_account = kept.iter().filter(|((of, _), _)| of.as_str() == account);
    of_account.filter(|(_, k)| k.hash.is_some_and(|hash| !remote.lists(hash))).filter_map(|(_, k)| Some((k.key.clone()?, remote.at))).collect()
}

/// Slots whose session is over: their keys are dead, whoever holds the files and however many there are.
pub(in crate::providers::telegram) fn revoked(over: &Over, slots: &mut [Row]) {
    for row in slots.iter_mut().filter(|r| may_be_over(r)) {
        if let Some(at) = row.incarnation.as_deref().and_then(|key| over.get(key)) {
            let link = Link {
                state: State::LoggedOut,
                reason: Some(Reason::new(ReasonCode::SessionRevoked)),
                source: Source::List,
                observed_at: Some(*at),
                ..row.link.clone()
            };
            end(row, link);
        }
    }
}

/// True where a file tells no more than that it has a key: whether there is a session for it, only the account's list tells. That two
/// have it is a conflict as long as there is one to fight for.
pub(in crate::providers::telegram) fn may_be_over(row: &Row) -> bool {
    let shared = |r: &Reason| matches!(r.code, ReasonCode::KeyTwin | ReasonCode::SpacesTwin);
    match row.link.state {
        State::Seen | State::Offline => true,
        State::Conflict => row.link.reason.as_ref().is_some_and(shared),
        _ => false,
    }
}

/// Says on a slot's row that its session is over. Where else its key lies stays a fact: nobody needs those files any more.
pub(in crate::providers::telegram) fn end(row: &mut Row, link: Link) {
    if let Some(places) = row.link.reason.as_ref().and_then(|r| r.arg("where")) {
        row.facts.push(Fact { key: "copies", label: &w::FACT_COPIES, value: FactValue::Text(Clean::long(places)) });
    }
    row.link = link;
}

/// That an old key lies in the slot's file again, as [`remembered`] says it on the row.
pub(in crate::providers::telegram) async fn resurrected(cx: &Cx, at: &Target) -> Option<Reason> {
    let (account, me) = super::slot_of(cx, at)?;
    let vigil = Kept::of(cx, &account.name, &me.slot.name).await.vigil.filter(|v| !v.is_over(&cx.time.now()))?;
    came_back(vigil).await
}

async fn came_back(vigil: Vigil) -> Option<Reason> {
    let looked = tokio::task::spawn_blocking(move || {
        let outcome = vigil.look(Patience::default());
        vigil.reason(&outcome).filter(|_| matches!(outcome, Outcome::Resurrected(_)))
    });
    looked.await.ok().flatten()
}

/// Says on the slots' rows what is remembered of them: whose end is still owed, and whether an old key came back. Gives what was read.
pub(in crate::providers::telegram) async fn remembered(cx: &Cx, rows: &mut [Row]) -> Remembered {
    let mut all = Remembered::new();
    for row in rows {
        let Some(slot) = row.device.clone() else { continue };
        let mut kept = Kept::of(cx, row.account.as_str(), slot.as_str()).await;
        if let Some(first) = kept.owed.iter().map(|o| o.from_s).min() {
            let at = Stamp::wall_only(Wall(first.saturating_mul(1000)));
            row.facts.push(Fact { key: "old_ends_from", label: &w::FACT_OLD_FROM, value: FactValue::At(at) });
        }
        if let Some(vigil) = kept.vigil.clone() {
            if vigil.is_over(&cx.time.now()) {
                kept.vigil = None;
                // It is looked at once more if this fails.
                let _ = kept.keep(cx, row.account.as_str(), slot.as_str()).await;
            } else if let Some(why) = came_back(vigil).await {
                (row.link.state, row.link.reason) = (State::Conflict, Some(why));
            }
        }
        all.insert((row.account.clone(), slot), kept);
    }
    all
}

//! Rows as last observed, and the merge that finds out what really changed.

use super::{
    mailbox::GatewayView,
    world::{Gateway, World},
};
use crate::{
    domain::{Clean, Link, Reason, ReasonCode, RemoteId, Row, Source, Stamp, State, Target},
    i18n::{Message, engine as words},
    providers::{GatewayFacts, Report},
    store::{Change, KnownGateway},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

type Key = (RemoteId, Option<RemoteId>);

/// An unchanged row is shown anew at most this often, so that "seen <1m ago" stays true without a redraw a poll.
const CONFIRM: Duration = Duration::from_secs(50);

/// A watching process that said nothing of a gateway for so long is not believed: it tells each poll or each minute.
const HEARD: Duration = Duration::from_secs(150);

/// More losses than this in one report are told as a number.
const FEW: usize = 3;

/// The rows of one gateway.
#[derive(Clone, Default)]
pub(super) struct Book {
    rows: BTreeMap<Key, Row>,
    /// Rows that were up since their last trouble: only these can be lost.
    up: HashSet<Key>,
}

/// What a merge brought about.
#[derive(Default)]
struct Diff {
    changed: Vec<Row>,
    confirmed: Vec<Row>,
    gone: Vec<Target>,
    changes: Vec<Change>,
    /// Those changes that took something away that was there, by their place.
    lost: Vec<usize>,
}

impl Book {
    pub(super) fn get(&self, account: &RemoteId, device: Option<&RemoteId>) -> Option<&Row> {
        self.rows.get(&(account.clone(), device.cloned()))
    }

    pub(super) fn all(&self) -> Vec<Row> {
        self.rows.values().cloned().collect()
    }

    fn put(&mut self, mut row: Row, now: Stamp, diff: &mut Diff) {
        let key = (row.account.clone(), row.device.clone());
        let Some(old) = self.rows.get_mut(&key) else {
            diff.changed.push(row.clone());
            if is_up(row.link.state) {
                self.up.insert(key.clone());
            }
            self.rows.insert(key, row);
            return;
        };
        if old.incarnation.is_some() && row.incarnation.is_some() && old.incarnation != row.incarnation {
            // A namesake that was made anew: nothing changed about anybody, somebody else is there.
            diff.changed.push(row.clone());
            *old = row;
            return;
        }
        if old.link.state == row.link.state {
            // A server's own instant wins; else the state holds since we first saw it.
            row.link.since = row.link.since.or(old.link.since);
        } else {
            row.link.since = row.link.since.or(row.link.observed_at).or(Some(now));
            let was_up = if row.link.state.is_problem() { self.up.remove(&key) } else { false };
            if is_up(row.link.state) {
                self.up.insert(key);
            }
            if old.link.observed_at.is_some() {
                if was_up {
                    diff.lost.push(diff.changes.len());
                }
                diff.changes.push(Change {
                    at: now,
                    target: row.target(),
                    from: old.link.state,
                    to: row.link.state,
                    reason: row.link.reason.clone(),
                });
            }
        }
        let same = old.link.same_story(&row.link)
            && old.label == row.label
            && old.identity == row.identity
            && old.incarnation == row.incarnation
            && old.tokens == row.tokens
            && old.facts == row.facts
            && old.link.since == row.link.since;
        if !same {
            diff.changed.push(row.clone());
        } else if old.link.observed_at.is_none_or(|then| then.age(&now) >= CONFIRM) {
            diff.confirmed.push(row.clone());
        } else {
            // Not told to anybody, so the next confirmation is measured from the last one that was.
            return;
        }
        *old = row;
    }

    fn drop_missing(&mut self, keep: &HashSet<Key>, diff: &mut Diff) {
        let up = &mut self.up;
        self.rows.retain(|key, row| {
            let stays = keep.contains(key);
            if !stays {
                up.remove(key);
                diff.gone.push(row.target());
            }
            stays
        });
    }
}

impl World {
    /// Fills a gateway's book from the cache, without telling anybody: the first frame has drawn it already.
    pub(super) fn seed(&self, gateway: &Arc<Gateway>, rows: Vec<Row>) {
        gateway.with_state(|_, _, _, book| {
            for row in rows {
                let key = (row.account.clone(), row.device.clone());
                if is_up(row.link.state) {
                    book.up.insert(key.clone());
                }
                book.rows.insert(key, row);
            }
        });
    }

    /// Takes a report: stores what changed, writes history, tells the mailbox.
    pub(super) fn merge(&self, gateway: &Arc<Gateway>, report: Report) {
        let report = match report {
            Report::Lost { rows, why } => {
                self.merge(gateway, Report::Part(rows));
                return self.broken(gateway, why.or_with("gateway", gateway.id.as_str()));
            }
            report => report,
        };
        let now = self.time.now();
        let mut diff = Diff::default();
        let asked = gateway.provider.is_asked();
        let heard = |link: &mut Link, facts: &GatewayFacts, at, source| if asked { well(link, at, source, &facts.note) } else { unasked(link, at) };
        let was_broken = gateway.link().state.is_problem() && gateway.link().reason.is_some();
        let gateway_changed = gateway.with_state(|link, facts, stale, book| match report {
            Report::All { rows, complete } => {
                let keep: HashSet<Key> = rows.iter().map(|r| (r.account.clone(), r.device.clone())).collect();
                for row in rows {
                    book.put(self.overlay(row), now, &mut diff);
                }
                if complete {
                    book.drop_missing(&keep, &mut diff);
                }
                heard(link, facts, now, Source::List) | std::mem::replace(stale, false)
            }
            Report::AllBut { rows, unasked } => {
                let mut keep: HashSet<Key> = rows.iter().map(|r| (r.account.clone(), r.device.clone())).collect();
                keep.extend(book.rows.keys().filter(|k| unasked.contains(&k.0)).cloned());
                for row in rows {
                    book.put(self.overlay(row), now, &mut diff);
                }
                book.drop_missing(&keep, &mut diff);
                heard(link, facts, now, Source::List) | std::mem::replace(stale, false)
            }
            Report::Whole { account, rows } => {
                let mut keep: HashSet<Key> = rows.iter().map(|r| (r.account.clone(), r.device.clone())).collect();
                keep.extend(book.rows.keys().filter(|k| k.0 != account).cloned());
                for row in rows {
                    book.put(self.overlay(row), now, &mut diff);
                }
                book.drop_missing(&keep, &mut diff);
                false
            }
            Report::Part(rows) => {
                for row in rows {
                    book.put(self.overlay(row), now, &mut diff);
                }
                false
            }
            // Told above.
            Report::Lost { .. } => false,
            Report::Gone(targets) => {
                for t in targets {
                    let key = (t.account.clone(), t.device.clone());
                    book.up.remove(&key);
                    if book.rows.remove(&key).is_some() {
                        diff.gone.push(t);
                    }
                }
                false
            }
            Report::Alive(at) => heard(link, facts, at, link.source),
            Report::Gateway(new) => {
                *facts = new;
                if link.state == State::Online {
                    link.reason = facts.note.clone();
                }
                true
            }
            Report::Trouble(reason) => {
                let changed = link.reason.as_ref().map(|r| r.code) != Some(reason.code);
                link.reason = Some(reason);
                changed
            }
        });
        let back = was_broken && gateway.link().state == State::Online;
        if back {
            self.toast(true, Message::new(&words::RECONNECTED).with("gateway", gateway.id.as_str()), None);
        }
        self.news_of(gateway, &diff);
        self.tell(gateway, diff, gateway_changed);
    }

    /// Losses that nobody here asked for, as toasts: each by name while they are few. What was never up is not lost.
    fn news_of(&self, gateway: &Arc<Gateway>, diff: &Diff) {
        let lost: Vec<&Change> = diff.lost.iter().filter_map(|n| diff.changes.get(*n)).filter(|c| !self.is_ours(&c.target)).collect();
        if lost.len() > FEW {
            let text = Message::new(&words::MANY_LOST).with("n", lost.len().to_string()).with("gateway", gateway.id.as_str());
            return self.toast(false, text, None);
        }
        for change in lost {
            let label = self.row(&change.target).map_or_else(|| Clean::new(change.target.account.as_str()), |r| r.label);
            let why = change.reason.as_ref().map_or_else(|| Message::new(crate::i18n::state::word(change.to)), Message::from);
            self.toast(false, Message::new(&words::ROW_LOST).with("label", label.as_str()).nest("why", why), Some(change.target.clone()));
        }
    }

    /// Takes what the watching process stored. It is as fresh as that process's own word on the gateway.
    ///
    /// `first`: all of it is told. What a screen was drawn from and what this world was loaded from are two readings of the store;
    /// what changed in between is a change to the screen alone.
    pub(super) fn learn(&self, gateway: &Arc<Gateway>, rows: Vec<Row>, known: Option<KnownGateway>, first: bool) {
        let now = self.time.now();
        let mut diff = Diff::default();
        let (known, version) = known.map_or_else(|| (Link::unknown(), None), |k| (k.link, k.version));
        let told = gateway.was(version);
        let changed = gateway.with_state(|link, _, stale, book| {
            let keep: HashSet<Key> = rows.iter().map(|r| (r.account.clone(), r.device.clone())).collect();
            for mut row in rows {
                if let (State::Online, Some(at)) = (known.state, known.observed_at) {
                    // The store has no row anew that only was read once more.
                    confirm(&mut row.link, at);
                }
                book.put(self.overlay(row), now, &mut diff);
            }
            book.drop_missing(&keep, &mut diff);
            if first {
                diff.changed = book.rows.values().cloned().collect();
            }
            let unasked = known.reason.as_ref().is_some_and(|r| r.code == ReasonCode::NotAsked);
            let old = (known.state != State::Online && !unasked) || known.observed_at.is_none_or(|at| at.age(&now) > HEARD);
            let changed = first || told || *stale != old || *link != known;
            *stale = old;
            *link = known;
            changed
        });
        let view = gateway.view();
        self.show(gateway, diff, changed.then_some(view));
    }

    /// Marks the gateway as broken for `reason`: its rows stay, stale.
    pub(super) fn broken(&self, gateway: &Arc<Gateway>, reason: Reason) {
        let now = self.time.now();
        let was_well = gateway.link().state == State::Online;
        let text = Message::new(&words::LOST).with("gateway", gateway.id.as_str()).nest("why", Message::from(&reason));
        let changed = gateway.with_state(|link, _, stale, _| {
            let state = reason.code.gateway_state();
            let changed = link.state != state || link.reason.as_ref().map(|r| (r.code, &r.args)) != Some((reason.code, &reason.args)) || !*stale;
            if link.state != state {
                link.since = Some(now);
            }
            link.state = state;
            link.reason = Some(reason);
            *stale = true;
            changed
        });
        if changed {
            self.tell(gateway, Diff::default(), true);
        }
        if was_well {
            self.toast(false, text, None);
        }
    }

    /// `connecting` with an attempt of ours is `pairing`.
    fn overlay(&self, mut row: Row) -> Row {
        if row.link.state == State::Connecting && self.is_pairing(&row.target()) {
            row.link.state = State::Pairing;
        }
        row
    }

    fn tell(&self, gateway: &Arc<Gateway>, mut diff: Diff, gateway_changed: bool) {
        let view = gateway_changed.then(|| gateway.view());
        if let Some(view) = &view {
            if view.link.state == State::Online {
                // Something may have waited for it.
                self.owed.notify_one();
            }
            self.store.put_gateway(gateway.id.clone(), view.link.clone(), view.facts.version.clone());
        }
        if !diff.changed.is_empty() {
            self.store.put_rows(diff.changed.clone());
        }
        if !diff.gone.is_empty() {
            self.store.drop_rows(diff.gone.clone());
        }
        if !diff.changes.is_empty() {
            self.store.changes(std::mem::take(&mut diff.changes));
        }
        self.show(gateway, diff, view);
    }

    fn show(&self, gateway: &Arc<Gateway>, diff: Diff, view: Option<GatewayView>) {
        if let Some(view) = view {
            self.mailbox.put(|m| {
                m.gateways.insert(gateway.id.clone(), view);
            });
        }
        if !(diff.changed.is_empty() && diff.confirmed.is_empty() && diff.gone.is_empty()) {
            self.mailbox.put(|m| {
                for t in &diff.gone {
                    m.rows.remove(&(t.gateway.clone(), t.account.clone(), t.device.clone()));
                }
                m.gone.extend(diff.gone);
                for row in diff.changed.into_iter().chain(diff.confirmed) {
                    let key = (row.gateway.clone(), row.account.clone(), row.device.clone());
                    m.gone.retain(|t| !(t.gateway == key.0 && t.account == key.1 && t.device == key.2));
                    m.rows.insert(key, row);
                }
            });
        }
    }
}

/// What is read of list and memory each time is as fresh as the last word of their server.
fn confirm(link: &mut Link, at: Stamp) {
    let read = |source| matches!(source, Source::List | Source::Metrics);
    let older = |then: &Stamp| !then.age(&at).is_zero();
    for witness in link.witnesses.iter_mut().filter(|w| read(w.source) && older(&w.observed_at)) {
        witness.observed_at = at;
    }
    if !link.witnesses.is_empty() && read(link.source) && link.observed_at.as_ref().is_some_and(older) {
        link.observed_at = Some(at);
    }
}

/// True for states that can be lost. Connecting is not one: it may be the first attempt.
const fn is_up(state: State) -> bool {
    matches!(state, State::Online | State::Ready | State::Seen | State::Loaded)
}

/// A gateway that is never asked: its rows are as fresh as they can be, and whether it answers is not known.
fn unasked(link: &mut Link, at: Stamp) -> bool {
    let changed = link.reason.as_ref().map(|r| r.code) != Some(ReasonCode::NotAsked) || link.state != State::Unknown;
    *link = Link { observed_at: Some(at), source: Source::Own, reason: Some(Reason::new(ReasonCode::NotAsked)), ..Link::unknown() };
    changed
}

fn well(link: &mut Link, at: Stamp, source: Source, note: &Option<Reason>) -> bool {
    let told = |r: &Option<Reason>| r.as_ref().map(|r| r.code);
    let changed = link.state != State::Online || told(&link.reason) != told(note) || link.observed_at.is_none_or(|then| then.age(&at) >= CONFIRM);
    if link.state != State::Online {
        link.since = Some(at);
    }
    link.state = State::Online;
    link.reason = note.clone();
    link.source = source;
    if changed {
        link.observed_at = Some(at);
    }
    changed
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;

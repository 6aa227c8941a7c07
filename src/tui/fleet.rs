//! All rows and gateways as last told, in slots that stay put, with counts kept as they change.
//!
//! A change costs one look-up; nothing here is copied or sorted per frame.

use super::veil::Veil;
use crate::{
    domain::{Boot, Fact, GatewayId, RemoteId, Row, State, Target},
    engine::mailbox::GatewayView,
};
use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

/// Place of a row; valid until the next [`Fleet::sweep`].
pub type Slot = usize;

/// Identity of a row without its incarnation.
pub type RowKey = (GatewayId, RemoteId, Option<RemoteId>);

/// Seconds that count as "lately" for a row that changes again and again.
const LOOP_WINDOW_MS: u64 = 300_000;

/// One row and what the deck remembers of it.
#[derive(Debug)]
pub struct Entry {
    /// The row as last told.
    pub row: Row,
    /// Index of its gateway.
    pub gateway: usize,
    /// True when it is gone, but still on screen until the order may change.
    pub gone: bool,
    flips: VecDeque<Boot>,
}

impl Entry {
    /// How often the state changed in the last five minutes, if more than six times within the last of them.
    pub fn looping(&self, now: Boot) -> Option<usize> {
        let lately = self.flips.iter().filter(|b| now.0.saturating_sub(b.0) < 60_000).count();
        (lately > 6).then(|| self.flips.iter().filter(|b| now.0.saturating_sub(b.0) < LOOP_WINDOW_MS).count())
    }
}

/// A gateway and sums over its accounts.
#[derive(Debug)]
pub struct Gateway {
    /// As last told.
    pub view: GatewayView,
    /// Its accounts.
    pub accounts: usize,
    /// Accounts by state, in the order of [`State::ALL`].
    pub by_state: [usize; 14],
}

impl Gateway {
    /// Accounts that are well: online, ready.
    pub fn well(&self) -> usize {
        self.count(State::Online) + self.count(State::Ready)
    }
    /// Accounts in that state.
    pub fn count(&self, state: State) -> usize {
        self.by_state[state as usize]
    }
    /// True when one of its accounts, or itself, is in trouble.
    pub fn troubled(&self) -> bool {
        self.view.link.state.is_problem() || State::ALL.into_iter().any(|s| s.is_problem() && self.count(s) > 0)
    }
    /// True when its rows are not confirmed: from the cache, or it does not answer.
    pub fn stale(&self) -> bool {
        self.view.stale || self.view.link.state == State::Unreachable
    }
}

/// What a change means for the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing that is drawn, except in the detail pane.
    Quiet,
    /// A cell changes.
    Cell,
    /// The order or the set of rows changes.
    Order,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Fleet {
    entries: Vec<Option<Entry>>,
    free: Vec<Slot>,
    by_key: HashMap<RowKey, Slot>,
    gateways: Vec<Gateway>,
    orphans: HashMap<RowKey, Row>,
    /// What must not be drawn while names are hidden; of rows that are gone too, since toasts and reasons speak of them.
    pub veil: Rc<Veil>,
}

fn key(row: &Row) -> RowKey {
    (row.gateway.clone(), row.account.clone(), row.device.clone())
}

impl Fleet {
    /// Gateways in the order in which they became known; indices stay valid.
    pub fn gateways(&self) -> &[Gateway] {
        &self.gateways
    }

    /// Index of a gateway.
    pub fn gateway_at(&self, id: &GatewayId) -> Option<usize> {
        self.gateways.iter().position(|g| g.view.id == *id)
    }

    /// A gateway by name.
    pub fn gateway(&self, id: &GatewayId) -> Option<&Gateway> {
        self.gateways.iter().find(|g| g.view.id == *id)
    }

    /// The entry in a slot.
    pub fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot).and_then(Option::as_ref)
    }

    /// All entries with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        self.entries.iter().enumerate().filter_map(|(i, e)| e.as_ref().map(|e| (i, e)))
    }

    /// The slot of a target, whatever its incarnation.
    pub fn find(&self, target: &Target) -> Option<Slot> {
        self.by_key.get(&(target.gateway.clone(), target.account.clone(), target.device.clone())).copied()
    }

    /// Rows, devices included.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// True without any row.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Accounts in that state, over all gateways.
    pub fn count(&self, state: State) -> usize {
        self.gateways.iter().map(|g| g.count(state)).sum()
    }

    /// Accounts, over all gateways.
    pub fn accounts(&self) -> usize {
        self.gateways.iter().map(|g| g.accounts).sum()
    }

    /// Accounts that are not confirmed.
    pub fn stale(&self) -> usize {
        self.gateways.iter().filter(|g| g.stale()).map(|g| g.accounts).sum()
    }

    /// Takes what is told of a gateway.
    pub fn put_gateway(&mut self, view: GatewayView) -> Change {
        let veil = Rc::make_mut(&mut self.veil);
        veil.leave(view.id.as_str());
        view.link.reason.iter().for_each(|why| veil.learn_reason(why));
        view.facts.warnings.iter().for_each(|m| veil.learn_message(m));
        if let Some(at) = self.gateway_at(&view.id) {
            let g = &mut self.gateways[at];
            let order = g.view.rank != view.rank || g.view.link.state != view.link.state;
            g.view = view;
            return if order { Change::Order } else { Change::Cell };
        }
        self.gateways.push(Gateway { view, accounts: 0, by_state: [0; 14] });
        for row in std::mem::take(&mut self.orphans).into_values() {
            self.put(row, Boot(0));
        }
        Change::Order
    }

    /// Remembers a name of something that may have no row, for the veil.
    pub fn learn(&mut self, name: &str) {
        Rc::make_mut(&mut self.veil).learn(name);
    }

    /// What hides names, to be told of more of them.
    pub fn veil_mut(&mut self) -> &mut Veil {
        Rc::make_mut(&mut self.veil)
    }

    /// The same with what is told of a new link.
    pub fn learn_facts(&mut self, facts: &[Fact]) {
        Rc::make_mut(&mut self.veil).learn_facts(facts);
    }

    /// Takes what is told of a row.
    pub fn put(&mut self, row: Row, now: Boot) -> Change {
        let k = key(&row);
        Rc::make_mut(&mut self.veil).learn_row(&row);
        let Some(gateway) = self.gateway_at(&row.gateway) else {
            self.orphans.insert(k, row);
            return Change::Quiet;
        };
        let account = row.device.is_none();
        if let Some(slot) = self.by_key.get(&k).copied()
            && let Some(e) = self.entries.get_mut(slot).and_then(Option::as_mut)
        {
            let (old, new) = (e.row.link.state, row.link.state);
            let change = if old != new || e.row.label != row.label || e.gone {
                Change::Order
            } else if !e.row.link.same_story(&row.link)
                || e.row.link.since != row.link.since
                || e.row.identity != row.identity
                || e.row.tokens != row.tokens
            {
                Change::Cell
            } else {
                Change::Quiet
            };
            if old != new {
                e.flips.push_back(now);
                if e.flips.len() > 64 {
                    e.flips.pop_front();
                }
            }
            let was_gone = std::mem::replace(&mut e.gone, false);
            e.row = row;
            if account {
                let g = &mut self.gateways[gateway];
                if was_gone {
                    g.accounts += 1;
                } else {
                    g.by_state[old as usize] -= 1;
                }
                g.by_state[new as usize] += 1;
            }
            return change;
        }
        if account {
            let g = &mut self.gateways[gateway];
            g.accounts += 1;
            g.by_state[row.link.state as usize] += 1;
        }
        let entry = Entry { row, gateway, gone: false, flips: VecDeque::new() };
        let slot = if let Some(slot) = self.free.pop() {
            self.entries[slot] = Some(entry);
            slot
        } else {
            self.entries.push(Some(entry));
            self.entries.len() - 1
        };
        self.by_key.insert(k, slot);
        Change::Order
    }

    /// Marks a row as gone. It stays in its slot until [`Fleet::sweep`], so that nothing moves under a finger.
    pub fn gone(&mut self, target: &Target) -> Change {
        let Some(e) = self.find(target).and_then(|s| self.entries.get_mut(s)).and_then(Option::as_mut) else { return Change::Quiet };
        if e.gone {
            return Change::Quiet;
        }
        e.gone = true;
        if e.row.device.is_none() {
            let g = &mut self.gateways[e.gateway];
            g.accounts -= 1;
            g.by_state[e.row.link.state as usize] -= 1;
        }
        Change::Order
    }

    /// Frees the slots of rows that are gone. Only when the order is made anew.
    pub fn sweep(&mut self) {
        for slot in 0..self.entries.len() {
            if self.entries[slot].as_ref().is_some_and(|e| e.gone)
                && let Some(e) = self.entries[slot].take()
            {
                self.by_key.remove(&key(&e.row));
                self.free.push(slot);
            }
        }
    }
}

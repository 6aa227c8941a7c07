//! The flattened tree gateway → account → device: sorted, filtered, folded. Made anew only when it may change under the
//! operator's eyes; frames read a window of it.

use super::{
    filter::{Filter, is_problem},
    fleet::{Fleet, Slot},
};
use crate::domain::{GatewayId, RemoteId, Stamp, State};
use std::collections::{HashMap, HashSet};

/// Above this many rows gateways without problems open folded.
const FOLD_ABOVE: usize = 500;

/// One line of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A gateway, by index.
    Gateway(usize),
    /// An account or device.
    Row(Slot),
}

/// One line with what its drawing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub node: Node,
    /// 0 gateway, 1 account, 2 device.
    pub depth: u8,
    /// `Some(open)` when there is something beneath it.
    pub open: Option<bool>,
}

/// Order of accounts within their gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Worst state first, then by name.
    #[default]
    Worst,
    /// By name.
    Name,
    /// Latest change first.
    Age,
}

impl Sort {
    /// The next order.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Worst => Self::Name,
            Self::Name => Self::Age,
            Self::Age => Self::Worst,
        }
    }
}

/// The lines, and what they are made by.
#[derive(Default)]
pub struct Rows {
    lines: Vec<Line>,
    /// Order.
    pub sort: Sort,
    /// Order reversed.
    pub reverse: bool,
    /// Gateways folded or opened by hand.
    pub gateway_folds: HashMap<GatewayId, bool>,
    /// Accounts folded or opened by hand.
    pub account_folds: HashMap<(GatewayId, RemoteId), bool>,
    /// Open gateways have no line of their own: the screen is too low.
    pub flat: bool,
    /// Marked rows.
    pub marks: HashSet<Slot>,
    /// True when the order on screen is not the order that it should be.
    pub pending: bool,
    /// Accounts that pass the filter.
    pub matched: usize,
}

impl Rows {
    /// The lines in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Position of a node.
    pub fn position(&self, node: Node) -> Option<usize> {
        self.lines.iter().position(|l| l.node == node)
    }

    /// Marked rows that no line shows.
    pub fn hidden_marks(&self) -> usize {
        let shown: HashSet<Slot> = self.lines.iter().filter_map(|l| if let Node::Row(s) = l.node { Some(s) } else { None }).collect();
        self.marks.iter().filter(|m| !shown.contains(m)).count()
    }

    /// Makes the lines anew, after rows that are gone were swept.
    pub fn rebuild(&mut self, fleet: &mut Fleet, filter: Option<&Filter>, now: &Stamp) {
        fleet.sweep();
        self.pending = false;
        self.matched = 0;
        self.marks.retain(|s| fleet.get(*s).is_some());
        let filter = filter.filter(|f| !f.is_empty());
        let mut accounts: Vec<Vec<(u8, u64, Slot)>> = vec![Vec::new(); fleet.gateways().len()];
        let mut devices: HashMap<(usize, &str), Vec<Slot>> = HashMap::new();
        let now_ms = now.wall.0;
        for (slot, e) in fleet.iter() {
            if e.row.device.is_some() {
                devices.entry((e.gateway, e.row.account.as_str())).or_default().push(slot);
                continue;
            }
            let age = e.row.link.since.map_or(u64::MAX, |s| u64::try_from(now_ms.saturating_sub(s.wall.0)).unwrap_or(0));
            accounts[e.gateway].push((e.row.link.state.rank(), age, slot));
        }
        let label = |s: Slot| fleet.get(s).map_or("", |e| e.row.label.as_str());
        let rank = |s: Slot| fleet.get(s).map_or(u8::MAX, |e| e.row.link.state.rank());
        let mut order: Vec<usize> = (0..fleet.gateways().len()).collect();
        order.sort_by_key(|i| (fleet.gateways()[*i].view.rank, *i));
        let many = fleet.len() >= FOLD_ABOVE;
        self.lines.clear();
        for g in order {
            let gateway = &fleet.gateways()[g];
            let list = &mut accounts[g];
            match self.sort {
                Sort::Worst => list.sort_by(|a, b| (a.0, label(a.2)).cmp(&(b.0, label(b.2)))),
                Sort::Name => list.sort_by(|a, b| label(a.2).cmp(label(b.2))),
                Sort::Age => list.sort_by_key(|a| (a.1, a.2)),
            }
            if self.reverse {
                list.reverse();
            }
            let at = self.lines.len();
            let open = filter.is_some() || self.gateway_folds.get(&gateway.view.id).copied().unwrap_or(!many || gateway.troubled());
            self.lines.push(Line { node: Node::Gateway(g), depth: 0, open: Some(open) });
            for (_, _, slot) in list.iter() {
                let Some(e) = fleet.get(*slot) else { continue };
                let mut kids = devices.remove(&(g, e.row.account.as_str())).unwrap_or_default();
                kids.sort_by(|a, b| (rank(*a), label(*a)).cmp(&(rank(*b), label(*b))));
                if let Some(f) = filter {
                    let own = f.passes(e, gateway, self.marks.contains(slot), now);
                    if !own {
                        kids.retain(|k| fleet.get(*k).is_some_and(|d| f.passes(d, gateway, self.marks.contains(k), now)));
                        if kids.is_empty() {
                            continue;
                        }
                    }
                }
                self.matched += 1;
                if !open {
                    continue;
                }
                let fold = (gateway.view.id.clone(), e.row.account.clone());
                let wide = self.account_folds.get(&fold).copied().unwrap_or(e.row.link.state == State::Conflict || filter.is_some());
                self.lines.push(Line { node: Node::Row(*slot), depth: 1, open: (!kids.is_empty()).then_some(wide) });
                if wide {
                    self.lines.extend(kids.into_iter().map(|k| Line { node: Node::Row(k), depth: 2, open: None }));
                }
            }
            if (filter.is_some() && self.lines.len() == at + 1) || (self.flat && self.lines.len() > at + 1) {
                self.lines.remove(at);
            }
        }
    }

    /// The next line with a problem after (or before) `from`, going round.
    pub fn next_problem(&self, fleet: &Fleet, from: usize, back: bool) -> Option<usize> {
        let n = self.lines.len();
        let bad = |i: usize| match self.lines[i].node {
            Node::Gateway(g) => {
                let g = &fleet.gateways()[g];
                g.view.link.state.is_problem() || (self.lines[i].open == Some(false) && g.troubled())
            }
            Node::Row(s) => fleet.get(s).is_some_and(is_problem),
        };
        (1..=n).map(|d| if back { (from + n - d % n) % n } else { (from + d) % n }).find(|i| bad(*i))
    }

    /// The next gateway line after (or before) `from`.
    pub fn next_gateway(&self, from: usize, back: bool) -> Option<usize> {
        let is = |i: &usize| self.lines[*i].depth == 0;
        if back { (0..from.min(self.lines.len())).rev().find(is) } else { (from + 1..self.lines.len()).find(is) }
    }

    /// The line above a device or account that it belongs to.
    pub fn parent(&self, at: usize) -> Option<usize> {
        let depth = self.lines.get(at)?.depth;
        (0..at).rev().find(|i| self.lines[*i].depth < depth)
    }
}

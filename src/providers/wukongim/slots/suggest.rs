//! What to do about a flag plan, and a flag for whoever needs one of its own.

use super::{Table, Used, level};
use crate::{
    domain::ReasonCode,
    i18n::{Message, wukongim_why as w},
    providers::{Suggestion, wukongim::flags},
};
use std::collections::BTreeSet;

/// First flag that the protocol gives no name of its own.
const FIRST_FREE: u8 = 3;

impl Table<'_> {
    /// One act each, and the first of them as a verb.
    pub(super) fn advice(&self) -> (Vec<Message>, Option<Suggestion>) {
        let mut all = Vec::new();
        let mut suggest = None;
        let mut taken = BTreeSet::new();
        for u in self.used.iter().filter(|u| u.fight() || displaced(u)) {
            let Some((flag, master, platform)) = self.own_flag(u, &taken) else {
                all.push(Message::new(&w::SUGGEST_NOTHING_FREE));
                break;
            };
            taken.insert(flag);
            let m = match &platform {
                Some(p) => Message::new(&w::SUGGEST_SPLIT_FOR).with("platform", p),
                None => self.about(&w::SUGGEST_SPLIT, u.flag),
            };
            all.push(m.with("flag", flag.to_string()).nest("level", level(u8::from(master))));
            suggest.get_or_insert_with(|| issue(flag, master));
        }
        all.extend(self.shared(&mut taken));
        for u in self.used.iter().filter(|u| u.open() && !self.settings.plan.is_empty() && self.plan(u.flag).is_empty()) {
            all.push(Message::new(&w::SUGGEST_DECLARE).with("flag", u.flag.to_string()));
        }
        // Nothing is wrong: what is planned and was never issued comes next.
        if suggest.is_none() {
            suggest = self.settings.plan.iter().find(|p| self.of(p.flag).is_none_or(|u| !u.open())).map(|p| issue(p.flag, p.master));
        }
        (all, suggest)
    }

    /// Platforms that the plan puts on one flag: all but the first move.
    fn shared(&self, taken: &mut BTreeSet<u8>) -> Vec<Message> {
        let mut seen = BTreeSet::new();
        let second = self.settings.plan.iter().filter(|p| !seen.insert(p.flag)).collect::<Vec<_>>();
        let mut all = Vec::new();
        for p in second {
            let Some(flag) = self.free(taken) else { break };
            taken.insert(flag);
            all.push(Message::new(&w::SUGGEST_MOVE).with("flag", flag.to_string()).with("platform", &p.platform));
        }
        all
    }

    /// A flag for one of two clients: one that the plan has ready and nobody uses, else one that is free. A free one keeps
    /// the level of the flag that they fight over.
    fn own_flag(&self, used: &Used<'_>, taken: &BTreeSet<u8>) -> Option<(u8, bool, Option<String>)> {
        let ready = self.settings.plan.iter().find(|p| p.flag != used.flag && !taken.contains(&p.flag) && self.of(p.flag).is_none_or(|u| !u.open()));
        match ready {
            Some(p) => Some((p.flag, p.master, Some(p.platform.clone()))),
            None => Some((self.free(taken)?, used.level == Some(flags::MASTER), None)),
        }
    }

    /// The lowest flag that nobody uses, plans or reserves.
    fn free(&self, taken: &BTreeSet<u8>) -> Option<u8> {
        let known = self.flags();
        let named = |f: u8| self.names.name(f).is_some();
        let free = |f: &u8| *f != flags::SYSTEM && !known.contains(f) && !taken.contains(f) && self.reserved(*f).is_none();
        // A flag that the configuration has a name for is meant for a platform: only when nothing else is left.
        (FIRST_FREE..=u8::MAX).find(|f| free(f) && !named(*f)).or_else(|| (FIRST_FREE..=u8::MAX).find(free))
    }
}

fn displaced(u: &Used<'_>) -> bool {
    u.row.link.reason.as_ref().is_some_and(|r| r.code == ReasonCode::Displaced)
}

fn issue(flag: u8, master: bool) -> Suggestion {
    let level = if master { "master" } else { "slave" };
    Suggestion { verb: "issue", given: vec![("flag", flag.to_string().into()), ("level", level.into())] }
}

//! Which device flags an account's devices occupy and should occupy: use against plan, what a login would do before it
//! happens, and a flag that is free. Pure: reads rows as last observed.

mod suggest;

use super::flags::{self, Flags};
use crate::{
    domain::{FactValue, ReasonCode, Row, State},
    i18n::{Message, Words, wukongim_why as w},
    providers::{SlotLine, SlotTable},
    store::config::{PlanLine, WuKongIm},
};
use std::{collections::BTreeSet, time::Duration};

/// One flag as its row shows it.
#[derive(Debug)]
struct Used<'a> {
    flag: u8,
    level: Option<u8>,
    row: &'a Row,
}

impl<'a> Used<'a> {
    fn read(row: &'a Row) -> Option<Self> {
        let flag = row.device.as_ref()?.as_str().parse().ok()?;
        let level = text(row, "level").and_then(|l| flags::level(l).or_else(|| l.parse().ok()));
        Some(Self { flag, level, row })
    }

    /// True when a client could log in on it. A version that does not tell its tokens is taken as if it could.
    fn open(&self) -> bool {
        self.row.link.state != State::LoggedOut
    }

    fn fight(&self) -> bool {
        self.row.link.state == State::Conflict
    }

    fn why_fight(&self) -> &'static Words {
        match &self.row.link.reason {
            Some(r) if r.code == ReasonCode::FlagUnsteady => &w::WARN_UNSTEADY,
            _ => &w::WARN_TWO,
        }
    }
}

fn text<'a>(row: &'a Row, key: &str) -> Option<&'a str> {
    row.facts.iter().find(|f| f.key == key).and_then(|f| match &f.value {
        FactValue::Text(t) => Some(t.as_str()),
        _ => None,
    })
}

/// See [`crate::providers::Provider::slots`].
pub(super) fn slots(settings: &WuKongIm, devices: &[Row]) -> SlotTable {
    let mut used: Vec<Used<'_>> = devices.iter().filter_map(Used::read).collect();
    used.sort_by_key(|u| u.flag);
    let table = Table { settings, names: Flags::new(settings), used };
    let (advice, suggest) = table.advice();
    SlotTable {
        head: vec![&w::HEAD_FLAG, &w::HEAD_LEVEL, &w::HEAD_TOKEN, &w::HEAD_DEVICES, &w::HEAD_PLAN, &w::HEAD_DRIFT],
        lines: table.lines(),
        warnings: table.warnings(),
        advice,
        suggest,
    }
}

struct Table<'a> {
    settings: &'a WuKongIm,
    names: Flags<'a>,
    used: Vec<Used<'a>>,
}

fn value(text: impl AsRef<str>) -> Message {
    if text.as_ref().is_empty() { Message::new(&w::NONE) } else { Message::new(&w::VALUE).with("value", text) }
}

fn level(level: u8) -> Message {
    Message::new(flags::level_words(level))
}

impl Table<'_> {
    fn plan(&self, flag: u8) -> Vec<&PlanLine> {
        self.settings.plan.iter().filter(|p| p.flag == flag).collect()
    }

    fn reserved(&self, flag: u8) -> Option<&str> {
        self.settings.reserved.iter().find(|r| (r.from..=r.to).contains(&flag)).map(|r| r.what.as_str())
    }

    fn of(&self, flag: u8) -> Option<&Used<'_>> {
        self.used.iter().find(|u| u.flag == flag)
    }

    fn about(&self, words: &'static Words, flag: u8) -> Message {
        Message::new(words).with("device", self.names.shown(flag))
    }

    fn flags(&self) -> BTreeSet<u8> {
        self.used.iter().map(|u| u.flag).chain(self.settings.plan.iter().map(|p| p.flag)).collect()
    }

    fn lines(&self) -> Vec<SlotLine> {
        self.flags().into_iter().map(|flag| self.line(flag)).collect()
    }

    fn line(&self, flag: u8) -> SlotLine {
        let used = self.of(flag);
        let planned = self.plan(flag);
        let platforms = planned.iter().map(|p| p.platform.as_str()).collect::<Vec<_>>().join(" + ");
        let token = match used {
            Some(u) if !u.open() => Message::new(&w::WIPED),
            Some(u) => value(u.row.tokens.first().map_or_else(String::new, |t| t.fingerprint.to_string())),
            None => Message::new(&w::NONE),
        };
        SlotLine {
            slot: flag.to_string().into(),
            cells: vec![
                value(self.names.shown(flag)),
                used.and_then(|u| u.level).map_or_else(|| Message::new(&w::NONE), level),
                token,
                value(used.map_or_else(String::new, |u| clients(u.row))),
                value(platforms),
                self.drift(flag, used, &planned),
            ],
            state: used.map_or(State::Unknown, |u| u.row.link.state),
            would: Some(self.would(flag, used)),
        }
    }

    /// The worst of what is wrong with one flag, in a word or two.
    fn drift(&self, flag: u8, used: Option<&Used<'_>>, planned: &[&PlanLine]) -> Message {
        let Some(used) = used else { return Message::new(&w::DRIFT_UNUSED) };
        if used.fight() || planned.len() > 1 {
            return Message::new(&w::DRIFT_TWO);
        }
        if flag == flags::SYSTEM {
            return Message::new(&w::DRIFT_SYSTEM);
        }
        // A wiped row is never deleted by the server: it is no use of the flag.
        if !used.open() {
            return Message::new(&w::NONE);
        }
        if let Some(what) = self.reserved(flag) {
            return Message::new(&w::DRIFT_RESERVED).with("what", what);
        }
        match planned.first() {
            None if self.settings.plan.is_empty() => Message::new(&w::NONE),
            None => Message::new(&w::DRIFT_UNPLANNED),
            Some(p) if used.level.is_some_and(|l| l != u8::from(p.master)) => Message::new(&w::DRIFT_LEVEL).nest("level", level(u8::from(p.master))),
            Some(_) => Message::new(&w::NONE),
        }
    }

    /// What a login on that flag would do now. The level is the stored one: what the client asks for does not count (§4.2).
    fn would(&self, flag: u8, used: Option<&Used<'_>>) -> Message {
        let Some(used) = used.filter(|u| u.open()) else { return self.about(&w::WOULD_REFUSE, flag) };
        if !matches!(used.row.link.state, State::Online | State::Conflict) {
            return self.about(&w::WOULD_NOBODY, flag);
        }
        if used.level != Some(flags::MASTER) {
            return self.about(&w::WOULD_STAY, flag);
        }
        // Both instants are the row's own: this stays true however long ago it was looked at.
        match (used.row.link.since, used.row.link.observed_at) {
            (Some(since), Some(seen)) => self.about(&w::WOULD_KICK, flag).with("age", age(since.age(&seen))),
            _ => self.about(&w::WOULD_KICK_BARE, flag),
        }
    }

    fn warnings(&self) -> Vec<Message> {
        let mut all: Vec<Message> = self.used.iter().filter(|u| u.fight()).map(|u| self.about(u.why_fight(), u.flag)).collect();
        for flag in self.settings.plan.iter().map(|p| p.flag).collect::<BTreeSet<_>>() {
            let planned = self.plan(flag);
            if planned.len() > 1 {
                let platforms = planned.iter().map(|p| p.platform.as_str()).collect::<Vec<_>>().join(", ");
                all.push(Message::new(&w::WARN_SHARED).with("platforms", platforms).with("flag", flag.to_string()));
            }
            if let (Some(p), Some(what)) = (planned.first(), self.reserved(flag)) {
                all.push(Message::new(&w::WARN_PLANNED_RESERVED).with("platform", &p.platform).with("flag", flag.to_string()).with("what", what));
            }
        }
        for u in self.used.iter().filter(|u| u.open()) {
            let planned = self.plan(u.flag);
            match (planned.first(), self.reserved(u.flag)) {
                (None, Some(what)) => all.push(self.about(&w::WARN_RESERVED, u.flag).with("what", what)),
                (None, None) if !self.settings.plan.is_empty() => all.push(self.about(&w::WARN_UNPLANNED, u.flag)),
                (Some(p), _) => {
                    if let Some(l) = u.level.filter(|l| *l != u8::from(p.master)) {
                        all.push(self.about(&w::WARN_LEVEL, u.flag).nest("level", level(l)).nest("planned", level(u8::from(p.master))));
                    }
                }
                _ => {}
            }
        }
        let open = self.used.iter().filter(|u| u.open());
        let slaves = open.clone().filter(|u| u.level == Some(flags::SLAVE)).count();
        for (n, most, words) in [(open.count(), self.settings.max_devices, &w::WARN_DEVICES), (slaves, self.settings.max_slaves, &w::WARN_SLAVES)] {
            if let Some(most) = most.filter(|most| n > usize::try_from(*most).unwrap_or(usize::MAX)) {
                all.push(Message::new(words).with("n", n.to_string()).with("most", most.to_string()));
            }
        }
        all
    }
}

/// The device ids on a flag: those online, or the two that fight.
fn clients(row: &Row) -> String {
    if let (Some(from), Some(to)) = (text(row, "displaced"), text(row, "displaced_by")) {
        let id = |client: &str| client.split(' ').next().unwrap_or_default().to_owned();
        return format!("{} {}", id(to), id(from)).trim().to_owned();
    }
    text(row, "device_id").unwrap_or_default().to_owned()
}

fn age(d: Duration) -> String {
    crate::clock::words::age(d)
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;

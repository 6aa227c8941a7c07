//! Slots as rows of the deck: each a device of its account, as far as files and processes of this machine tell.

use super::{Seen, clash, holder::Viewer, inspect, of};
use crate::{
    domain::{Clean, Fact, FactValue, Link, ReasonCode, Row, Source, Stamp, State, Wall},
    i18n::{Lang, Message, Words, sessions as w},
    providers::telegram::session::Patience,
    store::config,
};

/// Every slot of a gateway. Reads files and processes; blocks.
pub fn rows(gateway: &config::Gateway, now: &Stamp) -> Vec<Row> {
    let seen = inspect(&of(gateway), Patience::default(), Viewer::Looker);
    let twins = clash::twins(&seen);
    (0..seen.len()).map(|i| row(i, &seen, &twins, now)).collect()
}

/// One slot. The state says what is proven: a holder without a look at the server is `seen`, nobody is `offline`.
pub fn row(at: usize, seen: &[Seen], twins: &[clash::Twin], now: &Stamp) -> Row {
    let me = &seen[at];
    let reason = clash::trouble(at, seen, twins);
    let held = me.held.sure().next();
    let state = match reason.as_ref().map(|r| r.code) {
        Some(ReasonCode::KeyTwin | ReasonCode::SpacesTwin) => State::Conflict,
        Some(ReasonCode::SessionAbsent | ReasonCode::SessionEmpty) => State::LoggedOut,
        Some(ReasonCode::SessionLoose | ReasonCode::SlotHardLinked) | None if held.is_some() => State::Seen,
        Some(ReasonCode::SessionLoose | ReasonCode::SlotHardLinked) | None => State::Offline,
        Some(_) => State::Unknown,
    };
    Row {
        gateway: me.slot.gateway.clone(),
        account: me.slot.account.clone(),
        device: me.slot.target().device,
        incarnation: me.key().map(|k| k.to_string().into()),
        label: Clean::new(&me.slot.slot.name),
        identity: me.key().map(|k| Clean::new(&k.to_string())),
        link: Link { state, since: None, observed_at: Some(*now), source: Source::Host, reason, witnesses: Vec::new() },
        tokens: Vec::new(),
        facts: facts(me),
    }
}

fn facts(me: &Seen) -> Vec<Fact> {
    let text = |key, label: &'static Words, value: String| Fact { key, label, value: FactValue::Text(Clean::long(&value)) };
    let mut all = vec![
        text("file", &w::FACT_FILE, me.slot.slot.file.display().to_string()),
        text("format", &w::FACT_FORMAT, me.slot.slot.format.name().to_owned()),
    ];
    if let Ok(found) = &me.session {
        all.push(text("key_id", &w::FACT_KEY, found.session.key.id().to_string()));
        all.push(Fact { key: "dc", label: &w::FACT_DC, value: FactValue::Count(found.session.dc.unsigned_abs().into()) });
        if let Some(at) = found.session.connected {
            let at = Stamp::wall_only(Wall(at.saturating_mul(1000)));
            all.push(Fact { key: "connected", label: &w::FACT_CONNECTED, value: FactValue::At(at) });
        }
    }
    if let Some(odd) = &me.held.odd {
        let says = Message::new(&w::ODD_PIDFILE).with("path", odd.to_string_lossy());
        all.push(text("pidfile", &w::FACT_PIDFILE, says.text(Lang::En)));
    }
    let holders: Vec<_> = me.held.sure().collect();
    if let Some(first) = holders.first() {
        all.push(text("holder", &w::FACT_HOLDER, holders.iter().map(|h| h.label()).collect::<Vec<_>>().join(", ")));
        let by: Vec<_> = first.evidence.iter().map(|e| e.says().text(Lang::En)).collect();
        all.push(text("evidence", &w::FACT_EVIDENCE, by.join(", ")));
    }
    all
}

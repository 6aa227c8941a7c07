//! What a worker of a slot holds while it runs, and what `doctor` says of slots.

use super::{SlotRef, all, clash, holder::Viewer, inspect, of};
use crate::{
    domain::{Reason, ReasonCode, Target},
    i18n::{Message, reason, sessions as w, shell},
    providers::{
        Mark,
        duty::{Dead, Duty, LocalCheck, Sign},
        telegram::{
            KeyId,
            session::{Patience, write},
        },
    },
    store::config,
};

/// What libraries write when a session is dead (protocol names in gotd, Pyrogram and grammers; classes in Telethon and
/// Pyrogram). A closed account comes first: it must win over a revoked session in the same line.
const SIGNS: &[Sign] = &[
    Sign { text: "USER_DEACTIVATED", means: Dead::Closed },
    Sign { text: "UserDeactivated", means: Dead::Closed },
    Sign { text: "AUTH_KEY_DUPLICATED", means: Dead::Duplicated },
    Sign { text: "AuthKeyDuplicated", means: Dead::Duplicated },
    Sign { text: "AUTH_KEY_DROP_DUPLICATE", means: Dead::Duplicated },
    Sign { text: "AUTH_KEY_UNREGISTERED", means: Dead::Revoked },
    Sign { text: "AuthKeyUnregistered", means: Dead::Revoked },
    Sign { text: "SESSION_REVOKED", means: Dead::Revoked },
    Sign { text: "SessionRevoked", means: Dead::Revoked },
    Sign { text: "SESSION_EXPIRED", means: Dead::Revoked },
    Sign { text: "SessionExpired", means: Dead::Revoked },
];

/// Name among hosts of the right to use a key. The id goes over the wire in the clear: it is no secret.
pub fn key_lease(key: KeyId) -> String {
    key_name_lease(&key.to_string())
}

/// The same, by the id as text.
pub fn key_name_lease(key: &str) -> String {
    format!("run/telegram/key/{key}")
}

/// Name among hosts of the right to run a slot.
pub fn slot_lease(slot: &Target) -> String {
    format!("run/{}", slot.id())
}

/// Slots as targets.
pub fn runnable(gateway: &config::Gateway) -> Vec<Target> {
    of(gateway).iter().map(SlotRef::target).collect()
}

/// What must be held while the worker of `target` runs. Reads files and processes; blocks.
pub fn duty(gateways: &[config::Gateway], target: &Target) -> Option<Duty> {
    let slots = all(gateways);
    let at = slots.iter().position(|s| s.target().same(target))?;
    let seen = inspect(&slots, Patience::default(), Viewer::Runner);
    let me = &seen[at];
    let twins = clash::twins(&seen);
    let mut leases = vec![slot_lease(target)];
    leases.extend(me.key().map(key_lease));
    // A worker on a copy of the key is a holder of this one.
    let copies = twins.iter().filter(|t| t.members.contains(&at)).flat_map(|t| &t.members).copied();
    let held = std::iter::once(at).chain(copies.filter(|i| *i != at)).find_map(|i| seen[i].held.reason());
    Some(Duty {
        target: target.clone(),
        leases,
        lock: me.identity.as_ref().map(|i| write::named(&i.real, "run")),
        held,
        trouble: clash::trouble(at, &seen, &twins),
        cleaned: me.held.clean(),
        signs: SIGNS,
        dead_exit_codes: me.slot.slot.dead_exit_codes.clone(),
    })
}

/// Findings about all slots, for `doctor`.
pub fn checks(gateways: &[config::Gateway]) -> Vec<LocalCheck> {
    let slots = all(gateways);
    let Some(first) = slots.first() else { return Vec::new() };
    let name = first.gateway.as_str().to_owned();
    let seen = inspect(&slots, Patience::default(), Viewer::Looker);
    let twins = clash::twins(&seen);
    let message = |words, why: &Reason| Message { words, args: why.args.clone(), nested: Vec::new() };
    let mut out = Vec::new();
    for (i, s) in seen.iter().enumerate() {
        let Some(why) = clash::trouble(i, &seen, &twins) else { continue };
        // A slot that has no session yet is not broken.
        let mark = if matches!(why.code, ReasonCode::SessionAbsent | ReasonCode::SessionEmpty) { Mark::Note } else { Mark::Bad };
        let says = Message::new(&w::CHECK_SLOT).with("slot", s.slot.id()).nest("what", message(reason::text(why.code), &why));
        let remedy = shell::remedy_words(&why).map(|words| message(words, &why));
        out.push(LocalCheck { gateway: s.slot.gateway.as_str().to_owned(), mark, says, remedy });
    }
    if out.is_empty() {
        let says = Message::new(&w::CHECK_SLOTS).with("n", seen.len().to_string());
        out.push(LocalCheck { gateway: name.clone(), mark: Mark::Good, says, remedy: None });
    }
    for (s, stale) in seen.iter().filter_map(|s| Some((s, s.held.stale.as_ref()?))) {
        let says = Message::new(&w::CHECK_SLOT).with("slot", s.slot.id()).nest("what", stale.says());
        out.push(LocalCheck { gateway: s.slot.gateway.as_str().to_owned(), mark: Mark::Note, says, remedy: Some(Message::new(&w::STALE_DO)) });
    }
    for (s, odd) in seen.iter().filter_map(|s| Some((s, s.held.odd.as_ref()?))) {
        let what = Message::new(&w::ODD_PIDFILE).with("path", odd.to_string_lossy());
        let says = Message::new(&w::CHECK_SLOT).with("slot", s.slot.id()).nest("what", what);
        out.push(LocalCheck { gateway: s.slot.gateway.as_str().to_owned(), mark: Mark::Note, says, remedy: Some(Message::new(&w::ODD_PIDFILE_DO)) });
    }
    if let Some(blind) = seen.iter().map(|s| s.held.blind).max().filter(|n| *n > 0) {
        let says = Message::new(&w::CHECK_BLIND).with("n", blind.to_string());
        out.push(LocalCheck { gateway: name, mark: Mark::Note, says, remedy: None });
    }
    out
}

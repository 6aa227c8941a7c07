//! How a device stands against what a plan pinned: the state machine of regenerate, issue and wipe. Pure.
//!
//! One row per (uid, flag) goes old → empty → new. Each step of a plan knows where it should stand before and after it;
//! everything else is somebody else's doing.

use super::wire::{Conn, Device, Online};
use crate::domain::{Finding, Plan, Reason, ReasonCode, Secret};
use serde_json::Value;

/// Name of the new token among a plan's sealed data.
pub(super) const NEW_TOKEN: &str = "token";
/// Name of the replaced token.
pub(super) const OLD_TOKEN: &str = "old_token";

/// What the server tells of a uid's devices.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Its rows.
    pub(super) devices: Vec<Device>,
    /// True when devices may be there that the server does not list (v1; v3 lists four flags only).
    pub(super) blind: bool,
}

impl Seen {
    /// The row of a flag.
    pub(super) fn of(&self, flag: u8) -> Option<&Device> {
        self.devices.iter().find(|d| d.flag == flag)
    }
}

/// Where the row of a (uid, flag) stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// There is no row.
    Nobody,
    /// As it was when the plan was made.
    Old,
    /// The token is empty: it was quit.
    Emptied,
    /// The plan's token at the plan's level.
    Ours,
    /// The server does not tell.
    Unread,
    /// Another token, another level or another row: somebody else.
    Other,
}

/// What a plan holds of one device.
#[derive(Debug, Default)]
pub(super) struct Pinned<'a> {
    /// The row, where there was one and the server numbers them.
    pub(super) row: Option<u64>,
    /// The token before; `None`: empty or not told.
    pub(super) old: Option<&'a Secret>,
    /// The level before.
    pub(super) old_level: Option<u8>,
    /// The token after.
    pub(super) new: Option<&'a Secret>,
    /// The level after.
    pub(super) level: Option<u8>,
}

impl<'a> Pinned<'a> {
    /// Reads it from a plan that makes a token (`regenerate`, `issue`).
    pub(super) fn token(plan: &'a Plan) -> Self {
        let small = |k: &str| plan.clear[k].as_u64().and_then(|n| u8::try_from(n).ok());
        Self {
            row: plan.clear["row"].as_u64(),
            old: plan.sealed.get(OLD_TOKEN),
            old_level: small("old_level"),
            new: plan.sealed.get(NEW_TOKEN),
            level: small("level"),
        }
    }

    /// Reads it from a wipe, for one of its flags.
    pub(super) fn wipe(plan: &'a Plan, flag: u8) -> Self {
        let before = plan.clear.pointer(&format!("/before/{flag}")).unwrap_or(&Value::Null);
        Self {
            row: before["row"].as_u64(),
            old: plan.sealed.get(&format!("old:{flag}")),
            old_level: before["level"].as_u64().and_then(|n| u8::try_from(n).ok()),
            new: None,
            level: None,
        }
    }
}

/// Where the row stands.
pub(super) fn stands(seen: &Seen, flag: u8, pinned: &Pinned<'_>) -> Stands {
    let Some(now) = seen.of(flag) else { return if seen.blind { Stands::Unread } else { Stands::Nobody } };
    if pinned.row.is_some_and(|row| row != now.id) {
        return Stands::Other;
    }
    let Some(token) = &now.token else { return if now.hidden { Stands::Unread } else { Stands::Emptied } };
    if pinned.new == Some(token) {
        // Nobody else knows this token: the level was changed behind us.
        return if pinned.level == Some(now.level) { Stands::Ours } else { Stands::Other };
    }
    if pinned.old == Some(token) && pinned.old_level == Some(now.level) { Stands::Old } else { Stands::Other }
}

/// What that says of a step: `quit`, `token` or `verify`.
pub(super) fn finding(step: &str, stands: Stands, had_token: bool) -> Finding {
    match (step, stands) {
        (_, Stands::Other) => Finding::Foreign(Reason::new(ReasonCode::Foreign)),
        // A row is never deleted: without it this is another database. A plan for a new device has seen none.
        ("quit", Stands::Nobody) => Finding::Foreign(Reason::new(ReasonCode::Gone)),
        ("quit", Stands::Old | Stands::Unread) => Finding::NotDone,
        // It was empty before: only the connections tell whether the quit was heard.
        ("quit", Stands::Emptied) if !had_token => Finding::NotDone,
        ("quit", Stands::Emptied | Stands::Ours) => Finding::Done,
        ("token", Stands::Ours) => Finding::Done,
        ("token", Stands::Nobody) if had_token => Finding::Foreign(Reason::new(ReasonCode::Gone)),
        // Setting the same token again changes nothing more.
        ("token", Stands::Nobody | Stands::Emptied | Stands::Unread) => Finding::NotDone,
        // Quit, and yet the old token: somebody put it back.
        ("token", Stands::Old) => Finding::Foreign(Reason::new(ReasonCode::Foreign)),
        (_, Stands::Ours | Stands::Unread) => Finding::NotDone,
        (_, Stands::Nobody | Stands::Old | Stands::Emptied) => Finding::Foreign(Reason::new(ReasonCode::Foreign)),
    }
}

/// True when the connection may be of that flag: the server has words for three flags and one word for all others
/// (wukongim 2.2.5, recording connz_two).
pub(super) fn may_be(conn: &Conn, flag: u8) -> bool {
    conn.flag().map_or(flag > 2, |f| f == flag)
}

/// True when a connection that [`may_be`] of `flag` can be of no other: its label is a name, or no other unnamed flag is online.
pub(super) fn must_be(conn: &Conn, flag: u8, online: &[Online]) -> bool {
    may_be(conn, flag) && (conn.flag().is_some() || !online.iter().any(|o| o.uid == conn.uid && o.flag > 2 && o.flag != flag))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn device(token: &str, level: u8) -> Device {
        Device {
            id: 7,
            uid: "u1".into(),
            token: (!token.is_empty()).then(|| Secret::new(token.into())),
            hidden: false,
            flag: 4,
            level,
            created_ns: 1,
            updated_ns: 2,
        }
    }
    fn seen(devices: Vec<Device>) -> Seen {
        Seen { devices, blind: false }
    }
    fn at(devices: Vec<Device>) -> Stands {
        let (old, new) = (Secret::new("old".into()), Secret::new("new".into()));
        let pinned = Pinned { row: Some(7), old: Some(&old), old_level: Some(0), new: Some(&new), level: Some(0) };
        stands(&seen(devices), 4, &pinned)
    }

    #[test]
    fn a_device_goes_from_old_over_empty_to_ours_and_anything_else_is_somebody_elses() {
        assert_eq!(at(vec![device("old", 0)]), Stands::Old);
        assert_eq!(at(vec![device("", 1)]), Stands::Emptied);
        assert_eq!(at(vec![device("new", 0)]), Stands::Ours);
        assert_eq!(at(vec![device("new", 1)]), Stands::Other, "our token at another level");
        assert_eq!(at(vec![device("old", 1)]), Stands::Other, "the old token at another level");
        assert_eq!(at(vec![device("third", 0)]), Stands::Other);
        assert_eq!(at(vec![Device { id: 8, ..device("old", 0) }]), Stands::Other, "a row made anew");
        assert_eq!(at(vec![]), Stands::Nobody);
        assert_eq!(at(vec![Device { hidden: true, id: 7, ..device("", 0) }]), Stands::Unread);
    }

    #[test]
    fn no_step_is_taken_for_done_or_undone_when_somebody_else_wrote() {
        let foreign = |f: &Finding| matches!(f, Finding::Foreign(_));
        for step in ["quit", "token", "verify"] {
            assert!(foreign(&finding(step, Stands::Other, true)), "{step}");
        }
        assert!(foreign(&finding("token", Stands::Old, true)), "the old token was put back");
        assert!(foreign(&finding("verify", Stands::Emptied, true)), "somebody quit it again");
        assert!(foreign(&finding("quit", Stands::Nobody, true)));
    }

    #[test]
    fn a_kill_between_quit_and_token_leads_to_the_token_and_nothing_else() {
        assert_eq!(finding("quit", Stands::Emptied, true), Finding::Done);
        assert_eq!(finding("token", Stands::Emptied, true), Finding::NotDone);
        assert_eq!(finding("token", Stands::Ours, true), Finding::Done);
        assert_eq!(finding("token", Stands::Nobody, false), Finding::NotDone, "a device that is being issued");
    }

    #[test]
    fn a_connection_without_a_flag_word_is_only_sure_when_no_other_such_flag_is_online() {
        let conn = |label: &str| Conn {
            id: 1,
            uid: "u1".into(),
            ip: String::new(),
            port: 0,
            device_id: String::new(),
            idle: String::new(),
            uptime: String::new(),
            label: label.into(),
            node_id: 0,
            leader_id: 0,
            version: 5,
        };
        let online = |flags: &[u8]| flags.iter().map(|f| Online { uid: "u1".into(), flag: *f }).collect::<Vec<_>>();
        assert!(must_be(&conn("App(主)"), 0, &online(&[0, 4, 5])));
        assert!(!may_be(&conn("App(主)"), 4) && !may_be(&conn("未知(从)"), 0));
        assert!(must_be(&conn("未知(从)"), 4, &online(&[0, 4])));
        assert!(!must_be(&conn("未知(从)"), 4, &online(&[4, 5])));
    }
}

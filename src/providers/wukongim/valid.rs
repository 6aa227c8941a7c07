//! What a client is about to use, judged before anything is sent: names of flags and levels, and the uids, flags, levels and
//! tokens that cannot work. Pure. The server takes several of them and fails later, or fails silently.

use crate::{
    domain::{Reason, ReasonCode},
    i18n::{Message, wukongim_act as w},
    store::config::WuKongIm,
};

/// Flags that every server names.
pub(super) const BUILT_IN: [(&str, u8); 4] = [("APP", 0), ("WEB", 1), ("PC", 2), ("SYSTEM", 99)];
/// Level of a device that shares its flag with others.
pub(super) const SLAVE: u8 = 0;
/// Level of a device that has its flag for itself.
pub(super) const MASTER: u8 = 1;
/// Uid that the server keeps for itself: refused with 400 (wukongim 2.2.5, recording user_token_system_uid).
const SYSTEM_UID: &str = "____system";
/// The manager's uid, unless the server is configured otherwise.
const MANAGER_UID: &str = "____manager";
/// Uids of this ending skip the token check (wukongim 2.2.5, session_trace AC).
pub(super) const VISITOR: &str = "___vstr";

/// The number of a flag that was typed as a number or as a name: built-in, configured or of the plan, any case.
pub(super) fn flag_number(settings: &WuKongIm, typed: &str) -> Option<u8> {
    let typed = typed.trim();
    if !typed.is_empty() && typed.bytes().all(|b| b.is_ascii_digit()) {
        return typed.parse().ok();
    }
    let lower = typed.to_lowercase();
    let named = |name: &str| name.to_lowercase() == lower;
    BUILT_IN
        .iter()
        .find(|(n, _)| named(n))
        .map(|(_, f)| *f)
        .or_else(|| settings.flags.iter().find(|(n, _)| named(n)).map(|(_, f)| *f))
        .or_else(|| settings.plan.iter().find(|p| named(&p.platform)).map(|p| p.flag))
}

/// The name of a flag for people: configured, else built-in, else the number alone.
pub(super) fn flag_name(settings: &WuKongIm, flag: u8) -> String {
    let named = settings.flags.iter().find(|(_, f)| *f == flag).map(|(n, _)| n.as_str());
    let named = named.or_else(|| BUILT_IN.iter().find(|(_, f)| *f == flag).map(|(n, _)| *n));
    let named = named.or_else(|| settings.plan.iter().find(|p| p.flag == flag).map(|p| p.platform.as_str()));
    named.map_or_else(|| flag.to_string(), |n| format!("{n} ({flag})"))
}

/// The number of a level that was typed as a word or as a number.
pub(super) fn level_number(typed: &str) -> Option<u8> {
    match typed.trim().to_ascii_lowercase().as_str() {
        "slave" | "0" => Some(SLAVE),
        "master" | "1" => Some(MASTER),
        _ => None,
    }
}

/// The word of a level.
pub(super) const fn level_name(level: u8) -> &'static str {
    match level {
        SLAVE => "slave",
        MASTER => "master",
        _ => "?",
    }
}

/// Something that cannot work, or that does not do what it seems to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// No uid.
    UidEmpty,
    /// A uid with one of `@ # &`: refused with 400.
    UidChars(String),
    /// A uid of the server itself.
    UidSystem(String),
    /// The manager's uid: a login with it disturbs the server.
    UidManager(String),
    /// Its token is not checked.
    UidVisitor,
    /// Not 0 to 255.
    Flag(String),
    /// Neither 0 nor 1: the server stores it all the same (recording user_token_level_9).
    Level(String),
    /// An empty token: refused by the server at login.
    TokenEmpty,
}

impl Problem {
    /// True when a write must not be sent; false for what is only worth saying.
    pub(super) const fn forbids(&self) -> bool {
        !matches!(self, Self::UidVisitor)
    }

    /// What is wrong, for people.
    pub(super) fn words(&self) -> Message {
        match self {
            Self::UidEmpty => Message::new(&w::BAD_UID_EMPTY),
            Self::UidChars(_) => Message::new(&w::BAD_UID_CHARS),
            Self::UidSystem(uid) => Message::new(&w::BAD_UID_SYSTEM).with("uid", uid),
            Self::UidManager(uid) => Message::new(&w::BAD_UID_MANAGER).with("uid", uid),
            Self::UidVisitor => Message::new(&w::BAD_UID_VISITOR),
            Self::Flag(flag) => Message::new(&w::BAD_FLAG).with("flag", flag),
            Self::Level(level) => Message::new(&w::BAD_LEVEL).with("level", level),
            Self::TokenEmpty => Message::new(&w::BAD_TOKEN_EMPTY),
        }
    }

    /// The same as a reason that ends a plan. A reason has no language: what may be used stands there as the server writes it.
    pub(super) fn reason(&self) -> Reason {
        let (what, why) = match self {
            Self::UidEmpty => ("uid \"\"".to_owned(), "1…"),
            Self::UidChars(uid) => (format!("uid {uid}"), "@ # &"),
            Self::UidSystem(uid) => (format!("uid {uid}"), "systemuids"),
            Self::UidManager(uid) => (format!("uid {uid}"), "managerUID"),
            Self::UidVisitor => return Reason::new(ReasonCode::VisitorUid),
            Self::Flag(flag) => (format!("flag {flag}"), "0…255"),
            Self::Level(level) => (format!("level {level}"), "0 slave, 1 master"),
            Self::TokenEmpty => return Reason::new(ReasonCode::TokenEmpty),
        };
        Reason::new(ReasonCode::BadTarget).with("what", what).with("why", why)
    }
}

/// Everything that is wrong with a uid, a flag, a level and a token (`None`: not part of the question). Flag and level are
/// wider than a byte, so that what was typed can be judged. `system` are the server's system uids, where they are known.
pub(super) fn valid(uid: &str, flag: Option<i64>, level: Option<i64>, token: Option<&str>, system: &[String]) -> Vec<Problem> {
    let mut found = Vec::new();
    if uid.is_empty() {
        found.push(Problem::UidEmpty);
    }
    if uid.contains(['@', '#', '&']) {
        found.push(Problem::UidChars(uid.to_owned()));
    }
    if uid == MANAGER_UID {
        found.push(Problem::UidManager(uid.to_owned()));
    } else if uid == SYSTEM_UID || system.iter().any(|s| s == uid) {
        found.push(Problem::UidSystem(uid.to_owned()));
    }
    if uid.ends_with(VISITOR) {
        found.push(Problem::UidVisitor);
    }
    if let Some(flag) = flag.filter(|f| !(0..=255).contains(f)) {
        found.push(Problem::Flag(flag.to_string()));
    }
    if let Some(level) = level.filter(|l| !(0..=1).contains(l)) {
        found.push(Problem::Level(level.to_string()));
    }
    if token.is_some_and(str::is_empty) {
        found.push(Problem::TokenEmpty);
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::store::config::PlanLine;

    fn settings() -> WuKongIm {
        WuKongIm {
            flags: vec![("Android".into(), 4), ("iOS".into(), 5)],
            plan: vec![PlanLine { platform: "tablet".into(), flag: 6, master: false }],
            ..WuKongIm::default()
        }
    }

    #[test]
    fn a_flag_is_known_by_number_and_by_every_name() {
        let s = settings();
        for (typed, flag) in [("0", 0), ("255", 255), ("web", 1), ("SYSTEM", 99), ("ios", 5), ("Tablet", 6), (" 4 ", 4)] {
            assert_eq!(flag_number(&s, typed), Some(flag), "{typed}");
        }
        for typed in ["256", "-1", "260", "", "phone", "4x", "+4"] {
            assert_eq!(flag_number(&s, typed), None, "{typed}");
        }
        assert_eq!(flag_name(&s, 5), "iOS (5)");
        assert_eq!(flag_name(&s, 7), "7");
    }

    #[test]
    fn what_the_server_takes_and_what_would_not_work_is_refused_here() {
        let system = vec!["notice".to_owned()];
        let forbids = |uid: &str, flag, level, token| valid(uid, flag, level, token, &system).iter().any(Problem::forbids);
        assert!(!forbids("u1", Some(255), Some(1), Some("t")));
        for uid in ["", "a@b", "a#b", "a&b", "____system", "____manager", "notice"] {
            assert!(forbids(uid, Some(0), Some(0), None), "{uid:?}");
        }
        assert!(forbids("u1", Some(256), None, None) && forbids("u1", Some(-1), None, None));
        assert!(forbids("u1", None, Some(9), None));
        assert!(forbids("u1", None, None, Some("")));
        let visitor = valid("x___vstr", None, None, None, &system);
        assert_eq!(visitor, [Problem::UidVisitor]);
        assert!(!visitor[0].forbids(), "said, not forbidden");
    }

    #[test]
    fn zero_is_slave_and_one_is_master() {
        assert_eq!((level_number("slave"), level_number("Master"), level_number("2")), (Some(0), Some(1), None));
        assert_eq!((level_name(0), level_name(1)), ("slave", "master"));
    }
}

//! What can be done to a row as it stands. Pure: reads the cached row only.

use super::valid::VISITOR;
use crate::{
    domain::{Action, Effect, FactValue, Not, ReasonCode, Row, State, Tier},
    i18n::{Message, Words, wukongim_act as w},
    providers::GatewayFacts,
};

/// Key of the fact that says that a business server owns the account's tokens.
pub(super) const BUSINESS: &str = "business";

/// Key of the fact that says whether the business server's login by QR is for this row; absent where there is no such login.
pub(super) const QR_LOGIN: &str = "qr_login";

fn flagged(row: &Row, key: &str) -> bool {
    row.facts.iter().any(|f| f.key == key && matches!(f.value, FactValue::Flag(true)))
}

/// What a server of this version lacks. Told by its version as it is shown; one that is not told is taken as new enough.
fn version(facts: &GatewayFacts) -> Option<(u32, u32, u32)> {
    let text = facts.version.as_ref()?.as_str().trim_start_matches(['v', 'V']);
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(|p| p.parse().ok());
    let first = parts.next().flatten()?;
    Some((first, parts.next().flatten().unwrap_or(u32::MAX), parts.next().flatten().unwrap_or(u32::MAX)))
}

fn is_v1(facts: &GatewayFacts) -> bool {
    version(facts).is_some_and(|v| v.0 == 1)
}

/// `/conn/kick` is there from 2.1.1; the kick of v3 empties the token too.
fn kicks(facts: &GatewayFacts) -> bool {
    version(facts).is_none_or(|v| v >= (2, 1, 1) && v.0 == 2)
}

/// See [`crate::providers::Provider::can`].
pub(super) fn can(row: &Row, action: &Action, facts: &GatewayFacts) -> Result<Effect, Not> {
    let not_now = |words: &'static Words| Err(Not::NotNow(Message::new(words)));
    let never = |words: &'static Words| Err(Not::Unsupported(Message::new(words)));
    let device = row.device.is_some();
    let business = flagged(row, BUSINESS);
    // Losing what a business server puts back is worse than losing it: it waits for Enter.
    let effect = |tier, says: &'static Words, loses: &[&'static Words]| {
        let mut loses: Vec<Message> = loses.iter().map(|l| Message::new(l)).collect();
        let tier = if business && !loses.is_empty() { Tier::Hold } else { tier };
        if business && !loses.is_empty() {
            loses.push(Message::new(&w::LOSES_BUSINESS));
        }
        Ok(Effect { tier, loses, says: Message::new(says), restorable: false })
    };
    let because = |code: ReasonCode| row.link.reason.as_ref().is_some_and(|r| r.code == code);
    match action {
        Action::Pair if !row.facts.iter().any(|f| f.key == QR_LOGIN) => never(&w::NOT_PAIR),
        Action::Pair if !flagged(row, QR_LOGIN) => never(&w::NOT_PAIR_FLAG),
        Action::Pair if because(ReasonCode::Banned) => not_now(&w::NOT_BANNED),
        Action::Pair => Ok(Effect { tier: Tier::Now, loses: Vec::new(), says: Message::new(&w::SAYS_PAIR), restorable: false }),
        Action::Regenerate if !device => never(&w::NOT_ACCOUNT),
        Action::Regenerate if is_v1(facts) => never(&w::NOT_V1),
        Action::Regenerate if because(ReasonCode::Banned) => not_now(&w::NOT_BANNED),
        Action::Regenerate if because(ReasonCode::NeverIssued) => not_now(&w::NOT_ISSUED),
        Action::Regenerate if row.account.as_str().ends_with(VISITOR) => {
            let mut e = effect(Tier::Hold, &w::SAYS_REGENERATE, &[&w::LOSES_TOKEN, &w::LOSES_SESSION])?;
            e.loses.push(Message::new(&w::LOSES_VISITOR));
            Ok(e)
        }
        Action::Regenerate => effect(Tier::Swift, &w::SAYS_REGENERATE, &[&w::LOSES_TOKEN, &w::LOSES_SESSION]),
        Action::Wipe if device => effect(Tier::Swift, &w::SAYS_WIPE, &[&w::LOSES_TOKEN, &w::LOSES_SESSION]),
        Action::Wipe => effect(Tier::Swift, &w::SAYS_WIPE_ALL, &[&w::LOSES_TOKENS, &w::LOSES_SESSIONS]),
        Action::Do(verb) => match &**verb {
            "issue" if because(ReasonCode::Banned) => not_now(&w::NOT_BANNED),
            "issue" => effect(Tier::Swift, &w::SAYS_ISSUE, &[]),
            "kick" if !kicks(facts) => never(&w::NOT_KICK_HERE),
            "kick" if matches!(row.link.state, State::Offline | State::LoggedOut) => not_now(&w::NOT_OFFLINE_KICK),
            "kick" => effect(Tier::Swift, &w::SAYS_KICK, &[]),
            "hard-wipe" | "allow-sending" if device => never(&w::NOT_DEVICE),
            "hard-wipe" | "allow-sending" if version(facts).is_some_and(|v| v.0 >= 3) => never(&w::NOT_SEND_BAN),
            "hard-wipe" => effect(Tier::Hold, &w::SAYS_HARD, &[&w::LOSES_TOKENS, &w::LOSES_SESSIONS, &w::LOSES_SENDING]),
            "allow-sending" => effect(Tier::Swift, &w::SAYS_ALLOW, &[]),
            _ => never(&w::NOT_VERB),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::{
        domain::{Clean, Fact, GatewayId, Link, Reason, RemoteId},
        i18n::wukongim as words,
    };

    fn row(device: Option<&str>, state: State) -> Row {
        Row {
            gateway: GatewayId::new("im"),
            account: RemoteId::new("u1"),
            device: device.map(RemoteId::new),
            incarnation: None,
            label: Clean::new("u1"),
            identity: None,
            link: Link { state, ..Link::unknown() },
            tokens: Vec::new(),
            facts: Vec::new(),
        }
    }
    fn facts(version: &str) -> GatewayFacts {
        GatewayFacts { version: Some(Clean::new(version)), ..GatewayFacts::default() }
    }
    fn verb(v: &str) -> Action {
        Action::Do(v.into())
    }

    #[test]
    fn a_token_that_a_business_server_owns_waits_for_enter_and_says_what_will_happen() {
        let mut r = row(Some("1"), State::Online);
        assert_eq!(can(&r, &Action::Regenerate, &facts("2.2.5")).unwrap().tier, Tier::Swift);
        r.facts.push(Fact { key: BUSINESS, label: &words::KEY, value: FactValue::Flag(true) });
        for action in [Action::Regenerate, Action::Wipe] {
            let e = can(&r, &action, &facts("2.2.5")).unwrap();
            assert_eq!(e.tier, Tier::Hold);
            assert_eq!(e.loses.last().unwrap(), &Message::new(&w::LOSES_BUSINESS));
        }
        assert_eq!(can(&r, &verb("kick"), &facts("2.2.5")).unwrap().tier, Tier::Swift, "a kick loses no token");
    }

    #[test]
    fn what_was_never_issued_or_is_banned_is_not_regenerated() {
        for (code, words) in [(ReasonCode::NeverIssued, &w::NOT_ISSUED), (ReasonCode::Banned, &w::NOT_BANNED)] {
            let mut r = row(Some("4"), State::Offline);
            r.link.reason = Some(Reason::new(code));
            assert_eq!(can(&r, &Action::Regenerate, &facts("2.2.5")), Err(Not::NotNow(Message::new(words))));
        }
        assert!(matches!(can(&row(None, State::Online), &Action::Regenerate, &facts("2.2.5")), Err(Not::Unsupported(_))));
    }

    #[test]
    fn servers_say_what_they_cannot_do() {
        let r = row(Some("4"), State::Online);
        for (version, good) in [("2.0.3", false), ("v2.1.0", false), ("2.1.1", true), ("2.2.5-20260422", true), ("v2", true), ("v3 beta", false)] {
            assert_eq!(can(&r, &verb("kick"), &facts(version)).is_ok(), good, "{version}");
        }
        assert!(matches!(can(&r, &Action::Regenerate, &facts("1.2.6")), Err(Not::Unsupported(_))));
        assert!(can(&r, &Action::Wipe, &facts("v1")).is_ok());
        assert!(can(&row(None, State::Online), &verb("hard-wipe"), &facts("v3 beta")).is_err());
    }

    #[test]
    fn only_an_account_with_a_login_by_qr_and_its_browser_row_are_paired() {
        let of = |device: Option<&str>, qr: Option<bool>| {
            let mut r = row(device, State::Online);
            r.facts.extend(qr.map(|on| Fact { key: QR_LOGIN, label: &words::FACT_QR_LOGIN, value: FactValue::Flag(on) }));
            can(&r, &Action::Pair, &facts("2.2.5"))
        };
        assert_eq!(of(None, None), Err(Not::Unsupported(Message::new(&w::NOT_PAIR))));
        assert_eq!(of(Some("0"), Some(false)), Err(Not::Unsupported(Message::new(&w::NOT_PAIR_FLAG))));
        for device in [None, Some("1")] {
            let e = of(device, Some(true)).unwrap();
            assert_eq!((e.tier, e.loses.len()), (Tier::Now, 0), "its token is the one that the business server has already");
        }
    }

    #[test]
    fn a_visitor_uid_and_a_hard_wipe_wait_for_enter() {
        let mut r = row(Some("0"), State::Online);
        r.account = RemoteId::new("x___vstr");
        let e = can(&r, &Action::Regenerate, &facts("2.2.5")).unwrap();
        assert_eq!((e.tier, e.loses.last().unwrap().words), (Tier::Hold, &w::LOSES_VISITOR));
        let e = can(&row(None, State::Online), &verb("hard-wipe"), &facts("2.2.5")).unwrap();
        assert_eq!((e.tier, e.loses.len()), (Tier::Hold, 3));
    }
}

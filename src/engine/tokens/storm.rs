//! Whether somebody else holds a secret: told from what can be seen here, and never more than that.
//!
//! A platform that gives everybody the same token says nothing of those who fetch it too. What shows them is what they bring
//! about: tokens that die before their time, another token where none was asked for, a limit that few requests of ours cannot
//! have reached, the log of a bot that has the same secret. The reason names which of these it was, how often, and the window.

use crate::{
    domain::{Fingerprint, Reason, ReasonCode, Stamp, row::TokenSemantics},
    engine::who::process_at_host,
    providers::token::TokenRules,
    store::tokens::{KeptToken, Sign, SignKind, TokenRow},
};

/// More requests than this from here for one token within ten minutes are a storm of our own clients. What an operator orders is none of
/// theirs.
const OWN: u32 = 5;
/// So many tokens that went before their time are no whim of the platform.
const EARLY: u32 = 2;
/// So many refusals in a bot's log are a loop.
const BOT: u32 = 3;

/// Name of the reason's argument that says what was seen; the catalogue has words for each.
const EVIDENCE: &str = "evidence";

/// What the signs of the last ten minutes come to.
pub(super) fn of(row: &TokenRow) -> Option<Reason> {
    let s = &row.signs;
    let clients = row.fetches.saturating_sub(row.ordered);
    let (evidence, n) = if s.died.saturating_add(s.changed) >= EARLY {
        if s.changed > s.died { ("changed", s.changed) } else { ("died", s.died.saturating_add(s.changed)) }
    } else if s.limited > 0 && row.fetches <= OWN {
        ("limited", row.fetches)
    } else if s.bots >= BOT {
        ("bot", s.bots)
    } else if clients > OWN {
        ("fetches", clients)
    } else {
        return None;
    };
    let reason = Reason::new(ReasonCode::TokenStorm).with(EVIDENCE, evidence).with("n", n.to_string()).with("target", &row.key.id);
    Some(match (&s.bot, evidence) {
        (Some(bot), "bot") => reason.with("by", bot.as_str()),
        _ => reason,
    })
}

/// The platform gave another token than the one that lives and that nobody refused: who asked for that?
pub(super) fn changed(before: Option<&KeptToken>, rules: &TokenRules, asked: bool, new: &Fingerprint, now: &Stamp) -> Option<Sign> {
    let left = before.filter(|t| !t.rejected && !asked).map(|t| super::decide::left(t, now))?;
    let lives = match rules.semantics {
        TokenSemantics::SameUntilExpiry | TokenSemantics::SameThenOverlap | TokenSemantics::AutoRenewed => left > rules.overlap,
        // Every request brings another one there.
        TokenSemantics::Lasting | TokenSemantics::Rotating => false,
    };
    lives.then(|| Sign::of_token(SignKind::Changed, new, now.wall))
}

/// The platform says that too much was asked.
pub(super) fn limited(row: Option<&TokenRow>, why: &Reason, now: &Stamp) -> Option<Sign> {
    let few = row.is_none_or(|r| r.fetches < OWN);
    let sign = Sign { kind: SignKind::Limited, by: process_at_host(), nr: now.wall.0.unsigned_abs(), at: now.wall };
    (why.code == ReasonCode::RateLimited && few).then_some(sign)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::tokens::{Signs, TokenKey};

    fn row(signs: Signs, fetches: u32) -> TokenRow {
        let key = TokenKey {
            id: "corp:ops".into(),
            gateway: "corp".into(),
            account: "ops".into(),
            kind: "mint".into(),
            form: "query".into(),
            whose: String::new(),
        };
        TokenRow {
            key,
            generation: 1,
            token: None,
            forgotten: None,
            attempts: 1,
            ended: None,
            forced: false,
            trouble: None,
            hold: None,
            fetches,
            ordered: 0,
            signs,
            tried: None,
            untrusted: false,
            unopened: false,
        }
    }

    fn told(signs: Signs, fetches: u32) -> Option<String> {
        of(&row(signs, fetches)).map(|r| crate::i18n::reason::sentence(&r, crate::i18n::Lang::En))
    }

    #[test]
    fn each_evidence_is_named_with_its_count_and_window_and_one_early_death_is_no_storm() {
        assert_eq!(told(Signs { died: 1, ..Signs::default() }, 2), None);
        assert_eq!(told(Signs::default(), OWN), None);
        let says = |signs, fetches, words: &[&str]| {
            let text = told(signs, fetches).unwrap();
            assert!(words.iter().all(|w| text.contains(w)), "{text}");
        };
        says(Signs { died: 3, ..Signs::default() }, 3, &["3 tokens died early in 10 min", "somebody else holds this secret"]);
        says(Signs { changed: 2, ..Signs::default() }, 3, &["another token 2 times in 10 min", "somebody else holds this secret"]);
        says(Signs { limited: 1, ..Signs::default() }, 2, &["fetches from here in 10 min: 2", "somebody else"]);
        says(Signs { bots: 12, bot: Some("wecom-desk".into()), ..Signs::default() }, 1, &["wecom-desk", "12 refusals in 10 min"]);
        says(Signs::default(), 40, &["40 fetches in 10 min"]);
        // An operator who tries again is no client that loops.
        let tries = TokenRow { ordered: 38, ..row(Signs::default(), 40) };
        assert_eq!(of(&tries), None);
        // Our own storm reaches the limit too: then nobody else is accused.
        says(Signs { limited: 1, ..Signs::default() }, 40, &["40 fetches in 10 min"]);
    }
}

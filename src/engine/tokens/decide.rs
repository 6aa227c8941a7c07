//! What an ask comes to, from what is known: a pure function, so that every rule can be read and tested in one place.

use crate::{
    domain::{Fingerprint, Reason, ReasonCode, Secret, Stamp, row::TokenSemantics},
    providers::token::{Ask, TokenRules},
    store::tokens::{Cause, Hold, KeptToken, TokenRow},
};
use std::time::Duration;

/// A token that was fetched because the one before was refused, and is refused within this time, is not the platform's
/// oversight: another fetch would only go round in a loop.
pub(super) const AGAIN: Duration = Duration::from_secs(600);
/// What a report of a client came to is known for so long: no further try of the token is worth anything sooner.
pub(super) const CHECKED: Duration = Duration::from_secs(10);
/// First and longest time that a refused request is not repeated.
const SLOW: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// The same for trouble that may pass by itself.
const QUICK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Hand out what is there.
    Give,
    /// Ask the platform.
    Fetch(Cause),
    /// Say why not.
    Stop(Reason),
}

/// How long a kept token lives on. A wall clock that was set back never lengthens a life.
pub(super) fn left(token: &KeptToken, now: &Stamp) -> Duration {
    token.expires.left(now).min(life(token))
}

pub(super) fn life(token: &KeptToken) -> Duration {
    let ms = token.expires.wall.0.saturating_sub(token.issued.wall.0);
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// The token that a client reports as refused, where that is news of the one that lives.
pub(super) fn reported<'a>(row: Option<&'a TokenRow>, ask: &Ask, now: &Stamp) -> Option<&'a KeptToken> {
    alive(row, now).filter(|t| !t.rejected && ask.rejected.as_ref() == Some(&t.fingerprint))
}

/// How that token was found when it was tried a moment ago.
pub(super) fn checked(row: Option<&TokenRow>, now: &Stamp) -> Option<bool> {
    let row = row?;
    let (at, good) = row.tried?;
    let of_this = row.token.as_ref().is_some_and(|t| at >= t.issued.wall);
    (of_this && Stamp::wall_only(at).age(&Stamp::wall_only(now.wall)) < CHECKED).then_some(good)
}

/// The token that lives, where the log of a bot told since it was issued that one like it was refused, and it was not tried since.
/// What a look comes to is known for a while: a log that goes on does not cause a look each time.
pub(super) fn doubted<'a>(row: Option<&'a TokenRow>, now: &Stamp) -> Option<&'a KeptToken> {
    let (token, seen) = (alive(row, now).filter(|t| !t.rejected)?, row?.signs.doubt?);
    let tried = row?.tried.map(|(at, _)| at);
    let looked = tried.is_some_and(|at| at >= seen || Stamp::wall_only(at).age(&Stamp::wall_only(now.wall)) < CHECKED);
    // Logs have whole seconds, cut off.
    (seen.0 >= token.issued.wall.0.saturating_sub(999) && !looked).then_some(token)
}

/// The token of a row, while it lives.
pub(super) fn alive<'a>(row: Option<&'a TokenRow>, now: &Stamp) -> Option<&'a KeptToken> {
    row.and_then(|r| r.token.as_ref()).filter(|t| left(t, now) > Duration::ZERO)
}

/// What an ask comes to.
pub(super) fn decide(row: Option<&TokenRow>, ask: &Ask, rules: &TokenRules, now: &Stamp) -> Next {
    let broken = || row.and_then(TokenRow::broken);
    let none = || broken().unwrap_or_else(|| Reason::new(ReasonCode::NothingCached));
    let fetch = |cause| if ask.cached_only { Next::Stop(none()) } else { Next::Fetch(cause) };
    if ask.renew.is_some() {
        return fetch(Cause::Operator);
    }
    let Some(token) = alive(row, now) else { return fetch(if broken().is_some() { Cause::Broken } else { Cause::Cold }) };
    // Who asks plainly is not given what is known to be refused either; for a second word on it, it may still be tried.
    if ask.rejected.as_ref() == Some(&token.fingerprint) || (token.rejected && !ask.refused_too) {
        let recent = row.and_then(|r| r.ended).is_some_and(|at| at.age(now) < AGAIN);
        if token.renewed && recent {
            return Next::Stop(Reason::new(ReasonCode::TokenRejectedAgain));
        }
        return fetch(Cause::Rejected);
    }
    let left = left(token, now);
    if left < ask.min_life {
        if longer(rules, left, life(token), ask.min_life) && !ask.cached_only {
            return Next::Fetch(Cause::Due);
        }
        if ask.strict {
            return Next::Stop(too_short(left, ask.min_life));
        }
    }
    Next::Give
}

/// True when asking again gives a longer life than what is left.
fn longer(rules: &TokenRules, left: Duration, life: Duration, wanted: Duration) -> bool {
    match rules.semantics {
        TokenSemantics::Lasting | TokenSemantics::SameUntilExpiry => false,
        TokenSemantics::SameThenOverlap => left < rules.overlap && wanted <= life,
        TokenSemantics::AutoRenewed => left < life / 2,
        // Each fetch ends somebody's token: not for a life that no token of this platform has.
        TokenSemantics::Rotating => wanted <= life,
    }
}

pub(super) fn too_short(left: Duration, wanted: Duration) -> Reason {
    Reason::new(ReasonCode::LifeTooShort).with("left", left.as_secs().to_string()).with("wanted", wanted.as_secs().to_string())
}

/// When a timer asks again, as the life that it then demands; zero: when it is dead.
pub(super) fn early(rules: &TokenRules, life: Duration) -> Duration {
    match rules.semantics {
        TokenSemantics::Lasting | TokenSemantics::SameUntilExpiry => Duration::ZERO,
        TokenSemantics::SameThenOverlap => rules.overlap.min(life / 2),
        TokenSemantics::AutoRenewed => life / 10,
        TokenSemantics::Rotating => rules.overlap.max(life / 24).min(life / 2),
    }
}

/// Until when a token of this life is good: what the platform says of one that it gave again never lengthens a life that
/// still lasts.
///
/// `before`: the end of the same token as it was known before.
pub(super) fn expiry(before: Option<Stamp>, sent: &Stamp, promised: Duration, semantics: TokenSemantics, now: &Stamp) -> Stamp {
    let new = sent.plus(promised);
    match before.filter(|t| t.left(now) > Duration::ZERO) {
        Some(t) if semantics != TokenSemantics::AutoRenewed && t.left(now) < new.left(now) => t,
        _ => new,
    }
}

/// The known end of the token that the platform gave, if it was held here before: as it is, or as what was forgotten.
pub(super) fn known_end(row: Option<&TokenRow>, given: &Secret, fingerprint: &Fingerprint) -> Option<Stamp> {
    let row = row?;
    match &row.token {
        Some(t) => (t.text.as_ref() == Some(given)).then_some(t.expires),
        None => row.forgotten.as_ref().filter(|(f, _)| f == fingerprint).map(|(_, end)| *end),
    }
}

/// Why nothing is sent now, if a hold stands.
pub(super) fn held_back(row: Option<&TokenRow>, ask: &Ask, against: &Fingerprint, now: &Stamp) -> Option<Reason> {
    let hold = row?.hold.as_ref()?;
    // Only what nobody asks for waits for a wipe to be over.
    if hold.reason.code == ReasonCode::TokenForgotten {
        return None;
    }
    // An operator's word outweighs what was learnt, but not a platform that asks to slow down, unless that is the very word.
    if ask.renew.is_some() && (ask.past_pause || hold.reason.code != ReasonCode::RateLimited) {
        return None;
    }
    if hold.against.as_ref().is_some_and(|a| a != against) {
        return None;
    }
    match &hold.until {
        None => Some(hold.reason.clone()),
        Some(until) => {
            let left = until.left(now).min(SLOW.1);
            (left > Duration::ZERO).then(|| hold.reason.clone().without("retry_after").with("retry_after", left.as_secs().max(1).to_string()))
        }
    }
}

/// True when a demand for another token that ended so may have been carried out all the same: it was sent, and no answer says that it
/// was refused.
pub(super) fn maybe_done(reason: &Reason) -> bool {
    use ReasonCode as C;
    // Kinds of trouble that are met before anything is sent (`providers::http`).
    let unsent = ["connection refused", "connect timed out", "host unreachable", "network unreachable"];
    match reason.code {
        C::CredentialRefused | C::CredentialMissing | C::WrongId | C::WrongApp | C::AddressNotTrusted | C::AppDisabled => false,
        C::ApiForbidden | C::Forbidden | C::QuotaUsed | C::RateLimited | C::RotateByHand | C::NameUnknown | C::TlsFailed | C::Gone => false,
        C::Unreachable => !reason.raw.as_ref().is_some_and(|r| unsent.contains(&r.as_str())),
        _ => true,
    }
}

/// What a failed attempt means for the next one.
pub(super) fn hold(reason: &Reason, before: Option<&Hold>, against: &Fingerprint, now: &Stamp) -> Option<Hold> {
    use ReasonCode as C;
    let times = before.filter(|h| h.reason.code == reason.code).map_or(0, |h| h.times).saturating_add(1);
    let grown = |(first, longest): (Duration, Duration)| first.saturating_mul(1 << (times - 1).min(12)).min(longest);
    let asked = reason.arg("retry_after").and_then(|s| s.parse().ok()).map_or(Duration::ZERO, Duration::from_secs);
    let (until, against) = match reason.code {
        C::CredentialRefused | C::CredentialMissing => (None, Some(against.clone())),
        C::AddressNotTrusted | C::AppDisabled | C::WrongApp | C::Forbidden | C::QuotaUsed | C::WrongAddress => {
            (Some(grown(SLOW)), Some(against.clone()))
        }
        C::RateLimited => (Some(grown(SLOW).max(asked.min(SLOW.1))), None),
        _ => (Some(grown(QUICK).max(asked.min(SLOW.1))), None),
    };
    Some(Hold { reason: reason.clone(), until: until.map(|d| now.plus(d)), against, times })
}

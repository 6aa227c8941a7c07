//! From what is known of an account to its row. Pure.

use super::{answer, memory::Memory, platform::Platform};
use crate::{
    domain::{
        Clean, Fact, FactValue, Fingerprint, GatewayId, Link, Reason, ReasonCode, RemoteId, Row, Source, Stamp, State, TokenInfo, Wall,
        row::TokenSemantics,
    },
    i18n::{Words, wecom as w},
    providers::token::Held,
    store::{config::Account, tokens::Hold},
};

/// How a token was last found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Probed {
    /// Which token.
    pub(super) fingerprint: Fingerprint,
    /// When.
    pub(super) at: Stamp,
    /// What the platform had against it.
    pub(super) said: Option<Reason>,
}

/// All that is known of one account.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Its token, without the text.
    pub(super) held: Option<Held>,
    /// That its secret is not stored, if it is not.
    pub(super) missing: Option<Reason>,
    /// What outlives calls.
    pub(super) memory: Memory,
    /// The last probe.
    pub(super) probed: Option<Probed>,
    /// That somebody else holds the secret, as far as that was seen.
    pub(super) storm: Option<Reason>,
    /// When somebody wiped its token, if nobody has asked for one since.
    pub(super) wiped: Option<Stamp>,
    /// That the token which is kept does not open, if so.
    pub(super) broken: Option<Reason>,
    /// What stands against the next request for a token.
    pub(super) hold: Option<Hold>,
    /// Hosts share tokens: a copy may be there although none is held here.
    pub(super) shared: bool,
}

/// Key of the fact that the platform is not asked for a token before something else changes.
pub(super) const PAUSED: &str = "paused";
/// Key of the fact that it is not asked before that instant.
pub(super) const PAUSED_UNTIL: &str = "paused_until";
/// Key of the fact that hosts share this token.
pub(super) const SHARED: &str = "shared";

/// True for what only a person can put right: no request is worth anything until then.
pub(super) const fn refusing(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::CredentialRefused
            | ReasonCode::CredentialMissing
            | ReasonCode::WrongId
            | ReasonCode::AddressNotTrusted
            | ReasonCode::AppDisabled
            | ReasonCode::ApiForbidden
            | ReasonCode::WrongApp
    )
}

/// The state of an account whose token is not there or not to be had for this reason.
const fn without(code: ReasonCode) -> State {
    match code {
        c if refusing(c) => State::Refused,
        ReasonCode::Unreachable | ReasonCode::NameUnknown | ReasonCode::Slow | ReasonCode::PlatformUnavailable => State::Unreachable,
        _ => State::Unknown,
    }
}

/// What is left of a life at `now`; zero when it is over.
fn left(expires: &Stamp, now: &Stamp) -> std::time::Duration {
    now.age(expires)
}

impl Known {
    /// State and reason at `now`, and where they come from.
    pub(super) fn link(&self, now: Stamp) -> Link {
        let of = |state, source, reason, at| Link { state, since: None, observed_at: Some(at), source, reason, witnesses: Vec::new() };
        let Some(held) = &self.held else {
            let standing = self.memory.trouble.clone().filter(|r| refusing(r.code));
            let wiped = self.wiped.map(|at| Reason::new(ReasonCode::TokenForgotten).at(at));
            let why = self.missing.clone().or(standing).or(wiped).or_else(|| self.broken.clone()).or_else(|| self.memory.trouble.clone());
            let why = why.unwrap_or_else(|| Reason::new(ReasonCode::NeverFetched));
            let state = without(why.code);
            let why = if why.code == ReasonCode::RateLimited { self.stormy(why) } else { why };
            return of(state, Source::Own, Some(why), now);
        };
        let trouble = held.trouble.clone();
        if let Some(why) = trouble.clone().filter(|r| refusing(r.code)) {
            return of(State::Refused, Source::Own, Some(why), now);
        }
        if left(&held.expires, &now).is_zero() {
            return of(State::Expired, Source::Own, Some(trouble.unwrap_or_else(|| Reason::new(ReasonCode::TokenExpired))), now);
        }
        let this = self.probed.as_ref().filter(|p| p.fingerprint == held.fingerprint);
        if let Some((p, why)) = self.probed.as_ref().and_then(|p| Some((p, p.said.as_ref()?))) {
            // An address or an app is refused whatever the token.
            if refusing(why.code) {
                let why = if held.rejected { why.clone().without(answer::TOKEN).with(answer::TOKEN, "refused") } else { why.clone() };
                return of(State::Refused, Source::Probe, Some(why), p.at);
            }
            if this.is_some() && matches!(why.code, ReasonCode::TokenRejected | ReasonCode::TokenRejectedAgain) {
                return of(State::Expired, Source::Probe, Some(self.stormy(why.clone())), p.at);
            }
        }
        if held.rejected {
            let why = self.stormy(trouble.unwrap_or_else(|| Reason::new(ReasonCode::TokenRejected)));
            return of(State::Expired, Source::Own, Some(why), now);
        }
        // A renewed token of an app that was well is not news until its own probe says otherwise.
        let well = self.probed.as_ref().filter(|p| p.said.as_ref().is_none_or(|r| passing(r.code)));
        let beside = self.storm.clone().or(trouble).or_else(|| well.and_then(|p| p.said.clone()));
        match well {
            Some(p) => of(State::Ready, Source::Probe, beside, p.at),
            None => of(State::Unknown, Source::Own, self.probed.as_ref().and_then(|p| p.said.clone()).or(beside), now),
        }
    }
}

impl Known {
    /// The storm that explains `why`, with the platform's own code; else `why` itself.
    fn stormy(&self, why: Reason) -> Reason {
        match self.storm.clone() {
            Some(storm) => Reason { raw: why.raw, at: why.at, ..storm },
            None => why,
        }
    }
}

/// True for what says nothing against a token that was found good before.
const fn passing(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::RateLimited | ReasonCode::PlatformUnavailable)
}

/// What may be shown of a held token.
pub(super) fn info(held: &Held, semantics: TokenSemantics) -> TokenInfo {
    TokenInfo {
        fingerprint: held.fingerprint.clone(),
        length: held.length,
        issued_at: Some(held.issued.wall),
        expires_at: Some(held.expires.wall).filter(|w| *w > Wall(0)),
        generation: held.generation,
        semantics,
        rejected: held.rejected,
    }
}

/// The account's row.
pub(super) fn row(platform: &Platform, gateway: &GatewayId, account: &Account, known: &Known, now: Stamp) -> Row {
    let mut facts = Vec::new();
    let mut add = |key, label: &'static Words, value| facts.push(Fact { key, label, value });
    if let Some(name) = &known.memory.name {
        add("app_name", &w::FACT_NAME, FactValue::Text(name.clone()));
    }
    if !account.id.is_empty() {
        add("app_id", platform.id, FactValue::Text(Clean::new(&account.id)));
    }
    if let Some(held) = &known.held {
        add("refreshed", &w::FACT_REFRESHED, FactValue::At(held.issued));
        add("refreshed_by", &w::FACT_BY, FactValue::Text(held.by.clone()));
        add("fetches_10min", &w::FACT_FETCHES, FactValue::Count(u64::from(held.fetches)));
        let signs = &held.signs;
        let seen = [
            ("died_early_10min", &w::FACT_DIED, signs.died),
            ("changed_10min", &w::FACT_CHANGED, signs.changed),
            ("limited_10min", &w::FACT_LIMITED, signs.limited),
            ("bot_refusals_10min", &w::FACT_BOTS, signs.bots),
        ];
        for (key, label, n) in seen.into_iter().filter(|(_, _, n)| *n > 0) {
            add(key, label, FactValue::Count(u64::from(n)));
        }
        if let Some(at) = signs.last {
            add("last_sign", &w::FACT_LAST_SIGN, FactValue::At(Stamp::wall_only(at)));
        }
    }
    match known.hold.as_ref().filter(|h| h.stands(&now)).map(|h| h.until) {
        Some(Some(until)) => add(PAUSED_UNTIL, &w::FACT_PAUSED_UNTIL, FactValue::At(until)),
        Some(None) => add(PAUSED, &w::FACT_PAUSED, FactValue::Flag(true)),
        None => {}
    }
    if let Some(ip) = &known.memory.ip {
        add("egress_ip", &w::FACT_IP, FactValue::Text(ip.clone()));
    }
    if let Some(p) = &known.probed {
        add("probed", &w::FACT_PROBED, FactValue::At(p.at));
    }
    if known.shared {
        add(SHARED, &w::FACT_SHARED, FactValue::Flag(true));
    }
    if !account.mirror.is_empty() {
        let names: Vec<&str> = account.mirror.iter().map(|m| m.name()).collect();
        add("mirrors", &w::FACT_MIRRORS, FactValue::Text(Clean::new(&names.join(" "))));
    }
    facts.shrink_to_fit();
    Row {
        gateway: gateway.clone(),
        account: RemoteId::new(&account.name),
        device: None,
        incarnation: None,
        label: Clean::new(&account.name),
        identity: (!account.id.is_empty()).then(|| identity(&account.id)),
        link: known.link(now),
        tokens: known.held.iter().map(|h| info(h, platform.rules.semantics)).collect(),
        facts,
    }
}

/// An id that would pass for a phone number says that it is none.
fn identity(id: &str) -> Clean {
    let digits = id.len() >= 8 && id.bytes().all(|b| b.is_ascii_digit());
    Clean::new(&if digits { format!("id {id}") } else { id.to_owned() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::Secret;

    #[test]
    fn a_token_that_was_refused_is_never_called_good_where_its_address_is_refused_too() {
        let now = Stamp::wall_only(Wall(1_795_262_400_000));
        let fingerprint = Fingerprint::of(&[7; 32], &Secret::new("TOKEN-0123456789abcdef".into()));
        let said = |rejected| {
            let held = Held {
                fingerprint: fingerprint.clone(),
                length: 22,
                generation: 1,
                issued: now,
                expires: now.plus(std::time::Duration::from_secs(7200)),
                by: Clean::new("deck"),
                rejected,
                trouble: None,
                fetches: 1,
                storm: None,
                signs: crate::store::tokens::Signs::default(),
            };
            assert_eq!(info(&held, TokenSemantics::SameUntilExpiry).rejected, rejected);
            let why = Reason::new(ReasonCode::AddressNotTrusted).with("ip", "203.0.113.7");
            let probed = Some(Probed { fingerprint: fingerprint.clone(), at: now, said: Some(why) });
            let known = Known {
                held: Some(held),
                missing: None,
                memory: Memory::default(),
                probed,
                storm: None,
                wiped: None,
                broken: None,
                hold: None,
                shared: false,
            };
            crate::i18n::reason::sentence(known.link(now).reason.as_ref().unwrap(), crate::i18n::Lang::En)
        };
        assert_eq!(said(false), "The token is good, but the platform does not trust the address 203.0.113.7.");
        assert_eq!(said(true), "The platform does not trust the address 203.0.113.7.");
    }
}

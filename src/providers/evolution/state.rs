//! From what memory and database say to one link: the worse one rules, both are kept as witnesses.

use super::wire::Instance;
use crate::{
    domain::{
        Clean, Fact, FactValue, Fingerprint, GatewayId, Link, Reason, ReasonCode, RemoteId, Row, Source, Stamp, State, TokenInfo, Witness,
        row::TokenSemantics,
    },
    i18n::evolution as w,
};

/// What the server's memory says of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Who told.
    pub(super) source: Source,
    /// `open`, `connecting`, `close`, `refused`.
    pub(super) word: Box<str>,
    /// The status code that came with it.
    pub(super) code: Option<i64>,
    /// When the word was first heard.
    pub(super) since: Stamp,
    /// When it was last heard.
    pub(super) at: Stamp,
    /// True when the change itself was witnessed, so that `since` is its instant.
    pub(super) exact: bool,
}

impl Memory {
    /// What a source says at this instant; since when is not known.
    pub(super) fn told(source: Source, word: &str, at: Stamp) -> Self {
        Self { source, word: word.into(), code: None, since: at, at, exact: false }
    }
}

/// The reason behind a disconnect code (Baileys' `DisconnectReason`).
pub(super) fn disconnect(code: i64) -> ReasonCode {
    match code {
        401 => ReasonCode::LoggedOut,
        402 | 403 | 406 => ReasonCode::Forbidden,
        408 => ReasonCode::TimedOut,
        428 => ReasonCode::ConnectionClosed,
        440 => ReasonCode::Replaced,
        411 | 500 => ReasonCode::BadSession,
        515 => ReasonCode::RestartRequired,
        503 => ReasonCode::PlatformUnavailable,
        _ => ReasonCode::Disconnected,
    }
}

/// What a word of the server means, given the code of the disconnect behind it.
pub(super) fn meaning(word: &str, code: Option<i64>) -> State {
    match word {
        "open" => State::Online,
        "connecting" => State::Connecting,
        "close" | "closed" | "refused" if code == Some(401) => State::LoggedOut,
        "close" | "closed" | "refused" => State::Offline,
        _ => State::Unknown,
    }
}

/// The link of a row as the list and the server's memory have it. `listed` is when the list was read.
pub(super) fn link(row: &Instance, memory: Option<&Memory>, listed: Stamp) -> Link {
    // And the other way round: a row that was made anew holds no code, and would seem to differ from what memory was told.
    let told = memory.filter(|m| m.word.as_ref() == "close").and_then(|m| m.code).filter(|c| *c != 200);
    let state = meaning(&row.status, row.code.or(told));
    let database = Witness { source: Source::List, says: Clean::new(&row.status), state, observed_at: listed };
    let mut witnesses = Vec::with_capacity(2);
    if let Some(m) = memory {
        // A close that memory tells without a code is explained by the database's code, if that is of the same disconnect.
        let code = m.code.filter(|c| *c != 200).or_else(|| (m.word.as_ref() == "close").then_some(row.code).flatten());
        witnesses.push(Witness { source: m.source, says: Clean::new(&m.word), state: meaning(&m.word, code), observed_at: m.at });
    }
    // A list read before memory changed says nothing about now.
    let outdated = memory.is_some_and(|m| m.exact && later(&m.since, &listed));
    if !outdated {
        witnesses.push(database);
    }
    let worst = witnesses.iter().min_by_key(|x| x.state.rank()).cloned();
    let (state, source, observed_at) = worst.map_or((State::Unknown, Source::List, listed), |x| (x.state, x.source, x.observed_at));
    let since = match memory.filter(|m| m.exact && meaning(&m.word, m.code) == state) {
        Some(m) => Some(m.since),
        None => matches!(state, State::Offline | State::LoggedOut).then_some(row.disconnected.map(Stamp::wall_only)).flatten(),
    };
    let mut link = Link { state, since, observed_at: Some(observed_at), source, reason: None, witnesses };
    link.reason = reason(row, memory, &link);
    if link.witnesses.len() == 1 {
        link.witnesses.clear();
    }
    link
}

fn later(a: &Stamp, b: &Stamp) -> bool {
    match (a.boot, b.boot) {
        (Some((x, a)), Some((y, b))) if x == y => a > b,
        _ => a.wall > b.wall,
    }
}

fn reason(row: &Instance, memory: Option<&Memory>, link: &Link) -> Option<Reason> {
    if link.state == State::Online {
        return None;
    }
    if link.differs() {
        let said = |s: Source| link.witnesses.iter().find(|x| x.source == s).map_or(String::new(), |x| format!("{}: {}", s.name(), x.says));
        let raw = link.witnesses.iter().map(|x| said(x.source)).collect::<Vec<_>>().join(", ");
        return Some(Reason::new(ReasonCode::WitnessesDiffer).raw(raw));
    }
    if !matches!(link.state, State::Offline | State::LoggedOut) {
        return None;
    }
    let code = memory.filter(|m| m.exact).and_then(|m| m.code).filter(|c| *c != 200).or(row.code);
    match code {
        Some(code) => {
            let raw = match row.told.as_deref().filter(|_| row.code == Some(code)) {
                Some(text) => format!("{code} {text}"),
                None => code.to_string(),
            };
            // The server writes this text when its own logout was called (evolution 2.3.7, ws-global, +45.0).
            let called = code == 401 && row.code == Some(code) && row.told.as_deref().is_some_and(|t| t.starts_with("Log out instance"));
            let reason = Reason::new(if called { ReasonCode::Wiped } else { disconnect(code) }).raw(raw);
            Some(match row.disconnected {
                Some(at) if row.code == Some(code) => reason.at(Stamp::wall_only(at)),
                _ => reason,
            })
        }
        None if row.owner.is_none() => Some(Reason::new(ReasonCode::NeverPaired)),
        None => Some(Reason::new(ReasonCode::Disconnected)),
    }
}

/// The row as the deck lists it.
pub(super) fn row(gateway: &GatewayId, key: &[u8; 32], i: &Instance, memory: Option<&Memory>, listed: Stamp) -> Row {
    let number = i.owner.as_deref().and_then(|o| o.split(['@', ':']).next()).filter(|d| !d.is_empty());
    let mut facts = Vec::new();
    let mut fact = |key, label, value| facts.push(Fact { key, label, value });
    if let Some(n) = number {
        fact("number", &w::FACT_NUMBER, FactValue::Number(Clean::new(&format!("+{n}"))));
    }
    if let Some(p) = &i.profile {
        fact("profile", &w::FACT_PROFILE, FactValue::Text(Clean::new(p)));
    }
    if let Some(kind) = &i.integration {
        fact("integration", &w::FACT_INTEGRATION, FactValue::Text(Clean::new(kind)));
    }
    if let Some((messages, contacts, chats)) = i.counts {
        fact("messages", &w::FACT_MESSAGES, FactValue::Count(messages));
        fact("contacts", &w::FACT_CONTACTS, FactValue::Count(contacts));
        fact("chats", &w::FACT_CHATS, FactValue::Count(chats));
    }
    if let Some(at) = i.created {
        fact("created_at", &w::FACT_CREATED, FactValue::At(Stamp::wall_only(at)));
    }
    // Ten thousand rows are kept: no room to spare in each.
    facts.shrink_to_fit();
    let tokens = i.token.iter().map(|t| TokenInfo {
        fingerprint: Fingerprint::of(key, t),
        length: t.len(),
        issued_at: i.created,
        expires_at: None,
        generation: 0,
        semantics: TokenSemantics::Lasting,
        rejected: false,
    });
    Row {
        gateway: gateway.clone(),
        account: RemoteId::new(&i.name),
        device: None,
        incarnation: i.id.clone(),
        label: Clean::new(&i.name),
        identity: number.map(|n| Clean::new(&format!("+{n}"))),
        link: link(i, memory, listed),
        tokens: tokens.collect(),
        facts,
    }
}

/// A number that changes when a row tells something else than when it was observed: what was reported is remembered by it,
/// because ten thousand whole rows would be kept for nothing but this comparison.
pub(super) fn story(row: &Row) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut h = DefaultHasher::new();
    let stamp = |s: &Stamp| (s.wall, s.boot);
    (row.link.state, row.link.since.as_ref().map(stamp)).hash(&mut h);
    row.link.reason.as_ref().map(|r| (r.code, &r.raw)).hash(&mut h);
    for w in &row.link.witnesses {
        (w.source, w.state).hash(&mut h);
    }
    (&row.incarnation, &row.identity).hash(&mut h);
    for t in &row.tokens {
        (&t.fingerprint, t.length, t.issued_at, t.expires_at, t.generation).hash(&mut h);
    }
    for f in &row.facts {
        f.key.hash(&mut h);
        match &f.value {
            FactValue::Text(t) => (0, t).hash(&mut h),
            FactValue::Number(t) => (1, t).hash(&mut h),
            FactValue::Count(n) => (2, n).hash(&mut h),
            FactValue::At(at) => (3, stamp(at)).hash(&mut h),
            FactValue::Flag(on) => (4, on).hash(&mut h),
        }
    }
    h.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::domain::{Boot, Wall};
    use serde_json::json;

    fn at(s: u64) -> Stamp {
        Stamp { wall: Wall(i64::try_from(s).unwrap() * 1000), boot: Some((1, Boot(s * 1000))) }
    }
    fn inst(v: serde_json::Value) -> Instance {
        Instance::read(&v).unwrap()
    }
    fn mem(word: &str, s: u64, exact: bool) -> Memory {
        Memory { source: Source::Events, word: word.into(), code: None, since: at(s), at: at(s), exact }
    }

    #[test]
    fn memory_and_database_that_disagree_are_both_shown_and_the_worse_one_rules() {
        // Recordings 73 and 74: after the QR limit.
        let i = inst(json!({"name":"limit","connectionStatus":"connecting"}));
        let l = link(&i, Some(&mem("close", 5, false)), at(6));
        assert!(l.differs());
        assert_eq!((l.state, l.witnesses.len()), (State::Offline, 2));
        assert_eq!(l.reason.unwrap().code, ReasonCode::WitnessesDiffer);
        let dead = link(&inst(json!({"name":"a","connectionStatus":"open"})), Some(&mem("close", 5, false)), at(6));
        assert_eq!(dead.state, State::Offline);
    }

    #[test]
    fn a_list_older_than_an_event_does_not_contradict_it() {
        let i = inst(json!({"name":"a","connectionStatus":"connecting"}));
        let l = link(&i, Some(&mem("open", 9, true)), at(6));
        assert_eq!((l.state, l.differs()), (State::Online, false));
        assert_eq!(l.since, Some(at(9)));
    }

    #[test]
    fn every_disconnect_code_has_its_reason() {
        use ReasonCode as C;
        for (code, want) in [
            (401, C::LoggedOut),
            (402, C::Forbidden),
            (403, C::Forbidden),
            (406, C::Forbidden),
            (408, C::TimedOut),
            (428, C::ConnectionClosed),
            (440, C::Replaced),
            (500, C::BadSession),
            (503, C::PlatformUnavailable),
            (515, C::RestartRequired),
            (999, C::Disconnected),
        ] {
            let i = inst(json!({"name":"a","connectionStatus":"close","ownerJid":"55@s","disconnectionReasonCode":code}));
            let l = link(&i, None, at(1));
            assert_eq!(l.reason.unwrap().code, want, "{code}");
            assert_eq!(l.state, if code == 401 { State::LoggedOut } else { State::Offline });
        }
    }

    #[test]
    fn an_old_disconnect_does_not_explain_a_row_that_connects_again() {
        // Recording 70.
        let l = link(&inst(json!({"name":"d","connectionStatus":"connecting","disconnectionReasonCode":401})), None, at(1));
        assert_eq!((l.state, l.reason), (State::Connecting, None));
    }

    #[test]
    fn a_row_without_owner_and_disconnect_was_never_paired() {
        let l = link(&inst(json!({"name":"n","connectionStatus":"close"})), None, at(1));
        assert_eq!(l.reason.unwrap().code, ReasonCode::NeverPaired);
    }

    #[test]
    fn a_row_shows_its_number_and_never_its_token() {
        let i = inst(
            json!({"id":"x","name":"a\u{202e}b","connectionStatus":"open","ownerJid":"5511999990001:7@s.whatsapp.net","token":"F00EB28B-80C2-47C7-9632-2F0B5AEDA604"}),
        );
        let r = row(&GatewayId::new("wa"), &[1; 32], &i, None, at(1));
        assert_eq!(r.identity.as_ref().unwrap().as_str(), "+5511999990001");
        assert_eq!((r.account.as_str(), r.label.as_str()), ("a\u{202e}b", "ab⚠"));
        assert!(!format!("{r:?}").contains("F00EB28B"));
    }
}

//! What can be done to a row as it stands. Pure: reads the cached row only.

use crate::{
    domain::{Action, Effect, FactValue, Not, Row, State, Tier},
    i18n::{Message, Words, evolution as w},
    providers::GatewayFacts,
};

/// Why a key that sees one row only cannot create or delete and create.
fn narrow(facts: &GatewayFacts) -> Result<(), Not> {
    if facts.whole { Ok(()) } else { Err(Not::Unsupported(Message::new(&w::NOT_NARROW))) }
}

fn effect(tier: Tier, says: &'static Words, loses: &[&'static Words]) -> Effect {
    Effect { tier, loses: loses.iter().map(|l| Message::new(l)).collect(), says: Message::new(says), restorable: false }
}

fn is_baileys(row: &Row) -> bool {
    row.facts.iter().filter(|f| f.key == "integration").all(|f| matches!(&f.value, FactValue::Text(t) if t.as_str() == "WHATSAPP-BAILEYS"))
}

/// See [`crate::providers::Provider::can`].
pub(super) fn can(row: &Row, action: &Action, facts: &GatewayFacts) -> Result<Effect, Not> {
    if row.device.is_some() {
        return Err(Not::Unsupported(Message::new(&w::NOT_DEVICE)));
    }
    let not_now = |words| Err(Not::NotNow(Message::new(words)));
    // Memory or database may say that it is live: the safer reading counts.
    let says = |s: State| row.link.state == s || row.link.witnesses.iter().any(|x| x.state == s);
    match action {
        Action::Pair if !is_baileys(row) => Err(Not::Unsupported(Message::new(&w::NOT_BAILEYS))),
        Action::Pair if row.link.state == State::Online => not_now(&w::NOT_ONLINE_PAIR),
        Action::Pair => Ok(effect(Tier::Now, &w::SAYS_PAIR, &[])),
        Action::Wipe if row.link.state == State::LoggedOut && !row.link.differs() => not_now(&w::NOT_LOGGED_IN),
        Action::Wipe => Ok(effect(Tier::Swift, &w::SAYS_WIPE, &[&w::LOSES_SESSION])),
        Action::Regenerate if !is_baileys(row) => Err(Not::Unsupported(Message::new(&w::NOT_BAILEYS))),
        Action::Regenerate => {
            narrow(facts)?;
            Ok(effect(Tier::Hold, &w::SAYS_REGENERATE, &[&w::LOSES_TOKEN, &w::LOSES_SESSION, &w::LOSES_MESSAGES]))
        }
        Action::Do(verb) => match &**verb {
            "restart" if !says(State::Online) && !says(State::Connecting) => not_now(&w::NOT_CLOSED_RESTART),
            "restart" => Ok(effect(Tier::Swift, &w::SAYS_RESTART, &[])),
            "create" => {
                narrow(facts)?;
                Ok(effect(Tier::Swift, &w::SAYS_CREATE, &[]))
            }
            "delete" => Ok(effect(Tier::Hold, &w::SAYS_DELETE, &[&w::LOSES_SESSION, &w::LOSES_MESSAGES, &w::LOSES_SETTINGS])),
            _ => Err(Not::Unsupported(Message::new(&w::NOT_VERB))),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::{
        domain::{Clean, GatewayId, Link, RemoteId},
        i18n::Lang,
    };

    fn row(state: State) -> Row {
        Row {
            gateway: GatewayId::new("wa"),
            account: RemoteId::new("a"),
            device: None,
            incarnation: None,
            label: Clean::new("a"),
            identity: None,
            link: Link { state, ..Link::unknown() },
            tokens: Vec::new(),
            facts: Vec::new(),
        }
    }
    fn whole() -> GatewayFacts {
        GatewayFacts { whole: true, ..GatewayFacts::default() }
    }

    #[test]
    fn an_online_row_is_not_paired_and_says_what_to_do_first() {
        let Err(Not::NotNow(m)) = can(&row(State::Online), &Action::Pair, &whole()) else { panic!("should not pair") };
        assert!(m.text(Lang::En).contains("wipe it first"));
        assert!(can(&row(State::LoggedOut), &Action::Pair, &whole()).is_ok());
    }

    #[test]
    fn an_instance_token_neither_creates_nor_regenerates() {
        let narrow = GatewayFacts { whole: false, ..GatewayFacts::default() };
        for a in [Action::Regenerate, Action::Do("create".into())] {
            assert!(matches!(can(&row(State::Offline), &a, &narrow), Err(Not::Unsupported(_))));
            assert!(can(&row(State::Offline), &a, &whole()).is_ok());
        }
    }

    #[test]
    fn what_loses_something_for_good_is_held_and_lists_it() {
        for a in [Action::Regenerate, Action::Do("delete".into())] {
            let e = can(&row(State::Online), &a, &whole()).unwrap();
            assert_eq!(e.tier, Tier::Hold);
            assert!(e.loses.len() >= 3);
        }
    }

    #[test]
    fn a_closed_row_is_not_restarted_because_the_server_would_answer_success() {
        assert!(matches!(can(&row(State::Offline), &Action::Do("restart".into()), &whole()), Err(Not::NotNow(_))));
        assert!(can(&row(State::Online), &Action::Do("restart".into()), &whole()).is_ok());
    }
}

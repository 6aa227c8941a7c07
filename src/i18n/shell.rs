//! Words for somebody at a shell: where a sentence of the deck names its keys, the command stands instead.

use super::{Message, Words, command as c, reason, sessions as s, telegram as tg, token as t};
use crate::domain::{Reason, ReasonCode};

/// What to do about a reason.
pub fn remedy_words(why: &Reason) -> Option<&'static Words> {
    use ReasonCode as C;
    let arg = |name: &str| why.arg(name);
    let words = match why.code {
        C::CredentialRefused if arg("account").is_some() && arg("refused").is_none() => &t::SECRET_REFUSED_SH_DO,
        C::CredentialMissing if arg("account").is_some() && arg("needs").is_none() => &t::SECRET_MISSING_SH_DO,
        // The code is the official accounts' own.
        C::AddressNotTrusted if arg("errcode") == Some("40164") => &t::ADDRESS_OA_SH_DO,
        C::AddressNotTrusted => &t::ADDRESS_SH_DO,
        C::TokenExpired if arg("evidence") == Some("again") => return reason::remedy_words(why),
        C::TokenExpired if arg("bot").is_some() => &t::EXPIRED_BOT_SH_DO,
        C::TokenExpired => &t::EXPIRED_SH_DO,
        C::TokenRejected => &t::REJECTED_SH_DO,
        C::NeverFetched => &t::FETCHED_SH_DO,
        C::TokenForgotten => &t::FORGOTTEN_SH_DO,
        C::RotateByHand => &t::BY_HAND_SH_DO,
        C::TokenStorm if matches!(arg("evidence"), Some("died" | "changed")) => &t::STORM_RESET_SH_DO,
        C::TokenStorm if arg("evidence") == Some("bot") => &t::STORM_BOT_SH_DO,
        C::PersonNeeded if arg("evidence") == Some("stopped") => &tg::STOPPED_SH_DO,
        C::RateLimited if arg("retry_after").is_some() => &c::LIMITED_FOR_DO,
        C::RateLimited => &c::LIMITED_DO,
        C::Slow => &c::SLOW_DO,
        C::VaultLocked if arg("evidence").is_none() => &c::VAULT_LOCKED_DO,
        C::VaultLocked if matches!(arg("evidence"), Some("passphrase" | "passphrase_wrong")) => &c::VAULT_TYPED_DO,
        C::VaultLocked => &c::VAULT_MEND_DO,
        C::Busy if arg("evidence") == Some("key_changed") => return reason::remedy_words(why),
        C::LoggedOut | C::Wiped | C::NeverPaired => &c::PAIR_DO,
        C::AttemptSpoilt | C::ServerRestarted | C::MayBeLinked | C::BadSession => &c::SPOILT_DO,
        C::Replaced => &c::REPLACED_DO,
        C::TimedOut | C::ConnectionClosed | C::Disconnected | C::WitnessesDiffer => &c::RESTART_DO,
        C::AlreadyOnline => &c::WIPE_FIRST_DO,
        C::ServerRefused if reason::remedy_words(why).is_none_or(|w| w.name == reason::SERVER_REFUSED_DO.name) => &c::REFUSED_DO,
        C::ClockBlocked | C::ClockUnknown => &c::CLOCK_DO,
        C::QrLimit | C::AttemptExpired | C::NotProven => &c::AGAIN_DO,
        C::Busy => &c::BUSY_DO,
        C::KilledInFlight | C::Foreign => &c::LOOK_DO,
        C::NotFound => &c::CREATE_DO,
        C::FlagMismatch => &c::FLAG_DO,
        C::NeverIssued | C::TokenOverwritten | C::FlagCollision | C::FlagUnsteady | C::Displaced => &c::ISSUE_DO,
        C::FlagTaken => &c::FREE_FLAG_DO,
        C::ConnUnclear => &c::KICK_DO,
        C::TokenWiped => &c::RENEW_DO,
        C::TokenEmpty | C::TokenNeverHeld => &c::GIVE_DO,
        C::TokenRejectedAgain if arg("target").is_some() => &t::REJECTED_AGAIN_SH_DO,
        C::TokenRejectedAgain => &c::SECRET_DO,
        C::SendBanned => &c::ALLOW_DO,
        C::WrongAccount => &c::WRONG_ACCOUNT_DO,
        C::Internal => &c::INTERNAL_DO,
        C::SessionAbsent | C::SessionEmpty => &s::PAIR_SH_DO,
        C::KeyTwin => &s::TWIN_SH_DO,
        C::SlotFileThere => &s::FILE_THERE_SH_DO,
        C::SessionDuplicated if arg("evidence") == Some("operator") => &s::OPERATOR_DUPLICATED_SH_DO,
        C::SessionTruncated
        | C::SessionCorrupt
        | C::SessionKeyId
        | C::SessionDuplicated
        | C::SessionRevoked
        | C::RebuildLoop
        | C::SlotResurrected => &s::RENEW_SH_DO,
        C::Unconfirmed if arg("evidence") == Some("fresh") => &tg::UNCONFIRMED_FRESH_SH_DO,
        C::Unconfirmed => &tg::UNCONFIRMED_SH_DO,
        _ => return reason::remedy_words(why),
    };
    Some(words)
}

/// The same sentence without keys of the deck, where it has any.
pub fn told(mut message: Message) -> Message {
    message.words = match message.words.name {
        "telegram.NOT_IN" => &tg::NOT_IN_SH,
        "telegram.NOT_TWICE" => &tg::NOT_TWICE_SH,
        "telegram.NOT_SESSION" => &tg::NOT_SESSION_SH,
        "telegram.NOT_REGENERATE" => &tg::NOT_REGENERATE_SH,
        "telegram.NOT_REGENERATE_ACCOUNT" => &tg::NOT_REGENERATE_ACCOUNT_SH,
        "telegram.NOT_OWN" => &tg::NOT_OWN_SH,
        "telegram.NOT_PAIR_SESSION" => &tg::NOT_PAIR_SESSION_SH,
        "telegram.NOT_PAIR_SLOT" => &tg::NOT_PAIR_SLOT_SH,
        "telegram.LEFT_SOME" => &tg::LEFT_SOME_SH,
        "telegram.LEFT_LATER" => &tg::LEFT_LATER_SH,
        "clock.DO_NEW_CODE" => &c::CLOCK_NEW_CODE_DO,
        "clock.DO_ASK" => &c::CLOCK_ASK_DO,
        "clock.DO_DATE_INCONSISTENT" => &c::CLOCK_COMPARE_DO,
        "telegram.LEFT_TWIN" => &tg::LEFT_TWIN_SH,
        _ => message.words,
    };
    message
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::i18n::Lang;

    /// A key of the deck in a sentence: one letter between marks, or two with a space, or a named one.
    fn keys(text: &str) -> Vec<&str> {
        let marked = text.split('`').skip(1).step_by(2);
        marked.filter(|m| m.chars().count() == 1 || (m.len() == 3 && m.as_bytes()[1] == b' ') || *m == "Enter").collect()
    }

    #[test]
    fn no_remedy_at_a_shell_names_a_key_of_the_deck() {
        assert_eq!(keys("`p` or `m r` or `Enter`, not `pairdeck pair`"), ["p", "m r", "Enter"]);
        for code in ReasonCode::ALL {
            let plain = Reason::new(*code);
            let more = [
                ("account", "tg:ada"),
                ("bot", "desk"),
                ("evidence", "operator"),
                ("evidence", "absent"),
                ("evidence", "fresh"),
                ("evidence", "stored"),
                ("evidence", "died"),
                ("evidence", "bot"),
                ("evidence", "limited"),
                ("evidence", "key_changed"),
                ("evidence", "passphrase"),
                ("evidence", "keyring_none"),
                ("evidence", "ca_itself"),
                ("evidence", "gap"),
                ("evidence", "untried"),
                ("evidence", "owned"),
                ("dc", "4"),
                ("refused", "api_id"),
            ];
            let all = more.iter().map(|(n, v)| plain.clone().with("account", "tg:ada").with(n, v)).chain([plain.clone()]);
            for why in all {
                if let Some(words) = remedy_words(&why) {
                    assert!(keys(words.get(Lang::En)).is_empty(), "{why:?}: {}", words.get(Lang::En));
                    assert!(!words.get(Lang::Zh).contains('按'), "{why:?}: {}", words.get(Lang::Zh));
                }
            }
        }
    }

    #[test]
    fn what_to_do_about_a_clock_names_no_key_at_a_shell() {
        for words in crate::i18n::clock::ALL.iter().filter(|w| w.name.starts_with("clock.DO_")) {
            let said = told(Message::new(words)).words;
            assert!(keys(said.get(Lang::En)).is_empty(), "{}: {}", words.name, said.get(Lang::En));
            assert!(!said.get(Lang::Zh).contains('按'), "{}: {}", words.name, said.get(Lang::Zh));
        }
    }

    #[test]
    fn what_telegram_cannot_do_names_commands_at_a_shell() {
        for words in tg::ALL.iter().filter(|w| w.name.starts_with("telegram.NOT_") || w.name.starts_with("telegram.LEFT_")) {
            let said = told(Message::new(words)).words;
            assert!(keys(said.get(Lang::En)).is_empty(), "{}: {}", words.name, said.get(Lang::En));
            assert!(!said.get(Lang::Zh).contains('按'), "{}: {}", words.name, said.get(Lang::Zh));
        }
    }
}

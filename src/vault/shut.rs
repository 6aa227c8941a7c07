//! Why a vault does not open, or does not change, as a reason: each key source has words and a remedy of its own.

use crate::{
    domain::{Reason, ReasonCode},
    i18n::{Lang, Message, store as words},
    store::StoreError,
};

/// What tells those reasons apart: the value of their `evidence`. A locked keyring has none: its words are the code's own.
#[cfg(test)]
pub(crate) const EVIDENCE: [&str; 10] = [
    "passphrase",
    "passphrase_wrong",
    "keyring_none",
    "keyring_silent",
    "keyring_gone",
    "key_file_gone",
    "key_file_refused",
    "credential",
    "memory",
    "as_it_is",
];

/// The sentence as a reason. What is the database's trouble keeps that code: nothing is locked then, and nothing can be unlocked.
pub(super) fn reason(why: &Message) -> Reason {
    let source = why.arg("source").unwrap_or_default();
    let evidence = match why.words {
        w if w == &words::KEYRING_LOCKED => return Reason::new(ReasonCode::VaultLocked).raw(why.text(Lang::En)),
        w if w == &words::PASSPHRASE_NEEDED => "passphrase",
        w if w == &words::PASSPHRASE_WRONG => "passphrase_wrong",
        w if w == &words::KEYRING_NONE || w == &words::KEYRING_NO_COLLECTION => "keyring_none",
        w if w == &words::KEYRING_STUCK || w == &words::KEYRING_FAILED => "keyring_silent",
        w if w == &words::KEY_MISSING && source == "key file" => "key_file_gone",
        w if w == &words::KEY_MISSING || (w == &words::KEY_WRONG && source == "keyring") => "keyring_gone",
        w if w == &words::CREDENTIAL_NONE || w == &words::CREDENTIAL_NEXT || (w == &words::KEY_WRONG && source == "credential") => "credential",
        w if w == &words::KEY_LOOSE || w == &words::KEY_OWNER || w == &words::KEY_UNREAD || w == &words::KEY_WRONG => "key_file_refused",
        w if w == &words::MEMORY_GONE => "memory",
        w if w == &words::KEY_CHANGED => return Reason::new(ReasonCode::Busy).with("evidence", "key_changed").raw(why.text(Lang::En)),
        _ => {
            let trouble = StoreError::said(why.clone());
            if trouble.unwritten() {
                return trouble.reason();
            }
            "as_it_is"
        }
    };
    Reason::new(ReasonCode::VaultLocked).with("evidence", evidence).raw(why.text(Lang::En))
}

/// True when a person can open it from here: by a passphrase, or in the keyring's own dialogue.
pub(crate) fn can_be_typed(why: &Reason) -> bool {
    let evidence = why.arg("evidence");
    why.code == ReasonCode::VaultLocked && matches!(evidence, None | Some("passphrase" | "passphrase_wrong"))
}

/// True when it is a passphrase that is wanted: nobody is asked to type one for a keyring.
pub(crate) fn wants_passphrase(why: &Reason) -> bool {
    why.code == ReasonCode::VaultLocked && matches!(why.arg("evidence"), Some("passphrase" | "passphrase_wrong"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::i18n;

    #[test]
    fn no_source_borrows_the_words_of_another() {
        let of = |m: Message| {
            let why = reason(&m);
            (i18n::reason::sentence(&why, Lang::En), i18n::reason::remedy_sentence(&why, Lang::En).unwrap())
        };
        let file = |w| Message::new(w).with("path", "/x/vault.key").with("source", "key file");
        let all = [
            of(Message::new(&words::KEYRING_LOCKED)),
            of(Message::new(&words::PASSPHRASE_NEEDED)),
            of(Message::new(&words::PASSPHRASE_WRONG)),
            of(Message::new(&words::KEYRING_NONE)),
            of(Message::new(&words::KEYRING_STUCK).with("seconds", "3")),
            of(Message::new(&words::KEY_MISSING).with("source", "keyring")),
            of(file(&words::KEY_MISSING)),
            of(file(&words::KEY_LOOSE)),
            of(Message::new(&words::CREDENTIAL_NONE)),
            of(Message::new(&words::MEMORY_GONE)),
            of(Message::new(&words::BROKEN).with("path", "/x/vault.db").with("why", "x")),
        ];
        for (at, a) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|b| a.0 != b.0), "{a:?}");
            let keyring = (at == 0 || (3..=5).contains(&at)) == a.0.to_lowercase().contains("keyring");
            assert!(keyring, "{a:?}");
        }
        assert!(can_be_typed(&reason(&Message::new(&words::KEYRING_LOCKED))) && can_be_typed(&reason(&Message::new(&words::PASSPHRASE_NEEDED))));
        assert!(!can_be_typed(&reason(&file(&words::KEY_MISSING))) && !can_be_typed(&reason(&Message::new(&words::BROKEN))));
    }
}

//! What a person is asked who adds a gateway, kind by kind: as constants, so that a form can be drawn without asking anybody.

use super::registry;
use crate::i18n::{Lang, Words, add as w};

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// The base URL.
    Url,
    /// A key of the gateway's own table in the configuration, as text.
    Own(&'static str),
    /// The name of the first account.
    Account,
    /// The platform's id of that account.
    Id,
    /// The secret: the gateway's, or that account's where accounts have one.
    Secret,
    /// What only its provider knows how to keep: an [`AddAsk`](super::AddAsk).
    Given {
        /// Its name there, and its label.
        name: &'static str,
        /// Typed unseen.
        secret: bool,
    },
}

/// One line of the form.
#[derive(Clone, Copy, Debug)]
pub struct AddField {
    /// What it is for.
    pub of: For,
    /// Its label, or the whole question where the label is a name.
    pub words: &'static Words,
    /// It may stay empty.
    pub optional: bool,
}

impl AddField {
    /// What stands before the line.
    pub fn label(&self, lang: Lang) -> &'static str {
        match self.of {
            For::Given { name, .. } => name,
            _ => self.words.get(lang),
        }
    }

    /// True where nobody may read along.
    pub fn masked(&self) -> bool {
        matches!(self.of, For::Secret | For::Given { secret: true, .. })
    }
}

const fn field(of: For, words: &'static Words, optional: bool) -> AddField {
    AddField { of, words, optional }
}

const URL: AddField = field(For::Url, &w::URL, false);
const OWN_URL: AddField = field(For::Url, &w::URL, true);
const KEY: AddField = field(For::Secret, &w::KEY, false);
const KEYLESS: AddField = field(For::Secret, &w::KEY, true);
const ACCOUNT: AddField = field(For::Account, &w::ACCOUNT, false);
const SECRET: AddField = field(For::Secret, &w::SECRET, false);

/// The lines that a gateway of this kind needs, in the order in which they are asked for.
pub fn lines(kind: &str) -> Vec<AddField> {
    let asked = registry::add_asks(kind);
    if asked.is_empty() {
        return of(kind).to_vec();
    }
    asked.iter().map(|a| field(For::Given { name: a.name, secret: a.secret }, a.words, a.optional)).collect()
}

/// The lines of kinds whose answers stand in the gateway's own table. The secret is the last of those that must
/// be filled, so that a form that is complete, and is checked, names the address that the secret may go to.
fn of(kind: &str) -> &'static [AddField] {
    match kind {
        "wecom" => const { &[OWN_URL, field(For::Own("corp_id"), &w::CORP, false), ACCOUNT, field(For::Id, &w::AGENT, true), SECRET] },
        "wechat-oa" => const { &[OWN_URL, ACCOUNT, field(For::Id, &w::APP, false), SECRET] },
        "wecom-aibot" => const { &[OWN_URL, ACCOUNT, field(For::Id, &w::BOT, false), SECRET] },
        "langbot" => const { &[URL, field(For::Own("user"), &w::USER, true), field(For::Secret, &w::PASSWORD_OR_KEY, false)] },
        "wukongim" => const { &[URL, KEYLESS] },
        _ => const { &[URL, KEY] },
    }
}

/// Which of the kind's secrets was typed; `None`: its first. A server that a person logs in to is given that person's password.
pub fn secret(kind: &str, own: &[(Box<str>, String)]) -> Option<&'static str> {
    (kind == "langbot" && own.iter().any(|(name, text)| &**name == "user" && !text.is_empty())).then_some("password")
}

/// The same for a gateway that is configured already.
pub fn secret_of(settings: &crate::store::config::Gateway) -> Option<&'static str> {
    (settings.kind == "langbot" && settings.langbot.user.is_some()).then_some("password")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::config;

    #[test]
    fn every_kind_is_asked_for_one_secret_and_for_an_account_where_its_server_lists_none() {
        for spec in registry::kinds().iter().filter(|k| registry::add_asks(k.kind).is_empty()) {
            let fields = lines(spec.kind);
            let has = |of: For| fields.iter().filter(|f| f.of == of).count();
            assert_eq!((has(For::Url), has(For::Secret)), (1, 1), "{}", spec.kind);
            assert_eq!(has(For::Account), usize::from(!spec.account_secrets.is_empty()), "{}", spec.kind);
            let own_url = fields.iter().any(|f| f.of == For::Url && f.optional);
            assert_eq!(own_url, config::default_url(spec.kind).is_some(), "{}", spec.kind);
            assert_eq!(fields.last().map(|f| f.of), Some(For::Secret), "{}: it would be sent before an address is typed", spec.kind);
            assert!(fields.iter().all(|f| f.label(Lang::En).len() <= 9), "{}: a label is cut", spec.kind);
        }
    }
}

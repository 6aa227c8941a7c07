//! What is remembered of an account besides its key: who it is, for names on the screen while nobody is asked.

use super::KeyId;
use crate::{
    domain::{Reason, ReasonCode},
    providers::Cx,
};
use serde::{Deserialize, Serialize};

/// Who an account was at its last login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// Its number.
    pub(super) user: i64,
    /// Where it lives.
    pub(super) dc: i32,
    /// Its name for people.
    pub(super) label: String,
    /// Its user name.
    #[serde(default)]
    pub(super) username: Option<String>,
    /// Its number on the phone network.
    #[serde(default)]
    pub(super) phone: Option<String>,
}

fn key(account: &str) -> String {
    format!("account:{account}")
}

/// What is known of an account.
pub(super) async fn known(cx: &Cx, account: &str) -> Option<Known> {
    serde_json::from_value(cx.memo.get(&key(account)).await?).ok()
}

/// Keeps it.
///
/// # Errors
/// The store's.
pub(super) async fn keep(cx: &Cx, account: &str, known: &Known) -> Result<(), Reason> {
    cx.memo.put(&key(account), serde_json::to_value(known).unwrap_or_default()).await
}

fn ended_key(account: &str) -> String {
    format!("ended:{account}")
}

/// The end of an operator's session, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Ended {
    /// It was logged out from here: its key's id, in hex.
    Here(String),
    /// The servers said so.
    There {
        /// Its key's id, in hex.
        key: String,
        /// What they said.
        why: Reason,
    },
}

impl Ended {
    /// The id of its key, in hex.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Here(key) | Self::There { key, .. } => key,
        }
    }

    /// Why nobody is logged in.
    pub(super) fn why(self) -> Reason {
        match self {
            Self::Here(_) => Reason::new(ReasonCode::Wiped),
            Self::There { why, .. } => why,
        }
    }
}

/// Remembers the end of a session: no process uses its key again, and what is told of it stays when the key is forgotten.
///
/// # Errors
/// The store's.
pub(super) async fn end(cx: &Cx, account: &str, ended: &Ended) -> Result<(), Reason> {
    cx.memo.put(&ended_key(account), serde_json::to_value(ended).unwrap_or_default()).await
}

/// The session that ended last, unless somebody has logged in since.
pub(super) async fn ended(cx: &Cx, account: &str) -> Option<Ended> {
    serde_json::from_value(cx.memo.get(&ended_key(account)).await?).ok()
}

/// How the session of that key ended, if it is known to have.
pub(super) async fn end_of(cx: &Cx, account: &str, key: KeyId) -> Option<Ended> {
    ended(cx, account).await.filter(|e| e.key() == key.to_string())
}

/// Forgets it: somebody has logged in anew.
pub(super) async fn begun(cx: &Cx, account: &str) {
    if ended(cx, account).await.is_some() {
        // Without it no more than the words for an account whose key is gone are wrong.
        let _ = cx.memo.put(&ended_key(account), serde_json::Value::Null).await;
    }
}

/// The data centre of an account's last login.
pub(super) async fn home(cx: &Cx, account: &str) -> Option<i32> {
    Some(known(cx, account).await?.dc)
}

/// Numbers of the gateway's other accounts that are logged in: their phones are told not to scan.
pub(super) async fn users(cx: &Cx, but: &str) -> Vec<i64> {
    let mut out = Vec::new();
    for other in cx.settings.accounts.iter().filter(|a| a.name != but) {
        if super::setup::secret(cx, &other.name, super::setup::OPERATOR).is_some()
            && let Some(known) = known(cx, &other.name).await
        {
            out.push(known.user);
        }
    }
    out
}

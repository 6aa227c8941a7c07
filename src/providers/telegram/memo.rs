//! What is remembered of an account besides its key: who it is, for names on the screen while nobody is asked.

use super::KeyId;
use crate::{domain::Reason, providers::Cx};
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

/// Remembers the key that was logged out from here: no process uses it again, and none blames the phone.
///
/// # Errors
/// The store's.
pub(super) async fn end(cx: &Cx, account: &str, key: &str) -> Result<(), Reason> {
    cx.memo.put(&ended_key(account), key.into()).await
}

/// The key that was logged out from here last, in hex, unless somebody has logged in since.
pub(super) async fn ended(cx: &Cx, account: &str) -> Option<String> {
    cx.memo.get(&ended_key(account)).await?.as_str().map(str::to_owned)
}

/// True when that key was logged out from here.
pub(super) async fn is_ended(cx: &Cx, account: &str, key: KeyId) -> bool {
    ended(cx, account).await.is_some_and(|is| is == key.to_string())
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

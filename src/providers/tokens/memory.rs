//! What outlives a call and is no secret: how the last request for a token went, the address that the platform saw, the app's
//! name. Written only when it changed, so that a thousand accounts at rest write nothing.

use super::answer;
use crate::{
    domain::{Clean, Reason, Stamp},
    providers::Cx,
    store::config::Account,
};
use serde::{Deserialize, Serialize};

/// What is remembered of one account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// Why the last request for a token failed, if it did.
    pub(super) trouble: Option<Reason>,
    /// When that was.
    pub(super) at: Option<Stamp>,
    /// The address that the platform last named.
    pub(super) ip: Option<Clean>,
    /// The app's name, as the platform tells it.
    pub(super) name: Option<Clean>,
}

fn key(account: &Account) -> String {
    format!("account/{}", account.name)
}

impl Memory {
    /// What is remembered.
    pub(super) async fn of(cx: &Cx, account: &Account) -> Self {
        cx.memo.get(&key(account)).await.and_then(|v| serde_json::from_value(v).ok()).unwrap_or_default()
    }

    /// Takes note of how a request for a token went.
    pub(super) async fn fetched(cx: &Cx, account: &Account, trouble: Option<&Reason>) {
        let now = cx.time.now();
        Self::change(cx, account, |m| {
            let same = m.trouble.as_ref().map(|r| (r.code, &r.raw)) == trouble.map(|r| (r.code, &r.raw));
            if !same {
                m.trouble = trouble.cloned();
                m.at = trouble.map(|_| now);
            }
            m.ip = trouble.and_then(answer::ip_of).cloned().or_else(|| m.ip.take());
        })
        .await;
    }

    /// Takes note of what a probe told.
    pub(super) async fn probed(cx: &Cx, account: &Account, name: Option<&Clean>, ip: Option<&Clean>) {
        Self::change(cx, account, |m| {
            m.name = name.cloned().or_else(|| m.name.take());
            m.ip = ip.cloned().or_else(|| m.ip.take());
        })
        .await;
    }

    async fn change(cx: &Cx, account: &Account, how: impl FnOnce(&mut Self)) {
        let old = Self::of(cx, account).await;
        let mut new = old.clone();
        how(&mut new);
        if new != old
            && let Ok(value) = serde_json::to_value(&new)
        {
            // What cannot be kept is learnt again.
            let _ = cx.memo.put(&key(account), value).await;
        }
    }
}

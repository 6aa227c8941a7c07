//! Asking accounts for their sessions: side by side, bounded in time, and what that says of the gateway itself.

use super::{
    bury, fail, held, memo,
    mtproto::{
        Address, Error,
        tl::{enums, functions as f},
    },
    operator::{ASKED, Hub, Line, Wish, ask_time, measured},
    rows::Remote,
    setup,
};
use crate::{
    domain::{Reason, ReasonCode},
    providers::Cx,
    store::config::Account,
};
use futures_util::StreamExt;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// Accounts that are asked side by side.
pub(super) const AT_ONCE: usize = 16;
/// One account is waited for so long: five round trips to the far side of the world, twice over.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// All of them are, where a person waits for the whole: less than a headless command gives a gateway.
const WHOLE: Duration = Duration::from_secs(16);

/// What one account told: `None`, a bot, which may not ask.
pub(super) type Told = Result<Option<Remote>, Reason>;

/// Asks for the sessions of an account. `None`: a bot, which may not ask.
///
/// # Errors
/// [`Hub::line`]'s, or the call's.
pub(super) async fn remote(hub: &Hub, cx: &Cx, account: &Account) -> Result<(Arc<Line>, Option<Remote>), Reason> {
    remote_for(hub, cx, account, ASKED).await
}

async fn remote_for(hub: &Hub, cx: &Cx, account: &Account, wish: Wish) -> Result<(Arc<Line>, Option<Remote>), Reason> {
    let told = sessions(hub, cx, account, wish).await;
    if told.is_err() {
        bury::dead(hub, cx, account).await;
    }
    told
}

async fn sessions(hub: &Hub, cx: &Cx, account: &Account, wish: Wish) -> Result<(Arc<Line>, Option<Remote>), Reason> {
    let line = hub.line_for(cx, account, wish).await?;
    if line.operator.bot {
        // What any session may ask proves that the key lives.
        let told = line.conn.invoke(&f::users::GetUsers { id: vec![enums::InputUser::UserSelf] }).await;
        told.map_err(|e| hub.refused(cx, &account.name, line.conn.key(), &e))?;
        measured(cx, line.conn.offset(), "msg_id");
        return Ok((line, None));
    }
    let told = line.conn.invoke(&f::account::GetAuthorizations {}).await;
    let enums::account::Authorizations::Authorizations(told) = told.map_err(|e| hub.refused(cx, &account.name, line.conn.key(), &e))?;
    let offset = line.conn.offset();
    measured(cx, offset, "msg_id");
    let sessions = told.authorizations.into_iter().map(|a| match a {
        enums::Authorization::Authorization(a) => a,
    });
    let remote = Remote { sessions: sessions.collect(), ttl_days: told.authorization_ttl_days, offset, at: cx.time.now() };
    Ok((line, Some(remote)))
}

/// The same where nobody else has the key, bounded in time.
pub(super) async fn one<'a>(hub: &Hub, cx: &Cx, account: &'a Account) -> (&'a Account, Result<(Arc<Line>, Option<Remote>), Reason>) {
    let told = timeout(PATIENCE, remote_for(hub, cx, account, Wish::IfFree)).await;
    (account, told.unwrap_or_else(|_| Err(silent(hub, cx, account))))
}

/// As [`one`], for a command: where another process has the key and nobody watches the account, it is asked for.
pub(super) async fn glance(hub: &Hub, cx: &Cx, account: &Account) -> Told {
    let told = one(hub, cx, account).await.1;
    if told.as_ref().is_err_and(is_held) && held::rows(hub, cx, account, true, &mut []).await.is_none() {
        return surely(hub, cx, account).await;
    }
    told.map(|(_, remote)| remote)
}

/// As [`one`], where the answer decides something: another process that has the key is asked to lend it, watching or not.
pub(super) async fn surely(hub: &Hub, cx: &Cx, account: &Account) -> Told {
    let told = timeout(WHOLE, remote_for(hub, cx, account, Wish::Within(PATIENCE))).await;
    told.unwrap_or_else(|_| Err(silent(hub, cx, account))).map(|(_, remote)| remote)
}

/// True when the account was not asked because another process works with its key.
pub(super) fn is_held(why: &Reason) -> bool {
    why.code == ReasonCode::OtherHolder
}

/// An account that was not heard in time.
fn silent(hub: &Hub, cx: &Cx, account: &Account) -> Reason {
    fail::from(slow(cx), hub.home(cx, &account.name))
}

fn slow(cx: &Cx) -> Reason {
    Reason::new(ReasonCode::Slow).with("gateway", cx.gateway.as_str())
}

/// Every account once. When the first ones all stay silent the others are not waited for.
pub(super) async fn everyone<'a>(hub: &Hub, cx: &'a Cx) -> Vec<(&'a Account, Told)> {
    let begun = Instant::now();
    let asks: Vec<_> = cx.settings.accounts.iter().map(async |a| (a, glance(hub, cx, a).await)).collect();
    let mut asks = futures_util::stream::iter(asks).buffer_unordered(AT_ONCE);
    let mut told: HashMap<&str, Told> = HashMap::new();
    while let Ok(Some((account, answer))) = timeout_at(begun + WHOLE, asks.next()).await {
        told.insert(&account.name, answer);
        if begun.elapsed() >= PATIENCE && matches!(reach(told.values()), Reach::Nobody(_)) {
            break;
        }
    }
    drop(asks);
    cx.settings.accounts.iter().map(|a| (a, told.remove(a.name.as_str()).unwrap_or_else(|| Err(silent(hub, cx, a))))).collect()
}

/// What the answers of accounts say of the gateway.
pub(super) enum Reach {
    /// Somebody there answered.
    Heard,
    /// Who was asked did not answer; the first one's reason.
    Nobody(Reason),
    /// Nobody could be asked.
    Unasked,
}

/// See [`Reach`].
pub(super) fn reach<'a>(told: impl Iterator<Item = &'a Told>) -> Reach {
    let mut found = Reach::Unasked;
    for told in told {
        match told {
            Ok(_) => return Reach::Heard,
            Err(why) => match why.code {
                ReasonCode::RateLimited | ReasonCode::ServerError | ReasonCode::ServerRefused | ReasonCode::CredentialRefused => {
                    return Reach::Heard;
                }
                ReasonCode::Unreachable | ReasonCode::Slow | ReasonCode::WrongAddress | ReasonCode::Unintelligible => {
                    if matches!(found, Reach::Unasked) {
                        found = Reach::Nobody(why.clone());
                    }
                }
                // No key, somebody else has it, or it is known to be dead: it was not used.
                _ => {}
            },
        }
    }
    found
}

/// Asks a data centre in bounded time; an error names it.
async fn within<T>(cx: &Cx, to: Option<Address>, ask: impl Future<Output = Result<T, Error>>) -> Result<T, Reason> {
    let told = match timeout(PATIENCE, ask).await {
        Ok(told) => told.map_err(|e| fail::at(cx, &e)),
        Err(_) => {
            cx.samples.lost();
            Err(slow(cx))
        }
    };
    told.map_err(|why| fail::from(why, to))
}

/// Asks where logins begin, with no key, in bounded time.
///
/// # Errors
/// That nobody answers there, or not as Telegram does.
pub(super) async fn probe(cx: &Cx) -> Result<(), Reason> {
    let net = setup::network(cx)?;
    within(cx, net.start(), ask_time(cx, &net)).await.map(drop)
}

/// The same in a way that a login of this account can go on with. `again`: also where that was asked a moment ago.
///
/// # Errors
/// As [`probe`]'s.
pub(super) async fn begin(hub: &Hub, cx: &Cx, account: &str, again: bool) -> Result<(), Reason> {
    let (net, home) = (setup::network(cx)?, memo::home(cx, account).await);
    if !again && hub.warm.is_begun(cx, home) {
        return Ok(());
    }
    let to = home.and_then(|dc| net.address(dc)).or_else(|| net.start());
    if within(cx, to, hub.warm.begin(cx, &net, home)).await? { Ok(()) } else { probe(cx).await }
}

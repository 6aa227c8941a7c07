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
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// Accounts that are asked side by side.
pub(super) const AT_ONCE: usize = 16;
/// A question that is under way for so long leaves its place to another one: silent accounts do not make the others wait.
const SOON: Duration = Duration::from_secs(1);
/// Questions under way, however long: each is a socket.
const OPEN: usize = 128;
/// One account is waited for so long where all are listed and a person waits: five round trips to the far side of the world, and as
/// much again. What was seen of it last is listed all the same.
pub(super) const GLANCE: Duration = Duration::from_secs(3);
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
    (account, if_free(hub, cx, account, PATIENCE).await)
}

async fn if_free(hub: &Hub, cx: &Cx, account: &Account, patience: Duration) -> Result<(Arc<Line>, Option<Remote>), Reason> {
    let told = timeout(patience, remote_for(hub, cx, account, Wish::IfFree)).await;
    told.unwrap_or_else(|_| Err(silent(hub, cx, account)))
}

/// As [`one`], for a command: where another process has the key and nobody watches the account, it is asked for.
pub(super) async fn glance(hub: &Hub, cx: &Cx, account: &Account, patience: Duration) -> Told {
    let told = if_free(hub, cx, account, patience).await;
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

/// Who is being asked, and since when.
#[derive(Debug, Default)]
pub(super) struct Asked<'a>(HashMap<&'a str, Instant>);

impl<'a> Asked<'a> {
    /// A question is put to this account now.
    pub(super) fn begin(&mut self, account: &'a str) {
        self.0.insert(account, Instant::now());
    }

    /// It was answered, or given up.
    pub(super) fn end(&mut self, account: &str) {
        self.0.remove(account);
    }

    /// True while this account is being asked.
    pub(super) fn has(&self, account: &str) -> bool {
        self.0.contains_key(account)
    }

    /// Who is being asked.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.0.keys().copied()
    }

    fn fresh(&self) -> impl Iterator<Item = Instant> {
        let now = Instant::now();
        self.0.values().map(|since| *since + SOON).filter(move |until| *until > now)
    }

    /// True when one more may be asked.
    pub(super) fn has_place(&self) -> bool {
        self.0.len() < OPEN && self.fresh().count() < AT_ONCE
    }

    /// When a place is free even if nobody answers. `None`: there is one, or all are taken until somebody does.
    pub(super) fn next_place(&self) -> Option<Instant> {
        if self.has_place() || self.0.len() >= OPEN { None } else { self.fresh().min() }
    }
}

/// Every account once. When all stay silent they are not waited for twice.
pub(super) async fn everyone<'a>(hub: &Hub, cx: &'a Cx) -> Vec<(&'a Account, Told)> {
    let begun = Instant::now();
    let mut waiting = cx.settings.accounts.iter().peekable();
    let (mut asked, mut asks) = (Asked::default(), FuturesUnordered::new());
    let mut told: HashMap<&str, Told> = HashMap::new();
    loop {
        while asked.has_place()
            && let Some(account) = waiting.next()
        {
            asked.begin(&account.name);
            asks.push(async move { (account, glance(hub, cx, account, GLANCE).await) });
        }
        let place = waiting.peek().and_then(|_| asked.next_place());
        tokio::select! {
            next = asks.next() => {
                let Some((account, answer)) = next else { break };
                asked.end(&account.name);
                told.insert(&account.name, answer);
                if begun.elapsed() >= GLANCE && matches!(reach(told.values()), Reach::Nobody(_)) {
                    break;
                }
            }
            () = sleep_until(place.unwrap_or(begun + WHOLE)) => {
                if begun.elapsed() >= WHOLE {
                    break;
                }
            }
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

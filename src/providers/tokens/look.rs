//! Reading once: accounts from the configuration, tokens from their owner, and the platform's word on the tokens that are there.
//! Nothing here fetches a token.

use super::{
    fetch,
    memory::Memory,
    platform::Platform,
    probe::{self, Depth},
    rows::{self, Known, Probed},
};
use crate::{
    domain::{Reason, ReasonCode, RemoteId, Row, Secret, Target},
    providers::{
        Cx, Fut, Look, Report,
        http::Call,
        token::{Ask, Given, Tried},
    },
    store::config::Account,
};
use futures_util::StreamExt;
use std::time::Duration;

/// Accounts that are tried at once where all are asked for.
const ABREAST: usize = 16;
/// Time that the trying of all may take: the rest is listed as not known.
const PATIENCE: Duration = Duration::from_secs(8);

/// See [`crate::providers::Provider::look`].
///
/// # Errors
/// The platform does not answer, or the account is not configured.
pub(super) async fn look(platform: &Platform, cx: &Cx, at: Option<&Target>, how: Look) -> Result<Report, Reason> {
    match (how, at) {
        (Look::Probe, _) => alive(platform, cx).await.map(|()| Report::Alive(cx.time.now())),
        (Look::Row, Some(at)) => {
            let Ok(account) = fetch::account(cx, at) else { return Ok(Report::Gone(vec![at.clone()])) };
            Ok(Report::Part(vec![one(platform, cx, account, Depth::Whole).await?]))
        }
        (Look::All | Look::Row, _) => all(platform, cx).await,
    }
}

/// The target of an account.
pub(super) fn target(cx: &Cx, account: &Account) -> Target {
    Target::account(&cx.gateway, &RemoteId::new(&account.name))
}

/// Proves that the platform answers, without a token: any answer of its own will do.
///
/// # Errors
/// Why none came.
pub(super) async fn alive(platform: &Platform, cx: &Cx) -> Result<(), Reason> {
    let Some(p) = platform.probes.first() else { return Ok(()) };
    let got = cx.http.send(Call::get(p.path).cap(super::answer::CAP), &*cx.time, &*cx.samples).await?;
    match super::answer::read(platform, super::platform::Site::Use, &got, cx, "") {
        Err(why) if network(&why) => Err(why),
        // It says that there is no token: the platform itself speaks.
        _ => Ok(()),
    }
}

/// True for trouble of the way to the platform, not of one account.
pub(super) fn network(why: &Reason) -> bool {
    why.arg("errcode").is_none()
}

/// What is known without asking anybody.
pub(super) async fn known(cx: &Cx, account: &Account) -> Known {
    let held = cx.tokens.held(&target(cx, account)).await;
    let storm = match &held {
        Some(held) => held.storm.clone(),
        None => cx.tokens.storm(&target(cx, account)).await,
    };
    let held_none = held.is_none();
    Known {
        held,
        storm,
        wiped: if held_none { cx.tokens.wiped(&target(cx, account)).await } else { None },
        broken: if held_none { cx.tokens.broken(&target(cx, account)).await } else { None },
        missing: fetch::secret(cx, account).is_none().then(|| fetch::missing(cx, account)),
        memory: Memory::of(cx, account).await,
        probed: None,
        hold: cx.tokens.paused(&target(cx, account)).await,
        shared: cx.tokens.shares(),
    }
}

/// The cached token, if there is one that may be tried.
pub(super) async fn cached(cx: &Cx, account: &Account) -> Option<Given> {
    let ask = Ask { cached_only: true, refused_too: true, ..Ask::default() };
    cx.tokens.obtain(&target(cx, account), ask).await.ok()
}

/// Tries a token, and takes note of what was told. The outer error is trouble on the way to the platform.
///
/// # Errors
/// Why the platform did not answer.
pub(super) async fn tried(platform: &Platform, cx: &Cx, account: &Account, given: &Given, depth: Depth) -> Result<Probed, Reason> {
    let said = match probe::probe(platform, cx, account, &given.token, depth).await {
        Ok(name) => {
            Memory::probed(cx, account, name.as_ref(), None).await;
            None
        }
        Err(why) if network(&why) => return Err(why),
        Err(why) => {
            Memory::probed(cx, account, None, super::answer::ip_of(&why)).await;
            Some(why)
        }
    };
    Ok(Probed { fingerprint: given.held.fingerprint.clone(), at: cx.time.now(), said })
}

/// See [`crate::providers::token::Issuer::tries`].
pub(super) async fn tries(platform: &Platform, cx: &Cx, at: &Target, token: &Secret) -> Tried {
    let Ok(account) = fetch::account(cx, at) else { return Tried::Untriable };
    if !platform.probes.iter().any(|p| p.id.is_none()) {
        return Tried::Untriable;
    }
    match probe::probe(platform, cx, account, token, Depth::Living).await {
        Ok(_) => Tried::Good,
        Err(why) if why.code == ReasonCode::TokenRejected => Tried::Refused,
        Err(why) => Tried::Unclear(why.code),
    }
}

async fn one(platform: &Platform, cx: &Cx, account: &Account, depth: Depth) -> Result<Row, Reason> {
    let mut probed = None;
    if let Some(given) = cached(cx, account).await {
        let found = tried(platform, cx, account, &given, depth).await?;
        // Whoever else shows or hands out this token knows it from now on too.
        if found.said.as_ref().is_some_and(|r| r.code == ReasonCode::TokenRejected) && !given.held.rejected {
            cx.tokens.refused(&target(cx, account), &found.fingerprint).await;
        }
        probed = Some(found);
    }
    let known = Known { probed, ..known(cx, account).await };
    Ok(rows::row(platform, &cx.gateway, account, &known, cx.time.now()))
}

async fn all(platform: &Platform, cx: &Cx) -> Result<Report, Reason> {
    alive(platform, cx).await?;
    let accounts = &cx.settings.accounts;
    let mut rows: Vec<Option<Row>> = (0..accounts.len()).map(|_| None).collect();
    let work = async {
        let mut each: Vec<Fut<'_, (usize, Result<Row, Reason>)>> = Vec::with_capacity(accounts.len());
        for (n, a) in accounts.iter().enumerate() {
            each.push(Box::pin(async move { (n, one(platform, cx, a, Depth::Quick).await) }));
        }
        let mut done = futures_util::stream::iter(each).buffer_unordered(ABREAST);
        while let Some((n, row)) = done.next().await {
            // One that does not answer in time takes no other down: it is listed as not known.
            if let (Some(slot), Ok(row)) = (rows.get_mut(n), row) {
                *slot = Some(row);
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, work).await;
    let mut out = Vec::with_capacity(accounts.len());
    for (account, row) in accounts.iter().zip(rows) {
        out.push(match row {
            Some(row) => row,
            None => rows::row(platform, &cx.gateway, account, &known(cx, account).await, cx.time.now()),
        });
    }
    Ok(Report::All { rows: out, complete: true })
}

/// The current token, for an operator who asked to see it. Never fetches one.
///
/// # Errors
/// Nothing is cached, the vault is locked, or no such account.
pub(super) async fn reveal(cx: &Cx, at: &Target) -> Result<Secret, Reason> {
    fetch::account(cx, at)?;
    match cx.tokens.obtain(at, Ask { cached_only: true, refused_too: true, ..Ask::default() }).await {
        Ok(given) => Ok(given.token),
        Err(why) if why.code == ReasonCode::NothingCached => Err(match cx.tokens.wiped(at).await {
            Some(wiped) => Reason::new(ReasonCode::TokenForgotten).at(wiped),
            None => Reason::new(ReasonCode::NeverFetched),
        }),
        Err(why) => Err(why),
    }
}

//! Asks a platform for a token: one request, told apart by its code, repeated only where the platform calls itself busy.

use super::{
    answer,
    memory::Memory,
    platform::{By, Class, Part, Platform, SECRET, Site},
};
use crate::{
    domain::{Reason, ReasonCode, Secret, Target, ids},
    providers::{
        Cx,
        http::Call,
        token::{Issued, Renew, account_secret},
    },
    shared::{Mirror, mirror},
    store::config::Account,
};
use std::time::Duration;

/// How often a platform that calls itself busy is asked again.
const AGAIN: u32 = 3;
/// Pause before the first of these; the next ones are twice as long each.
const PAUSE: Duration = Duration::from_millis(300);
/// Longest token that is taken: platforms promise at most 512 bytes.
const LONGEST: usize = 4096;
/// Longest life that is believed, in seconds.
const OLDEST: u64 = 31 * 86_400;

/// The configured account that `at` means.
///
/// # Errors
/// `Gone`: the configuration has none of that name any more.
pub(super) fn account<'a>(cx: &'a Cx, at: &Target) -> Result<&'a Account, Reason> {
    let found = cx.settings.accounts.iter().find(|a| a.name == at.account.as_str());
    found.ok_or_else(|| Reason::new(ReasonCode::Gone).with("gateway", cx.gateway.as_str()))
}

/// The stored secret of an account.
pub(super) fn secret<'a>(cx: &'a Cx, account: &Account) -> Option<&'a Secret> {
    cx.secrets.get(&account_secret(&account.name, SECRET))
}

/// The copies that its configuration asks for. None without a secret: keys are made of it.
pub(super) fn mirrors(cx: &Cx, at: &Target, prefix: &str) -> Vec<Mirror> {
    let Ok(account) = account(cx, at) else { return Vec::new() };
    let Some(secret) = secret(cx, account) else { return Vec::new() };
    let named = mirror::Named {
        prefix: account.mirror_prefix.as_deref().unwrap_or(prefix),
        corp_id: cx.settings.corp_id.as_deref().unwrap_or_default(),
        agent_id: &account.id,
        secret,
    };
    mirror::mirrors(&account.mirror, &named)
}

/// That an account has no secret here, or one that does not open.
pub(super) fn missing(cx: &Cx, account: &Account) -> Reason {
    let target = format!("{}:{}", ids::escape(cx.gateway.as_str()), ids::escape(&account.name));
    let missing = Reason::new(ReasonCode::CredentialMissing).with(answer::ACCOUNT, target).with("gateway", cx.gateway.as_str());
    cx.without(&account_secret(&account.name, SECRET), missing)
}

/// Asks with the stored secret, and remembers how it went.
///
/// # Errors
/// Why there is no token.
pub(super) async fn fetch(platform: &Platform, cx: &Cx, at: &Target, how: Renew) -> Result<Issued, Reason> {
    let account = account(cx, at)?;
    let secret = secret(cx, account).ok_or_else(|| missing(cx, account))?;
    let got = with(platform, cx, account, secret, how).await;
    Memory::fetched(cx, account, got.as_ref().err()).await;
    got
}

/// Asks with this secret, whatever is stored.
///
/// # Errors
/// Why there is no token.
pub(super) async fn with(platform: &Platform, cx: &Cx, account: &Account, secret: &Secret, how: Renew) -> Result<Issued, Reason> {
    let whole = async {
        let mut pause = PAUSE;
        let mut left = AGAIN;
        loop {
            match once(platform, cx, account, secret, how).await {
                Err(why) if why.code == Class::Busy.code() && left > 0 => {
                    left -= 1;
                    tokio::time::sleep(jitter(pause)).await;
                    pause *= 2;
                }
                other => return other,
            }
        }
    };
    let late = || Reason::new(ReasonCode::Slow).with("gateway", cx.gateway.as_str());
    tokio::time::timeout(platform.rules.deadline, whole).await.unwrap_or_else(|_| Err(late()))
}

async fn once(platform: &Platform, cx: &Cx, account: &Account, secret: &Secret, how: Renew) -> Result<Issued, Reason> {
    let call = call(platform, cx, account, secret, how)?;
    let answer = cx.http.send(call, &*cx.time, &*cx.samples).await?;
    let read = answer::read(platform, Site::Obtain, &answer, cx, &account.name);
    let body = read.map_err(|why| match why.code {
        // The same code counts ordinary requests: only a demand uses up the quota of demands.
        ReasonCode::QuotaUsed if how == Renew::Plain => Reason { code: ReasonCode::RateLimited, ..why },
        _ => why,
    })?;
    let unclear = |what: &str| Reason::new(ReasonCode::Unintelligible).with("gateway", cx.gateway.as_str()).raw(what);
    let token = body.get(platform.obtain.token).and_then(serde_json::Value::as_str).filter(|t| fits(t)).ok_or_else(|| unclear("no token in it"))?;
    let life = body.get(platform.obtain.life).and_then(life).ok_or_else(|| unclear("no life of the token in it"))?;
    Ok(Issued { token: Secret::new(token.to_owned()), life: Duration::from_secs(life), sent: answer.sent })
}

/// Seconds that a token lives, if that is a life that can be believed.
pub(super) fn life(told: &serde_json::Value) -> Option<u64> {
    answer::number(told).filter(|s| (1..=OLDEST).contains(s))
}

/// True for a text that can travel as a token in a query or a header.
pub(super) fn fits(token: &str) -> bool {
    (1..=LONGEST).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic())
}

fn call(platform: &Platform, cx: &Cx, account: &Account, secret: &Secret, how: Renew) -> Result<Call, Reason> {
    let obtain = &platform.obtain;
    let (mut call, mut body) = match obtain.by {
        By::Query => (Call::get(obtain.path), None),
        By::Json => (Call::post(obtain.path), Some(serde_json::Map::new())),
    };
    for (name, part) in obtain.parts {
        let text = match part {
            Part::Secret => {
                call = call.hidden(name, secret.clone());
                continue;
            }
            Part::Corp => cx.settings.corp_id.as_deref().unwrap_or_default(),
            Part::Id => &account.id,
            Part::Is(text) => text,
        };
        match &mut body {
            Some(body) => {
                body.insert((*name).to_owned(), text.into());
            }
            None => call = call.query(name, text),
        }
    }
    if how == Renew::Forced {
        let flag = obtain.forced.ok_or_else(|| Reason::new(ReasonCode::RotateByHand))?;
        match &mut body {
            Some(body) => {
                body.insert(flag.to_owned(), true.into());
            }
            None => call = call.query(flag, "true"),
        }
    }
    if let Some(body) = body {
        call = call.json(body.into());
    }
    Ok(call.cap(answer::CAP).within(platform.rules.deadline))
}

/// `d` made longer by up to a half, so that many hosts do not come back in step.
pub(super) fn jitter(d: Duration) -> Duration {
    let mut b = [0u8; 1];
    let _ = getrandom::fill(&mut b);
    d + d.mul_f64(f64::from(b[0]) / 512.0)
}

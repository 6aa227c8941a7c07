//! Reading once: a row, the whole list, the cheapest proof that the gateway answers, a token.

use super::{
    api::{Api, Version},
    business::Business,
    collide::Contests,
    devices::{Walk, Walked},
    rows::{Account, Maker},
    uids, watch,
};
use crate::{
    domain::{Reason, ReasonCode, Row, Secret, Target},
    providers::{Cx, Look, Report},
};

/// See [`crate::providers::Provider::look`].
///
/// # Errors
/// What kept it from being told.
pub(super) async fn look(cx: &Cx, at: Option<&Target>, how: Look) -> Result<Report, Reason> {
    let api = Api::new(cx)?;
    match (how, at) {
        (Look::Probe, at) => {
            let told = api.health().await;
            // A row that is paired with another server: its clock counts too. That it is down is said by the pairing.
            if let Some(at) = at
                && let Ok(Some(business)) = Business::of(cx, at.account.as_str())
            {
                let _ = business.probe().await;
            }
            told.map(|()| Report::Alive(cx.time.now()))
        }
        (Look::Row, Some(at)) => row(cx, &api, at).await,
        (Look::All | Look::Row, _) => all(cx, &api).await,
    }
}

fn maker<'a>(cx: &'a Cx, contests: &'a Contests, checks_off: bool) -> Maker<'a> {
    let settings = &cx.settings.wukongim;
    Maker { gateway: &cx.gateway, key: &cx.fingerprint_key, settings, contests, checks_off, at: cx.time.now() }
}

/// The account's rows where the account is meant, the device's row where that is; gone when the server knows no such device.
async fn row(cx: &Cx, api: &Api<'_>, at: &Target) -> Result<Report, Reason> {
    let account = watch::one(api, at.account.as_str()).await?;
    let contests = Contests::kept(cx).await;
    let mut rows = maker(cx, &contests, false).rows(&account);
    if at.device.is_some() {
        rows.retain(|r| r.device == at.device);
        if rows.is_empty() {
            return Ok(Report::Gone(vec![at.clone()]));
        }
    }
    Ok(Report::Part(rows))
}

async fn all(cx: &Cx, api: &Api<'_>) -> Result<Report, Reason> {
    // Also proves the credential where no account is watched.
    let version = api.version().await?;
    let (names, _) = uids::watched(cx, api).await?;
    let mut accounts: Vec<Account> = names.iter().map(|u| Account::new(u)).collect();
    let whole = devices(api, &mut accounts).await?;
    let uids: Vec<&str> = names.iter().map(|u| &**u).collect();
    let mut live = std::collections::HashMap::<String, super::connz::Live>::new();
    for o in api.online(&uids).await? {
        *live.entry(o.uid).or_default().entry(o.flag).or_default() += 1;
    }
    for a in &mut accounts {
        a.live = live.remove(&*a.uid).unwrap_or_default();
    }
    let contests = Contests::kept(cx).await;
    let maker = maker(cx, &contests, version == Version::V3);
    Ok(Report::All { rows: accounts.iter().flat_map(|a| maker.rows(a)).collect(), complete: whole })
}

/// Reads the device rows; false when some are not told.
async fn devices(api: &Api<'_>, accounts: &mut [Account]) -> Result<bool, Reason> {
    let index: std::collections::HashSet<Box<str>> = accounts.iter().map(|a| a.uid.clone()).collect();
    let mut walk = Walk::new(accounts.len());
    while let Some(w) = walk.take() {
        match w.page(api, |uid| index.contains(uid)).await {
            Ok(Walked::On(on)) => walk = Some(on),
            Ok(Walked::Done(mut all)) => {
                for a in accounts {
                    a.devices = Some(all.remove(&*a.uid).unwrap_or_default());
                }
                return Ok(true);
            }
            Ok(Walked::TooLong) => {}
            Err(r) if r.code == ReasonCode::NotInVersion => {}
            Err(r) => return Err(r),
        }
    }
    for a in accounts {
        match api.devices(&a.uid).await {
            Ok(rows) => a.devices = Some(rows),
            Err(r) if matches!(r.code, ReasonCode::NotInVersion | ReasonCode::CredentialMissing) => return Ok(false),
            Err(r) => return Err(r),
        }
    }
    Ok(true)
}

/// The rows of one account, as a single look shows them.
pub(super) fn rows(cx: &Cx, account: &Account) -> Vec<Row> {
    maker(cx, &Contests::default(), false).rows(account)
}

/// See [`crate::providers::Provider::reveal`].
///
/// # Errors
/// `Gone` without such a device, `Foreign` when it is another one than was seen, `TokenWiped` for an empty token,
/// `NotInVersion` where the server does not tell it.
pub(super) async fn reveal(cx: &Cx, at: &Target) -> Result<Secret, Reason> {
    let api = Api::new(cx)?;
    let flag: u8 = at.device.as_ref().and_then(|d| d.as_str().parse().ok()).ok_or_else(|| Reason::new(ReasonCode::NotFound))?;
    let device = api.devices(at.account.as_str()).await?.into_iter().find(|d| d.flag == flag).ok_or_else(|| Reason::new(ReasonCode::Gone))?;
    if at.incarnation.as_deref().is_some_and(|life| life != device.id.to_string()) {
        return Err(Reason::new(ReasonCode::Foreign));
    }
    let hidden = device.hidden;
    device.token.ok_or_else(|| Reason::new(if hidden { ReasonCode::NotInVersion } else { ReasonCode::TokenWiped }))
}

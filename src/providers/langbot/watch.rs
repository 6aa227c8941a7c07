//! The watch: one list an interval, the logs of the bots that are switched on, the server's figures.

use super::{
    SPEC,
    api::Api,
    logs, rows,
    wire::{Bot, Health},
};
use crate::{
    domain::{Clean, Reason, ReasonCode, Row, Target, Wall},
    i18n::{Message, langbot as w},
    providers::{Cx, Feed, GatewayFacts, Look, Report, Tx},
    store::tokens::{Sign, SignKind},
};
use tokio::time::{Instant, sleep_until};

/// Lines of a log that are looked at.
const LINES: u32 = 40;
/// Logs read in one turn: bots beyond that are read in the next ones.
const LOGS: usize = 50;
/// A loop that lags so much is worth a warning, in ms.
const LAG_MS: f64 = 500.0;

/// See [`crate::providers::Provider::watch`].
pub(super) async fn watch(cx: &Cx, out: Tx<Report>) -> Reason {
    let run = async {
        let api = match Api::new(cx) {
            Ok(api) => api,
            Err(r) => return r,
        };
        let mut seen = cx.seen.clone();
        let mut turn = 0;
        loop {
            let refresh = seen.borrow_and_update().refresh;
            match facts(&api).await {
                Ok(facts) => {
                    if out.send(Report::Gateway(facts)).await.is_err() {
                        return Reason::new(ReasonCode::Cancelled);
                    }
                }
                Err(r) => return r,
            }
            match all(cx, &api, &mut turn).await {
                Ok(rows) => {
                    if out.send(Report::All { rows, complete: true }).await.is_err() {
                        return Reason::new(ReasonCode::Cancelled);
                    }
                }
                Err(r) => return r,
            }
            let last = Instant::now();
            loop {
                let wait = if seen.borrow().on_screen { SPEC.poll_seen } else { SPEC.poll_unseen };
                tokio::select! {
                    () = sleep_until(last + wait) => break,
                    changed = seen.changed() => {
                        if changed.is_err() {
                            return Reason::new(ReasonCode::Cancelled);
                        }
                        if seen.borrow_and_update().refresh != refresh {
                            break;
                        }
                    }
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Reason::new(ReasonCode::Cancelled),
        r = run => r,
    }
}

/// What is known of the server itself.
async fn facts(api: &Api<'_>) -> Result<GatewayFacts, Reason> {
    let (health, version, claimed) = tokio::try_join!(api.health(), api.version(), api.is_claimed())?;
    Ok(GatewayFacts {
        version: Some(Clean::new(version.trim_start_matches('v'))),
        feed: Feed::Polling,
        whole: true,
        warnings: warnings(&health),
        note: (!claimed).then(|| Reason::new(ReasonCode::Unclaimed)),
    })
}

fn warnings(health: &Health) -> Vec<Message> {
    let mut out = Vec::new();
    if health.lag_ms >= LAG_MS {
        out.push(Message::new(&w::WARN_LAG).with("ms", format!("{:.0}", health.lag_ms)));
    }
    if health.rejected > 0 {
        out.push(Message::new(&w::WARN_REJECTED).with("n", health.rejected.to_string()));
    }
    out
}

/// See [`crate::providers::Provider::facts`].
pub(super) async fn known(cx: &Cx) -> Option<GatewayFacts> {
    facts(&Api::new(cx).ok()?).await.ok()
}

async fn all(cx: &Cx, api: &Api<'_>, turn: &mut usize) -> Result<Vec<Row>, Reason> {
    let bots = api.bots().await?;
    let enabled = bots.iter().filter(|b| b.enable).count();
    let from = if enabled > LOGS { (*turn * LOGS) % enabled } else { 0 };
    *turn += 1;
    let mut rows = Vec::with_capacity(bots.len());
    let mut n = 0;
    for bot in &bots {
        let mut with_log = false;
        if bot.enable {
            with_log = (n + enabled - from) % enabled < LOGS;
            n += 1;
        }
        rows.push(one(cx, api, bot, with_log).await?);
    }
    Ok(rows)
}

/// One bot with its log and its app.
async fn one(cx: &Cx, api: &Api<'_>, bot: &Bot, with_log: bool) -> Result<Row, Reason> {
    let log = if with_log && bot.enable {
        match api.log(&bot.uuid, LINES).await {
            Ok(lines) => Some(logs::judge(&lines)),
            // A bot that went meanwhile, or a key that may not read logs: the list is still good.
            Err(r) if matches!(r.code, ReasonCode::Gone | ReasonCode::CredentialNarrow | ReasonCode::ServerError | ReasonCode::ServerRefused) => None,
            Err(r) => return Err(r),
        }
    } else {
        None
    };
    let linked = rows::linked(cx, bot);
    let held = match &linked {
        Some((_, target)) => {
            let refusals = log.iter().flat_map(|l| &l.refusals);
            cx.tokens.saw(target, refusals.map(|(at, nr)| sign(bot, *at, *nr)).collect()).await;
            cx.tokens.held(target).await
        }
        None => None,
    };
    Ok(rows::row(cx, bot, log.as_ref(), linked.as_ref().map(|(name, _)| (*name, held.as_ref()))))
}

/// One refusal in a bot's log, as the owner of its app's tokens keeps it: told apart by when and which line it was.
fn sign(bot: &Bot, at: Wall, nr: i64) -> Sign {
    let by = Clean::new(if bot.name.is_empty() { &bot.uuid } else { &bot.name });
    Sign { kind: SignKind::Bot, by, nr: at.0.unsigned_abs() + nr.unsigned_abs() % 1000, at }
}

/// See [`crate::providers::Provider::look`].
pub(super) async fn look(cx: &Cx, at: Option<&Target>, how: Look) -> Result<Report, Reason> {
    let api = Api::new(cx)?;
    match (how, at) {
        (Look::Probe, _) => {
            // The list alone proves the credential; `healthz` answers anybody.
            let facts = facts(&api).await?;
            api.bots().await?;
            Ok(Report::Gateway(facts))
        }
        (Look::Row, Some(at)) => match api.bot(at.account.as_str()).await {
            Ok(bot) => Ok(Report::Part(vec![one(cx, &api, &bot, true).await?])),
            Err(r) if r.code == ReasonCode::Gone => Ok(Report::Gone(vec![at.clone()])),
            Err(r) => Err(r),
        },
        _ => Ok(Report::All { rows: all(cx, &api, &mut 0).await?, complete: true }),
    }
}

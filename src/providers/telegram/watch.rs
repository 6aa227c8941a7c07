//! The watch: each account's sessions from time to time, at once when the server tells of a new one.

use super::{
    SPEC, held, memo,
    mtproto::tl::{enums, functions as f},
    operator::{ASKED, Hub, Line, Wish, ask_time, measured, right_of},
    rows::{self, Remote, Standing},
    setup, slots,
};
use crate::{
    domain::{Reason, ReasonCode, RemoteId, Row, State, Target},
    providers::{Cx, GatewayFacts, Look, Report, Tx},
    store::config::Account,
};
use futures_util::StreamExt;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Accounts that are asked side by side.
const AT_ONCE: usize = 8;
/// After what makes a key dead: it is not used again, only what is stored is looked at.
const DEAD: Duration = Duration::from_secs(600);
/// How often files and processes are looked at while they are on screen, and while they are not.
const FILES: Duration = Duration::from_secs(5);
const FILES_UNSEEN: Duration = Duration::from_secs(60);
/// Until another try where somebody else has the key, or nothing answers.
const AGAIN: Duration = Duration::from_secs(15);

/// For a look that a command takes: it is bounded itself.
const GLANCE: Wish = Wish::Within(Duration::from_secs(10));

/// What one reading of an account gave.
#[derive(Clone, Debug)]
struct Reading {
    told: Result<Option<Remote>, Reason>,
    due: Instant,
}

/// Asks for the sessions of an account. `None`: a bot, which may not ask.
///
/// # Errors
/// [`Hub::line`]'s, or the call's.
pub(super) async fn remote(hub: &Hub, cx: &Cx, account: &Account) -> Result<(Arc<Line>, Option<Remote>), Reason> {
    remote_for(hub, cx, account, ASKED).await
}

async fn remote_for(hub: &Hub, cx: &Cx, account: &Account, wish: Wish) -> Result<(Arc<Line>, Option<Remote>), Reason> {
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

async fn one<'a>(hub: &Hub, cx: &Cx, account: &'a Account) -> (&'a Account, Result<(Arc<Line>, Option<Remote>), Reason>) {
    (account, remote_for(hub, cx, account, Wish::IfFree).await)
}

/// As [`one`], for a command: where another process has the key and nobody watches the account, it is asked for.
async fn glance(hub: &Hub, cx: &Cx, account: &Account) -> Result<Option<Remote>, Reason> {
    let mut told = one(hub, cx, account).await.1;
    if told.as_ref().is_err_and(is_held) && held::rows(hub, cx, account, true).await.is_none() {
        told = remote_for(hub, cx, account, GLANCE).await;
    }
    told.map(|(_, remote)| remote)
}

fn is_held(why: &Reason) -> bool {
    why.code == ReasonCode::OtherHolder
}

/// The slots of all accounts, as files and processes of this host tell.
async fn local(cx: &Cx) -> Vec<Row> {
    let (settings, now) = (Arc::clone(&cx.settings), cx.time.now());
    let mut rows = tokio::task::spawn_blocking(move || slots::rows::rows(&settings, &now)).await.unwrap_or_default();
    super::worker::remembered(cx, &mut rows).await;
    super::elsewhere::look(cx, &slots::of(&cx.settings), &mut rows).await;
    rows
}

/// The rows of one account: itself, its slots, its sessions. `fresh`: where another process has the key, only what it read lately.
async fn draw(hub: &Hub, cx: &Cx, account: &Account, told: &Result<Option<Remote>, Reason>, slots: &[Row], fresh: bool) -> Vec<Row> {
    let known = memo::known(cx, &account.name).await;
    let standing = match told {
        Ok(remote) => Standing::In(remote.as_ref()),
        Err(why) => Standing::Out(why.clone()),
    };
    let kept = match told {
        Err(why) if is_held(why) => held::rows(hub, cx, account, fresh).await,
        _ => None,
    };
    let mut own = rows::account(cx, account, known.as_ref(), standing);
    let mut slots: Vec<Row> = slots.iter().filter(|s| s.account.as_str() == account.name).cloned().collect();
    if let Ok(Some(remote)) = told {
        super::worker::revoked(cx, remote, &mut slots).await;
    }
    // A slot's conflict is the account's: a folded account must not look well.
    if let Some(worst) = slots.iter().find(|s| s.link.state == State::Conflict).filter(|_| own.link.state == State::Ready) {
        (own.link.state, own.link.reason) = (State::Conflict, worst.link.reason.clone());
    }
    if let Some(mut kept) = kept {
        // Told by who has the key.
        kept.extend(slots);
        return kept;
    }
    let mut out = vec![own];
    out.extend(slots);
    if let Ok(Some(remote)) = told {
        out.extend(rows::sessions(cx, account, remote));
    }
    out
}

/// See [`crate::providers::Provider::watch`].
pub(super) async fn watch(hub: &Hub, cx: &Cx, out: Tx<Report>) -> Reason {
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Reason::new(ReasonCode::Cancelled),
        why = run(hub, cx, out) => why,
    }
}

async fn run(hub: &Hub, cx: &Cx, out: Tx<Report>) -> Reason {
    let net = match setup::network(cx) {
        Ok(net) => net,
        Err(why) => return why,
    };
    let over = || Reason::new(ReasonCode::Cancelled);
    if out.send(Report::Gateway(GatewayFacts::default())).await.is_err() {
        return over();
    }
    let mut seen = cx.seen.clone();
    let mut readings: HashMap<Box<str>, Reading> = HashMap::new();
    // Held open: what the server says unasked comes here, and nobody else gets the key.
    let mut lines: HashMap<Box<str>, Arc<Line>> = HashMap::new();
    let mut probe_due = Instant::now();
    loop {
        let (refresh, on_screen) = {
            let seen = seen.borrow_and_update();
            (seen.refresh, seen.on_screen)
        };
        let pause = if on_screen { SPEC.poll_seen } else { SPEC.poll_unseen };
        let now = Instant::now();
        let due: Vec<&Account> = cx.settings.accounts.iter().filter(|a| readings.get(&*a.name).is_none_or(|r| r.due <= now)).collect();
        let asks: Vec<_> = due.into_iter().map(|a| one(hub, cx, a)).collect();
        let told: Vec<_> = futures_util::stream::iter(asks).buffer_unordered(AT_ONCE).collect().await;
        let mut answered = false;
        for (account, told) in told {
            let name: Box<str> = account.name.as_str().into();
            let told = told.map(|(line, remote)| {
                cx.memo.is_well(&right_of(line.conn.key()));
                lines.insert(name.clone(), line);
                remote
            });
            if let Err(why) = &told {
                lines.remove(&name);
                if let Some(last) = readings.get_mut(&name).filter(|r| is_held(why) && r.told.is_ok()) {
                    // Lent: what was read last stands until it is back, which is told.
                    last.due = Instant::now() + pause;
                    continue;
                }
                answered |= why.code == ReasonCode::RateLimited;
            }
            answered |= told.is_ok();
            let due = Instant::now() + told.as_ref().err().map_or(pause, |why| wait(why, pause));
            readings.insert(name, Reading { told, due });
        }
        // Somebody may press the key of a login any moment.
        let absent = |r: &Reading| r.told.as_ref().is_err_and(|why| why.code == ReasonCode::NeverPaired);
        let warms = on_screen && readings.values().any(absent) && hub.warm.is_cold(cx);
        let warmed = warms && hub.warm.fill(cx, &net).await.is_ok();
        if warmed || answered {
            probe_due = Instant::now() + pause;
        } else if probe_due <= Instant::now() {
            // Nobody is logged in yet, or nobody could ask: the servers' clock is known all the same, and whether they answer.
            if let Err(e) = ask_time(cx, &net).await {
                return super::fail::at(cx, &e);
            }
            probe_due = Instant::now() + pause;
        }
        let (mut rows, slots) = (Vec::new(), local(cx).await);
        for account in &cx.settings.accounts {
            if let Some(reading) = readings.get(&*account.name) {
                rows.extend(draw(hub, cx, account, &reading.told, &slots, false).await);
            }
        }
        // Sessions of an account that could not be asked are not gone.
        let complete = readings.values().all(|r| r.told.is_ok() || r.told.as_ref().is_err_and(|why| why.code == ReasonCode::NeverPaired));
        if out.send(Report::All { rows, complete }).await.is_err() {
            return over();
        }
        // Files and processes are looked at more often than servers are asked.
        let files = Instant::now() + if on_screen { FILES } else { FILES_UNSEEN };
        let files = if slots.is_empty() { probe_due } else { files };
        let next = readings.values().map(|r| r.due).chain([probe_due, files]).min().unwrap_or(probe_due);
        loop {
            tokio::select! {
                () = sleep_until(next) => break,
                of = hub.heard() => {
                    let now = Instant::now();
                    readings.iter_mut().filter(|(name, r)| of.contains(*name) && !is_limited(r)).for_each(|(_, r)| r.due = now);
                    break;
                }
                changed = seen.changed() => {
                    if changed.is_err() {
                        return over();
                    }
                    let (again, came) = {
                        let seen = seen.borrow_and_update();
                        (seen.refresh != refresh, seen.on_screen && !on_screen)
                    };
                    if again || came {
                        let old = Instant::now();
                        // Dead keys stay dead, however often somebody asks.
                        readings.values_mut().filter(|r| r.due > old && !is_dead(r) && !is_limited(r)).for_each(|r| r.due = old);
                        break;
                    }
                }
            }
        }
    }
}

/// The server said how long to wait: neither news nor a key that is pressed makes it shorter.
fn is_limited(reading: &Reading) -> bool {
    reading.told.as_ref().is_err_and(|why| why.code == ReasonCode::RateLimited) && reading.due > Instant::now()
}

fn is_dead(reading: &Reading) -> bool {
    reading.told.as_ref().is_err_and(|why| dead(why.code))
}

const fn dead(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::LoggedOut | ReasonCode::SessionDuplicated | ReasonCode::AccountClosed)
}

fn wait(why: &Reason, pause: Duration) -> Duration {
    let flood = why.args.iter().find(|(n, _)| &**n == "retry_after").and_then(|(_, v)| v.as_str().parse().ok());
    match (flood, why.code) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, code) if dead(code) => DEAD,
        (None, ReasonCode::NeverPaired | ReasonCode::CredentialMissing) => pause,
        (None, _) => AGAIN,
    }
}

/// See [`crate::providers::Provider::look`].
pub(super) async fn look(hub: &Hub, cx: &Cx, at: Option<&Target>, how: Look) -> Result<Report, Reason> {
    match (how, at) {
        (Look::Probe, at) => {
            let net = setup::network(cx)?;
            // Of an account that nobody is logged in to: what is asked is of use for its login.
            let account = at.map(|at| at.account.as_str()).filter(|a| hub.operator(cx, a).is_none());
            if let Some(account) = account {
                let home = memo::home(cx, account).await;
                if hub.warm.begin(cx, &net, home).await.map_err(|e| super::fail::at(cx, &e))? {
                    return Ok(Report::Alive(cx.time.now()));
                }
            }
            ask_time(cx, &net).await.map_err(|e| super::fail::at(cx, &e))?;
            Ok(Report::Alive(cx.time.now()))
        }
        (Look::Row, Some(at)) => {
            let Ok(account) = setup::account(cx, at.account.as_str()) else { return Ok(Report::Gone(vec![at.clone()])) };
            let told = glance(hub, cx, account).await;
            let rows = draw(hub, cx, account, &told, &local(cx).await, true).await;
            let there = |d: &RemoteId| rows.iter().any(|r| r.device.as_ref() == Some(d));
            if told.is_ok() && at.device.as_ref().is_some_and(|d| !there(d)) {
                return Ok(Report::Gone(vec![at.clone()]));
            }
            Ok(Report::Part(rows))
        }
        _ => {
            let asks: Vec<_> = cx.settings.accounts.iter().map(async |a| (a, glance(hub, cx, a).await)).collect();
            let all: Vec<_> = futures_util::stream::iter(asks).buffered(AT_ONCE).collect().await;
            let (mut rows, slots) = (Vec::new(), local(cx).await);
            let complete = all.iter().all(|(_, told)| told.is_ok());
            for (account, told) in &all {
                rows.extend(draw(hub, cx, account, told, &slots, true).await);
            }
            Ok(Report::All { rows, complete })
        }
    }
}

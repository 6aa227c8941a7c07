//! The watch: each account's sessions from time to time, at once when the server tells of a new one.

use super::{
    SPEC,
    ask::{self, AT_ONCE, Reach, Told},
    memo,
    operator::{Hub, Line},
    rows::{self, Standing},
    setup, slots,
    worker::Remembered,
};
use crate::{
    domain::{Reason, ReasonCode, RemoteId, Row, State, Target},
    providers::{Cx, GatewayFacts, Look, Report, Tx},
    store::config::Account,
};
use futures_util::StreamExt;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// After what makes a key dead: it is not used again, only what is stored is looked at.
const DEAD: Duration = Duration::from_secs(600);
/// How often files and processes are looked at while they are on screen, and while they are not.
const FILES: Duration = Duration::from_secs(5);
const FILES_UNSEEN: Duration = Duration::from_secs(60);
/// Until another try where somebody else has the key, or nothing answers.
const AGAIN: Duration = Duration::from_secs(15);

/// What one reading of an account gave.
#[derive(Clone, Debug)]
struct Reading {
    told: Told,
    due: Instant,
}

/// The slots of all accounts, and what is remembered of them.
struct Local {
    rows: Vec<Row>,
    kept: Remembered,
}

/// The slots of all accounts, as files and processes of this host tell.
async fn local(cx: &Cx) -> Local {
    let (settings, now) = (Arc::clone(&cx.settings), cx.time.now());
    let mut rows = tokio::task::spawn_blocking(move || slots::rows::rows(&settings, &now)).await.unwrap_or_default();
    let kept = super::worker::remembered(cx, &mut rows).await;
    super::elsewhere::look(cx, &slots::of(&cx.settings), &mut rows).await;
    Local { rows, kept }
}

/// The rows of one account: itself, its slots, its sessions.
async fn draw(cx: &Cx, account: &Account, told: &Told, local: &Local) -> Vec<Row> {
    let known = memo::known(cx, &account.name).await;
    let standing = match told {
        Ok(remote) => Standing::In(remote.as_ref()),
        Err(why) => Standing::Out(why.clone()),
    };
    let mut own = rows::account(cx, account, known.as_ref(), standing);
    let mut slots: Vec<Row> = local.rows.iter().filter(|s| s.account.as_str() == account.name).cloned().collect();
    if let Ok(Some(remote)) = told {
        super::worker::revoked(remote, &local.kept, &mut slots);
    }
    // A slot's conflict is the account's: a folded account must not look well.
    if let Some(worst) = slots.iter().find(|s| s.link.state == State::Conflict).filter(|_| own.link.state == State::Ready) {
        (own.link.state, own.link.reason) = (State::Conflict, worst.link.reason.clone());
    }
    let mut out = vec![own];
    out.extend(slots);
    if let Ok(Some(remote)) = told {
        out.extend(rows::sessions(cx, account, remote));
    }
    out
}

/// The whole list. Sessions of an account that could not be asked are not gone; where nobody at all was heard, nothing is.
async fn report<'a>(cx: &Cx, told: impl Iterator<Item = (&'a Account, &'a Told)>, local: &Local, lost: Option<Reason>) -> Report {
    let (mut rows, mut unasked) = (Vec::new(), Vec::new());
    for (account, told) in told {
        rows.extend(draw(cx, account, told, local).await);
        if told.as_ref().is_err_and(|why| why.code != ReasonCode::NeverPaired) {
            unasked.push(RemoteId::new(&account.name));
        }
    }
    match lost {
        Some(why) => Report::Lost { rows, why },
        None if unasked.is_empty() => Report::All { rows, complete: true },
        None => Report::AllBut { rows, unasked },
    }
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
    // Where nobody can be asked for sessions: when the servers are asked for their time, and what came of it.
    let (mut probe_due, mut unheard) = (Instant::now(), None);
    loop {
        let (refresh, on_screen) = {
            let seen = seen.borrow_and_update();
            (seen.refresh, seen.on_screen)
        };
        let pause = if on_screen { SPEC.poll_seen } else { SPEC.poll_unseen };
        let now = Instant::now();
        let due: Vec<&Account> = cx.settings.accounts.iter().filter(|a| readings.get(&*a.name).is_none_or(|r| r.due <= now)).collect();
        let asks: Vec<_> = due.into_iter().map(|a| ask::one(hub, cx, a)).collect();
        let told: Vec<_> = futures_util::stream::iter(asks).buffer_unordered(AT_ONCE).collect().await;
        for (account, told) in told {
            let name: Box<str> = account.name.as_str().into();
            let told = told.map(|(line, remote)| {
                lines.insert(name.clone(), line);
                remote
            });
            if told.is_err() {
                lines.remove(&name);
            }
            let due = Instant::now() + told.as_ref().err().map_or(pause, |why| wait(why, pause));
            readings.insert(name, Reading { told, due });
        }
        // Somebody may press the key of a login any moment.
        let absent = |r: &Reading| r.told.as_ref().is_err_and(|why| why.code == ReasonCode::NeverPaired);
        let warms = on_screen && readings.values().any(absent) && hub.warm.is_cold(cx);
        let warmed = warms && matches!(timeout(ask::PATIENCE, hub.warm.fill(cx, &net)).await, Ok(Ok(())));
        let lost = match ask::reach(readings.values().map(|r| &r.told)) {
            Reach::Nobody(why) if !warmed => {
                probe_due = now + AGAIN;
                Some(why)
            }
            Reach::Heard | Reach::Nobody(_) => {
                (probe_due, unheard) = (now + pause, None);
                None
            }
            Reach::Unasked if warmed => {
                (probe_due, unheard) = (now + pause, None);
                None
            }
            Reach::Unasked => {
                if probe_due <= Instant::now() {
                    // Nobody is logged in yet, or nobody could ask: the servers' clock is known all the same, and whether they answer.
                    unheard = ask::probe(cx).await.err();
                    probe_due = Instant::now() + if unheard.is_some() { AGAIN } else { pause };
                }
                unheard.clone()
            }
        };
        let local = local(cx).await;
        let told = cx.settings.accounts.iter().filter_map(|a| Some((a, &readings.get(&*a.name)?.told)));
        if out.send(report(cx, told, &local, lost).await).await.is_err() {
            return over();
        }
        // Files and processes are looked at more often than servers are asked.
        let files = Instant::now() + if on_screen { FILES } else { FILES_UNSEEN };
        let files = if local.rows.is_empty() { probe_due } else { files };
        let next = readings.values().map(|r| r.due).chain([probe_due, files]).min().unwrap_or(probe_due);
        loop {
            tokio::select! {
                () = sleep_until(next) => break,
                of = hub.heard() => {
                    readings.retain(|name, r| !of.contains(name) || is_limited(r));
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
                        if unheard.is_some() {
                            probe_due = old;
                        }
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
        (Look::Probe, _) => ask::probe(cx).await.map(|()| Report::Alive(cx.time.now())),
        (Look::Row, Some(at)) => {
            let Ok(account) = setup::account(cx, at.account.as_str()) else { return Ok(Report::Gone(vec![at.clone()])) };
            let told = ask::one(hub, cx, account).await.1.map(|(_, remote)| remote);
            let rows = draw(cx, account, &told, &local(cx).await).await;
            let there = |d: &RemoteId| rows.iter().any(|r| r.device.as_ref() == Some(d));
            if told.is_ok() && at.device.as_ref().is_some_and(|d| !there(d)) {
                return Ok(Report::Gone(vec![at.clone()]));
            }
            Ok(Report::Part(rows))
        }
        _ => {
            let all = ask::everyone(hub, cx).await;
            let lost = match ask::reach(all.iter().map(|(_, told)| told)) {
                Reach::Heard => None,
                Reach::Nobody(why) => Some(why),
                // Not every account is logged in; that the servers answer, and what their clock shows, is told all the same.
                Reach::Unasked => ask::probe(cx).await.err(),
            };
            Ok(report(cx, all.iter().map(|(a, told)| (*a, told)), &local(cx).await, lost).await)
        }
    }
}

//! The watch: each account's sessions from time to time, at once when the server tells of a new one.

use super::{
    SPEC,
    ask::{self, AT_ONCE, Reach, Told, is_held},
    held, memo,
    operator::{Hub, Line, right_of},
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

/// The rows of one account: itself, its slots, its sessions. `fresh`: where another process has the key, only what it read lately.
async fn draw(hub: &Hub, cx: &Cx, account: &Account, told: &Told, local: &Local, fresh: bool) -> Vec<Row> {
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
    let mut slots: Vec<Row> = local.rows.iter().filter(|s| s.account.as_str() == account.name).cloned().collect();
    if let Ok(Some(remote)) = told {
        super::worker::revoked(remote, &local.kept, &mut slots);
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

/// The whole list. Sessions of an account that could not be asked are not gone; where nobody at all was heard, nothing is.
async fn report<'a>(hub: &Hub, cx: &Cx, told: impl Iterator<Item = (&'a Account, &'a Told)>, lost: Option<Reason>, fresh: bool) -> Report {
    let local = local(cx).await;
    let (mut rows, mut unasked) = (Vec::new(), Vec::new());
    for (account, told) in told {
        rows.extend(draw(hub, cx, account, told, &local, fresh).await);
        // Of an account that is logged out nothing is left to be listed.
        if told.as_ref().is_err_and(|why| !matches!(why.code, ReasonCode::NeverPaired | ReasonCode::LoggedOut | ReasonCode::Wiped)) {
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
        let told = cx.settings.accounts.iter().filter_map(|a| Some((a, &readings.get(&*a.name)?.told)));
        if out.send(report(hub, cx, told, lost, false).await).await.is_err() {
            return over();
        }
        // Files and processes are looked at more often than servers are asked.
        let files = Instant::now() + if on_screen { FILES } else { FILES_UNSEEN };
        let files = if slots::of(&cx.settings).is_empty() { probe_due } else { files };
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
    matches!(code, ReasonCode::LoggedOut | ReasonCode::Wiped | ReasonCode::SessionDuplicated | ReasonCode::AccountClosed)
}

fn wait(why: &Reason, pause: Duration) -> Duration {
    let flood = why.arg("retry_after").and_then(|s| s.parse().ok());
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
            // Of an account that nobody is logged in to: what is asked is of use for its login.
            let told = match at.map(|at| at.account.as_str()).filter(|a| hub.operator(cx, a).is_none()) {
                Some(account) => ask::begin(hub, cx, account, false).await,
                None => ask::probe(cx).await,
            };
            told.map(|()| Report::Alive(cx.time.now()))
        }
        (Look::Row, Some(at)) => {
            let Ok(account) = setup::account(cx, at.account.as_str()) else { return Ok(Report::Gone(vec![at.clone()])) };
            let told = ask::glance(hub, cx, account).await;
            let rows = draw(hub, cx, account, &told, &local(cx).await, true).await;
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
                Reach::Unasked => match all.iter().find(|(_, told)| told.as_ref().is_err_and(|why| why.code == ReasonCode::NeverPaired)) {
                    Some((account, _)) => ask::begin(hub, cx, &account.name, true).await.err(),
                    None => ask::probe(cx).await.err(),
                },
            };
            Ok(report(hub, cx, all.iter().map(|(a, told)| (*a, told)), lost, true).await)
        }
    }
}

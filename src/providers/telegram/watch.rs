//! What is told of the accounts: by a watch, whose rounds are in [`super::rounds`], and by single looks.

use super::{
    ask::{self, Reach, Told, is_held},
    held, listed, memo,
    operator::Hub,
    rows::{self, Standing},
    setup, slots,
    worker::{Over, Remembered},
};
use crate::{
    domain::{Reason, ReasonCode, RemoteId, Row, State, Target},
    providers::{Cx, Look, Report, Tx},
    store::config::Account,
};
use std::sync::Arc;

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

/// Keys of slots whose sessions these accounts were heard not to list any more.
fn over<'a>(told: impl Iterator<Item = (&'a Account, &'a Told)>, local: &Local) -> Over {
    let heard = told.filter_map(|(account, told)| Some((account, told.as_ref().ok()?.as_ref()?)));
    heard.flat_map(|(account, remote)| super::worker::over(remote, &account.name, &local.kept)).collect()
}

/// The rows of one account: itself, its slots, its sessions. `fresh`: where another process has the key, only what it read lately.
async fn draw(hub: &Hub, cx: &Cx, account: &Account, told: &Told, local: &Local, over: &Over, fresh: bool) -> Vec<Row> {
    let known = memo::known(cx, &account.name).await;
    let standing = match told {
        Ok(remote) => Standing::In(remote.as_ref()),
        Err(why) => Standing::Out(why.clone()),
    };
    let mut own = rows::account(cx, account, known.as_ref(), standing);
    let mut slots: Vec<Row> = local.rows.iter().filter(|s| s.account.as_str() == account.name).cloned().collect();
    let kept = match told {
        Err(why) if is_held(why) => held::rows(hub, cx, account, fresh, &mut slots).await,
        _ => None,
    };
    super::worker::revoked(over, &mut slots);
    // A slot's conflict is the account's: a folded account must not look well.
    if let Some(worst) = slots.iter().find(|s| s.link.state == State::Conflict).filter(|_| own.link.state == State::Ready) {
        (own.link.state, own.link.reason) = (State::Conflict, worst.link.reason.clone());
    }
    if let Some(mut kept) = kept {
        // Told by who has the key.
        kept.extend(slots);
        return kept;
    }
    let mut sessions = Vec::new();
    if let Ok(Some(remote)) = told {
        sessions = rows::sessions(cx, account, remote);
        listed::link(&account.name, remote, &local.kept, &mut slots, &mut sessions);
    }
    std::iter::once(own).chain(slots).chain(sessions).collect()
}

/// The whole list; `None`: of this account nothing was heard yet. Sessions of an account that could not be asked are not gone; where
/// nobody at all was heard, nothing is.
pub(super) async fn report<'a>(
    hub: &Hub,
    cx: &Cx,
    told: impl Iterator<Item = (&'a Account, Option<&'a Told>)> + Clone,
    lost: Option<Reason>,
    fresh: bool,
) -> Report {
    let local = local(cx).await;
    // A copy may lie in a slot of another account.
    let over = over(told.clone().filter_map(|(account, told)| Some((account, told?))), &local);
    let (mut rows, mut unasked) = (Vec::new(), Vec::new());
    for (account, told) in told {
        let Some(told) = told else {
            // What is known of it stands until it answers, or its time is over.
            unasked.push(RemoteId::new(&account.name));
            continue;
        };
        rows.extend(draw(hub, cx, account, told, &local, &over, fresh).await);
        // Of an account that is logged out nothing is left to be listed: neither its own session nor those that it told of.
        if told.as_ref().is_err_and(|why| !is_out(why.code)) {
            unasked.push(RemoteId::new(&account.name));
        }
    }
    match lost {
        Some(why) => Report::Lost { rows, why },
        None if unasked.is_empty() => Report::All { rows, complete: true },
        None => Report::AllBut { rows, unasked },
    }
}

/// True where the operator has no session any more, however that ended.
const fn is_out(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::NeverPaired | ReasonCode::LoggedOut | ReasonCode::Wiped | ReasonCode::SessionDuplicated | ReasonCode::AccountClosed)
}

/// See [`crate::providers::Provider::watch`].
pub(super) async fn watch(hub: &Hub, cx: &Cx, out: Tx<Report>) -> Reason {
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Reason::new(ReasonCode::Cancelled),
        why = super::rounds::run(hub, cx, out) => why,
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
            let told = ask::glance(hub, cx, account, ask::PATIENCE).await;
            let local = local(cx).await;
            let over = over(std::iter::once((account, &told)), &local);
            let rows = draw(hub, cx, account, &told, &local, &over, true).await;
            let whole = told.as_ref().map_or_else(|why| is_out(why.code), |_| true);
            Ok(if whole { Report::Whole { account: at.account.clone(), rows } } else { Report::Part(rows) })
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
            Ok(report(hub, cx, all.iter().map(|(a, told)| (*a, Some(told))), lost, true).await)
        }
    }
}

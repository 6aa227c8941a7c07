//! The watch: one list an interval, the logs of the bots that are switched on, the server's figures.

use super::{
    SPEC,
    api::Api,
    api::{MANAGE, VIEW},
    logs, restarts, rows,
    wire::{Bot, Health},
};
use crate::{
    domain::{Clean, Fact, FactValue, Reason, ReasonCode, Row, Target, Wall},
    i18n::{Message, Words, langbot as w},
    providers::{Cx, Feed, GatewayFacts, Look, Report, Tx},
    store::tokens::{Sign, SignKind},
};
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Logs read in one turn: bots beyond that are read in the next ones.
const LOGS: usize = 50;
/// A loop that lags so much as a rule is worth a warning, in ms.
const LAG_MS: f64 = 500.0;
/// How long refused work is news.
const LATELY: Duration = Duration::from_secs(600);
/// Key of the gateway's figure that says whether bots may be changed: absent where nothing tells.
pub(super) const MAY_MANAGE: &str = "may_manage";
/// Key of the gateway's figure that says whether the QR flows may be used.
pub(super) const MAY_PAIR: &str = "may_pair";

/// See [`crate::providers::Provider::watch`].
pub(super) async fn watch(cx: &Cx, out: Tx<Report>) -> Reason {
    let run = async {
        let api = match Api::new(cx) {
            Ok(api) => api,
            Err(r) => return r,
        };
        let mut seen = cx.seen.clone();
        let mut turn = 0;
        let mut work = Work::default();
        loop {
            let refresh = seen.borrow_and_update().refresh;
            // First what needs no credential: no key is shown to a server that is none of this kind.
            let heard = async {
                let facts = facts(&api, Some(&mut work)).await?;
                let bots = api.bots().await?;
                Ok::<_, Reason>((with_rights(facts, &api, &bots), bots))
            };
            let bots = match heard.await {
                Ok((facts, bots)) => {
                    if out.send(Report::Gateway(facts)).await.is_err() {
                        return Reason::new(ReasonCode::Cancelled);
                    }
                    bots
                }
                Err(r) => return r,
            };
            match all(cx, &api, &bots, &mut turn).await {
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
async fn facts(api: &Api<'_>, work: Option<&mut Work>) -> Result<GatewayFacts, Reason> {
    let (health, version, claimed) = tokio::try_join!(api.health(), api.version(), api.is_claimed())?;
    Ok(GatewayFacts {
        version: Some(Clean::new(version.trim_start_matches('v'))),
        feed: Feed::Polling,
        whole: true,
        warnings: warnings(&health, work.map_or(0, |w| w.risen(health.rejected))),
        note: (!claimed).then(|| Reason::new(ReasonCode::Unclaimed)),
        figures: figures(&health),
        rights: Vec::new(),
    })
}

/// What `healthz` counts (recordings 00, 47), under stable keys.
fn figures(health: &Health) -> Vec<Fact> {
    let count = |key, label: &'static Words, n| Fact { key, label, value: FactValue::Count(n) };
    vec![
        count("bots_loaded", &w::FIGURE_BOTS, health.bots),
        count("tasks_running", &w::FIGURE_TASKS, health.tasks),
        count("queries_queued", &w::FIGURE_QUEUED, health.queued),
        count("work_pending", &w::FIGURE_PENDING, health.pending),
        count("work_rejected", &w::FIGURE_REJECTED, health.rejected),
        // Rounded: what is below a millisecond is no lag.
        count("lag_ms", &w::FIGURE_LAG, health.lag_ms.max(0.0).round() as u64),
    ]
}

/// Adds what the credential may do. No call tells a key's own scopes; who may manage is told the settings of every bot, and so with
/// the first bot it is known. A login is taken for one of the owner.
fn with_rights(mut facts: GatewayFacts, api: &Api<'_>, bots: &[Bot]) -> GatewayFacts {
    let person = api.is_person();
    let manages = if person { Some(true) } else { bots.first().map(|b| b.open) };
    let flag = |key, label: &'static Words, yes| Fact { key, label, value: FactValue::Flag(yes) };
    if let Some(yes) = manages {
        facts.figures.push(flag(MAY_MANAGE, &w::FIGURE_MANAGE, yes));
    }
    facts.figures.push(flag(MAY_PAIR, &w::FIGURE_PAIR, person));
    let said = |words: &'static Words| Message::new(words).with("view", VIEW).with("manage", MANAGE);
    facts.rights = match (person, manages) {
        (true, _) => vec![said(&w::RIGHTS_LOGIN)],
        (false, Some(true)) => vec![said(&w::RIGHTS_MANAGE), said(&w::RIGHTS_NO_LOGIN)],
        (false, Some(false)) => vec![said(&w::RIGHTS_VIEW), said(&w::RIGHTS_NO_LOGIN)],
        (false, None) => vec![said(&w::RIGHTS_UNTOLD), said(&w::RIGHTS_NO_LOGIN)],
    };
    facts
}

/// `rejected`: work that was refused lately.
fn warnings(health: &Health, rejected: u64) -> Vec<Message> {
    let mut out = Vec::new();
    if health.usual_lag_ms >= LAG_MS {
        out.push(Message::new(&w::WARN_LAG).with("ms", format!("{:.0}", health.usual_lag_ms)));
    }
    if rejected > 0 {
        out.push(Message::new(&w::WARN_REJECTED).with("n", rejected.to_string()));
    }
    out
}

/// Work that the server refused. It counts from its start, so that only what is added says how it fares.
#[derive(Default)]
struct Work(VecDeque<(Instant, u64)>);

impl Work {
    /// Takes in the total; how much was added within [`LATELY`].
    fn risen(&mut self, total: u64) -> u64 {
        let now = Instant::now();
        if self.0.back().is_some_and(|(_, before)| total < *before) {
            // It was started anew.
            self.0.clear();
        }
        self.0.push_back((now, total));
        while self.0.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= LATELY) {
            self.0.pop_front();
        }
        self.0.front().map_or(0, |(_, before)| total - before)
    }
}

/// See [`crate::providers::Provider::facts`].
pub(super) async fn known(cx: &Cx) -> Option<GatewayFacts> {
    let api = Api::new(cx).ok()?;
    let facts = facts(&api, None).await.ok()?;
    Some(match api.bots().await {
        Ok(bots) => with_rights(facts, &api, &bots),
        Err(_) => facts,
    })
}

async fn all(cx: &Cx, api: &Api<'_>, bots: &[Bot], turn: &mut usize) -> Result<Vec<Row>, Reason> {
    let enabled = bots.iter().filter(|b| b.enable).count();
    let from = if enabled > LOGS { (*turn * LOGS) % enabled } else { 0 };
    *turn += 1;
    let mut rows = Vec::with_capacity(bots.len());
    let mut n = 0;
    let corps = corps(cx);
    for bot in bots {
        let mut with_log = false;
        if bot.enable {
            with_log = (n + enabled - from) % enabled < LOGS;
            n += 1;
        }
        rows.push(one(cx, api, bot, &corps, with_log).await?);
    }
    Ok(rows)
}

/// The corporations of the gateways that bots are linked to, by the gateway's name.
fn corps(cx: &Cx) -> Vec<(String, String)> {
    if cx.settings.langbot.links.is_empty() {
        return Vec::new();
    }
    let all = cx.memo.configured().map(|c| c.gateways).unwrap_or_default();
    all.into_iter().filter_map(|g| Some((g.name, g.corp_id?))).collect()
}

/// A refusal of one bot's log that says nothing against the server.
fn is_of_one(code: ReasonCode) -> bool {
    use ReasonCode as C;
    matches!(code, C::Gone | C::CredentialNarrow | C::ServerError | C::ServerRefused | C::RateLimited)
}

/// One bot with its log and its app.
async fn one(cx: &Cx, api: &Api<'_>, bot: &Bot, corps: &[(String, String)], with_log: bool) -> Result<Row, Reason> {
    let mut restarted = None;
    let log = if with_log && bot.enable {
        match api.log(&bot.uuid, logs::LINES).await {
            Ok((lines, now)) => {
                restarted = restarts::lately(cx, &bot.uuid, now).await;
                Some(logs::judge(&lines, now))
            }
            // A bot that went meanwhile, a key that may not read logs, a server that is busy for a moment: the list is still good.
            Err(r) if is_of_one(r.code) => None,
            Err(r) => return Err(r),
        }
    } else {
        None
    };
    let linked = rows::linked(cx, bot, |name| corps.iter().find(|(n, _)| n == name).map(|(_, corp)| corp.clone()));
    let held = match linked.as_ref().filter(|l| l.alien.is_none()).map(|l| &l.target) {
        Some(target) => {
            let of = |kind, lines: &[(Wall, i64)]| lines.iter().map(|(at, nr)| sign(kind, bot, *at, *nr)).collect::<Vec<_>>();
            let seen: Vec<Sign> = log.iter().flat_map(|l| [of(SignKind::Bot, &l.refusals), of(SignKind::Doubt, &l.doubts)].concat()).collect();
            cx.tokens.saw(target, seen).await;
            cx.tokens.held(target).await
        }
        None => None,
    };
    Ok(rows::row(cx, bot, &rows::Known { log: log.as_ref(), app: linked.as_ref(), held: held.as_ref(), restarted }))
}

/// One refusal in a bot's log, as the owner of its app's tokens keeps it: told apart by when and which line it was.
fn sign(kind: SignKind, bot: &Bot, at: Wall, nr: i64) -> Sign {
    let by = Clean::new(if bot.name.is_empty() { &bot.uuid } else { &bot.name });
    Sign { kind, by, nr: at.0.unsigned_abs() + nr.unsigned_abs() % 1000, at }
}

/// See [`crate::providers::Provider::look`].
pub(super) async fn look(cx: &Cx, at: Option<&Target>, how: Look) -> Result<Report, Reason> {
    let api = Api::new(cx)?;
    match (how, at) {
        (Look::Probe, _) => {
            // The list alone proves the credential; `healthz` answers anybody.
            let facts = facts(&api, None).await?;
            let bots = api.bots().await?;
            Ok(Report::Gateway(with_rights(facts, &api, &bots)))
        }
        (Look::Row, Some(at)) => match api.bot(at.account.as_str()).await {
            Ok(bot) => Ok(Report::Part(vec![one(cx, &api, &bot, &corps(cx), true).await?])),
            Err(r) if r.code == ReasonCode::Gone => Ok(Report::Gone(vec![at.clone()])),
            Err(r) => Err(r),
        },
        _ => Ok(Report::All { rows: all(cx, &api, &api.bots().await?, &mut 0).await?, complete: true }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refused_work_is_news_for_a_while_and_what_was_refused_before_the_first_look_is_none() {
        let mut work = Work::default();
        assert_eq!(work.risen(5), 0, "since when is not known");
        assert_eq!(work.risen(7), 2);
        tokio::time::advance(LATELY).await;
        assert_eq!(work.risen(7), 0);
        assert_eq!(work.risen(9), 2);
        assert_eq!(work.risen(1), 0, "it was started anew");
        let peak = Health { lag_ms: 2000.0, usual_lag_ms: 17.0, ..Health::default() };
        assert!(warnings(&peak, 0).is_empty(), "one peak is no warning");
        assert_eq!(warnings(&Health { usual_lag_ms: 900.0, ..peak }, 3).len(), 2);
    }
}

//! The rounds of a watch: each account is asked when its time has come, by itself. One that stays silent delays nobody else, neither
//! what they tell nor when they are asked next.

use super::{
    SPEC,
    ask::{self, AT_ONCE, Asked, Reach, Told, is_held},
    operator::{Hub, Line, right_of},
    setup,
    watch::report,
};
use crate::{
    domain::{Reason, ReasonCode},
    providers::{Cx, GatewayFacts, Report, Tx},
    store::config::Account,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{
    collections::{HashMap, HashSet},
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout};

/// After what makes a key dead: it is not used again, only what is stored is looked at.
const DEAD: Duration = Duration::from_secs(600);
/// How often files and processes are looked at while they are on screen, and while they are not.
const FILES: Duration = Duration::from_secs(5);
const FILES_UNSEEN: Duration = Duration::from_secs(60);
/// Until another try where somebody else has the key, or nothing answers.
const AGAIN: Duration = Duration::from_secs(15);
/// Answers that come so close together are told together: a hundred accounts are no hundred reports.
const TOGETHER: Duration = Duration::from_millis(200);
/// So many of the questions side by side may be put to accounts that did not answer the last time.
const SILENT_AT_ONCE: usize = AT_ONCE / 2;

/// What one reading of an account gave.
#[derive(Clone, Debug)]
struct Reading {
    told: Told,
    due: Instant,
}

impl Reading {
    /// The server said how long to wait: neither news nor a key that is pressed makes it shorter.
    fn is_limited(&self) -> bool {
        self.told.as_ref().is_err_and(|why| why.code == ReasonCode::RateLimited) && self.due > Instant::now()
    }

    fn is_dead(&self) -> bool {
        self.told.as_ref().is_err_and(|why| dead(why.code))
    }

    fn is_silent(&self) -> bool {
        self.told.as_ref().is_err_and(|why| matches!(why.code, ReasonCode::Slow | ReasonCode::Unreachable))
    }
}

const fn dead(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::LoggedOut | ReasonCode::Wiped | ReasonCode::SessionDuplicated | ReasonCode::AccountClosed)
}

/// However long an account asks us to wait, it is asked again after a month.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

fn wait(why: &Reason, pause: Duration) -> Duration {
    let flood = why.arg("retry_after").and_then(|s| s.parse::<u64>().ok());
    match (flood, why.code) {
        // Bounded: it is added to a clock, and may have come out of a store that somebody edited.
        (Some(seconds), _) => Duration::from_secs(seconds).min(LONGEST),
        (None, code) if dead(code) => DEAD,
        (None, ReasonCode::NeverPaired | ReasonCode::CredentialMissing) => pause,
        (None, _) => AGAIN,
    }
}

/// What an account told, with the line by which it did.
type Answer = Result<(Arc<Line>, Option<super::rows::Remote>), Reason>;

/// A key that is made for the next login; true when it was.
type Warming<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

struct Rounds<'a> {
    hub: &'a Hub,
    cx: &'a Cx,
    readings: HashMap<&'a str, Reading>,
    /// Held open: what the server says unasked comes here, and nobody else gets the key.
    lines: HashMap<&'a str, Arc<Line>>,
    /// Who is being asked now.
    asked: Asked<'a>,
    /// Of whom something was heard while they were being asked: the answer may be older.
    again: HashSet<&'a str>,
    /// Those of them that did not answer the last time.
    doubted: HashSet<&'a str>,
    /// Where nobody can be asked for sessions: when the servers are asked for their time, and what came of it.
    probe_due: Instant,
    unheard: Option<Reason>,
    /// When files and processes are looked at again.
    files_due: Instant,
    /// When a key may be made again.
    warm_due: Instant,
    on_screen: bool,
}

impl<'a> Rounds<'a> {
    const fn pause(&self) -> Duration {
        if self.on_screen { SPEC.poll_seen } else { SPEC.poll_unseen }
    }

    /// Who is asked now: whose time has come, the silent ones last and never all at once.
    fn begin(&mut self) -> Vec<&'a Account> {
        let now = Instant::now();
        let cx = self.cx;
        let due = |a: &&Account| self.readings.get(&*a.name).is_none_or(|r| r.due <= now) && !self.asked.has(&a.name);
        let silent = |a: &Account| self.readings.get(&*a.name).is_some_and(Reading::is_silent);
        let mut due: Vec<(bool, &'a Account)> = cx.settings.accounts.iter().filter(due).map(|a| (silent(a), a)).collect();
        due.sort_by_key(|(silent, _)| *silent);
        let mut out = Vec::new();
        for (silent, account) in due {
            if !self.asked.has_place() || (silent && self.doubted.len() >= SILENT_AT_ONCE) {
                break;
            }
            self.asked.begin(&account.name);
            if silent {
                self.doubted.insert(&account.name);
            }
            out.push(account);
        }
        out
    }

    /// When a question that is due gets a place that somebody silent has now.
    fn place(&self) -> Option<Instant> {
        let now = Instant::now();
        let due = |a: &Account| !self.asked.has(&a.name) && self.readings.get(&*a.name).is_none_or(|r| r.due <= now && !r.is_silent());
        self.cx.settings.accounts.iter().any(due).then(|| self.asked.next_place()).flatten()
    }

    /// Takes an answer.
    fn took(&mut self, account: &'a Account, told: Answer) {
        let (name, pause) = (account.name.as_str(), self.pause());
        self.asked.end(name);
        self.doubted.remove(name);
        let again = self.again.remove(name);
        let told = told.map(|(line, remote)| {
            self.cx.memo.is_well(&right_of(line.conn.key()));
            self.lines.insert(name, line);
            remote
        });
        if let Err(why) = &told {
            self.lines.remove(name);
            if let Some(last) = self.readings.get_mut(name).filter(|r| is_held(why) && r.told.is_ok()) {
                // Lent: what was read last stands until it is back, which is told.
                last.due = Instant::now() + if again { Duration::ZERO } else { pause };
                return;
            }
        }
        let due = Instant::now() + told.as_ref().err().map_or(pause, |why| wait(why, pause));
        let mut reading = Reading { told, due };
        if again && !reading.is_limited() {
            reading.due = Instant::now();
        }
        self.readings.insert(name, reading);
    }

    /// Something was heard of these accounts: they are asked anew.
    fn heard(&mut self, of: &HashSet<Box<str>>) {
        let now = Instant::now();
        self.readings.iter_mut().filter(|(name, r)| of.contains(**name) && !r.is_limited()).for_each(|(_, r)| r.due = now);
        self.again.extend(self.asked.names().filter(|name| of.contains(*name)));
    }

    /// A person looks, or asked for it. Dead keys stay dead, however often somebody asks.
    fn wanted(&mut self) {
        let now = Instant::now();
        self.readings.values_mut().filter(|r| r.due > now && !r.is_dead() && !r.is_limited()).for_each(|r| r.due = now);
        if self.unheard.is_some() {
            self.probe_due = now;
        }
    }

    fn reach(&self) -> Reach {
        ask::reach(self.readings.values().map(|r| &r.told))
    }

    /// Somebody may press the key of a login any moment, and none is made.
    fn warms(&self) -> bool {
        let absent =
            |r: &Reading| r.told.as_ref().is_err_and(|why| matches!(why.code, ReasonCode::NeverPaired | ReasonCode::LoggedOut | ReasonCode::Wiped));
        self.on_screen && self.warm_due <= Instant::now() && self.readings.values().any(absent) && self.hub.warm.is_cold(self.cx)
    }

    /// Notes how the making of a key ended.
    fn warmed(&mut self, made: bool) -> bool {
        if !made {
            self.warm_due = Instant::now() + AGAIN;
        }
        made
    }

    /// What is to be said of the gateway itself. Only where nobody is being asked it may wait for the servers.
    async fn lost(&mut self, warmed: bool) -> Option<Reason> {
        let now = Instant::now();
        match self.reach() {
            Reach::Nobody(why) if !warmed => {
                self.probe_due = now + AGAIN;
                return Some(why);
            }
            Reach::Unasked if !warmed => {
                if self.probe_due <= now {
                    // Nobody is logged in yet, or nobody could ask: the servers' clock is known all the same, and whether they answer.
                    self.unheard = ask::probe(self.cx).await.err();
                    self.probe_due = Instant::now() + if self.unheard.is_some() { AGAIN } else { self.pause() };
                }
                return self.unheard.clone();
            }
            _ => (self.probe_due, self.unheard) = (now + self.pause(), None),
        }
        None
    }

    async fn report(&mut self, lost: Option<Reason>) -> Report {
        let told = self.cx.settings.accounts.iter().map(|a| (a, self.readings.get(&*a.name).map(|r| &r.told)));
        let report = report(self.hub, self.cx, told, lost, false).await;
        self.files_due = if super::slots::of(&self.cx.settings).is_empty() {
            self.probe_due
        } else {
            Instant::now() + if self.on_screen { FILES } else { FILES_UNSEEN }
        };
        report
    }

    /// When something is to be done by itself. What is due already waits for a place among the questions.
    fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        let readings = self.readings.iter().filter(|(name, _)| !self.asked.has(name)).map(|(_, r)| r.due);
        readings.chain([self.probe_due, self.files_due]).filter(|due| *due > now).min()
    }
}

/// The watch itself; ends when nobody listens any more.
pub(super) async fn run(hub: &Hub, cx: &Cx, out: Tx<Report>) -> Reason {
    let net = match setup::network(cx) {
        Ok(net) => net,
        Err(why) => return why,
    };
    let over = || Reason::new(ReasonCode::Cancelled);
    if out.send(Report::Gateway(GatewayFacts::default())).await.is_err() {
        return over();
    }
    let mut seen = cx.seen.clone();
    let now = Instant::now();
    let mut rounds = Rounds {
        hub,
        cx,
        readings: HashMap::new(),
        lines: HashMap::new(),
        asked: Asked::default(),
        again: HashSet::new(),
        doubted: HashSet::new(),
        probe_due: now,
        unheard: None,
        files_due: now,
        warm_due: now,
        on_screen: seen.borrow_and_update().on_screen,
    };
    let mut refresh = seen.borrow().refresh;
    let (mut asks, mut warming): (FuturesUnordered<_>, Option<Warming<'_>>) = (FuturesUnordered::new(), None);
    // Since when there is something to tell; and whether a key was made meanwhile, which proves that the servers answer.
    let (mut news, mut warmed) = (Some(now), false);
    loop {
        for account in rounds.begin() {
            asks.push(ask::one(hub, cx, account));
        }
        let heard = matches!(rounds.reach(), Reach::Heard);
        if rounds.warms() {
            let net = &net;
            warming.get_or_insert_with(|| Box::pin(async move { matches!(timeout(ask::PATIENCE, hub.warm.fill(cx, net)).await, Ok(Ok(()))) }));
        }
        // What is said of the gateway needs somebody who was heard, or the answers of all.
        let tell = news.is_some_and(|since| asks.is_empty() || (heard && since.elapsed() >= TOGETHER));
        if tell {
            news = None;
            // Whether the servers answer is all that is left to be told then.
            if let Some(making) = warming.take_if(|_| !heard) {
                warmed = rounds.warmed(making.await);
            }
            let warmed = std::mem::take(&mut warmed);
            let lost = rounds.lost(warmed).await;
            if out.send(rounds.report(lost).await).await.is_err() {
                return over();
            }
            continue;
        }
        let (next, place) = (rounds.next(), rounds.place());
        let told = news.filter(|_| heard).map(|since| since + TOGETHER);
        tokio::select! {
            Some((account, told)) = asks.next(), if !asks.is_empty() => {
                rounds.took(account, told);
                news = news.or_else(|| Some(Instant::now()));
            }
            made = async { match &mut warming { Some(w) => w.await, None => pending().await } } => {
                warming = None;
                warmed = rounds.warmed(made);
            }
            () = async { match told { Some(at) => sleep_until(at).await, None => pending().await } } => {}
            () = async { match next { Some(at) => sleep_until(at).await, None => pending().await } } => news = news.or_else(|| Some(Instant::now())),
            // Whoever waits for it is asked above.
            () = async { match place { Some(at) => sleep_until(at).await, None => pending().await } } => {}
            of = hub.heard() => {
                rounds.heard(&of);
                news = news.or_else(|| Some(Instant::now()));
            }
            changed = seen.changed() => {
                if changed.is_err() {
                    return over();
                }
                let (again, came) = {
                    let seen = seen.borrow_and_update();
                    let was = std::mem::replace(&mut rounds.on_screen, seen.on_screen);
                    (std::mem::replace(&mut refresh, seen.refresh) != seen.refresh, seen.on_screen && !was)
                };
                if again || came {
                    rounds.wanted();
                    news = news.or_else(|| Some(Instant::now()));
                }
            }
        }
    }
}

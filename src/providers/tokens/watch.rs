//! The watch: what the owner of the tokens holds, seen often and without a request; what the platform says of them, asked
//! seldom. A token that the platform refuses is reported to its owner once; when the one that follows is refused as well, that is
//! told and nothing more is asked, so that no storm can start here (wecom-langbot §0.4).

use super::{
    look,
    platform::Platform,
    probe::Depth,
    rows::{self, Known, Probed},
};
use crate::{
    domain::{Fingerprint, Reason, ReasonCode, Row, State, Target, row::TokenSemantics},
    providers::{
        Cx, Fut, GatewayFacts, Report, Tx,
        token::{Ask, Given, Held},
    },
    store::config::Account,
};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::{
    sync::broadcast::{self, error::TryRecvError},
    time::{Instant, sleep_until},
};

/// A token is tried so often, unless something asks for it sooner.
const SLOWLY: Duration = Duration::from_secs(600);
/// A token that came for a refused one is tried so often while it is young: where somebody else holds the secret it dies early too,
/// and that is seen within a minute instead of at the next slow round.
const DOUBTED: Duration = Duration::from_secs(20);
/// A token is young for so long: the owner's own measure of "refused again".
const YOUNG: Duration = Duration::from_secs(600);
/// An account that the platform refuses is tried so often: a person may be mending it.
const MENDING: Duration = Duration::from_secs(60);
/// The platform is heard at least so often: other processes follow this one's word.
const HEARD: Duration = Duration::from_secs(60);
/// Accounts that are tried at once.
const ABREAST: usize = 8;
/// What the owner holds of all accounts is looked at so often; of the one under the cursor at each poll.
const ALL: Duration = Duration::from_secs(30);
/// Up to so many accounts are all tried anew when a person asks; of more only those that are not well and the one under the cursor.
const FEW: usize = 50;

/// An account by its number, its cached token, and what was said of that.
type Found = (usize, Option<Given>, Option<Result<Probed, Reason>>);

struct One {
    account: Account,
    known: Known,
    /// When its token is tried next; `None`: not before another is there or a person asks.
    due: Option<Instant>,
    /// The token that came after a refused one was reported.
    renewed: Option<Fingerprint>,
    /// The refused token that was reported.
    reported: Option<Fingerprint>,
    /// The one that the platform gave again although it refuses it: it is tried seldom, and none is asked for.
    spent: Option<Fingerprint>,
    /// As it was last sent.
    sent: Option<Row>,
}

/// News of the owner of the tokens.
type Told = broadcast::Receiver<Target>;

/// The next account that there is news of; `None`: of more than were heard.
async fn heard(told: &mut Option<Told>) -> Option<Target> {
    let Some(rx) = told else { return std::future::pending().await };
    match rx.recv().await {
        Ok(target) => Some(target),
        Err(broadcast::error::RecvError::Lagged(_)) => None,
        Err(broadcast::error::RecvError::Closed) => {
            *told = None;
            std::future::pending().await
        }
    }
}

struct Watch<'a> {
    platform: &'a Platform,
    cx: &'a Cx,
    out: Tx<Report>,
    all: Vec<One>,
    heard: Instant,
    reread: Instant,
}

/// See [`crate::providers::Provider::watch`].
pub(super) async fn watch(platform: &Platform, cx: &Cx, out: Tx<Report>) -> Reason {
    let now = Instant::now();
    let mut w = Watch { platform, cx, out, all: Vec::with_capacity(cx.settings.accounts.len()), heard: now, reread: now };
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Reason::new(ReasonCode::Cancelled),
        end = w.run() => end.err().unwrap_or_else(|| Reason::new(ReasonCode::Cancelled)),
    }
}

impl Watch<'_> {
    /// Runs until the platform cannot be heard any more, which is the error, or nobody listens.
    async fn run(&mut self) -> Result<(), Reason> {
        // Before anything is read: news of a token that is fetched meanwhile waits.
        let mut told = self.cx.tokens.news();
        // Before anything is listed: the list says that the gateway is well.
        look::alive(self.platform, self.cx).await?;
        self.heard = Instant::now();
        for account in &self.cx.settings.accounts {
            let known = look::known(self.cx, account).await;
            self.all.push(One { account: account.clone(), known, due: Some(self.heard), renewed: None, reported: None, spent: None, sent: None });
        }
        self.send(Report::Gateway(GatewayFacts::default())).await?;
        self.tell_all().await?;
        let mut seen = self.cx.seen.clone();
        let mut refresh = seen.borrow_and_update().refresh;
        let mut news = self.cx.tokens.changes();
        let mut last = Instant::now();
        loop {
            self.try_due().await?;
            self.tell().await?;
            let spec = self.platform.spec;
            // Who is told of changes need not look for them.
            let often = news.is_none() && self.cx.seen.borrow().on_screen;
            let poll = last + if often { spec.poll_seen } else { spec.poll_unseen };
            let next = self.all.iter().filter_map(|o| o.due).min().map_or(poll, |due| due.min(poll));
            let changed = async {
                match &mut news {
                    Some(n) => n.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = seen.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let now = seen.borrow_and_update().refresh;
                    if now != refresh {
                        refresh = now;
                        self.afresh().await?;
                    }
                }
                alive = changed => {
                    if !alive {
                        news = None;
                    }
                    self.reread(None).await;
                }
                heard = heard(&mut told) => self.hear(heard, &mut told).await,
                () = sleep_until(next) => {
                    if Instant::now() >= poll {
                        last = Instant::now();
                        let one = self.selected().filter(|_| last.duration_since(self.reread) < ALL);
                        self.reread(one).await;
                        self.stay_heard().await?;
                    }
                }
            }
        }
    }

    async fn send(&self, report: Report) -> Result<(), Reason> {
        self.out.send(report).await.map_err(|_| Reason::new(ReasonCode::Cancelled))
    }

    /// A person asks: everything is tried anew, also what was given up.
    async fn afresh(&mut self) -> Result<(), Reason> {
        look::alive(self.platform, self.cx).await?;
        self.heard = Instant::now();
        let (few, selected, now) = (self.all.len() <= FEW, self.selected(), self.cx.time.now());
        for (n, one) in self.all.iter_mut().enumerate() {
            if few || selected == Some(n) || one.known.link(now).state != State::Ready {
                (one.due, one.reported, one.renewed, one.spent) = (Some(self.heard), None, None, None);
            }
        }
        self.reread(None).await;
        self.tell_all().await
    }

    /// The account under the cursor.
    fn selected(&self) -> Option<usize> {
        let selected = self.cx.seen.borrow().selected.clone()?;
        self.all.iter().position(|o| o.account.name == selected.as_str())
    }

    /// What the owner of the tokens holds by now, of one account or of all. Another token than before is tried soon.
    async fn reread(&mut self, only: Option<usize>) {
        let now = Instant::now();
        if only.is_none() {
            self.reread = now;
        }
        for (_, one) in self.all.iter_mut().enumerate().filter(|(n, _)| only.is_none_or(|o| o == *n)) {
            let held = self.cx.tokens.held(&look::target(self.cx, &one.account)).await;
            if held.is_some() && held == one.known.held {
                // Nothing happened: what is remembered is not read either.
                continue;
            }
            let fresh = look::known(self.cx, &one.account).await;
            let print = |k: &Known| k.held.as_ref().map(|h| h.fingerprint.clone());
            if print(&fresh) != print(&one.known) {
                one.due = Some(now);
                // Somebody replaced one that had time left, where a platform does not do so by itself: it was refused to them.
                let had_time = |h: &Held| h.expires.left(&self.cx.time.now()) > DOUBTED;
                if self.platform.rules.semantics == TokenSemantics::SameUntilExpiry && one.known.held.as_ref().is_some_and(had_time) {
                    one.renewed = print(&fresh);
                }
            }
            // Refused to somebody else, or to a bot with the same secret: it is looked into at once.
            let refused = |k: &Known| k.held.as_ref().is_some_and(|h| h.rejected);
            let doubt = |k: &Known| k.held.as_ref().and_then(|h| h.signs.doubt);
            if refused(&fresh) && !refused(&one.known) {
                one.due = Some(now);
            } else if doubt(&fresh) > doubt(&one.known) {
                // A log that goes on does not cause a try for each of its lines.
                let tried = one.known.probed.as_ref().map_or(DOUBTED, |p| p.at.age(&self.cx.time.now()));
                let soon = now + DOUBTED.saturating_sub(tried);
                one.due = Some(one.due.map_or(soon, |due| due.min(soon)));
            }
            one.known = Known { probed: one.known.probed.take(), ..fresh };
        }
    }

    /// The owner has news of one account or of many: each is looked at once, and what waits behind it in the same go, so that a
    /// thousand new tokens are tried side by side and each of them once.
    async fn hear(&mut self, first: Option<Target>, told: &mut Option<Told>) {
        let mut targets: Vec<Target> = first.iter().cloned().collect();
        let mut all = first.is_none();
        while let Some(rx) = told.as_mut() {
            match rx.try_recv() {
                Ok(target) => targets.push(target),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Lagged(_)) => all = true,
                Err(TryRecvError::Closed) => *told = None,
            }
        }
        if all {
            return self.reread(None).await;
        }
        targets.retain(|t| t.gateway == self.cx.gateway);
        targets.sort_by(|a, b| a.account.as_str().cmp(b.account.as_str()));
        targets.dedup_by(|a, b| a.account == b.account);
        for target in targets {
            if let Some(n) = self.all.iter().position(|o| o.account.name == target.account.as_str()) {
                self.reread(Some(n)).await;
            }
        }
    }

    /// Lets the platform be heard where nothing else did for a while: by the token that waits longest, else without one.
    async fn stay_heard(&mut self) -> Result<(), Reason> {
        let now = Instant::now();
        if now.duration_since(self.heard) >= HEARD {
            let next = self.all.iter_mut().filter(|o| o.known.held.is_some()).filter_map(|o| o.due.as_mut()).min();
            match next {
                Some(due) => *due = now,
                None => {
                    look::alive(self.platform, self.cx).await?;
                    self.heard = now;
                }
            }
        }
        self.send(Report::Alive(self.cx.time.now())).await
    }

    /// Tries the tokens that are due, a few at once.
    async fn try_due(&mut self) -> Result<(), Reason> {
        let (platform, cx, now) = (self.platform, self.cx, Instant::now());
        let due: Vec<usize> = self.all.iter().enumerate().filter(|(_, o)| o.due.is_some_and(|d| d <= now)).map(|(n, _)| n).collect();
        for some in due.chunks(ABREAST) {
            let mut work: Vec<Fut<'_, Found>> = Vec::with_capacity(some.len());
            for n in some {
                let Some(one) = self.all.get(*n) else { continue };
                work.push(Box::pin(async move {
                    let given = look::cached(cx, &one.account).await;
                    let tried = match &given {
                        Some(g) => Some(look::tried(platform, cx, &one.account, g, Depth::Whole).await),
                        None => None,
                    };
                    (*n, given, tried)
                }));
            }
            let found: Vec<_> = futures_util::stream::iter(work).buffer_unordered(ABREAST).collect().await;
            let (mut lost, mut heard) = (None, false);
            for (n, given, tried) in found {
                match (given, tried) {
                    (Some(given), Some(Ok(probed))) => {
                        heard = true;
                        self.take(n, &given, probed).await;
                    }
                    (_, Some(Err(why))) => {
                        lost = Some(why);
                        self.again(n, MENDING);
                    }
                    // Nothing to try: another token shows itself when it is there.
                    _ => self.again(n, SLOWLY),
                }
            }
            if heard {
                self.heard = Instant::now();
            } else if let Some(why) = lost {
                return Err(why);
            }
            self.tell().await?;
        }
        Ok(())
    }

    fn again(&mut self, n: usize, after: Duration) {
        if let Some(one) = self.all.get_mut(n) {
            one.due = Some(Instant::now() + super::fetch::jitter(after));
        }
    }

    /// Takes in what the platform said of a token.
    async fn take(&mut self, n: usize, given: &Given, mut probed: Probed) {
        let code = probed.said.as_ref().map(|r| r.code);
        let Some(one) = self.all.get_mut(n) else { return };
        let print = &given.held.fingerprint;
        if code.is_none() && given.held.rejected {
            // Somebody called it refused, and it is not: nobody is refused it any more.
            self.cx.tokens.good(&look::target(self.cx, &one.account), print).await;
        }
        match code {
            None if one.renewed.as_ref() == Some(print) && given.held.issued.age(&self.cx.time.now()) < YOUNG => {
                one.known = Known { probed: Some(probed), ..look::known(self.cx, &one.account).await };
                self.again(n, DOUBTED);
                return;
            }
            None => (one.reported, one.renewed, one.spent) = (None, None, None),
            Some(ReasonCode::TokenRejected) if one.renewed.as_ref() == Some(print) || one.spent.as_ref() == Some(print) => {
                // The one that came for a refused one is refused as well: asking on would be the storm. It is tried on, seldom:
                // a platform may take it again.
                probed.said = probed.said.map(|r| Reason { code: ReasonCode::TokenRejectedAgain, ..r });
                if one.renewed.as_ref() == Some(print) {
                    // Withheld from now on, too: that it is replaced later is then no second sign.
                    self.cx.tokens.refused(&look::target(self.cx, &one.account), print).await;
                }
                one.known = Known { probed: Some(probed), ..look::known(self.cx, &one.account).await };
                self.again(n, SLOWLY);
                return;
            }
            Some(ReasonCode::TokenRejected) if one.reported.as_ref() != Some(print) => {
                one.reported = Some(print.clone());
                let target = look::target(self.cx, &one.account);
                let ask = Ask { rejected: Some(print.clone()), proven: true, ..Ask::default() };
                let got = self.cx.tokens.obtain(&target, ask).await;
                one.known = Known { probed: Some(probed), ..look::known(self.cx, &one.account).await };
                match got {
                    Ok(new) if new.held.fingerprint != *print => {
                        one.renewed = Some(new.held.fingerprint);
                        one.due = Some(Instant::now());
                    }
                    // The platform gives the refused one again.
                    Ok(_) => {
                        if let Some(why) = one.known.probed.as_mut().and_then(|p| p.said.as_mut()) {
                            why.code = ReasonCode::TokenRejectedAgain;
                        }
                        one.spent = Some(print.clone());
                        self.again(n, SLOWLY);
                    }
                    Err(why) if why.code == ReasonCode::TokenRejectedAgain => {
                        if let Some(said) = one.known.probed.as_mut().and_then(|p| p.said.as_mut()) {
                            said.code = why.code;
                        }
                        one.spent = Some(print.clone());
                        self.again(n, SLOWLY);
                    }
                    Err(_) => self.again(n, SLOWLY),
                }
                return;
            }
            Some(_) => {}
        }
        one.known = Known { probed: Some(probed), ..look::known(self.cx, &one.account).await };
        let refused = code.is_some_and(rows::refusing) || code == Some(ReasonCode::PlatformUnavailable);
        self.again(n, if refused { MENDING } else { SLOWLY });
    }

    fn row(&self, one: &One) -> Row {
        rows::row(self.platform, &self.cx.gateway, &one.account, &one.known, self.cx.time.now())
    }

    async fn tell_all(&mut self) -> Result<(), Reason> {
        let rows: Vec<Row> = self.all.iter().map(|o| self.row(o)).collect();
        for (one, row) in self.all.iter_mut().zip(&rows) {
            one.sent = Some(row.clone());
        }
        self.send(Report::All { rows, complete: true }).await
    }

    /// Sends the rows that changed.
    async fn tell(&mut self) -> Result<(), Reason> {
        let mut changed = Vec::new();
        for n in 0..self.all.len() {
            let Some(row) = self.all.get(n).map(|o| self.row(o)) else { continue };
            let Some(one) = self.all.get_mut(n) else { continue };
            let same = one.sent.as_ref().is_some_and(|s| s.link.same_story(&row.link) && s.tokens == row.tokens && s.facts == row.facts);
            if !same {
                one.sent = Some(row.clone());
                changed.push(row);
            }
        }
        if changed.is_empty() { Ok(()) } else { self.send(Report::Part(changed)).await }
    }
}

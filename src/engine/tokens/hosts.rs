//! The same among hosts: a lease with a fence, so that one host fetches and the others take what it got; and what to do when
//! the shared store does not answer.

use super::{Broker, Subject, attempt::Errand, decide, ident::name, learn::soon};
use crate::{
    domain::{Fingerprint, Reason, ReasonCode, Secret, Stamp, row::TokenSemantics},
    engine::{metrics::LeaseEnd, who::process_at_host, world::World},
    providers::token::{Ask, Origin, Tokens},
    shared::{Gone, Lease, News, Put, Shared, SharedToken, mark},
    store::tokens::{Cause, TokenRow},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A shared store that did not answer is left alone for so long, by every process of this host.
const DOWN: Duration = Duration::from_secs(10);
/// Losers look so often besides listening; the jitter keeps fleets apart.
const LOOK_MS: (u64, u64) = (50, 200);
/// A token must be younger than another one by so much to count as its successor: latency makes ages differ.
pub(super) const NEWER: Duration = Duration::from_secs(1);
/// What a lease outlives the request by.
pub(super) const SPARE: Duration = Duration::from_secs(5);

/// A token that another host fetched.
pub(super) struct Found {
    pub(super) token: Secret,
    pub(super) issued: Stamp,
    pub(super) expires: Stamp,
    pub(super) generation: u64,
    pub(super) renewed: bool,
}

impl Subject {
    /// What stands for the token that is held here on all hosts, if one is.
    pub(super) async fn mark(&self) -> Option<Box<str>> {
        let row = self.row().await.ok()??;
        mark(&name(self), row.token?.text.as_ref()?)
    }

    /// What will be left of the token that is held here: for the other hosts, in case theirs is another or none.
    pub(super) async fn gone(&self, wiped: Option<Stamp>) -> Gone {
        let now = self.world.time.now();
        let row = self.row().await.ok().flatten();
        let left = decide::alive(row.as_ref(), &now).map_or(Duration::ZERO, |t| decide::left(t, &now));
        let text = row.and_then(|r| r.token).and_then(|t| t.text);
        Gone { mark: text.and_then(|t| mark(&name(self), &t)), left, wiped: wiped.map(|at| at.age(&now)), replaced: None }
    }
}

/// Whose token is wanted, which, and what lies here.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) subject: &'a Subject,
    pub(super) ask: &'a Ask,
    pub(super) row: Option<&'a TokenRow>,
}

impl Errand<'_> {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { subject: self.subject, ask: self.ask, row: self.row.as_ref() }
    }
}

/// How trying the shared store ended.
enum Tried {
    /// The token is there.
    Had(Origin),
    /// It does not answer.
    Down(Reason),
}

impl Broker {
    /// Fetches under the lease of all hosts, or takes what another host fetched meanwhile.
    pub(super) async fn among_hosts(&self, e: &Errand<'_>) -> Result<Origin, Reason> {
        let Some(shared) = self.connect(&e.subject.world).await else { return self.alone(e).await };
        let down = match (self.known_down(&e.subject.world).await, shared) {
            (Some(why), _) | (None, Err(why)) => why,
            (None, Ok(shared)) => match self.under_lease(e, shared).await? {
                Tried::Had(origin) => return Ok(origin),
                Tried::Down(why) => {
                    let now = e.subject.world.time.now();
                    let _ = e.subject.world.store.set_shared_down(Some((now, why.clone()))).await;
                    why
                }
            },
        };
        match e.rules.semantics {
            // Two hosts that ask at once end each other's token: rather none than that.
            TokenSemantics::Rotating => Err(down),
            _ => self.alone(e).await,
        }
    }

    /// Under this host's lock only.
    async fn alone(&self, e: &Errand<'_>) -> Result<Origin, Reason> {
        let began = e.subject.world.time.now();
        match self.fetch(e).await {
            Ok(issued) => self.keep(e, issued, 0, &began, None).await.map(|_| Origin::Fetched),
            Err(why) => Err(self.failed(e, why, &began).await),
        }
    }

    /// Why it is not asked now: it did not answer a moment ago.
    pub(super) async fn known_down(&self, world: &World) -> Option<Reason> {
        let (at, why) = world.store.shared_down().await.ok().flatten()?;
        (at.age(&world.time.now()) < DOWN).then_some(why)
    }

    async fn under_lease(&self, e: &Errand<'_>, shared: &Arc<dyn Shared>) -> Result<Tried, Reason> {
        let name = name(e.subject);
        let ttl = e.rules.deadline + SPARE;
        let mut news = shared.news();
        let began = match shared.get(&name).await {
            Ok(found) => {
                let generation = found.as_ref().map_or(0, |t| t.generation);
                refused_again(e, found.as_ref())?;
                if let Some(found) = found
                    && self.adopt_shared(&e.wanted(), found, None).await?
                {
                    return Ok(Tried::Had(Origin::Shared));
                }
                generation
            }
            Err(why) => return Ok(Tried::Down(why)),
        };
        if e.timer {
            self.heed(e.subject, e.row.as_ref(), shared.gone(&name).await?.as_ref()).await?;
        }
        e.subject.world.shared_answers().await;
        loop {
            // Whoever was stopped past its time looks once more before it gives up: it may lie there by now.
            let last = Instant::now() >= e.until;
            let lease = match shared.acquire(&name, ttl).await {
                Ok(lease) => lease,
                Err(why) => return Ok(Tried::Down(why)),
            };
            // Also with the lease in hand: its last holder may have written between our look and our turn.
            match shared.get(&name).await {
                Ok(Some(found)) => {
                    if self.adopt_shared(&e.wanted(), found, Some(began)).await? {
                        if let Some(lease) = &lease {
                            let _ = shared.release(lease).await;
                        }
                        e.subject.world.meter.lease(LeaseEnd::Shared);
                        return Ok(Tried::Had(Origin::Shared));
                    }
                }
                Ok(None) => {}
                Err(why) => return Ok(Tried::Down(why)),
            }
            if let Some(lease) = lease {
                let done = self.leased(e, shared, &lease, &name, ttl).await;
                let _ = shared.release(&lease).await;
                return done.map(Tried::Had);
            }
            if last {
                e.subject.world.meter.lease(LeaseEnd::Timeout);
                let holder = shared.holder(&name).await.ok().flatten();
                return Err(Reason::new(ReasonCode::LeaseTimeout).with("holder", holder.as_ref().map_or("?", |h| h.as_str())));
            }
            let pause = tokio::time::sleep(jitter());
            tokio::select! {
                () = pause => {}
                _ = about(&mut news, &name) => {}
            }
        }
    }

    /// Fetches with the lease in hand.
    async fn leased(&self, e: &Errand<'_>, shared: &Arc<dyn Shared>, lease: &Lease, name: &str, ttl: Duration) -> Result<Origin, Reason> {
        let world = &e.subject.world;
        let began = world.time.now();
        // Its absence only means that nobody remembers.
        let gone = shared.gone(name).await.ok().flatten().filter(|g| !g.left.is_zero());
        let gone = gone.map(|g| (g.mark, world.time.now().plus(g.left)));
        let issued = match self.fetch(e).await {
            Ok(issued) => issued,
            Err(why) => {
                let why = self.failed(e, why, &began).await;
                // Stopped past the lease, it may come back to nothing but its own deadline, while the next holder has the token.
                if let Ok(Some(found)) = shared.get(name).await
                    && self.adopt_shared(&e.wanted(), found, Some(lease.fence)).await?
                {
                    world.meter.lease(LeaseEnd::Lost);
                    return Ok(Origin::Shared);
                }
                return Err(why);
            }
        };
        let now = world.time.now();
        let fingerprint = Fingerprint::of(&e.subject.token_key().await?, &issued.token);
        let this = mark(name, &issued.token);
        let gone = gone.filter(|(m, _)| m.is_some() && *m == this).map(|(_, end)| end);
        let known = decide::known_end(e.row.as_ref(), &issued.token, &fingerprint).or(gone);
        let expires = decide::expiry(known, &issued.sent, issued.life, e.rules.semantics, &now);
        let offer = SharedToken {
            token: issued.token.clone(),
            fingerprint,
            generation: lease.fence,
            left: expires.left(&now),
            age: issued.sent.age(&now),
            by: process_at_host(),
            renewed: e.cause == Cause::Rejected,
            good: None,
        };
        let mirrors = e.issuer.mirrors(e.cx, &e.subject.target, world.mirror_prefix());
        // By the boot clock: a process that was stopped longer than its lease knows that it is no longer the holder.
        let put = if began.age(&now) >= ttl { Ok(Put::Fenced) } else { shared.put(lease, &offer, &mirrors).await };
        match put {
            Ok(Put::Stored) => {
                world.meter.lease(LeaseEnd::Won);
                self.keep(e, issued, lease.fence, &began, gone).await.map(|_| Origin::Fetched)
            }
            Ok(Put::Fenced) => {
                world.meter.lease(LeaseEnd::Lost);
                if let Ok(Some(found)) = shared.get(name).await
                    && self.adopt_shared(&e.wanted(), found, Some(lease.fence)).await?
                {
                    return Ok(Origin::Shared);
                }
                Err(Reason::new(ReasonCode::LeaseLost))
            }
            // It was fetched, so it is kept here, and the others are told when the store is back.
            Err(why) => {
                let _ = world.store.set_shared_down(Some((now, why))).await;
                self.keep(e, issued, lease.fence, &began, gone).await.map(|_| Origin::Fetched)
            }
        }
    }

    /// Takes a token of another host if it answers the ask. `since`: the generation before this asker began to wait; a newer
    /// one is an attempt that ended meanwhile, and counts whatever it brought.
    async fn adopt_shared(&self, w: &Wanted<'_>, found: SharedToken, since: Option<u64>) -> Result<bool, Reason> {
        let newer = since.is_some_and(|g| found.generation > g);
        let mine = w.row.and_then(|r| r.token.as_ref());
        let same = mine.is_some_and(|t| t.fingerprint == found.fingerprint);
        let answers = found.left > Duration::ZERO
            && (newer || (w.ask.renew.is_none() && w.ask.rejected.as_ref() != Some(&found.fingerprint) && found.left >= w.ask.min_life && !same));
        if !answers {
            return Ok(false);
        }
        self.adopt_found(w.subject, found).await?;
        Ok(true)
    }

    /// What stands against asking the platform from this host (a hold, its clock) does not stand against a token that another host
    /// has got: looked for in a moment, and taken. False: there is none that answers, or that could not be learnt.
    pub(super) async fn take_from_others(&self, w: &Wanted<'_>) -> Result<bool, Reason> {
        let world = &w.subject.world;
        if w.ask.renew.is_some() || world.read_only || !world.vault.is_open() || !self.shares() || self.known_down(world).await.is_some() {
            return Ok(false);
        }
        let Some(Ok(shared)) = self.connect(world).await else { return Ok(false) };
        let Ok(Some(found)) = soon(shared.get(&name(w.subject))).await else { return Ok(false) };
        // Where nothing lives here, a short life is better than none.
        let usable = decide::alive(w.row, &world.time.now()).is_some_and(|t| !t.rejected && w.ask.rejected.as_ref() != Some(&t.fingerprint));
        let ask = if usable || w.ask.strict { w.ask.clone() } else { Ask { min_life: Duration::ZERO, ..w.ask.clone() } };
        self.adopt_shared(&Wanted { ask: &ask, ..*w }, found, None).await
    }
}

/// One fetch for a refusal, among all hosts: the token that is refused here was fetched for a refusal already, by whichever host,
/// not long ago. So a loop of refusals costs the platform one request in ten minutes, however many hosts meet it.
fn refused_again(e: &Errand<'_>, found: Option<&SharedToken>) -> Result<(), Reason> {
    let again = found.is_some_and(|f| f.renewed && f.age < decide::AGAIN && e.ask.rejected.as_ref() == Some(&f.fingerprint));
    if again && e.ask.renew.is_none() { Err(Reason::new(ReasonCode::TokenRejectedAgain)) } else { Ok(()) }
}

/// Resolves at news of `name`, or of the connection.
async fn about(news: &mut tokio::sync::broadcast::Receiver<News>, name: &str) {
    loop {
        match news.recv().await {
            Ok(News::Token(n)) if &*n != name => {}
            Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => return,
            Err(tokio::sync::broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// A short wait, unlike on any two hosts.
pub(super) fn jitter() -> Duration {
    let r = u64::from(getrandom::u32().unwrap_or(0));
    Duration::from_millis(LOOK_MS.0 + r % (LOOK_MS.1 - LOOK_MS.0))
}

//! The same among hosts: a lease with a fence, so that one host fetches and the others take what it got; and what to do when
//! the shared store does not answer.

use super::{Broker, Subject, attempt::Errand, decide};
use crate::{
    domain::{Reason, ReasonCode, Secret, Stamp, row::TokenSemantics},
    engine::{metrics::LeaseEnd, who::process_at_host},
    providers::token::Origin,
    shared::{Gone, Lease, News, Put, Shared, SharedToken, mark},
    store::{
        config,
        tokens::{Cause, KeptToken, TokenRow},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A shared store that did not answer is left alone for so long, by every process of this host.
const DOWN: Duration = Duration::from_secs(10);
/// Losers look so often besides listening; the jitter keeps fleets apart.
const LOOK_MS: (u64, u64) = (50, 200);
/// A token must be younger than another one by so much to count as its successor: latency makes ages differ.
const NEWER: Duration = Duration::from_secs(1);
/// What a lease outlives the request by.
const SPARE: Duration = Duration::from_secs(5);

/// A token that another host fetched.
pub(super) struct Found {
    pub(super) token: Secret,
    pub(super) issued: Stamp,
    pub(super) expires: Stamp,
    pub(super) generation: u64,
    pub(super) renewed: bool,
}

/// What another host found of a token counts here for so long: it travels at once or not at all.
const TOLD: Duration = Duration::from_secs(60);

/// The name under which hosts share a token: the platform's own ids, because hosts may call a gateway as they like, and where it
/// is not the platform's own address (a deployment of one's own has its own numbers), a hash of that.
pub(super) fn name(subject: &Subject) -> String {
    name_of(&subject.gateway.settings, subject.target.account.as_str())
}

fn name_of(settings: &config::Gateway, account: &str) -> String {
    let id = settings.accounts.iter().find(|a| a.name == account).map_or(account, |a| if a.id.is_empty() { account } else { &a.id });
    let corp = settings.corp_id.as_deref().unwrap_or(&settings.name);
    let part = crate::domain::ids::escape;
    let elsewhere = config::default_url(&settings.kind).filter(|own| *own != settings.url).map(|_| base(&settings.url)).unwrap_or_default();
    format!("{}{elsewhere}/{}/{}", settings.kind, part(corp), part(id))
}

/// Whom a platform issues an account's token to, as the configuration has it: a token counts for no other one.
pub fn whose(settings: &config::Gateway, account: &str) -> String {
    format!("{}{}", name_of(settings, account), base(&settings.url))
}

/// `@` and eight hex digits that stand for an address.
fn base(url: &str) -> String {
    let hash = url.trim_end_matches('/').bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("@{:08x}", (hash ^ (hash >> 32)) & 0xffff_ffff)
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
        Gone { mark: text.and_then(|t| mark(&name(self), &t)), left, wiped: wiped.map(|at| at.age(&now)) }
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
        let down = match (self.known_down(e.subject).await, shared) {
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

    async fn known_down(&self, subject: &Subject) -> Option<Reason> {
        let (at, why) = subject.world.store.shared_down().await.ok().flatten()?;
        (at.age(&subject.world.time.now()) < DOWN).then_some(why)
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
                    && self.adopt_shared(e, found, None).await?
                {
                    return Ok(Tried::Had(Origin::Shared));
                }
                generation
            }
            Err(why) => return Ok(Tried::Down(why)),
        };
        if e.timer {
            self.heed(e.subject, e.row.as_ref(), shared).await?;
        }
        if e.subject.world.store.shared_down().await.ok().flatten().is_some() {
            let _ = e.subject.world.store.set_shared_down(None).await;
        }
        loop {
            let lease = match shared.acquire(&name, ttl).await {
                Ok(lease) => lease,
                Err(why) => return Ok(Tried::Down(why)),
            };
            // Also with the lease in hand: its last holder may have written between our look and our turn.
            match shared.get(&name).await {
                Ok(Some(found)) => {
                    if self.adopt_shared(e, found, Some(began)).await? {
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
            let pause = tokio::time::sleep(jitter());
            tokio::select! {
                () = pause => {}
                _ = about(&mut news, &name) => {}
            }
            if Instant::now() >= e.until {
                e.subject.world.meter.lease(LeaseEnd::Timeout);
                let holder = shared.holder(&name).await.ok().flatten();
                return Err(Reason::new(ReasonCode::LeaseTimeout).with("holder", holder.as_ref().map_or("?", |h| h.as_str())));
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
            Err(why) => return Err(self.failed(e, why, &began).await),
        };
        let now = world.time.now();
        let fingerprint = crate::domain::Fingerprint::of(&e.cx.fingerprint_key, &issued.token);
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
                    && self.adopt_shared(e, found, Some(lease.fence)).await?
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
    async fn adopt_shared(&self, e: &Errand<'_>, found: SharedToken, since: Option<u64>) -> Result<bool, Reason> {
        let newer = since.is_some_and(|g| found.generation > g);
        let mine = e.row.as_ref().and_then(|r| r.token.as_ref());
        let same = mine.is_some_and(|t| t.fingerprint == found.fingerprint);
        let answers = found.left > Duration::ZERO
            && (newer || (e.ask.renew.is_none() && e.ask.rejected.as_ref() != Some(&found.fingerprint) && found.left >= e.ask.min_life && !same));
        if !answers {
            return Ok(false);
        }
        self.adopt_found(e.subject, found).await?;
        Ok(true)
    }

    /// Forgets what other hosts see of a token, mirrors included.
    pub(super) async fn forget_shared(&self, subject: &Subject, gone: &Gone) -> Result<(), Reason> {
        let Some(shared) = self.connect(&subject.world).await else { return Ok(()) };
        let shared = shared?;
        // Names of mirrors are made of the secret.
        subject.world.load_account_secrets(&subject.gateway, subject.target.account.as_str()).await.map_err(|e| e.reason())?;
        let cx = subject.world.cx(&subject.gateway, tokio_util::sync::CancellationToken::new())?;
        let mirrors = subject.gateway.provider.issuer().map(|i| i.mirrors(&cx, &subject.target, subject.world.mirror_prefix())).unwrap_or_default();
        shared.forget(&name(subject), &mirrors, gone).await
    }

    /// Another host has changed the token of that name, or (`back`) the shared store answers again: learn what is there. A store that
    /// comes back may have lost everything, or hold what was replaced meanwhile: then it is told what this host has.
    pub(super) async fn learn(&self, subject: &Subject, back: bool) -> Result<(), Reason> {
        let Some(shared) = self.shared() else { return Ok(()) };
        let row = subject.row().await?;
        let found = shared.get(&name(subject)).await?;
        if let Some(at) = row.as_ref().and_then(TokenRow::wiped) {
            return match found {
                // What was wiped here while the shared store was away.
                Some(f) if f.age >= at.age(&subject.world.time.now()) => self.forget_shared(subject, &subject.gone(Some(at)).await).await,
                // Somebody has asked since.
                Some(found) => self.adopt_found(subject, found).await,
                // It may have lost everything: a host that never heard of the wipe would fetch.
                None if back && shared.gone(&name(subject)).await?.is_none_or(|g| g.wiped.is_none()) => {
                    self.forget_shared(subject, &subject.gone(Some(at)).await).await
                }
                None => Ok(()),
            };
        }
        let mine = row.as_ref().and_then(|r| r.token.as_ref());
        let now = subject.world.time.now();
        if found.is_none() && self.heed(subject, row.as_ref(), shared).await.is_err() {
            return Ok(());
        }
        let alive = decide::alive(row.as_ref(), &now).filter(|t| back && !t.rejected && t.text.is_some());
        if let Some(token) = alive
            && found.as_ref().is_none_or(|f| f.fingerprint != token.fingerprint && token.issued.age(&now) + NEWER < f.age)
        {
            return self.publish(subject, token, shared, found.map_or(0, |f| f.generation)).await;
        }
        match found {
            Some(found) if mine.is_none_or(|t| t.fingerprint != found.fingerprint) => self.adopt_found(subject, found).await,
            Some(found) => {
                if let Some(t) = mine {
                    self.agree(subject, t, &found).await?;
                }
                // Another host has tried it meanwhile.
                if let Some(t) = mine.filter(|t| t.rejected && found.good.is_some_and(|age| age < TOLD)) {
                    let store = &subject.world.store;
                    store.token_tried(&subject.key.id, &t.fingerprint, now, found.by.as_str(), true).await.map_err(|e| e.reason())?;
                }
                Ok(())
            }
            // Forgotten elsewhere.
            None if mine.is_some() => subject.world.store.token_forget(&subject.key.id).await.map_err(|e| e.reason()),
            None => Ok(()),
        }
    }

    /// Takes it over. What this host knows of the end of that same token outweighs what the finder was told by a platform that says
    /// the whole life again; the others are told then.
    async fn adopt_found(&self, subject: &Subject, found: SharedToken) -> Result<(), Reason> {
        let (by, now) = (found.by.clone(), subject.world.time.now());
        let (generation, left) = (found.generation, found.left);
        let row = subject.row().await?;
        let known = decide::known_end(row.as_ref(), &found.token, &found.fingerprint);
        let mut found = of(found, &now);
        if let Some(issuer) = subject.gateway.provider.issuer() {
            found.expires = decide::expiry(known, &now, left, issuer.rules().semantics, &now);
        }
        let shorter = found.expires.left(&now) + NEWER < left;
        self.take_over(subject, found, by).await?;
        if shorter { self.shorten(subject, generation).await } else { Ok(()) }
    }

    /// Publishes the token that is held here with the end that is known here.
    async fn shorten(&self, subject: &Subject, seen: u64) -> Result<(), Reason> {
        let (Some(shared), Some(row)) = (self.shared(), subject.row().await?) else { return Ok(()) };
        match &row.token {
            // What cannot be told now is told when the store is back; here it holds.
            Some(token) => self.publish(subject, token, shared, seen).await.or(Ok(())),
            None => Ok(()),
        }
    }

    /// The same token stands here and there with different ends: the nearer one holds, here and for everybody.
    async fn agree(&self, subject: &Subject, mine: &KeptToken, found: &SharedToken) -> Result<(), Reason> {
        let now = subject.world.time.now();
        let lengthens = subject.gateway.provider.issuer().is_none_or(|i| i.rules().semantics == TokenSemantics::AutoRenewed);
        let left = decide::left(mine, &now);
        if lengthens || left.is_zero() {
            return Ok(());
        }
        if left + NEWER < found.left {
            return self.shorten(subject, found.generation).await;
        }
        if found.left + NEWER < left {
            subject.world.store.token_shorter(&subject.key.id, &mine.fingerprint, now.plus(found.left)).await.map_err(|e| e.reason())?;
        }
        Ok(())
    }

    /// What somebody wiped at another host is wiped here too, and nothing is fetched for nobody: then this is an error. Whoever
    /// got a token since then has asked for it.
    async fn heed(&self, subject: &Subject, row: Option<&TokenRow>, shared: &Arc<dyn Shared>) -> Result<(), Reason> {
        let Some(gone) = shared.gone(&name(subject)).await? else { return Ok(()) };
        let Some(age) = gone.wiped else { return Ok(()) };
        let now = subject.world.time.now();
        if row.and_then(|r| r.token.as_ref()).is_some_and(|t| t.issued.age(&now) + NEWER < age) {
            return Ok(());
        }
        let at = now.minus(age);
        subject.world.store.token_wipe(&subject.key, at).await.map_err(|e| e.reason())?;
        Err(Reason::new(ReasonCode::TokenForgotten).at(at))
    }
}

impl Broker {
    /// Waits until the shared store answers questions. Its news may be back before: they have a connection of their own.
    pub(super) async fn answers(&self) {
        let Some(shared) = self.shared() else { return };
        for _ in 0..10 {
            if shared.holder("answers").await.is_ok() {
                return;
            }
            tokio::time::sleep(jitter()).await;
        }
    }

    /// Tells the other hosts of a token that was fetched while the shared store was away. `seen`: the generation that stood there;
    /// whoever is newer is left alone.
    async fn publish(&self, subject: &Subject, token: &KeptToken, shared: &Arc<dyn Shared>, seen: u64) -> Result<(), Reason> {
        let Some(text) = &token.text else { return Ok(()) };
        let name = name(subject);
        let Some(lease) = shared.acquire(&name, SPARE).await? else { return Ok(()) };
        let now = subject.world.time.now();
        let offer = SharedToken {
            token: text.clone(),
            fingerprint: token.fingerprint.clone(),
            generation: lease.fence,
            left: token.expires.left(&now),
            age: token.issued.age(&now),
            by: token.by.clone(),
            renewed: token.renewed,
            good: None,
        };
        subject.world.load_account_secrets(&subject.gateway, subject.target.account.as_str()).await.map_err(|e| e.reason())?;
        let cx = subject.world.cx(&subject.gateway, tokio_util::sync::CancellationToken::new())?;
        let mirrors = subject.gateway.provider.issuer().map(|i| i.mirrors(&cx, &subject.target, subject.world.mirror_prefix()));
        let done = match shared.get(&name).await {
            Ok(found) if found.as_ref().is_none_or(|f| f.generation <= seen) => {
                shared.put(&lease, &offer, &mirrors.unwrap_or_default()).await.map(|_| ())
            }
            other => other.map(|_| ()),
        };
        let _ = shared.release(&lease).await;
        done
    }
}

fn of(found: SharedToken, now: &Stamp) -> Found {
    Found { issued: now.minus(found.age), expires: now.plus(found.left), token: found.token, generation: found.generation, renewed: found.renewed }
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

fn jitter() -> Duration {
    let r = u64::from(getrandom::u32().unwrap_or(0));
    Duration::from_millis(LOOK_MS.0 + r % (LOOK_MS.1 - LOOK_MS.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployments_that_number_their_apps_alike_share_no_token() {
        let of = |url: &str| {
            let settings = config::Gateway { kind: "wecom".into(), url: url.into(), corp_id: Some("ww1".into()), ..config::Gateway::default() };
            name_of(&settings, "1000002")
        };
        assert_eq!(of("https://qyapi.weixin.qq.com/cgi-bin"), "wecom/ww1/1000002", "the platform's own stays as it was");
        let (one, two) = (of("https://wecom.one.example/cgi-bin"), of("https://wecom.two.example/cgi-bin"));
        assert!(one != two && one.starts_with("wecom@") && one.ends_with("/ww1/1000002"), "{one} {two}");
        assert_eq!(one, of("https://wecom.one.example/cgi-bin/"));
    }
}

//! The one owner of tokens that platforms issue. Whoever needs one asks here; a thousand askers cause one request, and a
//! platform that refuses is not asked again before something has changed.
//!
//! * `decide`: what an ask comes to, pure. * `flight`: one attempt at a time in this process and on this host.
//! * `attempt`: the attempt itself. * `broken`: a token whose seal does not open. * `check`: whether a token is refused as a client says. * `hosts`: the same among hosts. * `learn`: what hosts tell each other.
//! * `news`: who is told of a change. * `ident`: what a token is called. `prints`: the key of its fingerprint. * `renamed`: what lies under older names. * `tale`: what is told to a person. `timer`: fetches without being asked.

mod attempt;
mod broken;
mod check;
mod decide;
mod flight;
mod hosts;
mod ident;
mod learn;
mod names;
mod news;
mod prints;
mod renamed;
mod storm;
mod subject;
mod tale;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod timer;

use super::{
    who::process_at_host,
    world::{World, lock, secret_name},
};
use crate::{
    domain::{Clean, Fingerprint, Reason, ReasonCode, Secret, Stamp, Target},
    providers::{
        Fut, registry,
        token::{Ask, Given, Held, HeldLease, Origin, TokenRules, Tokens, account_secret},
    },
    shared::{Gone, Shared},
    store::{
        run_lock,
        tokens::{Hold, Sign, TokenKey, TokenRow},
    },
};
use decide::Next;
use flight::Flight;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
};
use subject::Subject;
use tokio::sync::broadcast;

/// News that may wait for a listener; one that is slower looks at everything.
const NEWS: usize = 2048;

/// The owner of all tokens of a world. Cheap to clone.
#[derive(Clone)]
pub struct Broker(Arc<Inner>);

struct Inner {
    world: Weak<World>,
    flights: Mutex<HashMap<String, Arc<Flight>>>,
    shared: OnceLock<Arc<dyn Shared>>,
    /// True while a timer of this process hears the news of other hosts.
    listening: AtomicBool,
    /// True once this process uses the key of fingerprints that all hosts use.
    agreed: AtomicBool,
    /// Targets whose token changed since the timer looked.
    dirty: Mutex<HashSet<Target>>,
    changed: tokio::sync::Notify,
    /// Whose token changed, for those who show it.
    news: broadcast::Sender<Target>,
}

/// Whether a token that lies in the store answers an ask as it stands, so that nobody need be asked.
pub fn suffices(row: &TokenRow, ask: &Ask, rules: &TokenRules, now: &Stamp) -> bool {
    decide::doubted(Some(row), now).is_none() && decide::decide(Some(row), ask, rules, now) == Next::Give
}

/// How long before the end of a token of this life another one can be had, so that who renews asks then: the timer's own rule.
/// Zero: the platform gives the same one until it is dead.
pub fn early(rules: &TokenRules, life: std::time::Duration) -> std::time::Duration {
    decide::early(rules, life)
}

pub use ident::whose;
pub use tale::TokenTale;

impl Broker {
    pub(super) fn new(world: Weak<World>) -> Self {
        Self(Arc::new(Inner {
            world,
            flights: Mutex::default(),
            shared: OnceLock::new(),
            listening: AtomicBool::new(false),
            agreed: AtomicBool::new(false),
            dirty: Mutex::default(),
            changed: tokio::sync::Notify::new(),
            news: broadcast::Sender::new(NEWS),
        }))
    }

    /// Shares tokens with other hosts from now on. Set once, before anything is asked.
    pub fn share(&self, shared: Arc<dyn Shared>) {
        let _ = self.0.shared.set(shared);
        self.0.changed.notify_one();
    }

    /// The same, connected as the configuration says at the first question. An error is a setting or a secret that does not fit.
    async fn connect(&self, world: &World) -> Option<Result<&Arc<dyn Shared>, Reason>> {
        if self.0.shared.get().is_none() {
            match world.shared().await? {
                Ok(shared) => self.share(shared),
                Err(why) => return Some(Err(why)),
            }
        }
        self.0.shared.get().map(Ok)
    }

    /// The store that hosts share, if there is one and it was needed already.
    pub fn shared(&self) -> Option<&Arc<dyn Shared>> {
        self.0.shared.get()
    }

    fn subject(&self, at: &Target) -> Result<Subject, Reason> {
        let world = self.0.world.upgrade().ok_or(Reason::new(ReasonCode::Internal))?;
        let gateway = world.gateway(&at.gateway).ok_or(Reason::new(ReasonCode::Gone))?;
        let target = Target::account(&at.gateway, &at.account);
        let issuer = gateway.provider.issuer().ok_or(Reason::new(ReasonCode::NotInVersion))?;
        let key = TokenKey {
            id: target.id(),
            gateway: at.gateway.as_str().to_owned(),
            account: at.account.as_str().to_owned(),
            kind: gateway.spec.kind.to_owned(),
            form: issuer.token_type().to_owned(),
            whose: whose(&gateway.settings, at.account.as_str()),
        };
        Ok(Subject { world, gateway, target, key })
    }

    /// A token, asked for by a person, a client or (`timer`) by nobody.
    async fn ask(&self, at: &Target, ask: Ask, timer: bool) -> Result<Given, Reason> {
        let subject = self.subject(at)?;
        let Some(issuer) = subject.gateway.provider.issuer() else { return Err(Reason::new(ReasonCode::NotInVersion)) };
        let rules = issuer.rules();
        self.agree_on_key(&subject.world).await;
        let mut row = subject.row().await?;
        if row.is_none() && self.inherit(&subject).await? {
            row = subject.row().await?;
        }
        if row.as_ref().and_then(|r| r.token.as_ref()).is_some_and(|t| t.text.is_none()) {
            return Err(subject.world.why_shut());
        }
        if !ask.refused_too && self.look_into(&subject, issuer, row.as_ref()).await {
            row = subject.row().await?;
        }
        let mut now = subject.world.time.now();
        let mut next = decide::decide(row.as_ref(), &ask, &rules, &now);
        let mut unseen = None;
        let nearby = next == Next::Give || ask.cached_only;
        if nearby && self.shares() && !self.0.listening.load(Ordering::Relaxed) {
            unseen = self.look(&subject).await?;
            row = subject.row().await?;
            now = subject.world.time.now();
            next = decide::decide(row.as_ref(), &ask, &rules, &now);
        }
        match next {
            Next::Give => {
                let mut given = subject.give(row, Origin::Cache, None)?;
                given.held.trouble = given.held.trouble.or(unseen);
                return Ok(given);
            }
            // What one client says of it is looked into before it counts.
            Next::Stop(why) if why.code != ReasonCode::TokenRejectedAgain => return Err(why),
            Next::Stop(why) if decide::reported(row.as_ref(), &ask, &now).is_none() || ask.cached_only || subject.world.read_only => {
                self.stopped(&subject, &ask, &why).await;
                return Err(why);
            }
            Next::Stop(_) => {}
            Next::Fetch(_) if timer => not_wiped(row.as_ref())?,
            Next::Fetch(_) => {}
        }
        let seen = attempt::Seen::of(row.as_ref());
        let broker = self.clone();
        // On its own: an attempt whose asker went away ends all the same, and what it brought is kept.
        let flight = tokio::spawn(async move { broker.attempt(subject, ask, timer, seen).await });
        flight.await.unwrap_or_else(|_| Err(Reason::new(ReasonCode::Internal)))
    }

    /// Writes into the log that a fetch for a refusal was not made.
    async fn stopped(&self, subject: &Subject, ask: &Ask, why: &Reason) {
        if why.code == ReasonCode::TokenRejectedAgain && ask.rejected.is_some() && !subject.world.read_only {
            let (now, by) = (subject.world.time.now(), process_at_host());
            let _ = subject.world.store.token_stopped(&subject.key.id, now, by.as_str(), crate::store::tokens::Cause::Rejected).await;
        }
    }

    /// Writes down that a token was forgotten here, and whether the shared store let go of it too.
    async fn forgot(&self, subject: &Subject, shared: Result<(), Reason>) -> Result<(), Reason> {
        let outcome = if shared.is_ok() { "done" } else { "shared copy left" };
        super::ops::audit(&subject.world, &subject.target, "forget token", None, outcome).await;
        self.told(&subject.target);
        shared
    }

    fn flight(&self, id: &str) -> Arc<Flight> {
        let mut flights = lock(&self.0.flights);
        if flights.len() > 4096 {
            flights.retain(|_, f| Arc::strong_count(f) > 1);
        }
        flights.entry(id.to_owned()).or_default().clone()
    }

    /// Seals a secret of an account whose kind issues no tokens.
    async fn keep_secret(&self, at: &Target, name: &str, secret: &Secret) -> Result<(), Reason> {
        let world = self.0.world.upgrade().ok_or(Reason::new(ReasonCode::Internal))?;
        let gateway = world.gateway(&at.gateway).ok_or(Reason::new(ReasonCode::Gone))?;
        let kept = secret_name(&at.gateway, &account_secret(at.account.as_str(), name));
        world.store.secret_put(&kept, secret).await.map_err(|e| e.reason())?;
        world.load_account_secrets(&gateway, at.account.as_str()).await.map_err(|e| e.reason())?;
        super::ops::audit(&world, at, "put secret", None, "done").await;
        Ok(())
    }
}

/// A timer leaves alone what somebody wiped, until somebody else asks for it.
fn not_wiped(row: Option<&TokenRow>) -> Result<(), Reason> {
    match row.and_then(TokenRow::wiped) {
        Some(at) => Err(Reason::new(ReasonCode::TokenForgotten).at(at)),
        None => Ok(()),
    }
}

impl Tokens for Broker {
    fn shares(&self) -> bool {
        self.0.shared.get().is_some() || self.0.world.upgrade().is_some_and(|w| w.is_sharing())
    }

    fn held<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<Held>> {
        Box::pin(async move {
            let subject = self.subject(at).ok()?;
            let row = subject.row().await.ok()??;
            subject.held(&row)
        })
    }

    fn obtain<'a>(&'a self, at: &'a Target, ask: Ask) -> Fut<'a, Result<Given, Reason>> {
        Box::pin(async move {
            let told = self.ask(at, ask, false).await;
            // What to do then is a command about this very account.
            told.map_err(|why| if why.code == ReasonCode::TokenRejectedAgain { why.or_with("target", at.id()) } else { why })
        })
    }

    fn forget<'a>(&'a self, at: &'a Target) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            let subject = self.subject(at)?;
            let now = subject.world.time.now();
            let gone = subject.gone(Some(now)).await;
            // Here first: a shared store that is away must not keep a token alive on this host.
            subject.world.store.token_wipe(&subject.key, now).await.map_err(|e| e.reason())?;
            self.forgot(&subject, self.forget_shared(&subject, &gone).await).await
        })
    }

    fn let_go<'a>(&'a self, at: &'a Target) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            let subject = self.subject(at)?;
            let gone = subject.gone(None).await;
            subject.world.store.token_forget(&subject.key.id).await.map_err(|e| e.reason())?;
            self.forgot(&subject, self.forget_shared(&subject, &gone).await).await
        })
    }

    fn wiped<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<Stamp>> {
        Box::pin(async move { self.subject(at).ok()?.row().await.ok()??.wiped() })
    }

    fn good<'a>(&'a self, at: &'a Target, token: &'a Fingerprint) -> Fut<'a, ()> {
        Box::pin(async move {
            if let Ok(subject) = self.subject(at)
                && !subject.world.read_only
            {
                self.found_good(&subject, token).await;
            }
        })
    }

    fn refused<'a>(&'a self, at: &'a Target, token: &'a Fingerprint) -> Fut<'a, ()> {
        Box::pin(async move {
            if let Ok(subject) = self.subject(at)
                && !subject.world.read_only
            {
                self.found_refused(&subject, token).await;
            }
        })
    }

    fn broken<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<Reason>> {
        Box::pin(async move { self.found_broken(&self.subject(at).ok()?).await })
    }

    fn storm<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<Reason>> {
        Box::pin(async move {
            let row = self.subject(at).ok()?.row().await.ok()??;
            storm::of(&row)
        })
    }

    fn paused<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<Hold>> {
        Box::pin(async move {
            let subject = self.subject(at).ok()?;
            let now = subject.world.time.now();
            subject.row().await.ok()??.hold.filter(|h| h.stands(&now))
        })
    }

    fn news(&self) -> Option<broadcast::Receiver<Target>> {
        Some(self.0.news.subscribe())
    }

    fn saw<'a>(&'a self, at: &'a Target, signs: Vec<Sign>) -> Fut<'a, ()> {
        Box::pin(async move {
            if let Ok(subject) = self.subject(at) {
                self.saw_here(&subject, signs).await;
            }
        })
    }

    fn holder<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<Clean>> {
        Box::pin(async move {
            let world = self.0.world.upgrade()?;
            if let Some(owner) = run_lock::owner(&super::hold::lock_file(&world.paths, &at.id())) {
                return Some(Clean::new(&owner.name()));
            }
            let settings = world.gateway(&at.gateway)?.settings.clone();
            let duty = registry::duty(&settings, std::slice::from_ref(&*settings), at)?;
            let Some(Ok(shared)) = self.connect(&world).await else { return None };
            for lease in &duty.leases {
                if let Ok(Some(holder)) = shared.holder(lease).await {
                    return Some(holder);
                }
            }
            None
        })
    }

    fn hold_lease<'a>(&'a self, lease: &'a str) -> Fut<'a, Result<Option<HeldLease>, Clean>> {
        Box::pin(async move {
            let Some(world) = self.0.world.upgrade().filter(|w| w.is_sharing()) else { return Ok(None) };
            // A store that cannot even be named takes nobody's key away.
            let Some(Ok(shared)) = self.connect(&world).await else { return Ok(None) };
            super::hold::key::hold(shared.clone(), world.time().clone(), &super::shared::self_at_host(), lease).await.map(Some)
        })
    }

    fn lease_holder<'a>(&'a self, lease: &'a str) -> Fut<'a, Option<Clean>> {
        Box::pin(async move {
            let world = self.0.world.upgrade().filter(|w| w.is_sharing())?;
            self.connect(&world).await?.ok()?.holder(lease).await.ok().flatten()
        })
    }

    fn put_secret<'a>(&'a self, at: &'a Target, name: &'a str, secret: Secret) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            let subject = match self.subject(at) {
                Ok(subject) => subject,
                // Without tokens of its own an account may have a secret all the same.
                Err(why) if why.code == ReasonCode::NotInVersion => return self.keep_secret(at, name, &secret).await,
                Err(why) => return Err(why),
            };
            // First: a shared copy may stand under a name that is made of the old secret, and a token of the old secret must not be
            // found beside the new one by whoever comes after a crash.
            let gone = Gone { replaced: Some(std::time::Duration::ZERO), ..subject.gone(None).await };
            let _ = self.forget_shared(&subject, &gone).await;
            subject.world.store.token_forget(&subject.key.id).await.map_err(|e| e.reason())?;
            let kept = secret_name(&at.gateway, &account_secret(at.account.as_str(), name));
            subject.world.store.secret_put(&kept, &secret).await.map_err(|e| e.reason())?;
            subject.world.load_account_secrets(&subject.gateway, at.account.as_str()).await.map_err(|e| e.reason())?;
            subject.world.store.token_forget(&subject.key.id).await.map_err(|e| e.reason())?;
            // What cannot be noted is only shown a while longer.
            let _ = subject.world.store.token_secret_replaced(&subject.key.id, subject.world.time.now()).await;
            super::ops::audit(&subject.world, &subject.target, "put secret", None, "done").await;
            self.told(&subject.target);
            Ok(())
        })
    }
}

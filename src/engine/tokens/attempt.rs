//! An attempt to get a token: turn by turn, read again, held back, fetched once, committed.

use super::{
    Broker, Subject,
    check::Report,
    decide::{self, Next},
    flight, hosts, storm,
};
use crate::{
    clock::Verdict,
    domain::{Clean, Fingerprint, Reason, ReasonCode, Secret, Stamp},
    engine::who::process_at_host,
    providers::{
        Cx,
        token::{Ask, Became, Given, Issued, Issuer, Origin, Renew, RenewWish, Rotate, TokenRules},
    },
    store::tokens::{Cause, End, Ended, Sign, SignKind, TokenRow},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the asker saw before it began to wait: what ended after that, it takes for its own.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    attempts: u64,
    fingerprint: Option<Fingerprint>,
}

impl Seen {
    pub(super) fn of(row: Option<&TokenRow>) -> Self {
        Self { attempts: row.map_or(0, |r| r.attempts), fingerprint: row.and_then(|r| r.token.as_ref()).map(|t| t.fingerprint.clone()) }
    }

    fn became(&self, row: &TokenRow) -> Option<Became> {
        let now = row.token.as_ref().map(|t| &t.fingerprint);
        Some(if self.fingerprint.as_ref() == now { Became::Unchanged } else { Became::New })
    }
}

/// What a fetch needs, gathered under the locks.
pub(super) struct Errand<'a> {
    pub(super) subject: &'a Subject,
    pub(super) cx: &'a Cx,
    pub(super) issuer: &'a dyn Issuer,
    pub(super) rules: TokenRules,
    pub(super) ask: &'a Ask,
    pub(super) cause: Cause,
    pub(super) against: Fingerprint,
    pub(super) row: Option<TokenRow>,
    pub(super) until: Instant,
    /// Nobody asks.
    pub(super) timer: bool,
}

impl Broker {
    pub(super) async fn attempt(&self, subject: Subject, ask: Ask, timer: bool, seen: Seen) -> Result<Given, Reason> {
        let world = subject.world.clone();
        let Some(issuer) = subject.gateway.provider.issuer() else { return Err(Reason::new(ReasonCode::NotInVersion)) };
        let rules = issuer.rules();
        let until = Instant::now() + flight::patience(rules.deadline);
        let flight = self.flight(&subject.key.id);
        let mut waiting = flight::turn(&flight, until).await?;
        let name = flight::lock_name(&subject.key.id);
        let host = match flight::host(&world.paths, &name, &mut waiting, until).await {
            Ok(lock) => lock,
            Err(why) => return or_cached(&subject, &ask, why).await,
        };
        host.sign(process_at_host().as_str());
        let row = subject.row().await?;
        let now = world.time.now();
        if let Some(adopted) = adopt(&seen, row.as_ref(), &ask, &now) {
            return match adopted {
                Ok(became) => subject.give(row, Origin::Shared, became),
                Err(why) => Err(why),
            };
        }
        if timer {
            super::not_wiped(row.as_ref())?;
        }
        let report = self.check(&subject, issuer, &ask, row.as_ref()).await;
        let (ask, had) = match report {
            // The token is good: whoever says otherwise is given it again, and nobody else hears of it.
            Report::Wrong => (Ask { rejected: None, ..ask }, Origin::Cache),
            _ => (ask, Origin::Shared),
        };
        let cause = match decide::decide(row.as_ref(), &ask, &rules, &now) {
            Next::Give => return subject.give(row, had, None),
            Next::Stop(why) => {
                if report == Report::Holds && why.code == ReasonCode::TokenRejectedAgain {
                    // Nobody is given it from now on.
                    refused(&subject, &ask).await?;
                }
                self.stopped(&subject, &ask, &why).await;
                return Err(if report == Report::Address && why.code == ReasonCode::TokenRejectedAgain { address() } else { why });
            }
            Next::Fetch(Cause::Cold) if timer && row.as_ref().is_some_and(|r| r.token.is_some()) => Cause::Due,
            Next::Fetch(cause) => cause,
        };
        let (cx, against) = match prepare(&subject, &rules, &ask, row.as_ref()).await {
            Ok(prepared) => prepared,
            Err(why) => {
                let wanted = hosts::Wanted { subject: &subject, ask: &ask, row: row.as_ref() };
                if !self.take_from_others(&wanted).await? {
                    return or_cached(&subject, &ask, why).await;
                }
                self.told(&subject.target);
                let row = subject.row().await?;
                let became = row.as_ref().and_then(|r| seen.became(r));
                return subject.give(row, Origin::Shared, became);
            }
        };
        if report == Report::Holds && cause == Cause::Rejected {
            refused(&subject, &ask).await?;
        }
        let broken = row.as_ref().and_then(TokenRow::broken);
        let errand = Errand { subject: &subject, cx: &cx, issuer, rules, ask: &ask, cause, against, row, until, timer };
        let result = self.among_hosts(&errand).await;
        self.told(&subject.target);
        drop(host);
        match result {
            Ok(origin) => {
                let row = subject.row().await?;
                if broken.is_some() {
                    self.mended(&subject).await;
                }
                let short = row.as_ref().and_then(|r| r.token.as_ref()).map(|t| decide::left(t, &world.time.now()));
                if let Some(left) = short.filter(|l| ask.strict && *l < ask.min_life) {
                    return Err(decide::too_short(left, ask.min_life));
                }
                let became = row.as_ref().and_then(|r| seen.became(r));
                let same = row.as_ref().and_then(|r| r.token.as_ref()).is_some_and(|t| ask.rejected.as_ref() == Some(&t.fingerprint));
                if report == Report::Address && same {
                    return Err(address());
                }
                let mut given = subject.give(row, origin, became)?;
                // Whoever asked is told why another one is there.
                given.held.trouble = given.held.trouble.or(broken);
                Ok(given)
            }
            Err(why) => or_cached(&subject, &ask, why).await,
        }
    }

    /// One request, bounded in time. What it brought is not kept yet.
    pub(super) async fn fetch(&self, e: &Errand<'_>) -> Result<Issued, Reason> {
        let how = if e.ask.renew == Some(RenewWish::Rotate) { Renew::Forced } else { Renew::Plain };
        let fetched = tokio::time::timeout(e.rules.deadline, e.issuer.fetch(e.cx, &e.subject.target, how)).await;
        let issued = fetched.unwrap_or_else(|_| Err(Reason::new(ReasonCode::Slow)))?;
        if issued.token.is_empty() || issued.life.is_zero() {
            return Err(Reason::new(ReasonCode::Unintelligible));
        }
        Ok(issued)
    }

    /// Commits what a request brought. `generation` is that of the lease, where there was one.
    ///
    /// `gone`: the end of that same token, where hosts have forgotten it.
    pub(super) async fn keep(&self, e: &Errand<'_>, issued: Issued, generation: u64, began: &Stamp, gone: Option<Stamp>) -> Result<Stamp, Reason> {
        let now = e.subject.world.time.now();
        let before = e.row.as_ref().and_then(|r| r.token.as_ref());
        let same = before.is_some_and(|t| t.text.as_ref() == Some(&issued.token));
        let new = Fingerprint::of(&e.subject.token_key().await?, &issued.token);
        let known = decide::known_end(e.row.as_ref(), &issued.token, &new).or(gone);
        let expires = decide::expiry(known, &issued.sent, issued.life, e.rules.semantics, &now);
        // What was asked for by a refusal or by an order to replace it is no surprise.
        let asked = e.cause == Cause::Rejected || e.ask.renew == Some(RenewWish::Rotate);
        self.saw_here(e.subject, storm::changed(before.filter(|_| !same), &e.rules, asked, &new, &now).into_iter().collect()).await;
        let end = if same { End::Same { expires } } else { End::New { token: issued.token, issued: issued.sent, expires, generation } };
        self.ended(e, end, began).await?;
        Ok(expires)
    }

    /// Commits that an attempt failed, and what that means for the next one.
    pub(super) async fn failed(&self, e: &Errand<'_>, why: Reason, began: &Stamp) -> Reason {
        let now = e.subject.world.time.now();
        let before = e.row.as_ref().and_then(|r| r.hold.as_ref());
        let hold = decide::hold(&why, before, &e.against, &now);
        // Whoever asked is told at once how long nothing more is sent.
        let wait = hold.as_ref().filter(|_| why.code == ReasonCode::RateLimited).and_then(|h| h.until).map(|until| until.left(&now));
        let why = match wait {
            Some(left) => why.without("retry_after").with("retry_after", left.as_secs().max(1).to_string()),
            None => why,
        };
        let _ = self.ended(e, End::Failed { reason: why.clone().at(now), hold }, began).await;
        self.saw_here(e.subject, storm::limited(e.row.as_ref(), &why, &now).into_iter().collect()).await;
        why
    }

    async fn ended(&self, e: &Errand<'_>, end: End, began: &Stamp) -> Result<(), Reason> {
        let world = &e.subject.world;
        let at = world.time.now();
        let took_ms = u64::try_from(began.age(&at).as_millis()).unwrap_or(u64::MAX);
        let demanded = e.ask.renew == Some(RenewWish::Rotate);
        // What may have been carried out counts against the platform's limits, answered or not: the next one would end the token at once.
        let forced = demanded && !matches!(&end, End::Failed { reason, .. } if !decide::maybe_done(reason));
        let outcome = match &end {
            End::New { .. } => "new",
            End::Same { .. } => "unchanged",
            End::Failed { reason, .. } => reason.code.name(),
        };
        let (error, result) = match &end {
            End::Failed { reason, .. } => (Some(reason.code), "error"),
            _ => (None, outcome),
        };
        let took = std::time::Duration::from_millis(took_ms);
        world.meter.fetched((&e.subject.key.gateway, &e.subject.key.account), e.cause.name(), result, error, took);
        if demanded {
            crate::engine::ops::audit(world, &e.subject.target, "rotate token", None, outcome).await;
        }
        let ended = Ended {
            key: e.subject.key.clone(),
            at,
            by: process_at_host(),
            cause: Some(e.cause),
            forced,
            renewed: e.cause == Cause::Rejected,
            took_ms,
            end,
        };
        world.store.token_ended(ended).await.map_err(|err| err.reason())
    }

    /// Takes over what another host fetched.
    pub(super) async fn take_over(&self, subject: &Subject, found: hosts::Found, by: Clean) -> Result<(), Reason> {
        let renewed = found.renewed;
        let end = End::New { token: found.token, issued: found.issued, expires: found.expires, generation: found.generation };
        let ended = Ended { key: subject.key.clone(), at: subject.world.time.now(), by, cause: None, forced: false, renewed, took_ms: 0, end };
        subject.world.store.token_ended(ended).await.map_err(|e| e.reason())
    }
}

/// The platform gives the same token again, which is good: what it refuses is the address of this host.
fn address() -> Reason {
    Reason::new(ReasonCode::AddressNotTrusted).with("evidence", "same")
}

/// Everything that may stand against sending, in the order in which it costs.
async fn prepare(subject: &Subject, rules: &TokenRules, ask: &Ask, row: Option<&TokenRow>) -> Result<(Cx, Fingerprint), Reason> {
    let world = &subject.world;
    if world.read_only {
        return Err(Reason::new(ReasonCode::ReadOnly));
    }
    if !world.vault.is_open() {
        return Err(world.why_shut());
    }
    let account = subject.target.account.as_str();
    world.load_account_secrets(&subject.gateway, account).await.map_err(|e| e.reason())?;
    let cx = world.cx(&subject.gateway, CancellationToken::new())?;
    let against = credentials(&cx, account);
    if let Some(why) = decide::held_back(row, ask, &against, &world.time.now()) {
        return Err(why);
    }
    if !ask.any_clock && world.gate.view(&subject.gateway.id).verdict == Verdict::Blocked {
        return Err(Reason::new(ReasonCode::ClockBlocked));
    }
    if ask.renew == Some(RenewWish::Rotate) {
        may_rotate(subject, rules).await?;
    }
    Ok((cx, against))
}

/// The platform refuses the token that a client reports: nobody is given it from now on.
async fn refused(subject: &Subject, ask: &Ask) -> Result<(), Reason> {
    let Some(fingerprint) = &ask.rejected else { return Ok(()) };
    let (store, now) = (&subject.world.store, subject.world.time.now());
    store.token_rejected(&subject.key.id, fingerprint).await.map_err(|e| e.reason())?;
    let _ = store.token_signs(&subject.key.id, now, vec![Sign::of_token(SignKind::Died, fingerprint, now.wall)]).await;
    Ok(())
}

/// What became of an attempt of somebody else that ended after this one began to wait: its token, or its error.
fn adopt(seen: &Seen, row: Option<&TokenRow>, ask: &Ask, now: &Stamp) -> Option<Result<Option<Became>, Reason>> {
    let row = row.filter(|r| r.attempts > seen.attempts)?;
    let token = decide::alive(Some(row), now);
    if let Some(why) = &row.trouble {
        let useless = ask.renew.is_some() || token.is_none_or(|t| t.rejected || ask.rejected.as_ref() == Some(&t.fingerprint));
        let short = token.is_some_and(|t| ask.strict && decide::left(t, now) < ask.min_life);
        return Some(if useless || short { Err(why.clone()) } else { Ok(None) });
    }
    if ask.renew == Some(RenewWish::Rotate) && !row.forced {
        return None;
    }
    let left = decide::left(token?, now);
    if ask.strict && left < ask.min_life {
        return Some(Err(decide::too_short(left, ask.min_life)));
    }
    Some(Ok(seen.became(row)))
}

/// What was there, where the asker can do with it; else why nothing new came.
async fn or_cached(subject: &Subject, ask: &Ask, why: Reason) -> Result<Given, Reason> {
    if ask.renew.is_some() {
        return Err(why);
    }
    let row = subject.row().await?;
    let now = subject.world.time.now();
    match decide::alive(row.as_ref(), &now) {
        Some(token) if !token.rejected && ask.rejected.as_ref() != Some(&token.fingerprint) => {
            let left = decide::left(token, &now);
            if ask.strict && left < ask.min_life { Err(why) } else { subject.give(row, Origin::Cache, None) }
        }
        _ => Err(why),
    }
}

/// Whether the platform takes a forced renewal now.
async fn may_rotate(subject: &Subject, rules: &TokenRules) -> Result<(), Reason> {
    let Rotate::Api { per_day, min_gap } = rules.rotate else { return Err(Reason::new(ReasonCode::RotateByHand).with("target", &subject.key.id)) };
    let now = subject.world.time.now().wall.0;
    let day = now.saturating_sub(86_400_000);
    let (n, oldest, last) = subject.world.store.token_forced(&subject.key.id, day).await.map_err(|e| e.reason())?;
    // Always with the time to wait: a person or a script that tries again sooner only wastes it.
    let later = |evidence: &str, n: u64, wait: i64| {
        let s = (wait.max(1) + 999) / 1000;
        let span = wait_words(s);
        let why = Reason::new(ReasonCode::QuotaUsed).with("evidence", evidence).with("n", n.to_string()).with("wait", span);
        Err(why.with("retry_after", s.to_string()))
    };
    if let Some(most) = per_day.filter(|most| n >= *most) {
        return later("day", u64::from(most), oldest.unwrap_or(now).saturating_add(86_400_000).saturating_sub(now));
    }
    let gap = i64::try_from(min_gap.as_millis()).unwrap_or(i64::MAX);
    match last.map(|at| at.saturating_add(gap).saturating_sub(now)) {
        Some(wait) if wait > 0 && wait <= gap => later("gap", min_gap.as_secs(), wait),
        _ => Ok(()),
    }
}

/// A time to wait as people say it.
fn wait_words(s: i64) -> String {
    match s {
        0..=119 => format!("{s} s"),
        120..=7199 => format!("{} min", (s + 59) / 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// Stands for everything that a platform's refusal may be about: while it is the same, the answer would be too.
fn credentials(cx: &Cx, account: &str) -> Fingerprint {
    let own = crate::providers::token::account_secret(account, "");
    let mut text = format!("{}\n{}\n", cx.settings.url, cx.settings.corp_id.as_deref().unwrap_or_default());
    if let Some(a) = cx.settings.accounts.iter().find(|a| a.name == account) {
        text.push_str(&a.id);
    }
    for (name, secret) in cx.secrets.iter().filter(|(name, _)| name.starts_with(&own) || !name.starts_with("account/")) {
        text.push_str(&format!("\n{name}={}", secret.expose()));
    }
    Fingerprint::of(&cx.fingerprint_key, &Secret::new(text))
}

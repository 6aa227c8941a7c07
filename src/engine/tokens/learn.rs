//! What this host learns of a token from the others, and tells them: adopted, agreed on, forgotten, published.

use super::{
    Broker, Subject, decide,
    hosts::{Found, NEWER, SPARE, jitter},
    ident::name,
};
use crate::{
    domain::{Reason, ReasonCode, Stamp, Wall, row::TokenSemantics},
    shared::{Gone, Shared, SharedToken, mark},
    store::tokens::{KeptToken, TokenRow},
};
use std::{sync::Arc, time::Duration};

/// What another host found of a token counts here for so long: it travels at once or not at all.
const TOLD: Duration = Duration::from_secs(60);
/// A client that waits for a token that lies here already waits so long at most for what the others know of it.
const LOOK: Duration = Duration::from_millis(300);

/// What the shared store says of a token.
struct There {
    token: Option<SharedToken>,
    /// What is left of it, where there is none.
    gone: Option<Gone>,
}

impl There {
    async fn ask(shared: &Arc<dyn Shared>, name: &str) -> Result<Self, Reason> {
        let token = shared.get(name).await?;
        let gone = if token.is_none() { shared.gone(name).await? } else { None };
        Ok(Self { token, gone })
    }
}

/// What the shared store answers, waited for as long as a client may be kept waiting for it.
pub(super) async fn soon<T>(asked: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
    let slow = |_| Err(Reason::new(ReasonCode::SharedDown).with("why", "no answer within 300 ms"));
    tokio::time::timeout(LOOK, asked).await.unwrap_or_else(slow)
}

impl Broker {
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
        let there = There::ask(shared, &name(subject)).await?;
        let row = subject.row().await?;
        let (sign, gone) = (row.as_ref().and_then(|row| row.signs.last), there.gone.clone());
        self.settle(subject, row, shared, there, back).await?;
        match sign {
            Some(last) => self.heed_replaced(subject, last, shared, gone).await,
            None => Ok(()),
        }
    }

    /// The secret was replaced at another host: what was seen of another holder before that is over here too.
    /// `last`: the newest of what was seen.
    async fn heed_replaced(&self, subject: &Subject, last: Wall, shared: &Arc<dyn Shared>, gone: Option<Gone>) -> Result<(), Reason> {
        let replaced = match gone {
            Some(gone) => gone.replaced,
            // A new token stands there already.
            None => shared.gone(&name(subject)).await?.and_then(|gone| gone.replaced),
        };
        let Some(at) = replaced.map(|ago| subject.world.time.now().minus(ago)).filter(|at| last <= at.wall) else { return Ok(()) };
        subject.world.store.token_secret_replaced(&subject.key.id, at).await.map_err(|e| e.reason())
    }

    /// Before a token that lies here is handed out by a process that hears no news: what the others know of it meanwhile, a wipe above
    /// all. Gives why that could not be learnt; then what lies here counts. An error is that it is gone, where that may not be kept.
    pub(super) async fn look(&self, subject: &Subject) -> Result<Option<Reason>, Reason> {
        let (world, store) = (&subject.world, &subject.world.store);
        let shared = match self.connect(world).await {
            None => return Ok(None),
            Some(Ok(shared)) => shared,
            Some(Err(why)) => return Ok(Some(why)),
        };
        if let Some(why) = self.known_down(world).await {
            return Ok(Some(why));
        }
        let name = name(subject);
        let there = match soon(There::ask(shared, &name)).await {
            Ok(there) => there,
            Err(why) => {
                if !world.read_only {
                    let _ = store.set_shared_down(Some((world.time.now(), why.clone()))).await;
                }
                return Ok(Some(why));
            }
        };
        let row = subject.row().await?;
        if world.read_only {
            let now = world.time.now();
            let mine = row.as_ref().and_then(|r| r.token.as_ref());
            let gone = Reason::new(ReasonCode::TokenForgotten);
            return match wiped(row.as_ref(), there.gone.as_ref(), &now) {
                Some(at) => Err(gone.at(at)),
                None if let_go(subject, mine, there.gone.as_ref()) => Err(gone.at(now)),
                None => Ok(None),
            };
        }
        world.shared_answers().await;
        Ok(self.settle(subject, row, shared, there, true).await.err())
    }

    async fn settle(&self, subject: &Subject, row: Option<TokenRow>, shared: &Arc<dyn Shared>, there: There, back: bool) -> Result<(), Reason> {
        let (found, gone) = (there.token, there.gone);
        if let Some(at) = row.as_ref().and_then(TokenRow::wiped) {
            return match found {
                // What was wiped here while the shared store was away.
                Some(f) if f.age >= at.age(&subject.world.time.now()) => self.forget_shared(subject, &subject.gone(Some(at)).await).await,
                // Somebody has asked since.
                Some(found) => self.adopt_found(subject, found).await,
                // It may have lost everything: a host that never heard of the wipe would fetch.
                None if back && gone.is_none_or(|g| g.wiped.is_none()) => self.forget_shared(subject, &subject.gone(Some(at)).await).await,
                None => Ok(()),
            };
        }
        let mine = row.as_ref().and_then(|r| r.token.as_ref());
        let now = subject.world.time.now();
        if self.heed(subject, row.as_ref(), gone.as_ref()).await.is_err() {
            return Ok(());
        }
        // What they let go of is no news to tell them.
        let tells = back && !let_go(subject, mine, gone.as_ref());
        let alive = decide::alive(row.as_ref(), &now).filter(|t| tells && !t.rejected && t.text.is_some());
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
    pub(super) async fn adopt_found(&self, subject: &Subject, found: SharedToken) -> Result<(), Reason> {
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
    pub(super) async fn heed(&self, subject: &Subject, row: Option<&TokenRow>, gone: Option<&Gone>) -> Result<(), Reason> {
        let Some(at) = wiped(row, gone, &subject.world.time.now()) else { return Ok(()) };
        subject.world.store.token_wipe(&subject.key, at).await.map_err(|e| e.reason())?;
        Err(Reason::new(ReasonCode::TokenForgotten).at(at))
    }

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

/// When the token of a row was wiped at another host, if it was. Whoever got one since then has asked for it.
fn wiped(row: Option<&TokenRow>, gone: Option<&Gone>, now: &Stamp) -> Option<Stamp> {
    let age = gone?.wiped?;
    let since = row.and_then(|r| r.token.as_ref()).is_some_and(|t| t.issued.age(now) + NEWER < age);
    (!since).then(|| now.minus(age))
}

/// True when it is this one that the others let go of: wiped, or of a secret that was replaced.
fn let_go(subject: &Subject, mine: Option<&KeptToken>, gone: Option<&Gone>) -> bool {
    gone.is_some_and(|g| g.mark.is_some() && g.mark == mine.and_then(|t| mark(&name(subject), t.text.as_ref()?)))
}

/// As it is kept here.
fn of(found: SharedToken, now: &Stamp) -> Found {
    Found { issued: now.minus(found.age), expires: now.plus(found.left), token: found.token, generation: found.generation, renewed: found.renewed }
}

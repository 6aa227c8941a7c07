//! The questions: one script each, and what its answer means.

use super::{Inner, REPLACED, Redis, WIPED};
use crate::{
    domain::{Clean, Fingerprint, Reason, ReasonCode},
    providers::Fut,
    shared::{Gone, Lease, Mirror, MirrorForm, News, Put, Shared, SharedToken, mark},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::time::Duration;
use tokio::sync::broadcast;

fn ms(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

/// What a script says as milliseconds; less than none is none.
fn span(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// A token as its script tells it: generation, text, by whom, left, age, renewed, found good so long ago.
pub(super) type Kept = (u64, String, String, i64, i64, u8, i64);
/// What is known of one that is gone: mark, left, wiped so long ago.
pub(super) type KeptGone = (String, i64, i64, i64);

impl Inner {
    /// Reads a token. Whoever may write there may have written anything.
    pub(super) fn token(&self, name: &str, (generation, kept, by, left, age, renewed, good): Kept) -> Result<SharedToken, Reason> {
        let token = self.opened(name, generation, kept)?;
        let fingerprint = Fingerprint::of(&super::lock(&self.fingerprint_key), &token);
        let (good, by) = ((good >= 0).then(|| span(good)), Clean::new(&by));
        Ok(SharedToken { token, fingerprint, generation, left: span(left), age: span(age), by, renewed: renewed == 1, good })
    }
}

/// Reads what is known of a token that is gone.
pub(super) fn was_gone((mark, left, wiped, replaced): KeptGone) -> Gone {
    let since = |ago: i64| (ago >= 0).then(|| span(ago));
    Gone { mark: (!mark.is_empty()).then(|| mark.into()), left: span(left), wiped: since(wiped), replaced: since(replaced) }
}

impl Shared for Redis {
    fn acquire<'a>(&'a self, name: &'a str, ttl: Duration) -> Fut<'a, Result<Option<Lease>, Reason>> {
        Box::pin(async move {
            let mut salt = [0_u8; 8];
            getrandom::fill(&mut salt).map_err(|_| Reason::new(ReasonCode::Internal))?;
            // Unlike for each try, so that a late holder never lets go what a later one of the same process took.
            let owner = format!("{} {:016x}", self.inner.who.as_str(), u64::from_ne_bytes(salt));
            let mut script = self.inner.scripts.acquire.prepare_invoke();
            script.key(self.inner.key(name, "lease")).key(self.inner.key(name, "fence")).arg(&owner).arg(ms(ttl));
            let fence: u64 = self.call(&script).await?;
            Ok((fence > 0).then(|| Lease { name: name.into(), fence, owner: owner.into() }))
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Fut<'a, Result<bool, Reason>> {
        Box::pin(async move {
            let mut script = self.inner.scripts.renew.prepare_invoke();
            script.key(self.inner.key(&lease.name, "lease")).arg(&*lease.owner).arg(ms(ttl));
            Ok(self.call::<i64>(&script).await? == 1)
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            let mut script = self.inner.scripts.release.prepare_invoke();
            script.key(self.inner.key(&lease.name, "lease")).arg(&*lease.owner);
            self.call::<i64>(&script).await.map(|_| ())
        })
    }

    fn holder<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<Clean>, Reason>> {
        Box::pin(async move {
            let found = self.within(async {
                let mut connection = self.connection()?;
                redis::cmd("GET").arg(self.inner.key(name, "lease")).query_async::<Option<String>>(&mut connection).await
            });
            let found = found.await?;
            // The last word is the salt.
            Ok(found.map(|owner| Clean::new(owner.rsplit_once(' ').map_or(owner.as_str(), |(who, _)| who))))
        })
    }

    fn put<'a>(&'a self, lease: &'a Lease, token: &'a SharedToken, mirrors: &'a [Mirror]) -> Fut<'a, Result<Put, Reason>> {
        Box::pin(async move {
            let i = &self.inner;
            let sealed = i.sealed(&lease.name, lease.fence, &token.token)?;
            let dies_s = (i.time.now().wall.0 + i64::try_from(ms(token.left)).unwrap_or(i64::MAX / 2)) / 1000;
            let mut script = i.scripts.put.prepare_invoke();
            script.key(i.key(&lease.name, "token")).key(i.key(&lease.name, "fence")).key(i.key(&lease.name, "gone"));
            script
                .arg(lease.fence)
                .arg(sealed.expose())
                .arg(ms(token.left))
                .arg(ms(token.age))
                .arg(token.by.as_str())
                .arg(i.channel())
                .arg(&*lease.name)
                .arg(u8::from(token.renewed))
                .arg(mark(&lease.name, &token.token).unwrap_or_default().as_ref());
            for m in mirrors {
                let life = ms(token.left).saturating_sub(m.early_s * 1000);
                let text = match m.form {
                    MirrorForm::Raw => token.token.expose().to_owned(),
                    MirrorForm::Json => serde_json::Value::from(token.token.expose()).to_string(),
                };
                script.key(&m.key).arg(text).arg(life);
                if let Some(key) = &m.expires_key {
                    script.key(key).arg(dies_s.to_string()).arg(life);
                }
            }
            Ok(if self.call::<i64>(&script).await? == 1 { Put::Stored } else { Put::Fenced })
        })
    }

    fn get<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<SharedToken>, Reason>> {
        Box::pin(async move {
            let i = &self.inner;
            let mut script = i.scripts.get.prepare_invoke();
            script.key(i.key(name, "token"));
            let found = self.call::<Option<Kept>>(&script).await?;
            found.map(|kept| i.token(name, kept)).transpose()
        })
    }

    fn forget<'a>(&'a self, name: &'a str, mirrors: &'a [Mirror], gone: &'a Gone) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            let i = &self.inner;
            let mut script = i.scripts.forget.prepare_invoke();
            script.key(i.key(name, "gone")).key(i.key(name, "token"));
            for m in mirrors {
                script.key(&m.key);
                if let Some(key) = &m.expires_key {
                    script.key(key);
                }
            }
            script.arg(i.channel()).arg(name).arg(gone.mark.as_deref().unwrap_or_default()).arg(ms(gone.left));
            let ago = |d: Option<Duration>| d.map_or(-1, |d| i64::try_from(ms(d)).unwrap_or(i64::MAX));
            script.arg(ago(gone.wiped)).arg(ms(WIPED)).arg(ago(gone.replaced)).arg(ms(REPLACED));
            self.call::<i64>(&script).await.map(|_| ())
        })
    }

    fn gone<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<Gone>, Reason>> {
        Box::pin(async move {
            let mut script = self.inner.scripts.gone.prepare_invoke();
            script.key(self.inner.key(name, "gone"));
            Ok(self.call::<Option<KeptGone>>(&script).await?.map(was_gone))
        })
    }

    fn good<'a>(&'a self, name: &'a str, mark: &'a str) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            let i = &self.inner;
            let mut script = i.scripts.good.prepare_invoke();
            script.key(i.key(name, "token")).arg(mark).arg(i.channel()).arg(name);
            self.call::<i64>(&script).await.map(|_| ())
        })
    }

    fn print_key<'a>(&'a self, mine: &'a [u8; 32]) -> Fut<'a, Result<[u8; 32], Reason>> {
        Box::pin(async move {
            let mut script = self.inner.scripts.prints.prepare_invoke();
            script.key(self.inner.key("fingerprints", "key")).arg(STANDARD.encode(mine));
            let found = self.call::<String>(&script).await?;
            let key = STANDARD.decode(found).ok().and_then(|k| k.try_into().ok());
            key.ok_or_else(|| super::torn("the key of fingerprints there is damaged"))
        })
    }

    fn prints_with(&self, key: [u8; 32]) {
        *super::lock(&self.inner.fingerprint_key) = key;
    }

    fn news(&self) -> broadcast::Receiver<News> {
        let receiver = self.inner.news.subscribe();
        let mut listening = super::lock(&self.listening);
        if !*listening {
            *listening = true;
            tokio::spawn(self.inner.clone().listen(self.stop.clone()));
        }
        receiver
    }

    fn down(&self) -> Option<Reason> {
        super::lock(&self.inner.down).clone()
    }
}

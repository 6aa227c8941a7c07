//! Against the sandbox's platforms, on tokio's paused clock, with a small owner of tokens in place of the engine's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acting;
mod fetching;
mod hostile;
mod watching;

use super::*;
use crate::{
    clock::sample::Sample,
    domain::{Boot, Fingerprint, GatewayId, RemoteId, Secrets, Stamp, Time, Wall},
    providers::{
        Attention, Memo, Samples,
        http::Client,
        token::{Ask, Became, Given, Held, NoTokens, Origin, RenewWish, Tokens, account_secret},
    },
    sandbox::{AppSpec, Clock, Options, Part, Sandbox, TokenServer, TokenSettings},
    store::tokens::Hold,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::watch as seen, time::Instant};
use tokio_util::sync::CancellationToken;

const START: i64 = 1_795_000_000_000;
pub(super) const SECRET: &str = "CANARY-OPS-SECRET-b41c07";

#[derive(Clone)]
struct Follow(Instant);
impl Time for Follow {
    fn now(&self) -> Stamp {
        let ms = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        Stamp { wall: Wall(START + i64::try_from(ms).unwrap()), boot: Some((1, Boot(1_000_000 + ms))) }
    }
}

#[derive(Default)]
struct Kept(Mutex<HashMap<String, serde_json::Value>>, Mutex<usize>);
impl Memo for Kept {
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        Box::pin(async move { self.0.lock().unwrap().get(key).cloned() })
    }
    fn put<'a>(&'a self, key: &'a str, value: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        *self.1.lock().unwrap() += 1;
        self.0.lock().unwrap().insert(key.to_owned(), value);
        Box::pin(async { Ok(()) })
    }
}
struct Nowhere;
impl Samples for Nowhere {
    fn push(&self, _: Sample) {}
}

/// An owner that keeps one token an account, in memory, by the rules of the seam.
struct Owner {
    make: Box<dyn Fn(Secrets) -> Cx + Send + Sync>,
    issuer: Platforms,
    secrets: Mutex<Secrets>,
    held: Mutex<HashMap<String, (Secret, Held)>>,
    /// Hosts share tokens.
    shares: std::sync::atomic::AtomicBool,
    /// What stands against the next request.
    hold: Mutex<Option<Hold>>,
}

impl Owner {
    async fn fetch(&self, at: &Target, how: Renew) -> Result<Given, Reason> {
        let name = at.account.as_str().to_owned();
        let cx = (self.make)(self.secrets.lock().unwrap().clone());
        let issued = self.issuer.fetch(&cx, at, how).await;
        let mut all = self.held.lock().unwrap();
        let old = all.get(&name).map(|(s, h)| (s.clone(), h.clone()));
        let issued = match issued {
            Ok(i) => i,
            Err(why) => {
                if let Some((_, h)) = all.get_mut(&name) {
                    h.trouble = Some(why.clone());
                }
                return Err(why);
            }
        };
        let same = old.as_ref().is_some_and(|(s, _)| *s == issued.token);
        let life = u64::try_from(issued.life.as_millis()).unwrap();
        let dies =
            Stamp { wall: Wall(issued.sent.wall.0 + i64::try_from(life).unwrap()), boot: issued.sent.boot.map(|(id, b)| (id, b.plus(issued.life))) };
        let held = match &old {
            Some((_, h)) if same => Held { trouble: None, ..h.clone() },
            _ => Held {
                fingerprint: Fingerprint::of(&cx.fingerprint_key, &issued.token),
                length: issued.token.len(),
                generation: old.as_ref().map_or(1, |(_, h)| h.generation + 1),
                issued: issued.sent,
                expires: dies,
                by: "test[1]@here".into(),
                rejected: false,
                trouble: None,
                fetches: 1,
                storm: None,
                signs: Default::default(),
            },
        };
        all.insert(name, (issued.token.clone(), held.clone()));
        let became = old.is_some().then_some(if same { Became::Unchanged } else { Became::New });
        Ok(Given { token: issued.token, held, origin: Origin::Fetched, became })
    }
}

impl Tokens for Owner {
    fn shares(&self) -> bool {
        self.shares.load(std::sync::atomic::Ordering::Relaxed)
    }
    fn held<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<Held>> {
        Box::pin(async move { self.held.lock().unwrap().get(at.account.as_str()).map(|(_, h)| h.clone()) })
    }
    fn paused<'a>(&'a self, _: &'a Target) -> Fut<'a, Option<Hold>> {
        Box::pin(async move { self.hold.lock().unwrap().clone() })
    }
    fn obtain<'a>(&'a self, at: &'a Target, ask: Ask) -> Fut<'a, Result<Given, Reason>> {
        Box::pin(async move {
            if let Some(hold) = self.hold.lock().unwrap().clone().filter(|_| !ask.cached_only && !ask.past_pause) {
                return Err(hold.reason);
            }
            let here = self.held.lock().unwrap().get(at.account.as_str()).map(|(s, h)| (s.clone(), h.clone()));
            if let Some(wish) = ask.renew {
                return self.fetch(at, if wish == RenewWish::Rotate { Renew::Forced } else { Renew::Plain }).await;
            }
            match here {
                Some((token, held)) if ask.cached_only || ask.rejected.as_ref() != Some(&held.fingerprint) => {
                    Ok(Given { token, held, origin: Origin::Cache, became: None })
                }
                None if ask.cached_only => Err(Reason::new(ReasonCode::NothingCached)),
                here => {
                    if here.is_some() {
                        self.held.lock().unwrap().get_mut(at.account.as_str()).unwrap().1.rejected = true;
                    }
                    self.fetch(at, Renew::Plain).await
                }
            }
        })
    }
    fn forget<'a>(&'a self, at: &'a Target) -> Fut<'a, Result<(), Reason>> {
        self.held.lock().unwrap().remove(at.account.as_str());
        Box::pin(async { Ok(()) })
    }
    fn refused<'a>(&'a self, at: &'a Target, token: &'a Fingerprint) -> Fut<'a, ()> {
        if let Some((_, held)) = self.held.lock().unwrap().get_mut(at.account.as_str()).filter(|(_, h)| h.fingerprint == *token) {
            held.rejected = true;
        }
        Box::pin(async {})
    }
    fn good<'a>(&'a self, at: &'a Target, token: &'a Fingerprint) -> Fut<'a, ()> {
        if let Some((_, held)) = self.held.lock().unwrap().get_mut(at.account.as_str()).filter(|(_, h)| h.fingerprint == *token) {
            held.rejected = false;
        }
        Box::pin(async {})
    }
    fn put_secret<'a>(&'a self, at: &'a Target, name: &'a str, secret: Secret) -> Fut<'a, Result<(), Reason>> {
        self.secrets.lock().unwrap().insert(account_secret(at.account.as_str(), name), secret);
        self.forget(at)
    }
}

struct Stage {
    _sandbox: Sandbox,
    server: TokenServer,
    provider: Platforms,
    owner: Arc<Owner>,
    memo: Arc<Kept>,
    cx: Cx,
    seen: seen::Sender<Attention>,
}

fn app(id: &str, name: &str, secret: &str) -> AppSpec {
    AppSpec { id: id.into(), name: name.into(), secret: secret.into(), ..AppSpec::default() }
}

impl Stage {
    async fn of(settings: TokenSettings, apps: Vec<AppSpec>) -> Self {
        let options = Options { seed: Some(7), clock: Clock::virtual_from(START), ..Options::default() };
        let sandbox = Sandbox::with(vec![("corp".into(), Part::Tokens(Box::new(settings), apps))], &options).await.unwrap();
        let server = sandbox.tokens("corp").unwrap().clone();
        let info = sandbox.gateways().remove(0);
        let settings = crate::cli::sandbox::settings(&info);
        let provider = Platforms::of(&settings.kind).unwrap();
        let memo = Arc::new(Kept::default());
        let (seen, watched) = seen::channel(Attention::default());
        let time = Follow(Instant::now());
        let make = {
            let (memo, settings) = (memo.clone(), settings.clone());
            move |secrets: Secrets, tokens: Arc<dyn Tokens>| Cx {
                gateway: GatewayId::new("corp"),
                http: Arc::new(Client::new(&settings).unwrap()),
                settings: Arc::new(settings.clone()),
                secrets,
                broken: Arc::default(),
                time: Arc::new(time.clone()),
                fingerprint_key: [3; 32],
                cancel: CancellationToken::new(),
                memo: memo.clone(),
                samples: Arc::new(Nowhere),
                tokens,
                seen: watched.clone(),
            }
        };
        let inner = make.clone();
        let owner = Arc::new(Owner {
            make: Box::new(move |secrets| inner(secrets, Arc::new(NoTokens))),
            issuer: Platforms::of(&settings.kind).unwrap(),
            secrets: Mutex::new(info.credentials.clone()),
            shares: false.into(),
            held: Mutex::default(),
            hold: Mutex::default(),
        });
        let cx = make(info.credentials, owner.clone());
        Self { _sandbox: sandbox, server, provider, owner, memo, cx, seen }
    }

    async fn wecom() -> Self {
        Self::of(TokenSettings::default(), vec![app("1000002", "ops", SECRET)]).await
    }

    async fn oa() -> Self {
        Self::of(TokenSettings::wechat_oa(), vec![app("wx4f1a2b3c4d5e6f70", "shop", SECRET)]).await
    }

    fn target(&self) -> Target {
        let name = &self.cx.settings.accounts[0].name;
        Target::account(&self.cx.gateway, &RemoteId::new(name))
    }

    async fn fetch(&self) -> Result<Issued, Reason> {
        self.provider.fetch(&self.cx, &self.target(), Renew::Plain).await
    }

    async fn obtain(&self, ask: Ask) -> Result<Given, Reason> {
        self.owner.obtain(&self.target(), ask).await
    }

    /// The row as a single look shows it.
    async fn row(&self) -> Row {
        match self.provider.look(&self.cx, Some(&self.target()), Look::Row).await.unwrap() {
            Report::Part(mut rows) if rows.len() == 1 => rows.remove(0),
            other => panic!("{other:?}"),
        }
    }
}

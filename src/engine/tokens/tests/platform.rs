//! A made-up platform that issues tokens, and a world around it, under virtual time.

use crate::{
    clock::{Limits, now::TokioTime},
    domain::{
        Action, Answer, Effect, Finding, GatewayId, Inputs, Not, Op, Plan, Reason, ReasonCode, RemoteId, Row, Secret, StepEnd, Target, Want,
        row::TokenSemantics,
    },
    engine::{Parts, World, world::secret_name},
    i18n::{Message, common},
    providers::{
        Cx, Fut, GatewayFacts, KindSpec, Look, Pairing, Provider, Report, SecretSpec, Tx,
        token::{Given, Issued, Issuer, Renew, Rotate, TokenRules, Tried, account_secret},
    },
    store::config,
    vault::Vault,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

pub(in crate::engine) static SPEC: KindSpec = KindSpec {
    kind: "mint",
    name: "Mint",
    platform: "Mint",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[SecretSpec { name: "secret", words: &common::YES, optional: false }],
    verbs: &[],
    methods: &[],
    poll_seen: Duration::from_secs(60),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(60),
    phone_qr: &[],
    phone_code: &[],
};

/// What the platform does and has seen.
#[derive(Debug)]
pub(in crate::engine) struct Far {
    pub(in crate::engine) rules: TokenRules,
    /// The token that it gives, while it lives: with the virtual instant of its death.
    pub(in crate::engine) living: Option<(String, tokio::time::Instant)>,
    pub(in crate::engine) life: Duration,
    /// How long an answer takes.
    pub(in crate::engine) takes: Duration,
    /// Requests that came.
    pub(in crate::engine) asked: Vec<Renew>,
    /// Answers to come that are errors, first first.
    pub(in crate::engine) errors: Vec<Reason>,
    /// Errors for ever.
    pub(in crate::engine) always: Option<Reason>,
    /// What it says of a token that is tried, and how often one was.
    pub(in crate::engine) says: Tried,
    pub(in crate::engine) tried: usize,
    /// It says the whole life of a token that it gives again.
    pub(in crate::engine) full_again: bool,
}

impl Far {
    fn answer(&mut self, how: Renew) -> Result<(String, Duration), Reason> {
        self.asked.push(how);
        if let Some(why) = &self.always {
            return Err(why.clone());
        }
        if !self.errors.is_empty() {
            return Err(self.errors.remove(0));
        }
        let now = tokio::time::Instant::now();
        let window = if self.rules.semantics == TokenSemantics::SameThenOverlap { self.rules.overlap } else { Duration::ZERO };
        let same = self.living.clone().filter(|(_, dies)| *dies > now + window);
        match same.filter(|_| how == Renew::Plain && self.rules.semantics != TokenSemantics::Rotating) {
            Some((token, dies)) => Ok((token, if self.full_again { self.life } else { dies - now })),
            None => {
                let token = format!("TOKEN-{:04}-0123456789abcdef", self.asked.len());
                self.living = Some((token.clone(), now + self.life));
                Ok((token, self.life))
            }
        }
    }
}

pub(in crate::engine) struct Mint {
    rules: TokenRules,
    far: Arc<Mutex<Far>>,
}

impl Issuer for Mint {
    fn rules(&self) -> TokenRules {
        self.rules
    }
    fn fetch<'a>(&'a self, cx: &'a Cx, _: &'a Target, how: Renew) -> Fut<'a, Result<Issued, Reason>> {
        Box::pin(async move {
            let sent = cx.time.now();
            let (answer, takes) = {
                let mut far = self.far.lock().unwrap();
                (far.answer(how), far.takes)
            };
            tokio::time::sleep(takes).await;
            let (token, life) = answer?;
            Ok(Issued { token: Secret::new(token), life, sent })
        })
    }
    fn tries<'a>(&'a self, _: &'a Cx, _: &'a Target, _: &'a Secret) -> Fut<'a, Tried> {
        Box::pin(async move {
            let (says, takes) = {
                let mut far = self.far.lock().unwrap();
                far.tried += 1;
                (far.says.clone(), far.takes)
            };
            tokio::time::sleep(takes).await;
            says
        })
    }
    fn token_type(&self) -> &'static str {
        "query"
    }
}

impl Provider for Mint {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }
    fn issuer(&self) -> Option<&dyn Issuer> {
        Some(self)
    }
    fn can(&self, _: &Row, _: &Action, _: &GatewayFacts) -> Result<Effect, Not> {
        Err(Not::Unsupported(Message::new(&common::NO)))
    }
    fn watch<'a>(&'a self, cx: &'a Cx, _: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(async move {
            cx.cancel.cancelled().await;
            Reason::new(ReasonCode::Cancelled)
        })
    }
    fn look<'a>(&'a self, _: &'a Cx, _: Option<&'a Target>, _: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(async { Ok(Report::Part(Vec::new())) })
    }
    fn plan<'a>(&'a self, _: &'a Cx, _: &'a Target, _: &'a Action, _: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
    fn check<'a>(&'a self, _: &'a Cx, _: &'a Op, _: &'a str) -> Fut<'a, Finding> {
        Box::pin(async { Finding::NotDone })
    }
    fn run<'a>(&'a self, _: &'a Cx, _: &'a Op, _: &'a str, _: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(async { StepEnd::Failed { why: Reason::new(ReasonCode::NotInVersion), sent: false } })
    }
    fn back<'a>(&'a self, _: &'a Cx, _: &'a Op, _: &'a str) -> Fut<'a, StepEnd> {
        Box::pin(async { StepEnd::Failed { why: Reason::new(ReasonCode::NotInVersion), sent: false } })
    }
    fn pair<'a>(&'a self, _: &'a Cx, _: &'a Target, _: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
    fn reveal<'a>(&'a self, cx: &'a Cx, at: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        Box::pin(async move { cx.tokens.obtain(at, Default::default()).await.map(|g: Given| g.token) })
    }
}

/// A home, a platform, and processes that come and go.
pub(in crate::engine) struct Bench {
    dir: tempfile::TempDir,
    pub(in crate::engine) vault: Vault,
    pub(in crate::engine) time: Arc<TokioTime>,
    pub(in crate::engine) far: Arc<Mutex<Far>>,
    pub(in crate::engine) accounts: usize,
    /// The corp that processes are configured for.
    pub(in crate::engine) corp: String,
    /// What they call the gateway.
    pub(in crate::engine) gateway: String,
    /// They may change nothing.
    pub(in crate::engine) read_only: bool,
}

pub(in crate::engine) const WECOM: TokenRules =
    TokenRules { semantics: TokenSemantics::SameUntilExpiry, overlap: Duration::ZERO, deadline: Duration::from_secs(10), rotate: Rotate::ByHand };

impl Bench {
    pub(in crate::engine) fn new(rules: TokenRules) -> Self {
        let far = Far {
            rules,
            living: None,
            life: Duration::from_secs(7200),
            takes: Duration::from_millis(200),
            asked: Vec::new(),
            errors: Vec::new(),
            always: None,
            says: Tried::Untriable,
            tried: 0,
            full_again: true,
        };
        Self {
            dir: tempfile::tempdir().unwrap(),
            vault: Vault::memory(),
            time: Arc::new(TokioTime::new()),
            far: Arc::new(Mutex::new(far)),
            accounts: 1,
            corp: "ww1".into(),
            gateway: "corp".into(),
            read_only: false,
        }
    }

    /// Another process on the same home.
    pub(in crate::engine) async fn process(&self) -> Arc<World> {
        self.process_in(self.dir.path()).await
    }

    /// A process on a home of its own, as on another host.
    pub(in crate::engine) async fn host(&self, home: &tempfile::TempDir) -> Arc<World> {
        self.process_in(home.path()).await
    }

    async fn process_in(&self, home: &std::path::Path) -> Arc<World> {
        let vault = if home == self.dir.path() { self.vault.clone() } else { Vault::memory() };
        let rules = self.far.lock().unwrap().rules;
        let far = self.far.clone();
        let accounts =
            (0..self.accounts).map(|n| config::Account { name: account(n), id: format!("100{n}"), ..config::Account::default() }).collect();
        let gateway = config::Gateway {
            name: self.gateway.clone(),
            kind: "mint".into(),
            url: "http://127.0.0.1:1".into(),
            corp_id: Some(self.corp.clone()),
            accounts,
            ..config::Gateway::default()
        };
        let world = World::new(Parts {
            gateways: vec![gateway],
            read_only: self.read_only,
            providers: Arc::new(move |_| Some(Arc::new(Mint { rules, far: far.clone() }))),
            ..Parts::of_home(home, vault, self.time.clone())
        });
        for n in 0..self.accounts {
            let name = secret_name(&GatewayId::new(&self.gateway), &account_secret(&account(n), "secret"));
            world.store().secret_put(&name, &Secret::new("the-secret-of-this-app-0123456789".into())).await.unwrap();
        }
        world.load_secrets().await.unwrap();
        world
    }

    pub(in crate::engine) fn asked(&self) -> usize {
        self.far.lock().unwrap().asked.len()
    }

    pub(in crate::engine) fn fail(&self, code: ReasonCode) {
        self.far.lock().unwrap().always = Some(Reason::new(code));
    }
}

fn account(n: usize) -> String {
    format!("app-{n}")
}

pub(in crate::engine) fn target(n: usize) -> Target {
    Target::account(&GatewayId::new("corp"), &RemoteId::new(&account(n)))
}

//! The provider against the sandbox's Telegram.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kept;
mod logins;
mod reach;
mod sessions;
mod time;

use super::*;
use crate::{
    clock::{SystemTime, sample::Sample},
    domain::{GatewayId, RemoteId, Secrets},
    providers::{Attention, Holder, Memo, PairEvent, Right, Samples, http::Client, token},
    sandbox::{self, Options, Part, Sandbox, TelegramAccount, TelegramSettings},
    store::config,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};
use tokio::sync::watch as seen;
use tokio_util::sync::CancellationToken;

pub(super) const OWNER: i64 = 9;
pub(super) const BOT: i64 = 77;

/// What several processes of one host share.
#[derive(Default)]
pub(super) struct Shared {
    memo: Mutex<BTreeMap<String, serde_json::Value>>,
    locks: Mutex<BTreeSet<String>>,
    /// What was read of the memo.
    pub(super) gets: Mutex<Vec<String>>,
    pub(super) samples: Mutex<Vec<Sample>>,
    /// Another process has every key, and how long ago it said that it is well.
    pub(super) holder: Mutex<Option<Option<Duration>>>,
    /// What was audited: account, action, outcome.
    pub(super) audit: Mutex<Vec<(String, String, String)>>,
    /// The rows that the watching process keeps.
    pub(super) kept: Mutex<Vec<Row>>,
}
struct Keeper(Arc<Shared>);
struct Lock(Arc<Shared>, String);
impl Drop for Lock {
    fn drop(&mut self) {
        self.0.locks.lock().unwrap().remove(&self.1);
    }
}
impl Memo for Keeper {
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        self.0.gets.lock().unwrap().push(key.to_owned());
        Box::pin(async { self.0.memo.lock().unwrap().get(key).cloned() })
    }
    fn put<'a>(&'a self, key: &'a str, value: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        self.0.memo.lock().unwrap().insert(key.to_owned(), value);
        Box::pin(async { Ok(()) })
    }
    fn sealed<'a>(&'a self, key: &'a str) -> Fut<'a, Result<Option<Secret>, Reason>> {
        let text = self.0.memo.lock().unwrap().get(&format!("sealed:{key}")).and_then(|v| v.as_str().map(str::to_owned));
        Box::pin(async { Ok(text.map(Secret::new)) })
    }
    fn seal<'a>(&'a self, key: &'a str, value: Option<&'a Secret>) -> Fut<'a, Result<(), Reason>> {
        let (key, mut memo) = (format!("sealed:{key}"), self.0.memo.lock().unwrap());
        match value {
            Some(value) => memo.insert(key, value.expose().into()),
            None => memo.remove(&key),
        };
        Box::pin(async { Ok(()) })
    }
    fn audit<'a>(&'a self, account: &'a str, action: &'a str, outcome: &'a str) -> Fut<'a, ()> {
        self.0.audit.lock().unwrap().push((account.into(), action.into(), outcome.into()));
        Box::pin(async {})
    }
    fn holder(&self, _name: &str) -> Option<Holder> {
        let well = *self.0.holder.lock().unwrap();
        well.map(|well| Holder { here: false, who: crate::domain::Clean::new("deck[7]"), well })
    }
    fn kept_rows(&self) -> Fut<'_, Vec<Row>> {
        Box::pin(async { self.0.kept.lock().unwrap().clone() })
    }
    fn exclusive<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<Right>, Reason>> {
        let free = self.0.locks.lock().unwrap().insert(name.to_owned());
        let lock = free.then(|| Box::new(Lock(self.0.clone(), name.to_owned())) as Right);
        Box::pin(async { Ok(lock) })
    }
}
impl Samples for Keeper {
    fn push(&self, sample: Sample) {
        self.0.samples.lock().unwrap().push(sample);
    }
}

/// One process of pairdeck, and the servers.
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    pub(super) shared: Arc<Shared>,
    pub(super) provider: Telegram,
    pub(super) cx: Cx,
    _pem: tempfile::TempDir,
    _seen: seen::Sender<Attention>,
}

pub(super) fn owner(password: Option<&str>) -> TelegramAccount {
    TelegramAccount {
        id: OWNER,
        name: "Ada".into(),
        username: "ada".into(),
        phone: "5511999990001".into(),
        dc: 4,
        password: password.map(str::to_owned),
        ..TelegramAccount::default()
    }
}

impl Stage {
    pub(super) async fn of(settings: TelegramSettings, accounts: Vec<TelegramAccount>) -> Self {
        Self::at_clock(settings, accounts, &Options::default()).await
    }

    /// The same, on servers with a clock of their own.
    pub(super) async fn at_clock(settings: TelegramSettings, accounts: Vec<TelegramAccount>, options: &Options) -> Self {
        let sandbox = Sandbox::with(vec![("tg".into(), Part::Telegram(Box::new(settings), accounts))], options).await.unwrap();
        let tg = sandbox.telegram("tg").unwrap();
        let pem = tempfile::tempdir().unwrap();
        std::fs::write(pem.path().join("keys.pem"), tg.pem()).unwrap();
        let account = |name: &str, bot| config::Account {
            name: name.into(),
            telegram: config::TelegramAccount { api_id: Some(sandbox::TELEGRAM_APP.0), bot, ..config::TelegramAccount::default() },
            ..config::Account::default()
        };
        let settings = config::Gateway {
            name: "tg".into(),
            kind: "telegram".into(),
            url: "https://telegram.org".into(),
            accounts: vec![account("shop", false), account("robot", true)],
            telegram: config::Telegram { dcs: tg.dcs().into_iter().collect(), server_keys: Some(pem.path().join("keys.pem")), test: false },
            ..config::Gateway::default()
        };
        let (seen, rx) = seen::channel(Attention::default());
        let shared = Arc::new(Shared::default());
        let hash = || Secret::new(sandbox::TELEGRAM_APP.1.to_owned());
        let secrets = ["shop", "robot"].map(|a| (token::account_secret(a, setup::API_HASH), hash())).into_iter().collect();
        let cx = Cx {
            gateway: GatewayId::new("tg"),
            http: Arc::new(Client::new(&settings).unwrap()),
            settings: Arc::new(settings),
            secrets,
            broken: Arc::default(),
            time: Arc::new(SystemTime::new()),
            fingerprint_key: [3; 32],
            cancel: CancellationToken::new(),
            memo: Arc::new(Keeper(shared.clone())),
            samples: Arc::new(Keeper(shared.clone())),
            tokens: Arc::new(token::NoTokens),
            seen: rx,
        };
        Self { sandbox, shared, provider: Telegram::default(), cx, _pem: pem, _seen: seen }
    }

    pub(super) fn tg(&self) -> &sandbox::Telegram {
        self.sandbox.telegram("tg").unwrap()
    }

    pub(super) fn at(&self, account: &str) -> Target {
        Target::account(&self.cx.gateway, &RemoteId::new(account))
    }

    /// Commits as the engine does.
    pub(super) fn commit(&mut self, account: &str, secrets: Secrets) {
        for (name, secret) in secrets {
            let name = token::account_secret(account, &name);
            self.shared.memo.lock().unwrap().insert(format!("sealed:{name}"), secret.expose().into());
            self.cx.secrets.insert(name, secret);
        }
    }

    /// Logs the operator in by QR, with whatever the account asks for.
    pub(super) async fn log_in(&mut self) {
        let at = self.at("shop");
        let want = Want { method: Method::Qr, number: None, wipe_spoilt: false };
        let mut pairing = self.provider.pair(&self.cx, &at, want).await.unwrap();
        let mut answer = None;
        loop {
            match pairing.next(&self.cx, answer.take()).await {
                PairEvent::Offer(_) => drop(self.tg().scan(OWNER, None).unwrap()),
                PairEvent::Ask(_) => answer = Some(Secret::new("hunter2".into())),
                PairEvent::Got(secrets) => self.commit("shop", secrets),
                PairEvent::Linked(..) => break,
                PairEvent::Waiting(_) | PairEvent::Scanned => {}
                other => panic!("{other:?}"),
            }
        }
        pairing.end(&self.cx).await;
    }

    /// Another process on the same host: the same store, another provider.
    pub(super) fn other_process(&self) -> Telegram {
        Telegram::default()
    }

    pub(super) async fn rows(&self) -> Vec<Row> {
        match self.provider.look(&self.cx, None, Look::All).await.unwrap() {
            Report::All { rows, .. } | Report::AllBut { rows, .. } => rows,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn account(&self, name: &str) -> Row {
        self.rows().await.into_iter().find(|r| r.account.as_str() == name && r.device.is_none()).unwrap()
    }

    pub(super) fn op(&self, plan: Plan) -> Op {
        Op::running(plan, self.cx.time.now())
    }

    /// Runs every step of an action, as the engine would.
    pub(super) async fn act(&self, row: &Row, action: Action, given: Inputs) -> Result<StepEnd, Reason> {
        let op = self.op(self.provider.plan(&self.cx, &row.target(), &action, given).await?);
        let mut last = StepEnd::done();
        for step in &op.plan.as_ref().unwrap().steps {
            assert!(matches!(self.provider.check(&self.cx, &op, &step.id).await, Finding::NotDone), "{} is not done before it ran", step.id);
            last = self.provider.run(&self.cx, &op, &step.id, None).await;
            match &last {
                StepEnd::Done { .. } => assert_eq!(self.provider.check(&self.cx, &op, &step.id).await, Finding::Done, "{}", step.id),
                StepEnd::Failed { why, .. } => return Err(why.clone()),
                _ => break,
            }
        }
        Ok(last)
    }
}

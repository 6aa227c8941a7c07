//! Reading, against recordings and against the sandbox's server on tokio's paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api_calls;
mod crowd;
mod fights;
mod hostile;
mod pairing;
mod recorded;
mod watching;

use super::*;
use crate::{
    clock::sample::Sample,
    domain::{Boot, GatewayId, Link, ReasonCode, RemoteId, Secrets, Stamp, State, Time, Wall},
    providers::{Attention, Memo, Samples, http::Client},
    sandbox::{Clock, DeviceSpec, FightSpec, Manager, Options, Part, Sandbox, UidSpec, Version as WukongVersion, Wukong, WukongSettings},
    store::config,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{
    sync::{mpsc, watch as seen},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

const START: i64 = 1_795_000_000_000;

struct Follow(Instant);
impl Time for Follow {
    fn now(&self) -> Stamp {
        let ms = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        Stamp { wall: Wall(START + i64::try_from(ms).unwrap()), boot: Some((1, Boot(1_000_000 + ms))) }
    }
}
struct Nowhere;
impl Memo for Nowhere {
    fn get<'a>(&'a self, _: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        Box::pin(async { None })
    }
    fn put<'a>(&'a self, _: &'a str, _: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async { Ok(()) })
    }
}
impl Samples for Nowhere {
    fn push(&self, _: Sample) {}
}

struct Stage {
    _sandbox: Sandbox,
    im: Wukong,
    cx: Cx,

    seen: seen::Sender<Attention>,
}

impl Stage {
    async fn of(server: WukongSettings, users: Vec<UidSpec>, more: impl FnOnce(&Wukong, &mut config::WuKongIm, &mut Secrets)) -> Self {
        let options = Options { seed: Some(7), clock: Clock::virtual_from(START), ..Options::default() };
        let sandbox = Sandbox::with(vec![("im".into(), Part::Wukong(Box::new(server), users))], &options).await.unwrap();
        let im = sandbox.wukong("im").unwrap().clone();
        let info = sandbox.gateways().remove(0);
        let mut secrets = info.credentials.clone();
        let mut wukongim = config::WuKongIm { uids: im.accounts(), ..config::WuKongIm::default() };
        more(&im, &mut wukongim, &mut secrets);
        let settings = config::Gateway {
            name: "im".into(),
            kind: "wukongim".into(),
            url: info.url.clone(),
            allow_plaintext: false,
            ca_file: None,
            events: true,
            expect_timezone: None,
            clock_limits: None,
            wukongim,
            ..config::Gateway::default()
        };
        let (tx, rx) = seen::channel(Attention { on_screen: true, ..Attention::default() });
        let cx = Cx {
            gateway: GatewayId::new("im"),
            http: Arc::new(Client::new(&settings).unwrap()),
            settings: Arc::new(settings),
            secrets,
            broken: Arc::default(),
            time: Arc::new(Follow(Instant::now())),
            fingerprint_key: [3; 32],
            cancel: CancellationToken::new(),
            memo: Arc::new(Nowhere),
            samples: Arc::new(Nowhere),
            tokens: Arc::new(crate::providers::token::NoTokens),
            seen: rx,
        };
        Self { _sandbox: sandbox, im, cx, seen: tx }
    }

    async fn plain(users: Vec<UidSpec>) -> Self {
        Self::of(WukongSettings::default(), users, |_, _, _| {}).await
    }

    fn asked(&self, path: &str) -> usize {
        self.im.asked().0.iter().filter(|r| r.path.starts_with(path)).count()
    }

    async fn all(&self) -> Vec<Row> {
        match WuKongIm.look(&self.cx, None, Look::All).await.unwrap() {
            Report::All { rows, complete: true } => rows,
            other => panic!("{other:?}"),
        }
    }

    fn target(&self, uid: &str, flag: Option<u8>) -> Target {
        let account = Target::account(&self.cx.gateway, &RemoteId::new(uid));
        Target { device: flag.map(|f| RemoteId::new(&f.to_string())), ..account }
    }
}

fn device(flag: u8, level: u8, online: &[&str]) -> DeviceSpec {
    DeviceSpec {
        flag,
        level,
        online: online.iter().map(|d| (*d).to_owned()).collect(),
        age: Duration::from_secs(3600),
        up: Duration::from_secs(60),
        ..DeviceSpec::default()
    }
}
fn user(uid: &str, devices: Vec<DeviceSpec>) -> UidSpec {
    UidSpec { uid: uid.into(), devices, ..UidSpec::default() }
}

/// What a deck would show: the last word on each row.
#[derive(Default)]
struct Board {
    rows: HashMap<(String, Option<String>), Row>,
    facts: GatewayFacts,
    reports: usize,
}

impl Board {
    fn take(&mut self, report: Report) {
        self.reports += 1;
        let key = |r: &Row| (r.account.as_str().to_owned(), r.device.as_ref().map(|d| d.as_str().to_owned()));
        match report {
            Report::All { rows, .. } => self.rows = rows.into_iter().map(|r| (key(&r), r)).collect(),
            Report::Part(rows) => self.rows.extend(rows.into_iter().map(|r| (key(&r), r))),
            Report::Gone(gone) => {
                for t in gone {
                    self.rows.remove(&(t.account.as_str().to_owned(), t.device.map(|d| d.as_str().to_owned())));
                }
            }
            Report::Gateway(f) => self.facts = f,
            other => assert!(matches!(other, Report::Alive(_) | Report::Trouble(_)), "{other:?}"),
        }
    }
    fn link(&self, uid: &str, flag: Option<u8>) -> Option<&Link> {
        self.rows.get(&(uid.to_owned(), flag.map(|f| f.to_string()))).map(|r| &r.link)
    }
    fn state(&self, uid: &str, flag: Option<u8>) -> Option<State> {
        self.link(uid, flag).map(|l| l.state)
    }
    fn warns(&self, words: &'static crate::i18n::Words) -> bool {
        self.facts.warnings.iter().any(|m| m.words == words)
    }
}

/// Runs the watch beside `script`, which ends it.
async fn watched<F: Future<Output = ()>>(s: &Stage, script: impl FnOnce(Arc<Mutex<Board>>) -> F) -> Reason {
    let (tx, mut rx) = mpsc::channel(64);
    let board = Arc::new(Mutex::new(Board::default()));
    let keep = Arc::clone(&board);
    let take = async move {
        while let Some(r) = rx.recv().await {
            keep.lock().unwrap().take(r);
        }
    };
    let script = async {
        script(board).await;
        s.cx.cancel.cancel();
    };
    let (why, (), ()) = tokio::join!(WuKongIm.watch(&s.cx, tx), take, script);
    why
}

/// Waits until the board is so.
async fn until(board: &Mutex<Board>, what: &str, is: impl Fn(&Board) -> bool) {
    let end = Instant::now() + Duration::from_secs(600);
    while !is(&board.lock().unwrap()) {
        assert!(
            Instant::now() < end,
            "never: {what}: {:#?}",
            board.lock().unwrap().rows.values().map(|r| (&r.label, &r.link.state, &r.facts)).collect::<Vec<_>>()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn fact<'a>(row: &'a Row, key: &str) -> Option<&'a crate::domain::FactValue> {
    row.facts.iter().find(|f| f.key == key).map(|f| &f.value)
}

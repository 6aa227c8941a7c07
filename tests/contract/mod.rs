//! What every provider of the house promises, held against each of them on a server of the sandbox: one row a kind, the same
//! promises for all.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod kinds;
mod promises;

use kinds::{Credential, KINDS, Kind, Renew, Wipe};
use pairdeck::{
    clock::{SystemTime, now::TokioTime},
    domain::*,
    engine::{
        World,
        hosts::Quiet,
        ops,
        world::{Gateway, Parts, secret_name},
    },
    providers::{
        Cx, Look, PairEvent, Provider, Report, registry,
        telegram::session::{Format, Patience, read},
        token::account_secret,
    },
    sandbox::{Clock, Fault, Only, Options, Part, Sandbox, Server, TokenFault},
    store::{Paths, Store, config, locks::ProcessLock},
    vault::Vault,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// One kind's server, and a process that knows it.
struct House {
    kind: &'static Kind,
    sandbox: Sandbox,
    world: Arc<World>,
    gateway: Arc<Gateway>,
    _lock: ProcessLock,
    home: tempfile::TempDir,
}

impl House {
    /// Everything is well there. With `secret` that stands in place of every credential, and nothing was asked yet.
    async fn of(kind: &'static Kind, read_only: bool, secret: Option<&str>) -> Self {
        // From this host's time on: Telegram's client stamps its messages by it, and the gate is asked before such a step.
        let time: Arc<dyn Time> = Arc::new(TokioTime::at(SystemTime::new().now().wall));
        let options = Options { seed: Some(7), clock: Clock::virtual_from(time.now().wall.0), ..Options::default() };
        let sandbox = Sandbox::with(vec![("g".into(), (kind.part)())], &options).await.unwrap();
        let info = sandbox.gateways().remove(0);
        let home = tempfile::tempdir().unwrap();
        let config = config::Config::parse(&(kind.config)(&info, &sandbox, home.path()), "contract".as_ref()).unwrap();
        let paths = Paths::in_home(home.path());
        let vault = Vault::memory();
        let store = Store::open_in_place(&paths, vault.clone(), time.clone()).unwrap();
        let mut credentials = info.credentials;
        if kind.credential == Credential::Nowhere {
            credentials = ["helper", "greeter"].map(|bot| (account_secret(bot, "secret"), Secret::new(format!("secret of {bot}")))).into();
        }
        for (name, value) in credentials {
            let value = secret.map_or(value, |s| Secret::new(s.into()));
            store.secret_put(&secret_name(&GatewayId::new("g"), &name), &value).await.unwrap();
        }
        let lock = ProcessLock::take(&paths).unwrap();
        let world = World::new(Parts { gateways: config.gateways, read_only, owner: lock.name().into(), ..Parts::of(paths, store, vault, time) });
        world.load_secrets().await.unwrap();
        let gateway = world.gateways().remove(0);
        let house = Self { kind, sandbox, world, gateway, _lock: lock, home };
        if secret.is_none() {
            if !read_only {
                house.begin().await;
            }
            let report = house.provider().look(&house.cx(), None, Look::All).await.unwrap();
            assert!(read_only || matches!(report, Report::All { complete: true, .. }), "{}: {report:?}", kind.name);
            house.world.take(&house.gateway, report);
            house.forget();
        }
        house
    }

    /// What an operator does first: log in, or fetch the first token.
    async fn begin(&self) {
        match self.server() {
            Server::Telegram(tg) => {
                let end = self.log_in().await;
                assert!(matches!(end, PairEvent::Linked(_)), "{end:?}");
                // A session of a day may end others.
                tg.age(kinds::OWNER, Duration::from_secs(25 * 3600));
            }
            Server::Tokens(_) => {
                self.refresh().await;
                for name in [self.kind.target, self.kind.other] {
                    let ended = self.act(name, Action::Regenerate).await;
                    assert_eq!(ended.phase, OpPhase::Done, "{}: {ended:?}", self.kind.name);
                }
            }
            _ => {}
        }
    }

    /// The last event of a login whose code is scanned at once.
    async fn log_in(&self) -> PairEvent {
        let (cx, at) = (self.cx(), Target::account(&GatewayId::new("g"), &RemoteId::new("ada")));
        let want = Want { method: Method::Qr, number: None, wipe_spoilt: false };
        let mut pairing = match self.provider().pair(&cx, &at, want).await {
            Ok(pairing) => pairing,
            Err(why) => return PairEvent::Failed(why),
        };
        loop {
            match pairing.next(&cx, None).await {
                PairEvent::Offer(_) => drop(self.sandbox.telegram("g").unwrap().scan(kinds::OWNER, None).unwrap()),
                PairEvent::Got(secrets) => {
                    for (name, secret) in secrets {
                        self.world.store().secret_put(&secret_name(&cx.gateway, &account_secret("ada", &name)), &secret).await.unwrap();
                    }
                    self.world.load_secrets().await.unwrap();
                }
                PairEvent::Waiting(_) | PairEvent::Scanned => {}
                end => {
                    pairing.end(&cx).await;
                    return end;
                }
            }
        }
    }

    fn server(&self) -> &Server {
        &self.sandbox.servers()[0]
    }

    fn cx(&self) -> Cx {
        self.world.cx(&self.gateway, CancellationToken::new()).unwrap()
    }

    fn provider(&self) -> &dyn Provider {
        &**self.gateway.provider()
    }

    /// Takes the whole list anew.
    async fn refresh(&self) {
        let report = self.provider().look(&self.cx(), None, Look::All).await.unwrap();
        assert!(matches!(report, Report::All { complete: true, .. }), "{}: {report:?}", self.kind.name);
        self.world.take(&self.gateway, report);
    }

    /// The row of that name. Bots have ids that nobody types: the label stands for them.
    fn row(&self, name: &str) -> Row {
        let labelled = || self.world.rows().into_iter().find(|r| format!("g:{}", r.label.as_str()) == name);
        self.world.resolve(name).ok().or_else(labelled).unwrap_or_else(|| panic!("{}: {name} is not there", self.kind.name))
    }

    /// The row as the server tells it now.
    async fn fresh(&self, name: &str) -> Row {
        self.refresh().await;
        self.row(name)
    }

    /// What a wipe or a regenerate replaces: the token; where nobody is shown one, what stands for it.
    async fn mark(&self, name: &str) -> Option<Secret> {
        let row = self.fresh(name).await;
        let text = match self.server() {
            Server::LangBot(lb) => lb.bot(row.label.as_str()).map(|b| format!("{} loads", b.loads)),
            Server::Telegram(_) => {
                let file = kinds::slot_file(self.home.path(), name.rsplit('/').next().unwrap());
                read(&file, Format::Gotd, Patience::default()).ok().map(|f| format!("{:?}", f.session.key.id()))
            }
            _ => return self.provider().reveal(&self.cx(), &row.target()).await.ok(),
        };
        text.map(Secret::new)
    }

    /// Requests that change something, in their order.
    fn changes(&self) -> Vec<String> {
        let asked = match self.server() {
            Server::Evolution(g) => g.asked().0,
            Server::Wukong(w) => w.asked().0,
            Server::LangBot(l) => l.asked().0,
            Server::Tokens(t) => {
                t.asked().0.into_iter().filter(|r| r.path.contains("/gettoken") || r.path.contains("_token?") || r.method == "POST").collect()
            }
            // Whatever comes there is too much: a subscription ends somebody else's.
            Server::AiBot(a) => return a.asked().0.into_iter().map(|r| r.path).collect(),
            Server::Telegram(t) => {
                let reads = |m: &str| m.contains(".get") || m.starts_with("help.");
                return t.calls().into_iter().filter(|c| !reads(c.method)).map(|c| c.method.to_owned()).collect();
            }
        };
        let reads = ["/user/onlinestatus", "/verify-creds", "/manager/login", "/api/v1/user/auth"];
        let connects = |path: &str| path.contains("/instance/connect/") || path.contains("/gettoken");
        let read = |path: &str| reads.contains(&path) || path.ends_with("/logs");
        asked.into_iter().filter(|r| (r.method != "GET" || connects(&r.path)) && !read(&r.path)).map(|r| r.path).collect()
    }

    fn forget(&self) {
        match self.server() {
            Server::Evolution(g) => g.clear_requests(),
            Server::Wukong(w) => w.clear_requests(),
            Server::LangBot(l) => l.clear_requests(),
            Server::Tokens(t) => t.clear_requests(),
            Server::AiBot(a) => a.clear_requests(),
            Server::Telegram(t) => t.clear(),
        }
    }

    fn fault(&self, fault: Fault, count: u32, path: Option<&str>) {
        match self.server() {
            Server::Evolution(g) => g.fault(fault, count, path),
            Server::Wukong(w) => w.fault(fault, count, path),
            Server::LangBot(l) => l.fault(fault, count, path),
            Server::Tokens(t) => t.fault(TokenFault::Wire(fault, Only::Any), count, path),
            Server::AiBot(_) => {}
            Server::Telegram(t) => t.dcs().keys().for_each(|dc| t.down(*dc, true)),
        }
    }

    /// The token of the target is over, where the platform gives another one only then.
    fn wear_out(&self) {
        if let Server::Tokens(t) = self.server()
            && t.kind() == "wecom"
        {
            assert!(t.expire("ops"));
        }
    }

    async fn act(&self, name: &str, action: Action) -> ops::Ended {
        let (armed, _) = ops::arm(&self.world, &self.row(name), action, Inputs::new()).await.unwrap();
        ops::fire(&self.world, &armed, &mut Quiet, &CancellationToken::new()).await
    }

    /// Every action that the kind has a word for.
    fn actions(&self) -> Vec<Action> {
        let verbs = self.provider().spec().verbs.iter().map(|v| Action::Do(v.id.into()));
        [Action::Pair, Action::Wipe, Action::Regenerate].into_iter().chain(verbs).collect()
    }

    /// Those of wipe and regenerate that it has.
    fn plans(&self) -> Vec<Action> {
        let wipe = (self.kind.wipe != Wipe::Never).then_some(Action::Wipe);
        wipe.into_iter().chain((self.kind.renew != Renew::Never).then_some(Action::Regenerate)).collect()
    }
}

//! What every provider of the house promises, held against each of them on a server of the sandbox: one row a kind, the same
//! promises for all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod promises;

use pairdeck::{
    clock::now::TokioTime,
    domain::*,
    engine::{
        Mailbox, World,
        hosts::Quiet,
        names, ops,
        world::{Gateway, Parts, secret_name},
    },
    providers::{Cx, Look, Provider, Report, registry},
    sandbox::{Clock, DeviceSpec, Fault, InstanceSpec, Options, Part, Past, Sandbox, Server, Settings, UidSpec, WukongSettings},
    store::{Paths, Store, config, locks::ProcessLock},
    vault::Vault,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A kind, and a server of it on which something can be wiped and be given a new token.
struct Kind {
    name: &'static str,
    part: fn() -> Part,
    /// What its configuration says besides.
    more: &'static str,
    /// Online, with a token that can be replaced.
    target: &'static str,
    /// What must never be touched.
    other: &'static str,
    /// The path of the first request that changes something in a regenerate.
    first_change: &'static str,
}

/// One row a kind of the registry, which a promise of its own checks.
const KINDS: [Kind; 2] = [
    Kind { name: "evolution", part: evolution, more: "", target: "g:shop-a", other: "g:shop-b", first_change: "/instance/delete" },
    Kind { name: "wukongim", part: wukongim, more: "uids = \"all\"", target: "g:u1/4", other: "g:u1/0", first_change: "/user/device_quit" },
];

fn evolution() -> Part {
    let shop = |name: &str| InstanceSpec { name: name.into(), past: Past::Online, number: "5511999990001".into(), ..InstanceSpec::default() };
    Part::Evolution(Box::new(Settings { key: "CANARY-operator-key-40b1".into(), ..Settings::default() }), vec![shop("shop-a"), shop("shop-b")])
}

fn wukongim() -> Part {
    let device = |flag, id: &str| DeviceSpec { flag, level: 1, online: vec![id.into()], ..DeviceSpec::default() };
    let user = |uid: &str| UidSpec { uid: uid.into(), devices: vec![device(0, "phone"), device(4, "tablet")], ..UidSpec::default() };
    let settings = WukongSettings { manager_token: Some("CANARY-operator-key-40b1".into()), ..WukongSettings::default() };
    Part::Wukong(Box::new(settings), vec![user("u1"), user("u2")])
}

/// One kind's server, and a process that knows it.
struct House {
    kind: &'static Kind,
    sandbox: Sandbox,
    world: Arc<World>,
    gateway: Arc<Gateway>,
    _lock: ProcessLock,
    _home: tempfile::TempDir,
}

impl House {
    async fn of(kind: &'static Kind, read_only: bool, secret: Option<&str>) -> Self {
        let options = Options { seed: Some(7), clock: Clock::virtual_from(1_795_000_000_000), ..Options::default() };
        let sandbox = Sandbox::with(vec![("g".into(), (kind.part)())], &options).await.unwrap();
        let info = sandbox.gateways().remove(0);
        let text = format!("[gateway.g]\nkind = {:?}\nurl = {:?}\n{}\n", info.kind, info.url, kind.more);
        let config = config::Config::parse(&text, "contract".as_ref()).unwrap();
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::in_home(home.path());
        let (vault, time): (_, Arc<dyn Time>) = (Vault::memory(), Arc::new(TokioTime::new()));
        let store = Store::open_in_place(&paths, vault.clone(), time.clone()).unwrap();
        for (name, value) in &info.credentials {
            let value = secret.map_or_else(|| value.clone(), |s| Secret::new(s.into()));
            store.secret_put(&secret_name(&GatewayId::new("g"), name), &value).await.unwrap();
        }
        let lock = ProcessLock::take(&paths).unwrap();
        let world = World::new(Parts {
            gateways: config.gateways,
            clock: config::Clock::default(),
            shared: None,
            store,
            vault,
            time,
            mailbox: Mailbox::new(),
            read_only,
            providers: Arc::new(registry::provider),
            paths,
            owner: lock.name().into(),
            lock: None,
        });
        world.load_secrets().await.unwrap();
        let gateway = world.gateways().remove(0);
        let house = Self { kind, sandbox, world, gateway, _lock: lock, _home: home };
        if secret.is_none() {
            house.refresh().await;
            house.forget();
        }
        house
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

    fn row(&self, name: &str) -> Row {
        match self.world.resolve(name) {
            Ok(row) => row,
            Err(names::Unresolved::Unknown) => panic!("{}: {name} is not there", self.kind.name),
            Err(other) => panic!("{}: {name}: {other:?}", self.kind.name),
        }
    }

    /// The row as the server tells it now.
    async fn fresh(&self, name: &str) -> Row {
        self.refresh().await;
        self.row(name)
    }

    async fn token(&self, name: &str) -> Option<Secret> {
        let target = self.fresh(name).await.target();
        self.provider().reveal(&self.cx(), &target).await.ok()
    }

    /// Requests that change something, in their order.
    fn changes(&self) -> Vec<String> {
        let asked = match &self.sandbox.servers()[0] {
            Server::Evolution(g) => g.asked().0,
            Server::Wukong(w) => w.asked().0,
            _ => panic!("{}: how is this server asked for its log?", self.kind.name),
        };
        let reads = ["/user/onlinestatus", "/verify-creds", "/manager/login"];
        let connects = |path: &str| path.contains("/instance/connect/");
        asked.into_iter().filter(|r| (r.method != "GET" || connects(&r.path)) && !reads.contains(&&*r.path)).map(|r| r.path).collect()
    }

    fn forget(&self) {
        match &self.sandbox.servers()[0] {
            Server::Evolution(g) => g.clear_requests(),
            Server::Wukong(w) => w.clear_requests(),
            _ => panic!("{}: how does this server forget?", self.kind.name),
        }
    }

    fn fault(&self, fault: Fault, count: u32, path: Option<&str>) {
        match &self.sandbox.servers()[0] {
            Server::Evolution(g) => g.fault(fault, count, path),
            Server::Wukong(w) => w.fault(fault, count, path),
            _ => panic!("{}: how is this server given a fault?", self.kind.name),
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
}

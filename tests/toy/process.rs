//! A process of pairdeck that knows it.

use super::{Shared, Toy};
use pairdeck::{
    domain::Time,
    engine::{
        Mailbox, World,
        world::{Parts, Providers},
    },
    providers::{Look, Provider},
    store::{Paths, Store, config, locks::ProcessLock},
    vault::Vault,
};
use std::{path::Path, sync::Arc};
use tokio_util::sync::CancellationToken;

/// One process on a home: a store, a lock, a world.
pub struct Process {
    pub world: Arc<World>,
    pub mailbox: Mailbox,
    _lock: ProcessLock,
}

/// Starts a process on `home`. `key` is one vault for all processes of a test.
pub async fn process(home: &Path, server: &Shared, vault: &Vault, time: Arc<dyn Time>, read_only: bool) -> Process {
    process_with(home, server, vault, time, (read_only, config::Clock::default())).await
}

/// The same with what the configuration says of clocks.
pub async fn process_with(home: &Path, server: &Shared, vault: &Vault, time: Arc<dyn Time>, (read_only, clock): (bool, config::Clock)) -> Process {
    let paths = Paths::in_home(home);
    let store = Store::open_in_place(&paths, vault.clone(), time.clone()).unwrap();
    let lock = ProcessLock::take(&paths).unwrap();
    let mailbox = Mailbox::new();
    let shared = server.clone();
    let providers: Providers = Arc::new(move |kind| (kind == "toy").then(|| Arc::new(Toy(shared.clone())) as Arc<dyn Provider>));
    let gateway = config::Gateway::new("g", "toy", "http://127.0.0.1:9");
    let world = World::new(Parts {
        gateways: vec![gateway],
        clock,
        mailbox: mailbox.clone(),
        read_only,
        providers,
        owner: lock.name().into(),
        ..Parts::of(paths, store, vault.clone(), time)
    });
    world.load_secrets().await.unwrap();
    let gateway = world.gateways().remove(0);
    let cx = world.cx(&gateway, CancellationToken::new()).unwrap();
    let report = Toy(server.clone()).look(&cx, None, Look::All).await.unwrap();
    world.take(&gateway, report);
    Process { world, mailbox, _lock: lock }
}

//! A process that knows servers which are none of its friends: what it must not do, and how much memory it may take.

use super::far::{CANARY, spellings};
use pairdeck::{
    clock::SystemTime,
    domain::{GatewayId, Reason, Secret, Time},
    engine::{
        World,
        world::{Parts, secret_name},
    },
    providers::registry,
    store::{Paths, Store, config},
    vault::Vault,
};
use std::sync::Arc;

/// What every account here is called: a name that must be escaped wherever it goes.
pub const NAME: &str = "shop/../a?b";

/// One at a time, so that each measures its own memory.
pub static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Forgets the highest memory so far and tells what is in use now.
pub fn peak_from_here() -> usize {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak_kib()
}

pub fn peak_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.trim().split(' ').next()?.parse().ok()).unwrap()
}

/// An error is harmless to draw, and does not hold the key.
pub fn harmless(what: &str, why: &Reason) {
    let text = format!("{why:?} {}", pairdeck::i18n::reason::full(why, pairdeck::i18n::Lang::En));
    for form in spellings() {
        assert!(!text.contains(&form), "{what}: the key is in an error: {text}");
    }
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{7}']), "{what}: {text:?}");
    assert!(text.len() < 20_000, "{what}: an error of {} bytes", text.len());
}

/// A gateway at that address, with whatever its kind needs to send its credentials.
pub fn gateway(name: &str, kind: &str, at: &str) -> config::Gateway {
    let account = config::Account { name: NAME.into(), id: "1000002".into(), ..config::Account::default() };
    config::Gateway {
        name: name.into(),
        kind: kind.into(),
        url: format!("http://{at}"),
        events: true,
        corp_id: Some("ww1".into()),
        accounts: vec![account],
        langbot: config::LangBot { user: Some("ops@example.test".into()), ..config::LangBot::default() },
        ..config::Gateway::default()
    }
}

/// A process in `home` that has the canary for each credential of these gateways which `keeps` lets through.
pub async fn world(home: &tempfile::TempDir, gateways: Vec<config::Gateway>, read_only: bool, keeps: impl Fn(&str, &str) -> bool) -> Arc<World> {
    let (vault, time): (_, Arc<dyn Time>) = (Vault::memory(), Arc::new(SystemTime::new()));
    let store = Store::open(&Paths::in_home(home.path()), vault.clone(), time.clone()).unwrap();
    for g in &gateways {
        let spec = registry::provider(&g.kind).unwrap().spec();
        let own = spec.secrets.iter().map(|s| s.name.to_owned());
        let accounts = spec.account_secrets.iter().map(|s| pairdeck::providers::token::account_secret(NAME, s.name));
        for name in own.chain(accounts).filter(|n| keeps(&g.name, n)) {
            store.secret_put(&secret_name(&GatewayId::new(&g.name), &name), &Secret::new(CANARY.into())).await.unwrap();
        }
    }
    let parts = Parts::of(Paths::in_home(home.path()), store, vault, time);
    let world = World::new(Parts { gateways, read_only, owner: "proc-1-x".into(), ..parts });
    world.load_secrets().await.unwrap();
    world
}

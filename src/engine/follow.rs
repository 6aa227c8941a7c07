//! One process watches a store; the others learn from it, and take over when it is gone.

use super::{mailbox::Status, watch, world::World};
use crate::{
    domain::{Reason, ReasonCode},
    i18n::{Message, token as words},
    store::locks::WatchLock,
};
use std::sync::{Arc, atomic::Ordering};

/// How often a lock that could not be taken at the start is asked for.
const LATE: std::time::Duration = std::time::Duration::from_secs(30);

/// The watcher polls; everybody else learns from the store until the watcher is gone.
pub(super) async fn watch_or_follow(world: Arc<World>) {
    tokio::spawn(super::settings::follow(world.clone()));
    let mut lock = WatchLock::try_take(&world.paths).ok().flatten();
    if lock.is_none() {
        world.follow(true);
        let mut secrets = Listed::now(&world).await;
        let mut standby = standby(world.paths.clone());
        // What the watcher wrote before we listened; what it writes from here on is told, also while this is read.
        world.store.watch_from_here().await;
        world.reread(true).await;
        let clocks = super::clock::follow(world.clone());
        tokio::pin!(clocks);
        loop {
            tokio::select! {
                () = &mut clocks => {}
                () = world.stop.cancelled() => return,
                got = &mut standby => {
                    lock = got.ok();
                    break;
                }
                () = world.store.changed() => {
                    secrets.heed(&world).await;
                    world.reread(false).await;
                }
            }
        }
        world.unhear_shared();
        world.follow(false);
    }
    hold(world, lock).await;
}

/// What the holder of the watch lock does until the world ends: watches, keeps tokens alive, serves the socket.
async fn hold(world: Arc<World>, lock: Option<WatchLock>) {
    for gateway in world.gateways() {
        tokio::spawn(watch::run(world.clone(), gateway));
    }
    tokio::spawn(super::tokens::timer::run(world.clone()));
    tokio::spawn(super::ops::keep_owed(world.clone()));
    tokio::spawn(heed_secrets(world.clone()));
    let lock = match lock {
        None => tokio::select! {
            () = world.stop.cancelled() => return,
            lock = late(&world) => Some(lock),
        },
        held => held,
    };
    #[cfg(unix)]
    if lock.is_some()
        && let Err(e) = super::agent::serve(world.clone()).await
    {
        let why = crate::store::paths::plain(&e);
        world.toast(false, Message::new(&words::SOCKET_FAILED).with("path", world.paths.socket.to_string_lossy()).with("why", why), None);
    }
    world.stop.cancelled().await;
    drop(lock);
}

/// The lock of one that could take none at its start because its folder took no file: taken when it can be. Who took it meanwhile has it
/// until it ends; both look until then.
async fn late(world: &World) -> WatchLock {
    let mut troubles = world.store.troubles();
    loop {
        if world.store.trouble().is_none()
            && let Ok(Some(lock)) = WatchLock::try_take(&world.paths)
        {
            return lock;
        }
        tokio::select! {
            // A store that is gone tells nothing more: its world ends.
            told = troubles.changed() => if told.is_err() { std::future::pending::<()>().await },
            () = tokio::time::sleep(LATE) => {}
        }
    }
}

/// Which secrets the store lists, each with when it was put: what is looked at before any of them is unsealed.
struct Listed(Option<Vec<(String, Option<String>)>>);

impl Listed {
    async fn now(world: &World) -> Self {
        Self(world.store.secret_list().await.ok())
    }

    /// Takes over what another process put in or took out since.
    async fn heed(&mut self, world: &Arc<World>) {
        let now = Self::now(world).await;
        if now.0.is_some() && now.0 != self.0 {
            *self = now;
            watch::reload_secrets(world).await;
        }
    }
}

/// The watcher learns of secrets that other processes put in or take out; without that its rows would ask for them for ever.
async fn heed_secrets(world: Arc<World>) {
    let mut secrets = Listed::now(&world).await;
    loop {
        tokio::select! {
            () = world.stop.cancelled() => return,
            () = world.store.changed() => secrets.heed(&world).await,
        }
    }
}

/// The engine without a screen, for a process that has the watch lock: until the world is shut.
pub async fn watch(world: Arc<World>, lock: WatchLock) {
    tokio::spawn(super::clock::watch(world.clone()));
    tokio::spawn(super::ntp::run(world.clone()));
    tokio::spawn(super::settings::follow(world.clone()));
    hold(world, Some(lock)).await;
}

/// Waits for the watch lock on a thread of its own: a blocked file lock cannot be cancelled, the thread ends with the process.
fn standby(paths: crate::store::Paths) -> tokio::sync::oneshot::Receiver<WatchLock> {
    let (tx, rx) = tokio::sync::oneshot::channel();
    let _ = std::thread::Builder::new().name("standby".into()).spawn(move || {
        if let Ok(lock) = WatchLock::take_blocking(&paths) {
            let _ = tx.send(lock);
        }
    });
    rx
}

impl World {
    fn follow(&self, on: bool) {
        self.following.store(on, Ordering::Relaxed);
        self.tell_status();
    }

    /// Rows as the watching process stored them; the `first` time all of them are told.
    async fn reread(&self, first: bool) {
        self.hear_shared().await;
        self.tell_status();
        let Ok(known) = self.store.gateways().await else { return };
        for gateway in self.gateways() {
            if let Ok(rows) = self.store.rows(Some(gateway.id.clone())).await {
                let known = known.iter().find(|k| k.id == gateway.id).cloned();
                self.learn(&gateway, rows, known, first);
            }
        }
    }

    /// Header facts.
    pub(super) fn tell_status(&self) {
        let restored = || Some(Reason::new(ReasonCode::StoreBroken).raw(self.vault.restored()?.text(crate::i18n::Lang::En)));
        let store_trouble = self.store.trouble().or_else(restored);
        let status = Status {
            vault: self.vault.state().view(),
            follower: self.following.load(Ordering::Relaxed),
            store_trouble,
            shared_trouble: self.shared_trouble(),
        };
        self.mailbox.put(|m| m.status = Some(status));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        domain::{GatewayId, Secret},
        engine::{
            tokens::tests::platform::{Bench, WECOM},
            world::{lock, secret_name},
        },
    };

    #[tokio::test(start_paused = true)]
    async fn whoever_begins_to_follow_is_told_all_once_and_from_then_on_what_changed() {
        let bench = Bench::new(WECOM);
        let world = bench.process().await;
        let target = crate::domain::Target::account(&GatewayId::new("corp"), &crate::domain::RemoteId::new("app-0"));
        let mut row = crate::engine::outcome::blank_row(&target);
        row.link.observed_at = Some(world.time.now());
        world.store().put_rows(vec![row]);
        let told = async |first: bool| {
            world.reread(first).await;
            let mail = world.mailbox().take();
            (mail.rows.len(), mail.gateways.len())
        };
        assert_eq!(told(false).await, (1, 0));
        assert_eq!(told(false).await, (0, 0), "nothing has changed");
        // A screen that was drawn from an older reading has to be told what this world was loaded with.
        assert_eq!(told(true).await, (1, 1));
        assert_eq!(told(false).await, (0, 0));
    }

    #[tokio::test]
    async fn what_vanished_between_the_first_frame_and_the_load_is_taken_off_the_screen_and_the_version_stays() {
        let home = tempfile::tempdir().unwrap();
        let (id, time) = (GatewayId::new("a"), Arc::new(crate::clock::SystemTime::new()));
        let at = |name: &str| crate::domain::Target::account(&id, &crate::domain::RemoteId::new(name));
        let gateways = vec![crate::store::config::Gateway::new("a", crate::store::config::KINDS[0], "http://127.0.0.1:9")];
        let parts = crate::engine::Parts::of_home(home.path(), crate::vault::Vault::memory(), time);
        let world = World::new(crate::engine::Parts { gateways, drawn: vec![at("gone"), at("there")], ..parts });
        world.store().put_rows(vec![crate::engine::outcome::blank_row(&at("there"))]);
        world.store().put_gateway(id.clone(), crate::domain::Link::unknown(), Some(crate::domain::Clean::new("2.3.4")));
        world.seed_all().await;
        let gone: Vec<_> = world.mailbox().take().gone.iter().map(crate::domain::Target::id).collect();
        assert_eq!(gone, ["a:gone"]);
        let version = || world.gateway(&id).unwrap().view().facts.version.map(|v| v.to_string());
        assert_eq!(version().as_deref(), Some("2.3.4"), "the first frame's version is lost");
        // The watcher heard of another one.
        world.store().put_gateway(id.clone(), crate::domain::Link::unknown(), Some(crate::domain::Clean::new("2.4.0")));
        world.mailbox().take();
        world.reread(false).await;
        assert_eq!(world.mailbox().take().gateways[&id].facts.version.as_ref().map(|v| v.as_str()), Some("2.4.0"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_that_another_process_put_in_is_taken_over_and_the_watch_begins_anew_once() {
        // Its folder lasts as long as it does.
        let bench = Bench::new(WECOM);
        let world = bench.process().await;
        let gateway = world.gateways().remove(0);
        let (mut secrets, mut anew) = (Listed::now(&world).await, gateway.anew.subscribe());
        // Someone else tells; nothing that is about secrets.
        secrets.heed(&world).await;
        assert!(!anew.has_changed().unwrap());
        let own = "account/app-0/secret";
        let new = Secret::new("the-new-secret-of-this-app-987654".into());
        world.store().secret_put(&secret_name(&GatewayId::new("corp"), own), &new).await.unwrap();
        secrets.heed(&world).await;
        assert_eq!(lock(&gateway.state).secrets.get(own), Some(&new));
        assert!(anew.has_changed().unwrap());
        anew.mark_unchanged();
        secrets.heed(&world).await;
        assert!(!anew.has_changed().unwrap(), "the same secret twice");
    }
}

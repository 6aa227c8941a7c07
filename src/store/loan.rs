//! A right that one process has for long and lends to another: the lock of the right, and beside it the lock of the wish.
//!
//! Who asks takes the wish's lock and writes into its file, which wakes the holder; the holder lets the right go when it can, and takes
//! it back when neither is held any more. Both locks are the kernel's: whoever is killed lets go, and nobody stays locked out.

use super::{
    Paths, Store, StoreError,
    follow::Files,
    host_lock::{HostLock, Taken},
    locks::NamedLock,
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// How often who asks looks whether it was let go.
const LOOK: Duration = Duration::from_millis(25);
/// How often a holder that lent looks whether it can have it back, and for how long so often.
const BACK: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(10);
const SELDOM: Duration = Duration::from_secs(1);

/// What tells that a lock file was written: one watch for all rights of a store.
#[derive(Default)]
pub(super) struct Knocks(Mutex<Option<(watch::Receiver<u64>, tokio::task::JoinHandle<()>)>>);

impl Knocks {
    fn heard(&self, paths: &Paths) -> watch::Receiver<u64> {
        let mut on = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((heard, _)) = on.as_ref().filter(|(_, task)| !task.is_finished()) {
            return heard.clone();
        }
        let (tell, heard) = watch::channel(0u64);
        // One that cannot be made is looked at from time to time instead.
        let _ = super::paths::private_dir(&paths.locks());
        let files = Files::watch(&paths.locks());
        let task = tokio::spawn(async move {
            while !tell.is_closed() {
                files.moved().await;
                tell.send_modify(|n| *n += 1);
            }
        });
        *on = Some((heard.clone(), task));
        heard
    }
}

/// A right that is held: in this home, and on this host. The host's is let go first, so that who finds the home's free has not to wait
/// for it.
#[derive(Debug)]
pub struct HeldRight {
    _host: Option<HostLock>,
    _home: NamedLock,
}

fn wish(name: &str) -> String {
    format!("{name}-wish")
}

impl Store {
    /// The right, if nobody has it, in this home or in another one of this host's: a home may be a copy. `who` is written down for
    /// those who ask.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn right(&self, name: &str, who: &str) -> Result<Option<HeldRight>, StoreError> {
        let Some(home) = NamedLock::try_take(self.paths(), name)? else { return Ok(None) };
        let host = match HostLock::try_take(name) {
            Taken::Ours(lock) => Some(lock),
            Taken::Nowhere => None,
            Taken::Others => return Ok(None),
        };
        home.sign(who);
        NamedLock::note_new(self.paths(), name);
        if let Some(host) = &host {
            host.sign(&format!("{who}, {}", self.paths().data.display()));
        }
        Ok(Some(HeldRight { _host: host, _home: home }))
    }

    /// Who has the right, as written down; `None`: nobody has. Of a process of another home, that home too.
    pub fn right_of(&self, name: &str) -> Option<String> {
        let here = NamedLock::is_held(self.paths(), name).then(|| NamedLock::signed(self.paths(), name).unwrap_or_default());
        here.or_else(|| HostLock::holder(name))
    }

    /// True while a process of another home of this host has it: nobody there hears a wish from here.
    pub fn right_is_elsewhere(&self, name: &str) -> bool {
        !NamedLock::is_held(self.paths(), name) && HostLock::holder(name).is_some()
    }

    /// Its holder, this process, has just done what it has it for.
    pub fn right_well(&self, name: &str) {
        NamedLock::note_well(self.paths(), name);
        HostLock::touch(name);
    }

    /// How long ago that was. `None`: not known, as of a process of another home, which tells this one nothing.
    pub fn right_was_well(&self, name: &str) -> Option<Duration> {
        if self.right_is_elsewhere(name) {
            return None;
        }
        NamedLock::well(self.paths(), name)
    }

    /// The right, asked for: whoever has it is told, and waited for so long. `None`: it was not let go, or another home has it, which
    /// is not waited for.
    ///
    /// # Errors
    /// When a lock file cannot be opened.
    pub async fn borrow(&self, name: &str, who: &str, within: Duration) -> Result<Option<HeldRight>, StoreError> {
        let until = Instant::now() + within;
        let mut asked: Option<NamedLock> = None;
        loop {
            if let Some(right) = self.right(name, who)? {
                // The wish is let go with it: the next one may ask.
                return Ok(Some(right));
            }
            if asked.is_none() {
                // One asks at a time; the others wait behind it.
                asked = NamedLock::try_take(self.paths(), &wish(name))?;
                if let Some(wish) = &asked {
                    wish.sign(who);
                }
            }
            if Instant::now() >= until || self.right_is_elsewhere(name) {
                return Ok(None);
            }
            sleep(LOOK).await;
        }
    }

    /// Resolves when somebody asks for the right.
    pub fn wanted(&self, name: &str) -> impl Future<Output = ()> + Send + 'static {
        let (paths, name, mut heard) = (self.paths().clone(), wish(name), self.0.knocks.heard(self.paths()));
        async move {
            loop {
                heard.borrow_and_update();
                if NamedLock::is_held(&paths, &name) {
                    return;
                }
                if heard.changed().await.is_err() {
                    sleep(SELDOM).await;
                }
            }
        }
    }

    /// Resolves when nobody has the right and nobody asks for it.
    pub fn given_back(&self, name: &str) -> impl Future<Output = ()> + Send + 'static {
        let (paths, name) = (self.paths().clone(), name.to_owned());
        async move {
            let since = Instant::now();
            while NamedLock::is_held(&paths, &name) || NamedLock::is_held(&paths, &wish(&name)) || HostLock::holder(&name).is_some() {
                sleep(if since.elapsed() < LONG { BACK } else { SELDOM }).await;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{clock::SystemTime, vault::Vault};
    use std::sync::Arc;

    const SOON: Duration = Duration::from_secs(20);

    /// Two processes: two handles of their own on one folder.
    fn two() -> (tempfile::TempDir, Store, Store, String) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::in_home(dir.path());
        let open = || Store::open(&paths, Vault::memory(), Arc::new(SystemTime::new())).unwrap();
        let (a, b) = (open(), open());
        // Other tests of this host use the same folder of locks.
        let name = format!("tg-{}", dir.path().display());
        (dir, a, b, name)
    }

    #[tokio::test]
    async fn who_asks_wakes_the_holder_gets_the_right_and_the_holder_has_it_back_afterwards() {
        let (_dir, deck, command, tg) = two();
        let right = deck.right(&tg, "deck").unwrap().unwrap();
        assert_eq!(command.right_of(&tg).as_deref(), Some("deck"));
        let wanted = deck.wanted(&tg);
        let (lent, ()) = tokio::join!(command.borrow(&tg, "command", SOON), async {
            wanted.await;
            drop(right);
        });
        let lent = lent.unwrap().unwrap();
        assert_eq!(deck.right_of(&tg).as_deref(), Some("command"));
        let ((), ()) = tokio::join!(deck.given_back(&tg), async { drop(lent) });
        assert!(deck.right(&tg, "deck").unwrap().is_some());
    }

    #[tokio::test]
    async fn a_holder_is_well_from_when_it_says_so_and_the_next_one_says_so_anew() {
        let (_dir, deck, command, tg) = two();
        let right = deck.right(&tg, "deck").unwrap().unwrap();
        assert!(command.right_was_well(&tg).unwrap() > SOON);
        deck.right_well(&tg);
        assert!(command.right_was_well(&tg).unwrap() < SOON);
        drop(right);
        let _next = command.right(&tg, "command").unwrap().unwrap();
        assert!(deck.right_was_well(&tg).unwrap() > SOON);
    }

    #[tokio::test]
    async fn of_a_holder_that_was_well_in_the_future_nobody_knows_how_long_ago_that_was() {
        let (dir, deck, command, tg) = two();
        let _right = deck.right(&tg, "deck").unwrap().unwrap();
        deck.right_well(&tg);
        // This host's clock was set back since.
        let safe: String = tg.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let file = Paths::in_home(dir.path()).locks().join(format!("{safe}.lock"));
        let ahead = std::time::SystemTime::now() + Duration::from_secs(3600);
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_modified(ahead).unwrap();
        assert_eq!(command.right_was_well(&tg), None, "it would be believed for an hour");
        assert_eq!(command.right_of(&tg).as_deref(), Some("deck"), "its right is the lock's, whatever time it is");
        deck.right_well(&tg);
        assert!(command.right_was_well(&tg).unwrap() < SOON, "its next word is believed");
    }

    #[tokio::test]
    async fn two_who_ask_get_it_one_after_the_other() {
        let (_dir, deck, command, tg) = two();
        let right = deck.right(&tg, "deck").unwrap().unwrap();
        let one = async |who: &str| {
            let got = command.borrow(&tg, who, SOON).await.unwrap().unwrap();
            assert_eq!(deck.right_of(&tg).as_deref(), Some(who));
            drop(got);
        };
        let lends = async {
            deck.wanted(&tg).await;
            drop(right);
            deck.given_back(&tg).await;
        };
        tokio::join!(one("a"), one("b"), lends);
    }

    #[tokio::test]
    async fn who_does_not_let_go_is_waited_for_no_longer_than_was_said_and_a_wish_that_was_given_up_is_none() {
        let (_dir, deck, command, tg) = two();
        let _right = deck.right(&tg, "deck").unwrap().unwrap();
        assert!(command.borrow(&tg, "command", Duration::from_millis(60)).await.unwrap().is_none());
        let wanted = tokio::time::timeout(Duration::from_millis(60), deck.wanted(&tg)).await;
        assert!(wanted.is_err(), "it asks for ever");
    }

    #[tokio::test]
    async fn a_copy_of_a_home_does_not_get_the_right_while_the_other_home_has_it_and_is_told_by_whom_at_once() {
        let (dir, deck, command, tg) = two();
        let copied = tempfile::tempdir().unwrap();
        let other = Store::open(&Paths::in_home(copied.path()), Vault::memory(), Arc::new(SystemTime::new())).unwrap();
        let right = deck.right(&tg, "deck").unwrap().unwrap();
        deck.right_well(&tg);
        assert!(other.right(&tg, "copy").unwrap().is_none());
        assert!(other.right_is_elsewhere(&tg) && !command.right_is_elsewhere(&tg));
        let who = other.right_of(&tg).unwrap();
        assert!(who.starts_with("deck") && who.contains(dir.path().to_str().unwrap()), "{who}");
        assert_eq!(command.right_of(&tg).as_deref(), Some("deck"));
        assert_eq!(other.right_was_well(&tg), None, "what it reads is not told to this home");
        assert!(other.borrow(&tg, "copy", Duration::from_secs(3600)).await.unwrap().is_none(), "nobody there hears the wish");
        let back = tokio::time::timeout(Duration::from_millis(200), other.given_back(&tg)).await;
        assert!(back.is_err(), "it is told to be free and asked again at once");
        drop(right);
        assert!(other.right(&tg, "copy").unwrap().is_some());
    }
}

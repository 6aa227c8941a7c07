//! A right that one process has for long and lends to another: the lock of the right, and beside it the lock of the wish.
//!
//! Who asks takes the wish's lock and writes into its file, which wakes the holder; the holder lets the right go when it can, and takes
//! it back when neither is held any more. Both locks are the kernel's: whoever is killed lets go, and nobody stays locked out.

use super::{Paths, Store, StoreError, follow::Files, locks::NamedLock};
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

fn wish(name: &str) -> String {
    format!("{name}-wish")
}

impl Store {
    /// The right, if nobody has it. `who` is written down for those who ask.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn right(&self, name: &str, who: &str) -> Result<Option<NamedLock>, StoreError> {
        let taken = NamedLock::try_take(self.paths(), name)?;
        Ok(taken.inspect(|lock| {
            lock.sign(who);
            NamedLock::note_new(self.paths(), name);
        }))
    }

    /// Who has the right, as written down; `None`: nobody has.
    pub fn right_of(&self, name: &str) -> Option<String> {
        NamedLock::is_held(self.paths(), name).then(|| NamedLock::signed(self.paths(), name).unwrap_or_default())
    }

    /// Its holder, this process, has just done what it has it for.
    pub fn right_well(&self, name: &str) {
        NamedLock::note_well(self.paths(), name);
    }

    /// How long ago that was.
    pub fn right_was_well(&self, name: &str) -> Option<Duration> {
        NamedLock::well(self.paths(), name)
    }

    /// The right, asked for: whoever has it is told, and waited for so long. `None`: it was not let go.
    ///
    /// # Errors
    /// When a lock file cannot be opened.
    pub async fn borrow(&self, name: &str, who: &str, within: Duration) -> Result<Option<NamedLock>, StoreError> {
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
            if Instant::now() >= until {
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
            while NamedLock::is_held(&paths, &name) || NamedLock::is_held(&paths, &wish(&name)) {
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
    fn two() -> (tempfile::TempDir, Store, Store) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::in_home(dir.path());
        let open = || Store::open(&paths, Vault::memory(), Arc::new(SystemTime::new())).unwrap();
        let (a, b) = (open(), open());
        (dir, a, b)
    }

    #[tokio::test]
    async fn who_asks_wakes_the_holder_gets_the_right_and_the_holder_has_it_back_afterwards() {
        let (_dir, deck, command) = two();
        let right = deck.right("tg-1", "deck").unwrap().unwrap();
        assert_eq!(command.right_of("tg-1").as_deref(), Some("deck"));
        let wanted = deck.wanted("tg-1");
        let (lent, ()) = tokio::join!(command.borrow("tg-1", "command", SOON), async {
            wanted.await;
            drop(right);
        });
        let lent = lent.unwrap().unwrap();
        assert_eq!(deck.right_of("tg-1").as_deref(), Some("command"));
        let ((), ()) = tokio::join!(deck.given_back("tg-1"), async { drop(lent) });
        assert!(deck.right("tg-1", "deck").unwrap().is_some());
    }

    #[tokio::test]
    async fn a_holder_is_well_from_when_it_says_so_and_the_next_one_says_so_anew() {
        let (_dir, deck, command) = two();
        let right = deck.right("tg-1", "deck").unwrap().unwrap();
        assert!(command.right_was_well("tg-1").unwrap() > SOON);
        deck.right_well("tg-1");
        assert!(command.right_was_well("tg-1").unwrap() < SOON);
        drop(right);
        let _next = command.right("tg-1", "command").unwrap().unwrap();
        assert!(deck.right_was_well("tg-1").unwrap() > SOON);
    }

    #[tokio::test]
    async fn of_a_holder_that_was_well_in_the_future_nobody_knows_how_long_ago_that_was() {
        let (dir, deck, command) = two();
        let _right = deck.right("tg-1", "deck").unwrap().unwrap();
        deck.right_well("tg-1");
        // This host's clock was set back since.
        let file = Paths::in_home(dir.path()).locks().join("tg-1.lock");
        let ahead = std::time::SystemTime::now() + Duration::from_secs(3600);
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_modified(ahead).unwrap();
        assert_eq!(command.right_was_well("tg-1"), None, "it would be believed for an hour");
        assert_eq!(command.right_of("tg-1").as_deref(), Some("deck"), "its right is the lock's, whatever time it is");
        deck.right_well("tg-1");
        assert!(command.right_was_well("tg-1").unwrap() < SOON, "its next word is believed");
    }

    #[tokio::test]
    async fn two_who_ask_get_it_one_after_the_other() {
        let (_dir, deck, command) = two();
        let right = deck.right("tg-1", "deck").unwrap().unwrap();
        let one = async |who: &str| {
            let got = command.borrow("tg-1", who, SOON).await.unwrap().unwrap();
            assert_eq!(deck.right_of("tg-1").as_deref(), Some(who));
            drop(got);
        };
        let lends = async {
            deck.wanted("tg-1").await;
            drop(right);
            deck.given_back("tg-1").await;
        };
        tokio::join!(one("a"), one("b"), lends);
    }

    #[tokio::test]
    async fn who_does_not_let_go_is_waited_for_no_longer_than_was_said_and_a_wish_that_was_given_up_is_none() {
        let (_dir, deck, command) = two();
        let _right = deck.right("tg-1", "deck").unwrap().unwrap();
        assert!(command.borrow("tg-1", "command", Duration::from_millis(60)).await.unwrap().is_none());
        let wanted = tokio::time::timeout(Duration::from_millis(60), deck.wanted("tg-1")).await;
        assert!(wanted.is_err(), "it asks for ever");
    }
}

//! Where the key that seals secrets lives, and the sealing itself.
//!
//! A [`Vault`] is a handle; opening it asks the key source on a thread of its own, so that neither the screen nor the
//! engine ever waits for a keyring, and the program's end never does. The source is chosen once, when the vault is made,
//! and no other is tried later: there is no silent way from a keyring to a file.

mod change;
pub mod common;
#[cfg(test)]
mod hostile_tests;
mod keyfile;
mod keyring;
pub(crate) mod meta;
mod passphrase;
mod seal;
pub(crate) mod shut;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use change::Rekey;
pub use change::Rekeyed;
pub use meta::{KeyMeta, Source};
pub use seal::Place;

use crate::{
    domain::{Reason, ReasonCode, Secret},
    engine::mailbox::VaultView,
    i18n::{Message, store as words},
    store::Audit,
};
use seal::Key;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// How the vault stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultState {
    /// There is none yet: the first secret makes one.
    Absent,
    /// Its key source is being asked.
    Opening,
    /// Open, with the key from there.
    Open(Source),
    /// Locked, and why. The sentence is the reason's raw text.
    Locked(Reason),
}

impl VaultState {
    /// As the header shows it.
    pub fn view(&self) -> VaultView {
        match self {
            Self::Absent => VaultView::Absent,
            Self::Opening => VaultView::Opening,
            Self::Open(s) => VaultView::Open(s.name()),
            Self::Locked(r) => VaultView::Locked(r.clone()),
        }
    }
}

/// Where the vault's own line is kept: the store implements it, on its own thread.
pub(crate) trait Keeper: Send + Sync {
    /// The vault's line and the store's name, as they stand now.
    fn load(&self) -> Result<(String, Option<KeyMeta>), Message>;
    /// Writes the line of a new vault, and the audit's line of it with it; refuses when there is one.
    fn keep(&self, meta: &KeyMeta, note: Option<&Audit>) -> Result<(), Message>;
    /// Seals everything anew, with the new line, in one transaction. Refused when the key was changed meanwhile.
    fn rekey(&self, change: change::Rekey) -> Result<Rekeyed, Message>;
    /// How far the store has come, and how far its mark beside it says that it had come.
    fn progress(&self) -> Result<(i64, i64), Message>;
    /// Sets the mark to where the store stands now.
    fn mark_here(&self) -> Result<(), Message>;
    /// Where the store stood and where its mark, when it was first seen to be an older copy; until [`Keeper::mark_here`]. `seen`: the
    /// caller sees it now.
    fn restored(&self, seen: Option<(i64, i64)>) -> Result<Option<(i64, i64)>, Message>;
}

/// A handle to the vault. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    state: watch::Sender<VaultState>,
    open: Mutex<Option<OpenKey>>,
    home: Mutex<Option<Home>>,
    /// One change at a time: held by the thread that opens or makes the vault.
    turn: Mutex<()>,
    /// Why it is locked, as a sentence that has no language yet.
    why: Mutex<Option<Message>>,
    /// Asked to open before its store was there.
    wanted: AtomicBool,
    /// How far the store had come by its mark, where that is more than it has come now.
    restored: Mutex<Option<(i64, i64)>>,
}

#[derive(Clone)]
struct OpenKey {
    id: String,
    key: Key,
}

#[derive(Clone)]
struct Home {
    keeper: Arc<dyn Keeper>,
    key_file: PathBuf,
}

impl Vault {
    /// The vault of a store; closed until [`Vault::open_in_background`].
    pub fn new() -> Self {
        Self::with(VaultState::Opening, None)
    }

    /// A vault whose key is made now and ends with this process: for the demo and for tests.
    pub fn memory() -> Self {
        match (seal::new_key(), meta::random_hex(8)) {
            (Some(key), Some(id)) => Self::with(VaultState::Open(Source::Memory), Some(OpenKey { id, key })),
            _ => Self::with(VaultState::Locked(Reason::new(ReasonCode::Internal)), None),
        }
    }

    /// The vault of this line, open, where its key lies in a file or was handed in by the system; nobody is asked. `None` for
    /// every other source, and when the key is not there or is another one.
    pub(crate) fn from_file(line: KeyMeta, key_file: &Path) -> Option<Self> {
        let key = match line.source {
            Source::KeyFile => keyfile::read(&keyfile::place(key_file, &line.item)).ok()?,
            Source::Credential => keyfile::credentials().ok()?.into_iter().find(|k| line.fits(k))?,
            Source::Keyring | Source::Passphrase | Source::Memory => return None,
        };
        line.fits(&key).then(|| Self::with(VaultState::Open(line.source), Some(OpenKey { id: line.key_id, key })))
    }

    fn with(state: VaultState, open: Option<OpenKey>) -> Self {
        let state = watch::Sender::new(state);
        Self(Arc::new(Inner {
            state,
            open: Mutex::new(open),
            home: Mutex::new(None),
            turn: Mutex::new(()),
            why: Mutex::new(None),
            wanted: AtomicBool::new(false),
            restored: Mutex::new(None),
        }))
    }

    /// How it stands now.
    pub fn state(&self) -> VaultState {
        self.0.state.borrow().clone()
    }

    /// Tells of every change of the state.
    pub fn watch(&self) -> watch::Receiver<VaultState> {
        self.0.state.subscribe()
    }

    /// Why it was last found locked, for the screen in its language. Meaningful while the state is `Locked`.
    pub fn why(&self) -> Option<Message> {
        lock(&self.0.why).clone()
    }

    fn locked(&self, why: Message) -> VaultState {
        let state = VaultState::Locked(shut::reason(&why));
        *lock(&self.0.why) = Some(why);
        state
    }

    /// Why secrets cannot be used, for whoever needs one.
    pub fn shut(&self) -> Reason {
        match &*self.0.state.borrow() {
            VaultState::Locked(why) => why.clone(),
            _ => Reason::new(ReasonCode::VaultLocked),
        }
    }

    /// True when secrets can be sealed and opened.
    pub fn is_open(&self) -> bool {
        lock(&self.0.open).is_some()
    }

    /// The store tells where the vault's line is kept, and how it stands.
    pub(crate) fn attach(&self, keeper: Arc<dyn Keeper>, key_file: PathBuf) {
        let loaded = keeper.load();
        let open = lock(&self.0.open).clone();
        let state = match (loaded, open) {
            (Err(m), _) => self.locked(m),
            // A vault in memory makes its line itself, under its own key.
            (Ok((store, None)), Some(open)) => {
                let line = KeyMeta::new(&store, Source::Memory, &open.key, Vec::new(), (0, 0, 0));
                let kept = line.ok_or_else(|| Message::new(&words::MEMORY_GONE)).and_then(|line| {
                    keeper.keep(&line, None)?;
                    *lock(&self.0.open) = Some(OpenKey { id: line.key_id, key: open.key });
                    Ok(())
                });
                kept.map_or_else(|m| self.locked(m), |()| VaultState::Open(Source::Memory))
            }
            (Ok((_, Some(line))), Some(open)) if line.fits(&open.key) => {
                *lock(&self.0.open) = Some(OpenKey { id: line.key_id, key: open.key });
                VaultState::Open(line.source)
            }
            (Ok((_, Some(_))), Some(_)) => {
                *lock(&self.0.open) = None;
                self.locked(Message::new(&words::MEMORY_GONE))
            }
            (Ok((_, None)), None) => VaultState::Absent,
            (Ok((_, Some(_))), None) => VaultState::Opening,
        };
        self.0.state.send_replace(state);
        // Last, so that an opening that begins now cannot be overwritten by what was read above.
        let wanted = {
            let mut home = lock(&self.0.home);
            *home = Some(Home { keeper, key_file });
            self.0.wanted.swap(false, Ordering::Relaxed)
        };
        if wanted {
            self.open_in_background();
        }
    }

    /// Asks the key source on a thread of its own and returns at once. A passphrase vault becomes locked until
    /// [`Vault::unlock`]; a keyring that would have to ask a person is not asked.
    pub fn open_in_background(&self) {
        {
            let home = lock(&self.0.home);
            if home.is_none() {
                self.0.wanted.store(true, Ordering::Relaxed);
                return;
            }
        }
        let vault = self.clone();
        self.spawn(move || vault.open_now(None, false));
    }

    /// Tries again because a person asked for it: with a passphrase if the source wants one; a locked keyring may show its
    /// own dialogue, for 30 s. Returns how the vault stands then. Never blocks the caller's thread.
    pub async fn unlock(&self, passphrase: Option<Secret>) -> VaultState {
        let vault = self.clone();
        let (tx, rx) = tokio::sync::oneshot::channel();
        self.spawn(move || {
            vault.open_now(passphrase.as_ref(), true);
            let _ = tx.send(());
        });
        let _ = rx.await;
        self.state()
    }

    /// Makes the vault with its key in `source`, which stays its only source.
    ///
    /// # Errors
    /// A sentence: there is a vault, the source does not work, the passphrase is too short.
    pub async fn create(&self, source: Source, passphrase: Option<Secret>) -> Result<(), Reason> {
        self.create_noted(source, passphrase, None).await
    }

    /// The same, with the line of the audit that tells of it in the commit that makes it.
    ///
    /// # Errors
    /// As there.
    pub async fn create_noted(&self, source: Source, passphrase: Option<Secret>, note: Option<Audit>) -> Result<(), Reason> {
        let vault = self.clone();
        let (tx, rx) = tokio::sync::oneshot::channel();
        self.spawn(move || {
            let _turn = lock(&vault.0.turn);
            let _ = tx.send(vault.create_now(source, passphrase.as_ref(), note.as_ref()));
        });
        let made = rx.await.unwrap_or_else(|_| Err(Message::new(&words::CLOSED)));
        made.map_err(|m| shut::reason(&m))
    }

    fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        if std::thread::Builder::new().name("vault".into()).spawn(work).is_err() {
            self.0.state.send_replace(VaultState::Locked(Reason::new(ReasonCode::Internal)));
        }
    }

    fn open_now(&self, passphrase: Option<&Secret>, person: bool) {
        let _turn = lock(&self.0.turn);
        if self.is_open() && matches!(self.state(), VaultState::Open(Source::Memory)) {
            return;
        }
        let Some(home) = lock(&self.0.home).clone() else { return };
        let state = match self.steady_key(&home, passphrase, person) {
            Ok(None) => VaultState::Absent,
            Ok(Some((line, key))) => {
                self.look_for_restored(&home, &line, person);
                *lock(&self.0.open) = Some(OpenKey { id: line.key_id, key });
                VaultState::Open(line.source)
            }
            Err(m) => self.locked(m),
        };
        self.0.state.send_replace(state);
    }

    /// The id of the key in use; every sealed write compares it with the store's in its transaction.
    pub(crate) fn key_id(&self) -> Option<String> {
        lock(&self.0.open).as_ref().map(|o| o.id.clone())
    }

    /// Seals `plain` for `place`. `None` while it is not open.
    pub(crate) fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Option<Vec<u8>> {
        let open = lock(&self.0.open).clone()?;
        seal::seal(&open.key, &open.id, place, plain)
    }

    /// Opens what was sealed for `place`. Outer `None`: the vault is not open; inner `None`: it does not open.
    pub(crate) fn unseal(&self, place: &Place<'_>, sealed: &[u8]) -> Option<Option<Zeroizing<Vec<u8>>>> {
        let open = lock(&self.0.open).clone()?;
        Some(seal::open(&open.key, &open.id, place, sealed))
    }
}

impl Default for Vault {
    fn default() -> Self {
        Self::new()
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

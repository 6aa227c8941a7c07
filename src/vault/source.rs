//! The key itself: asked of the one source that the vault's line names, or made anew in the source that was chosen.

use super::{Home, KeyMeta, OpenKey, Source, Vault, VaultState, keyfile, keyring, lock, passphrase, seal, seal::Key};
use crate::{
    domain::Secret,
    i18n::{Message, store as words},
    store::{Audit, Paths, StoreError, locks::NamedLock},
};
use std::path::Path;

impl Home {
    /// Until it is dropped no other process makes or changes a vault here.
    pub(super) fn alone(&self) -> Result<NamedLock, Message> {
        let folder = Paths::in_home(self.key_file.parent().unwrap_or(Path::new(".")));
        NamedLock::take_blocking(&folder, "vault").map_err(|e| match e {
            StoreError::Said(m) => *m,
            _ => Message::new(&words::CLOSED),
        })
    }
}

impl Vault {
    /// As `key_from`. A key that was replaced between the reading of the vault's line and that of its place is looked for again.
    pub(super) fn steady_key(&self, home: &Home, passphrase: Option<&Secret>, person: bool) -> Result<Option<(KeyMeta, Key)>, Message> {
        let named = || home.keeper.load().map(|(_, line)| line.map(|l| l.key_id));
        let mut before = named()?;
        for _ in 0..8 {
            let found = self.key_from(home, passphrase, person);
            let now = named()?;
            if found.is_ok() || now == before {
                return found;
            }
            before = now;
        }
        self.key_from(home, passphrase, person)
    }

    fn key_from(&self, home: &Home, passphrase: Option<&Secret>, person: bool) -> Result<Option<(KeyMeta, Key)>, Message> {
        let Some(line) = home.keeper.load()?.1 else { return Ok(None) };
        self.0.state.send_if_modified(|s| !matches!(s, VaultState::Open(_)) && std::mem::replace(s, VaultState::Opening) != VaultState::Opening);
        if let Some(open) = lock(&self.0.open).clone()
            && line.fits(&open.key)
        {
            // Open already: a keyring that is locked or hangs by now must not take the key away.
            return Ok(Some((line, open.key)));
        }
        // A key that another process replaced is of no use any more.
        *lock(&self.0.open) = None;
        let gone = || Message::new(&words::KEY_MISSING).with("source", line.source.name());
        let key = match line.source {
            Source::Keyring => keyring::key(&line, person)?.ok_or_else(gone)?,
            Source::Passphrase => {
                let text = passphrase.ok_or_else(|| Message::new(&words::PASSPHRASE_NEEDED))?;
                passphrase::stretch(text, &line.salt, line.cost).ok_or_else(|| Message::new(&words::PASSPHRASE_WRONG))?
            }
            Source::Credential => {
                let wrong = || Message::new(&words::KEY_WRONG).with("source", line.source.name());
                keyfile::credentials()?.into_iter().find(|k| line.fits(k)).ok_or_else(wrong)?
            }
            Source::KeyFile => keyfile::read(&keyfile::place(&home.key_file, &line.item))?,
            Source::Memory => return Err(Message::new(&words::MEMORY_GONE)),
        };
        if !line.fits(&key) {
            let wrong = if line.source == Source::Passphrase {
                Message::new(&words::PASSPHRASE_WRONG)
            } else {
                Message::new(&words::KEY_WRONG).with("source", line.source.name())
            };
            return Err(wrong);
        }
        Ok(Some((line, key)))
    }

    /// Makes the vault with its key in `source`, if there is none yet.
    pub(super) fn create_now(&self, source: Source, passphrase: Option<&Secret>, note: Option<&Audit>) -> Result<(), Message> {
        let home = lock(&self.0.home).clone().ok_or_else(|| Message::new(&words::CLOSED))?;
        // Of two processes that make a vault at once, the slower would overwrite the item that the faster depends on.
        let _alone = home.alone()?;
        let (store, line) = home.keeper.load()?;
        if line.is_some() {
            return Err(Message::new(&words::VAULT_EXISTS));
        }
        let none = || Message::new(&words::KEYRING_FAILED).with("why", "no random bytes");
        let (mut salt, mut cost) = (Vec::new(), (0, 0, 0));
        let key = match source {
            Source::Passphrase => {
                let (key, fresh) = passphrase::fresh(passphrase)?;
                (salt, cost) = (fresh, passphrase::COST);
                key
            }
            Source::Credential => keyfile::credentials()?.into_iter().next().ok_or_else(|| Message::new(&words::CREDENTIAL_NONE))?,
            Source::Keyring => {
                let key = seal::new_key().ok_or_else(none)?;
                // In the keyring and read back before anything depends on it.
                keyring::keep(keyring::item(&store, ""), &key)?;
                key
            }
            Source::KeyFile => match keyfile::read(&home.key_file) {
                // Left by a creation that was killed before the vault's line was written: nothing is sealed with it yet.
                Ok(key) => key,
                Err(_) => {
                    let key = seal::new_key().ok_or_else(none)?;
                    keyfile::write(&home.key_file, &key)?;
                    key
                }
            },
            Source::Memory => seal::new_key().ok_or_else(none)?,
        };
        let line = KeyMeta::new(&store, source, &key, salt, cost).ok_or_else(none)?;
        home.keeper.keep(&line, note)?;
        *lock(&self.0.open) = Some(OpenKey { id: line.key_id, key });
        self.0.state.send_replace(VaultState::Open(source));
        Ok(())
    }
}

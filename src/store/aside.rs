//! A vault that is damaged, moved out of the way because its operator says so, and back. Nothing is ever deleted or written over.

use super::{
    Audit, Paths, StoreError, history,
    locks::{NamedLock, anybody},
    paths, schema,
};
use crate::i18n::{Message, store as words};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const FOLDER: &str = "set-aside-";

/// Moves a damaged `vault.db`, its log, its mark and its key files into a folder of their own, which is returned. The next process makes a
/// new vault; [`put_back`] is the way back.
///
/// # Errors
/// It is not damaged, another process uses the store, a file cannot be moved. Nothing was moved then.
pub fn set_aside(paths: &Paths) -> Result<PathBuf, StoreError> {
    let _alone = alone(paths)?;
    match schema::open_vault(paths) {
        Err(StoreError::Said(m)) if m.words == &words::BROKEN => {}
        Err(e) => return Err(e),
        Ok(_) => return Err(StoreError::said(Message::new(&words::NOT_DAMAGED))),
    }
    let folder = free(paths);
    carry(&paths.data, &folder)?;
    Ok(folder)
}

/// Moves the vault that was set aside last back into its place. One that was made meanwhile is set aside in its turn: its folder is
/// returned.
///
/// # Errors
/// Nothing was set aside, another process uses the store, a file cannot be moved.
pub fn put_back(paths: &Paths) -> Result<Option<PathBuf>, StoreError> {
    let _alone = alone(paths)?;
    let last = numbers(paths).max().ok_or_else(|| StoreError::said(Message::new(&words::ASIDE_NONE)))?;
    let from = paths.data.join(format!("{FOLDER}{last}"));
    let made = free(paths);
    let made = if ours(&paths.data)?.is_empty() {
        None
    } else {
        carry(&paths.data, &made)?;
        Some(made)
    };
    carry(&from, &paths.data)?;
    // What else somebody put there stays.
    let _ = fs::remove_dir(&from);
    Ok(made)
}

/// Appends to the audit of the vault that stands in `paths`; one is made where there is none, so that who moved the one before is known.
///
/// # Errors
/// It is damaged or cannot be written.
pub fn note(paths: &Paths, line: &Audit) -> Result<(), StoreError> {
    let db = schema::open_vault(paths)?;
    history::append_audit(&db, line).map_err(|e| schema::explain(&paths.vault_db(), &e))
}

/// Nobody else uses the store, and nobody makes a vault in it meanwhile.
fn alone(paths: &Paths) -> Result<NamedLock, StoreError> {
    let in_use = || StoreError::said(Message::new(&words::ASIDE_IN_USE));
    paths::private_dir(&paths.data)?;
    let lock = NamedLock::try_take(paths, "vault")?.ok_or_else(in_use)?;
    if anybody(&paths.locks()) { Err(in_use()) } else { Ok(lock) }
}

fn numbers(paths: &Paths) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(&paths.data).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.strip_prefix(FOLDER)?.parse().ok())
}

fn free(paths: &Paths) -> PathBuf {
    paths.data.join(format!("{FOLDER}{}", numbers(paths).max().unwrap_or(0) + 1))
}

/// What makes up a vault in `folder`, the database last: while it stands there, nobody makes a new one.
fn ours(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = fs::read_dir(folder).map_err(|e| paths::unwritable(folder, &e))?;
    let mut found: Vec<_> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| {
            let name = p.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            matches!(name, "vault.db" | "vault.db-wal" | "vault.db-shm" | "vault.mark" | "vault.key")
                || (name.starts_with("vault-") && name.ends_with(".key"))
        })
        .collect();
    found.sort_by_key(|p| p.ends_with("vault.db"));
    Ok(found)
}

/// Moves all of it; what cannot be moved whole stays where it was.
fn carry(from: &Path, to: &Path) -> Result<(), StoreError> {
    paths::private_dir(to)?;
    let mut moved: Vec<(PathBuf, PathBuf)> = Vec::new();
    for path in ours(from)? {
        let Some(name) = path.file_name() else { continue };
        let there = to.join(name);
        let stands = fs::symlink_metadata(&there).is_ok();
        let done = if stands { Err(io::Error::from(io::ErrorKind::AlreadyExists)) } else { fs::rename(&path, &there) };
        if let Err(e) = done {
            for (was, is) in moved.iter().rev() {
                let _ = fs::rename(is, was);
            }
            let _ = fs::remove_dir(to);
            return Err(paths::unwritable(&path, &e));
        }
        moved.push((path, there));
    }
    for folder in [from, to] {
        let _ = fs::File::open(folder).and_then(|f| f.sync_all());
    }
    Ok(())
}

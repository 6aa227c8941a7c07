//! Where everything lies, and who may read it: folders 0700, files 0600.

use super::StoreError;
use crate::i18n::{Message, store as words};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Every path that pairdeck uses. Making one touches nothing; [`Paths::prepare`] makes the folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The operator's `config.toml`.
    pub config: PathBuf,
    /// Folder of the databases and locks.
    pub data: PathBuf,
    /// Agent socket.
    pub socket: PathBuf,
}

impl Paths {
    /// Everything in one folder, as `--home` and `PAIRDECK_HOME` ask for.
    pub fn in_home(home: &Path) -> Self {
        Self { config: home.join("config.toml"), data: home.to_owned(), socket: home.join("pairdeck.sock") }
    }

    /// The system's usual places: configuration, data, and the run-time folder for the socket.
    ///
    /// # Errors
    /// When no home folder is known.
    pub fn standard() -> Result<Self, StoreError> {
        let dirs = directories::ProjectDirs::from("", "", "pairdeck").ok_or_else(|| StoreError::said(Message::new(&words::NO_HOME)))?;
        let data = dirs.data_dir().to_owned();
        let socket = dirs.runtime_dir().map_or_else(|| data.join("pairdeck.sock"), |d| d.join("pairdeck.sock"));
        Ok(Self { config: dirs.config_dir().join("config.toml"), data, socket })
    }

    /// `home` if given, else `PAIRDECK_HOME` if set and not empty, else the usual places.
    ///
    /// # Errors
    /// When no home folder is known.
    pub fn resolve(home: Option<&Path>) -> Result<Self, StoreError> {
        Self::named(home).map_or_else(Self::standard, |home| Ok(Self::in_home(&home)))
    }

    /// The folder that somebody named: `home` if given, else `PAIRDECK_HOME` if set and not empty. `None`: the usual places.
    pub fn named(home: Option<&Path>) -> Option<PathBuf> {
        home.map(Path::to_owned).or_else(|| std::env::var_os("PAIRDECK_HOME").filter(|h| !h.is_empty()).map(PathBuf::from))
    }

    /// What must not be lost.
    pub fn vault_db(&self) -> PathBuf {
        self.data.join("vault.db")
    }
    /// What can be observed again.
    pub fn cache_db(&self) -> PathBuf {
        self.data.join("cache.db")
    }
    /// Folder of lock files.
    pub fn locks(&self) -> PathBuf {
        self.data.join("locks")
    }
    /// The key file, if that source was chosen.
    pub fn key_file(&self) -> PathBuf {
        self.data.join("vault.key")
    }
    /// Folder of the configuration: theme files named in it are relative to it.
    pub fn config_dir(&self) -> &Path {
        self.config.parent().unwrap_or(Path::new("."))
    }

    /// Makes the folders, owner only, and mends looser modes of what is there.
    ///
    /// # Errors
    /// A sentence that names the folder and why it cannot be used.
    pub fn prepare(&self) -> Result<(), StoreError> {
        for dir in [self.data.as_path(), &self.locks()] {
            private_dir(dir)?;
        }
        for file in [self.vault_db(), self.cache_db()] {
            for suffix in ["", "-wal", "-shm"] {
                let mut name = file.clone().into_os_string();
                name.push(suffix);
                owned(Path::new(&name))?;
                mend(Path::new(&name), 0o600)?;
            }
        }
        Ok(())
    }
}

/// Says that `path` cannot be written, and why.
pub(super) fn unwritable(path: &Path, why: &io::Error) -> StoreError {
    StoreError::said(cannot_write(path, why))
}

/// The same as a sentence: what has a remedy of its own is said as that.
pub(crate) fn cannot_write(path: &Path, why: &io::Error) -> Message {
    let of = |words| Message::new(words).with("path", path.to_string_lossy());
    match why.kind() {
        io::ErrorKind::StorageFull => of(&words::DISK_FULL),
        io::ErrorKind::QuotaExceeded => of(&words::QUOTA_FULL),
        io::ErrorKind::ReadOnlyFilesystem => of(&words::READ_ONLY_FILE),
        _ => of(&words::FOLDER_UNWRITABLE).with("why", plain(why)),
    }
}

/// Says what keeps anything from being written where `path` lies, if something does. SQLite tells a quota as an I/O error like any other,
/// and of a folder that cannot be written what depends on whether a log lies in it: a few bytes that are written beside it tell more.
pub(super) fn keeps_off(path: &Path) -> Option<StoreError> {
    if is_full(path) {
        return Some(StoreError::said(Message::new(&words::DISK_FULL).with("path", path.to_string_lossy())));
    }
    if at_limit(path) {
        return Some(StoreError::said(Message::new(&words::FILE_LIMIT).with("path", path.to_string_lossy())));
    }
    let tried = tempfile::tempfile_in(path.parent()?).and_then(|mut f| io::Write::write_all(&mut f, &[0; 4096]).and_then(|()| f.sync_all()));
    let tells = |e: &io::Error| {
        use io::ErrorKind as E;
        matches!(e.kind(), E::StorageFull | E::QuotaExceeded | E::ReadOnlyFilesystem | E::PermissionDenied)
    };
    let why = tried.err().filter(tells)?;
    Some(unwritable(path, &why))
}

/// An I/O error without Rust's `(os error N)`.
pub(crate) fn plain(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// True when this process may not make a file of the database, or its log, any longer (`ulimit -f`, `LimitFSIZE`).
fn at_limit(path: &Path) -> bool {
    /// SQLite writes a page of its database and one of its log's index at a time.
    const PAGE: u64 = 32 * 1024;
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Fsize).current.is_some_and(|limit| {
        let size = |end: &str| fs::metadata(format!("{}{end}", path.display())).map_or(0, |m| m.len());
        ["", "-wal", "-shm"].iter().any(|end| size(end).saturating_add(PAGE) > limit)
    });
    #[cfg(not(unix))]
    return {
        let _ = (path, PAGE);
        false
    };
}

/// True when nothing more fits on the file system of `path`.
fn is_full(path: &Path) -> bool {
    #[cfg(unix)]
    return rustix::fs::statvfs(path.parent().unwrap_or(path))
        // A file system that can only be read has no room either, and that is not its trouble.
        .is_ok_and(|s| s.f_bavail == 0 && !s.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    #[cfg(not(unix))]
    return {
        _ = path;
        false
    };
}

/// Refuses what belongs to another user: its owner reads it, changes it and opens it again to others, whatever its mode is now.
pub(crate) fn owned(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let Ok(meta) = fs::metadata(path) else { return Ok(()) };
        let own = rustix::process::geteuid().as_raw();
        // Root could take everything anyhow, and often owns what is handed in to be read.
        if meta.uid() != own && meta.uid() != 0 {
            let m = Message::new(&words::OWNER_OTHER).with("path", path.to_string_lossy()).with("owner", meta.uid().to_string());
            return Err(StoreError::said(m.with("own", own.to_string())));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// A folder that only its owner may enter: made if it is missing, mended if it is open to others.
pub(crate) fn private_dir(dir: &Path) -> Result<(), StoreError> {
    if !dir.is_dir() {
        let mut make = fs::DirBuilder::new();
        make.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
        make.create(dir).map_err(|e| unwritable(dir, &e))?;
    }
    owned(dir)?;
    mend(dir, 0o700)
}

/// Takes the rights of group and others away from `path` if it exists.
pub(crate) fn mend(path: &Path, mode: u32) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let Ok(meta) = fs::metadata(path) else { return Ok(()) };
        if meta.permissions().mode() & 0o077 != 0 && fs::set_permissions(path, fs::Permissions::from_mode(mode)).is_err() {
            let m = Message::new(&words::FOLDER_LOOSE).with("path", path.to_string_lossy()).with("mode", format!("{mode:o}"));
            return Err(StoreError::said(m));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

/// Opens (making it if need be) a file that only its owner may read. What others may have put under its name in a folder that they
/// share, a link to somewhere else or a pipe that nobody reads, is refused.
pub(crate) fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut open = fs::OpenOptions::new();
    open.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    plain_file(&mut open, path)
}

/// Bytes that a file of settings has at most.
const SETTINGS: u64 = 16 << 20;

/// A file of settings, read whole. A link is followed, as many keep theirs elsewhere; a pipe is not waited for, and a device that never
/// ends is not read to its end.
pub(crate) fn settings(path: &Path) -> io::Result<Vec<u8>> {
    let mut open = fs::OpenOptions::new();
    open.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut open, i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default());
    let file = open.open(path)?;
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_fifo(&file.metadata()?.file_type()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a pipe stands there, not a file"));
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, SETTINGS + 1), &mut bytes)?;
    if bytes.len() as u64 > SETTINGS {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "more than 16 MiB"));
    }
    Ok(bytes)
}

/// Opens a regular file and nothing else: no link is followed, no pipe or device is waited for.
pub(crate) fn plain_file(open: &mut fs::OpenOptions, path: &Path) -> io::Result<fs::File> {
    let odd = || io::Error::new(io::ErrorKind::InvalidInput, "a link, a pipe or a device stands there, not a file of pairdeck's");
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        std::os::unix::fs::OpenOptionsExt::custom_flags(open, i32::try_from(flags).unwrap_or_default());
    }
    let file = open.open(path).map_err(|e| {
        let stands = fs::symlink_metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir());
        if stands { odd() } else { e }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(odd()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_keeps_a_file_from_being_written_is_said_with_its_own_remedy() {
        use crate::{domain::ReasonCode, i18n::Lang, i18n::reason};
        let path = Path::new("/srv/pairdeck/vault.db");
        for (errno, said, evidence) in [
            (rustix::io::Errno::NOSPC, "the disk is full", Some("disk_full")),
            (rustix::io::Errno::DQUOT, "quota", Some("quota")),
            (rustix::io::Errno::ROFS, "is read-only", Some("read_only")),
            (rustix::io::Errno::ACCESS, "cannot be written (Permission denied)", None),
        ] {
            let e = unwritable(path, &io::Error::from_raw_os_error(errno.raw_os_error()));
            let text = e.text(Lang::En);
            assert!(text.contains(said) && text.contains("/srv/pairdeck/vault.db"), "{text}");
            let why = e.reason();
            assert_eq!((why.code, why.arg("evidence")), (ReasonCode::StoreUnwritable, evidence), "{text}");
            if evidence.is_some() {
                let remedy = reason::remedy_sentence(&why, Lang::En).unwrap();
                assert!(remedy.contains("/srv/pairdeck/vault.db"), "where it is is told with what to do: {remedy}");
            }
        }
    }

    #[test]
    fn looser_modes_are_mended() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::in_home(&dir.path().join("deep/home"));
        paths.prepare().unwrap();
        fs::write(paths.vault_db(), "").unwrap();
        fs::set_permissions(paths.vault_db(), fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&paths.data, fs::Permissions::from_mode(0o755)).unwrap();
        paths.prepare().unwrap();
        assert_eq!(fs::metadata(paths.vault_db()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&paths.data).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(paths.locks()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named_with_its_cause() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "x").unwrap();
        let error = Paths::in_home(&dir.path().join("file/home")).prepare().unwrap_err().to_string();
        assert!(error.contains("file/home") && error.contains("Not a directory"), "{error}");
    }
}

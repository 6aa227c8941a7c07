//! Which file a path really is: through symbolic links, hard links and bind mounts.

use crate::providers::telegram::session::write;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Device and number of a file or folder.
pub type Inode = (u64, u64);

/// A file, by all that tells it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The path as configured.
    pub path: PathBuf,
    /// The path without symbolic links.
    pub real: PathBuf,
    /// The file itself; `None` while it is not there.
    pub inode: Option<Inode>,
    /// Its folder, which tells a file that is not there yet.
    pub folder: Option<Inode>,
    /// How many names it has.
    pub names: u64,
}

/// How two paths are one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Same {
    /// The same path.
    Path,
    /// One leads to the other by a symbolic link.
    Symlink,
    /// Two names of one file.
    HardLink,
    /// The file, or a folder above it, is mounted in two places.
    BindMount,
}

impl Identity {
    /// Looks at `path`; the file need not be there, its folder must.
    ///
    /// # Errors
    /// The folder is missing or may not be looked at.
    pub fn of(path: &Path) -> io::Result<Self> {
        let real = write::real(path)?;
        let meta = match std::fs::metadata(&real) {
            Ok(meta) => Some(meta),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let folder = real.parent().and_then(|d| std::fs::metadata(d).ok()).as_ref().and_then(inode);
        let names = meta.as_ref().map_or(1, names);
        Ok(Self { path: path.to_owned(), inode: meta.as_ref().and_then(inode), real, folder, names })
    }

    /// The lock file of `pairdeck run`, while it is there.
    pub fn lock(&self) -> Option<Inode> {
        std::fs::symlink_metadata(write::named(&self.real, "run")).ok().filter(std::fs::Metadata::is_file).as_ref().and_then(inode)
    }

    /// How `self` and `other` are one file, if they are.
    pub fn same(&self, other: &Self) -> Option<Same> {
        if self.real == other.real {
            return Some(if self.path == other.path { Same::Path } else { Same::Symlink });
        }
        match (self.inode, other.inode) {
            (Some(a), Some(b)) if a == b => Some(if self.names.max(other.names) > 1 { Same::HardLink } else { Same::BindMount }),
            // Not there yet: the same name in the same folder will be the same file.
            (None, None) if self.folder.is_some() && self.folder == other.folder && self.real.file_name() == other.real.file_name() => {
                Some(Same::BindMount)
            }
            _ => None,
        }
    }
}

#[cfg(unix)]
pub(super) fn inode(meta: &std::fs::Metadata) -> Option<Inode> {
    use std::os::unix::fs::MetadataExt;
    Some((meta.dev(), meta.ino()))
}

#[cfg(unix)]
fn names(meta: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(meta)
}

#[cfg(not(unix))]
pub(super) fn inode(_: &std::fs::Metadata) -> Option<Inode> {
    None
}

#[cfg(not(unix))]
fn names(_: &std::fs::Metadata) -> u64 {
    1
}

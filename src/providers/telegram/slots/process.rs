//! The processes of this machine as far as they tell who holds a file. Linux tells; elsewhere nothing is known, and that is said.

use super::identity::{Inode, inode};
use crate::{
    domain::Clean,
    store::proc::{pids, spaces, stat_of},
};
use std::{
    collections::{HashMap, HashSet},
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// The namespaces that decide which files and processes one sees; 0 where that is not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spaces {
    /// Of mounts.
    pub mounts: u64,
    /// Of process ids.
    pub pids: u64,
}

impl Spaces {
    /// Those of a process.
    pub fn of(pid: u32) -> Self {
        let (mounts, pids) = spaces(pid);
        Self { mounts, pids }
    }

    /// True when both are told and one of them differs.
    pub fn differ(self, other: Self) -> bool {
        let apart = |a: u64, b: u64| a != 0 && b != 0 && a != b;
        apart(self.mounts, other.mounts) || apart(self.pids, other.pids)
    }
}

/// One process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its id here.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// When it began, in clock ticks since boot: with the id it names one process.
    pub start: u64,
    /// Its name.
    pub name: Clean,
    /// Its namespaces.
    pub spaces: Spaces,
    /// Units and scopes that it belongs to.
    pub groups: Vec<String>,
    /// Files among the wanted ones that it has open for writing.
    pub opens: HashSet<Inode>,
    /// Files among the wanted ones that stand in its command line.
    pub named: HashSet<Inode>,
    /// Its folder.
    pub cwd: Option<Inode>,
}

/// All processes at one moment.
#[derive(Clone, Debug, Default)]
pub struct Table {
    all: HashMap<u32, Process>,
    /// Processes whose files could not be looked at: they are another user's.
    pub blind: usize,
}

/// Longest command line that is looked at, in bytes.
const LONGEST: u64 = 64 * 1024;

impl Table {
    /// Looks at every process once. `wanted` are the files to look for.
    pub fn scan(wanted: &HashSet<Inode>) -> Self {
        let mut table = Self::default();
        for pid in pids() {
            if let Some((process, saw)) = look(pid, wanted) {
                table.blind += usize::from(!saw);
                table.all.insert(pid, process);
            }
        }
        table
    }

    /// The process of that id.
    pub fn get(&self, pid: u32) -> Option<&Process> {
        self.all.get(&pid)
    }

    /// Every process, by id.
    pub fn all(&self) -> Vec<&Process> {
        let mut all: Vec<_> = self.all.values().collect();
        all.sort_by_key(|p| p.pid);
        all
    }

    /// True when `pid` is `of` or descends from it.
    pub fn descends(&self, pid: u32, of: u32) -> bool {
        let mut at = pid;
        // Bounded: ids may be reused while the table is read.
        for _ in 0..64 {
            if at == of {
                return true;
            }
            match self.all.get(&at) {
                Some(p) if p.parent != 0 && p.parent != at => at = p.parent,
                _ => return false,
            }
        }
        false
    }
}

fn proc(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// A process, and whether its open files could be seen.
fn look(pid: u32, wanted: &HashSet<Inode>) -> Option<(Process, bool)> {
    let dir = proc(pid);
    let stat = fs::read(dir.join("stat")).ok()?;
    let (name, parent, start) = stat_of(&stat)?;
    let groups = fs::read_to_string(dir.join("cgroup")).unwrap_or_default();
    let groups = groups.lines().filter_map(|l| l.splitn(3, ':').nth(2)).flat_map(|p| p.split('/')).filter(|p| p.contains('.')).map(str::to_owned);
    let opens = opens(&dir, wanted);
    let process = Process {
        pid,
        parent,
        start,
        name: Clean::new(&name),
        spaces: Spaces::of(pid),
        groups: groups.collect(),
        named: named(&dir, wanted),
        cwd: fs::metadata(dir.join("cwd")).ok().as_ref().and_then(inode),
        opens: opens.clone().unwrap_or_default(),
    };
    Some((process, opens.is_some()))
}

/// Wanted files that are open for writing: a reader holds nothing, and a backup reads too.
fn opens(dir: &Path, wanted: &HashSet<Inode>) -> Option<HashSet<Inode>> {
    let mut found = HashSet::new();
    if wanted.is_empty() {
        return Some(found);
    }
    for entry in fs::read_dir(dir.join("fd")).ok()?.flatten() {
        let path = entry.path();
        if let Some(id) = fs::metadata(&path).ok().as_ref().and_then(inode)
            && wanted.contains(&id)
            && writes(&path)
        {
            found.insert(id);
        }
    }
    Some(found)
}

#[cfg(unix)]
fn writes(link: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(link).is_ok_and(|m| m.mode() & 0o200 != 0)
}

#[cfg(not(unix))]
fn writes(_: &Path) -> bool {
    false
}

/// Wanted files that stand in the command line, as that process sees paths: through its own root and folder.
fn named(dir: &Path, wanted: &HashSet<Inode>) -> HashSet<Inode> {
    let mut found = HashSet::new();
    if wanted.is_empty() {
        return found;
    }
    let mut line = Vec::new();
    let Ok(file) = fs::File::open(dir.join("cmdline")) else { return found };
    if file.take(LONGEST).read_to_end(&mut line).is_err() {
        return found;
    }
    for word in line.split(|b| *b == 0).skip(1).take(1024) {
        let Ok(word) = std::str::from_utf8(word) else { continue };
        // `--session=FILE` and `SESSION=FILE` too.
        for path in [Some(word), word.split_once('=').map(|(_, v)| v)].into_iter().flatten().filter(|p| !p.is_empty() && p.len() < 4096) {
            let seen = match path.strip_prefix('/') {
                Some(rest) => dir.join("root").join(rest),
                None => dir.join("cwd").join(path),
            };
            found.extend(fs::metadata(seen).ok().as_ref().and_then(inode).filter(|id| wanted.contains(id)));
        }
    }
    found
}

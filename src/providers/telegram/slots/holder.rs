//! Who holds a slot, and by what that is known. A session library opens its file for a moment only, so that the file itself
//! tells nothing of an ordinary worker (gotd 0.161 `FileStorage`): a lock, a pidfile, a unit or a command line must.

use super::{
    identity::Identity,
    process::{Process, Spaces, Table},
};
use crate::{
    domain::{Clean, Reason, ReasonCode},
    i18n::{Message, sessions as w},
    providers::telegram::session::write,
    store::{
        config,
        run_lock::{self, Owner},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// By what a holder is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// It holds the lock of `pairdeck run`.
    Run,
    /// It has the file open for writing.
    Open,
    /// The slot's pidfile names it.
    PidFile(PathBuf),
    /// It belongs to the slot's unit.
    Unit(String),
    /// The file stands in its command line.
    Argv,
    /// It runs in the file's folder. Weak: a shell does too.
    Cwd,
}

impl Evidence {
    /// False for what may be chance.
    pub const fn is_sure(&self) -> bool {
        !matches!(self, Self::Cwd)
    }

    /// In words.
    pub fn says(&self) -> Message {
        match self {
            Self::Run => Message::new(&w::BY_RUN),
            Self::Open => Message::new(&w::BY_OPEN),
            Self::PidFile(path) => Message::new(&w::BY_PIDFILE).with("path", path.to_string_lossy()),
            Self::Unit(unit) => Message::new(&w::BY_UNIT).with("unit", unit),
            Self::Argv => Message::new(&w::BY_ARGV),
            Self::Cwd => Message::new(&w::BY_CWD),
        }
    }
}

/// A process that holds a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its id, in its own namespace where that is another than ours; 0 where it cannot be seen.
    pub pid: u32,
    /// Its name.
    pub name: Clean,
    /// Its namespaces.
    pub spaces: Spaces,
    /// By what it is known; the strongest first.
    pub evidence: Vec<Evidence>,
}

impl Holder {
    /// `name[pid]`.
    pub fn label(&self) -> String {
        if self.pid == 0 { format!("{}[?]", self.name) } else { format!("{}[{}]", self.name, self.pid) }
    }

    /// True when something other than chance speaks for it.
    pub fn is_sure(&self) -> bool {
        self.evidence.iter().any(Evidence::is_sure)
    }
}

/// A pidfile, or the lock of `pairdeck run`, that names nobody any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The file.
    pub path: PathBuf,
    /// Whom it names.
    pub pid: u32,
    /// Why that is nobody.
    pub why: Gone,
}

/// Why a process that a file names is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It has ended.
    Dead,
    /// Its id has gone to a process that began after the file was written.
    Reused,
    /// The file was written before this host was started.
    OtherBoot,
}

impl Stale {
    /// In words.
    pub fn says(&self) -> Message {
        let words = match self.why {
            Gone::Dead => &w::STALE_DEAD,
            Gone::Reused => &w::STALE_REUSED,
            Gone::OtherBoot => &w::STALE_BOOT,
        };
        Message::new(words).with("path", self.path.to_string_lossy()).with("pid", self.pid.to_string())
    }
}

/// Who holds a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Holders, one a family of processes, the surest first.
    pub holders: Vec<Holder>,
    /// What a holder that is no more left behind. Not a holder.
    pub stale: Option<Stale>,
    /// A pidfile that is there and names no process: it proves nothing, neither that somebody runs nor that nobody does.
    pub odd: Option<PathBuf>,
    /// Processes that could not be looked at: with some of these nobody is proven absent.
    pub blind: usize,
}

impl Held {
    /// Holders that are not chance.
    pub fn sure(&self) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(|h| h.is_sure())
    }

    /// True when nobody holds it as far as everything could be looked at.
    pub fn proven_free(&self) -> bool {
        self.holders.is_empty() && self.blind == 0
    }

    /// What speaks against it that nobody holds it, where nothing is sure.
    pub fn doubt(&self) -> Message {
        match self.holders.first().and_then(|h| Some((h, h.evidence.first()?))) {
            Some((h, by)) => Message::new(&w::DOUBT_HOLDER).with("holder", h.label()).nest("evidence", by.says()),
            None => Message::new(&w::DOUBT_BLIND).with("n", self.blind.to_string()),
        }
    }

    /// Removes what a holder that is no more left behind, and says what and why.
    pub fn clean(&self) -> Option<Message> {
        let stale = self.stale.as_ref()?;
        clean(&stale.path).then(|| Message::new(&w::STALE_CLEANED).nest("what", stale.says()))
    }

    /// Two families in different namespaces hold one file: containers on one volume.
    pub fn spaces_twin(&self) -> Option<(&Holder, &Holder)> {
        let sure: Vec<_> = self.sure().collect();
        sure.iter().enumerate().find_map(|(i, a)| sure[i + 1..].iter().find(|b| a.spaces.differ(b.spaces)).map(|b| (*a, *b)))
    }

    /// Why nothing may be written under it, if somebody holds it.
    pub fn reason(&self) -> Option<Reason> {
        let first = self.sure().next()?;
        let by = first.evidence.first().map(|e| e.says().text(crate::i18n::Lang::En)).unwrap_or_default();
        Some(Reason::new(ReasonCode::SlotHeld).with("holder", first.label()).with("evidence", by))
    }
}

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Somebody who only looks: what stands above it may be a holder that asks about itself.
    Looker,
    /// Somebody who is about to start the worker: it and what stands above it are not the holder.
    Runner,
}

/// Who holds `slot`, whose file is `identity`.
pub fn of(slot: &config::Slot, identity: Option<&Identity>, table: &Table, viewer: Viewer) -> Held {
    let me = std::process::id();
    let mut held = Held { blind: table.blind, ..Held::default() };
    let mut found: Vec<Holder> = Vec::new();
    let named = slot.pidfile.as_deref().map(|path| (path, pidfile(path, table)));
    let alive = match named {
        Some((path, Pid::Alive(pid))) => Some((pid, path)),
        Some((path, Pid::Gone(pid, why))) => {
            held.stale = Some(Stale { path: path.to_owned(), pid, why });
            None
        }
        Some((path, Pid::Nothing)) if path.exists() => {
            held.odd = Some(path.to_owned());
            None
        }
        _ => None,
    };
    for p in table.all() {
        let above = table.descends(me, p.pid);
        if p.pid == me || (above && viewer == Viewer::Runner) {
            continue;
        }
        let evidence = evidence(slot, identity, p, alive, above);
        if !evidence.is_empty() {
            found.push(Holder { pid: p.pid, name: p.name.clone(), spaces: p.spaces, evidence });
        }
    }
    if let Some(identity) = identity {
        locked(identity, table, viewer, &mut found, &mut held);
    }
    held.holders = families(found, table);
    held
}

/// Who has the lock of `pairdeck run`. It outlives the `pairdeck run` that took it, in what that started.
fn locked(identity: &Identity, table: &Table, viewer: Viewer, found: &mut Vec<Holder>, held: &mut Held) {
    let me = std::process::id();
    let path = write::named(&identity.real, "run");
    let here = |owner: &Owner| !Spaces { mounts: owner.mounts, pids: owner.pids }.differ(Spaces::of(me));
    let Some(owner) = run_lock::owner(&path) else {
        let left = run_lock::left(&path).filter(|(owner, _)| here(owner));
        if let Some(Pid::Gone(pid, why)) = left.map(|(owner, written)| named(owner.pid, Some(written), table)) {
            held.stale.get_or_insert(Stale { path, pid, why });
        }
        return;
    };
    let add = |pid: u32, name: Clean, spaces: Spaces, found: &mut Vec<Holder>| match found
        .iter_mut()
        .find(|h| h.pid == pid || (here(&owner) && table.descends(h.pid, pid)))
    {
        Some(h) => h.evidence.insert(0, Evidence::Run),
        None => found.push(Holder { pid, name, spaces, evidence: vec![Evidence::Run] }),
    };
    let written = std::fs::metadata(&path).ok().and_then(|m| m.modified().ok());
    if here(&owner) && matches!(named(owner.pid, written, table), Pid::Gone(..)) {
        let lock = identity.lock();
        let has =
            |p: &&Process| p.pid != me && lock.is_some_and(|l| p.opens.contains(&l)) && !(viewer == Viewer::Runner && table.descends(me, p.pid));
        let all: Vec<_> = table.all().into_iter().filter(has).collect();
        for p in &all {
            add(p.pid, p.name.clone(), p.spaces, found);
        }
        if !all.is_empty() {
            return;
        }
        // Somebody whose files cannot be looked at: that it is held is certain, by whom is not.
        return add(0, Clean::new(&owner.command), Spaces::default(), found);
    }
    // It is this process itself that holds the lock, to mend what it runs.
    if here(&owner) && owner.pid == me && !found.iter().any(|h| table.descends(h.pid, me)) {
        return;
    }
    add(owner.pid, Clean::new(&owner.command), Spaces { mounts: owner.mounts, pids: owner.pids }, found);
}

fn evidence(slot: &config::Slot, identity: Option<&Identity>, p: &Process, alive: Option<(u32, &Path)>, ours: bool) -> Vec<Evidence> {
    let mut all = Vec::new();
    let inode = identity.and_then(|i| i.inode);
    if inode.is_some_and(|i| p.opens.contains(&i)) {
        all.push(Evidence::Open);
    }
    if let Some((_, path)) = alive.filter(|(pid, _)| *pid == p.pid) {
        all.push(Evidence::PidFile(path.to_owned()));
    }
    if let Some(unit) = slot.unit.as_ref().filter(|u| p.groups.iter().any(|g| g == *u)) {
        all.push(Evidence::Unit(unit.clone()));
    }
    // pairdeck itself and the shell above it name the file too.
    if !ours {
        if inode.is_some_and(|i| p.named.contains(&i)) {
            all.push(Evidence::Argv);
        }
        if identity.is_some_and(|i| i.folder.is_some() && p.cwd == i.folder) {
            all.push(Evidence::Cwd);
        }
    }
    all
}

/// One holder a family: a worker's children, and the shell that started it, are the same holder. Chance is told only where
/// nothing better is known.
fn families(mut found: Vec<Holder>, table: &Table) -> Vec<Holder> {
    let sure = found.iter().any(Holder::is_sure);
    found.retain(|h| h.is_sure() || !sure);
    found.sort_by(|a, b| a.evidence.cmp(&b.evidence).then(a.pid.cmp(&b.pid)));
    let mut kept: Vec<Holder> = Vec::new();
    for h in found {
        let unit = |h: &Holder| h.evidence.iter().find_map(|e| if let Evidence::Unit(u) = e { Some(u.clone()) } else { None });
        let kin = |k: &Holder| table.descends(h.pid, k.pid) || table.descends(k.pid, h.pid) || (unit(k).is_some() && unit(k) == unit(&h));
        match kept.iter_mut().find(|k| kin(k)) {
            Some(k) => {
                for e in h.evidence {
                    if !k.evidence.contains(&e) {
                        k.evidence.push(e);
                    }
                }
            }
            None => kept.push(h),
        }
    }
    kept
}

/// What a pidfile says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pid {
    Alive(u32),
    Gone(u32, Gone),
    Nothing,
}

/// Files and processes keep time by different clocks with different grains.
const GRAIN: Duration = Duration::from_secs(3);

/// The process that a pidfile names, unless it is gone, or its id has gone to a process that began after the file was written:
/// in this boot or in an earlier one.
fn pidfile(path: &Path, table: &Table) -> Pid {
    let Some((pid, written)) = told(path) else { return Pid::Nothing };
    named(pid, Some(written), table)
}

/// The same of an id that was written down at that time.
fn named(pid: u32, written: Option<std::time::SystemTime>, table: &Table) -> Pid {
    let written = written.and_then(|w| w.elapsed().ok());
    let before_boot = written.zip(age(0)).is_some_and(|(file, boot)| boot + GRAIN < file);
    match table.get(pid) {
        _ if before_boot => Pid::Gone(pid, Gone::OtherBoot),
        None => Pid::Gone(pid, Gone::Dead),
        Some(process) => match (age(process.start), written) {
            (Some(process), Some(file)) if process + GRAIN < file => Pid::Gone(pid, Gone::Reused),
            _ => Pid::Alive(pid),
        },
    }
}

fn told(path: &Path) -> Option<(u32, std::time::SystemTime)> {
    let meta = fs::metadata(path).ok().filter(|m| m.is_file() && m.len() <= 64)?;
    let pid = fs::read_to_string(path).ok()?.trim().parse().ok().filter(|p| *p > 0)?;
    Some((pid, meta.modified().ok()?))
}

/// Clock ticks a second as `/proc` counts them: 100 wherever Linux runs today (`USER_HZ`).
#[cfg(target_os = "linux")]
const TICKS: u64 = 100;

/// How long ago a process began, by its start in clock ticks since boot.
#[cfg(target_os = "linux")]
fn age(start: u64) -> Option<Duration> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = Duration::new(u64::try_from(now.tv_sec).ok()?, u32::try_from(now.tv_nsec).ok()?);
    Some(now.saturating_sub(Duration::from_millis(start.saturating_mul(1000) / TICKS)))
}

#[cfg(not(target_os = "linux"))]
fn age(_: u64) -> Option<Duration> {
    None
}

/// Removes a file that [`Held::stale`] names, if it still names nobody. True when it is gone.
pub fn clean(path: &Path) -> bool {
    if run_lock::left(path).is_some() {
        return run_lock::clean(path);
    }
    matches!(pidfile(path, &Table::scan(&std::collections::HashSet::new())), Pid::Gone(..)) && fs::remove_file(path).is_ok()
}

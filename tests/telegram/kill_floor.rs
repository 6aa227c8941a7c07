//! What is done to a Telegram account while the program is killed, on what it stands, and what it comes to when it is done.

use crate::support::{
    house::{Ran, until},
    kill::struck,
    tg::{OWNER, ROBOT, Tg, lies},
};
use pairdeck::{providers::telegram::KeyId, sandbox::TelegramSession, store::Store};
use std::{collections::BTreeMap, fmt, fs, time::Duration};

/// More than any plan has kill points.
pub const SLOTS: usize = 100;

/// Where a process is killed.
#[derive(Clone, Debug)]
pub enum Point {
    /// The Nth question to a data centre, before or after it is carried out.
    Question { n: usize, what: &'static str, done: bool },
    /// The Nth commit of the journal.
    Journal { n: usize, after: bool },
    /// So long after its start, whatever it is at then.
    Instant { after: Duration },
}

impl Point {
    pub const fn side(&self) -> &'static str {
        match self {
            Self::Question { done: true, .. } | Self::Journal { after: true, .. } => "after",
            Self::Question { .. } | Self::Journal { .. } => "before",
            Self::Instant { .. } => "any",
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question { n, what, .. } => write!(f, "question {n:>2} {:<6} {what}", self.side()),
            Self::Journal { n, .. } => write!(f, "journal  {n:>2} {:<6}", self.side()),
            Self::Instant { after } => write!(f, "{} us after its start", after.as_micros()),
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deed {
    /// A slot that has a session gets another one; the old one is ended.
    Regenerate,
    /// A slot without a file gets its first session.
    NewLogin,
    /// A slot that the configuration does not name yet, by `pair --slot`.
    NewSlot,
    /// A slot's file goes to the trash, its session is ended.
    Wipe,
    /// A bot's slot.
    Bot,
    /// One session.
    Terminate,
    /// All but the operator's own.
    TerminateOthers,
    /// The operator's own.
    LogOut,
}

/// The servers and the disk, as far as a deed may change them.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub rows: BTreeMap<i64, Option<KeyId>>,
    pub file: Option<KeyId>,
    /// The configuration names the slot.
    pub listed: bool,
}

impl Deed {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regenerate => "regenerate",
            Self::NewLogin => "new-login",
            Self::NewSlot => "new-slot",
            Self::Wipe => "wipe",
            Self::Bot => "bot",
            Self::Terminate => "terminate",
            Self::TerminateOthers => "terminate-others",
            Self::LogOut => "log-out",
        }
    }

    pub const fn account(self) -> i64 {
        if matches!(self, Self::Bot) { ROBOT } else { OWNER }
    }

    pub fn slot(self, number: usize) -> String {
        let letter = match self {
            Self::Bot => 'b',
            Self::NewSlot => 'n',
            _ => 's',
        };
        format!("{letter}{number}")
    }
}

/// Servers and a home, used for one point after another.
pub struct Floor {
    pub all: Tg,
    pub deed: Deed,
}

impl Floor {
    pub fn new(deed: Deed) -> Self {
        let (slots, robots) = match deed {
            Deed::Bot => (1, SLOTS),
            Deed::Regenerate | Deed::NewLogin | Deed::Wipe => (SLOTS, 1),
            _ => (1, 1),
        };
        let mut all = Tg::open(slots, robots);
        // What pairing left in the journal is not ours.
        all.op();
        Self { all, deed }
    }

    /// Makes what the deed needs, and says with which words it is done.
    pub fn prepare(&self, number: usize) -> Vec<String> {
        let (deed, tg) = (self.deed, self.all.tg());
        let stranger = || TelegramSession { device: format!("stranger {number}"), age: Duration::from_secs(3600), ..TelegramSession::default() };
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).chain(["--yes".into(), "--json".into()]).collect();
        let slot = deed.slot(number);
        match deed {
            Deed::Regenerate | Deed::Wipe => {
                self.all.seat(OWNER, &slot, number);
                words(&[if deed == Deed::Wipe { "wipe" } else { "regenerate" }, &format!("tg:ada/{slot}")])
            }
            Deed::NewLogin => words(&["regenerate", &format!("tg:ada/{slot}")]),
            Deed::NewSlot => {
                let file = self.all.file(&slot);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                ["pair", "tg:ada", "--slot", &slot, "--file", file.to_str().unwrap(), "--json"].map(str::to_owned).to_vec()
            }
            Deed::Bot => {
                // Every second one has a session already, which a bot cannot end.
                if number.is_multiple_of(2) {
                    self.all.seat(ROBOT, &slot, 1000 + number);
                }
                words(&["regenerate", &format!("tg:robot/{slot}")])
            }
            Deed::Terminate => {
                let hash = tg.add_session(OWNER, &stranger()).unwrap();
                words(&["wipe", &format!("tg:ada/~{hash:016x}")])
            }
            Deed::TerminateOthers => {
                tg.add_session(OWNER, &stranger()).unwrap();
                tg.add_session(OWNER, &stranger()).unwrap();
                words(&["do", "end-others", "tg:ada"])
            }
            Deed::LogOut => {
                if self.own().is_none() {
                    self.all.pair();
                }
                words(&["wipe", "tg:ada"])
            }
        }
    }

    /// The operator's own row.
    pub fn own(&self) -> Option<i64> {
        self.all.tg().devices(OWNER).into_iter().find(|d| d.device.starts_with("pairdeck@")).map(|d| d.hash)
    }

    pub fn look(&self, number: usize) -> Look {
        let rows = self.all.tg().devices(self.deed.account()).into_iter().map(|d| (d.hash, d.key.map(KeyId)));
        let slot = self.deed.slot(number);
        let config = fs::read_to_string(self.all.home.file("config.toml")).unwrap();
        let listed = config.contains(&format!(".slot.{slot}]"));
        Look { rows: rows.collect(), file: lies(&self.all.file(&slot)), listed }
    }

    /// Runs the program and kills it at the point; its end if the point never came.
    pub fn killed(&self, args: &[&str], point: &Point) -> Option<Ran> {
        let (tg, home) = (self.all.tg(), &self.all.home);
        tg.clear();
        let mut command = home.command(args);
        match point {
            Point::Journal { n, .. } => {
                command.env("PAIRDECK_DEBUG_KILL_AT", format!("journal:{n}:{}", point.side()));
                let ran = home.finish(command.spawn().unwrap());
                (ran.code != -9).then_some(ran)
            }
            Point::Instant { after } => struck(home, command.spawn().unwrap(), *after),
            Point::Question { n, done, what } => {
                tg.hold(*n, *done);
                let mut child = command.spawn().unwrap();
                until(&format!("{args:?}: {point}"), || tg.holding() || child.try_wait().unwrap().is_some());
                let over = child.try_wait().unwrap().is_some();
                child.kill().unwrap();
                let ran = home.finish(child);
                let met = tg.questions().get(n - 1).copied();
                tg.heal();
                if !over {
                    assert_eq!(met, Some(*what), "another question was met");
                }
                over.then_some(ran)
            }
        }
    }

    /// What the deed comes to when it is done, compared with what was before.
    pub fn check_done(&self, number: usize, before: &Look, after: &Look, at: &str) {
        let (deed, tg) = (self.deed, self.all.tg());
        let gone: Vec<i64> = before.rows.keys().filter(|h| !after.rows.contains_key(h)).copied().collect();
        let new: Vec<_> = after.rows.iter().filter(|(h, _)| !before.rows.contains_key(h)).collect();
        let old: Option<i64> = before.file.and_then(|k| before.rows.iter().find(|(_, key)| **key == Some(k)).map(|(h, _)| *h));
        match deed {
            Deed::Regenerate | Deed::NewLogin | Deed::NewSlot | Deed::Bot => {
                assert!(after.listed, "{at}");
                assert!(after.file.is_some() && after.file != before.file, "{after:?} {at}");
                let keys: Vec<_> = new.iter().map(|(_, key)| **key).collect();
                assert_eq!(keys, [after.file], "one new session, of the file's key: {at}");
                assert!(tg.alive(after.file.unwrap().0), "{at}");
                // A bot has nobody who could end its old session.
                let ended: Vec<i64> = if deed == Deed::Bot { Vec::new() } else { old.into_iter().collect() };
                assert_eq!(gone, ended, "{at}");
            }
            Deed::Wipe => {
                assert_eq!((after.file, &gone, new.len()), (None, &old.into_iter().collect(), 0), "{at}");
                let trash = self.all.file(&deed.slot(number)).with_file_name(".pairdeck-trash");
                assert_eq!(fs::read_dir(trash).unwrap().count(), 1, "it can come back: {at}");
            }
            Deed::Terminate | Deed::LogOut => assert_eq!((gone.len(), new.len()), (1, 0), "{at}"),
            Deed::TerminateOthers => {
                let left: Vec<_> = after.rows.keys().copied().collect();
                assert_eq!(Some(left), self.own().map(|own| vec![own]), "{at}");
            }
        }
        if deed == Deed::LogOut {
            assert_eq!(self.own(), None, "{at}");
            let names = self.all.home.store(async |store: &Store| store.secret_list().await.unwrap());
            let kept: Vec<_> = names.iter().map(|(name, _)| name).filter(|n| n.ends_with("account/ada/operator")).collect();
            assert!(kept.is_empty(), "a dead key lies sealed: {kept:?} {at}");
        }
    }
}

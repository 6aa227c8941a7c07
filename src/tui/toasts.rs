//! Short news: one row, newest wins, the rest in the log. Bad news stays until a key is pressed.

use crate::{
    domain::{Boot, Stamp},
    i18n::{Lang, Message, deck as w},
};
use std::{collections::VecDeque, time::Duration};

/// Lines kept in the log.
const LOG: usize = 500;
/// More good news than this within [`FLOOD`] is counted, not drawn one by one.
const FLOOD_AT: usize = 3;
const FLOOD: u64 = 2_000;

/// Weight of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Bad: stays until a key.
    Bad,
    /// An answer to a key.
    Hint,
    /// Good: fades.
    Good,
}

/// One line of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Stamp,
    /// Its weight.
    pub level: Level,
    /// The text.
    pub text: String,
}

/// The toast row and its log.
#[derive(Debug, Default)]
pub struct Toasts {
    current: Option<(Entry, Option<Boot>)>,
    log: VecDeque<Entry>,
    unseen: usize,
    recent: VecDeque<Boot>,
    pushed: usize,
}

impl Toasts {
    /// Takes one. `stay`: seconds that it is shown; `None`: until a key.
    pub fn push(&mut self, now: Stamp, level: Level, text: String, stay: Option<Duration>, lang: Lang) {
        let at = now.boot_now();
        let entry = Entry { at: now, level, text };
        self.pushed += 1;
        self.log.push_back(entry.clone());
        if self.log.len() > LOG {
            self.log.pop_front();
        }
        // What answers a key is never folded away: a dead key answers, however fast it is pressed.
        if level != Level::Hint {
            self.recent.push_back(at);
        }
        while self.recent.front().is_some_and(|b| at.0.saturating_sub(b.0) > FLOOD) {
            self.recent.pop_front();
        }
        let until = if level == Level::Bad { None } else { stay.map(|d| at.plus(d)) };
        // Bad news is not pushed off by good news.
        if level == Level::Good && self.current.as_ref().is_some_and(|(e, _)| e.level == Level::Bad) {
            self.unseen += 1;
            return;
        }
        if self.current.is_some() {
            self.unseen += 1;
        }
        let mut shown = entry;
        if level != Level::Hint && self.recent.len() > FLOOD_AT {
            shown.text = Message::new(&w::TOAST_FLOOD).with("n", self.recent.len().to_string()).text(lang);
        }
        self.current = Some((shown, until));
    }

    /// A key was pressed: bad news was seen.
    pub fn key(&mut self) {
        if self.current.as_ref().is_some_and(|(e, _)| e.level != Level::Good) {
            self.current = None;
            self.unseen = 0;
        }
    }

    /// What that text said is so no more. True when the row changed.
    pub fn over(&mut self, text: &str) -> bool {
        let shown = self.current.as_ref().is_some_and(|(e, _)| e.level == Level::Bad && e.text == text);
        if shown {
            self.current = None;
            self.unseen = 0;
        }
        shown
    }

    /// Time went on. True when the row changed.
    pub fn tick(&mut self, now: Boot) -> bool {
        if self.current.as_ref().is_some_and(|(_, until)| until.is_some_and(|u| u <= now)) {
            self.current = None;
            self.unseen = 0;
            return true;
        }
        false
    }

    /// When the row empties by itself.
    pub fn until(&self) -> Option<Boot> {
        self.current.as_ref().and_then(|(_, u)| *u)
    }

    /// What the row shows, and how many more there are.
    pub fn current(&self) -> Option<(&Entry, usize)> {
        self.current.as_ref().map(|(e, _)| (e, self.unseen))
    }

    /// How many there were since the start: who tells each once remembers this.
    pub fn pushed(&self) -> usize {
        self.pushed
    }

    /// The log, oldest first.
    pub fn log(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.log.iter()
    }
}

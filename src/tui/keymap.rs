//! What each key does, by name. The help, the footer and the palette are made from the live map, so that they cannot lie.

use super::keys::Chord;
use crate::i18n::{Words, deck as w, slots as s};
use std::collections::HashMap;

/// Where a key is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// On the list.
    Deck,
    /// On the pairing screen.
    Pairing,
    /// In the token view, besides keys of the deck.
    Token,
}

/// Headings of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// What changes something.
    Act,
    /// Marks.
    Mark,
    /// The cursor.
    Move,
    /// What only shows.
    Look,
    /// The program itself.
    App,
    /// The pairing screen.
    Pairing,
}

impl Group {
    /// In the order of the help.
    pub const ALL: [Self; 6] = [Self::Act, Self::Mark, Self::Move, Self::Look, Self::App, Self::Pairing];
    /// Its heading.
    pub fn words(self) -> &'static Words {
        match self {
            Self::Act => &w::GROUP_ACT,
            Self::Mark => &w::GROUP_MARK,
            Self::Move => &w::GROUP_MOVE,
            Self::Look => &w::GROUP_LOOK,
            Self::App => &w::GROUP_APP,
            Self::Pairing => &w::GROUP_PAIRING,
        }
    }
}

macro_rules! acts {
    ($($(#[$d:meta])* $name:ident $mode:ident $group:ident $text:literal $words:ident [$($key:literal),*];)*) => {
        /// Everything that a key can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Act { $($(#[$d])* $name,)* }
        impl Act {
            /// Every act, in the order of the help.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// Its name in the configuration.
            pub const fn name(self) -> &'static str { match self { $(Self::$name => $text,)* } }
            /// What it does, in a word or two.
            pub fn words(self) -> &'static Words { match self { $(Self::$name => &w::$words,)* } }
            /// Where it works.
            pub const fn mode(self) -> Mode { match self { $(Self::$name => Mode::$mode,)* } }
            /// Its heading in the help.
            pub const fn group(self) -> Group { match self { $(Self::$name => Group::$group,)* } }
            const fn defaults(self) -> &'static [&'static str] { match self { $(Self::$name => &[$($key),*],)* } }
        }
    };
}

acts! {
    /// Pair the row.
    Pair Deck Act "pair" ACT_PAIR ["p"];
    /// Arm a wipe.
    Wipe Deck Act "wipe" ACT_WIPE ["w"];
    /// Arm a regenerate.
    Regenerate Deck Act "regenerate" ACT_REGENERATE ["r"];
    /// The menu of rarer verbs.
    More Deck Act "more" ACT_MORE ["m"];
    /// Take back the newest.
    Undo Deck Act "undo" ACT_UNDO ["u"];
    /// Take back all.
    UndoAll Deck Act "undo_all" ACT_UNDO_ALL ["U"];
    /// The last verb again: arms.
    Repeat Deck Act "repeat" ACT_REPEAT ["."];
    /// Give the focus to the armed row, or back.
    Focus Deck Act "focus" ACT_FOCUS ["tab"];
    /// Mark and move down.
    Mark Deck Mark "mark" ACT_MARK ["space"];
    /// Mark from the last mark to here.
    MarkRange Deck Mark "mark_range" ACT_MARK_RANGE ["V"];
    /// Mark all shown.
    MarkAll Deck Mark "mark_all" ACT_MARK_ALL ["*"];
    /// Down.
    Down Deck Move "down" ACT_DOWN ["j", "down", "ctrl-n"];
    /// Up.
    Up Deck Move "up" ACT_UP ["k", "up", "ctrl-p"];
    /// First row.
    Top Deck Move "top" ACT_TOP ["g", "home"];
    /// Last row.
    Bottom Deck Move "bottom" ACT_BOTTOM ["G", "end"];
    /// Fold.
    Fold Deck Move "fold" ACT_FOLD ["h", "left"];
    /// Unfold.
    Unfold Deck Move "unfold" ACT_UNFOLD ["l", "right"];
    /// Half a page down.
    HalfDown Deck Move "half_down" ACT_HALF_DOWN ["ctrl-d"];
    /// Half a page up.
    HalfUp Deck Move "half_up" ACT_HALF_UP ["ctrl-u"];
    /// A page down.
    PageDown Deck Move "page_down" ACT_PAGE_DOWN ["pgdn", "ctrl-f"];
    /// A page up.
    PageUp Deck Move "page_up" ACT_PAGE_UP ["pgup"];
    /// Next problem.
    NextProblem Deck Move "next_problem" ACT_NEXT_PROBLEM ["n"];
    /// Previous problem.
    PrevProblem Deck Move "prev_problem" ACT_PREV_PROBLEM ["N"];
    /// Next gateway.
    NextGateway Deck Move "next_gateway" ACT_NEXT_GATEWAY ["]"];
    /// Previous gateway.
    PrevGateway Deck Move "prev_gateway" ACT_PREV_GATEWAY ["["];
    /// Open what is under the cursor; fires an armed action that has the focus.
    Open Deck Look "open" ACT_OPEN ["enter"];
    /// The timeline.
    Timeline Deck Look "timeline" ACT_TIMELINE ["t"];
    /// The token.
    Token Deck Look "token" ACT_TOKEN ["T"];
    /// The slot plan.
    Plan Deck Look "plan" ACT_PLAN ["f"];
    /// Why a client cannot log in.
    Why Deck Look "why" ACT_WHY ["Q"];
    /// Clock evidence.
    Clock Deck Look "clock" ACT_CLOCK ["c"];
    /// The log of toasts.
    Log Deck Look "log" ACT_LOG ["L"];
    /// Filter.
    Filter Deck Look "filter" ACT_FILTER ["/"];
    /// Filter by state.
    StateFilter Deck Look "state_filter" ACT_STATE_FILTER ["'"];
    /// Next order.
    Sort Deck Look "sort" ACT_SORT ["s"];
    /// Reverse the order.
    Reverse Deck Look "reverse" ACT_REVERSE ["S"];
    /// Show the number for some seconds.
    Show Deck Look "show" ACT_SHOW ["v"];
    /// Copy the target's name.
    Copy Deck Look "copy" ACT_COPY ["y"];
    /// Add a gateway.
    Add Deck App "add" ACT_ADD ["a"];
    /// The palette.
    Palette Deck App "palette" ACT_PALETTE [":"];
    /// The help.
    Help Deck App "help" ACT_HELP ["?"];
    /// Hide names. In every overlay too; its second key where the first would be typed.
    Hide Deck App "hide" ACT_HIDE ["H", "ctrl-t"];
    /// Freeze the order.
    Freeze Deck App "freeze" ACT_FREEZE ["z"];
    /// Mouse on or off.
    Mouse Deck App "mouse" ACT_MOUSE ["M"];
    /// Draw again.
    Redraw Deck App "redraw" ACT_REDRAW ["ctrl-l"];
    /// Suspend.
    Suspend Deck App "suspend" ACT_SUSPEND ["ctrl-z"];
    /// Quit.
    Quit Deck App "quit" ACT_QUIT ["q"];
    /// In the token view: one request although the platform said to wait.
    Breaker Token Act "token.breaker" ACT_BREAKER ["b"];
    /// Use a pairing code.
    PairCode Pairing Pairing "pairing.code" ACT_PAIR_CODE ["k"];
    /// Use a QR.
    PairQr Pairing Pairing "pairing.qr" ACT_PAIR_QR ["g"];
    /// Ask again.
    PairAgain Pairing Pairing "pairing.again" ACT_PAIR_AGAIN ["r"];
    /// Write the QR to a file.
    PairPng Pairing Pairing "pairing.png" ACT_PAIR_PNG ["o"];
    /// Other block style.
    PairStyle Pairing Pairing "pairing.style" ACT_PAIR_STYLE ["i"];
    /// Larger QR.
    PairLarger Pairing Pairing "pairing.larger" ACT_PAIR_LARGER ["+", "="];
    /// Smaller QR.
    PairSmaller Pairing Pairing "pairing.smaller" ACT_PAIR_SMALLER ["-"];
    /// First key of the override.
    PairOverride Pairing Pairing "pairing.override" ACT_PAIR_OVERRIDE ["!"];
    /// Second key of the override.
    PairConfirm Pairing Pairing "pairing.confirm" ACT_PAIR_CONFIRM ["s"];
    /// Copy the code.
    PairCopy Pairing Pairing "pairing.copy" ACT_PAIR_COPY ["y"];
    /// Show the number.
    PairShow Pairing Pairing "pairing.show" ACT_PAIR_SHOW ["v"];
    /// Clock evidence.
    PairClock Pairing Pairing "pairing.clock" ACT_CLOCK ["c"];
    /// Take back the newest armed action.
    PairUndo Pairing Pairing "pairing.undo" ACT_UNDO ["u"];
    /// The help.
    PairHelp Pairing Pairing "pairing.help" ACT_HELP ["?"];
}

/// Keys of the deck that work in the token view, with what they do there.
pub const TOKEN_VIEW: [(Act, &Words); 13] = [
    (Act::Regenerate, &s::TOKEN_ACT_FETCH),
    (Act::Wipe, &s::TOKEN_ACT_CACHES),
    (Act::Show, &s::TOKEN_ACT_SHOW),
    (Act::Copy, &s::TOKEN_ACT_COPY),
    (Act::Token, &s::TOKEN_ACT_CLOSE),
    (Act::Down, &w::ACT_DOWN),
    (Act::Up, &w::ACT_UP),
    (Act::PageDown, &w::ACT_PAGE_DOWN),
    (Act::PageUp, &w::ACT_PAGE_UP),
    (Act::Top, &w::ACT_TOP),
    (Act::Bottom, &w::ACT_BOTTOM),
    (Act::Hide, &w::ACT_HIDE),
    (Act::Help, &w::ACT_HELP),
];

/// One line of `[keys]` in the configuration.
#[derive(Clone, Debug)]
pub struct KeyOverride {
    /// Name of the act.
    pub act: String,
    /// Its keys, in place of the built-in ones.
    pub keys: Vec<String>,
    /// Line in the file, if known.
    pub line: Option<usize>,
}

/// What is wrong with a keymap.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeymapError {
    /// No act has that name.
    #[error("line {line}: keys.{act}: there is no such action; `pairdeck config example` lists them")]
    Act {
        /// The name.
        act: String,
        /// Line in the file, 0 if not known.
        line: usize,
    },
    /// A key that cannot be read or reached.
    #[error("line {line}: keys.{act} = \"{key}\": {why}")]
    Key {
        /// The act.
        act: String,
        /// The key.
        key: String,
        /// Why.
        why: &'static str,
        /// Line in the file, 0 if not known.
        line: usize,
    },
    /// Two acts on one key.
    #[error("line {line}: keys.{act} = \"{key}\": that key already does `{other}`; give that one another key first")]
    Clash {
        /// The act.
        act: String,
        /// The key.
        key: String,
        /// Who has it.
        other: &'static str,
        /// Line in the file, 0 if not known.
        line: usize,
    },
    /// An act without a key.
    #[error("line {line}: keys.{act}: this action needs a key")]
    Unreachable {
        /// The act.
        act: String,
        /// Line in the file, 0 if not known.
        line: usize,
    },
}

/// The live map.
#[derive(Clone, Debug)]
pub struct Keymap {
    by_key: HashMap<(Mode, Chord), Act>,
    by_act: HashMap<Act, Vec<Chord>>,
    changed: Vec<Act>,
}

impl Keymap {
    /// The built-in map with the configuration's lines laid over it.
    pub fn new(overrides: &[KeyOverride]) -> Result<Self, KeymapError> {
        let mut by_act: HashMap<Act, Vec<Chord>> =
            Act::ALL.iter().map(|a| (*a, a.defaults().iter().filter_map(|k| Chord::parse(k).ok()).collect())).collect();
        let mut changed = Vec::new();
        let mut lines: HashMap<Act, usize> = HashMap::new();
        for o in overrides {
            let line = o.line.unwrap_or(0);
            let Some(act) = Act::ALL.iter().copied().find(|a| a.name() == o.act) else { return Err(KeymapError::Act { act: o.act.clone(), line }) };
            if o.keys.is_empty() {
                return Err(KeymapError::Unreachable { act: o.act.clone(), line });
            }
            let mut chords = Vec::new();
            for key in &o.keys {
                let bad = |why| KeymapError::Key { act: o.act.clone(), key: key.clone(), why, line };
                let chord = Chord::parse(key).map_err(bad)?;
                Self::allowed(act, chord).map_err(bad)?;
                chords.push(chord);
            }
            by_act.insert(act, chords);
            changed.push(act);
            lines.insert(act, line);
        }
        let mut by_key: HashMap<(Mode, Chord), Act> = HashMap::new();
        // Acts of the configuration come last, so that a clash is reported on the line that made it.
        let order = Act::ALL.iter().filter(|a| !lines.contains_key(a)).chain(Act::ALL.iter().filter(|a| lines.contains_key(a)));
        for act in order {
            for chord in by_act.get(act).into_iter().flatten() {
                if let Some(other) = by_key.insert((act.mode(), *chord), *act).filter(|o| o != act) {
                    let line = lines.get(act).copied().unwrap_or(0);
                    return Err(KeymapError::Clash { act: act.name().into(), key: chord.to_string(), other: other.name(), line });
                }
            }
        }
        // A view that has keys of the deck and keys of its own.
        for own in Act::ALL.iter().filter(|a| a.mode() == Mode::Token) {
            for chord in by_act.get(own).into_iter().flatten() {
                let Some((of_deck, _)) = TOKEN_VIEW.iter().find(|(a, _)| by_act.get(a).is_some_and(|keys| keys.contains(chord))) else { continue };
                let (act, other) = if lines.contains_key(of_deck) { (of_deck, own) } else { (own, of_deck) };
                let line = lines.get(act).copied().unwrap_or(0);
                return Err(KeymapError::Clash { act: act.name().into(), key: chord.to_string(), other: other.name(), line });
            }
        }
        Ok(Self { by_key, by_act, changed })
    }

    fn allowed(act: Act, chord: Chord) -> Result<(), &'static str> {
        let arms = ["p", "w", "r"].iter().filter_map(|k| Chord::parse(k).ok());
        if matches!(chord, Chord { code: crossterm::event::KeyCode::Esc, .. }) || (chord.ctrl && chord.code == crossterm::event::KeyCode::Char('c')) {
            return Err("Esc and ctrl-c always lead to safety and cannot be bound");
        }
        if matches!(act, Act::PairOverride | Act::PairConfirm) {
            let easy = ["enter", "space", "y"].iter().filter_map(|k| Chord::parse(k).ok()).chain(arms);
            if easy.into_iter().any(|c| c == chord) {
                return Err("the override may not lie on Enter, space, y or a key that arms");
            }
        }
        Ok(())
    }

    /// What that key does there.
    pub fn act(&self, mode: Mode, chord: Chord) -> Option<Act> {
        self.by_key.get(&(mode, chord)).copied()
    }

    /// The keys of an act.
    pub fn keys(&self, act: Act) -> &[Chord] {
        self.by_act.get(&act).map_or(&[], Vec::as_slice)
    }

    /// The first key of an act, as text.
    pub fn key(&self, act: Act) -> String {
        self.keys(act).first().map_or_else(|| "-".into(), ToString::to_string)
    }

    /// Acts that the configuration moved.
    pub fn changed(&self) -> &[Act] {
        &self.changed
    }
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new(&[]).unwrap_or(Self { by_key: HashMap::new(), by_act: HashMap::new(), changed: Vec::new() })
    }
}

#[cfg(test)]
mod tests;

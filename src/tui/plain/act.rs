//! What typed commands do. Each goes through the same update as a key of the drawn deck.

use super::{
    rows,
    run::Deck,
    spoken,
    typed::{RowWish, Typed, read},
    voice::Voice,
};
use crate::{
    domain::{Action, Method},
    engine::{Command, mailbox::PairStage},
    i18n::{Message, deck, plain as w},
    tui::{edit::Field, effect::Do, event::Event, fleet::Slot, keymap::Act, overlay::Overlay, update, view::overlays},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

impl<V: Voice> Deck<'_, V> {
    /// One typed line.
    pub(super) fn line(&mut self, line: &str) {
        if matches!(self.app.overlays.last(), Some(Overlay::Unlock(_))) {
            return self.answer(line, true);
        }
        if matches!(self.app.overlays.last(), Some(Overlay::Answer(_))) {
            // An empty line leaves it, as it leaves a question of an attempt.
            return if line.is_empty() { self.press(KeyCode::Esc) } else { self.answer(line, false) };
        }
        match self.app.pairing.as_ref().map(|p| &p.view.stage) {
            Some(PairStage::Ask(_)) if line.is_empty() => return self.press(KeyCode::Esc),
            Some(PairStage::Ask(_)) => return self.answer(line, false),
            _ => {}
        }
        let typed = read(line);
        let armed = self.app.pairing.as_ref().is_some_and(|p| p.screen.borrow().override_armed);
        if armed && typed != Typed::Confirm {
            // Two words, no default: whatever is not the second leaves it hidden. Then it is what it says.
            self.perform(Act::PairOverride);
        }
        self.carry(typed);
        self.drop_forms();
    }

    fn carry(&mut self, typed: Typed<'_>) {
        let lang = self.app.lang();
        let pairing = self.app.pairing.is_some();
        match typed {
            Typed::Where => self.stand(),
            Typed::Row(n, wish) => self.row(n, wish),
            Typed::List(what) => {
                let list = self.numbers.list(&self.app, what);
                self.say_all(list);
            }
            Typed::Undo => self.perform(Act::Undo),
            Typed::UndoAll => self.perform(Act::UndoAll),
            Typed::Go if pairing => {
                self.app.overlays.clear();
                self.press(KeyCode::Enter);
            }
            Typed::Go if self.app.armed.is_empty() => self.perform(Act::Undo),
            Typed::Go => {
                self.app.armed.focus = true;
                self.perform(Act::Open);
            }
            Typed::Leave if pairing => self.leave(),
            Typed::Again if pairing => self.perform(Act::PairAgain),
            Typed::Code(number) if pairing => self.switch(Act::PairCode, Method::Code, number),
            Typed::Qr if pairing => self.switch(Act::PairQr, Method::Qr, None),
            Typed::Png if pairing => self.perform(Act::PairPng),
            Typed::Override if pairing => self.perform(Act::PairOverride),
            Typed::Confirm if pairing => self.perform(Act::PairConfirm),
            Typed::Clock => self.clock(),
            Typed::Help => self.say_all(w::HELP.iter().map(|h| h.get(lang).to_owned())),
            Typed::Quit => {
                self.perform(Act::Quit);
                if self.done.is_none() {
                    self.say(w::FINISHING.get(lang));
                }
            }
            Typed::Leave | Typed::Again | Typed::Code(_) | Typed::Qr | Typed::Png | Typed::Override | Typed::Confirm => {
                self.say(w::NOTHING.get(lang));
            }
            Typed::Unknown(text) => self.say(&Message::new(&w::NOT_A_COMMAND).with("text", text).text(lang)),
        }
    }

    /// Carries out an act of the drawn deck.
    pub(super) fn perform(&mut self, act: Act) {
        let effects = update::perform(&mut self.app, act, self.time.now());
        self.follow(effects);
    }

    fn press(&mut self, code: KeyCode) {
        self.event(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    /// Fills the field that has the focus and sends it. Empty is an answer only where a keyring may be asked.
    fn answer(&mut self, line: &str, always: bool) {
        if always || !line.is_empty() {
            self.event(Event::Paste(line.to_owned()));
            self.press(KeyCode::Enter);
        }
    }

    /// Esc would take back what is armed first: here leaving is a word of its own.
    fn leave(&mut self) {
        let effects = update::leave(&mut self.app, self.time.now());
        self.follow(effects);
    }

    /// No form stays open but the one that asks for a passphrase: the next line is a command again.
    fn drop_forms(&mut self) {
        self.app.overlays.retain(|o| matches!(o, Overlay::Unlock(_) | Overlay::Answer(_) | Overlay::Timeline(_)));
    }

    /// The row with that number, under the cursor. What was heard is what is hit: a namesake that came later is not it.
    fn aim(&mut self, n: usize) -> Option<Slot> {
        let lang = self.app.lang();
        let Some(target) = self.numbers.target(n).cloned() else {
            self.say(&Message::new(&w::NO_SUCH_ROW).with("n", n.to_string()).text(lang));
            return None;
        };
        let slot = self.app.fleet.find(&target);
        let same = |s: &Slot| self.app.fleet.get(*s).is_some_and(|e| !e.gone && e.row.incarnation == target.incarnation);
        match slot.filter(same) {
            Some(slot) if update::aim(&mut self.app, slot) => Some(slot),
            _ => {
                self.say(deck::GONE.get(lang));
                None
            }
        }
    }

    fn row(&mut self, n: usize, wish: RowWish<'_>) {
        if self.aim(n).is_none() {
            return;
        }
        match wish {
            RowWish::Tell => {
                let lines = rows::all_about(&self.app);
                self.say_all(lines);
            }
            RowWish::Wipe => self.arm(Action::Wipe),
            RowWish::Regenerate => self.arm(Action::Regenerate),
            RowWish::Code(number) => self.pair(n, Method::Code, number),
            RowWish::Qr => self.pair(n, Method::Qr, None),
            RowWish::More(letter) => self.more(n, letter),
            RowWish::Timeline => self.perform(Act::Timeline),
        }
    }

    fn arm(&mut self, action: Action) {
        let effects = update::arm(&mut self.app, action, self.time.now());
        self.follow(effects);
    }

    fn pair(&mut self, n: usize, method: Method, number: Option<&str>) {
        self.perform(Act::Pair);
        let ask = Message::new(&w::ASK_NUMBER).with("n", n.to_string());
        self.form(method, number, &ask);
    }

    fn switch(&mut self, act: Act, method: Method, number: Option<&str>) {
        self.perform(act);
        self.form(method, number, &Message::new(&w::ASK_NUMBER_SWITCH));
    }

    /// Fills the form that asks for method and number, as keys would; what is wrong with it is said.
    fn form(&mut self, method: Method, number: Option<&str>, ask: &Message) {
        let lang = self.app.lang();
        let Some(Overlay::Pair(f)) = self.app.overlays.last_mut() else { return };
        let Some(at) = f.methods.iter().position(|(m, _)| *m == method) else {
            return self.say(deck::NO_KEY.get(lang).replace("{key}", "qr").as_str());
        };
        f.pick = at;
        if let Some(number) = number {
            f.number = Field::with(number);
        }
        let missing = f.methods[at].1 && f.number.is_empty();
        if missing {
            return self.say(&ask.text(lang));
        }
        self.press(KeyCode::Enter);
        if let Some(Overlay::Pair(f)) = self.app.overlays.last()
            && let Some(trouble) = f.trouble.clone()
        {
            self.say(&spoken(&trouble));
        }
    }

    fn more(&mut self, n: usize, letter: Option<char>) {
        let lang = self.app.lang();
        let Some(letter) = letter else {
            let items = overlays::menu_items(&self.app);
            let verb = |i: &overlays::MenuItem| {
                let text = Message::new(&w::VERB).with("key", i.key.to_string()).with("what", &i.words).text(lang);
                i.dead.as_ref().map_or(text.clone(), |why| format!("{text} ({})", spoken(why)))
            };
            let verbs = items.iter().map(verb).collect::<Vec<_>>().join(", ");
            let m = Message::new(&w::VERBS).with("n", n.to_string()).with("verbs", verbs);
            let text = if items.is_empty() { w::NO_VERBS.get(lang).to_owned() } else { m.text(lang) };
            return self.say(&text);
        };
        self.perform(Act::More);
        self.press(KeyCode::Char(letter));
        match self.app.overlays.last() {
            Some(Overlay::Verb(_)) => self.say(w::VERB_CREATES.get(lang)),
            Some(Overlay::Why(_)) => self.say(crate::i18n::slots::WHY_PLAIN.get(lang)),
            _ => {}
        }
        if matches!(self.app.overlays.last(), Some(Overlay::Unlock(_))) {
            self.say(deck::UNLOCK_ASK.get(lang));
        }
    }

    /// The clock evidence, as the drawn deck has it; what is newer of the last day is asked for.
    fn clock(&mut self) {
        if self.app.gates.is_empty() {
            return self.say(w::NO_CLOCK.get(self.app.lang()));
        }
        let lines: Vec<String> =
            overlays::clock_lines(&self.app, usize::from(u16::MAX)).iter().map(|l| spoken(l)).filter(|l| !l.is_empty()).collect();
        self.say_all(lines);
        self.follow(vec![Do::Send(Command::ClockTracks)]);
    }

    /// Where things stand: what is armed, the attempt, the counts.
    pub(super) fn stand(&mut self) {
        self.forget_told();
        self.follow(Vec::new());
        let lines = rows::summary(&self.app);
        self.say_all(lines);
    }
}

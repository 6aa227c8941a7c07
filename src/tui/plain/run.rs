//! The loop: waits for a line, news, an instant or a signal; updates; says what is new.

use super::{
    attempt,
    rows::{self, Numbers},
    spoken,
    voice::Voice,
};
use crate::{
    domain::{State, Target, Time},
    engine::{Command, Mail, Mailbox},
    i18n::{Message, plain as w, state},
    tui::{
        app::App,
        effect::Do,
        event::Event,
        overlay::Overlay,
        run::{Ended, Exit, Signals, TuiError, until},
        start::{PngWriter, Start},
        text,
        toasts::Level,
        update::update,
        view::{armed::verb, overlays::timeline_lines},
    },
};
use futures_util::{Stream, StreamExt};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    sync::Arc,
};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::Instant,
};
use zeroize::Zeroizing;

/// Columns and rows that the state is told of: nothing is drawn, and every gateway of a usual fleet counts as looked at.
const SIZE: (u16, u16) = (100, 1_000);
/// More changes than this at once are counted, not named.
const MANY: usize = 6;

/// Runs the spoken deck until it ends. Wants a current-thread runtime.
///
/// # Errors
/// The keymap of the configuration, or signals that cannot be listened to.
pub async fn run<V: Voice>(
    mut start: Start,
    engine: mpsc::Sender<Command>,
    mailbox: Mailbox,
    mut lines: impl Stream<Item = io::Result<Zeroizing<String>>> + Unpin,
    voice: &mut V,
) -> Result<Ended, TuiError> {
    // No size keeps a QR from being asked for: it becomes a picture.
    start.qr_least = (0, 0);
    let (time, png) = (start.time.clone(), start.png.clone());
    let mut signals = Signals::new(start.signals)?;
    let app = App::new(start, time.now(), SIZE)?;
    let mut deck = Deck::new(app, engine, time, png, voice);
    deck.event(Event::Resize(SIZE.0, SIZE.1));
    deck.open();
    loop {
        if let Some(exit) = deck.done {
            deck.voice.echo(true);
            return Ok(Ended { exit, dropped: std::mem::take(&mut deck.app.dropped), fatal: deck.app.fatal.take() });
        }
        let wake = deck.wake();
        tokio::select! {
            biased;
            line = lines.next(), if !deck.closed => match line {
                Some(Ok(line)) => deck.line(&line),
                // The end of the input is the operator's goodbye; a terminal that broke is not.
                None => deck.close(),
                Some(Err(_)) => deck.event(Event::InputLost),
            },
            // Another size is nothing to a deck of lines.
            signal = signals.next() => if let Some(signal) = signal {
                deck.event(Event::Signal(signal));
            },
            () = mailbox.changed() => deck.mail(mailbox.take()),
            () = until(wake) => deck.event(Event::Tick),
        }
    }
}

/// What was said of an armed action.
struct ArmedTold {
    what: String,
    name: String,
    soon: bool,
}

/// The state, and what was said of it.
pub(super) struct Deck<'a, V: Voice> {
    pub(super) app: App,
    engine: mpsc::Sender<Command>,
    pub(super) time: Arc<dyn Time>,
    png: Option<PngWriter>,
    voice: &'a mut V,
    pub(super) done: Option<Exit>,
    closed: bool,
    pub(super) numbers: Numbers,
    attempt: attempt::Told,
    rows: HashMap<Target, State>,
    gateways: HashMap<crate::domain::GatewayId, State>,
    armed: BTreeMap<i64, ArmedTold>,
    toasts: usize,
}

impl<'a, V: Voice> Deck<'a, V> {
    fn new(app: App, engine: mpsc::Sender<Command>, time: Arc<dyn Time>, png: Option<PngWriter>, voice: &'a mut V) -> Self {
        Self {
            app,
            engine,
            time,
            png,
            voice,
            done: None,
            closed: false,
            numbers: Numbers::default(),
            attempt: attempt::Told::default(),
            rows: HashMap::new(),
            gateways: HashMap::new(),
            armed: BTreeMap::new(),
            toasts: 0,
        }
    }

    /// The first words: how many, in which states, and the rows that matter.
    fn open(&mut self) {
        self.note_all();
        for line in rows::summary(&self.app) {
            self.say(&line);
        }
        if self.app.opts.read_only {
            self.say(w::READ_ONLY.get(self.app.lang()));
        }
        for badge in self.app.opts.badges.clone() {
            self.say(badge.word(false));
        }
        let list = self.numbers.list(&self.app, None);
        self.say_all(list);
        self.say(w::HINT.get(self.app.lang()));
    }

    pub(super) fn say_all(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.say(&line);
        }
    }

    /// Says a line. One that cannot be said ends the deck as a closed terminal does: nobody hears it any more.
    pub(super) fn say(&mut self, line: &str) {
        let line = self.app.veil().map_or(std::borrow::Cow::Borrowed(line), |veil| veil.hide(line));
        if self.done.is_none() && self.voice.say(&line).is_err() {
            self.done = Some(Exit::InputLost);
            for effect in update(&mut self.app, Event::InputLost, self.time.now()) {
                if let Do::Send(command) = effect {
                    let _ = self.engine.try_send(command);
                }
            }
        }
    }

    fn close(&mut self) {
        self.closed = true;
        if !self.app.quitting {
            self.perform(crate::tui::keymap::Act::Quit);
        }
    }

    /// Takes an event, carries out what follows, says what is new.
    pub(super) fn event(&mut self, event: Event) {
        let effects = update(&mut self.app, event, self.time.now());
        self.follow(effects);
    }

    /// Carries out effects and what comes of them, then says what is new.
    pub(super) fn follow(&mut self, effects: Vec<Do>) {
        let mut effects = VecDeque::from(effects);
        loop {
            while let Some(effect) = effects.pop_front() {
                effects.extend(self.carry_out(effect));
            }
            effects.extend(self.tell());
            if effects.is_empty() {
                break;
            }
        }
        self.voice.echo(!self.masked());
    }

    /// What is armed and the attempt are said once more.
    pub(super) fn forget_told(&mut self) {
        self.armed.clear();
        self.attempt.forget();
    }

    /// The question of a running action, once; the next line answers it.
    fn question(&mut self) -> Vec<String> {
        let lang = self.app.lang();
        let Some(Overlay::Answer(f)) = self.app.overlays.last_mut() else { return Vec::new() };
        if std::mem::replace(&mut f.said, true) {
            return Vec::new();
        }
        let refused = f.prompt.again().into_iter().chain(f.prompt.beside()).map(|m| m.text(lang));
        refused.into_iter().chain([f.title.clone(), f.prompt.words.text(lang)]).map(|l| spoken(&l)).collect()
    }

    /// True while what is typed must not be seen.
    fn masked(&self) -> bool {
        attempt::Told::masked(&self.app)
            || match self.app.overlays.last() {
                Some(Overlay::Unlock(_)) => true,
                Some(Overlay::Answer(f)) => f.field.masked,
                _ => false,
            }
    }

    fn carry_out(&mut self, effect: Do) -> Vec<Do> {
        match effect {
            Do::Send(command) => self.send(command),
            Do::Suspend => {
                self.voice.stop();
                self.app.now = self.time.now();
                self.stand();
            }
            Do::Png(payload) => {
                let outcome = match &self.png {
                    Some(write) => write(&payload).map(|p| p.display().to_string()).map_err(|e| e.to_string()),
                    None => Err(crate::i18n::deck::NO_PNG.get(self.app.lang()).to_owned()),
                };
                return update(&mut self.app, Event::Png(outcome), self.time.now());
            }
            Do::Leave(exit) => {
                self.done.get_or_insert(exit);
            }
            // Nothing is drawn, no mouse is caught, and a clipboard is reached by sequences that a reader would speak.
            Do::Redraw | Do::Mouse(_) | Do::Copy(_) | Do::Bell => {}
        }
        Vec::new()
    }

    fn send(&mut self, command: Command) {
        if let Command::Fire(id) = &command
            && let Some(told) = self.armed.remove(id)
        {
            let m = Message::new(&w::STARTS).with("what", told.what).with("name", told.name);
            self.say(&m.text(self.app.lang()));
        }
        match self.engine.try_send(command) {
            Ok(()) => {}
            Err(TrySendError::Full(Command::Look { .. })) => self.app.looked = None,
            Err(TrySendError::Full(_)) => self.app.say(Level::Bad, &Message::new(&crate::i18n::deck::ENGINE_BUSY)),
            Err(TrySendError::Closed(_)) => {
                self.done.get_or_insert(if self.app.quitting { Exit::Quit } else { Exit::EngineEnded });
            }
        }
    }

    /// Says what is new since the last time. What has to be done for it comes back.
    fn tell(&mut self) -> Vec<Do> {
        let new = self.app.toasts.pushed() - self.toasts;
        self.toasts += new;
        let mut lines: Vec<String> = self.app.toasts.log().rev().take(new).map(|e| spoken(&e.text)).collect();
        lines.reverse();
        lines.extend(self.armed_news());
        lines.extend(self.timeline());
        lines.extend(self.question());
        let mut effects = Vec::new();
        lines.extend(self.attempt.tell(&self.app, &mut effects));
        self.say_all(lines);
        if self.done.is_none() {
            // Its sentence was written: that is what a drawn countdown is here. A stopped process leaves a gap, and disarms.
            self.app.drawn(self.time.now().boot_now(), !self.app.armed.is_empty());
        }
        effects
    }

    /// A timeline that was asked for, once it came.
    fn timeline(&mut self) -> Vec<String> {
        let came = |o: &Overlay| matches!(o, Overlay::Timeline(t) if t.lines.is_some());
        let Some(at) = self.app.overlays.iter().position(came) else { return Vec::new() };
        let Overlay::Timeline(t) = self.app.overlays.remove(at) else { return Vec::new() };
        timeline_lines(&self.app, &t).iter().map(|l| spoken(l)).collect()
    }

    fn armed_news(&mut self) -> Vec<String> {
        let (lang, now) = (self.app.lang(), self.app.now.boot_now());
        let mut lines = Vec::new();
        for o in self.app.armed.all() {
            let left = o.ends.map(|e| text::seconds_left(e.since(now)));
            if let Some(told) = self.armed.get_mut(&o.view.id) {
                if let Some(n) = left.filter(|n| o.fires && *n <= 10 && !told.soon) {
                    told.soon = true;
                    lines.push(Message::new(&w::SECONDS).with("n", n.to_string()).text(lang));
                }
                continue;
            }
            let told = ArmedTold {
                what: verb(&o.view.action, lang),
                name: if self.app.hide_names { "····".to_owned() } else { o.view.label.to_string() },
                soon: left.is_some_and(|n| n <= 10),
            };
            let words = match left {
                Some(_) if o.fires => &w::ARMED_IN,
                Some(_) => &w::ARMED_WAITS,
                None => &w::ARMED_WAITS_LONG,
            };
            let m = Message::new(words).with("what", &told.what).with("name", &told.name).with("n", left.unwrap_or(0).to_string());
            lines.push(capital(&m.text(lang)));
            for lost in &o.view.loses {
                lines.push(spoken(&Message::new(&w::LOST).with("what", lost.text(lang)).text(lang)));
            }
            self.armed.insert(o.view.id, told);
        }
        let still: Vec<i64> = self.app.armed.all().iter().map(|o| o.view.id).collect();
        self.armed.retain(|id, _| still.contains(id));
        lines
    }

    /// Takes news, and says which rows and gateways changed by them.
    fn mail(&mut self, mail: Mail) {
        let lang = self.app.lang();
        let first = self.app.fleet.is_empty();
        let mut rows: Vec<Target> = mail.rows.values().map(crate::domain::Row::target).collect();
        rows.sort_by_cached_key(Target::id);
        let gone: Vec<String> = mail.gone.iter().filter_map(|t| self.name_of(t)).collect();
        for t in &mail.gone {
            self.rows.retain(|k, _| !k.same(t));
        }
        self.event(Event::Mail(Box::new(mail)));
        self.gateway_news();
        if first && !self.app.fleet.is_empty() {
            self.open();
            return;
        }
        let changed: Vec<Target> = rows.into_iter().filter(|t| self.note(t)).collect();
        if changed.len() + gone.len() > MANY {
            let m = Message::new(&w::MANY).with("n", (changed.len() + gone.len()).to_string());
            return self.say(&m.text(lang));
        }
        for target in changed {
            if let Some(line) = self.app.fleet.find(&target).and_then(|s| self.numbers.line(&self.app, s)) {
                self.say(&line);
            }
        }
        for name in gone {
            self.say(&Message::new(&w::IS_GONE).with("name", name).text(lang));
        }
    }

    fn name_of(&self, t: &Target) -> Option<String> {
        self.app.fleet.find(t).and_then(|s| self.app.fleet.get(s)).filter(|e| !e.gone).map(|e| rows::name(&self.app, e))
    }

    /// Remembers the state of a row. True when it is another than was said.
    fn note(&mut self, target: &Target) -> bool {
        let Some(e) = self.app.fleet.find(target).and_then(|s| self.app.fleet.get(s)) else { return false };
        self.rows.insert(e.row.target(), e.row.link.state) != Some(e.row.link.state)
    }

    fn note_all(&mut self) {
        self.rows = self.app.fleet.iter().map(|(_, e)| (e.row.target(), e.row.link.state)).collect();
        self.gateways = self.app.fleet.gateways().iter().map(|g| (g.view.id.clone(), g.view.link.state)).collect();
    }

    fn gateway_news(&mut self) {
        let lang = self.app.lang();
        let mut lines = Vec::new();
        for g in self.app.fleet.gateways() {
            let now = g.view.link.state;
            let before = self.gateways.insert(g.view.id.clone(), now);
            // From not known to online is how every start goes.
            if before == Some(now) || (now == State::Online && before.is_none_or(|b| b == State::Unknown)) {
                continue;
            }
            let m = Message::new(&w::GATEWAY_IS).with("name", g.view.id.as_str()).with("state", state::word(now).get(lang));
            let mut line = m.text(lang);
            if let Some(reason) = &g.view.link.reason {
                line.push(' ');
                line.push_str(&rows::why(reason, &self.app));
            }
            lines.push(line);
        }
        self.say_all(lines);
    }

    /// The next instant at which something is due: a second of a countdown, or the end of an Offer.
    fn wake(&self) -> Option<Instant> {
        let now = self.time.now().boot_now();
        let at = [self.app.armed.next(now), self.attempt.next(now)].into_iter().flatten().min()?;
        Some(Instant::now() + at.since(now))
    }
}

/// The first letter large, as a sentence begins.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}

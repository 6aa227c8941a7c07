//! The state of the deck. Changed only by [`super::update`]; read by [`super::view`].

use super::{
    armed::Armed,
    filter::Filter,
    fleet::{Entry, Fleet, Slot},
    guide::{Guide, Seen},
    keymap::{Keymap, KeymapError},
    overlay::Overlay,
    rows::{Node, Rows},
    start::{Badge, Can, Slots, Start},
    theme::Theme,
    toasts::{Level, Toasts},
    update::Asked,
    view::pairing::PairScreen,
    widget::qr::Palette,
};
use crate::{
    clock::{gate::GateView, notes::HostFacts},
    domain::{Action, Boot, Effect, GatewayId, Not, ReasonCode, Stamp, Target},
    engine::mailbox::{OpView, PairView, Status, VaultView},
    i18n::{Lang, Message},
    providers::KindSpec,
    store::ClockTrack,
    vault::Source,
};
use jiff::tz::TimeZone;
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::Duration,
};

/// Rows keep their order this long after a key.
pub const STILL: Duration = Duration::from_secs(2);

/// Settings that do not change while the deck runs.
pub struct Opts {
    /// Language.
    pub lang: Lang,
    /// Colours may be used.
    pub color: bool,
    /// Only ASCII glyphs and frames.
    pub ascii: bool,
    /// Nothing may be changed.
    pub read_only: bool,
    /// Countdown of a *swift* action.
    pub swift: Duration,
    /// Life of an armed *hold* action.
    pub hold: Duration,
    /// How long good news stays.
    pub toast: Option<Duration>,
    /// How long a revealed number stays.
    pub reveal: Duration,
    /// Header badges.
    pub badges: Vec<Badge>,
    /// Kinds of the add form.
    pub kinds: Vec<&'static KindSpec>,
    /// For the welcome screen.
    pub config_path: Option<PathBuf>,
    /// Columns and rows that the smallest QR needs.
    pub qr_least: (u16, u16),
    /// Zone of the times on the pairing screen.
    pub zone: TimeZone,
    /// How black and white of a QR are said to this terminal.
    pub palette: Palette,
    /// A picture of the QR can be written.
    pub png: bool,
    /// Bad news about a clock rings.
    pub bell: bool,
}

/// The pairing screen.
pub struct PairingState {
    /// The attempt as last told.
    pub view: PairView,
    /// What its drawing remembers (block style, size, cached cells).
    pub screen: RefCell<PairScreen>,
    /// Esc was pressed; its screen stays until the engine has ended the attempt.
    pub leaving: bool,
}

/// The whole state.
pub struct App {
    /// Settings.
    pub opts: Opts,
    /// Looks.
    pub theme: Theme,
    /// Keys.
    pub keymap: Keymap,
    pub(super) can: Can,
    pub(super) slots: Slots,
    /// This instant, as of the last event.
    pub now: Stamp,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// All rows.
    pub fleet: Fleet,
    /// The tree as drawn.
    pub rows: Rows,
    /// Line under the cursor.
    pub cursor: usize,
    /// First line drawn.
    pub offset: usize,
    /// True when news moved the cursor and no frame has shown it yet.
    pub moved_unseen: bool,
    pub(super) moved_at: Boot,
    /// The filter as typed.
    pub filter_text: String,
    pub(super) filter: Option<Filter>,
    /// Gates by gateway.
    pub gates: BTreeMap<GatewayId, GateView>,
    /// What is known of this host besides its clock.
    pub host: HostFacts,
    /// Offsets of the last day, by gateway.
    pub tracks: HashMap<GatewayId, ClockTrack>,
    /// Gateways that a person asked for the time, and that did not answer yet.
    pub asked: Option<Asked>,
    /// Header facts.
    pub status: Option<Status>,
    /// Another user may change the configuration, or a folder on the way to it or to the store.
    pub exposed: bool,
    /// Armed actions.
    pub armed: Armed,
    /// Ops under way or waiting for a person.
    pub ops: BTreeMap<i64, OpView>,
    pub(super) op_on: HashMap<String, i64>,
    /// Toasts and their log.
    pub toasts: Toasts,
    /// The pairing screen.
    pub pairing: Option<PairingState>,
    /// Overlays, the topmost last.
    pub overlays: Vec<Overlay>,
    /// Number shown until then.
    pub revealed: Option<(Target, Boot)>,
    /// Names are hidden.
    pub hide_names: bool,
    /// The vault's key source is asked, because a person wanted it; Esc leaves that.
    pub unlocking: bool,
    /// Somebody stopped waiting for that; its answer is still to come.
    pub unlock_left: bool,
    /// The order is frozen.
    pub frozen: bool,
    /// The mouse is caught.
    pub mouse: bool,
    /// The guide.
    pub guide: Guide,
    /// What happened so far.
    pub seen: Seen,
    /// The last verb, for `.`.
    pub last_action: Option<Action>,
    pub(super) last_act: Option<super::keymap::Act>,
    pub(super) last_mark: Option<usize>,
    pub(super) last_key: Boot,
    pub(super) sorted_at: Option<Boot>,
    pub(super) last_interrupt: Option<Boot>,
    pub(super) looked: Option<(Vec<GatewayId>, Option<Target>)>,
    /// `q` was pressed: the engine is finishing.
    pub quitting: bool,
    /// Armed actions that were dropped by quitting.
    pub dropped: Vec<String>,
    /// Why the engine could not start.
    pub fatal: Option<crate::i18n::Message>,
    /// Something on screen may have changed.
    pub dirty: bool,
}

impl App {
    /// The state at the start. Errors are the keymap's.
    pub fn new(start: Start, now: Stamp, size: (u16, u16)) -> Result<Self, KeymapError> {
        let keymap = Keymap::new(&start.keys)?;
        let mut fleet = Fleet::default();
        for g in start.gateways {
            fleet.put_gateway(g);
        }
        for r in start.rows {
            fleet.put(r, now.boot_now());
        }
        let mut app = Self {
            exposed: start.badges.contains(&Badge::Exposed),
            opts: Opts {
                lang: start.lang,
                color: start.color,
                ascii: start.ascii,
                read_only: start.read_only,
                swift: start.swift,
                hold: start.hold,
                toast: start.toast,
                reveal: start.reveal,
                badges: start.badges,
                kinds: start.kinds,
                config_path: start.config_path,
                qr_least: start.qr_least,
                zone: start.zone,
                palette: start.palette,
                png: start.png.is_some(),
                bell: start.bell,
            },
            theme: if start.color { start.theme } else { Theme::mono() },
            keymap,
            can: start.can,
            slots: start.slots,
            now,
            size,
            fleet,
            rows: Rows::default(),
            cursor: 0,
            offset: 0,
            moved_unseen: false,
            moved_at: Boot(0),
            filter_text: String::new(),
            filter: None,
            gates: BTreeMap::new(),
            host: HostFacts::default(),
            tracks: HashMap::new(),
            asked: None,
            status: start.status,
            armed: Armed::default(),
            ops: BTreeMap::new(),
            op_on: HashMap::new(),
            toasts: Toasts::default(),
            pairing: None,
            overlays: Vec::new(),
            revealed: None,
            hide_names: false,
            unlocking: false,
            unlock_left: false,
            frozen: false,
            mouse: start.mouse,
            guide: Guide::new(start.guide),
            seen: Seen::default(),
            last_action: None,
            last_act: None,
            last_mark: None,
            last_key: Boot(0),
            sorted_at: None,
            last_interrupt: None,
            looked: None,
            quitting: false,
            dropped: Vec::new(),
            fatal: None,
            dirty: true,
        };
        app.reorder();
        app.cursor = app.rows.lines().iter().position(|l| l.depth > 0).unwrap_or(0);
        Ok(app)
    }

    /// The language.
    pub fn lang(&self) -> Lang {
        self.opts.lang
    }

    /// The node under the cursor.
    pub fn node(&self) -> Option<Node> {
        self.rows.lines().get(self.cursor).map(|l| l.node)
    }

    /// The slot under the cursor, if it is a row.
    pub fn slot(&self) -> Option<Slot> {
        match self.node() {
            Some(Node::Row(s)) => Some(s),
            _ => None,
        }
    }

    /// The row under the cursor.
    pub fn entry(&self) -> Option<&Entry> {
        self.slot().and_then(|s| self.fleet.get(s))
    }

    /// The gateway under the cursor or of the row under it.
    pub fn gateway(&self) -> Option<&super::fleet::Gateway> {
        let at = match self.node()? {
            Node::Gateway(g) => g,
            Node::Row(s) => self.fleet.get(s)?.gateway,
        };
        self.fleet.gateways().get(at)
    }

    /// Whether an action can be done to a row, with the deck's own reasons first.
    pub fn can(&self, slot: Slot, action: &Action) -> Result<Effect, Not> {
        if self.opts.read_only {
            return Err(Not::ReadOnly);
        }
        let Some(e) = self.fleet.get(slot) else { return Err(Not::NotNow(Message::new(&crate::i18n::deck::GONE))) };
        if e.gone {
            return Err(Not::NotNow(Message::new(&crate::i18n::deck::GONE)));
        }
        (self.can)(&e.row, action, &self.fleet.gateways()[e.gateway].view.facts)
    }

    /// The op on a row, armed ones aside.
    pub fn op_on(&self, target: &Target) -> Option<&OpView> {
        self.op_on.get(&target.id()).and_then(|id| self.ops.get(id))
    }

    /// What was left open, as far as it concerns what is under the cursor: on a row its own; on a gateway all that it has, since a row
    /// may be gone from the server. The oldest first.
    pub fn left_open(&self) -> Vec<&OpView> {
        let open = self.ops.values().filter(|o| o.phase == crate::domain::OpPhase::Ambiguous);
        match (self.entry(), self.gateway()) {
            (Some(e), _) => {
                let id = e.row.target().id();
                open.filter(|o| o.target.id() == id).collect()
            }
            (None, Some(g)) => open.filter(|o| o.target.gateway == g.view.id).collect(),
            (None, None) => Vec::new(),
        }
    }

    /// Puts words into the toast row and the log.
    pub fn say(&mut self, level: Level, message: &Message) {
        let text = message.text(self.opts.lang);
        self.say_text(level, text);
    }

    /// The same with text that is made already.
    pub fn say_text(&mut self, level: Level, text: String) {
        self.toasts.push(self.now, level, text, self.opts.toast, self.opts.lang);
        self.dirty = true;
    }

    /// What stands in the header's corner: what was known at the start, and what vault and store told since.
    pub fn badges(&self) -> Vec<Badge> {
        let mut all = self.opts.badges.clone();
        all.retain(|b| *b != Badge::Exposed || self.exposed);
        let status = self.status.as_ref();
        let trouble = status.and_then(|s| s.store_trouble.as_ref()).map(|why| why.code);
        let key_file = status.is_some_and(|s| matches!(s.vault, VaultView::Open(name) if name == Source::KeyFile.name()));
        for (on, badge) in [
            (key_file, Badge::KeyFile),
            (self.exposed, Badge::Exposed),
            (trouble == Some(ReasonCode::StoreUnwritable), Badge::NotKept),
            (trouble == Some(ReasonCode::StoreBroken), Badge::OldCopy),
        ] {
            if on && !all.contains(&badge) {
                all.push(badge);
            }
        }
        all
    }

    /// True while rows must keep their places.
    pub fn still(&self) -> bool {
        self.frozen || !self.armed.is_empty() || (self.last_key.0 > 0 && self.now.boot_now().since(self.last_key) < STILL)
    }

    /// Not before this instant may news change the order: sorting thousands of rows for every change would cost more than it
    /// tells.
    pub fn sort_due(&self) -> Boot {
        let rest = if self.fleet.len() > 500 { Duration::from_secs(1) } else { Duration::from_millis(250) };
        let sorted = self.sorted_at.map_or(Boot(0), |at| at.plus(rest));
        if self.last_key.0 > 0 { sorted.max(self.last_key.plus(STILL)) } else { sorted }
    }

    /// Makes the order anew and keeps the cursor on what it was on.
    pub fn reorder(&mut self) {
        let before = self.node();
        let identity = |app: &Self, n: Option<Node>| match n {
            Some(Node::Row(s)) => app.fleet.get(s).filter(|e| !e.gone).map(|e| e.row.target()),
            _ => None,
        };
        let on = identity(self, before);
        if let Some(Node::Row(s)) = before
            && let Some(e) = self.fleet.get(s).filter(|e| e.row.device.is_some())
        {
            // A conflict opened the account by itself; its end must not fold the row away that the cursor is on.
            self.rows.account_folds.entry((e.row.gateway.clone(), e.row.account.clone())).or_insert(true);
        }
        self.rows.rebuild(&mut self.fleet, self.filter.as_ref(), &self.now);
        let found = before.and_then(|n| self.rows.position(n)).filter(|_| match before {
            Some(Node::Row(_)) => on.is_some(),
            _ => true,
        });
        match found {
            Some(at) => self.cursor = at,
            None => {
                self.cursor = self.cursor.min(self.rows.lines().len().saturating_sub(1));
                self.moved_unseen = before.is_some();
                if self.moved_unseen {
                    self.moved_at = self.now.boot_now();
                }
            }
        }
        self.scroll_into_view();
        self.dirty = true;
    }

    /// The same, because the operator asked for it: where the cursor lands is no surprise.
    pub fn reorder_by_hand(&mut self) {
        self.reorder();
        self.moved_unseen = false;
        self.moved_at = Boot(0);
    }

    /// Lines that the tree shows at this size.
    pub fn page(&self) -> usize {
        usize::from(super::view::layout::Areas::of(self).tree.height).max(1)
    }

    /// Moves the window so that the cursor is in it.
    pub fn scroll_into_view(&mut self) {
        let page = self.page();
        if self.cursor < self.offset {
            self.offset = self.cursor;
        } else if self.cursor >= self.offset + page {
            self.offset = self.cursor + 1 - page;
        }
        self.offset = self.offset.min(self.rows.lines().len().saturating_sub(page.min(self.rows.lines().len())));
    }

    /// A frame was drawn. `armed`: the armed row was on it.
    pub fn drawn(&mut self, now: Boot, armed: bool) {
        self.dirty = false;
        self.moved_unseen = false;
        if armed {
            self.armed.drawn(now);
        }
    }
}

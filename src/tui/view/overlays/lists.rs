//! Lists to pick from: palette, menu, states.

use crate::{
    domain::{Action, State, Target},
    engine::mailbox::VaultView,
    i18n::{deck as w, slots, state},
    providers::{On, VerbSpec},
    tui::{
        app::App,
        keymap::{Act, Mode},
        overlay::Search,
        text,
        theme::Role,
        view::{
            detail::why_not,
            paint,
            panel::{Panel, Row, inner_width, unfolded},
        },
    },
};

/// Acts that the palette offers for what was typed.
pub(crate) fn palette_items(app: &App, typed: &str) -> Vec<Act> {
    let typed = typed.to_lowercase();
    let hit = |a: &Act| a.name().contains(&typed) || a.words().get(app.lang()).to_lowercase().contains(&typed);
    let mut all: Vec<Act> = Act::ALL.iter().copied().filter(|a| a.mode() == Mode::Deck && hit(a) && *a != Act::Palette).collect();
    all.sort_by_key(|a| !a.name().starts_with(&typed));
    all
}

/// Why an act cannot be done here, if so.
fn dead(app: &App, act: Act) -> Option<String> {
    let action = match act {
        Act::Pair => Action::Pair,
        Act::Wipe => Action::Wipe,
        Act::Regenerate => Action::Regenerate,
        _ => return None,
    };
    match app.slot() {
        Some(slot) => app.can(slot, &action).err().map(|n| why_not(&n, app.lang())),
        None => Some(w::NEEDS_ROW.get(app.lang()).to_owned()),
    }
}

pub(super) fn palette(app: &App, s: &Search) -> Panel {
    let lang = app.lang();
    let mut rows = vec![Row::one(": ", Role::Title).and(s.field.text(), Role::Plain)];
    let items = palette_items(app, s.field.text());
    for act in &items {
        let row = Row::one(format!("  {:<16}", act.name()), Role::Plain).and(format!("{:<8}", app.keymap.key(*act)), Role::Info);
        rows.push(match dead(app, *act) {
            Some(why) => row.and(why, Role::Dim),
            None => row.and(act.words().get(lang), Role::Dim),
        });
    }
    let pick = (!items.is_empty()).then_some(1 + s.pick.min(items.len().saturating_sub(1)));
    Panel {
        title: w::PALETTE_TITLE.get(lang).to_owned(),
        keys: w::PALETTE_KEYS.get(lang).to_owned(),
        more: pick.map_or(0, |at| unfolded(&mut rows, at, inner_width(app, false))),
        pick,
        cursor: Some((0, 2 + s.field.cursor())),
        rows,
        ..Panel::default()
    }
}

/// One line of the menu.
pub(crate) struct MenuItem {
    /// Its letter.
    pub(crate) key: char,
    /// What it does.
    pub(crate) words: String,
    /// What it comes to.
    pub(crate) what: MenuWhat,
    /// Why not now.
    pub(crate) dead: Option<String>,
}

/// What a line of the menu comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MenuWhat {
    /// A verb of the kind.
    Verb(&'static VerbSpec),
    /// Why a client cannot log in.
    Why,
    /// Open the vault.
    Unlock,
    /// Ask the gateway now.
    Test,
    /// Go on with an op that was left open.
    GoOn(i64),
    /// Drop one.
    Drop(i64),
}

/// Letter that goes on with what was left open. No verb has a digit.
pub(crate) const GO_ON: char = '1';
/// Letter that drops it.
pub(crate) const DROP: char = '2';

/// Why a verb cannot be done to what is under the cursor, if so. One that makes a device says so when it is planned.
fn verb_dead(app: &App, v: &'static VerbSpec) -> Option<String> {
    let lang = app.lang();
    let on_device = app.entry().map(|e| e.row.device.is_some());
    match (v.on, on_device) {
        (On::Gateway, _) => return None,
        (_, None) => return Some(w::NEEDS_ROW.get(lang).to_owned()),
        (On::Device, Some(false)) => return Some(slots::NEEDS_DEVICE.get(lang).to_owned()),
        _ => {}
    }
    if v.creates() {
        return None;
    }
    let e = app.entry()?;
    let slot = match v.on {
        On::Account => app.fleet.find(&Target::account(&e.row.gateway, &e.row.account)),
        _ => app.slot(),
    };
    app.can(slot?, &Action::Do(v.id.into())).err().map(|n| why_not(&n, lang))
}

/// The menu for what is under the cursor.
pub(crate) fn menu_items(app: &App) -> Vec<MenuItem> {
    let lang = app.lang();
    let mut items = Vec::new();
    // The oldest alone has a key: what came after it waits for it.
    if let Some(op) = app.left_open().first() {
        let name = if app.hide_names { "····" } else { op.label.as_str() };
        let say = |words: &'static crate::i18n::Words| {
            crate::i18n::Message::new(words).with("what", crate::tui::view::armed::verb(&op.action, lang)).with("name", name).text(lang)
        };
        let dead = app.opts.read_only.then(|| w::READ_ONLY.get(lang).to_owned());
        let go_on = dead.clone().or_else(|| op.spoilt().then(|| w::OPEN_SPOILT.get(lang).to_owned()));
        items.push(MenuItem { key: GO_ON, words: say(&w::MENU_GO_ON), what: MenuWhat::GoOn(op.id), dead: go_on });
        items.push(MenuItem { key: DROP, words: say(&w::MENU_DROP), what: MenuWhat::Drop(op.id), dead });
    }
    if let Some(g) = app.gateway() {
        for v in g.view.spec.verbs {
            let dead = if app.opts.read_only { Some(w::READ_ONLY.get(lang).to_owned()) } else { verb_dead(app, v) };
            items.push(MenuItem { key: v.key, words: v.words.get(lang).to_owned(), what: MenuWhat::Verb(v), dead });
        }
    }
    let mut extra = |key: char, words: &str, what, dead: Option<String>| {
        if !items.iter().any(|i| i.key == key) {
            items.push(MenuItem { key, words: words.to_owned(), what, dead });
        }
    };
    if app.gateway().is_some() {
        extra('t', w::MENU_TEST.get(lang), MenuWhat::Test, None);
    }
    if app.slot().is_some() {
        extra('y', w::ACT_WHY.get(lang), MenuWhat::Why, None);
    }
    if matches!(app.status.as_ref().map(|s| &s.vault), Some(VaultView::Locked(_))) {
        extra('u', w::MENU_UNLOCK.get(lang), MenuWhat::Unlock, None);
    }
    items
}

pub(super) fn menu(app: &App, pick: usize) -> Panel {
    let lang = app.lang();
    let items = menu_items(app);
    let mut rows: Vec<Row> = items
        .iter()
        .map(|i| {
            let pad = 24usize.saturating_sub(text::width(&i.words));
            let row = Row::one(format!(" {}  ", i.key), Role::Info);
            match &i.dead {
                Some(why) => row.and(format!("{}{}  ", i.words, " ".repeat(pad)), Role::Dim).and(why.clone(), Role::Dim),
                None => row.and(i.words.clone(), Role::Plain),
            }
        })
        .collect();
    let empty = rows.is_empty();
    let pick = (!empty).then_some(pick.min(items.len().saturating_sub(1)));
    let more = pick.map_or(0, |at| unfolded(&mut rows, at, inner_width(app, false)));
    Panel {
        title: w::MENU_TITLE.get(lang).to_owned(),
        rows: if empty { vec![Row::one(w::MENU_EMPTY.get(lang), Role::Dim)] } else { rows },
        keys: w::MENU_KEYS.get(lang).to_owned(),
        pick,
        more,
        ..Panel::default()
    }
}

/// Letters that filter by state.
pub(crate) fn states() -> [(char, State); 14] {
    [
        ('o', State::Online),
        ('a', State::Ready),
        ('s', State::Seen),
        ('l', State::Loaded),
        ('c', State::Connecting),
        ('p', State::Pairing),
        ('f', State::Offline),
        ('d', State::Disabled),
        ('x', State::LoggedOut),
        ('t', State::Conflict),
        ('e', State::Expired),
        ('r', State::Refused),
        ('u', State::Unreachable),
        ('n', State::Unknown),
    ]
}

pub(super) fn state_list(app: &App) -> Panel {
    let lang = app.lang();
    let rows = states()
        .into_iter()
        .map(|(key, s)| {
            Row::one(format!(" {key}  "), Role::Info)
                .and(format!("{} {:<4}", paint::glyph(s), app.fleet.count(s)), paint::role(s))
                .and(state::word(s).get(lang), Role::Plain)
        })
        .collect();
    Panel { title: w::STATES_TITLE.get(lang).to_owned(), rows, keys: w::STATES_KEYS.get(lang).to_owned(), ..Panel::default() }
}

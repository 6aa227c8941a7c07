//! Header: counts by state, vault, badges; and the clock line with the worst gateway first.

use super::{layout::Areas, paint};
use crate::{
    clock::{Verdict, gate::GateView, headline, words},
    domain::State,
    engine::mailbox::VaultView,
    i18n::{Message, Words, deck as w},
    tui::{app::App, text, theme::Role},
    vault::{Source, shut::can_be_typed},
};
use ratatui::{Frame, layout::Rect};
use std::time::Duration;

/// Order of the counts.
const COUNTED: [(&str, &[State]); 9] = [
    ("●", &[State::Online, State::Ready]),
    ("◌", &[State::Connecting]),
    ("◇", &[State::Pairing]),
    ("○", &[State::Offline, State::Disabled]),
    ("✗", &[State::LoggedOut, State::Expired]),
    ("⇄", &[State::Conflict]),
    ("⊘", &[State::Refused]),
    ("↯", &[State::Unreachable]),
    ("?", &[State::Unknown, State::Loaded]),
];

/// Draws header and clock line.
pub fn draw(app: &App, frame: &mut Frame, areas: &Areas) {
    let area = areas.header;
    if area.height == 0 {
        return;
    }
    let lang = app.lang();
    let short = area.width < 60;
    let buf = frame.buffer_mut();
    // Right: badges, which are never dropped, then vault or the clock's word.
    let mut right = area.width;
    for badge in app.badges().iter().rev() {
        let word = badge.word(short);
        let at = right.saturating_sub(u16::try_from(word.len()).unwrap_or(0));
        paint::put(buf, area, at, word, app.theme.style(Role::Warn));
        right = at.saturating_sub(1);
    }
    let extra = match shared_word(app) {
        // With one line for everything a clock that is off comes first.
        Some(word) if areas.clock.height == 0 => clock_word(app).or(Some(word)),
        Some(word) => Some(word),
        None if areas.clock.height == 0 => clock_word(app),
        None => Some((status(app), Role::Dim)),
    };
    let mut left = 0;
    if !short {
        let (gateways, accounts) = (app.fleet.gateways().len(), app.fleet.accounts());
        let counted = |n: usize, one, more| Message::new(if n == 1 { one } else { more }).with("n", n.to_string());
        let long = Message::new(&w::HEADER_LONG)
            .nest("g", counted(gateways, &w::HEADER_GATEWAY, &w::HEADER_GATEWAYS))
            .nest("n", counted(accounts, &w::HEADER_ACCOUNT, &w::HEADER_ACCOUNTS));
        let brief = Message::new(&w::HEADER_SHORT).with("n", accounts.to_string());
        let title = if area.width >= 100 { long } else { brief }.text(lang);
        left = paint::put_in(buf, area, 0, right, "pairdeck", app.theme.style(Role::Title));
        left = paint::put_in(buf, area, left, right, &title, app.theme.style(Role::Plain)) + if area.width >= 100 { 3 } else { 1 };
    }
    for (glyph, states) in COUNTED {
        let n: usize = states.iter().map(|s| app.fleet.count(*s)).sum();
        if n == 0 {
            continue;
        }
        let cell = format!("{glyph}{n}");
        let end = left + u16::try_from(text::width(&cell)).unwrap_or(0);
        if end > right {
            break;
        }
        left = paint::put(buf, area, left, &cell, app.theme.style(paint::role(states[0]))) + 1;
    }
    let stale = app.fleet.stale();
    if stale > 0 {
        let cell = if area.width >= 100 { Message::new(&w::HEADER_STALE).with("n", stale.to_string()).text(lang) } else { format!("~{stale}") };
        if left + 2 + u16::try_from(text::width(&cell)).unwrap_or(0) <= right {
            left = paint::put(buf, area, left + 1, &cell, app.theme.style(Role::Warn)) + 1;
        }
    }
    if let Some((word, role)) = extra {
        let wide = u16::try_from(text::width(&word)).unwrap_or(u16::MAX);
        if left.saturating_add(wide).saturating_add(1) <= right {
            paint::put_right(buf, area, right, &word, app.theme.style(role));
        }
    }
    clock_line(app, frame, areas.clock);
}

fn status(app: &App) -> String {
    let lang = app.lang();
    match app.status.as_ref().map(|s| &s.vault) {
        None | Some(VaultView::Opening) => w::VAULT_OPENING.get(lang).to_owned(),
        Some(VaultView::Open(source)) => Message::new(&w::VAULT_OPEN).nest("source", Message::new(key_place(source))).text(lang),
        Some(VaultView::Locked(why)) if !can_be_typed(why) => w::VAULT_SHUT.get(lang).to_owned(),
        Some(VaultView::Locked(_)) => w::VAULT_LOCKED.get(lang).to_owned(),
        Some(VaultView::Absent) => w::VAULT_ABSENT.get(lang).to_owned(),
    }
}

/// Where the vault's key lives, in words.
fn key_place(source: &str) -> &'static Words {
    match source {
        s if s == Source::Passphrase.name() => &w::SOURCE_OF_PASSPHRASE,
        s if s == Source::Credential.name() => &w::SOURCE_OF_CREDENTIAL,
        s if s == Source::KeyFile.name() => &w::SOURCE_OF_KEY_FILE,
        s if s == Source::Memory.name() => &w::SOURCE_OF_MEMORY,
        _ => &w::SOURCE_OF_KEYRING,
    }
}

/// That hosts do not share at present, where they should.
fn shared_word(app: &App) -> Option<(String, Role)> {
    app.status.as_ref()?.shared_trouble.as_ref()?;
    Some((format!("⚠ {}", w::SHARED_AWAY.get(app.lang())), Role::Warn))
}

/// The gate that is worst: blocked first, then unknown, then warn.
pub fn worst(app: &App) -> Option<&GateView> {
    app.gates.values().max_by_key(|g| (g.verdict, g.remote.skew.map_or(0, |i| i.lo_ms.abs().max(i.hi_ms.abs()))))
}

/// How long a moved clock is said to be asked again; who did not answer by then is not known.
const MOVED_FOR: Duration = Duration::from_secs(60);

/// True while this host's clock was just moved and a gateway has not told the time since.
fn moved(app: &App) -> bool {
    app.gates.values().filter_map(|g| g.moved).any(|m| m.at.age(&app.now) < MOVED_FOR)
}

/// The clock in a word, for a header without a second line. `None`: well.
fn clock_word(app: &App) -> Option<(String, Role)> {
    let lang = app.lang();
    if moved(app) {
        return Some((w::CLOCK_WORD_MOVED.get(lang).to_owned(), Role::Warn));
    }
    let g = worst(app)?;
    match g.verdict {
        Verdict::Ok => None,
        Verdict::Unknown => Some((w::CLOCK_WORD_UNKNOWN.get(lang).to_owned(), Role::Dim)),
        v => {
            let skew = g.ahead_ms().map_or_else(|| "?".into(), |(_, ms)| text::rough_offset(ms));
            let role = if v == Verdict::Blocked { Role::Bad } else { Role::Warn };
            Some((Message::new(&w::CLOCK_WORD).with("skew", skew).text(lang), role))
        }
    }
}

fn clock_line(app: &App, frame: &mut Frame, area: Rect) {
    if area.height == 0 {
        return;
    }
    let lang = app.lang();
    let hint = format!("{} {}", app.keymap.key(crate::tui::keymap::Act::Clock), w::CLOCK_WHY.get(lang));
    let hint_at = area.width.saturating_sub(u16::try_from(text::width(&hint)).unwrap_or(0) + 1);
    let room = usize::from(hint_at.saturating_sub(2));
    let (text, role) = if app.gates.is_empty() {
        (w::CLOCK_NOT_ASKED.get(lang).to_owned(), Role::Dim)
    } else if moved(app) {
        (format!("⚠ {}", w::CLOCK_MOVED.get(lang)), Role::Warn)
    } else {
        let views: Vec<_> = app.gates.values().collect();
        let head = words::headline(&views, &app.now);
        match head.verdict {
            Verdict::Ok => (headline::fit(&head, lang, room), Role::Plain),
            Verdict::Unknown => (headline::fit(&head, lang, room), Role::Dim),
            Verdict::Warn => (format!("⚠ {}", headline::fit(&head, lang, room.saturating_sub(2))), Role::Warn),
            Verdict::Blocked => (format!("⚠ {}", headline::fit(&head, lang, room.saturating_sub(2))), Role::Bad),
        }
    };
    let buf = frame.buffer_mut();
    paint::put_in(buf, area, 0, hint_at.saturating_sub(2), &text, app.theme.style(role));
    if role != Role::Plain {
        paint::put(buf, area, hint_at, &hint, app.theme.style(Role::Dim));
    }
}

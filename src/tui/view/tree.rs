//! The tree: a window of the lines, drawn cell by cell. Cost follows the height of the screen, not the number of rows.

use super::{layout::Areas, paint};
use crate::{
    domain::{OpPhase, Reason, State},
    i18n::{self, Lang, Message, deck as w, state},
    tui::{
        app::App,
        fleet::{Entry, Gateway},
        rows::{Line, Node},
        text,
        theme::Role,
        veil,
    },
};
use ratatui::{
    Frame,
    layout::{Position, Rect},
};

/// Below this many cells a note is a word or two.
const NARROW: u16 = 24;

/// Draws heads, rows and scroll mark. Returns where the cursor stands.
pub fn draw(app: &App, frame: &mut Frame, areas: &Areas) -> Option<Position> {
    heads(app, frame, areas);
    let lines = app.rows.lines();
    let height = usize::from(areas.tree.height);
    let mut cursor = None;
    for (n, at) in (app.offset..lines.len().min(app.offset + height)).enumerate() {
        let row = paint::line(areas.tree, u16::try_from(n).unwrap_or(u16::MAX));
        let on = at == app.cursor;
        match lines[at].node {
            Node::Gateway(g) => gateway(app, frame, areas, row, &lines[at], &app.fleet.gateways()[g]),
            Node::Row(slot) => {
                if let Some(e) = app.fleet.get(slot) {
                    entry(app, frame, areas, row, &lines[at], e, app.rows.marks.contains(&slot));
                }
            }
        }
        if on {
            let buf = frame.buffer_mut();
            paint::put(buf, row, 0, "▌", app.theme.style(Role::Plain));
            let name = Rect { width: areas.columns.state.saturating_sub(1).min(row.width), ..row };
            buf.set_style(name.intersection(buf.area), app.theme.style(Role::Cursor));
            cursor = Some(Position::new(row.x, row.y));
        }
    }
    if lines.is_empty() {
        let words = if app.filter_text.is_empty() { &w::NO_ROWS } else { &w::NO_MATCH };
        paint::put(frame.buffer_mut(), paint::line(areas.tree, 0), 1, words.get(app.lang()), app.theme.style(Role::Dim));
    }
    if areas.scroll.height > 0 && !lines.is_empty() {
        let last = lines.len().min(app.offset + height);
        let m = Message::new(&w::SCROLL).with("a", (app.offset + 1).to_string()).with("b", last.to_string()).with("n", lines.len().to_string());
        paint::put_right(frame.buffer_mut(), areas.scroll, areas.scroll.width, &m.text(app.lang()), app.theme.style(Role::Dim));
    }
    cursor
}

fn heads(app: &App, frame: &mut Frame, areas: &Areas) {
    if areas.heads.height == 0 {
        return;
    }
    let (c, lang, style) = (&areas.columns, app.lang(), app.theme.style(Role::Dim));
    let buf = frame.buffer_mut();
    let end = paint::put(buf, areas.heads, 1, w::HEAD_NAME.get(lang), style);
    if app.rows.pending && app.still() {
        paint::put(buf, areas.heads, end + 1, "↕", app.theme.style(Role::Warn));
    }
    if !app.rows.marks.is_empty() {
        let m = Message::new(&w::MARKED).with("n", app.rows.marks.len().to_string());
        paint::put_in(buf, areas.heads, end + 3, c.state.saturating_sub(1), &m.text(lang), app.theme.style(Role::Warn));
    }
    paint::put(buf, areas.heads, c.state, w::HEAD_STATE.get(lang), style);
    paint::put_right(buf, areas.heads, c.age_end, w::HEAD_AGE.get(lang), style);
    if let Some(note) = c.note {
        let words = if app.filter_text.is_empty() { w::HEAD_NOTE.get(lang).to_owned() } else { format!("/ {}", veil::filter(&app.filter_text)) };
        paint::put(buf, areas.heads, note, &words, style);
    }
}

fn gateway(app: &App, frame: &mut Frame, areas: &Areas, row: Rect, line: &Line, g: &Gateway) {
    let (c, lang) = (&areas.columns, app.lang());
    let buf = frame.buffer_mut();
    let style = app.theme.style(if g.stale() { Role::Stale } else { Role::Plain });
    paint::put(buf, row, 1, if line.open == Some(false) { "▸" } else { "▾" }, style);
    let end = c.identity.unwrap_or(c.state).saturating_sub(1);
    paint::put_in(buf, row, 3, end, g.view.id.as_str(), style.patch(app.theme.style(Role::Title)));
    if let Some(at) = c.identity {
        paint::put_in(buf, row, at, c.state.saturating_sub(1), g.view.spec.name, style);
    }
    let state = g.view.link.state;
    if matches!(state, State::Online | State::Ready) || (state == State::Unknown && g.accounts > 0) {
        // Where nothing is ever "online" it is not said.
        let (ready, loaded) = (g.count(State::Ready) + g.count(State::Expired), g.count(State::Loaded));
        let (words, a) = match g.count(State::Online) {
            0 if ready > 0 => (&w::GATEWAY_READY, g.well()),
            // Its accounts' own state is told to nobody.
            0 if loaded + g.count(State::Disabled) > 0 => (&w::GATEWAY_LOADED, loaded),
            0 if g.view.spec.secrets.is_empty() && !g.view.spec.account_secrets.is_empty() => (&w::GATEWAY_READY, g.well()),
            _ => (&w::GATEWAY_WELL, g.well()),
        };
        let m = Message::new(words).with("a", a.to_string()).with("n", g.accounts.to_string());
        paint::put_in(buf, row, c.state, c.age_end, &m.text(lang), style);
    } else {
        state_cell(app, buf, row, areas, state, paint::glyph(state), state::word(state).get(lang), paint::role(state));
    }
    let Some(note) = c.note else { return };
    let narrow = row.width.saturating_sub(note) < NARROW;
    let mut say = String::new();
    let mut role = Role::Dim;
    if let Some(gate) = app.gates.get(&g.view.id).filter(|v| v.verdict == crate::clock::Verdict::Blocked || v.verdict == crate::clock::Verdict::Warn)
    {
        // Beside a gateway stands its own clock, unless this host's alone is what is wrong.
        let (here, off) = match gate.ahead_ms() {
            Some((true, ms)) if gate.remote.verdict == crate::clock::Verdict::Ok => (true, Some(ms)),
            Some(_) => (false, gate.remote.skew.map(|i| i.mid())),
            None => (false, None),
        };
        let skew = off.map_or_else(|| "?".into(), text::rough_offset);
        let words = match (narrow, here) {
            (true, _) => &w::NOTE_CLOCK_SHORT,
            (false, true) => &w::NOTE_CLOCK_HOST,
            (false, false) => &w::NOTE_CLOCK,
        };
        say = Message::new(words).with("skew", skew).text(lang);
        role = Role::Warn;
    }
    if g.stale() && g.accounts > 0 {
        let ago = g.view.link.observed_at.or(g.view.link.since).map_or_else(|| "?".into(), |s| text::age(s.age(&app.now)));
        let words = if narrow { &w::NOTE_STALE_SHORT } else { &w::NOTE_STALE };
        say = Message::new(words).with("n", g.accounts.to_string()).with("age", ago).text(lang);
        role = Role::Warn;
    } else if say.is_empty()
        && let Some(reason) = g.view.link.reason.as_ref()
    {
        say = i18n::reason::full(reason, lang);
        role = if reason.code.is_problem() { Role::Warn } else { Role::Dim };
    } else if say.is_empty()
        && let Some(warning) = g.view.facts.warnings.first()
    {
        // All of them stand in the pane; here the first one keeps them from being overlooked.
        say = format!("⚠ {}", warning.text(lang));
        role = Role::Warn;
    }
    let open = app.ops.values().filter(|o| o.phase == OpPhase::Ambiguous && o.target.gateway == g.view.id);
    // One whose row is gone from the server has no other line to stand on.
    let lost = open.filter(|o| app.fleet.find(&o.target).is_none()).count();
    if lost > 0 {
        let m = Message::new(&w::NOTE_OPEN).with("n", lost.to_string()).text(lang);
        say = if say.is_empty() { m } else { format!("{m} · {say}") };
        role = Role::Bad;
    } else if let Some(op) =
        app.ops.values().find(|o| o.phase == OpPhase::Back && o.target.gateway == g.view.id && app.fleet.find(&o.target).is_none())
    {
        // So has one that is gone on with.
        let name = if app.hide_names { "····" } else { op.label.as_str() };
        let m = format!("{} · {name}", super::armed::progress(op, lang));
        say = if say.is_empty() { m } else { format!("{m} · {say}") };
        role = Role::Info;
    }
    paint::put(buf, row, note, &say, app.theme.style(role));
}

fn entry(app: &App, frame: &mut Frame, areas: &Areas, row: Rect, line: &Line, e: &Entry, marked: bool) {
    let (c, lang) = (&areas.columns, app.lang());
    let buf = frame.buffer_mut();
    let stale = app.fleet.gateways()[e.gateway].stale() || e.gone;
    let base = app.theme.style(if stale { Role::Stale } else { Role::Plain });
    if marked {
        paint::put(buf, row, 1, "*", app.theme.style(Role::Warn));
    }
    let x = c.name + u16::from(line.depth > 1) * 2;
    if let Some(open) = line.open {
        paint::put(buf, row, c.name.saturating_sub(2), if open { "▾" } else { "▸" }, base);
    }
    let end = c.identity.unwrap_or(c.state).saturating_sub(1);
    paint::put_in(buf, row, x, end, &name(app, e), base);
    if let (Some(at), Some(id)) = (c.identity, &e.row.identity) {
        let shown = if text::is_number(id.as_str()) { number(app, e, id.as_str()) } else { id.to_string() };
        paint::put_in(buf, row, at, c.state.saturating_sub(1), &shown, base);
    }
    let (glyph, word, role) = cell(e, lang);
    state_cell(app, buf, row, areas, e.row.link.state, glyph, &word, if stale { Role::Stale } else { role });
    if stale && !e.gone {
        paint::put(buf, row, c.state.saturating_sub(1), "~", app.theme.style(Role::Warn));
    }
    if let Some(since) = e.row.link.since {
        paint::put_right(buf, row, c.age_end, &text::age(since.age(&app.now)), base);
    }
    if let Some(at) = c.note {
        let (text, role) = note(app, e, row.width.saturating_sub(at));
        paint::put(buf, row, at, &text, app.theme.style(role));
    }
}

#[allow(clippy::too_many_arguments)]
fn state_cell(app: &App, buf: &mut ratatui::buffer::Buffer, row: Rect, areas: &Areas, _state: State, glyph: &str, word: &str, role: Role) {
    let style = app.theme.style(role);
    let at = areas.columns.state;
    paint::put(buf, row, at, glyph, style);
    // Ages stand at the right of the same column.
    paint::put_in(buf, row, at + 2, areas.columns.age_end.saturating_sub(4).max(at + 4), word, style);
}

/// Glyph, word and role of a row, overlays included.
pub fn cell(e: &Entry, lang: Lang) -> (&'static str, String, Role) {
    let s = e.row.link.state;
    if e.gone {
        return ("-", w::STATE_GONE.get(lang).to_owned(), Role::Dim);
    }
    if e.row.link.differs() {
        return ("◐", state::DIFFERS.get(lang).to_owned(), Role::Warn);
    }
    (paint::glyph(s), state::word(s).get(lang).to_owned(), paint::role(s))
}

/// The name of a row as it may be drawn now.
pub fn name(app: &App, e: &Entry) -> String {
    if app.hide_names {
        return "····".into();
    }
    let label = e.row.label.as_str();
    if label.is_empty() { w::NO_NAME.get(app.lang()).to_owned() } else { label.to_owned() }
}

/// A number as it may be drawn now: shortened, unless it was asked for.
pub fn number(app: &App, e: &Entry, digits: &str) -> String {
    let shown = app.revealed.as_ref().is_some_and(|(t, _)| t.same(&e.row.target()));
    if shown && !app.hide_names { text::full_number(digits) } else { text::short_number(digits) }
}

/// The note of a row: what is armed or running on it, else why it is not well.
fn note(app: &App, e: &Entry, room: u16) -> (String, Role) {
    let lang = app.lang();
    let target = e.row.target();
    if let Some(o) = app.armed.on(&target) {
        let what = super::armed::verb(&o.view.action, lang);
        let text = match o.ends.filter(|_| o.fires) {
            Some(ends) => Message::new(&w::NOTE_ARMED_IN)
                .with("what", what)
                .with("n", text::seconds_left(ends.since(app.now.boot_now())).to_string())
                .text(lang),
            None if room < NARROW => w::NOTE_ARMED_WAITS_SHORT.get(lang).to_owned(),
            None => Message::new(&w::NOTE_ARMED_WAITS).with("what", what).text(lang),
        };
        return (text, Role::Warn);
    }
    if let Some(op) = app.op_on(&target) {
        return (super::armed::progress(op, lang), if op.phase == OpPhase::Ambiguous { Role::Bad } else { Role::Info });
    }
    if let Some(n) = e.looping(app.now.boot_now()) {
        return (Message::new(&w::NOTE_LOOP).with("n", n.to_string()).text(lang), Role::Warn);
    }
    let link = &e.row.link;
    if link.differs() && room < NARROW {
        return (w::NOTE_DIFFERS_SHORT.get(lang).to_owned(), Role::Warn);
    }
    if link.differs() {
        let all: Vec<String> = link.witnesses.iter().map(|x| format!("{} {}", super::detail::source(x.source, lang), x.says)).collect();
        return (all.join(", "), Role::Warn);
    }
    match &link.reason {
        Some(r) => (short_reason(r, lang, room), if r.code.is_problem() { Role::Plain } else { Role::Dim }),
        None => (life(app, e), Role::Dim),
    }
}

/// A short bar and what is left, for a row that lives by a token.
fn life(app: &App, e: &Entry) -> String {
    let token = e.row.tokens.iter().find(|t| t.expires_at.is_some());
    let Some((t, left)) = token.and_then(|t| Some((t, super::detail::left(t, &app.now)?))) else { return String::new() };
    let whole = t.issued_at.zip(t.expires_at).and_then(|(a, b)| u64::try_from(b.0.saturating_sub(a.0)).ok());
    format!("{} {}", text::bar(left, whole.map_or(left, std::time::Duration::from_millis), 4), text::left(left))
}

/// A reason for a narrow column: the raw code first, then the sentence.
fn short_reason(r: &Reason, lang: Lang, room: u16) -> String {
    if room < NARROW && lang == Lang::En {
        // A cut sentence says less than the code's own name.
        let name = r.code.name().replace('_', " ");
        return match &r.raw {
            Some(raw) if text::width(raw.as_str()) <= 4 => format!("{raw} {name}"),
            _ => name,
        };
    }
    match &r.raw {
        Some(raw) if text::width(raw.as_str()) <= 12 && !raw.is_empty() => format!("{raw} {}", i18n::reason::sentence(r, lang)),
        _ => i18n::reason::sentence(r, lang),
    }
}

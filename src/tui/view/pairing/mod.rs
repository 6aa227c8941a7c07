//! The pairing screen: one Offer as QR or as big code, with all that is known about it, or the state that replaces it.
//!
//! An Offer is drawn only while the boot clock is before its death and the gate's epoch is the one that let it pass; the
//! frame in which either ends shows no cell of it. The picture is cached in [`PairScreen`], never made a second time.

mod facts;
mod keys;
mod panel;
mod part;
mod screen;
pub mod spoken;
#[cfg(test)]
mod tests;
mod text;
mod tick;

pub use keys::keys;
pub use screen::PairScreen;
pub use tick::next_tick;

use super::ViewCx;
use crate::{
    clock::{Verdict, gate::Shown},
    domain::{Boot, OfferKind},
    engine::mailbox::{PairStage, PairView},
    i18n::{Message, Words, pairing as w},
    tui::{
        theme::Role,
        widget::{
            bigcode,
            qr::{Layout, Qr, Style},
        },
    },
};
use facts::{clock_line, fresh, log, phone};
use panel::{Panel, number};
use part::{Part, Row, stack};
use ratatui::{
    Frame,
    layout::Rect,
    symbols,
    text::{Line, Span},
    widgets::{Block, Clear},
};
use text::{Glyph, cut, dot, ends, plain};
use unicode_width::UnicodeWidthStr;

/// Columns that a side panel needs to be worth its place.
const SIDE: u16 = 25;

/// Draws the attempt over the whole frame.
pub fn draw(frame: &mut Frame, view: &PairView, screen: &mut PairScreen, cx: &ViewCx) {
    draw_in(frame, frame.area(), view, screen, cx);
}

/// Draws the attempt in a part of the frame, for a run loop that keeps rows of its own (an armed action).
pub fn draw_in(frame: &mut Frame, area: Rect, view: &PairView, screen: &mut PairScreen, cx: &ViewCx) {
    let area = area.intersection(frame.area());
    if area.is_empty() {
        return;
    }
    frame.render_widget(Clear, area);
    screen.changed(view);
    match &view.stage {
        PairStage::Showing(shown) if view.gate.as_ref().is_some_and(|g| g.epoch > shown.epoch) => {
            panel(frame, area, view, screen, cx, Stand::Moved);
        }
        PairStage::Showing(shown) => match left_ms(shown, cx) {
            None => panel(frame, area, view, screen, cx, Stand::Dead(shown.offer.n)),
            Some(left) if shown.offer.kind == OfferKind::Qr => qr(frame, area, view, screen, cx, shown, left),
            Some(left) => code(frame, area, view, screen, cx, shown, left),
        },
        _ => panel(frame, area, view, screen, cx, Stand::Stage),
    }
}

/// What a panel speaks of: the stage, or what the view saw before the engine said so.
enum Stand {
    Stage,
    Dead(u32),
    Moved,
}

/// Milliseconds until an Offer dies; `None` when it is dead, or when nothing tells.
fn left_ms(shown: &Shown, cx: &ViewCx) -> Option<u64> {
    let (_, Boot(now)) = cx.now.boot?;
    shown.offer.dies.0.checked_sub(now).filter(|left| *left > 0)
}

fn dies(left_ms: u64, cx: &ViewCx) -> (String, Role) {
    let s = left_ms.div_ceil(1000);
    (Message::new(&w::DIES_IN).with("n", s.to_string()).text(cx.lang), if s <= 10 { Role::Title } else { Role::Plain })
}

/// Title, status and footer; returns what is left between them. Below eight rows the status goes, below four the footer.
fn chrome(frame: &mut Frame, area: Rect, view: &PairView, screen: &PairScreen, cx: &ViewCx, right: &str, waiting: bool) -> Rect {
    let width = usize::from(area.width);
    let gateway = view.target.gateway.as_str();
    let place = Message::new(&w::WHERE).with("platform", view.platform).with("gateway", gateway).text(cx.lang);
    let title = format!("{}  {}{}{place}", w::PAIR.get(cx.lang), view.label, dot(cx));
    put(frame, area, 0, Line::styled(ends(&title, right, width, cx.ascii), cx.theme.style(Role::Title)));
    let mut body = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if body.height >= 3 {
        body.height -= 1;
        put(frame, area, area.height - 1, footer(view, screen, cx, width));
    }
    if waiting && body.height >= 6 {
        body.height -= 1;
        let words = if view.method == crate::domain::Method::Qr { &w::WAIT_QR } else { &w::WAIT_CODE };
        let text = cut(&format!(" {} {}", Glyph::Phone.get(cx.ascii), words.get(cx.lang)), width, cx.ascii);
        put(frame, area, body.bottom() - area.y, Line::styled(text, cx.theme.style(Role::Info)));
    }
    body
}

fn footer(view: &PairView, screen: &PairScreen, cx: &ViewCx, width: usize) -> Line<'static> {
    let mut line = Line::default();
    let narrow = width < 60;
    for (key, words) in keys(view, screen, cx.keymap) {
        let gap = if line.spans.is_empty() { "" } else { ["   ", "  "][usize::from(narrow)] };
        let words = if narrow && words == &w::KEY_LEAVE_ENDS { &w::KEY_LEAVE } else { words };
        let word = words.get(cx.lang);
        if line.width() + gap.len() + key.width() + 1 + word.width() > width {
            continue;
        }
        line.push_span(Span::raw(gap));
        line.push_span(Span::styled(key, cx.theme.style(Role::Title)));
        line.push_span(Span::styled(format!(" {word}"), cx.theme.style(Role::Dim)));
    }
    line
}

/// Draws one line `row` rows below the top of `area`, if that is inside.
fn put(frame: &mut Frame, area: Rect, row: u16, line: Line<'static>) {
    if row < area.height {
        frame.render_widget(line, Rect { y: area.y + row, height: 1, ..area });
    }
}

fn put_rows(frame: &mut Frame, area: Rect, rows: Vec<Row>) {
    for (y, row) in (0..area.height).zip(rows) {
        put(frame, area, y, row.line);
        if let Some(x) = row.cursor {
            frame.set_cursor_position((area.x.saturating_add(x).min(area.right().saturating_sub(1)), area.y + y));
        }
    }
}

fn attempt(view: &PairView, cx: &ViewCx) -> String {
    Message::new(&w::ATTEMPT).with("n", view.attempt.to_string()).text(cx.lang)
}

/// Badges that stand beside an Offer for as long as it is on screen, each on its own line.
fn badges(view: &PairView, shown: &Shown, cx: &ViewCx, width: usize) -> Part {
    let mut part = Part::new(0);
    if shown.overridden || view.overridden {
        part = part.text(cx, Role::Bad, w::BADGE_OVERRIDDEN.get(cx.lang).to_owned(), width);
    }
    if shown.verdict == Verdict::Unknown {
        part = part.text(cx, Role::Warn, w::BADGE_UNVERIFIED.get(cx.lang).to_owned(), width);
    }
    if !shown.offer.fresh.proven() {
        part = part.text(cx, Role::Warn, w::BADGE_UNPROVEN.get(cx.lang).to_owned(), width);
    }
    part
}

/// The QR at the left (or top), facts in what is left; the "too small" panel when it fits nowhere.
fn qr(frame: &mut Frame, area: Rect, view: &PairView, screen: &mut PairScreen, cx: &ViewCx, shown: &Shown, left: u64) {
    let style = if cx.ascii { Style::Blocks } else { screen.style };
    let (w_all, h_all) = (area.width, area.height);
    // With a side panel, with title, status and footer only, with the title only.
    let rooms = [(w_all.saturating_sub(SIDE), h_all.saturating_sub(3)), (w_all, h_all.saturating_sub(3)), (w_all, h_all.saturating_sub(1))];
    let bigger = screen.bigger;
    let sizes = screen.sizes(&shown.offer.payload);
    let Some(layout) = sizes.fit(&rooms, style, bigger) else {
        let needs = [4, 1].map(|quiet| sizes.least(quiet, style));
        return too_small(frame, area, view, screen, cx, shown, left, needs);
    };
    let (countdown, role) = dies(left, cx);
    let name = Message::new(&w::QR_N).with("n", shown.offer.n.to_string()).text(cx.lang);
    let bare = layout.rows + 3 > h_all;
    let beside = layout.cols + SIDE <= w_all;
    let below = h_all.saturating_sub(layout.rows + 3);
    let short = format!("{name}{}{countdown}", dot(cx));
    let right = if beside && !bare || below >= 4 { attempt(view, cx) } else { short };
    if bare {
        put(frame, area, 0, Line::styled(cut(&right, usize::from(w_all), cx.ascii), cx.theme.style(Role::Title)));
    } else {
        chrome(frame, area, view, screen, cx, &right, true);
    }
    let at = Rect { y: area.y + 1, width: layout.cols, height: layout.rows, ..area };
    let palette = screen.palette;
    if let Some(matrix) = screen.matrix(layout.ec) {
        frame.render_widget(Qr { matrix, layout, palette }, at);
    }
    let side = match (beside && !bare, below >= 4 && !bare) {
        (true, _) => Rect { x: at.right() + 1, y: at.y, width: w_all - layout.cols - 1, height: h_all - 3 },
        (_, true) => Rect { x: area.x, y: at.bottom(), width: w_all, height: below },
        _ => return,
    };
    let width = usize::from(side.width);
    let head = Part::new(0).ends(cx, Role::Title, &name, (&countdown, role), width);
    let mut parts = vec![head];
    parts.extend(offer_facts(view, shown, cx, width));
    parts.push(phone(3, view, cx, width));
    parts.push(help(view, screen, cx, layout, width));
    parts.push(log(4, view, screen, cx, width));
    put_rows(frame, side, stack(parts, usize::from(side.height)));
}

fn offer_facts(view: &PairView, shown: &Shown, cx: &ViewCx, width: usize) -> Vec<Part> {
    let (clock, role) = clock_line(view.gate.as_ref(), cx);
    let mut believed = Part::new(1);
    if shown.offer.fresh.proven() {
        believed = believed.text(cx, Role::Plain, fresh(shown.offer.fresh).get(cx.lang).to_owned(), width);
    }
    vec![badges(view, shown, cx, width), believed.text(cx, role, clock, width)]
}

/// What to try when the phone does not read the QR, made from the live keys.
fn help(view: &PairView, screen: &PairScreen, cx: &ViewCx, layout: Layout, width: usize) -> Part {
    const TRY: [&Words; 5] = [&w::KEY_LARGER, &w::KEY_SMALLER, &w::KEY_STYLE, &w::KEY_PNG, &w::KEY_CODE];
    let mut part = Part::new(5).text(cx, Role::Plain, w::NOT_SCANNING.get(cx.lang).to_owned(), width);
    for (key, words) in keys(view, screen, cx.keymap).into_iter().filter(|(_, words)| TRY.contains(words)) {
        part = part.labelled(cx, Role::Plain, &format!("  {key}  "), words.get(cx.lang).to_owned(), width);
    }
    let cells = Message::new(&w::QR_CELLS).with("cols", layout.cols.to_string()).with("rows", layout.rows.to_string());
    part.text(cx, Role::Dim, cells.with("ec", layout.ec.letter()).with("quiet", layout.quiet.to_string()).text(cx.lang), width)
}

/// The code, as large as there is room for. A code that cannot be shown whole is not shown.
fn code(frame: &mut Frame, area: Rect, view: &PairView, screen: &PairScreen, cx: &ViewCx, shown: &Shown, left: u64) {
    let text = shown.offer.payload.expose();
    let (countdown, role) = dies(left, cx);
    let name = Message::new(&w::CODE_N).with("n", shown.offer.n.to_string()).text(cx.lang);
    if area.height < 3 {
        let line = bigcode::line(text, area.width).unwrap_or_default();
        let line = if area.height == 1 { ends(&line, &countdown, usize::from(area.width), cx.ascii) } else { line };
        put(frame, area, 0, Line::styled(line, cx.theme.style(Role::Title)));
        put(frame, area, 1, Line::styled(cut(&countdown, usize::from(area.width), cx.ascii), cx.theme.style(role)));
        return;
    }
    let body = chrome(frame, area, view, screen, cx, &attempt(view, cx), true);
    let margin = if body.width >= 70 { 1 } else { 0 };
    let body = Rect { x: body.x + margin, width: (body.width - 2 * margin).min(90), ..body };
    let width = usize::from(body.width);
    let title = cx.theme.style(Role::Title);
    let mut parts = vec![Part::new(0).ends(cx, Role::Title, &name, (&countdown, role), width)];
    let number = view.number.as_ref().map(|n| {
        let n = number(n.as_str(), screen.number_shown, cx);
        Message::new(&w::FOR_NUMBER).with("number", n).text(cx.lang)
    });
    let big = body.width >= bigcode::columns(text) && body.height >= bigcode::ROWS + 4;
    match bigcode::line(text, body.width) {
        None => {
            let cols = text.len().to_string();
            let say = Message::new(&w::TOO_NARROW).with("cols", cols).with("have", area.width.to_string());
            parts.push(Part::new(0).text(cx, Role::Warn, say.text(cx.lang), width));
        }
        Some(line) if big => {
            let letters = bigcode::rows(text, cx.ascii).into_iter().fold(Part::new(0), |p, row| p.line(Span::styled(row, title)));
            parts.push(letters);
            let below = format!(" {line}");
            parts.push(Part::new(1).ends(cx, Role::Title, &below, (&number.unwrap_or_default(), Role::Plain), width));
        }
        Some(line) => {
            let mut small = Part::new(0).line(Span::styled(line, title));
            if let Some(number) = number {
                small = small.line(Span::styled(cut(&number, width, cx.ascii), cx.theme.style(Role::Dim)));
            }
            parts.push(small);
        }
    }
    parts.extend(offer_facts(view, shown, cx, width));
    parts.push(phone(3, view, cx, width));
    parts.push(log(4, view, screen, cx, width));
    put_rows(frame, body, stack(parts, usize::from(body.height)));
}

/// The QR fits in no way: what it needs, what there is, what to do instead.
#[allow(clippy::too_many_arguments)]
fn too_small(frame: &mut Frame, area: Rect, view: &PairView, screen: &PairScreen, cx: &ViewCx, shown: &Shown, left: u64, needs: [Option<Layout>; 2]) {
    let (countdown, role) = dies(left, cx);
    let name = Message::new(&w::QR_N).with("n", shown.offer.n.to_string()).text(cx.lang);
    let body = chrome(frame, area, view, screen, cx, &attempt(view, cx), true);
    let width = usize::from(body.width);
    let head = Part::new(0).ends(cx, Role::Title, &name, (&countdown, role), width);
    // One row more than the QR: the title with its countdown always stays.
    let size = |l: Layout| (l.cols.to_string(), (l.rows + 1).to_string());
    let why = match needs {
        [Some(best), Some(least)] => {
            let ((cols, rows), (c, r)) = (size(best), size(least));
            let say = Message::new(&w::TOO_SMALL).with("cols", cols).with("rows", rows).with("least", format!("{c}x{r}"));
            say.with("have", format!("{}x{}", area.width, area.height)).text(cx.lang)
        }
        _ => w::TOO_LONG.get(cx.lang).to_owned(),
    };
    let mut instead = Part::new(1);
    for words in [&w::TOO_SMALL_CODE, &w::TOO_SMALL_PNG, &w::TOO_SMALL_GROW] {
        instead = instead.text(cx, Role::Plain, words.get(cx.lang).to_owned(), width);
    }
    let mut parts = vec![head, Part::new(0).text(cx, Role::Warn, why, width), instead];
    parts.push(Part::new(3).text(cx, Role::Dim, w::TOO_SMALL_WHY.get(cx.lang).to_owned(), width));
    parts.extend(offer_facts(view, shown, cx, width));
    parts.push(log(4, view, screen, cx, width));
    put_rows(frame, body, stack(parts, usize::from(body.height)));
}

/// A state in place of an Offer, in a frame where there is room for one, with clock and log below it.
fn panel(frame: &mut Frame, area: Rect, view: &PairView, screen: &PairScreen, cx: &ViewCx, stand: Stand) {
    let body = chrome(frame, area, view, screen, cx, &attempt(view, cx), false);
    let framed = body.width >= 56 && body.height >= 16;
    let inner_width = if framed { body.width.min(80) - 4 } else { body.width };
    let p = Panel { view, screen, cx, width: usize::from(inner_width) };
    let said = match stand {
        Stand::Stage => p.parts(),
        Stand::Dead(n) => p.expired(n),
        Stand::Moved => p.moved(None),
    };
    let (clock, role) = clock_line(view.gate.as_ref(), cx);
    let clock = |width| Part::new(3).text(cx, role, plain(clock, cx), width);
    if !framed {
        let mut parts = said;
        parts.push(clock(usize::from(body.width)));
        parts.push(log(4, view, screen, cx, usize::from(body.width)));
        return put_rows(frame, body, stack(parts, usize::from(body.height)));
    }
    let rows = stack(said, usize::from(body.height - 6));
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(2);
    let outer = Rect { width: inner_width + 4, height: height.min(body.height), ..body };
    let mut block = Block::bordered().border_style(cx.theme.style(Role::Dim));
    if cx.ascii {
        block = block.border_set(symbols::border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        });
    }
    frame.render_widget(block, outer);
    put_rows(frame, Rect { x: outer.x + 2, y: outer.y + 1, width: inner_width, height: outer.height.saturating_sub(2) }, rows);
    let rest = Rect { x: body.x + 1, y: outer.bottom() + 1, width: body.width - 2, height: (body.bottom()).saturating_sub(outer.bottom() + 1) };
    let width = usize::from(rest.width);
    put_rows(frame, rest, stack(vec![clock(width), log(4, view, screen, cx, width)], usize::from(rest.height)));
}

//! The armed row and the toast row.

use super::{layout::Areas, paint};
use crate::{
    domain::{Action, OpPhase},
    engine::mailbox::OpView,
    i18n::{Lang, Message, deck as w},
    tui::{app::App, keymap::Act, text, theme::Role, toasts::Level},
};
use ratatui::{Frame, layout::Rect};

/// The verb as a word.
pub fn verb(action: &Action, lang: Lang) -> String {
    match action {
        Action::Pair => w::VERB_PAIR.get(lang).to_owned(),
        Action::Wipe => w::VERB_WIPE.get(lang).to_owned(),
        Action::Regenerate => w::VERB_REGENERATE.get(lang).to_owned(),
        Action::Do(v) => v.to_string(),
    }
}

/// Where an op under way stands.
pub fn progress(op: &OpView, lang: Lang) -> String {
    if let Some((words, n, of)) = op.step.as_ref().filter(|_| matches!(op.phase, OpPhase::Running | OpPhase::Planning | OpPhase::Back)) {
        return Message::new(&w::OP_STEP).with("n", n.to_string()).with("of", of.to_string()).with("what", words.text(lang)).text(lang);
    }
    let words = match op.phase {
        OpPhase::Armed => &w::OP_ARMED,
        OpPhase::Planning => &w::OP_PLANNING,
        OpPhase::Running => &w::OP_RUNNING,
        OpPhase::Asking => &w::OP_ASKING,
        OpPhase::Back => &w::OP_BACK,
        OpPhase::Done => &w::OP_DONE,
        OpPhase::Failed => &w::OP_FAILED,
        OpPhase::Ambiguous => &w::OP_AMBIGUOUS,
        OpPhase::Cancelled => &w::OP_CANCELLED,
        OpPhase::Owed => &w::OP_OWED,
    };
    let mut out = Message::new(words).with("what", verb(&op.action, lang)).text(lang);
    if let Some(r) = op.reason.as_ref().filter(|_| matches!(op.phase, OpPhase::Failed | OpPhase::Ambiguous)) {
        out.push(' ');
        out.push_str(&crate::i18n::reason::full(r, lang));
    }
    out
}

/// Armed row and toast row of the deck. True when what is armed was drawn.
pub fn row(app: &App, frame: &mut Frame, areas: &Areas) -> bool {
    let shared = areas.armed == areas.toast;
    let drawn = draw(app, frame, areas.armed);
    if !shared || app.armed.is_empty() {
        toast(app, frame, areas.toast);
    }
    drawn
}

/// The armed row. True when something is armed and it was drawn.
pub fn draw(app: &App, frame: &mut Frame, area: Rect) -> bool {
    let Some(o) = app.armed.newest() else { return false };
    if area.height == 0 || area.width < 12 {
        return false;
    }
    let lang = app.lang();
    let buf = frame.buffer_mut();
    paint::clear(buf, area);
    let style = app.theme.style(Role::Armed);
    let label = if app.hide_names { "····" } else { o.view.label.as_str() };
    let what = verb(&o.view.action, lang).to_uppercase();
    let mut x = paint::put(buf, area, 0, "▸ ", style);
    x = paint::put(buf, area, x, &what, style) + 1;
    let left = o.ends.map(|e| text::seconds_left(e.since(app.now.boot_now())));
    let more = app.armed.all().len() - 1;
    let keys = Message::new(if o.fires { &w::ARMED_KEYS_NOW } else { &w::ARMED_KEYS_HOLD })
        .with("enter", app.keymap.key(Act::Open))
        .with("undo", app.keymap.key(Act::Undo))
        .text(lang);
    let time = match left {
        Some(n) if o.fires => {
            let words = if area.width < 60 { &w::ARMED_IN_SHORT } else { &w::ARMED_IN };
            Message::new(words).with("n", n.to_string()).text(lang)
        }
        _ => w::ARMED_WAITS.get(lang).to_owned(),
    };
    // The countdown and the way back matter more than the end of a long name.
    let plus = if more > 0 { format!(" +{more}") } else { String::new() };
    let tail = format!(" {time}{plus}  {keys}");
    let tail_w = u16::try_from(text::width(&tail)).unwrap_or(u16::MAX);
    let name_end = area.width.saturating_sub(tail_w).max(x + 4);
    let name = if area.width >= 100 { format!("{label} · {}", o.view.platform) } else { label.to_owned() };
    x = paint::put_in(buf, area, x, name_end, &name, style);
    x = paint::put(buf, area, x, &tail, if app.armed.focus { app.theme.style(Role::Warn) } else { app.theme.style(Role::Plain) });
    let loses: Vec<String> = o.view.loses.iter().map(|m| m.text(lang)).collect();
    let says = if loses.is_empty() { o.view.says.text(lang) } else { loses.join(", ") };
    paint::put(buf, area, x + 2, &says, app.theme.style(Role::Plain));
    true
}

/// What the action that waits for Enter would lose, line by line above the armed row: nobody agrees to what was cut off.
pub fn losses(app: &App, frame: &mut Frame, body: Rect) {
    let Some(o) = app.armed.newest().filter(|o| !o.fires && !o.view.loses.is_empty()) else { return };
    let (lang, cells) = (app.lang(), usize::from(body.width.saturating_sub(6)));
    let mut lines: Vec<String> = Vec::new();
    for lost in &o.view.loses {
        let words = crate::i18n::Message::new(&crate::i18n::pairing::LOSES).with("what", lost.text(lang)).text(lang);
        lines.extend(text::wrap(&words, cells));
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(body.height.saturating_sub(1));
    let buf = frame.buffer_mut();
    for (n, words) in (0..height).zip(&lines) {
        let area = Rect { y: body.bottom() - height + n, height: 1, ..body };
        paint::clear(buf, area);
        paint::put(buf, area, 2, "⚠", app.theme.style(Role::Warn));
        paint::put(buf, area, 4, words, app.theme.style(Role::Plain));
    }
}

/// The toast row.
pub fn toast(app: &App, frame: &mut Frame, area: Rect) {
    if area.height == 0 {
        return;
    }
    let lang = app.lang();
    let buf = frame.buffer_mut();
    if app.quitting {
        paint::put(buf, area, 2, w::FINISHING.get(lang), app.theme.style(Role::Warn));
        return;
    }
    let Some((entry, more)) = app.toasts.current() else { return };
    let (glyph, role) = match entry.level {
        Level::Good => ("✓", Role::Plain),
        Level::Hint => ("·", Role::Plain),
        Level::Bad => ("✗", Role::Bad),
    };
    let tail = if more > 0 {
        Message::new(&w::TOAST_MORE).with("n", more.to_string()).with("key", app.keymap.key(Act::Log)).text(lang)
    } else {
        String::new()
    };
    let end = area.width.saturating_sub(u16::try_from(text::width(&tail)).unwrap_or(0) + 1);
    paint::put(buf, area, 2, glyph, app.theme.style(role));
    paint::put_in(buf, area, 4, end, &entry.text, app.theme.style(role));
    paint::put(buf, area, end, &tail, app.theme.style(Role::Dim));
}

//! The diagnosis: what the client uses goes in, what was compared comes out. Pasted tokens are never drawn.

use super::slots::plain;
use crate::{
    domain::{Reason, Secret, Target},
    engine::Command,
    i18n::{Message, deck as w},
    providers::Diagnosis,
    tui::{
        app::App,
        devices::{SDKS, WhyForm},
        edit::Field,
        effect::Do,
        overlay::Overlay,
        toasts::Level,
    },
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Bytes of a pasted log that are kept.
const LONGEST: usize = 256 * 1024;
/// Lines of the form that take the focus: slot, library, token, log.
const FIELDS: usize = 4;

/// Opens it on the row under the cursor.
pub(super) fn open(app: &mut App) {
    let Some(e) = app.entry() else {
        app.say(Level::Hint, &Message::new(&w::NEEDS_ROW));
        return;
    };
    let form = WhyForm::new(e.row.target(), e.row.label.clone());
    app.overlays.push(Overlay::Why(Box::new(form)));
}

/// Pasted text: a log where the log is asked for, or where it plainly is one; else into the field.
pub(super) fn paste(f: &mut WhyForm, text: &str) {
    let is_log = f.at == 3 || text.trim_end().contains('\n') || text.contains("actToken");
    if is_log {
        let mut end = text.len().min(LONGEST);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        f.log = Some(Secret::new(text[..end].to_owned()));
        f.at = 3;
    } else if let Some(field) = f.field() {
        field.paste(text);
    }
}

/// A key in it.
pub(super) fn key(app: &mut App, key: &KeyEvent, page: usize, out: &mut Vec<Do>) {
    let Some(Overlay::Why(f)) = app.overlays.last_mut() else { return };
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let reading = f.at == FIELDS;
    match key.code {
        KeyCode::Enter if !f.asking => {
            (f.asking, f.found, f.scroll) = (true, None, 0);
            out.push(Do::Send(Command::Why { target: f.target.clone(), claim: f.claim() }));
        }
        KeyCode::Enter => {}
        KeyCode::Tab => f.at = (f.at + 1) % (FIELDS + usize::from(f.found.is_some())),
        KeyCode::BackTab => f.at = f.at.checked_sub(1).unwrap_or(FIELDS - usize::from(f.found.is_none())),
        KeyCode::Down if !reading => f.at = (f.at + 1).min(FIELDS - usize::from(f.found.is_none())),
        KeyCode::Up if !reading => f.at = f.at.saturating_sub(1),
        KeyCode::Char('j') | KeyCode::Down if reading => f.scroll = f.scroll.saturating_add(1).min(1_000),
        KeyCode::Char('k') | KeyCode::Up if reading => f.scroll = f.scroll.saturating_sub(1),
        KeyCode::PageDown => f.scroll = f.scroll.saturating_add(page).min(1_000),
        KeyCode::PageUp => f.scroll = f.scroll.saturating_sub(page),
        KeyCode::Char('q') if reading && plain(key) => {
            app.overlays.pop();
        }
        KeyCode::Left | KeyCode::Right | KeyCode::Char(' ') if f.at == 1 => {
            let next = f.sdk.map_or(1, |n| n + 2);
            let of = SDKS.len() + 1;
            let n = if key.code == KeyCode::Left { (next + of - 2) % of } else { next % of };
            f.sdk = n.checked_sub(1);
        }
        KeyCode::Char('u') if ctrl && f.at == 3 => f.log = None,
        KeyCode::Backspace if f.at == 3 => f.log = None,
        _ => {
            if let Some(field) = f.field() {
                field.key(key);
            }
        }
    }
}

/// The answer came.
pub(super) fn came(app: &mut App, target: &Target, found: &Result<Option<Diagnosis>, Reason>) {
    for o in &mut app.overlays {
        if let Overlay::Why(f) = o
            && f.asking
            && f.target.same(target)
        {
            (f.asking, f.found, f.at) = (false, Some(found.clone()), FIELDS);
            // What was compared is not needed any more; typed tokens do not lie around.
            f.token = Field::secret();
        }
    }
    app.dirty = true;
}

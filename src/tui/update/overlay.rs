//! Keys while an overlay is open. Esc was taken care of before.

use super::{add, answer, armed, clock, filter, pair, pairing, palette, slots, token, unlock, why};
use crate::{
    i18n::{Message, deck as w},
    tui::{
        app::App,
        effect::Do,
        overlay::Overlay,
        toasts::Level,
        view::{overlays, panel},
    },
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// An overlay was closed by Esc.
pub(super) fn closed(app: &mut App, top: Overlay) {
    if let Overlay::Filter { before, .. } = top {
        // Esc in the line clears what was typed there; what was kept before stays.
        let back = if app.filter_text == before { String::new() } else { before };
        filter::set(app, back);
    } else if let Overlay::Unlock(f) = top {
        unlock::closed(app, &f);
    }
}

/// Pasted text goes into the field that has the focus, else nowhere.
pub(super) fn paste(app: &mut App, text: &str) {
    match app.overlays.last_mut() {
        Some(Overlay::Add(f)) => {
            f.check = None;
            if let Some(field) = f.field() {
                field.paste(text);
            }
        }
        Some(Overlay::Pair(f)) => f.number.paste(text),
        Some(Overlay::Verb(f)) => {
            if let Some(field) = f.answers.get_mut(f.at) {
                field.paste(text);
            }
        }
        Some(Overlay::Why(f)) => why::paste(f, text),
        Some(Overlay::Unlock(f)) => f.field.paste(text),
        Some(Overlay::Answer(f)) => f.field.paste(text),
        Some(Overlay::Help(s) | Overlay::Palette(s)) => s.field.paste(text),
        Some(Overlay::Filter { field, .. }) => {
            field.paste(text);
            let line = field.text().to_owned();
            filter::set(app, line);
        }
        Some(_) => {}
        None => pairing::paste(app, text),
    }
}

/// A key while an overlay is open.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    if ctrl && key.code == KeyCode::Char('l') {
        out.push(Do::Redraw);
        return;
    }
    let page = panel::inner_height(app);
    match app.overlays.last_mut() {
        Some(Overlay::Add(_)) => add::key(app, key, out),
        Some(Overlay::Pair(_)) => pair::key(app, key, out),
        Some(Overlay::Answer(_)) => answer::key(app, key, out),
        Some(Overlay::Palette(_)) => palette::key(app, key, out),
        Some(Overlay::Menu { .. }) => palette::menu(app, key, out),
        Some(Overlay::Question(_)) => question(app, key, out),
        Some(Overlay::Help(s)) => {
            // Typing searches; the arrows scroll.
            match key.code {
                KeyCode::Char('?') => {
                    app.overlays.pop();
                }
                KeyCode::Char('q') if s.field.is_empty() => {
                    app.overlays.pop();
                }
                KeyCode::Down => s.pick = s.pick.saturating_add(1).min(100),
                KeyCode::Up => s.pick = s.pick.saturating_sub(1),
                KeyCode::PageDown => s.pick = s.pick.saturating_add(page).min(100),
                KeyCode::PageUp => s.pick = s.pick.saturating_sub(page),
                _ => {
                    s.field.key(key);
                    s.pick = 0;
                }
            }
        }
        Some(Overlay::Filter { field, .. }) => {
            if key.code == KeyCode::Enter {
                app.overlays.pop();
            } else if field.key(key) {
                let line = field.text().to_owned();
                filter::set(app, line);
            }
        }
        Some(Overlay::States) => {
            if let KeyCode::Char(c) = key.code {
                app.overlays.pop();
                if let Some((_, state)) = overlays::states().into_iter().find(|(k, _)| *k == c) {
                    filter::set(app, format!("state:{}", state.name().replace('_', "")));
                }
            }
        }
        Some(Overlay::Verb(_)) => slots::answer(app, key, out),
        Some(Overlay::Token(_)) => token::key(app, key, out),
        Some(Overlay::Slots(_)) => slots::key(app, key),
        Some(Overlay::Why(_)) => why::key(app, key, page, out),
        Some(Overlay::Unlock(_)) => unlock::key(app, key, out),
        Some(Overlay::Clock { .. }) if (key.code == KeyCode::Char('r') && !ctrl) || key.code == KeyCode::Enter => clock::ask(app, out),
        Some(Overlay::Clock { .. }) if key.code == KeyCode::Char('y') && !ctrl => {
            out.push(Do::Copy(clock::text(app)));
            app.say(Level::Good, &Message::new(&w::TOAST_COPIED));
        }
        Some(Overlay::Clock { scroll }) => {
            let own = matches!((key.code, ctrl), (KeyCode::Char('q' | 'c'), false));
            if matches!((key.code, ctrl), (KeyCode::Char('G'), false) | (KeyCode::End, _)) {
                *scroll = usize::MAX;
            } else if !move_by(scroll, key, page) && own {
                app.overlays.pop();
            }
            clock::bound(app);
        }
        Some(Overlay::Log { scroll } | Overlay::Detail { scroll }) => {
            let own = matches!((key.code, ctrl), (KeyCode::Char('q' | 'c' | 'L'), false) | (KeyCode::Enter, _));
            if !move_by(scroll, key, page) && own {
                app.overlays.pop();
            }
        }
        Some(Overlay::Timeline(t)) => {
            let own = matches!((key.code, ctrl), (KeyCode::Char('q' | 't'), false));
            if !move_by(&mut t.scroll, key, page) && own {
                app.overlays.pop();
            }
        }
        None => {}
    }
}

/// Scrolls. False when the key is for something else.
fn move_by(scroll: &mut usize, key: &KeyEvent, page: usize) -> bool {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let n = match (key.code, ctrl) {
        (KeyCode::Char('j'), false) | (KeyCode::Down, _) | (KeyCode::Char('n'), true) => 1,
        (KeyCode::Char('k'), false) | (KeyCode::Up, _) | (KeyCode::Char('p'), true) => -1,
        (KeyCode::PageDown, _) | (KeyCode::Char('d' | 'f'), true) => isize::try_from(page).unwrap_or(1),
        (KeyCode::PageUp, _) | (KeyCode::Char('u'), true) => -isize::try_from(page).unwrap_or(1),
        (KeyCode::Char('g'), false) | (KeyCode::Home, _) => isize::MIN,
        _ => return false,
    };
    *scroll = scroll.saturating_add_signed(n).min(10_000);
    true
}

fn question(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let Some(Overlay::Question(q)) = app.overlays.last_mut() else { return };
    if key.code != KeyCode::Enter {
        if q.count_typed {
            q.field.key(key);
        }
        return;
    }
    if q.count_typed && q.field.text().trim() != q.targets.len().to_string() {
        q.field = crate::tui::edit::Field::default();
        return;
    }
    let Some(Overlay::Question(q)) = app.overlays.pop() else { return };
    app.rows.marks.clear();
    for (target, _) in q.targets {
        armed::ask(app, target, q.action.clone(), true, out);
    }
}

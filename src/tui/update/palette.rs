//! The palette and the menu: they arm or open, never fire.

use super::{act, slots, unlock, why};
use crate::{
    engine::Command,
    i18n::{Message, deck as w},
    tui::{
        app::App,
        edit::Field,
        effect::Do,
        overlay::Overlay,
        toasts::Level,
        view::overlays::{MenuItem, menu_items, palette_items},
    },
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key in the palette.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let Some(Overlay::Palette(s)) = app.overlays.last() else { return };
    let items = palette_items(app, s.field.text());
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let pick = s.pick.min(items.len().saturating_sub(1));
    let chosen = items.get(pick).copied();
    let Some(Overlay::Palette(s)) = app.overlays.last_mut() else { return };
    match key.code {
        KeyCode::Enter => {
            app.overlays.pop();
            if let Some(a) = chosen {
                act::act(app, a, out);
            }
        }
        KeyCode::Tab => {
            if let Some(a) = chosen {
                s.field = Field::with(a.name());
            }
        }
        KeyCode::Down => s.pick = (pick + 1).min(items.len().saturating_sub(1)),
        KeyCode::Up => s.pick = pick.saturating_sub(1),
        KeyCode::Char('n') if ctrl => s.pick = (pick + 1).min(items.len().saturating_sub(1)),
        KeyCode::Char('p') if ctrl => s.pick = pick.saturating_sub(1),
        _ => {
            s.field.key(key);
            s.pick = 0;
        }
    }
}

/// A key in the menu.
pub(super) fn menu(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let items = menu_items(app);
    let Some(Overlay::Menu { pick }) = app.overlays.last_mut() else { return };
    let chosen = match key.code {
        KeyCode::Char(c) if key.modifiers.is_empty() || key.modifiers == KeyModifiers::SHIFT => match items.iter().position(|i| i.key == c) {
            Some(at) => at,
            None => {
                match c {
                    'j' => *pick = (*pick + 1).min(items.len().saturating_sub(1)),
                    'k' => *pick = pick.saturating_sub(1),
                    'q' | 'm' => {
                        app.overlays.pop();
                    }
                    c => app.say(Level::Hint, &Message::new(&w::NO_KEY).with("key", c.to_string())),
                }
                return;
            }
        },
        KeyCode::Down => {
            *pick = (*pick + 1).min(items.len().saturating_sub(1));
            return;
        }
        KeyCode::Up => {
            *pick = pick.saturating_sub(1);
            return;
        }
        KeyCode::Enter => *pick,
        _ => return,
    };
    if let Some(item) = items.get(chosen) {
        choose(app, item, out);
    }
}

fn choose(app: &mut App, item: &MenuItem, out: &mut Vec<Do>) {
    use crate::tui::view::overlays::MenuWhat;
    if let Some(why) = &item.dead {
        app.say_text(Level::Hint, why.clone());
        return;
    }
    app.overlays.pop();
    match item.what {
        MenuWhat::Verb(verb) => slots::verb(app, verb, out),
        MenuWhat::Why => why::open(app),
        MenuWhat::GoOn(id) => super::armed::again(id, out),
        MenuWhat::Drop(id) => super::armed::dismiss(id, out),
        MenuWhat::Unlock => unlock::ask(app, out),
        MenuWhat::Test => {
            let id = app.gateway().map(|g| g.view.id.clone());
            out.push(Do::Send(Command::Refresh(id)));
        }
    }
}

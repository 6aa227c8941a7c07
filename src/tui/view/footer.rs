//! The keys that matter here, and the guide.

use super::{layout::Areas, paint};
use crate::{
    domain::Action,
    i18n::{Message, deck as w},
    tui::{app::App, keymap::Act, text, theme::Role},
};
use ratatui::Frame;

const FULL: [Act; 13] = [
    Act::Mark,
    Act::Pair,
    Act::Wipe,
    Act::Regenerate,
    Act::More,
    Act::Timeline,
    Act::Filter,
    Act::Sort,
    Act::NextProblem,
    Act::Palette,
    Act::Help,
    Act::Quit,
    Act::Open,
];
const SMALL: [Act; 5] = [Act::Pair, Act::Wipe, Act::Regenerate, Act::Filter, Act::Help];

/// Draws footer and guide.
pub fn draw(app: &App, frame: &mut Frame, areas: &Areas) {
    let area = areas.footer;
    let lang = app.lang();
    let acts: &[Act] = if area.width < 50 { &SMALL } else { &FULL };
    let gap = if area.width < 50 { 1 } else { 2 };
    let buf = frame.buffer_mut();
    let mut x = 0;
    for act in acts {
        let key = app.keymap.key(*act);
        let word = if *act == Act::Regenerate && area.width < 100 { &w::ACT_REGENERATE_SHORT } else { act.words() }.get(lang);
        let wide = u16::try_from(text::width(&key) + 1 + text::width(word)).unwrap_or(u16::MAX);
        if x + wide > area.width {
            break;
        }
        let role = if dead(app, *act) { Role::Dim } else { Role::Title };
        x = paint::put(buf, area, x, &key, app.theme.style(role));
        x = paint::put(buf, area, x + 1, word, app.theme.style(Role::Dim)) + gap;
    }
    if areas.guide.height > 0
        && let Some((n, of, words)) = app.guide.current()
    {
        let head = Message::new(&w::GUIDE).with("n", n.to_string()).with("of", of.to_string()).text(lang);
        let x = paint::put(buf, areas.guide, 0, &head, app.theme.style(Role::Armed));
        paint::put(buf, areas.guide, x + 1, words.get(lang), app.theme.style(Role::Info));
    }
}

/// A key that would only answer why not is drawn without weight.
fn dead(app: &App, act: Act) -> bool {
    let action = match act {
        Act::Pair => Action::Pair,
        Act::Wipe => Action::Wipe,
        Act::Regenerate => Action::Regenerate,
        _ => return false,
    };
    app.rows.marks.is_empty() && app.slot().is_none_or(|s| app.can(s, &action).is_err())
}

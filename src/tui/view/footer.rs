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
/// What goes first where there is no room for all of them: an act, or only its word. What acts, and the way to the help, stays.
const CUTS: [(Act, Cut); 11] = [
    (Act::Open, Cut::Whole),
    (Act::Sort, Cut::Whole),
    (Act::Timeline, Cut::Whole),
    (Act::Palette, Cut::Word),
    (Act::Quit, Cut::Word),
    (Act::Mark, Cut::Whole),
    (Act::More, Cut::Whole),
    (Act::NextProblem, Cut::Whole),
    (Act::Filter, Cut::Whole),
    (Act::Quit, Cut::Whole),
    (Act::Palette, Cut::Whole),
];
const SMALL: [Act; 5] = [Act::Pair, Act::Wipe, Act::Regenerate, Act::Filter, Act::Help];

/// Draws footer and guide.
pub fn draw(app: &App, frame: &mut Frame, areas: &Areas) {
    let area = areas.footer;
    let lang = app.lang();
    let gap = if area.width < 50 { 1 } else { 2 };
    let acts = fitting(app, area.width, gap);
    let buf = frame.buffer_mut();
    let mut x = 0;
    for (act, word) in acts {
        let key = app.keymap.key(act);
        if x + wide(&key, word) > area.width {
            break;
        }
        let role = if dead(app, act) { Role::Dim } else { Role::Title };
        x = paint::put(buf, area, x, &key, app.theme.style(role));
        if !word.is_empty() {
            x = paint::put(buf, area, x + 1, word, app.theme.style(Role::Dim));
        }
        x += gap;
    }
    if areas.guide.height > 0
        && let Some((n, of, words)) = app.guide.current()
    {
        let head = Message::new(&w::GUIDE).with("n", n.to_string()).with("of", of.to_string()).text(lang);
        let x = paint::put(buf, areas.guide, 0, &head, app.theme.style(Role::Armed));
        paint::put(buf, areas.guide, x + 1, words.get(lang), app.theme.style(Role::Info));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Whole,
    Word,
}

fn wide(key: &str, word: &str) -> u16 {
    let word = if word.is_empty() { 0 } else { 1 + text::width(word) };
    u16::try_from(text::width(key) + word).unwrap_or(u16::MAX)
}

/// The acts that a footer of that width has room for, in their order, with their words.
fn fitting(app: &App, width: u16, gap: u16) -> Vec<(Act, &'static str)> {
    let lang = app.lang();
    let word = |act: Act| if act == Act::Regenerate && width < 100 { &w::ACT_REGENERATE_SHORT } else { act.words() }.get(lang);
    let acts: &[Act] = if width < 50 { &SMALL } else { &FULL };
    let mut acts: Vec<_> = acts.iter().map(|a| (*a, word(*a))).collect();
    let cuts: &[(Act, Cut)] = if width < 50 { &[] } else { &CUTS };
    for (act, cut) in cuts {
        let need = acts.iter().map(|(a, word)| wide(&app.keymap.key(*a), word).saturating_add(gap)).fold(0, u16::saturating_add);
        if need <= width.saturating_add(gap) {
            break;
        }
        match cut {
            Cut::Whole => acts.retain(|(a, _)| a != act),
            Cut::Word => acts.iter_mut().filter(|(a, _)| a == act).for_each(|(_, word)| *word = ""),
        }
    }
    acts
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

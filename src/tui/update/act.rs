//! What each act of the deck does.

use super::{armed, clock, deck, pair};
use crate::{
    domain::{Action, Not, Target, Tier},
    engine::Command,
    i18n::{Message, deck as w},
    tui::{
        app::App,
        edit::Field,
        effect::Do,
        fleet::Slot,
        keymap::Act,
        overlay::{Overlay, Question, Search, Timeline},
        rows::{Node, Sort},
        toasts::Level,
        view::{armed::verb, detail::why_not},
    },
};

/// What news moved under the cursor is not acted on before a person could see it.
const SEEING: std::time::Duration = std::time::Duration::from_millis(700);

/// Carries out an act of the deck.
pub(super) fn act(app: &mut App, act: Act, out: &mut Vec<Do>) {
    let sure = app.last_act.replace(act) == Some(act);
    let half = isize::try_from(app.page() / 2).unwrap_or(1).max(1);
    let last = app.rows.lines().len().saturating_sub(1);
    match act {
        Act::Pair => pair::open(app, out),
        Act::Wipe => arm(app, Action::Wipe, out),
        Act::Regenerate => arm(app, Action::Regenerate, out),
        Act::More => app.overlays.push(Overlay::Menu { pick: 0 }),
        Act::Undo | Act::UndoAll => deck::undo(app, act, out),
        Act::Repeat => match app.last_action.clone() {
            Some(action) => arm(app, action, out),
            None => app.say(Level::Hint, &Message::new(&w::NO_REPEAT)),
        },
        Act::Focus => deck::focus(app),
        Act::Mark => deck::mark_one(app),
        Act::MarkRange => deck::mark_range(app),
        Act::MarkAll => deck::mark_all(app, sure),
        Act::Down => deck::step(app, 1),
        Act::Up => deck::step(app, -1),
        Act::Top => deck::go(app, 0),
        Act::Bottom => deck::go(app, last),
        Act::Fold => deck::fold(app, false),
        Act::Unfold => deck::fold(app, true),
        Act::HalfDown => deck::step(app, half),
        Act::HalfUp => deck::step(app, -half),
        Act::PageDown => deck::step(app, half * 2),
        Act::PageUp => deck::step(app, -half * 2),
        Act::NextProblem | Act::PrevProblem => match app.rows.next_problem(&app.fleet, app.cursor, act == Act::PrevProblem) {
            Some(at) => deck::go(app, at),
            None => app.say(Level::Hint, &Message::new(&w::NO_PROBLEM)),
        },
        Act::NextGateway | Act::PrevGateway => {
            if let Some(at) = app.rows.next_gateway(app.cursor, act == Act::PrevGateway) {
                deck::go(app, at);
            }
        }
        Act::Open => open(app, out),
        Act::Timeline => timeline(app, out),
        Act::Token => super::token::open(app, out),
        Act::Plan => super::slots::open(app),
        Act::Why => super::why::open(app),
        Act::Clock => clock::open(app, out),
        Act::Log => app.overlays.push(Overlay::Log { scroll: 0 }),
        Act::Filter => app.overlays.push(Overlay::Filter { field: Field::with(&app.filter_text), before: app.filter_text.clone() }),
        Act::StateFilter => app.overlays.push(Overlay::States),
        Act::Sort => {
            app.rows.sort = app.rows.sort.next();
            let words = match app.rows.sort {
                Sort::Worst => &w::SORT_WORST,
                Sort::Name => &w::SORT_NAME,
                Sort::Age => &w::SORT_AGE,
            };
            app.reorder_by_hand();
            app.say(Level::Hint, &Message::new(words));
        }
        Act::Reverse => {
            app.rows.reverse = !app.rows.reverse;
            app.reorder_by_hand();
        }
        Act::Show => show(app),
        Act::Copy => copy(app, out),
        Act::Add => super::add::open(app),
        Act::Palette => app.overlays.push(Overlay::Palette(Search::default())),
        Act::Help => app.overlays.push(Overlay::Help(Search::default())),
        Act::Hide => super::hide::turn(app),
        Act::Freeze => {
            app.frozen = !app.frozen;
            app.say(Level::Hint, &Message::new(if app.frozen { &w::FROZEN } else { &w::UNFROZEN }));
        }
        Act::Mouse => {
            app.mouse = !app.mouse;
            out.push(Do::Mouse(app.mouse));
            app.say(Level::Hint, &Message::new(if app.mouse { &w::MOUSE_ON } else { &w::MOUSE_OFF }));
        }
        Act::Redraw => out.push(Do::Redraw),
        Act::Suspend => super::suspend(app, out),
        Act::Quit => quit(app, out),
        Act::PairCode
        | Act::PairQr
        | Act::PairAgain
        | Act::PairPng
        | Act::PairStyle
        | Act::PairLarger
        | Act::PairSmaller
        | Act::PairOverride
        | Act::PairConfirm
        | Act::PairCopy
        | Act::PairShow
        | Act::PairClock
        | Act::PairUndo
        | Act::PairHelp
        | Act::Breaker => {}
    }
    // An overlay has the focus while it is open.
    if !app.overlays.is_empty() {
        app.armed.focus = false;
    }
}

/// `Enter`: fires what is armed and has the focus, else opens.
fn open(app: &mut App, out: &mut Vec<Do>) {
    if app.armed.focus && !app.armed.is_empty() {
        armed::fire(app, out);
        return;
    }
    match app.node() {
        Some(Node::Gateway(_)) if app.size.0 >= 100 => {
            let open = app.rows.lines().get(app.cursor).and_then(|l| l.open) == Some(false);
            deck::fold(app, open);
        }
        Some(_) => app.overlays.push(Overlay::Detail { scroll: 0 }),
        None => {}
    }
}

/// `q` on the deck: once waits for running ops, twice does not.
pub(super) fn quit(app: &mut App, out: &mut Vec<Do>) {
    if app.quitting {
        out.push(Do::Send(Command::QuitNow));
        out.push(Do::Leave(crate::tui::run::Exit::Quit));
        return;
    }
    armed::undo_all(app, out, true);
    app.quitting = true;
    out.push(Do::Send(Command::Quit));
}

/// The row under the cursor, or a toast that says why there is none to act on.
pub(super) fn row_to_act_on(app: &mut App) -> Option<Slot> {
    // Drawn is not yet seen: a hand on its way hits what stood there before.
    let just = app.moved_at.0 > 0 && app.now.boot_now().since(app.moved_at) < SEEING;
    if app.moved_unseen || just {
        app.say(Level::Hint, &Message::new(&w::MOVED));
        return None;
    }
    let slot = app.slot();
    if slot.is_none() {
        app.say(Level::Hint, &Message::new(&w::NEEDS_ROW));
    }
    slot
}

/// Says why not.
pub(super) fn refuse(app: &mut App, not: &Not) {
    let why = why_not(not, app.lang());
    app.say_text(Level::Hint, why);
}

/// `w`, `r` and the verbs of the menu: arm on the marks, else on the row.
pub(super) fn arm(app: &mut App, action: Action, out: &mut Vec<Do>) {
    if app.opts.read_only {
        refuse(app, &Not::ReadOnly);
        return;
    }
    if app.rows.marks.len() > 1 {
        question(app, action);
        return;
    }
    let slot = match app.rows.marks.iter().next().copied() {
        Some(marked) => Some(marked),
        None => row_to_act_on(app),
    };
    let Some(slot) = slot else { return };
    arm_slot(app, slot, action, out);
}

fn arm_slot(app: &mut App, slot: Slot, action: Action, out: &mut Vec<Do>) {
    let Some(target) = app.fleet.get(slot).map(|e| e.row.target()) else { return };
    let now = app.now.boot_now();
    if app.armed.on(&target).is_some_and(|o| o.view.action == action) {
        // The same wish again gives the armed row its focus back; right after arming it is a key that repeats.
        if !app.armed.too_fresh(now) {
            app.armed.focus = true;
        }
        return;
    }
    if app.armed.asked(&target, now) {
        return;
    }
    if let Some(o) = app.armed.on(&target) {
        let m = Message::new(&w::HELD).with("what", verb(&o.view.action, app.lang())).with("name", o.view.label.as_str());
        app.say(Level::Hint, &m);
        return;
    }
    match app.can(slot, &action) {
        Ok(_) => {
            app.last_action = Some(action.clone());
            armed::ask(app, target, action, false, out);
        }
        Err(not) => refuse(app, &not),
    }
}

/// Arms on that row, whatever is under the cursor or marked: for a view of one row.
pub(super) fn arm_on(app: &mut App, target: &Target, action: Action, out: &mut Vec<Do>) {
    if app.opts.read_only {
        refuse(app, &Not::ReadOnly);
        return;
    }
    match app.fleet.find(target) {
        Some(slot) => arm_slot(app, slot, action, out),
        None => app.say(Level::Hint, &Message::new(&w::GONE)),
    }
}

/// One question for all marked rows.
fn question(app: &mut App, action: Action) {
    let lang = app.lang();
    let mut slots: Vec<Slot> = app.rows.marks.iter().copied().collect();
    slots.sort_by_key(|s| (app.rows.position(Node::Row(*s)).unwrap_or(usize::MAX), app.fleet.get(*s).map(|e| e.row.label.clone())));
    let mut q = Question {
        action,
        targets: Vec::new(),
        loses: Vec::new(),
        left_out: Vec::new(),
        hidden: app.rows.hidden_marks(),
        online: 0,
        tier: Tier::Now,
        count_typed: false,
        field: Field::default(),
    };
    for slot in slots {
        let Some(e) = app.fleet.get(slot) else { continue };
        match app.can(slot, &q.action) {
            Ok(effect) => {
                q.tier = q.tier.max(effect.tier);
                q.online += usize::from(e.row.link.state.may_be_online());
                for m in &effect.loses {
                    let text = m.text(lang);
                    match q.loses.iter_mut().find(|(t, _)| *t == text) {
                        Some((_, n)) => *n += 1,
                        None => q.loses.push((text, 1)),
                    }
                }
                q.targets.push((e.row.target(), e.row.label.clone()));
            }
            Err(not) => q.left_out.push((e.row.label.clone(), why_not(&not, lang))),
        }
    }
    if q.targets.is_empty() {
        app.say(Level::Hint, &Message::new(&w::QUESTION_NONE));
        return;
    }
    q.count_typed = q.targets.len() > 10 || q.tier == Tier::Hold;
    app.last_action = Some(q.action.clone());
    app.overlays.push(Overlay::Question(Box::new(q)));
}

fn timeline(app: &mut App, out: &mut Vec<Do>) {
    let Some(e) = app.entry() else {
        app.say(Level::Hint, &Message::new(&w::NEEDS_ROW));
        return;
    };
    let (target, label): (Target, _) = (e.row.target(), e.row.label.clone());
    out.push(Do::Send(Command::History(target.clone())));
    app.overlays.push(Overlay::Timeline(Box::new(Timeline { target, label, lines: None, scroll: 0 })));
}

fn show(app: &mut App) {
    use crate::{domain::FactValue, tui::text};
    if super::hide::refuses(app) {
        return;
    }
    let number = app.entry().is_some_and(|e| {
        e.row.identity.as_ref().is_some_and(|i| text::is_number(i.as_str())) || e.row.facts.iter().any(|f| matches!(f.value, FactValue::Number(_)))
    });
    match app.entry().map(|e| e.row.target()).filter(|_| number) {
        Some(target) => app.revealed = Some((target, app.now.boot_now().plus(app.opts.reveal))),
        None => app.say(Level::Hint, &Message::new(&w::NO_NUMBER)),
    }
}

/// The address that a platform does not trust, where that is what is wrong: it is what has to be pasted elsewhere.
fn untrusted(reason: &crate::domain::Reason) -> Option<String> {
    let ip = reason.arg("ip").filter(|_| reason.code == crate::domain::ReasonCode::AddressNotTrusted)?;
    ip.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string())
}

fn copy(app: &mut App, out: &mut Vec<Do>) {
    if let Some(ip) = app.entry().and_then(|e| untrusted(e.row.link.reason.as_ref()?)) {
        app.say(Level::Good, &Message::new(&w::TOAST_COPIED_IP).with("ip", &ip));
        out.push(Do::Copy(ip));
        return;
    }
    let text = match (app.entry(), app.gateway()) {
        (Some(e), _) => e.row.target().id(),
        (None, Some(g)) => g.view.id.to_string(),
        _ => return,
    };
    out.push(Do::Copy(text));
    app.say(Level::Good, &Message::new(&w::TOAST_COPIED));
}

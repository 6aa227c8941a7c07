//! Arming, firing, taking back.

use super::{index_ops, label};
use crate::{
    domain::{Action, Boot, OpPhase, Target},
    engine::{Command, mailbox::OpView},
    i18n::{self, Message, deck as w},
    tui::{app::App, armed::Outcome, effect::Do, toasts::Level, view::armed::verb},
};

/// Asks the engine to arm. `at_once`: a person has answered the question for it.
pub(super) fn ask(app: &mut App, target: Target, action: Action, at_once: bool, out: &mut Vec<Do>) {
    app.armed.ask(target.clone(), action.clone(), app.now.boot_now(), at_once);
    out.push(Do::Send(Command::Arm { target, action, input: std::collections::BTreeMap::new() }));
}

/// News of an op.
pub(super) fn op(app: &mut App, view: OpView, out: &mut Vec<Do>) {
    let now = app.now.boot_now();
    app.dirty = true;
    app.fleet.learn(view.label.as_str());
    app.fleet.learn(view.target.account.as_str());
    if view.phase == OpPhase::Armed {
        if app.quitting {
            out.push(Do::Send(Command::Undo(view.id)));
            return;
        }
        let (id, swift, hold) = (view.id, app.opts.swift, app.opts.hold);
        if app.armed.put(view, now, swift, hold) {
            out.push(Do::Send(Command::Fire(id)));
        }
        return;
    }
    if app.armed.drop(view.id).is_some() && view.phase == OpPhase::Cancelled {
        app.seen.undone += 1;
    }
    app.armed.refused(&view.target);
    let lang = app.lang();
    let name = if app.hide_names { "····".to_owned() } else { view.label.to_string() };
    let what = verb(&view.action, lang);
    super::answer::news(app, &view);
    match view.phase {
        OpPhase::Done => {
            app.seen.done += 1;
            let text = match &view.outcome {
                Some(m) => format!("{name}: {}", m.text(lang)),
                None => Message::new(&w::TOAST_DONE).with("what", what).with("name", name).text(lang),
            };
            app.say_text(Level::Good, text);
        }
        OpPhase::Failed | OpPhase::Ambiguous => {
            let why = view.reason.as_ref().map_or_else(String::new, |r| i18n::reason::full(r, lang));
            // One whose outcome is not known has not failed.
            let words = if view.phase == OpPhase::Failed { &w::TOAST_FAILED } else { &w::TOAST_OPEN };
            app.say(Level::Bad, &Message::new(words).with("what", what).with("name", name).with("why", why));
        }
        _ => {}
    }
    if matches!(view.phase, OpPhase::Done | OpPhase::Failed | OpPhase::Cancelled) {
        app.armed.forget(view.id);
        app.ops.remove(&view.id);
    } else {
        app.ops.insert(view.id, view);
    }
    index_ops(app);
}

/// Enter with the focus on the armed row.
pub(super) fn fire(app: &mut App, out: &mut Vec<Do>) {
    if app.armed.too_fresh(app.now.boot_now()) {
        return;
    }
    let Some(id) = app.armed.newest().map(|o| o.view.id) else { return };
    app.armed.drop(id);
    out.push(Do::Send(Command::Fire(id)));
}

/// An op that still runs, the newest one. Before its pivot it can be stopped; the engine knows whether it is.
fn running(app: &App) -> Option<i64> {
    app.ops.values().rev().find(|o| matches!(o.phase, OpPhase::Planning | OpPhase::Running | OpPhase::Asking)).map(|o| o.id)
}

/// True while something is armed or runs.
pub(super) fn can_stop(app: &App) -> bool {
    !app.armed.is_empty() || running(app).is_some()
}

/// `u`, Esc: the newest, or an op that still runs.
pub(super) fn undo_newest(app: &mut App, out: &mut Vec<Do>) {
    let Some(id) = app.armed.newest().map(|o| o.view.id) else {
        match running(app) {
            Some(id) => out.push(Do::Send(Command::Undo(id))),
            None => app.say(Level::Hint, &Message::new(&w::NOTHING_ARMED)),
        }
        return;
    };
    undo(app, id, out, false);
}

/// `U`, quitting, losing the terminal: all. `quiet`: named elsewhere.
pub(super) fn undo_all(app: &mut App, out: &mut Vec<Do>, quiet: bool) {
    let ids: Vec<i64> = app.armed.all().iter().map(|o| o.view.id).collect();
    if ids.is_empty() && !quiet {
        app.say(Level::Hint, &Message::new(&w::NOTHING_ARMED));
    }
    for id in ids.into_iter().rev() {
        undo(app, id, out, quiet);
    }
}

fn undo(app: &mut App, id: i64, out: &mut Vec<Do>, quiet: bool) {
    let Some(o) = app.armed.drop(id) else { return };
    out.push(Do::Send(Command::Undo(id)));
    app.seen.undone += 1;
    let lang = app.lang();
    let name = label(app, &o.view.target);
    if quiet {
        let taken = Message::new(&w::TOAST_TAKEN_BACK).with("what", verb(&o.view.action, lang)).with("name", name);
        let said = taken.text(lang);
        let said = app.veil().map_or(said.clone(), |veil| veil.hide(&said).into_owned());
        app.dropped.push(said);
    } else {
        app.say(Level::Good, &Message::new(&w::TOAST_TAKEN_BACK).with("what", verb(&o.view.action, lang)).with("name", name));
    }
}

/// Countdowns that ended.
pub(super) fn due(app: &mut App, out: &mut Vec<Do>) {
    let now = app.now.boot_now();
    for (o, outcome) in app.armed.due(now) {
        app.dirty = true;
        let say = |words| Message::new(words).with("what", verb(&o.view.action, app.opts.lang)).with("name", label(app, &o.view.target));
        let (command, words) = match outcome {
            Outcome::Fire => (Command::Fire(o.view.id), None),
            Outcome::Unseen => (Command::Undo(o.view.id), Some(&w::TOAST_UNSEEN)),
            Outcome::Lapsed => (Command::Undo(o.view.id), Some(&w::TOAST_LAPSED)),
        };
        let message = words.map(say);
        out.push(Do::Send(command));
        if let Some(m) = message {
            app.say(Level::Bad, &m);
        }
    }
    // A countdown on screen has to be drawn at each of its seconds.
    if app.armed.all().iter().any(|o| o.ends.is_some() && o.drawn.is_none_or(|d| second(o.ends, d) != second(o.ends, now))) {
        app.dirty = true;
    }
}

fn second(ends: Option<Boot>, at: Boot) -> Option<u64> {
    ends.map(|e| crate::tui::text::seconds_left(e.since(at)))
}

/// `m 1`: goes on with what was left open.
pub(super) fn again(id: i64, out: &mut Vec<Do>) {
    out.push(Do::Send(Command::Again(id)));
}

/// `m 2`: a person has looked, and wants no more of it. Its note stays until that is committed.
pub(super) fn dismiss(id: i64, out: &mut Vec<Do>) {
    out.push(Do::Send(Command::Dismiss(id)));
}

/// What became of that: it is committed, or (`done` false) it was over already, which is told elsewhere.
pub(super) fn dropped(app: &mut App, id: i64, done: bool) {
    let Some(view) = app.ops.remove(&id) else { return };
    app.armed.forget(id);
    index_ops(app);
    app.dirty = true;
    if done {
        let name = if app.hide_names { "····".to_owned() } else { view.label.to_string() };
        app.say(Level::Good, &Message::new(&w::TOAST_DROPPED).with("what", verb(&view.action, app.lang())).with("name", name));
    }
}

//! The small form before pairing: method and number are asked for before any request.

use super::act::{refuse, row_to_act_on};
use crate::{
    domain::{Action, Clean, FactValue, Method, Not, ReasonCode, Target},
    engine::{Command, command::PairKey},
    i18n::{self, Message, deck as w},
    providers::{NEW_SLOT, VerbSpec},
    tui::{
        app::App,
        edit::Field,
        effect::Do,
        fleet::Slot,
        overlay::{Overlay, PairForm},
        text,
        toasts::Level,
    },
};
use crossterm::event::{KeyCode, KeyEvent};

/// `p`.
pub(super) fn open(app: &mut App, out: &mut Vec<Do>) {
    if app.opts.read_only {
        refuse(app, &Not::ReadOnly);
        return;
    }
    let Some(slot) = row_to_act_on(app) else { return };
    if let Err(not) = app.can(slot, &Action::Pair) {
        match more(app, slot) {
            Some(verb) => super::slots::ask(app, verb),
            None => refuse(app, &not),
        }
        return;
    }
    let Some(e) = app.fleet.get(slot) else { return };
    let known = e.row.facts.iter().find_map(|f| if let FactValue::Number(n) = &f.value { Some(n.as_str()) } else { None });
    let known = known.or(e.row.identity.as_ref().map(Clean::as_str).filter(|i| text::is_number(i)));
    let digits: String = known.unwrap_or("").chars().filter(char::is_ascii_digit).collect();
    let (target, label) = (e.row.target(), e.row.label.clone());
    form(app, target, label, &digits, None);
    let _ = out;
}

/// What pairing means on an account that is paired already, where its kind has slots: another one.
fn more(app: &App, slot: Slot) -> Option<&'static VerbSpec> {
    let row = &app.fleet.get(slot)?.row;
    let verb = app.fleet.gateway(&row.gateway)?.view.spec.verbs.iter().find(|v| v.id == NEW_SLOT)?;
    (row.device.is_none() && app.can(slot, &Action::Do(NEW_SLOT.into())).is_ok()).then_some(verb)
}

/// The same form for changing the method of a running attempt.
pub(super) fn switch(app: &mut App, to: Method) {
    let Some(p) = &app.pairing else { return };
    let number: String = p.view.number.as_ref().map_or_else(String::new, |n| n.as_str().chars().filter(char::is_ascii_digit).collect());
    let (target, label) = (p.view.target.clone(), p.view.label.clone());
    form(app, target, label, &number, Some(to));
}

fn form(app: &mut App, target: Target, label: Clean, digits: &str, to: Option<Method>) {
    let Some(g) = app.fleet.gateway(&target.gateway) else { return };
    let methods: Vec<(Method, bool)> = g.view.spec.methods.iter().map(|m| (m.method, m.needs_number)).collect();
    if methods.is_empty() {
        let m = Message::new(&w::NO_PAIRING).with("platform", g.view.spec.platform);
        app.say(Level::Hint, &m);
        return;
    }
    let room = fits(app);
    let usable = |m: &(Method, bool)| room || m.0 != Method::Qr;
    let pick = match to {
        Some(to) => methods.iter().position(|(m, _)| *m == to).unwrap_or(0),
        None => methods.iter().position(usable).unwrap_or(0),
    };
    let mut number = Field::with(digits);
    number.masked = app.hide_names;
    app.overlays.push(Overlay::Pair(Box::new(PairForm { target, label, methods, pick, number, trouble: None, switch: to.is_some() })));
}

fn fits(app: &App) -> bool {
    app.size.0 >= app.opts.qr_least.0 && app.size.1 >= app.opts.qr_least.1
}

/// A key in the form.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let (room, lang) = (fits(app), app.lang());
    let (need, have) = (app.opts.qr_least, app.size);
    let Some(Overlay::Pair(f)) = app.overlays.last_mut() else { return };
    match key.code {
        KeyCode::Tab | KeyCode::Down | KeyCode::BackTab | KeyCode::Up => {
            f.pick = (f.pick + 1) % f.methods.len().max(1);
            f.trouble = None;
        }
        KeyCode::Enter => {
            let Some((method, needs_number)) = f.method() else { return };
            let digits: String = f.number.text().chars().filter(char::is_ascii_digit).collect();
            if method == Method::Qr && !room {
                let m = Message::new(&w::QR_TOO_BIG).with("need", format!("{}x{}", need.0, need.1)).with("have", format!("{}x{}", have.0, have.1));
                f.trouble = Some(m.text(lang));
                return;
            }
            if needs_number {
                let plain = f.number.text().chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')'));
                let code = if digits.is_empty() {
                    Some(ReasonCode::NumberNeeded)
                } else if !plain || digits.starts_with('0') || !(7..=15).contains(&digits.len()) {
                    Some(ReasonCode::NumberInvalid)
                } else {
                    None
                };
                if let Some(code) = code {
                    let r = crate::domain::Reason::new(code);
                    let remedy = i18n::reason::remedy_sentence(&r, lang).unwrap_or_default();
                    f.trouble = Some(format!("{} {remedy}", i18n::reason::sentence(&r, lang)));
                    return;
                }
            }
            let number: Option<Box<str>> = needs_number.then(|| digits.into());
            let (target, switch) = (f.target.clone(), f.switch);
            app.overlays.pop();
            out.push(Do::Send(if switch { Command::Pairing(PairKey::Switch(method, number)) } else { Command::Pair { target, method, number } }));
        }
        _ => {
            f.number.key(key);
            f.trouble = None;
        }
    }
}

//! The slot plan, and the questions of a verb.

use super::act;
use crate::{
    domain::{Action, RemoteId, Target},
    engine::Command,
    i18n::{Message, deck as w, slots},
    providers::{Becomes, SlotTable, Suggestion, VerbSpec},
    tui::{
        app::App,
        devices::{SlotView, VerbForm},
        effect::Do,
        overlay::Overlay,
        toasts::Level,
    },
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::BTreeMap;

/// The account that the cursor is on, or on a device of.
pub(super) fn account(app: &App) -> Option<Target> {
    app.entry().map(|e| Target::account(&e.row.gateway, &e.row.account))
}

/// The slots of an account, from the rows as last observed.
pub(crate) fn table(app: &App, account: &Target) -> Option<SlotTable> {
    let row = &app.fleet.get(app.fleet.find(account)?)?.row;
    let of =
        |e: &&crate::tui::fleet::Entry| !e.gone && e.row.device.is_some() && e.row.gateway == account.gateway && e.row.account == account.account;
    let devices: Vec<_> = app.fleet.iter().map(|(_, e)| e).filter(of).map(|e| e.row.clone()).collect();
    (app.slots)(row, &devices)
}

/// Opens the plan of the account under the cursor.
pub(super) fn open(app: &mut App) {
    let Some(account) = account(app) else {
        app.say(Level::Hint, &Message::new(&w::NEEDS_ROW));
        return;
    };
    if table(app, &account).is_none() {
        app.say(Level::Hint, &Message::new(&slots::PLAN_NONE));
        return;
    }
    let label = app.fleet.find(&account).and_then(|s| app.fleet.get(s)).map(|e| e.row.label.clone()).unwrap_or_else(|| "".into());
    app.overlays.push(Overlay::Slots(Box::new(SlotView { account, label, pick: 0 })));
}

/// A key in the plan.
pub(super) fn key(app: &mut App, key: &KeyEvent) {
    let Some(Overlay::Slots(v)) = app.overlays.last() else { return };
    let account = v.account.clone();
    let table = table(app, &account);
    let Some(Overlay::Slots(v)) = app.overlays.last_mut() else { return };
    let last = table.as_ref().map_or(0, |t| t.lines.len().saturating_sub(1));
    match key.code {
        KeyCode::Char('j') | KeyCode::Down => v.pick = (v.pick + 1).min(last),
        KeyCode::Char('k') | KeyCode::Up => v.pick = v.pick.saturating_sub(1),
        KeyCode::Char('g') | KeyCode::Home => v.pick = 0,
        KeyCode::Char('G') | KeyCode::End => v.pick = last,
        KeyCode::Char('q' | 'f') => {
            app.overlays.pop();
        }
        KeyCode::Enter => match table.and_then(|t| t.suggest) {
            Some(s) => suggested(app, &account, &s),
            None => app.say(Level::Hint, &Message::new(&slots::PLAN_NO_SUGGESTION)),
        },
        _ => {}
    }
}

fn suggested(app: &mut App, account: &Target, s: &Suggestion) {
    let Some(g) = app.fleet.gateway(&account.gateway) else { return };
    let Some(verb) = g.view.spec.verbs.iter().find(|v| v.id == s.verb) else { return };
    if app.opts.read_only {
        app.say(Level::Hint, &Message::new(&w::READ_ONLY));
        return;
    }
    app.overlays.pop();
    app.overlays.push(Overlay::Verb(Box::new(VerbForm::new(verb, account.gateway.clone(), Some(account.account.clone()), &s.given))));
}

/// Opens the questions of a verb for what is under the cursor, with what the plan suggests filled in.
pub(super) fn ask(app: &mut App, verb: &'static VerbSpec) {
    let Some(g) = app.gateway() else { return };
    let gateway = g.view.id.clone();
    let makes_account = verb.asks.iter().any(|a| a.becomes == Becomes::Account);
    let account = if makes_account { None } else { account(app) };
    if !makes_account && account.is_none() {
        app.say(Level::Hint, &Message::new(&w::NEEDS_ROW));
        return;
    }
    let suggest = account.as_ref().and_then(|a| table(app, a)).and_then(|t| t.suggest).filter(|s| s.verb == verb.id);
    let given = suggest.map(|s| s.given).unwrap_or_default();
    app.overlays.push(Overlay::Verb(Box::new(VerbForm::new(verb, gateway, account.map(|a| a.account), &given))));
}

/// A key in the questions.
pub(super) fn answer(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let Some(Overlay::Verb(f)) = app.overlays.last_mut() else { return };
    let count = f.answers.len().max(1);
    match key.code {
        KeyCode::Tab | KeyCode::Down => f.at = (f.at + 1) % count,
        KeyCode::BackTab | KeyCode::Up => f.at = (f.at + count - 1) % count,
        KeyCode::Enter => arm(app, out),
        _ => {
            f.missing = false;
            if let Some(field) = f.answers.get_mut(f.at) {
                field.key(key);
            }
        }
    }
}

/// Arms with what was answered; an empty answer is the default, where there is one.
fn arm(app: &mut App, out: &mut Vec<Do>) {
    let Some(Overlay::Verb(f)) = app.overlays.last_mut() else { return };
    let mut input = BTreeMap::new();
    let mut target = f.account.as_ref().map(|a| Target::account(&f.gateway, a));
    for (n, (ask, field)) in f.verb.asks.iter().zip(&f.answers).enumerate() {
        let typed = field.text().trim();
        let Some(value) = Some(typed).filter(|t| !t.is_empty()).or(ask.default) else {
            (f.at, f.missing) = (n, true);
            return;
        };
        let id = RemoteId::new(value);
        match ask.becomes {
            Becomes::Account => target = Some(Target::account(&f.gateway, &id)),
            Becomes::Device => {
                if let Some(t) = &mut target {
                    t.device = Some(id);
                }
            }
            Becomes::Input => {}
        }
        input.insert(ask.name.into(), value.into());
    }
    let action = Action::Do(f.verb.id.into());
    app.overlays.pop();
    let Some(target) = target else { return };
    app.fleet.learn(target.account.as_str());
    app.armed.ask(target.clone(), action.clone(), app.now.boot_now(), false);
    out.push(Do::Send(Command::Arm { target, action, input }));
}

/// A verb of the menu on what is under the cursor: the account, where the verb is for a whole account.
pub(super) fn verb(app: &mut App, verb: &'static VerbSpec, out: &mut Vec<Do>) {
    use crate::providers::On;
    if !verb.asks.is_empty() {
        return ask(app, verb);
    }
    let action = Action::Do(verb.id.into());
    match account(app).filter(|_| verb.on == On::Account && app.rows.marks.is_empty()) {
        Some(account) => act::arm_on(app, &account, action, out),
        None => act::arm(app, action, out),
    }
}

/// True for a key that scrolls or types; the caller passes it on.
pub(super) fn plain(key: &KeyEvent) -> bool {
    !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
}

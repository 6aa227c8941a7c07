//! News from the engine.

use super::{add, armed, clock, token, unlock, why};
use crate::{
    clock::{gate::GateView, sample::Interval},
    domain::Method,
    engine::{
        Mail,
        mailbox::{HistoryWhat, PairStage, PairView},
    },
    tui::{
        app::{App, PairingState},
        effect::Do,
        fleet::Change,
        overlay::Overlay,
        run::Exit,
        toasts::Level,
        view::pairing::PairScreen,
    },
};
use std::cell::RefCell;

/// Takes everything that changed.
pub(super) fn take(app: &mut App, mail: Mail, out: &mut Vec<Do>) {
    let now = app.now.boot_now();
    let selected = app.slot();
    let mut change = Change::Quiet;
    learn(app, &mail);
    for (_, view) in mail.gateways {
        change = change.max(app.fleet.put_gateway(view));
    }
    for target in &mail.gone {
        change = change.max(app.fleet.gone(target));
    }
    for (_, row) in mail.rows {
        let at = app.fleet.find(&row.target());
        let c = app.fleet.put(row, now);
        // The detail pane shows ages that no row shows.
        change = change.max(if c == Change::Quiet && at.is_some() && at == selected { Change::Cell } else { c });
    }
    if change >= Change::Cell {
        app.dirty = true;
    }
    if change == Change::Order || (change == Change::Cell && app.filter.is_some()) {
        app.rows.pending = true;
    }
    for (id, gate) in mail.gates {
        let before = app.gates.insert(id.clone(), gate);
        clock::answered(app, &id);
        // Every answer of a server measures anew. A figure that trembles is no reason to draw; whoever looks at figures sees
        // each of them.
        let looked_at = app.pairing.is_some() || app.overlays.iter().any(|o| matches!(o, Overlay::Clock { .. }));
        app.dirty |= looked_at || before.is_none_or(|b| app.gates.get(&id).is_none_or(|g| tells_more(&b, g)));
    }
    let mut ops: Vec<_> = mail.ops.into_values().collect();
    ops.sort_by_key(|o| o.id);
    for op in ops {
        armed::op(app, op, out);
    }
    for (id, done) in mail.dropped {
        armed::dropped(app, id, done);
    }
    if let Some(pairing) = mail.pairing {
        attempt(app, pairing);
    }
    for words in mail.over {
        app.dirty |= app.toasts.over(words.get(app.lang()));
    }
    for t in mail.toasts {
        let text = t.text.text(app.lang());
        if let Some(target) = &t.target {
            app.armed.refused(target);
        }
        app.say_text(if t.good { Level::Good } else { Level::Bad }, text);
    }
    if !mail.tracks.is_empty() {
        app.tracks.extend(mail.tracks);
        app.dirty |= app.overlays.iter().any(|o| matches!(o, Overlay::Clock { .. }));
    }
    if let Some(host) = mail.host {
        app.host = host;
        app.dirty = true;
    }
    if let Some(exposed) = mail.exposed {
        app.dirty |= std::mem::replace(&mut app.exposed, exposed) != exposed;
    }
    if mail.bell && app.opts.bell {
        out.push(Do::Bell);
    }
    if let Some(status) = mail.status {
        unlock::news(app, &status);
        let before = app.status.as_ref().and_then(|s| s.store_trouble.as_ref());
        if let Some(why) = status.store_trouble.as_ref().filter(|why| before != Some(why)) {
            let text = why.raw.as_ref().map_or_else(|| crate::i18n::reason::full(why, app.lang()), ToString::to_string);
            app.say_text(crate::tui::toasts::Level::Bad, text);
        }
        app.status = Some(status);
        app.dirty = true;
    }
    if let Some((target, lines)) = mail.history {
        for o in &mut app.overlays {
            if let Overlay::Timeline(t) = o
                && t.target.same(&target)
            {
                t.lines = Some(lines.clone());
            }
        }
        app.dirty = true;
    }
    if let Some((target, result)) = mail.revealed {
        token::came(app, &target, result);
    }
    if let Some((target, tale)) = mail.tale {
        token::told(app, &target, tale);
    }
    if let Some((target, found)) = mail.why {
        why::came(app, &target, &found);
    }
    if let Some(check) = mail.add_check {
        add::answer(app, check, out);
    }
    if mail.ended {
        app.fatal = mail.fatal;
        out.push(Do::Leave(if app.quitting { Exit::Quit } else { Exit::EngineEnded }));
    }
}

/// Whom this speaks of without their having a row here, or one no more: nobody of them is shown while names are hidden.
fn learn(app: &mut App, mail: &Mail) {
    let veil = app.fleet.veil_mut();
    mail.gateways.keys().for_each(|gateway| veil.leave(gateway.as_str()));
    let history = mail.history.iter().flat_map(|(_, lines)| lines);
    let told = mail.toasts.iter().filter_map(|t| t.target.as_ref()).chain(mail.ops.values().map(|o| &o.target));
    told.chain(&mail.told).chain(&mail.gone).chain(mail.history.iter().map(|(t, _)| t)).for_each(|t| veil.learn_target(t));
    for line in history {
        if let HistoryWhat::Change { reason: Some(why), .. } = &line.what {
            veil.learn_reason(why);
        }
    }
    mail.toasts.iter().for_each(|t| veil.learn_message(&t.text));
    for op in mail.ops.values() {
        let said = op.loses.iter().chain([&op.says]).chain(&op.outcome).chain(op.step.as_ref().map(|s| &s.0));
        said.chain(op.prompt.as_ref().map(|p| &p.words)).for_each(|m| veil.learn_message(m));
        op.reason.iter().for_each(|why| veil.learn_reason(why));
    }
    if let Some(Some(view)) = &mail.pairing {
        veil.learn_target(&view.target);
        view.log.iter().for_each(|(_, m)| veil.learn_message(m));
    }
}

/// Whether a gate tells something else than before, small changes of its figures aside.
fn tells_more(before: &GateView, now: &GateView) -> bool {
    let far = |a: Option<Interval>, b: Option<Interval>| match (a, b) {
        (Some(a), Some(b)) => a.mid().abs_diff(b.mid()) >= 1_000,
        (a, b) => a.is_some() != b.is_some(),
    };
    (before.verdict, before.side, before.epoch, before.moved) != (now.verdict, now.side, now.epoch, now.moved)
        || (before.host.cause, before.remote.cause) != (now.host.cause, now.remote.cause)
        || far(before.host.skew, now.host.skew)
        || far(before.remote.skew, now.remote.skew)
}

/// The pairing attempt changed, began or ended.
fn attempt(app: &mut App, view: Option<PairView>) {
    app.dirty = true;
    let Some(view) = view else {
        app.pairing = None;
        return;
    };
    app.fleet.learn(view.label.as_str());
    if let PairStage::Linked { facts, .. } = &view.stage {
        app.fleet.learn_facts(facts);
    }
    let before = app.pairing.as_ref().map(|p| (kind(&p.view.stage), p.view.discarded, p.view.overridden));
    let now = (kind(&view.stage), view.discarded, view.overridden);
    let was = |f: fn(&(Kind, u32, bool)) -> bool| before.as_ref().is_some_and(f);
    if now.0 == Kind::Linked && !was(|b| b.0 == Kind::Linked) {
        match view.method {
            Method::Qr => app.seen.linked_qr += 1,
            Method::Code => app.seen.linked_code += 1,
        }
    }
    if now.0 == Kind::Blocked && !was(|b| b.0 == Kind::Blocked) {
        app.seen.blocked += 1;
    }
    if now.2 && !was(|b| b.2) {
        app.seen.overridden += 1;
    }
    app.seen.discarded += now.1.saturating_sub(before.as_ref().map_or(0, |b| b.1));
    match app.pairing.as_mut() {
        Some(p) if p.view.target.same(&view.target) => {
            p.screen.get_mut().changed(&view);
            p.view = view;
        }
        _ => {
            let screen = PairScreen::new(app.opts.zone.clone(), app.opts.palette);
            app.pairing = Some(PairingState { view, screen: RefCell::new(screen), leaving: false });
            app.armed.focus = false;
        }
    }
}

/// The stages that the tour and the override look at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Linked,
    Blocked,
    Other,
}

const fn kind(s: &PairStage) -> Kind {
    match s {
        PairStage::Linked { .. } => Kind::Linked,
        PairStage::Blocked { .. } => Kind::Blocked,
        _ => Kind::Other,
    }
}

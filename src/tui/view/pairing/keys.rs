//! Which keys work in which stage: the footer and the help are made from this, so neither can promise a dead key.

use super::screen::PairScreen;
use crate::{
    domain::{Method, OfferKind},
    engine::mailbox::{PairStage, PairView},
    i18n::{Words, pairing as w},
    tui::keymap::{Act, Keymap},
};

/// Key names and words of the keys that work now, most needed first. `Esc` always leads or stands second.
pub fn keys(view: &PairView, screen: &PairScreen, keymap: &Keymap) -> Vec<(String, &'static Words)> {
    let typed = matches!(view.stage, PairStage::Ask(_));
    let hides = keymap.keys(Act::Hide).iter().find(|k| k.ctrl || !typed).map(ToString::to_string);
    let mut keys = of_stage(view, screen, keymap);
    // Least needed: the first to go where there is no room.
    keys.extend(hides.filter(|_| !screen.override_armed).map(|key| (key, &w::KEY_HIDE)));
    keys
}

fn of_stage(view: &PairView, screen: &PairScreen, keymap: &Keymap) -> Vec<(String, &'static Words)> {
    let key = |act| keymap.key(act);
    let fixed = str::to_owned;
    let leave: (String, &'static Words) = (fixed("Esc"), &w::KEY_LEAVE);
    let clock: (String, &'static Words) = (key(Act::PairClock), &w::KEY_CLOCK);
    let help: (String, &'static Words) = (key(Act::PairHelp), &w::KEY_HELP);
    let again: (String, &'static Words) = (key(Act::PairAgain), &w::KEY_AGAIN);
    match &view.stage {
        PairStage::AskingClock | PairStage::Waiting { .. } | PairStage::Discarded { .. } | PairStage::Moved { .. } => vec![leave, clock, help],
        PairStage::Blocked { .. } if screen.override_armed => vec![(key(Act::PairConfirm), &w::KEY_GO_ON), (fixed("Esc"), &w::KEY_STAY)],
        PairStage::Blocked { .. } => vec![leave, (key(Act::PairAgain), &w::KEY_CHECK), (key(Act::PairOverride), &w::KEY_OVERRIDE), clock, help],
        PairStage::ClockUnknown | PairStage::Unproven => vec![(fixed("Enter"), &w::KEY_SHOW), leave, clock, help],
        PairStage::Showing(shown) if shown.offer.kind == OfferKind::Qr => {
            let code = view.has(Method::Code).then(|| (key(Act::PairCode), &w::KEY_CODE));
            let mut keys = vec![(fixed("Esc"), &w::KEY_LEAVE_ENDS)];
            keys.extend(code);
            keys.extend([
                (key(Act::PairPng), &w::KEY_PNG),
                (key(Act::PairCopy), &w::KEY_COPY),
                clock,
                help,
                again,
                (key(Act::PairLarger), &w::KEY_LARGER),
                (key(Act::PairSmaller), &w::KEY_SMALLER),
                (key(Act::PairStyle), &w::KEY_STYLE),
            ]);
            keys
        }
        PairStage::Showing(_) => {
            let mut keys = vec![leave, (key(Act::PairCopy), &w::KEY_COPY)];
            keys.extend(view.has(Method::Qr).then(|| (key(Act::PairQr), &w::KEY_QR)));
            keys.extend([again, clock, help]);
            if view.number.is_some() {
                keys.insert(keys.len() - 2, (key(Act::PairShow), &w::KEY_NUMBER));
            }
            keys
        }
        PairStage::Expired { .. } => vec![leave, again, clock, help],
        PairStage::Scanned { .. } => vec![leave, help],
        PairStage::Ask(_) => vec![(fixed("Enter"), &w::KEY_SEND), leave, (fixed("ctrl-u"), &w::KEY_CLEAR)],
        PairStage::Needs { .. } => vec![(fixed("Enter"), &w::KEY_AGREE), leave, help],
        PairStage::Linked { .. } => vec![(fixed("Enter"), &w::KEY_DECK), help],
        PairStage::Failed { wipe_first: true, .. } => vec![(fixed("Enter"), &w::KEY_WIPE), leave, help],
        PairStage::Failed { .. } => vec![leave, again, clock, help],
    }
}

//! Which keys work in which stage: the footer and the help are made from this, so neither can promise a dead key.

use super::screen::PairScreen;
use crate::{
    domain::OfferKind,
    engine::mailbox::{PairStage, PairView},
    i18n::{Words, pairing as w},
};

/// Key names and words of the keys that work now, most needed first. `Esc` always leads or stands second.
pub fn keys(view: &PairView, screen: &PairScreen) -> Vec<(&'static str, &'static Words)> {
    const LEAVE: (&str, &Words) = ("Esc", &w::KEY_LEAVE);
    const CLOCK: (&str, &Words) = ("c", &w::KEY_CLOCK);
    const HELP: (&str, &Words) = ("?", &w::KEY_HELP);
    const AGAIN: (&str, &Words) = ("r", &w::KEY_AGAIN);
    match &view.stage {
        PairStage::AskingClock | PairStage::Waiting { .. } | PairStage::Discarded { .. } | PairStage::Moved { .. } => vec![LEAVE, CLOCK, HELP],
        PairStage::Blocked { .. } if screen.override_armed => vec![("s", &w::KEY_GO_ON), ("Esc", &w::KEY_STAY)],
        PairStage::Blocked { .. } => vec![LEAVE, ("r", &w::KEY_CHECK), ("!", &w::KEY_OVERRIDE), CLOCK, HELP],
        PairStage::ClockUnknown | PairStage::Unproven => vec![("Enter", &w::KEY_SHOW), LEAVE, CLOCK, HELP],
        PairStage::Showing(shown) if shown.offer.kind == OfferKind::Qr => vec![
            ("Esc", &w::KEY_LEAVE_ENDS),
            ("k", &w::KEY_CODE),
            ("o", &w::KEY_PNG),
            ("y", &w::KEY_COPY),
            CLOCK,
            HELP,
            AGAIN,
            ("+", &w::KEY_LARGER),
            ("-", &w::KEY_SMALLER),
            ("i", &w::KEY_STYLE),
        ],
        PairStage::Showing(_) => {
            let mut keys = vec![LEAVE, ("y", &w::KEY_COPY), ("g", &w::KEY_QR), AGAIN, CLOCK, HELP];
            if view.number.is_some() {
                keys.insert(4, ("v", &w::KEY_NUMBER));
            }
            keys
        }
        PairStage::Expired { .. } => vec![LEAVE, AGAIN, CLOCK, HELP],
        PairStage::Scanned { .. } => vec![LEAVE, HELP],
        PairStage::Ask(_) => vec![("Enter", &w::KEY_SEND), LEAVE, ("ctrl-u", &w::KEY_CLEAR)],
        PairStage::Needs { .. } => vec![("Enter", &w::KEY_AGREE), LEAVE, HELP],
        PairStage::Linked { .. } => vec![("Enter", &w::KEY_DECK), HELP],
        PairStage::Failed { wipe_first: true, .. } => vec![("Enter", &w::KEY_WIPE), LEAVE, HELP],
        PairStage::Failed { .. } => vec![LEAVE, AGAIN, CLOCK, HELP],
    }
}

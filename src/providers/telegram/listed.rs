//! Which listed session is which slot's: by the hash that was kept when the key was made, since the list names no key. Said on both
//! rows, so that nobody ends the wrong one.

use super::{rows::Remote, worker::Remembered};
use crate::{
    domain::{Clean, Fact, FactValue, Reason, ReasonCode, RemoteId, Row},
    i18n::telegram as w,
};

/// Keys of the facts that a slot's row has of its listed session.
const OF_SLOT: [&str; 2] = ["listed", "last_active"];
/// Key of the fact that names a session's slots.
pub(super) const SLOT: &str = "slot";

/// Links the rows of one account's slots with those of its sessions.
pub(super) fn link(account: &str, remote: &Remote, kept: &Remembered, slots: &mut [Row], sessions: &mut [Row]) {
    let known: Vec<(&str, i64)> = kept.iter().filter(|((of, _), _)| of.as_str() == account).filter_map(|(_, k)| k.session()).collect();
    for session in sessions {
        let Some(listed) = session.device.as_ref().and_then(|d| remote.session(d.as_str())).filter(|s| !s.current) else { continue };
        let Some((key, _)) = known.iter().find(|(_, hash)| *hash == listed.hash) else { continue };
        let mut names = Vec::new();
        for slot in slots.iter_mut().filter(|s| s.incarnation.as_deref() == Some(*key)) {
            names.push(slot.device.as_ref().map(RemoteId::as_str).unwrap_or_default().to_owned());
            let label = [listed.app_name.as_str(), listed.ip.as_str()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" · ");
            slot.facts.push(Fact { key: OF_SLOT[0], label: &w::FACT_LISTED, value: FactValue::Text(Clean::new(&label)) });
            slot.facts.extend(session.facts.iter().find(|f| f.key == OF_SLOT[1]).cloned());
        }
        if names.is_empty() {
            continue;
        }
        let names = Clean::new(&names.join(", "));
        // That nobody has confirmed it matters more.
        session.link.reason.get_or_insert_with(|| Reason::new(ReasonCode::SlotSession).with("slot", names.as_str()));
        session.facts.push(Fact { key: SLOT, label: &w::FACT_SLOT, value: FactValue::Text(names) });
    }
}

/// What who has the key saw of a slot's session stands on its row here too, while its file has the same key.
pub(super) fn copy(kept: &Row, slot: &mut Row) {
    slot.facts.extend(kept.facts.iter().filter(|f| OF_SLOT.contains(&f.key)).cloned());
}

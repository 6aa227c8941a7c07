//! Who holds a slot's key on another host, as the store that hosts share tells it. Only `pairdeck run` takes leases, so that silence
//! proves nothing.

use super::{
    session::write,
    slots::{
        SlotRef,
        run::{key_name_lease, slot_lease},
    },
};
use crate::{
    domain::{Clean, Fact, FactValue, Reason, ReasonCode, Row, State},
    i18n::sessions as w,
    providers::Cx,
    store::run_lock,
};
use futures_util::StreamExt;
use std::path::Path;

/// Questions side by side.
const AT_ONCE: usize = 16;

/// What the store tells of one slot.
struct Told {
    row: usize,
    /// Who holds the key's lease, as it names itself.
    key: Clean,
    /// It holds the lease of this very slot, too.
    same_slot: bool,
    /// It is the one that holds the file's lock here.
    here: bool,
}

/// Says on the slots' rows who else has their keys: the same slot run by another host is no twin while nobody holds it here; everything
/// else is.
pub(super) async fn look(cx: &Cx, slots: &[SlotRef], rows: &mut [Row]) {
    let mut asks = Vec::new();
    for (row, r) in rows.iter().enumerate() {
        let key = r.facts.iter().find_map(|f| match &f.value {
            FactValue::Text(t) if f.key == "key_id" => Some(t.as_str().to_owned()),
            _ => None,
        });
        if let (Some(key), Some(slot)) = (key, slots.iter().find(|s| s.target().same(&r.target()))) {
            asks.push(one(cx, row, key, slot.clone()));
        }
    }
    let told: Vec<Option<Told>> = futures_util::stream::iter(asks).buffer_unordered(AT_ONCE).collect().await;
    for told in told.into_iter().flatten() {
        let row = &mut rows[told.row];
        let held = row.facts.iter().any(|f| f.key == "holder");
        row.facts.push(Fact { key: "lease", label: &w::FACT_LEASE, value: FactValue::Text(told.key.clone()) });
        if told.here || row.link.state == State::Conflict {
            continue;
        }
        if told.same_slot && !held {
            row.link.state = State::Seen;
            continue;
        }
        let file = row.facts.iter().find(|f| f.key == "file").map(|f| f.value.clone());
        let own = if let Some(FactValue::Text(file)) = file { format!("{} {file}", row.target().id()) } else { row.target().id() };
        row.link.state = State::Conflict;
        row.link.reason = Some(Reason::new(ReasonCode::KeyTwin).with("where", format!("{own}, {}", told.key)));
    }
}

async fn one(cx: &Cx, row: usize, key: String, slot: SlotRef) -> Option<Told> {
    let holder = cx.tokens.lease_holder(&key_name_lease(&key)).await?;
    let same_slot = cx.tokens.lease_holder(&slot_lease(&slot.target())).await.is_some_and(|of| of == holder);
    let file = slot.slot.file.clone();
    let own = tokio::task::spawn_blocking(move || lock_holder(&file)).await.ok().flatten();
    Some(Told { row, same_slot, here: own.is_some_and(|own| own == holder), key: holder })
}

/// The process that holds the file's lock here, as it names itself in the shared store.
fn lock_holder(file: &Path) -> Option<Clean> {
    let owner = run_lock::owner(&write::named(&write::real(file).ok()?, "run"))?;
    Some(Clean::new(&format!("{}[{}]", owner.who, owner.pid)))
}

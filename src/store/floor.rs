//! The last verified time, in `vault.db`: a host's clock that shows less at a later start is wrong, network or not.

use super::{Inner, Store, thread::Db, thread::Job, thread::lock};
use crate::domain::Wall;
use rusqlite::Connection;

/// It is written at most so often (milliseconds).
const DAY: i64 = 86_400_000;
/// A time from here on (the year 2200) is no time that anybody verified.
const ABSURD: i64 = 7_258_118_400_000;

/// The saved one, if there is a sane one.
pub(super) fn read(db: &Connection) -> Option<Wall> {
    let bytes = super::secrets::meta(db, "clock_floor").ok().flatten()?;
    bytes.try_into().ok().map(i64::from_be_bytes).filter(|t| (1..ABSURD).contains(t)).map(Wall)
}

fn write(db: &mut Db, at: Wall) {
    // A time that is not saved costs a little safety at the next start, and nothing now.
    let _ = db.vault_tx(|tx, t| {
        tx.execute("INSERT INTO meta VALUES ('clock_floor', ?1) ON CONFLICT (k) DO UPDATE SET v = excluded.v", [at.0.to_be_bytes()])
            .map_err(|e| super::schema::explain(t.path, &e))
    });
}

impl Store {
    /// The last verified time that was saved.
    pub fn floor(&self) -> Option<Wall> {
        *lock(&self.0.floor)
    }

    /// Saves a time that was verified against another clock, at most once a day. Only a reference (`by_reference`) may say
    /// that the saved one was too late.
    pub fn verified(&self, at: Wall, by_reference: bool) {
        let Inner { floor, back, .. } = &*self.0;
        {
            let mut floor = lock(floor);
            let later = floor.map_or(DAY, |was| at.0.saturating_sub(was.0));
            if later < DAY && !(by_reference && later < -DAY) {
                return;
            }
            *floor = Some(at);
        }
        match back {
            super::Back::Thread(jobs) => drop(jobs.send(Job::Run(Box::new(move |db| write(db, at))))),
            super::Back::Here(db) => write(&mut lock(db), at),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{clock::ManualTime, store::Paths, vault::Vault};
    use std::sync::Arc;

    #[test]
    fn a_verified_time_outlives_the_process_is_saved_once_a_day_and_falls_only_by_a_references_word() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open_in_place(&Paths::in_home(dir.path()), Vault::new(), Arc::new(ManualTime::new())).unwrap();
        let store = open();
        let first = Wall(1_795_262_400_000);
        assert_eq!(store.floor(), None);
        store.verified(first, false);
        store.verified(first.plus_ms(DAY - 1), true);
        assert_eq!(store.floor(), Some(first), "once a day is enough");
        drop(store);
        let store = open();
        assert_eq!(store.floor(), Some(first));
        store.verified(first.plus_ms(DAY), false);
        assert_eq!(store.floor(), Some(first.plus_ms(DAY)));
        store.verified(first.plus_ms(-DAY), false);
        assert_eq!(store.floor(), Some(first.plus_ms(DAY)), "a gateway's Date does not take it back");
        store.verified(first.plus_ms(-DAY), true);
        drop(store);
        assert_eq!(open().floor(), Some(first.plus_ms(-DAY)), "a reference does");
    }
}

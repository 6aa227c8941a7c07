//! Whom the store speaks of, also where nothing else knows them any more: what is hidden from a screen must be known by name.

use super::{StoreError, schema, thread::Db};
use std::collections::BTreeSet;

/// Lines of a table that are looked at, the newest ones; of changes all are, by their index.
const NEWEST: i64 = 50_000;

/// Each target once, as it stands there.
pub(super) fn targets(db: &mut Db) -> Result<Vec<String>, StoreError> {
    let path = db.path.clone();
    let db = db.vault_db()?;
    let go = || -> rusqlite::Result<Vec<String>> {
        let mut all = BTreeSet::new();
        // From name to name in the index: each is read once, however many changes it had.
        let changed = "WITH RECURSIVE n(t) AS (SELECT MIN(target) FROM change UNION ALL
            SELECT (SELECT MIN(target) FROM change WHERE target > n.t) FROM n WHERE n.t IS NOT NULL) SELECT t FROM n WHERE t IS NOT NULL"
            .to_owned();
        let newest = |table: &str| format!("SELECT DISTINCT target FROM (SELECT target FROM {table} ORDER BY id DESC LIMIT {NEWEST})");
        let others = ["attempt", "audit", "op", "token_fetch"].map(newest);
        for sql in others.into_iter().chain([changed, "SELECT target FROM token".to_owned()]) {
            let mut found = db.prepare(&sql)?;
            // What somebody edited into something else names nobody.
            all.extend(found.query_map([], |r| r.get::<_, String>(0))?.flatten());
        }
        Ok(all.into_iter().collect())
    };
    go().map_err(|e| schema::explain(&path, &e))
}

//! A token that a person is about to see: the line in the audit comes first.

use crate::{
    clock::SystemTime,
    domain::{Reason, ReasonCode},
    engine::ops,
    store::{Audit, Paths, aside},
};

/// Writes into the audit of the store in `paths` that the token of the target `id` is shown.
///
/// # Errors
/// Nothing may be written, or the store takes nothing: then it is not shown.
pub(super) fn note(id: &str, paths: &Paths, read_only: bool) -> Result<(), Reason> {
    if read_only {
        return Err(Reason::new(ReasonCode::ReadOnly));
    }
    let line = Audit { target: id.to_owned(), ..ops::vault_line(&SystemTime::new(), "reveal", "shown") };
    aside::note(paths, &line).map_err(|e| e.reason())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_to_a_person_only_after_its_line_was_written() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::in_home(home.path());
        note("corp:ops", &paths, false).unwrap();
        let db = rusqlite::Connection::open(paths.vault_db()).unwrap();
        let lines =
            || db.query_row("SELECT COUNT(*) FROM audit WHERE target = 'corp:ops' AND action = 'reveal'", [], |r| r.get::<_, i64>(0)).unwrap();
        assert_eq!(lines(), 1);
        assert_eq!(note("corp:ops", &paths, true).unwrap_err().code, ReasonCode::ReadOnly);
        assert_eq!(lines(), 1);
        db.execute_batch("DROP TABLE audit").unwrap();
        assert!(note("corp:ops", &paths, false).is_err(), "shown although its line could not be written");
    }
}

//! Tokens that platforms issued, sealed, with what became of the attempts to get them: so that who comes second, in this
//! process or another, takes what the first one got, errors too.

mod glance;
mod read;
mod types;
mod write;

pub use glance::glance;
pub use types::{Cause, End, Ended, FetchLine, Hold, KeptToken, Recent, Sign, SignKind, Signs, TokenBrief, TokenKey, TokenRow, UNOPENED};

use super::{Store, StoreError};
use crate::domain::{Clean, Fingerprint, Reason, Stamp};

/// Lines of the log kept for one target.
const LOGGED: i64 = 200;
/// So long forced attempts are kept whatever else happens: platforms count them by the day.
const DAY_MS: i64 = 86_400_000;
/// The window of [`TokenRow::fetches`], in milliseconds.
const WINDOW_MS: i64 = 600_000;

impl Store {
    /// What is known of the token of the target `id`, its text included where the vault is open.
    pub async fn token(&self, id: &str) -> Result<Option<TokenRow>, StoreError> {
        let id = id.to_owned();
        self.ask(move |db| read::row(db, &id)).await
    }
    /// Commits how an attempt ended: the token sealed, the count of attempts raised, a line in the log.
    pub async fn token_ended(&self, ended: Ended) -> Result<(), StoreError> {
        self.ask(move |db| write::ended(db, &ended)).await
    }
    /// The key that fingerprints of platforms' tokens are made with. Not that of other secrets, which never leaves this store.
    pub async fn token_key(&self) -> Result<[u8; 32], StoreError> {
        self.ask(read::key).await
    }
    /// Takes over the key that all hosts use which share tokens; living tokens are called by it from then on.
    ///
    /// # Errors
    /// [`StoreError::Locked`]: tokens lie here that cannot be read now. Nothing was changed.
    pub async fn token_key_adopt(&self, key: [u8; 32]) -> Result<(), StoreError> {
        self.ask(move |db| write::adopt_key(db, &key)).await
    }
    /// Notes that the platform refused the token of this fingerprint. False when another one is there meanwhile.
    pub async fn token_rejected(&self, id: &str, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
        let (id, fingerprint) = (id.to_owned(), fingerprint.clone());
        self.ask(move |db| write::rejected(db, &id, &fingerprint)).await
    }
    /// Writes into the log that a fetch was asked for and not made, at most once a second.
    pub async fn token_stopped(&self, id: &str, at: Stamp, by: &str, cause: Cause) -> Result<(), StoreError> {
        let (id, by) = (id.to_owned(), by.to_owned());
        self.ask(move |db| write::stopped(db, &id, &at, &by, cause)).await
    }
    /// Keeps what was seen of other holders of a target's secret. What is kept already, or is older than the window of
    /// [`TokenRow::signs`], is left out. True when something was new.
    pub async fn token_signs(&self, id: &str, now: Stamp, signs: Vec<Sign>) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.ask(move |db| write::signs(db, &id, &now, &signs)).await
    }
    /// Notes that a target's secret was replaced: signs from before `now` count no longer.
    pub async fn token_secret_replaced(&self, id: &str, now: Stamp) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.ask(move |db| write::replaced(db, &id, &now)).await
    }
    /// Notes whose token an older version kept without saying so: from then on it counts for that identity only.
    pub async fn token_whose(&self, key: &TokenKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.ask(move |db| write::whose(db, &key)).await
    }
    /// Forgets the token of a target but for its fingerprint and its end ([`TokenRow::forgotten`]). Its generation, attempts and log stay; what stood against the next attempt does not.
    pub async fn token_forget(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.ask(move |db| write::forget(db, &id)).await
    }
    /// The same because somebody wants it gone: [`TokenRow::wiped`] says so from then on, also where there was no token.
    pub async fn token_wipe(&self, key: &TokenKey, at: Stamp) -> Result<(), StoreError> {
        let key = key.clone();
        self.ask(move |db| write::wipe(db, &key, &at)).await
    }
    /// Another host knows that the token of this fingerprint ends sooner. Nothing is changed when it does not, or another one is there.
    pub async fn token_shorter(&self, id: &str, fingerprint: &Fingerprint, expires: Stamp) -> Result<(), StoreError> {
        let (id, fingerprint) = (id.to_owned(), fingerprint.clone());
        self.ask(move |db| write::shorter(db, &id, &fingerprint, &expires)).await
    }
    /// Writes down how a token that a client had reported as refused was found when it was tried. A good one is not withheld any
    /// more; false when another one is there meanwhile.
    pub async fn token_tried(&self, id: &str, fingerprint: &Fingerprint, at: Stamp, by: &str, good: bool) -> Result<bool, StoreError> {
        let (id, fingerprint, by) = (id.to_owned(), fingerprint.clone(), Clean::long(by));
        self.ask(move |db| write::tried(db, &id, &fingerprint, &at, &by, if good { "good" } else { "unclear" })).await
    }
    /// The same where the platform does not trust the address that the try left from: [`TokenRow::untrusted`] says so.
    pub async fn token_untrusted(&self, id: &str, fingerprint: &Fingerprint, at: Stamp, by: &str) -> Result<bool, StoreError> {
        let (id, fingerprint, by) = (id.to_owned(), fingerprint.clone(), Clean::long(by));
        self.ask(move |db| write::tried(db, &id, &fingerprint, &at, &by, "untrusted")).await
    }
    /// Every target that ever had a token, readable while the vault is locked.
    pub async fn tokens(&self) -> Result<Vec<TokenBrief>, StoreError> {
        self.ask(read::all).await
    }
    /// Targets that were kept for the same identity under another name; of their lives nothing is told.
    pub async fn token_kin(&self, key: &TokenKey) -> Result<Vec<TokenBrief>, StoreError> {
        let key = key.clone();
        self.ask(move |db| read::kin(db, &key)).await
    }
    /// The attempts of a target, newest first.
    pub async fn token_log(&self, id: &str, limit: usize) -> Result<Vec<FetchLine>, StoreError> {
        let id = id.to_owned();
        self.ask(move |db| read::log(db, &id, limit)).await
    }
    /// What the last ten minutes of a target were like, instant by instant.
    pub async fn token_recent(&self, id: &str, now: Stamp) -> Result<Recent, StoreError> {
        let id = id.to_owned();
        self.ask(move |db| read::recent(db, &id, &now)).await
    }
    /// How many forced attempts of a target were sent since `wall` (ms) and not refused in full, answered or not, and when the first and the last one of them ended.
    pub async fn token_forced(&self, id: &str, since: i64) -> Result<(u32, Option<i64>, Option<i64>), StoreError> {
        let id = id.to_owned();
        self.ask(move |db| read::forced(db, &id, since)).await
    }
    /// When the shared store was last found not to answer and has not been found to answer since, and why.
    pub async fn shared_down(&self) -> Result<Option<(Stamp, Reason)>, StoreError> {
        self.ask(read::shared_down).await
    }
    /// Keeps that, for every process of this store.
    pub async fn set_shared_down(&self, down: Option<(Stamp, Reason)>) -> Result<(), StoreError> {
        self.ask(move |db| write::shared_down(db, down.as_ref())).await
    }
}

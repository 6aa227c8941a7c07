//! When a bot was last loaded anew from here: its row tells what is known since, and a deck hears of what a command did.

use crate::{domain::Wall, providers::Cx};
use serde_json::{Value, json};

/// How long that is worth a word, in ms. A bot that sent nothing for a day is no news of a restart any more.
const WORTH_MS: i64 = 24 * 3_600_000;

fn key(uuid: &str) -> String {
    format!("restart/{uuid}")
}

/// Notes that the server loaded it at that instant of its own clock. A note that cannot be kept costs a sentence, not the restart.
pub(super) async fn note(cx: &Cx, uuid: &str, at: Wall) {
    let _ = cx.memo.put(&key(uuid), json!(at.0)).await;
}

/// When it was, by the server's clock.
pub(super) async fn last(cx: &Cx, uuid: &str) -> Option<Wall> {
    cx.memo.get(&key(uuid)).await.as_ref().and_then(Value::as_i64).map(Wall)
}

/// The same, while it is worth a word; `now`: the server's clock.
pub(super) async fn lately(cx: &Cx, uuid: &str, now: Wall) -> Option<Wall> {
    last(cx, uuid).await.filter(|at| now.0.saturating_sub(at.0) < WORTH_MS)
}

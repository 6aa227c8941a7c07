//! What was seen of fights, kept for processes that look only once: two clients that take turns cannot be told apart from one
//! device by a single look.

use super::{Contests, Key, Swap, Track, WINDOW_MS, ms};
use crate::{domain::Stamp, providers::Cx};
use serde::{Deserialize, Serialize};

/// Key of the memo.
const KEY: &str = "contests";
/// Flags kept, those of the newest swaps.
const FLAGS: usize = 64;
/// Swaps kept of each, the newest ones.
const SWAPS: usize = 16;

/// Device id and address.
type Client = (Box<str>, Box<str>);

#[derive(Serialize, Deserialize)]
struct Kept {
    uid: Box<str>,
    flag: Option<u8>,
    empty: u64,
    swaps: Vec<(Stamp, Client, Client)>,
}

impl Contests {
    /// Leaves what is known for others. That it cannot be kept harms only them.
    pub(in crate::providers::wukongim) async fn keep(&self, cx: &Cx) {
        let mut all: Vec<(&Key, &Track)> = self.tracks.iter().filter(|(_, t)| !t.swaps.is_empty()).collect();
        all.sort_by_key(|(key, t)| (std::cmp::Reverse(t.swaps.back().map_or(0, |s| ms(&s.at))), *key));
        all.truncate(FLAGS);
        let newest = |t: &Track| t.swaps.iter().skip(t.swaps.len().saturating_sub(SWAPS)).map(|s| (s.at, s.from.clone(), s.to.clone())).collect();
        let kept: Vec<Kept> =
            all.into_iter().map(|((uid, flag), t)| Kept { uid: uid.clone(), flag: *flag, empty: t.empty, swaps: newest(t) }).collect();
        if let Ok(value) = serde_json::to_value(kept) {
            let _ = cx.memo.put(KEY, value).await;
        }
    }

    /// What a watch, of this process or of another one, saw within the window. Of another boot nothing is taken: its instants
    /// cannot be compared with ours.
    pub(in crate::providers::wukongim) async fn kept(cx: &Cx) -> Self {
        let now = cx.time.now();
        let kept: Vec<Kept> = cx.memo.get(KEY).await.and_then(|v| serde_json::from_value(v).ok()).unwrap_or_default();
        let mut found = Self::default();
        for k in kept {
            let recent = |at: &Stamp| at.exact(&now) && ms(at) <= ms(&now) && ms(&now) - ms(at) < WINDOW_MS;
            let swaps = k.swaps.into_iter().filter(|(at, ..)| recent(at)).map(|(at, from, to)| Swap { at, from, to });
            let track = Track { swaps: swaps.collect(), empty: k.empty, ..Track::default() };
            if !track.swaps.is_empty() {
                found.tracks.insert((k.uid, k.flag), track);
            }
        }
        found
    }
}

//! The long connection of a `wecombot` bot (`libs/wecom_ai_bot_api/ws_client.py`), as far as its log tells of it.

use super::{Inner, settings::FarSide};
use std::time::Duration;

/// The recorded text of a server without a way out (recording 39).
const UNREACHABLE: &str = include_str!("unreachable.txt");
/// The longest wait between attempts.
const LONGEST: f64 = 30.0;

impl Inner {
    /// Connects, subscribes, and begins again after each end. The far side decides what happens; it may change meanwhile.
    pub(crate) async fn link(&self, uuid: &str, life: u64) {
        let say = |level: &str, text: &str| {
            let now = self.now_ms();
            self.lock().write(uuid, Some(life), level, text, now);
        };
        let far = || self.lock().bot(uuid).map_or(FarSide::Unreachable, |b| b.far);
        let linked = |on: bool| {
            if let Some(rt) = self.lock().bot_mut(uuid).and_then(|b| b.runtime.as_mut()).filter(|r| r.life == life) {
                rt.linked = on;
            }
        };
        let mut attempts = 0u32;
        loop {
            say("info", "Connecting to wss://openws.work.weixin.qq.com...");
            match far() {
                FarSide::Unreachable => say("error", UNREACHABLE),
                FarSide::BadSecret => {
                    attempts = 0;
                    say("info", "WebSocket connected, sending auth...");
                    say("error", "Auth response: errcode=40001, errmsg=invalid credential");
                    say("error", "Authentication failed");
                }
                FarSide::Good | FarSide::Expired | FarSide::IpNotTrusted => {
                    attempts = 0;
                    say("info", "WebSocket connected, sending auth...");
                    say("info", "Authenticated successfully");
                    linked(true);
                    // Until somebody changes the far side.
                    while !matches!(far(), FarSide::Unreachable | FarSide::BadSecret) {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    linked(false);
                    say("warning", "WebSocket connection closed: 257");
                }
            }
            attempts += 1;
            let delay = f64::from(2u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST);
            say("info", &format!("Reconnecting in {delay:.1}s (attempt {attempts})..."));
            tokio::time::sleep(Duration::from_secs_f64(delay)).await;
        }
    }
}

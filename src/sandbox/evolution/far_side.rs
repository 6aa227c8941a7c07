//! The far side: one task a socket plays what the platform and its phone do. Waits are tokio's, so tests may pause them.

use super::{
    Inner,
    events::disconnection,
    qr,
    state::{Link, Offered, Session, State},
};
use crate::sandbox::json::{Json, map};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// Why a phone refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No instance of that name.
    #[error("no such account")]
    NoAccount,
    /// Nothing is on offer there.
    #[error("nothing on offer")]
    NoOffer,
    /// The payload is an old QR; the phone says what it says of a bad line.
    #[error("Could not log in. Check your phone's internet connection")]
    StaleQr,
    /// The code is not the one that the far side waits for.
    #[error("Couldn't link device")]
    WrongCode,
}

/// Codes after which the server does not reconnect (whatsapp.baileys.service.ts).
pub(crate) const FINAL: [u16; 4] = [401, 402, 403, 406];

impl Inner {
    /// Opens a socket for `life` and lets it play. The state is `connecting` before this returns.
    pub(crate) fn open_socket(self: &Arc<Self>, state: &mut State, life: u64) {
        let generation = state.fresh();
        let run = state.run;
        let Some(l) = state.lives.get_mut(&life) else { return };
        l.socket = generation;
        l.offered = None;
        l.link = Link::Connecting;
        l.status_reason = 200;
        self.emit_state(state, life);
        let me = Arc::clone(self);
        self.spawn(async move { me.play(life, generation, run).await });
    }

    /// Closes the socket and opens another a little later, as the server does after an `end`. In between a delete does not
    /// stop it: that is how zombies are made (recording ws-global, shop-e).
    pub(crate) fn reopen_later(self: &Arc<Self>, state: &mut State, life: u64, after: Duration) {
        if let Some(l) = state.lives.get_mut(&life) {
            l.socket = 0;
            l.offered = None;
        }
        let (me, run) = (Arc::clone(self), state.run);
        self.spawn(async move {
            sleep(after).await;
            let mut state = me.lock();
            if state.run == run && state.lives.get(&life).is_some_and(|l| l.socket == 0) {
                me.open_socket(&mut state, life);
            }
        });
    }

    /// True while that socket lives.
    fn alive(&self, life: u64, generation: u64, run: u64) -> bool {
        let state = self.lock();
        state.run == run && state.lives.get(&life).is_some_and(|l| l.socket == generation)
    }

    async fn play(self: &Arc<Self>, life: u64, generation: u64, run: u64) {
        let Some((delay, futile)) = self.lock().lives.get(&life).map(|l| (l.link_delay, l.futile)) else { return };
        if futile {
            sleep(self.settings.timing.futile).await;
            if self.alive(life, generation, run) {
                self.again(life);
            }
            return;
        }
        sleep(delay).await;
        let (registered, spoilt) = {
            let mut guard = self.lock();
            let state = &mut *guard;
            let Some(l) = state.lives.get_mut(&life).filter(|l| l.socket == generation && state.run == run) else { return };
            let session = l.session.get_or_insert_with(|| Session::new(&mut state.chance));
            (session.registered, session.me.is_some())
        };
        if registered {
            self.come_online(life, generation, run).await;
        } else if spoilt {
            // creds.me of a code that was never used: the socket logs in, and the far side knows no such login (recording 53).
            let mut state = self.lock();
            let object = disconnection(401, map! { "reason" => "401", "location" => "frc" }, "Connection Failure", self.now_ms());
            self.emit_closed(&mut state, life, 401, &object);
        } else {
            self.offer(life, generation, run).await;
        }
    }

    async fn come_online(self: &Arc<Self>, life: u64, generation: u64, run: u64) {
        let flapping = {
            let mut state = self.lock();
            let now = self.now_ms();
            let Some(l) = state.lives.get_mut(&life).filter(|l| l.socket == generation) else { return };
            let jid = l.session.as_ref().and_then(|s| s.me.clone()).unwrap_or_else(|| format!("{}@s.whatsapp.net", l.phone));
            l.wuid = Some(jid.clone());
            l.link = Link::Open;
            l.status_reason = 200;
            let (profile, flapping) = (l.profile.clone(), l.flapping);
            if let Some(row) = state.row_of(life) {
                row.status = Link::Open;
                row.owner = Some(jid);
                row.profile = Some(profile);
                row.updated = now;
            }
            self.emit_state(&mut state, life);
            flapping
        };
        if flapping {
            sleep(self.settings.timing.futile).await;
            if self.alive(life, generation, run) {
                self.again(life);
            }
        }
    }

    /// 408, 428, 440, 500, 515: the server opens the next socket at once, with the number of the last `connect`.
    fn again(self: &Arc<Self>, life: u64) {
        let mut state = self.lock();
        self.open_socket(&mut state, life);
    }

    /// Refs one after the other, until a phone takes one or they run out.
    async fn offer(self: &Arc<Self>, life: u64, generation: u64, run: u64) {
        let t = self.settings.timing;
        let first = Instant::now();
        let mut n = 0;
        while self.lock().lives.get(&life).is_some_and(|l| n < l.refs) {
            let (text, number) = {
                let mut guard = self.lock();
                let state = &mut *guard;
                let Some(l) = state.lives.get_mut(&life).filter(|l| l.socket == generation && state.run == run) else { return };
                if l.qr.count == self.settings.qr_limit {
                    return self.limit_reached(&mut guard, life);
                }
                l.qr.count += 1;
                let Some(s) = &l.session else { return };
                let body = format!("{},{},{},{}", state.chance.qr_ref(), s.noise, s.identity, s.adv);
                let text = if self.settings.new_qr_form { format!("https://wa.me/settings/linked_devices#{body},1") } else { body };
                // The old offer is dead as soon as the far side moves on, whatever the server still says.
                l.offered = Some(Offered { code: text.clone(), pairing_code: None });
                (text, l.number.clone())
            };
            if let Some(number) = &number {
                sleep(t.code_wait).await;
                let mut guard = self.lock();
                let state = &mut *guard;
                let Some(l) = state.lives.get_mut(&life).filter(|l| l.socket == generation && state.run == run) else { return };
                let code = state.chance.pairing_code();
                l.qr.pairing_code = Some(Some(code.clone()));
                if let Some(s) = &mut l.session {
                    s.me = Some(format!("{number}@s.whatsapp.net"));
                }
                if let Some(o) = &mut l.offered {
                    o.pairing_code = Some(code);
                }
            }
            let picture = qr::data_url(&text);
            {
                let mut state = self.lock();
                let run_now = state.run;
                let Some(l) = state.lives.get_mut(&life).filter(|l| l.socket == generation && run_now == run) else { return };
                if number.is_none() {
                    l.qr.pairing_code = Some(None);
                }
                l.qr.base64 = Some(picture);
                l.qr.code = Some(text);
                let data = map! { "qrcode" => map! {
                    "instance" => &l.name, "pairingCode" => l.qr.pairing_code.clone().flatten(),
                    "code" => l.qr.code.clone(), "base64" => l.qr.base64.clone(),
                } };
                let scans = l.scans_after;
                self.emit(&mut state, life, "qrcode.updated", data);
                let now = self.now_ms();
                if let Some(row) = state.row_of(life) {
                    row.status = Link::Connecting;
                    row.updated = now;
                }
                drop(state);
                if n == 0
                    && let Some(after) = scans
                {
                    self.scan_later(life, generation, after);
                }
            }
            n += 1;
            sleep_until(first + t.rotation * n).await;
        }
        // 408 "QR refs attempts ended": the next socket.
        if self.alive(life, generation, run) {
            self.again(life);
        }
    }

    /// The limit resets the count and the code, and only memory: the row stays `connecting` (recordings 73, 74, ws-limit2).
    fn limit_reached(&self, state: &mut State, life: u64) {
        let Some(l) = state.lives.get_mut(&life) else { return };
        l.socket = 0;
        l.offered = None;
        let name = l.name.clone();
        self.emit(state, life, "qrcode.updated", map! { "message" => "QR code limit reached, please login again", "statusCode" => 500u32 });
        self.emit(state, life, "connection.update", map! { "instance" => &name, "state" => "refused", "statusReason" => 428u32 });
        if let Some(l) = state.lives.get_mut(&life) {
            l.qr = super::state::QrCode::default();
            l.link = Link::Close;
        }
        // Of a deleted instance nothing is left then.
        if state.row_of(life).is_none() {
            state.lives.remove(&life);
        }
    }

    fn scan_later(self: &Arc<Self>, life: u64, generation: u64, after: Duration) {
        let me = Arc::clone(self);
        self.spawn(async move {
            sleep(after).await;
            let mut state = me.lock();
            if state.lives.get(&life).is_some_and(|l| l.socket == generation && l.offered.is_some()) {
                me.linked(&mut state, life);
            }
        });
    }

    /// A phone took the offer: pair-success, stream error 515, and a new socket that logs in.
    fn linked(self: &Arc<Self>, state: &mut State, life: u64) {
        let Some(l) = state.lives.get_mut(&life) else { return };
        let phone = l.number.clone().unwrap_or_else(|| l.phone.clone());
        if let Some(s) = &mut l.session {
            s.me = Some(format!("{phone}@s.whatsapp.net"));
            s.registered = true;
        }
        self.reopen_later(state, life, self.settings.timing.reconnect);
    }

    /// What a phone does with `payload`; without one it looks at the current offer. `code` may hold a dash.
    ///
    /// # Errors
    /// [`Refused`], in the phone's words.
    pub(crate) fn scan(self: &Arc<Self>, name: &str, by_code: bool, payload: Option<&str>) -> Result<(), Refused> {
        let mut state = self.lock();
        let key = state.row(name).ok_or(Refused::NoAccount)?.life;
        let offered = state.lives.get(&key).and_then(|l| l.offered.clone());
        let stale = if by_code { Refused::WrongCode } else { Refused::StaleQr };
        let Some(offered) = offered else { return Err(if payload.is_some() { stale } else { Refused::NoOffer }) };
        let good = match payload {
            None if by_code => offered.pairing_code.is_some(),
            None => true,
            Some(p) if by_code => offered.pairing_code.as_deref().is_some_and(|c| c.eq_ignore_ascii_case(&p.replace(['-', ' '], ""))),
            Some(p) => p == offered.code,
        };
        if !good {
            return Err(if payload.is_none() { Refused::NoOffer } else { stale });
        }
        self.linked(&mut state, key);
        Ok(())
    }

    /// The far side ends the link of `name` with `code`. Codes 401, 402, 403, 406 wipe; all others reconnect, as the server does.
    ///
    /// # Errors
    /// [`Refused::NoAccount`], or [`Refused::NoOffer`] when no socket lives there.
    pub(crate) fn unlink(self: &Arc<Self>, name: &str, code: u16) -> Result<(), Refused> {
        let mut state = self.lock();
        let key = state.row(name).ok_or(Refused::NoAccount)?.life;
        if state.lives.get(&key).is_none_or(|l| l.socket == 0) {
            return Err(Refused::NoOffer);
        }
        if FINAL.contains(&code) {
            let kind = if code == 401 { "device_removed" } else { "replaced" };
            let data = map! {
                "tag" => "stream:error",
                "attrs" => map! { "code" => code.to_string() },
                "content" => Json::List(vec![map! { "tag" => "conflict", "attrs" => map! { "type" => kind } }]),
            };
            let message = if code == 401 { "Stream Errored (conflict)" } else { "Connection Failure" };
            let object = disconnection(code, data, message, self.now_ms());
            self.emit_closed(&mut state, key, code, &object);
        } else {
            self.open_socket(&mut state, key);
        }
        Ok(())
    }
}

//! What the servers are asked at each stage of a login, and what follows from their answers.

use super::{
    super::{
        door::{Door, Step},
        memo,
        mtproto::{Error, Update},
        operator::measured,
        setup,
    },
    BEFORE, Event, Halt, LEAST, Login, Stage, Way,
};
use crate::{
    domain::{Answer, Fresh, Offer, OfferKind, Payload, Prompt, PromptKind, Reason, ReasonCode, Secrets, Stamp, Ungated, Wall},
    i18n::{Message, telegram as w},
    providers::{Cx, PairEvent},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;
use tokio::{
    sync::broadcast,
    time::{Instant, sleep_until},
};

impl Login {
    /// Goes on with this key, sealed before anything is sent with it. The former one belongs to nobody and is forgotten.
    async fn enter(&mut self, cx: &Cx, next: Door) -> Result<(), Halt> {
        if let Some(stake) = &mut self.stake {
            stake.add(cx, &next).await.map_err(Halt::Kept)?;
        }
        if let Some(old) = self.door.replace(next) {
            old.conn.close().await;
        }
        Ok(())
    }

    async fn move_to(&mut self, cx: &Cx, dc: i32) -> Result<(), Halt> {
        let next = Door::make(cx, &self.net, &self.app, Some(dc)).await?;
        self.enter(cx, next).await
    }

    /// What was told, unless the server names another data centre as the account's home: then this moves there, once, and it is to be
    /// asked again.
    async fn at_home<T>(&mut self, cx: &Cx, told: Result<T, Error>) -> Result<Option<T>, Halt> {
        match told {
            Ok(told) => Ok(Some(told)),
            Err(e) => match e.moved() {
                Some(moved) if !std::mem::replace(&mut self.moved, true) => self.move_to(cx, moved.dc()).await.map(|()| None),
                _ => Err(e.into()),
            },
        }
    }

    /// What a step of a login leads to.
    async fn took(&mut self, cx: &Cx, step: Step) -> Event {
        match step {
            Step::In(user) => self.stage = Stage::In(user),
            Step::Password => {
                let hint = match &self.door {
                    Some(door) => door.hint().await,
                    None => None,
                };
                let sealed = setup::secret(cx, &self.account.name, setup::PASSWORD).is_some();
                self.stage = Stage::Password { wrong: 0, asked: false, hint, sealed, refused: false };
            }
            Step::Token(token, dies_s) => return self.show(cx, &token, dies_s),
            // A home has no further home.
            Step::Move(..) => return Err(Error::Unreadable.into()),
        }
        Ok(None)
    }

    /// A token becomes an Offer. How long it lives is counted in the server's time.
    fn show(&mut self, cx: &Cx, token: &[u8], dies_s: i64) -> Event {
        let Some(door) = &self.door else { return Err(self.gone().into()) };
        measured(cx, door.conn.offset(), "login token");
        // Its latest: a code may die early on the screen, never late.
        let left_ms = dies_s.saturating_mul(1000).saturating_sub(door.conn.server_now().hi_ms);
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)).min(Duration::from_secs(3600));
        // Listened to since before it was asked for: a phone may be faster than this.
        let updates = self.ears.take().filter(|(key, _)| *key == door.conn.key()).map_or_else(|| door.conn.updates(), |(_, ears)| ears);
        self.stage = Stage::Shown { renew: Instant::now() + left.saturating_sub(BEFORE).max(LEAST), updates };
        if left.is_zero() {
            // Born dead: the server's two clocks disagree. The next one comes after a pause.
            return Ok(Some(PairEvent::Discarded(Reason::new(ReasonCode::AttemptExpired))));
        }
        let address = format!("tg://login?token={}", URL_SAFE_NO_PAD.encode(token));
        let payload = Payload::qr(&address).ok_or(Error::Unreadable)?;
        let now: Stamp = cx.time.now();
        let expires_at = Wall(now.wall.0.saturating_add(i64::try_from(left.as_millis()).unwrap_or(0)));
        let dies = now.boot_now().plus(left);
        // The server made it for a key that nobody else has.
        let offer = Offer { n: 0, kind: OfferKind::Qr, payload, issued: now, dies, expires_at, fresh: Fresh::NewIdentity };
        Ok(Some(PairEvent::Offer(Ungated::new(offer))))
    }

    async fn start(&mut self, cx: &Cx) -> Event {
        if !self.said {
            self.said = true;
            return Ok(Some(PairEvent::Waiting(Reason::new(ReasonCode::Asking))));
        }
        if self.door.is_none() {
            let home = memo::home(cx, &self.account.name).await;
            let home = home.filter(|dc| self.net.dcs.contains_key(dc));
            let ready = match self.hub.warm.take(cx, home).await {
                // A server that does not know it any more, or does not answer: from the beginning then.
                Some(k) => Door::with(&self.net, &self.app, k.dc, k.key, k.salt, k.clock).await.ok(),
                None => None,
            };
            let door = match ready {
                Some(door) => door,
                None => Door::make(cx, &self.net, &self.app, home).await?,
            };
            self.enter(cx, door).await?;
        }
        self.moved = false;
        match &self.way {
            Way::Qr => self.stage = Stage::Export,
            Way::Bot(token) => {
                let token = token.clone();
                let step = loop {
                    let told = self.at_door()?.bot(&self.app, &token).await;
                    if let Some(step) = self.at_home(cx, told).await? {
                        break step;
                    }
                };
                return self.took(cx, step).await;
            }
            Way::Code(phone) => {
                let phone = phone.clone();
                let hash = loop {
                    let told = self.at_door()?.send_code(&self.app, &phone).await;
                    if let Some(hash) = self.at_home(cx, told).await? {
                        break hash;
                    }
                };
                self.stage = Stage::Code { hash, wrong: 0, asked: false };
            }
        }
        Ok(None)
    }

    pub(super) async fn step(&mut self, cx: &Cx, answer: Option<Answer>) -> Event {
        if let Some(until) = self.pause.take() {
            sleep_until(until).await;
        }
        match &mut self.stage {
            Stage::Start => self.start(cx).await,
            Stage::Export => {
                let door = self.at_door()?;
                let ears = (door.conn.key(), door.conn.updates());
                let mut step = door.export(&self.app, &self.except).await?;
                self.ears = Some(ears);
                if let Step::Move(dc, token) = step {
                    self.move_to(cx, dc).await?;
                    step = self.at_door()?.import(token).await?;
                }
                self.took(cx, step).await
            }
            Stage::Shown { renew, updates } => {
                let Some(door) = &self.door else { return Err(Error::Closed.into()) };
                let renew = *renew;
                loop {
                    tokio::select! {
                        heard = updates.recv() => match heard {
                            Ok(Update::LoginToken) | Err(broadcast::error::RecvError::Lagged(_)) => {
                                self.stage = Stage::Export;
                                return Ok(Some(PairEvent::Scanned));
                            }
                            Ok(_) => {}
                            Err(broadcast::error::RecvError::Closed) => return Err(door.conn.wait().await.into()),
                        },
                        why = door.conn.wait() => return Err(why.into()),
                        // Also the answer to a word of the server that was lost: export tells of a scan as well.
                        () = sleep_until(renew) => break,
                    }
                }
                self.stage = Stage::Export;
                Ok(None)
            }
            Stage::Code { hash, wrong, asked } => {
                let Some(given) = answer.filter(|_| *asked) else {
                    *asked = true;
                    let prompt = Prompt { kind: PromptKind::Code, words: Message::new(&w::ASK_CODE), hint: None, wrong: *wrong };
                    return Ok(Some(PairEvent::Ask(prompt)));
                };
                let (Some(door), Way::Code(phone)) = (&self.door, &self.way) else { return Err(Error::Closed.into()) };
                let code: String = given.expose().chars().filter(char::is_ascii_alphanumeric).collect();
                match door.sign_in(phone, hash, &code).await {
                    Err(e) if matches!(e.name(), Some("PHONE_CODE_INVALID" | "PHONE_CODE_EMPTY")) => {
                        (*wrong, *asked) = (*wrong + 1, false);
                        Ok(None)
                    }
                    told => {
                        let step = told?;
                        self.took(cx, step).await
                    }
                }
            }
            Stage::Password { wrong, asked, hint, sealed, refused } => {
                // Sealed by choice: tried once.
                let own = setup::secret(cx, &self.account.name, setup::PASSWORD).filter(|_| std::mem::take(sealed)).cloned();
                let is_stored = own.is_some();
                let Some(given) = own.or(answer.filter(|_| *asked)) else {
                    *asked = true;
                    let words = Message::new(if *refused { &w::ASK_PASSWORD_STORED } else { &w::ASK_PASSWORD });
                    let prompt = Prompt { kind: PromptKind::Password, words, hint: hint.clone(), wrong: *wrong };
                    return Ok(Some(PairEvent::Ask(prompt)));
                };
                *asked = false;
                let Some(door) = &self.door else { return Err(Error::Closed.into()) };
                match door.password(&given).await {
                    Err(e) if matches!(e.name(), Some("PASSWORD_HASH_INVALID" | "SRP_PASSWORD_CHANGED")) => {
                        *wrong += 1;
                        *refused = is_stored;
                        Ok(None)
                    }
                    told => {
                        let step = told?;
                        self.took(cx, step).await
                    }
                }
            }
            Stage::In(user) => {
                let wanted = self.account.telegram.phone.as_deref().filter(|p| user.phone.as_deref().is_some_and(|is| is != *p));
                if let Some(wanted) = wanted {
                    // The wrong phone scanned. What it agreed to is taken back when the attempt ends.
                    return Ok(Some(PairEvent::Failed(Reason::new(ReasonCode::WrongAccount).with("name", wanted))));
                }
                let user = user.clone();
                let operator = self.operator(&user);
                self.stage = Stage::Kept(user);
                let sealed = operator.map(|o| (setup::OPERATOR.to_owned(), o.to_secret()));
                Ok(Some(PairEvent::Got(sealed.into_iter().collect::<Secrets>())))
            }
            Stage::Kept(_) => Ok(Some(self.linked(cx).await)),
            Stage::Over => Ok(Some(PairEvent::Failed(Reason::new(ReasonCode::Cancelled)))),
        }
    }
}

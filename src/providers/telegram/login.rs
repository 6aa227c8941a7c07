//! The operator's login: QR in the server's time, a code to another device, or a bot's token; then the second factor.
//!
//! Each key is sealed before anything is sent with it that the servers may authorise it for (see [`super::pending`]), and handed out as
//! the operator's before anybody hears that the login succeeded. An attempt that ends before that logs its key out, so that no session is
//! left which nobody holds.

use super::{
    door::{Door, Step, label, why},
    fail, memo,
    mtproto::{App, Error, KeyId, Network, Update, tl::types},
    operator::{Hub, Operator, measured},
    pending::{self, Stake},
    rows, setup,
};
use crate::{
    domain::{
        Answer, Clean, Fresh, Method, Offer, OfferKind, Payload, Prompt, PromptKind, Reason, ReasonCode, Secret, Secrets, Stamp, Target, Ungated,
        Wall, Want,
    },
    i18n::{Message, telegram as w},
    providers::{Cx, Fut, PairEvent, Pairing},
    store::config::Account,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast,
    time::{Instant, sleep_until},
};

/// A token is exported anew so long before its end.
const BEFORE: Duration = Duration::from_secs(3);
/// The least time between two exports, whatever a server says of the life of its tokens.
const LEAST: Duration = Duration::from_secs(2);
/// The longest wait that a server may ask for before the attempt is given up.
const PATIENCE: Duration = Duration::from_secs(600);
/// New connections in one attempt.
const RECONNECTS: u32 = 5;
/// How long the words of the end may take.
const END: Duration = Duration::from_secs(8);

/// See [`crate::providers::Provider::pair`].
pub(super) async fn begin(hub: Arc<Hub>, cx: &Cx, at: &Target, want: Want) -> Result<Box<dyn Pairing>, Reason> {
    let account = setup::account(cx, at.account.as_str())?.clone();
    let app = setup::app(cx, &account)?;
    let net = setup::network(cx)?;
    let token = setup::secret(cx, &account.name, setup::BOT_TOKEN).cloned();
    if pending::recover(&hub, cx, &account).await {
        // What an ended process began was done already.
        return Err(Reason::new(ReasonCode::AlreadyOnline).with("gateway", cx.gateway.as_str()));
    }
    if account.telegram.bot && token.is_none() {
        let name = format!("{}:{}", cx.gateway.as_str(), account.name);
        let missing = Reason::new(ReasonCode::CredentialMissing)
            .with("gateway", &name)
            .with("account", name)
            .with("needs", setup::BOT_TOKEN)
            .raw(setup::BOT_TOKEN);
        return Err(cx.without(&crate::providers::token::account_secret(&account.name, setup::BOT_TOKEN), missing));
    }
    let way = match (token.filter(|_| account.telegram.bot), want.method) {
        (Some(token), _) => Way::Bot(token),
        (None, Method::Qr) => Way::Qr,
        (None, Method::Code) => {
            let phone = want.number.as_deref().or(account.telegram.phone.as_deref()).unwrap_or_default();
            let phone: String = phone.chars().filter(char::is_ascii_digit).collect();
            match phone.len() {
                0 => return Err(Reason::new(ReasonCode::NumberNeeded)),
                7..=15 => Way::Code(phone),
                _ => return Err(Reason::new(ReasonCode::NumberInvalid)),
            }
        }
    };
    let except = memo::users(cx, &account.name).await;
    let stake = Some(Stake::of(cx, &account.name).await);
    hub.warm.login(true);
    Ok(Box::new(Login {
        hub,
        account,
        app,
        net,
        way,
        except,
        door: None,
        stake,
        ears: None,
        stage: Stage::Start,
        said: false,
        pause: None,
        reconnects: 0,
    }))
}

enum Way {
    Qr,
    Code(String),
    Bot(Secret),
}

enum Stage {
    Start,
    /// A token is shown: when to export anew, and who tells that it was scanned.
    Shown {
        renew: Instant,
        updates: broadcast::Receiver<Update>,
    },
    /// Scanned or to be renewed: export says which.
    Export,
    Code {
        hash: String,
        wrong: u32,
        asked: bool,
    },
    Password {
        wrong: u32,
        asked: bool,
        hint: Option<Clean>,
        sealed: bool,
    },
    In(Box<types::User>),
    /// Handed out; committed when the next event is asked for.
    Kept(Box<types::User>),
    Over,
}

struct Login {
    hub: Arc<Hub>,
    account: Account,
    app: App,
    net: Network,
    way: Way,
    /// Accounts that are logged in here already: their phones are told so.
    except: Vec<i64>,
    door: Option<Door>,
    /// Its keys, sealed.
    stake: Option<Stake>,
    /// What the server says unasked, from before the present token was asked for, on the connection of that key.
    ears: Option<(KeyId, broadcast::Receiver<Update>)>,
    stage: Stage,
    said: bool,
    /// The server asked for a pause, until then.
    pause: Option<Instant>,
    reconnects: u32,
}

/// Why a step did not go on.
enum Halt {
    /// The wire's or the server's word.
    Told(Error),
    /// The key could not be sealed: nothing is sent with it.
    Kept(Reason),
}

impl From<Error> for Halt {
    fn from(e: Error) -> Self {
        Self::Told(e)
    }
}

type Event = Result<Option<PairEvent>, Halt>;

impl Login {
    fn gone(&self) -> Error {
        self.door.as_ref().and_then(|d| d.conn.ended()).unwrap_or(Error::Closed)
    }

    fn at_door(&self) -> Result<&Door, Error> {
        self.door.as_ref().ok_or(Error::Closed)
    }

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

    /// Moves to where the server says that it belongs.
    async fn follow(&mut self, cx: &Cx, error: Error) -> Result<(), Halt> {
        match error.moved() {
            Some(moved) => self.move_to(cx, moved.dc()).await,
            None => Err(error.into()),
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
                self.stage = Stage::Password { wrong: 0, asked: false, hint, sealed };
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
        match &self.way {
            Way::Qr => self.stage = Stage::Export,
            Way::Bot(token) => {
                let token = token.clone();
                let step = match self.at_door()?.bot(&self.app, &token).await {
                    Err(e) => {
                        self.follow(cx, e).await?;
                        self.at_door()?.bot(&self.app, &token).await
                    }
                    told => told,
                };
                return self.took(cx, step?).await;
            }
            Way::Code(phone) => {
                let phone = phone.clone();
                let sent = match self.at_door()?.send_code(&self.app, &phone).await {
                    Err(e) => {
                        self.follow(cx, e).await?;
                        self.at_door()?.send_code(&self.app, &phone).await
                    }
                    told => told,
                };
                let hash = sent?;
                self.stage = Stage::Code { hash, wrong: 0, asked: false };
            }
        }
        Ok(None)
    }

    async fn step(&mut self, cx: &Cx, answer: Option<Answer>) -> Event {
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
            Stage::Password { wrong, asked, hint, sealed } => {
                // Sealed by choice: tried once.
                let own = setup::secret(cx, &self.account.name, setup::PASSWORD).filter(|_| std::mem::take(sealed)).cloned();
                let Some(given) = own.or(answer.filter(|_| *asked)) else {
                    *asked = true;
                    let prompt = Prompt { kind: PromptKind::Password, words: Message::new(&w::ASK_PASSWORD), hint: hint.clone(), wrong: *wrong };
                    return Ok(Some(PairEvent::Ask(prompt)));
                };
                *asked = false;
                let Some(door) = &self.door else { return Err(Error::Closed.into()) };
                match door.password(&given).await {
                    Err(e) if matches!(e.name(), Some("PASSWORD_HASH_INVALID" | "SRP_PASSWORD_CHANGED")) => {
                        *wrong += 1;
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

    fn operator(&self, user: &types::User) -> Option<Operator> {
        let door = self.door.as_ref()?;
        Some(Operator { dc: door.dc, key: door.key.clone(), salt: door.salt, user: user.id, bot: user.bot })
    }

    /// The key is committed: it belongs to the hub from here on.
    async fn linked(&mut self, cx: &Cx) -> PairEvent {
        let Stage::Kept(user) = std::mem::replace(&mut self.stage, Stage::Over) else { return PairEvent::Failed(Reason::new(ReasonCode::Internal)) };
        let operator = self.operator(&user);
        if let Some(door) = self.door.take() {
            // Closed before anybody else opens one with this key: two would be a duplicate.
            door.conn.close().await;
        }
        let Some(operator) = operator else { return PairEvent::Failed(Reason::new(ReasonCode::Internal)) };
        if let Some(stake) = self.stake.take() {
            stake.settle(cx).await;
        }
        // Nothing depends on it but names.
        let known = remember(cx, &self.account.name, &operator, &user).await;
        self.hub.committed(cx, &self.account.name, operator);
        PairEvent::Linked(Box::new(rows::account(cx, &self.account, Some(&known), rows::Standing::In(None))))
    }

    /// What follows an error: a pause that the server asked for, another connection, or the end.
    async fn trouble(&mut self, cx: &Cx, error: Error) -> PairEvent {
        if let Some(wait) = error.flood().filter(|f| *f <= PATIENCE) {
            self.pause = Some(Instant::now() + wait);
            if let Stage::Shown { .. } = self.stage {
                self.stage = Stage::Export;
            }
            return PairEvent::Waiting(why(cx, &error));
        }
        if error.ends_connection() && error.verdict().is_none() && self.reconnects < RECONNECTS && !matches!(self.stage, Stage::Start) {
            self.reconnects += 1;
            let Some(door) = self.door.take() else { return PairEvent::Failed(why(cx, &error)) };
            self.pause = Some(Instant::now() + Duration::from_secs(u64::from(self.reconnects)));
            match door.again(&self.net, &self.app).await {
                Ok(door) => {
                    self.door = Some(door);
                    if let Stage::Shown { .. } = self.stage {
                        // The same key: a scan meanwhile is told by the next export.
                        self.stage = Stage::Export;
                    }
                    return PairEvent::Waiting(why(cx, &error));
                }
                Err(e) => return PairEvent::Failed(why(cx, &e)),
            }
        }
        PairEvent::Failed(why(cx, &error))
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        self.hub.warm.login(false);
    }
}

impl Pairing for Login {
    fn next<'a>(&'a mut self, cx: &'a Cx, mut answer: Option<Answer>) -> Fut<'a, PairEvent> {
        Box::pin(async move {
            loop {
                let over = cx.cancel.clone();
                // A step in flight may be cut here: whatever it began belongs to a key that `end` logs out.
                let told = tokio::select! {
                    biased;
                    () = over.cancelled() => return PairEvent::Failed(Reason::new(ReasonCode::Cancelled)),
                    told = self.step(cx, answer.take()) => told,
                };
                match told {
                    Ok(Some(event)) => return event,
                    Ok(None) => {}
                    Err(Halt::Kept(why)) => return PairEvent::Failed(why),
                    Err(Halt::Told(e)) => {
                        return match self.trouble(cx, e).await {
                            PairEvent::Failed(why) => PairEvent::Failed(fail::named(cx, &self.account.name, why)),
                            event => event,
                        };
                    }
                }
            }
        })
    }

    fn end<'a>(mut self: Box<Self>, cx: &'a Cx) -> Fut<'a, ()> {
        Box::pin(async move {
            let Some(door) = self.door.take() else { return };
            // A bot is logged in by the first call.
            let sent = !matches!(self.stage, Stage::Start) || matches!(self.way, Way::Bot(_));
            // Handed out: whether it was committed, the next start finds out.
            let handed = matches!(self.stage, Stage::Kept(_));
            let last = async {
                if sent && !handed {
                    return door.leave().await;
                }
                door.conn.close().await;
                !handed
            };
            let over = tokio::time::timeout(END, last).await;
            if let (Ok(true), Some(stake)) = (over, self.stake.take()) {
                stake.settle(cx).await;
            }
        })
    }
}

/// Keeps who an account is.
pub(super) async fn remember(cx: &Cx, account: &str, operator: &Operator, user: &types::User) -> memo::Known {
    let known = memo::Known {
        user: user.id,
        dc: operator.dc,
        label: label(user).as_str().to_owned(),
        username: user.username.clone(),
        phone: user.phone.clone(),
    };
    let _ = memo::keep(cx, account, &known).await;
    known
}

//! The operator's login: QR in the server's time, a code to another device, or a bot's token; then the second factor.
//!
//! Each key is sealed before anything is sent with it that the servers may authorise it for (see [`super::pending`]), and handed out as
//! the operator's before anybody hears that the login succeeded. An attempt that ends before that logs its key out, so that no session is
//! left which nobody holds.

mod steps;

use super::{
    door::{Door, label, why},
    fail, memo,
    mtproto::{App, Error, KeyId, Network, Update, tl::types},
    operator::{Hub, Operator},
    pending::{self, Stake},
    rows, setup,
};
use crate::{
    domain::{Answer, Clean, Method, Reason, ReasonCode, Secret, Target, Want},
    providers::{Cx, Fut, PairEvent, Pairing},
    store::config::Account,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::broadcast, time::Instant};

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
        return Err(setup::without(cx, &account, None, setup::BOT_TOKEN));
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
        moved: false,
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
        /// The one that was refused last was the sealed one.
        refused: bool,
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
    /// It was moved to where the account lives: a home has no further home.
    moved: bool,
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

/// Keeps who an account is, once somebody has logged in to it.
pub(super) async fn remember(cx: &Cx, account: &str, operator: &Operator, user: &types::User) -> memo::Known {
    let known = memo::Known {
        user: user.id,
        dc: operator.dc,
        label: label(user).as_str().to_owned(),
        username: user.username.clone(),
        phone: user.phone.clone(),
    };
    let _ = memo::keep(cx, account, &known).await;
    memo::begun(cx, account).await;
    known
}

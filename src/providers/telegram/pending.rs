//! A login under way, as the next process finds it: every key that the servers may come to authorise is sealed before they are asked
//! anything that can do so. Killed at any instant, a login leaves no session whose key nobody has: the next start tries the keys once,
//! takes over the login that one of them got, or logs it out where it cannot be completed.

use super::{
    door::{Door, Step},
    mtproto::{AuthKey, Error, WireError, tl::types},
    operator::{Hub, Operator, ask_time, right_of},
    setup,
    worker::{Who, who},
};
use crate::{
    domain::{Reason, ReasonCode, Secret},
    providers::{Cx, Right, token::account_secret},
    store::config::Account,
};
use serde::{Deserialize, Serialize};

/// Data centres that one login may lead over: a home has no further home.
const MOVES: usize = 2;

/// One key, as it is sealed.
#[derive(Clone, Serialize, Deserialize)]
struct Made {
    dc: i32,
    key: String,
    salt: i64,
}

/// The keys of a login, oldest first, sealed; nobody else tries them while this is held.
pub(super) struct Stake {
    account: String,
    keys: Vec<Made>,
    rights: Vec<Right>,
}

fn name(account: &str) -> String {
    format!("own/pending/{account}")
}

impl Stake {
    /// The stake of a new login: what an earlier one left that could not be cleared up goes on with it.
    pub(super) async fn of(cx: &Cx, account: &str) -> Self {
        Self { account: account.to_owned(), keys: read(cx, account).await.unwrap_or_default(), rights: Vec::new() }
    }

    /// Seals a key. Nothing is sent with it before.
    ///
    /// # Errors
    /// The store's; [`ReasonCode::Busy`]: somebody else works with this key.
    pub(super) async fn add(&mut self, cx: &Cx, door: &Door) -> Result<(), Reason> {
        let right = cx.memo.exclusive(&right_of(door.key.id())).await?;
        self.rights.push(right.ok_or_else(|| Reason::new(ReasonCode::Busy))?);
        self.keys.push(Made { dc: door.dc, key: door.key.to_secret().expose().to_owned(), salt: door.salt });
        let text = Secret::new(serde_json::to_string(&self.keys).unwrap_or_default());
        cx.memo.seal(&name(&self.account), Some(&text)).await
    }

    /// None of the keys is a session that nobody holds.
    pub(super) async fn settle(self, cx: &Cx) {
        // What stays is tried once more, and found to be nobody's or the operator's own.
        let _ = cx.memo.seal(&name(&self.account), None).await;
    }
}

async fn read(cx: &Cx, account: &str) -> Option<Vec<Made>> {
    let text = cx.memo.sealed(&name(account)).await.ok().flatten()?;
    serde_json::from_str(text.expose()).ok()
}

/// Clears up what a login of an ended process left. True when it was taken over: the account is logged in.
pub(super) async fn recover(hub: &Hub, cx: &Cx, account: &Account) -> bool {
    let Some(keys) = read(cx, &account.name).await else { return false };
    let made: Vec<(Made, AuthKey)> = keys.into_iter().filter_map(|m| Some((m.clone(), AuthKey::from_secret(&Secret::new(m.key))?))).collect();
    let mut stake = Stake { account: account.name.clone(), keys: made.iter().map(|m| m.0.clone()).collect(), rights: Vec::new() };
    for (_, key) in &made {
        match cx.memo.exclusive(&right_of(key.id())).await {
            Ok(Some(right)) => stake.rights.push(right),
            // Its login is under way, or it is open as the operator's.
            _ => return false,
        }
    }
    if hub.operator(cx, &account.name).is_some_and(|o| made.iter().any(|(_, key)| key.id() == o.key.id())) {
        // Committed, and killed before that was noted.
        stake.settle(cx).await;
        return false;
    }
    let mut found = Ok(None);
    // The newest first: it is where the login went on.
    for (one, key) in made.into_iter().rev() {
        found = attempt(cx, account, &mut stake, (one, key)).await;
        if !matches!(found, Ok(None)) {
            break;
        }
    }
    match found {
        // Not known: another start tries again.
        Err(_) => false,
        Ok(None | Some(End::LoggedOut)) => {
            stake.settle(cx).await;
            false
        }
        Ok(Some(End::Entered(operator, user))) => {
            let sealed = account_secret(&account.name, setup::OPERATOR);
            if cx.memo.seal(&sealed, Some(&operator.to_secret())).await.is_err() {
                return false;
            }
            stake.settle(cx).await;
            let _ = super::login::remember(cx, &account.name, &operator, &user).await;
            hub.committed(cx, &account.name, *operator);
            true
        }
    }
}

/// What became of a key that the servers had let in.
enum End {
    Entered(Box<Operator>, Box<types::User>),
    LoggedOut,
}

/// Tries one key. `None`: it is nobody's.
async fn attempt(cx: &Cx, account: &Account, stake: &mut Stake, (made, key): (Made, AuthKey)) -> Result<Option<End>, Reason> {
    let net = setup::network(cx)?;
    let app = setup::app(cx, account)?;
    let at = |e: &Error| super::fail::at(cx, e);
    let clock = ask_time(cx, &net).await.map_err(|e| at(&e))?;
    let mut door = Door::with(&net, &app, made.dc, key, made.salt, clock.offset).await.map_err(|e| at(&e))?;
    let mut step = match who(&door).await {
        Ok(Who::User(user)) => Step::In(user),
        Ok(Who::Password(_)) => Step::Password,
        // A scan that nobody was there to hear of is told by the next export.
        Ok(Who::Nobody) => match door.export(&app, &[]).await {
            Ok(step) => step,
            Err(e) => return over(cx, door, &e).await,
        },
        Err(e) => return over(cx, door, &e).await,
    };
    for _ in 0..MOVES {
        let Step::Move(dc, token) = step else { break };
        let next = Door::make(cx, &net, &app, Some(dc)).await.map_err(|e| at(&e))?;
        stake.add(cx, &next).await?;
        std::mem::replace(&mut door, next).conn.close().await;
        step = match door.import(token).await {
            Ok(step) => step,
            Err(e) => return over(cx, door, &e).await,
        };
    }
    let password = setup::secret(cx, &account.name, setup::PASSWORD);
    if let (Step::Password, Some(password)) = (&step, password)
        && let Ok(entered) = door.password(password).await
    {
        step = entered;
    }
    match step {
        Step::In(user) if fits(account, &user) => {
            let operator = Operator { dc: door.dc, key: door.key.clone(), salt: door.salt, user: user.id, bot: user.bot };
            door.conn.close().await;
            Ok(Some(End::Entered(Box::new(operator), user)))
        }
        // The wrong account, or one whose password only a person knows.
        Step::In(_) | Step::Password => match door.leave().await {
            true => Ok(Some(End::LoggedOut)),
            false => Err(Reason::new(ReasonCode::Unreachable)),
        },
        Step::Token(..) | Step::Move(..) => {
            door.conn.close().await;
            Ok(None)
        }
    }
}

fn fits(account: &Account, user: &types::User) -> bool {
    let wanted = account.telegram.phone.as_deref();
    user.bot == account.telegram.bot && wanted.is_none_or(|p| user.phone.as_deref().is_none_or(|is| is == p))
}

/// A key that the servers do not know, or will never let in, is nobody's.
async fn over(cx: &Cx, door: Door, e: &Error) -> Result<Option<End>, Reason> {
    door.conn.close().await;
    let nobodys = e.verdict().is_some() || matches!(e, Error::Wire(WireError::UnknownKey)) || matches!(e, Error::Rpc { code: 400, .. });
    if nobodys { Ok(None) } else { Err(super::fail::at(cx, e)) }
}

//! A slot's new key and the servers: made, accepted by the operator, logged in, logged out again.

use super::{
    super::{
        ask::remote,
        door::{Door, Step},
        mtproto::{
            Error, create_key,
            tl::{enums, functions as f, types},
        },
        operator::{Hub, Line, ask_time, measured},
        rows::Remote,
        setup,
    },
    Made, device_name,
};
use crate::{
    domain::{Clean, Op, Reason, ReasonCode, Secret},
    providers::Cx,
    store::config::Account,
};
use std::time::Duration;

/// Until a token is exported that the operator accepts: both are a call.
const CLOSE: Duration = Duration::from_secs(5);

/// What was not done, and whether the servers may have done it all the same.
pub(super) type Tried<T> = Result<T, (Reason, bool)>;

pub(super) fn unsent(why: Reason) -> (Reason, bool) {
    (why, false)
}

fn failed(cx: &Cx, e: &Error) -> (Reason, bool) {
    (super::super::fail::at(cx, e), !matches!(e, Error::Rpc { .. } | Error::KeyInUse))
}

/// Makes a key at the account's home. It belongs to nobody yet.
pub(super) async fn make(cx: &Cx, account: &Account, dc: Option<i32>, token: Option<&Secret>) -> Tried<Secret> {
    let net = setup::network(cx).map_err(unsent)?;
    let mut to = dc.map_or_else(|| net.start(), |dc| net.address(dc)).ok_or_else(|| unsent(Reason::new(ReasonCode::WrongAddress)))?;
    if let (None, Some(home)) = (dc, token.map(|_| super::super::memo::home(cx, &account.name))) {
        to = home.await.and_then(|dc| net.address(dc)).unwrap_or(to);
    }
    let made = create_key(&net, to).await.map_err(|e| failed(cx, &e))?;
    measured(cx, made.clock.offset, "server_time");
    Ok(Made::seal(to.dc, &made.key, made.salt))
}

/// Connects with the key that an op made, as the slot's device.
pub(super) async fn door(cx: &Cx, account: &Account, op: &Op) -> Tried<Door> {
    let slot = op.target.device.as_ref().map(|d| d.as_str()).unwrap_or_default();
    let (made, key) = Made::of(op).ok_or_else(|| unsent(Reason::new(ReasonCode::Internal).raw("no key was committed")))?;
    let net = setup::network(cx).map_err(unsent)?;
    let own = super::slot_of_op(cx, op).map(|(_, s)| s.slot);
    let app = setup::named(cx, account, own.as_ref(), &device_name(slot, &key)).map_err(unsent)?;
    let clock = ask_time(cx, &net).await.map_err(|e| unsent(super::super::fail::at(cx, &e)))?;
    Door::with(&net, &app, made.dc, key, made.salt, clock.offset).await.map_err(|e| unsent(super::super::fail::at(cx, &e)))
}

/// Export, accepted by the operator, and taken over at once.
pub(super) async fn accept(hub: &Hub, cx: &Cx, account: &Account, op: &Op) -> Tried<()> {
    let line = hub.line(cx, account).await.map_err(unsent)?;
    let door = door(cx, account, op).await?;
    let own = super::slot_of_op(cx, op).map(|(_, s)| s.slot);
    let app = setup::named(cx, account, own.as_ref(), "").map_err(unsent)?;
    let told = async {
        let token = match door.export(&app, &[]).await? {
            Step::Token(token, _) => token,
            // It was made at the account's home: nobody moves it.
            Step::Move(..) => return Err(Error::Unreadable),
            // Accepted already.
            Step::In(_) | Step::Password => return Ok(()),
        };
        line.conn.invoke(&f::auth::AcceptLoginToken { token }).await?;
        door.export(&app, &[]).await.map(drop)
    };
    let told: Result<(), Error> = told.await;
    let _ = tokio::time::timeout(CLOSE, door.conn.close()).await;
    told.map_err(|e| failed(cx, &e))
}

/// Who the new key is logged in as; `None`: nobody, or its password is missing.
pub(in super::super) enum Who {
    User(Box<types::User>),
    Password(Option<crate::domain::Clean>),
    Nobody,
}

/// Asks the servers.
pub(in super::super) async fn who(door: &Door) -> Result<Who, Error> {
    match door.conn.invoke(&f::users::GetUsers { id: vec![enums::InputUser::UserSelf] }).await {
        Ok(users) => match users.into_iter().next() {
            Some(enums::User::User(u)) => Ok(Who::User(Box::new(u))),
            _ => Ok(Who::Nobody),
        },
        Err(e) if e.name() == Some("SESSION_PASSWORD_NEEDED") => Ok(Who::Password(door.hint().await)),
        Err(e) if e.verdict() == Some(super::super::mtproto::Verdict::Unregistered) => Ok(Who::Nobody),
        Err(e) => Err(e),
    }
}

/// Whether the account wants a password beside a new key's acceptance; its hint, where there is one. `None`: it does not.
///
/// # Errors
/// The call's.
pub(super) async fn second_step(hub: &Hub, cx: &Cx, account: &Account, line: &Line) -> Result<Option<Option<Clean>>, Reason> {
    let told = line.conn.invoke(&f::account::GetPassword {}).await;
    let enums::account::Password::Password(p) = told.map_err(|e| hub.refused(cx, &account.name, line.conn.key(), &e))?;
    Ok(p.has_password.then(|| p.hint.map(|h| Clean::new(&h))))
}

/// The row of the new key among the account's sessions.
pub(super) fn row<'a>(op: &Op, told: &'a Remote) -> Option<&'a types::Authorization> {
    let (_, key) = Made::of(op)?;
    let name = device_name(op.target.device.as_ref()?.as_str(), &key);
    told.sessions.iter().find(|s| !s.current && s.device_model == name)
}

/// Nobody is left logged in with the new key: it is logged out by itself, which needs no 24 hours; what remains of a token that was
/// accepted and never taken over is ended by the operator.
pub(super) async fn undo(hub: &Hub, cx: &Cx, account: &Account, op: &Op) -> Tried<()> {
    if Made::of(op).is_none() {
        return Ok(());
    }
    let own = super::slot_of_op(cx, op).map(|(_, s)| s.slot);
    let app = setup::named(cx, account, own.as_ref(), "").map_err(unsent)?;
    let door = door(cx, account, op).await.map_err(|(why, _)| (why, true))?;
    if !account.telegram.bot && matches!(who(&door).await, Ok(Who::Nobody)) {
        // Takes an accepted token over, if there is one, so that there is something to log out.
        let _ = door.export(&app, &[]).await;
    }
    let told = door.conn.invoke(&f::auth::LogOut {}).await;
    let _ = tokio::time::timeout(CLOSE, door.conn.close()).await;
    if let Err(e) = told
        && e.verdict().is_none()
    {
        return Err(failed(cx, &e));
    }
    if account.telegram.bot {
        return Ok(());
    }
    let (line, told) = remote(hub, cx, account).await.map_err(|why| (why, true))?;
    let Some(stray) = told.as_ref().and_then(|t| row(op, t)) else { return Ok(()) };
    match line.conn.invoke(&f::account::ResetAuthorization { hash: stray.hash }).await {
        Ok(_) => Ok(()),
        Err(e) if e.name() == Some("HASH_INVALID") => Ok(()),
        Err(e) => Err(failed(cx, &e)),
    }
}

//! The steps of a slot's plans: run, checked, taken back.

use super::{
    super::{
        ask::remote,
        door::{Door, Step},
        fail,
        mtproto::{Error, tl::functions as f},
        operator::Hub,
        session::{self, Patience, Trouble, gotd, write},
        setup,
        slots::{
            SlotRef,
            trash::{self, Moved, Trashed},
            vigil::Vigil,
        },
    },
    Made, NEW_KEY,
    ends::{end_old, to_end},
    fresh::{self, Who},
    new_slot,
    registry::Kept,
};
use crate::{
    domain::{Answer, Finding, Op, Prompt, PromptKind, Reason, ReasonCode, Secrets, StepEnd},
    i18n::{Message, telegram as w},
    providers::{Cx, telegram::KeyId},
    store::{
        config::{Account, Slot},
        run_lock::{Owner, RunLock},
    },
};
use serde_json::{Value, json};

/// What a person types where nothing proves that a worker is stopped.
const YES: &str = "yes";

pub(super) fn clear<'a>(op: &'a Op, name: &str) -> Option<&'a Value> {
    op.plan.as_ref()?.clear.get(name).filter(|v| !v.is_null())
}

pub(super) fn failed(why: Reason, sent: bool) -> StepEnd {
    StepEnd::Failed { why, sent }
}

fn ask(kind: PromptKind, words: Message, hint: Option<crate::domain::Clean>, wrong: u32) -> StepEnd {
    StepEnd::Ask(Prompt { kind, words, hint, wrong })
}

fn trashed(op: &Op) -> Option<Trashed> {
    serde_json::from_value(clear(op, "trash")?.clone()).ok()
}

/// See [`crate::providers::Provider::run`], for a slot.
pub(in super::super) async fn run(hub: &Hub, cx: &Cx, op: &Op, step: &str, answer: Option<Answer>, account: &Account, me: &SlotRef) -> StepEnd {
    let end = match step {
        "enlist" => new_slot::enlist(cx, op).await.map(|()| StepEnd::done()).map_err(fresh::unsent),
        "stopped" => stopped(cx, me, answer).await,
        "password" => Ok(match answer {
            None => {
                let hint = clear(op, "hint").and_then(Value::as_str).map(crate::domain::Clean::new);
                ask(PromptKind::Password, Message::new(&w::ASK_PASSWORD), hint, 0)
            }
            // In memory only: another process takes the op back, and needs none.
            Some(given) => {
                hub.given(op.id, Some(given));
                StepEnd::done()
            }
        }),
        "key" => {
            let dc = clear(op, "dc").and_then(Value::as_i64).and_then(|d| i32::try_from(d).ok());
            let token = setup::secret(cx, &account.name, setup::BOT_TOKEN).filter(|_| account.telegram.bot);
            fresh::make(cx, account, dc, token)
                .await
                .map(|key| StepEnd::Done { clear: Value::Null, sealed: Secrets::from([(NEW_KEY.to_owned(), key)]) })
        }
        "accept" => match counted(cx, account, me).await {
            Ok(()) => fresh::accept(hub, cx, account, op).await.map(|()| StepEnd::done()),
            Err(e) => Err(e),
        },
        "bot" => match counted(cx, account, me).await {
            Ok(()) => bot(cx, op, account, &me.slot).await,
            Err(e) => Err(e),
        },
        "login" => {
            let answer = answer.or_else(|| hub.given(op.id, None));
            login(cx, op, account, &me.slot, answer).await
        }
        "identity" => identity(hub, cx, op, account).await,
        "replace" => replace(cx, op, me).await,
        "verify" => verify(hub, cx, op, account, me).await,
        "trash" => blocking(op, trash::wipe).await,
        "restore" => match blocking(op, trash::undo).await {
            // Its session lives on: nobody brought an old key back, and its end is owed no more.
            Ok(done) => keep(cx, account, me, Kept::put_back).await.map(|()| done),
            Err(e) => Err(e),
        },
        "forget" => {
            let vigil = old_key(op).map(|old| Vigil::new(me.slot.file.clone(), &[old], None, cx.time.now()));
            let kept = keep(cx, account, me, |k| {
                (k.trash, k.vigil) = (trashed(op), vigil);
                k.end(&to_end(op));
                // Others go on with it: from now on it is theirs.
                if super::left::is_left(op) {
                    k.hash = None;
                }
            })
            .await;
            super::left::hand_on(cx, op).await;
            match kept {
                Ok(()) => Ok(StepEnd::Done { clear: super::left::told(hub, cx, op, account).await, sealed: Secrets::new() }),
                Err(e) => Err(e),
            }
        }
        "end-old" => return end_old(hub, cx, op, account, me).await,
        _ => Err((Reason::new(ReasonCode::Internal), false)),
    };
    end.unwrap_or_else(|(why, sent)| failed(fail::named(cx, &account.name, why), sent))
}

/// One more login for this slot, counted before it is tried: one that fails later was a login all the same.
async fn counted(cx: &Cx, account: &Account, me: &SlotRef) -> fresh::Tried<()> {
    keep(cx, account, me, |k| k.made(cx.time.now().wall.0 / 1000)).await
}

pub(super) async fn keep(cx: &Cx, account: &Account, me: &SlotRef, change: impl FnOnce(&mut Kept)) -> fresh::Tried<()> {
    let mut kept = Kept::of(cx, &account.name, &me.slot.name).await;
    change(&mut kept);
    kept.keep(cx, &account.name, &me.slot.name).await.map_err(fresh::unsent)
}

async fn blocking(op: &Op, act: fn(&Trashed) -> Result<(), Reason>) -> fresh::Tried<StepEnd> {
    let Some(t) = trashed(op) else { return Err((Reason::new(ReasonCode::Internal), false)) };
    let done = tokio::task::spawn_blocking(move || act(&t)).await.map_err(|_| (Reason::new(ReasonCode::Internal), true))?;
    done.map(|()| StepEnd::done()).map_err(|why| (why, true))
}

/// Nobody holds it, by proof or by a person's word.
async fn stopped(cx: &Cx, me: &SlotRef, answer: Option<Answer>) -> fresh::Tried<StepEnd> {
    let (seen, n) = super::look(cx, me).await.map_err(fresh::unsent)?;
    if let Some(why) = seen[n].held.reason() {
        return Err((why, false));
    }
    let held = seen[n].held.clone();
    // What is said of it goes with the plan's end.
    let cleaned = tokio::task::spawn_blocking(move || held.clean()).await.ok().flatten();
    let done = || StepEnd::Done { clear: json!({ super::left::CLEANED: cleaned }), sealed: Secrets::new() };
    let said = answer.as_ref().is_some_and(|a| a.expose().trim().eq_ignore_ascii_case(YES));
    if seen[n].held.proven_free() || said {
        return Ok(done());
    }
    let words = Message::new(&w::ASK_STOPPED).with("slot", me.id()).nest("why", seen[n].held.doubt());
    Ok(ask(PromptKind::Text, words, None, u32::from(answer.is_some())))
}

/// Logs a bot in, or finds out where it lives: then with another key, which is committed before it is used.
async fn bot(cx: &Cx, op: &Op, account: &Account, slot: &Slot) -> fresh::Tried<StepEnd> {
    let door = fresh::door(cx, account, op).await?;
    let told = import_bot(cx, account, slot, &door).await;
    door.conn.close().await;
    match told {
        Ok(()) => Ok(StepEnd::done()),
        Err(e) => match e.moved() {
            Some(moved) => {
                let made = fresh::make(cx, account, Some(moved.dc()), None).await?;
                Ok(StepEnd::Done { clear: json!({ "dc": moved.dc() }), sealed: Secrets::from([(NEW_KEY.to_owned(), made)]) })
            }
            None => Err(broken(cx, &e)),
        },
    }
}

fn broken(cx: &Cx, e: &Error) -> (Reason, bool) {
    (fail::at(cx, e), !matches!(e, Error::Rpc { .. }))
}

async fn import_bot(cx: &Cx, account: &Account, slot: &Slot, door: &Door) -> Result<(), Error> {
    let token = setup::secret(cx, &account.name, setup::BOT_TOKEN).map(|s| s.expose().to_owned()).unwrap_or_default();
    let app = setup::named(cx, account, Some(slot), "").map_err(|_| Error::Exchange("no application"))?;
    let call = f::auth::ImportBotAuthorization { flags: 0, api_id: app.id, api_hash: app.hash.expose().to_owned(), bot_auth_token: token };
    door.conn.invoke(&call).await.map(drop)
}

/// The second factor, where there is one: sealed by choice, or asked for.
async fn login(cx: &Cx, op: &Op, account: &Account, slot: &Slot, answer: Option<Answer>) -> fresh::Tried<StepEnd> {
    let door = fresh::door(cx, account, op).await?;
    let end = enter(cx, account, slot, &door, answer).await;
    door.conn.close().await;
    end
}

async fn enter(cx: &Cx, account: &Account, slot: &Slot, door: &Door, answer: Option<Answer>) -> fresh::Tried<StepEnd> {
    let hint = match fresh::who(door).await.map_err(|e| broken(cx, &e))? {
        Who::User(_) => return Ok(StepEnd::done()),
        Who::Nobody if account.telegram.bot => {
            return import_bot(cx, account, slot, door).await.map(|()| StepEnd::done()).map_err(|e| broken(cx, &e));
        }
        Who::Nobody => return Err((Reason::new(ReasonCode::AttemptExpired), false)),
        Who::Password(hint) => hint,
    };
    let sealed = setup::secret(cx, &account.name, setup::PASSWORD).cloned();
    let is_stored = answer.is_none();
    let Some(password) = answer.or(sealed) else { return Ok(ask(PromptKind::Password, Message::new(&w::ASK_PASSWORD), hint, 0)) };
    // Which one was refused: what is stored is not what was typed, and nobody has typed a wrong one then.
    let (words, wrong) = if is_stored { (&w::ASK_PASSWORD_STORED, 0) } else { (&w::ASK_PASSWORD, 1) };
    let refused = || ask(PromptKind::Password, Message::new(words), hint.clone(), wrong);
    let password = &password;
    match door.password(password).await {
        Ok(Step::In(_)) => Ok(StepEnd::done()),
        Ok(_) => Ok(refused()),
        Err(e) if matches!(e.name(), Some("PASSWORD_HASH_INVALID" | "SRP_PASSWORD_CHANGED")) => Ok(refused()),
        Err(e) => Err(broken(cx, &e)),
    }
}

/// Whose key it is, and which row of the account's sessions.
async fn identity(hub: &Hub, cx: &Cx, op: &Op, account: &Account) -> fresh::Tried<StepEnd> {
    let door = fresh::door(cx, account, op).await?;
    let who = fresh::who(&door).await;
    door.conn.close().await;
    let Who::User(user) = who.map_err(|e| broken(cx, &e))? else { return Err((Reason::new(ReasonCode::LoggedOut), false)) };
    let wanted = clear(op, "user").and_then(Value::as_i64);
    if wanted.is_some_and(|id| id != user.id) || user.bot != account.telegram.bot {
        return Err((Reason::new(ReasonCode::WrongAccount).with("name", account.name.as_str()), false));
    }
    if account.telegram.bot {
        return Ok(StepEnd::done());
    }
    let (_, told) = remote(hub, cx, account).await.map_err(fresh::unsent)?;
    let hash = told.as_ref().and_then(|t| fresh::row(op, t)).map(|s| s.hash);
    Ok(StepEnd::Done { clear: json!({ "hash": hash }), sealed: Secrets::new() })
}

/// The file, whole or not at all, under the slot's own lock.
async fn replace(cx: &Cx, op: &Op, me: &SlotRef) -> fresh::Tried<StepEnd> {
    let internal = || (Reason::new(ReasonCode::Internal), false);
    let (made, key) = Made::of(op).ok_or_else(internal)?;
    // Once more: it may have been started since.
    let (seen, n) = super::look(cx, me).await.map_err(fresh::unsent)?;
    if let Some(why) = seen[n].held.reason() {
        return Err((why, false));
    }
    if new_slot::of(op).is_some() && seen[n].identity.as_ref().is_none_or(|i| i.inode.is_some()) {
        // Made by somebody since: perhaps by the worker itself.
        return Err((Reason::new(ReasonCode::SlotFileThere).with("file", me.slot.file.to_string_lossy()), false));
    }
    let (file, id) = (me.slot.file.clone(), me.id());
    let work = move || -> Result<(), (Reason, bool)> {
        let refused = |e: &std::io::Error| (write::unwritable(&file, e), false);
        let real = write::real(&file).map_err(|e| refused(&e))?;
        let owner = Owner { target: id, pid: std::process::id(), command: "pairdeck".into(), ..Owner::default() };
        let lock = RunLock::take(&write::named(&real, "run"), &owner).map_err(|e| refused(&e))?;
        let _held = lock.map_err(|who| (Reason::new(ReasonCode::SlotHeld).with("holder", who.name()).with("evidence", "pairdeck run"), false))?;
        // Addresses stay; the key, its data centre and its salt are new.
        let mut config = std::fs::read(&real).ok().and_then(|old| gotd::parse_whole(&old).ok()).map(|(_, c)| c).unwrap_or_default();
        config.date = 0;
        let text = gotd::render(made.dc, &key, made.salt, &config).map_err(|t| (t.reason(&file), false))?;
        write::replace(&file, &text).map_err(|why| (why, true))
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| internal())?;
    done.map(|()| StepEnd::done())
}

/// What lies there is the new key; it is remembered, and looked after for a while.
async fn verify(hub: &Hub, cx: &Cx, op: &Op, account: &Account, me: &SlotRef) -> fresh::Tried<StepEnd> {
    let internal = || (Reason::new(ReasonCode::Internal), false);
    let (_, key) = Made::of(op).ok_or_else(internal)?;
    match there(me).await {
        Ok(Some(is)) if is == key.id() => {}
        Ok(_) => {
            return Err((
                Reason::new(ReasonCode::SlotResurrected).with("file", me.slot.file.to_string_lossy()).with("key", key.id().to_string()),
                false,
            ));
        }
        Err(why) => return Err((why, false)),
    }
    let old: Vec<KeyId> = old_key(op).into_iter().collect();
    let vigil = Vigil::new(me.slot.file.clone(), &old, Some(key.id()), cx.time.now());
    let hash = clear(op, "hash").and_then(Value::as_i64);
    keep(cx, account, me, |k| {
        (k.key, k.hash, k.vigil) = (Some(key.id().to_string()), hash, Some(vigil));
        k.end(&to_end(op));
    })
    .await?;
    super::left::hand_on(cx, op).await;
    Ok(StepEnd::Done { clear: super::left::told(hub, cx, op, account).await, sealed: Secrets::new() })
}

/// The key in the file; `None`: no file, or nothing readable in it.
async fn there(me: &SlotRef) -> Result<Option<KeyId>, Reason> {
    let (file, format) = (me.slot.file.clone(), me.slot.format);
    let read = tokio::task::spawn_blocking(move || session::read(&file, format, Patience::default())).await;
    match read.map_err(|_| Reason::new(ReasonCode::Internal))? {
        Ok(found) => Ok(Some(found.session.key.id())),
        Err(t @ Trouble::Unreadable(..)) => Err(t.reason(&me.slot.file)),
        Err(_) => Ok(None),
    }
}

/// The key that lay there when the plan was made.
pub(super) fn old_key(op: &Op) -> Option<KeyId> {
    KeyId::parse(clear(op, "old_key")?.as_str()?)
}

/// See [`crate::providers::Provider::check`], for a slot.
pub(in super::super) async fn check(hub: &Hub, cx: &Cx, op: &Op, step: &str, account: &Account, me: &SlotRef) -> Finding {
    let told = |done| if done { Finding::Done } else { Finding::NotDone };
    match step {
        "accept" | "end-old" => match remote(hub, cx, account).await {
            Err(why) => Finding::CannotTell(why),
            Ok((_, None)) => Finding::NotDone,
            Ok((_, Some(all))) if step == "accept" => told(fresh::row(op, &all).is_some()),
            Ok((_, Some(all))) => {
                let ends = to_end(op);
                told(!all.sessions.iter().any(|s| ends.contains(&s.hash)))
            }
        },
        "bot" | "login" => {
            let door = match fresh::door(cx, account, op).await {
                Ok(door) => door,
                Err((why, _)) => return Finding::CannotTell(why),
            };
            let who = fresh::who(&door).await;
            door.conn.close().await;
            match who {
                Ok(who) => told(matches!(who, Who::User(_))),
                Err(e) => Finding::CannotTell(fail::at(cx, &e)),
            }
        }
        "enlist" => told(new_slot::of(op).is_some_and(|new| new_slot::is_listed(cx, &new))),
        "replace" => {
            let Some((_, key)) = Made::of(op) else { return Finding::NotDone };
            match there(me).await {
                Ok(Some(is)) if is == key.id() => Finding::Done,
                Ok(is) if is.is_none() || is == old_key(op) => Finding::NotDone,
                Ok(_) => Finding::Foreign(Reason::new(ReasonCode::Foreign)),
                Err(why) => Finding::CannotTell(why),
            }
        }
        "trash" => match trashed(op).map(|t| trash::found(&t)) {
            Some(Moved::Done) => Finding::Done,
            Some(Moved::Gone) | None => Finding::CannotTell(Reason::new(ReasonCode::Gone)),
            Some(_) => Finding::NotDone,
        },
        "restore" => match trashed(op).map(|t| trash::found(&t)) {
            Some(Moved::NotDone) => Finding::Done,
            Some(Moved::Gone) | None => Finding::CannotTell(Reason::new(ReasonCode::Gone)),
            Some(_) => Finding::NotDone,
        },
        _ => Finding::NotDone,
    }
}

/// See [`crate::providers::Provider::back`], for a slot.
pub(in super::super) async fn back(hub: &Hub, cx: &Cx, op: &Op, step: &str, account: &Account, me: &SlotRef) -> StepEnd {
    let end = match step {
        "enlist" => new_slot::strike(cx, op).await.map(|()| StepEnd::done()).map_err(fresh::unsent),
        "accept" | "bot" => fresh::undo(hub, cx, account, op).await.map(|()| StepEnd::done()),
        // A half of the new file would be a stray key.
        "replace" => {
            let file = me.slot.file.clone();
            let _ = tokio::task::spawn_blocking(move || write::clear_left(&file)).await;
            Ok(StepEnd::done())
        }
        "trash" => match trashed(op).map(|t| trash::found(&t)) {
            Some(Moved::Done | Moved::Both) => blocking(op, trash::undo).await,
            _ => Ok(StepEnd::done()),
        },
        _ => Ok(StepEnd::done()),
    };
    end.unwrap_or_else(|(why, sent)| failed(why, sent))
}

//! A new slot: a worker's key of its own in a file of its own. The operator's file names the slot first, so that whatever kills this
//! process, the next one knows whose file it is; taken back, the name goes again.

use super::{
    super::{session::write, setup, slots, slots::SlotRef},
    everyone,
};
use crate::{
    domain::{Inputs, Op, Plan, Reason, ReasonCode, Target},
    i18n::{Lang, Message, sessions as w},
    providers::Cx,
    store::config::{self, Account, NewSlot, SessionFormat, Slot},
};
use std::path::{Path, PathBuf};

/// The verb.
pub(in super::super) const VERB: &str = crate::providers::NEW_SLOT;
/// Name of the input that names the slot.
pub(in super::super) const SLOT: &str = "slot";
/// Name of the input that names the file.
pub(in super::super) const FILE: &str = "file";
/// Name of the input that names the worker's own application.
pub(in super::super) const API_ID: &str = "api_id";
/// What is typed for the account's own application.
pub(in super::super) const SAME_APP: &str = "account";
/// Name of a new slot in a plan's clear data.
const NEW: &str = "new_slot";

/// The slot that an op makes, whether the file names it yet or not.
pub(super) fn of(op: &Op) -> Option<NewSlot> {
    serde_json::from_value(op.plan.as_ref()?.clear.get(NEW)?.clone()).ok()
}

/// Notes in a plan which slot it makes.
pub(super) fn note(plan: &mut Plan, new: &NewSlot) {
    plan.clear[NEW] = serde_json::to_value(new).unwrap_or_default();
}

/// As the configuration will have it.
pub(super) fn slot(new: &NewSlot) -> Slot {
    Slot {
        name: new.name.clone(),
        file: new.file.clone(),
        format: SessionFormat::Gotd,
        pidfile: None,
        unit: None,
        api_id: new.api_id,
        dead_exit_codes: Vec::new(),
    }
}

/// What was asked for, made whole and found to be free.
///
/// # Errors
/// A name or file that cannot be one, or that another slot uses, by its name; a file that is there already; an operator's file that
/// does not take it. Nothing was sent.
pub(super) async fn asked<'a>(cx: &'a Cx, at: &Target, given: &Inputs) -> Result<(&'a Account, NewSlot), Reason> {
    let account = setup::account(cx, at.account.as_str())?;
    let name = at.device.as_ref().map(|d| d.as_str()).or_else(|| given.get(SLOT).map(|s| &**s)).unwrap_or_default();
    let typed = given.get(FILE).map(|f| f.trim()).filter(|f| !f.is_empty());
    let file = whole(typed.ok_or_else(|| Reason::new(ReasonCode::BadTarget).raw(FILE))?)?;
    let api_id = match given.get(API_ID).map(|a| a.trim()).filter(|a| !a.is_empty() && *a != SAME_APP) {
        Some(text) => Some(text.parse().ok().filter(|id| *id > 0).ok_or_else(|| Reason::new(ReasonCode::BadTarget).raw(API_ID))?),
        None => None,
    };
    let new = NewSlot { gateway: cx.gateway.as_str().to_owned(), account: account.name.clone(), name: name.to_owned(), file, api_id };
    let me = SlotRef { gateway: cx.gateway.clone(), account: at.account.clone(), slot: slot(&new) };
    let others = everyone(cx);
    if let Some(same) = others.iter().find(|s| s.target().same(&me.target())) {
        return Err(taken(same, &w::HOW_NAME));
    }
    let (probe, path) = (me.clone(), new.file.clone());
    tokio::task::spawn_blocking(move || free(&path, &probe, &others)).await.map_err(|_| Reason::new(ReasonCode::Internal))??;
    // The operator's file takes it, or nothing is begun.
    if let Some(Err(errors)) = cx.memo.configured().map(|_| cx.memo.would_enlist(&new)) {
        return Err(errors);
    }
    // An application without its hash is found out here and not after a key was made.
    setup::named(cx, account, Some(&me.slot), "")?;
    Ok((account, new))
}

fn taken(by: &SlotRef, how: &'static crate::i18n::Words) -> Reason {
    let how = Message::new(how).text(Lang::En);
    Reason::new(ReasonCode::SlotTaken).with("slot", by.id()).with("how", how).with("file", by.slot.file.to_string_lossy())
}

/// Nobody uses that file or the key in it, and nothing lies there.
fn free(file: &Path, me: &SlotRef, others: &[SlotRef]) -> Result<(), Reason> {
    let seen = slots::inspect(others, super::super::session::Patience::default(), slots::holder::Viewer::Looker);
    let key = super::super::session::look(file, super::super::session::Patience::default()).ok().map(|f| f.session.key.id());
    let identity = slots::clash::admit(file, key, &seen, Some(&me.id()))?;
    if identity.inode.is_some() {
        // Perhaps a worker's that is not configured: it is not replaced unasked.
        return Err(Reason::new(ReasonCode::SlotFileThere).with("file", file.to_string_lossy()));
    }
    // The folder takes a file: found out before the servers have a session that nothing could be written for.
    let probe = write::named(&identity.real, "probe");
    let tried = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(&probe);
    tried.map_err(|e| write::unwritable(file, &e))?;
    let _ = std::fs::remove_file(&probe);
    Ok(())
}

/// A path as a person types it, made whole.
fn whole(typed: &str) -> Result<PathBuf, Reason> {
    let bad = || Reason::new(ReasonCode::BadTarget).raw(FILE);
    let path = match (typed.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(typed),
    };
    if typed.contains('\0') || typed.ends_with('/') || path.to_str().is_none() || path.is_dir() {
        return Err(bad());
    }
    std::path::absolute(path).map_err(|_| bad())
}

/// Puts the slot into the operator's file.
///
/// # Errors
/// It does not take it.
pub(super) async fn enlist(cx: &Cx, op: &Op) -> Result<(), Reason> {
    let new = of(op).ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    if is_listed(cx, &new) {
        return Ok(());
    }
    cx.memo.enlist(&new, true).await
}

/// Takes it out again.
///
/// # Errors
/// The file cannot be written.
pub(super) async fn strike(cx: &Cx, op: &Op) -> Result<(), Reason> {
    match of(op) {
        Some(new) => cx.memo.enlist(&new, false).await,
        None => Ok(()),
    }
}

/// True when the operator's file has it, as it was asked for.
pub(super) fn is_listed(cx: &Cx, new: &NewSlot) -> bool {
    cx.memo.configured().is_some_and(|c| config::slot_of(&c, new).is_some_and(|s| s.file == new.file))
}

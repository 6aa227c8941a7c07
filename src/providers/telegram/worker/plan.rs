//! Plans for a slot. Everything that can be refused is refused here, before anything is made.

use super::{
    super::{
        KeyId,
        ask::{remote, surely},
        operator::Hub,
        session::Format,
        setup,
        slots::{Seen, SlotRef, clash, run::key_lease, trash},
    },
    ends::ENDS,
    left::{HEIRS, Heir, OVER, is_over},
    new_slot,
    registry::Kept,
};
use crate::{
    domain::{Action, Inputs, Plan, Reason, ReasonCode, RemoteId, Replay, Secrets, Step, Target, plan::PLAN_VERSION},
    i18n::{Message, Words, telegram as w},
    providers::Cx,
    store::config::Account,
};
use serde_json::{Value, json};

fn step(id: &str, words: &'static Words, replay: Replay) -> Step {
    Step { id: id.into(), words: Message::new(words), replay, clock: id == "key" }
}

/// See [`crate::providers::Provider::plan`], for a slot.
pub(in super::super) async fn plan(hub: &Hub, cx: &Cx, at: &Target, action: &Action, account: &Account, me: &SlotRef) -> Result<Plan, Reason> {
    let verb = match action {
        Action::Do(verb) => &**verb,
        other => other.name(),
    };
    let (seen, n) = super::look(cx, me).await?;
    let key = seen[n].key();
    let kept = Kept::of(cx, &account.name, &me.slot.name).await;
    // Only where the file still holds what was put there: a worker that logged in by itself has a session that is not known here.
    let old_hash = kept.hash.filter(|_| key.is_some() && kept.key == key.map(|k| k.to_string()));
    // Copies of the key elsewhere: a worker there goes on with the old session. Neither a new key nor a wipe of this file may end it for
    // them, which nobody asked for and the servers do not take back. Whoever has the key last ends it: its hash is handed on.
    let mut heirs: Vec<Heir> =
        seen.iter().enumerate().filter(|(i, s)| *i != n && key.is_some() && s.key() == key).map(|(_, s)| Heir::of(s)).collect();
    if let Some(key) = key {
        heirs.extend(cx.tokens.lease_holder(&key_lease(key)).await.map(Heir::elsewhere));
    }
    let over = match key {
        Some(key) if verb == "wipe" || (verb == "regenerate" && !heirs.is_empty()) => is_over(hub, cx, account, key, &kept, &heirs).await,
        _ => false,
    };
    let mut plan = Plan {
        v: PLAN_VERSION,
        action: action.clone(),
        target: at.clone(),
        steps: vec![step("stopped", &w::STEP_STOPPED, Replay::Free)],
        pivot: 1,
        loses: Vec::new(),
        clear: json!({ "old_key": key.map(|k| k.to_string()), "old_hash": old_hash }),
        sealed: Secrets::new(),
    };
    match verb {
        "regenerate" => regenerate(hub, cx, account, me, &kept, &mut plan).await?,
        "wipe" => {
            // What is one file by several names is wiped for all of them.
            if let Some(why) = clash::one_file(n, &seen) {
                return Err(why);
            }
            let file = me.slot.file.clone();
            let salt = u64::try_from(cx.time.now().wall.0).unwrap_or_default();
            let folder = file.parent().unwrap_or(std::path::Path::new(".")).join(".pairdeck-trash");
            let trashed = trash::plan(&file, &folder, key, salt).map_err(|e| super::super::session::write::unwritable(&file, &e))?;
            plan.clear["trash"] = serde_json::to_value(trashed).unwrap_or_default();
            plan.steps.push(step("trash", &w::STEP_TRASH, Replay::AfterCheck));
            plan.steps.push(step("forget", &w::STEP_FORGET, Replay::Free));
            plan.pivot = 2;
            let where_ = heirs.iter().map(Heir::place).collect::<Vec<_>>().join(", ");
            plan.loses.push(match heirs.is_empty() {
                _ if over => Message::new(&w::LOSES_DEAD),
                true => Message::new(&w::LOSES_WORKER),
                false => Message::new(&w::LOSES_COPY).with("where", where_),
            });
        }
        "restore" => {
            let Some(trashed) = &kept.trash else { return Err(Reason::new(ReasonCode::Gone)) };
            plan.clear["trash"] = serde_json::to_value(trashed).unwrap_or_default();
            plan.steps = vec![step("restore", &w::STEP_RESTORE, Replay::AfterCheck)];
            plan.pivot = 0;
        }
        _ => return Err(Reason::new(ReasonCode::Internal).raw("no plan for this action")),
    }
    if over {
        plan.clear[OVER] = json!(true);
    }
    let inherited = matches!(verb, "regenerate" | "wipe") && !heirs.is_empty();
    if inherited {
        plan.clear[HEIRS] = serde_json::to_value(heirs).unwrap_or_default();
    }
    let mut ends: Vec<i64> = old_hash.filter(|_| !inherited).into_iter().collect();
    if matches!(verb, "regenerate" | "wipe") && !account.telegram.bot {
        ends.extend(stray(hub, cx, account, &kept, &seen).await);
    } else {
        ends.clear();
    }
    if !ends.is_empty() {
        plan.clear[ENDS] = json!(ends);
        plan.steps.push(step("end-old", &w::STEP_END_OLD, Replay::AfterCheck));
    }
    Ok(plan)
}

/// The session of the key that was put into the slot last, where that key lies in no file any more: something wrote another one over
/// it (a worker that was alive all the time), and nobody could ever end it as its own. `None` where its end is owed already, where
/// somebody holds the key on another host, and where the account does not list it.
async fn stray(hub: &Hub, cx: &Cx, account: &Account, kept: &Kept, seen: &[Seen]) -> Option<i64> {
    let (key, hash) = (kept.key.as_deref()?, kept.hash?);
    let lies = seen.iter().any(|s| s.key().is_some_and(|k| k.to_string() == key));
    if lies || kept.owed.iter().any(|o| o.hash == hash) {
        return None;
    }
    if cx.tokens.lease_holder(&key_lease(KeyId::parse(key)?)).await.is_some() {
        return None;
    }
    // Where it cannot be heard now, the session is taken to live.
    let over = matches!(surely(hub, cx, account).await, Ok(Some(told)) if !told.lists(hash));
    (!over).then_some(hash)
}

/// See [`crate::providers::Provider::plan`], for a slot that is not there yet.
pub(in super::super) async fn plan_new(hub: &Hub, cx: &Cx, at: &Target, action: &Action, given: &Inputs) -> Result<Plan, Reason> {
    let (account, new) = new_slot::asked(cx, at, given).await?;
    let mut plan = Plan {
        v: PLAN_VERSION,
        action: action.clone(),
        target: Target { device: Some(RemoteId::new(&new.name)), incarnation: None, ..at.clone() },
        steps: vec![step("enlist", &w::STEP_ENLIST, Replay::AfterCheck)],
        pivot: 0,
        loses: Vec::new(),
        clear: json!({ "old_key": null, "old_hash": null }),
        sealed: Secrets::new(),
    };
    new_slot::note(&mut plan, &new);
    let me = SlotRef { gateway: cx.gateway.clone(), account: at.account.clone(), slot: new_slot::slot(&new) };
    let kept = Kept::of(cx, &account.name, &new.name).await;
    regenerate(hub, cx, account, &me, &kept, &mut plan).await?;
    plan.loses.clear();
    Ok(plan)
}

async fn regenerate(hub: &Hub, cx: &Cx, account: &Account, me: &SlotRef, kept: &Kept, plan: &mut Plan) -> Result<(), Reason> {
    if me.slot.format != Format::Gotd {
        return Err(Reason::new(ReasonCode::NotInVersion).raw(me.slot.format.name()));
    }
    kept.may_make(cx.time.now().wall.0 / 1000)?;
    let (seen, _) = super::look(cx, me).await?;
    clash::admit(&me.slot.file, None, &seen, Some(&me.id()))?;
    setup::named(cx, account, Some(&me.slot), "")?;
    let bot = account.telegram.bot;
    if bot {
        // A bot has nobody who accepts its new key: its token is enough.
        setup::secret(cx, &account.name, setup::BOT_TOKEN).ok_or_else(|| setup::without(cx, account, None, setup::BOT_TOKEN))?;
        plan.clear["user"] = Value::Null;
    } else {
        // A closed account is told here, and nothing is rebuilt.
        let (line, _) = remote(hub, cx, account).await?;
        plan.clear["user"] = json!(line.operator.user);
        plan.clear["dc"] = json!(line.operator.dc);
        // Before there is a key: what nobody can give must not leave one half made.
        if setup::secret(cx, &account.name, setup::PASSWORD).is_none()
            && let Some(hint) = super::fresh::second_step(hub, cx, account, &line).await?
        {
            plan.clear["hint"] = json!(hint.as_ref().map(|h| h.as_str()));
            plan.steps.push(step("password", &w::STEP_PASSWORD, Replay::Free));
        }
    }
    let login = if bot { step("bot", &w::STEP_BOT, Replay::AfterCheck) } else { step("accept", &w::STEP_ACCEPT, Replay::AfterCheck) };
    plan.steps.extend([
        step("key", &w::STEP_KEY, Replay::Free),
        login,
        step("login", &w::STEP_LOGIN, Replay::AfterCheck),
        step("identity", &w::STEP_IDENTITY, Replay::Free),
        step("replace", &w::STEP_REPLACE, Replay::AfterCheck),
        step("verify", &w::STEP_VERIFY, Replay::Free),
    ]);
    // Replacing the file.
    plan.pivot = plan.steps.len() - 2;
    plan.loses.push(Message::new(&w::LOSES_WORKER));
    Ok(())
}

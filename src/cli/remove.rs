//! `pairdeck remove`: a gateway leaves the configuration; its sealed key and its cached rows go; its server is not told.

use super::{Exit, Output, args::Remove, prompt, run::Ran, session::Session, session::broken};
use crate::{
    domain::{Reason, RemoteId, Target},
    engine::{
        ops,
        world::{Gateway, secret_name},
    },
    i18n::{Message, command as c, reason, token as words},
    store::{StoreError, config},
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Forgets a gateway after a question.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn run(house: &Session, args: &Remove, out: &mut Output) -> Ran {
    let Ok(gateway) = house.gateway(&args.target, out) else { return Ok(Exit::Name) };
    if !args.yes {
        match prompt::agreed(&Message::new(&c::ASK_REMOVE).with("name", &args.target), out) {
            Some(true) => {}
            Some(false) => {
                out.complain(&Message::new(&c::NOT_AGREED));
                return Ok(Exit::Failed);
            }
            None => {
                out.complain(&Message::new(&c::NOT_ASKED));
                return Ok(Exit::Usage);
            }
        }
    }
    let issues = gateway.provider().issuer().is_some();
    if issues && house.world.is_sharing() {
        // What other hosts see of its tokens stands under names that are made of its secrets, behind a password. Said if it fails.
        let _ = house.unlock(out).await;
    }
    // The configuration first: a key without a gateway is harmless, a gateway without its key is not.
    if let Err(errors) = config::remove_gateway(&house.paths.config, &args.target) {
        for line in errors.text(out.lang).lines() {
            out.complain_text(line);
        }
        return Ok(Exit::Failed);
    }
    if issues {
        forget_tokens(house, &gateway, out).await;
    }
    let erased = erase(house, &gateway).await;
    ops::audit_gateway(&house.world, &gateway.id, "remove", if erased.is_ok() { "done" } else { "failed" }).await;
    if let Err(e) = erased {
        return Ok(broken(&e, out));
    }
    house.world.gate().forget(&gateway.id);
    out.note(&Message::new(&c::REMOVED).with("name", &args.target));
    Ok(Exit::Ok)
}

/// Its sealed secrets and its cached rows.
async fn erase(house: &Session, gateway: &Gateway) -> Result<(), StoreError> {
    // Secrets of accounts, and of accounts that the configuration has no more, lie under the same name.
    let own = secret_name(&gateway.id, "");
    let store = house.world.store();
    for (name, _) in store.secret_list().await?.into_iter().filter(|(name, _)| name.starts_with(&own)) {
        store.secret_forget(&name).await?;
    }
    store.forget_gateway(&gateway.id).await
}

/// Tokens of its accounts go too, where hosts share them as well, mirrors included; what cannot be reached there is told, with the
/// time at which it is gone by itself.
async fn forget_tokens(house: &Session, gateway: &Arc<Gateway>, out: &mut Output) {
    let Ok(cx) = house.world.cx(gateway, CancellationToken::new()) else { return };
    let known = house.world.store().tokens().await.unwrap_or_default();
    let known: Vec<_> = known.into_iter().filter(|t| t.gateway == gateway.id.as_str()).collect();
    let mut names: Vec<String> = gateway.settings().accounts.iter().map(|a| a.name.clone()).collect();
    names.extend(known.iter().map(|t| t.account.clone()));
    names.sort();
    names.dedup();
    let mut left: Vec<(String, Reason)> = Vec::new();
    for name in names {
        if let Err(why) = cx.tokens.let_go(&Target::account(&gateway.id, &RemoteId::new(&name))).await {
            left.push((name, why));
        }
    }
    let Some((_, why)) = left.first() else { return };
    let last = known.iter().filter(|t| left.iter().any(|(n, _)| *n == t.account)).filter_map(|t| t.expires).map(|at| at.wall).max();
    let said = Message::new(&words::SHARED_LEFT)
        .with("n", left.len().to_string())
        .with("time", last.map_or_else(|| "?".to_owned(), |at| at.rfc3339()))
        .with("why", reason::sentence(why, out.lang));
    out.complain(&said);
}

//! Adding a gateway: checked against the server first, then written to the configuration and its key sealed.

use super::{
    command::NewGateway,
    mailbox::AddCheck,
    world::{World, secret_name},
};
use crate::{
    domain::{GatewayId, Reason, ReasonCode, RemoteId, Secret, Target},
    i18n::{Message, engine as words},
    providers::{
        Described, Look, Report, SecretSpec, registry,
        token::{Renew, account_secret},
    },
    store::config,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Checks what was typed against the server. Nothing is saved.
pub async fn check(world: &Arc<World>, new: &NewGateway) -> AddCheck {
    let mut check = AddCheck { name: new.name.clone(), lines: Vec::new(), added: false, trouble: None };
    if world.gateway(&GatewayId::new(&new.name)).is_some() {
        check.lines.push((false, Message::new(&words::ADD_NAME_TAKEN).with("name", &new.name)));
        check.trouble = Some(Reason::new(ReasonCode::Busy));
        return check;
    }
    if !new.given.is_empty() {
        match probe_account(world, new).await {
            Ok(()) => check.lines.push((true, Message::new(&words::ADD_REACHABLE))),
            Err(why) => check.trouble = Some(why.with("gateway", &new.name)),
        }
        return check;
    }
    if (world.providers)(&new.kind).is_some_and(|p| p.spec().secrets.is_empty() && !p.spec().account_secrets.is_empty()) {
        // Its accounts stand in the file, and the key of one is not the gateway's.
        let m = Message::new(&words::ADD_IN_FILE).with("kind", &new.kind).with("name", &new.name);
        check.lines.push((false, m));
        check.trouble = Some(Reason::new(ReasonCode::PersonNeeded));
        return check;
    }
    match probe(world, new).await {
        Ok(n) => {
            check.lines.push((true, Message::new(&words::ADD_REACHABLE)));
            check.lines.push((true, Message::new(&words::ADD_KEY_OK).with("n", n.to_string())));
        }
        Err(why) => {
            let why = why.with("gateway", &new.name);
            check.trouble = Some(why);
        }
    }
    check
}

/// Checks, then saves. The key is sealed before the configuration names the gateway.
pub async fn add(world: &Arc<World>, new: NewGateway) -> AddCheck {
    let mut result = check(world, &new).await;
    if result.trouble.is_some() {
        return result;
    }
    if let Err(why) = save(world, &new).await {
        result.trouble = Some(why);
        return result;
    }
    result.added = true;
    result.lines.push((true, Message::new(&words::ADD_SAVED).with("name", &new.name)));
    result
}

/// A gateway that comes with its first account: what was typed must be what the file takes, and its servers must answer. Nobody logs in.
async fn probe_account(world: &Arc<World>, new: &NewGateway) -> Result<(), Reason> {
    let (listed, described) = described(new)?;
    let config = config::check_gateway_with(&world.paths.config, &listed, &described.more).map_err(|e| bad(&e))?;
    let settings = config.gateway(&new.name).cloned().ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    let trial = world.trial(settings, Secret::new(String::new())).ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    let cx = world.cx(&trial, CancellationToken::new())?;
    trial.provider.look(&cx, None, Look::Probe).await.map(drop)
}

fn bad(errors: &config::ConfigErrors) -> Reason {
    Reason::new(ReasonCode::BadTarget).raw(errors.text(crate::i18n::Lang::En))
}

fn described(new: &NewGateway) -> Result<(config::NewGateway, Described), Reason> {
    let listed = config::NewGateway { name: new.name.clone(), kind: new.kind.clone(), url: new.url.clone(), allow_plaintext: new.allow_plaintext };
    registry::describe(&new.kind, &new.given).map(|d| (listed, d)).ok_or_else(|| Reason::new(ReasonCode::Internal))
}

/// Secrets first: one without a gateway is harmless, a gateway without its secrets is not.
async fn save_account(world: &Arc<World>, new: &NewGateway) -> Result<config::Gateway, Reason> {
    let (listed, described) = described(new)?;
    let id = GatewayId::new(&new.name);
    for (name, secret) in &described.secrets {
        let sealed = secret_name(&id, &account_secret(&described.account, name));
        world.store.secret_put(&sealed, secret).await.map_err(|e| e.reason())?;
    }
    let config = config::add_gateway_with(&world.paths.config, &listed, &described.more).map_err(|e| bad(&e))?;
    config.gateway(&new.name).cloned().ok_or_else(|| Reason::new(ReasonCode::Internal))
}

async fn save(world: &Arc<World>, new: &NewGateway) -> Result<(), Reason> {
    if world.read_only {
        return Err(Reason::new(ReasonCode::ReadOnly));
    }
    let id = GatewayId::new(&new.name);
    world.ensure_vault(new.passphrase.clone()).await?;
    if !new.given.is_empty() {
        let settings = save_account(world, new).await?;
        return shown(world, id, settings).await;
    }
    let spec = (world.providers)(&new.kind).map(|p| p.spec()).ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    if let Some(secret) = spec.secrets.first().filter(|s| !(s.optional && new.secret.is_empty())) {
        world.store.secret_put(&secret_name(&id, secret.name), &new.secret).await.map_err(|e| e.reason())?;
    }
    let settings = settings(new);
    let listed = config::NewGateway {
        name: settings.name.clone(),
        kind: settings.kind.clone(),
        url: settings.url.clone(),
        allow_plaintext: settings.allow_plaintext,
    };
    config::add_gateway(&world.paths.config, &listed).map_err(|e| Reason::new(ReasonCode::StoreUnwritable).raw(e.text(crate::i18n::Lang::En)))?;
    shown(world, id, settings).await
}

async fn shown(world: &Arc<World>, id: GatewayId, settings: config::Gateway) -> Result<(), Reason> {
    let rank = world.gateways().len();
    if let Some(gateway) = world.insert(settings, rank) {
        world.load_gateway_secrets(&gateway).await.map_err(|e| e.reason())?;
        let view = gateway.view();
        world.mailbox.put(|m| {
            m.gateways.insert(id, view);
        });
    }
    Ok(())
}

fn settings(new: &NewGateway) -> config::Gateway {
    config::Gateway { allow_plaintext: new.allow_plaintext, ..config::Gateway::new(&new.name, &new.kind, &new.url) }
}

/// Tries an account's secret by one request for a token, where its kind issues tokens. Nothing is kept.
///
/// # Errors
/// Why there is no token.
pub async fn try_account(world: &Arc<World>, settings: config::Gateway, account: &str, spec: &SecretSpec, secret: Secret) -> Result<(), Reason> {
    let id = GatewayId::new(&settings.name);
    let trial = world.trial(settings, secret.clone()).ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    let mut cx = world.cx(&trial, CancellationToken::new())?;
    cx.secrets.insert(account_secret(account, spec.name), secret);
    match trial.provider.issuer() {
        Some(issuer) => issuer.fetch(&cx, &Target::account(&id, &RemoteId::new(account)), Renew::Plain).await.map(drop),
        None => Ok(()),
    }
}

/// Asks the server for its list with what was typed. Returns how many accounts it has.
async fn probe(world: &Arc<World>, new: &NewGateway) -> Result<usize, Reason> {
    let trial = world.trial(settings(new), new.secret.clone()).ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    let cx = world.cx(&trial, CancellationToken::new())?;
    match trial.provider.look(&cx, None, Look::All).await? {
        Report::All { rows, .. } | Report::Part(rows) => Ok(rows.len()),
        _ => Ok(0),
    }
}

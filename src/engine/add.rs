//! Adding a gateway: checked against the server first, then written to the configuration and its key sealed.

use super::{
    command::NewGateway,
    mailbox::AddCheck,
    ops,
    world::{World, secret_name},
};
use crate::{
    domain::{GatewayId, Reason, ReasonCode, RemoteId, Secret, Target},
    i18n::{Message, add as w, engine as words},
    providers::{
        Described, KindSpec, Look, Report, SecretSpec, form, registry,
        token::{Renew, account_secret},
    },
    store::config,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Checks what was typed against the server. Nothing is saved.
pub async fn check(world: &Arc<World>, new: &NewGateway) -> AddCheck {
    let mut check = AddCheck { n: new.n, name: new.name.clone(), lines: Vec::new(), added: false, trouble: None };
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
    if world_spec(world, &new.kind).is_some_and(|s| s.secrets.is_empty() && !s.account_secrets.is_empty()) {
        if new.account.is_some() {
            check_account(world, new, &mut check).await;
            return check;
        }
        // Its accounts stand in the file, and the key of one is not the gateway's.
        let m = Message::new(&words::ADD_IN_FILE).with("kind", &new.kind).with("name", &new.name);
        check.lines.push((false, m));
        check.trouble = Some(Reason::new(ReasonCode::PersonNeeded));
        return check;
    }
    match probe(world, new).await {
        Ok((n, rights)) => {
            check.lines.push((true, Message::new(&words::ADD_REACHABLE)));
            check.lines.push((true, Message::new(&words::ADD_KEY_OK).with("n", n.to_string())));
            check.lines.extend(rights.into_iter().map(|said| (true, said)));
        }
        Err(why) => {
            let why = why.with("gateway", &new.name);
            check.trouble = Some(why);
        }
    }
    check
}

/// The same for a kind whose servers list no accounts: its first account's secret is tried by one request for a token.
async fn check_account(world: &Arc<World>, new: &NewGateway, check: &mut AddCheck) {
    let (settings, spec) = match (settings(world, new), world_spec(world, &new.kind).and_then(|s| s.account_secrets.first())) {
        (Ok(settings), Some(spec)) => (settings, spec),
        (Err(why), _) => {
            check.trouble = Some(why);
            return;
        }
        (_, None) => {
            check.trouble = Some(Reason::new(ReasonCode::Internal));
            return;
        }
    };
    let name = new.account.as_ref().map_or("", |(name, _)| name.as_str());
    let issues = (world.providers)(&new.kind).is_some_and(|p| p.issuer().is_some());
    match try_account(world, settings, name, spec, new.secret.clone()).await {
        Ok(said) if issues => check.lines.extend(said),
        Ok(_) => check.lines.push((true, Message::new(&w::UNTRIED))),
        Err(why) => check.trouble = Some(why.with("gateway", &new.name)),
    }
}

fn world_spec(world: &World, kind: &str) -> Option<&'static KindSpec> {
    (world.providers)(kind).map(|p| p.spec())
}

/// Checks, then saves. The key is sealed before the configuration names the gateway.
pub async fn add(world: &Arc<World>, new: NewGateway) -> AddCheck {
    let mut result = check(world, &new).await;
    if result.trouble.is_some() {
        return result;
    }
    let saved = save(world, &new).await;
    ops::audit_gateway(world, &GatewayId::new(&new.name), "add", if saved.is_ok() { "done" } else { "failed" }).await;
    if let Err(why) = saved {
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
    let config = config::check_gateway_with(&world.paths.config, &listed, &described.more).map_err(|e| bad(new, &e))?;
    let settings = config.gateway(&new.name).cloned().ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    let trial = world.trial(settings, Secret::new(String::new())).ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    let cx = world.cx(&trial, CancellationToken::new())?;
    trial.provider.look(&cx, None, Look::Probe).await.map(drop)
}

fn bad(new: &NewGateway, errors: &config::ConfigErrors) -> Reason {
    Reason::new(ReasonCode::BadTarget).with("what", &new.name).with("why", errors.text(crate::i18n::Lang::En).trim())
}

fn described(new: &NewGateway) -> Result<(config::NewGateway, Described), Reason> {
    registry::describe(&new.kind, &new.given).map(|d| (new.listed(), d)).ok_or_else(|| Reason::new(ReasonCode::Internal))
}

/// Secrets first: one without a gateway is harmless, a gateway without its secrets is not.
async fn save_account(world: &Arc<World>, new: &NewGateway) -> Result<config::Gateway, Reason> {
    let (listed, described) = described(new)?;
    let id = GatewayId::new(&new.name);
    for (name, secret) in &described.secrets {
        let sealed = secret_name(&id, &account_secret(&described.account, name));
        world.store.secret_put(&sealed, secret).await.map_err(|e| e.reason())?;
    }
    let config = config::add_gateway_with(&world.paths.config, &listed, &described.more).map_err(|e| bad(new, &e))?;
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
    let spec = world_spec(world, &new.kind).ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    let settings = settings(world, new)?;
    let name = match (&new.account, spec.account_secrets.first()) {
        (Some((account, _)), Some(secret)) => Some(account_secret(account, secret.name)),
        _ => secret(spec, new).map(str::to_owned),
    };
    if let Some(name) = name {
        world.store.secret_put(&secret_name(&id, &name), &new.secret).await.map_err(|e| e.reason())?;
    }
    config::add_gateway_with(&world.paths.config, &new.listed(), &more(new))
        .map_err(|e| Reason::new(ReasonCode::StoreUnwritable).raw(e.text(crate::i18n::Lang::En)))?;
    shown(world, id, settings).await
}

async fn shown(world: &Arc<World>, id: GatewayId, settings: config::Gateway) -> Result<(), Reason> {
    let accounts: Vec<Target> = settings.accounts.iter().map(|a| Target::account(&id, &RemoteId::new(&a.name))).collect();
    let rank = world.gateways().len();
    if let Some(gateway) = world.insert(settings, rank) {
        world.load_gateway_secrets(&gateway).await.map_err(|e| e.reason())?;
        let view = gateway.view();
        world.mailbox.put(|m| {
            m.gateways.insert(id, view);
        });
        // So that its tokens live before anybody asks for one.
        for account in &accounts {
            world.tokens.told(account);
        }
    }
    Ok(())
}

/// Which of a gateway's own secrets was typed, unless nothing was and nothing need be.
fn secret(spec: &'static KindSpec, new: &NewGateway) -> Option<&'static str> {
    let first = spec.secrets.first().filter(|s| !(s.optional && new.secret.is_empty())).map(|s| s.name);
    form::secret(spec.kind, &new.own).or(first)
}

/// What its table has besides, as TOML.
fn more(new: &NewGateway) -> Vec<(&str, String)> {
    let text = |s: &str| toml_edit::Value::from(s).to_string();
    let mut more: Vec<(&str, String)> = new.own.iter().filter(|(_, t)| !t.is_empty()).map(|(name, t)| (&**name, text(t))).collect();
    if let Some((name, id)) = &new.account {
        let id = if id.is_empty() { String::new() } else { format!("id = {}", text(id)) };
        more.push(("account", format!("{{ {} = {{ {id} }} }}", text(name))));
    }
    more
}

/// What was typed, as the configuration would read it.
fn settings(world: &World, new: &NewGateway) -> Result<config::Gateway, Reason> {
    if new.account.is_none() && new.own.is_empty() {
        return Ok(config::Gateway { allow_plaintext: new.allow_plaintext, ..config::Gateway::new(&new.name, &new.kind, &new.url) });
    }
    let read = config::check_gateway_with(&world.paths.config, &new.listed(), &more(new));
    let broken = |e: config::ConfigErrors| Reason::new(ReasonCode::BadTarget).with("what", &new.name).with("why", e.text(crate::i18n::Lang::En));
    read.map_err(broken)?.gateway(&new.name).cloned().ok_or_else(|| Reason::new(ReasonCode::Internal))
}

/// Tries an account's secret by one request for a token, where its kind issues tokens. Nothing is kept.
///
/// # Errors
/// Why there is no token.
pub async fn try_account(
    world: &Arc<World>,
    settings: config::Gateway,
    account: &str,
    spec: &SecretSpec,
    secret: Secret,
) -> Result<Vec<(bool, Message)>, Reason> {
    let id = GatewayId::new(&settings.name);
    let trial = world.trial(settings, secret.clone()).ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    let mut cx = world.cx(&trial, CancellationToken::new())?;
    cx.secrets.insert(account_secret(account, spec.name), secret);
    match trial.provider.issuer() {
        Some(issuer) => {
            let at = Target::account(&id, &RemoteId::new(account));
            let issued = issuer.fetch(&cx, &at, Renew::Plain).await?;
            let mut said = vec![(true, Message::new(&w::TRIED))];
            let named = cx.settings.accounts.iter().any(|a| a.name == account && !a.id.is_empty());
            match issuer.belongs(&cx, &at, &issued.token).await {
                // Right secret, wrong id: each call of a client would fail.
                Err(why) if matches!(why.code, ReasonCode::WrongApp | ReasonCode::WrongId) => return Err(why),
                Err(why) => said.push((false, Message::new(&w::ID_UNTRIED).nest("why", Message::from(&why)))),
                Ok(Some(app)) => said.push((true, Message::new(&w::ID_TRIED).with("app", app.as_str()))),
                Ok(None) if !named => said.push((true, Message::new(&w::ID_NONE))),
                Ok(None) => {}
            }
            Ok(said)
        }
        None => Ok(Vec::new()),
    }
}

/// Asks the server for its list with what was typed. Returns how many accounts it has, and what the credential may do there, where that
/// can be told.
async fn probe(world: &Arc<World>, new: &NewGateway) -> Result<(usize, Vec<Message>), Reason> {
    let trial = world
        .trial_with(settings(world, new)?, form::secret(&new.kind, &new.own), new.secret.clone())
        .ok_or_else(|| Reason::new(ReasonCode::Internal))?;
    let cx = world.cx(&trial, CancellationToken::new())?;
    let n = match trial.provider.look(&cx, None, Look::All).await? {
        Report::All { rows, .. } | Report::AllBut { rows, .. } | Report::Whole { rows, .. } | Report::Part(rows) => rows.len(),
        Report::Lost { why, .. } => return Err(why),
        _ => 0,
    };
    // What is wrong with the server itself comes first: a server that nobody has claimed is anybody's.
    let said = |f: crate::providers::GatewayFacts| f.note.iter().map(Message::from).chain(f.rights).collect();
    Ok((n, trial.provider.facts(&cx).await.map(said).unwrap_or_default()))
}

//! Straight from the store: no thread, no runtime, no engine, while the token lives and the vault's key lies in a file.

use crate::{
    clock::SystemTime,
    domain::{GatewayId, RemoteId, Target, Time, ids::TargetName},
    engine::{
        agent::{Document, Request},
        tokens::{self, suffices, whose},
    },
    providers::{
        registry,
        token::{Given, Held, Origin},
    },
    store::{Paths, config::Config, tokens::glance},
};
use std::time::Duration;

/// The token that is there, if it answers the request as it stands. `None` for everything that needs more: a fetch, a keyring,
/// a name that is not plain, a store that hosts share and that may know better.
pub(super) fn cached(paths: &Paths, config: &Config, request: &Request) -> Option<Document> {
    if config.shared.is_some() {
        return None;
    }
    let target = target(config, &request.target)?;
    let settings = config.gateway(target.gateway.as_str())?;
    let provider = registry::provider(&settings.kind)?;
    let issuer = provider.issuer()?;
    let time = SystemTime::new();
    let (row, fingerprint_key) = glance(paths, &target.id(), &whose(settings, target.account.as_str()), &time)?;
    let ask = request.ask(&fingerprint_key);
    if !suffices(&row, &ask, &issuer.rules(), &time.now()) {
        return None;
    }
    let token = row.token?;
    let held = Held {
        fingerprint: token.fingerprint,
        length: token.length,
        generation: row.generation,
        issued: token.issued,
        expires: token.expires,
        by: token.by,
        rejected: token.rejected,
        trouble: row.trouble,
        fetches: row.fetches,
        storm: None,
        signs: row.signs,
    };
    let given = Given { token: token.text?, held, origin: Origin::Cache, became: None };
    Some(Document::new(&target, settings.kind.as_str(), issuer.token_type(), given, &time.now()))
}

/// How long before its end a token is renewed by who looks after it; zero: at its end, also where its platform is not known here.
pub(super) fn early(config: &Config, typed: &str, document: &Document) -> Duration {
    let of = || {
        let provider = registry::provider(&config.gateway(target(config, typed)?.gateway.as_str())?.kind)?;
        let issuer = provider.issuer()?;
        let life = u64::try_from(document.expires.0.saturating_sub(document.issued.0)).ok()?;
        Some(tokens::early(&issuer.rules(), Duration::from_millis(life)))
    };
    of().unwrap_or_default()
}

/// Whose token the configuration means by that name, if it names one plainly.
pub(super) fn meant(config: &Config, typed: &str) -> Option<String> {
    let target = target(config, typed)?;
    Some(whose(config.gateway(target.gateway.as_str())?, target.account.as_str()))
}

/// The configured account that is meant. Names of accounts that a server lists need the whole house.
fn target(config: &Config, typed: &str) -> Option<Target> {
    let name = TargetName::parse(typed).filter(|n| n.device.is_none())?;
    let issues = |kind: &str| registry::provider(kind).is_some_and(|p| p.issuer().is_some());
    let mut found = config
        .gateways
        .iter()
        .filter(|g| name.gateway.as_ref().is_none_or(|n| *n == g.name) && issues(&g.kind))
        .flat_map(|g| g.accounts.iter().map(move |a| (g, a)))
        .filter(|(_, a)| a.name == name.account);
    let (gateway, account) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    Some(Target::account(&GatewayId::new(&gateway.name), &RemoteId::new(&account.name)))
}

//! Bots as rows. Never painted online: the server does not say whether a bot is connected.

use super::{logs::Judged, wire::Bot};
use crate::{
    domain::{Clean, Fact, FactValue, Link, Reason, ReasonCode, RemoteId, Row, Source, State, Target, ids::TargetName},
    i18n::{Words, langbot as w},
    providers::{Cx, token::Held},
};

/// Key of the fact that names the adapter.
pub(super) const ADAPTER: &str = "adapter";

/// Keys of the facts that hold the newest lines of its log.
const LOG: [&str; super::logs::RECENT] = ["log_1", "log_2", "log_3", "log_4", "log_5", "log_6", "log_7", "log_8"];

/// A bot, with what its log tells and what is known of the app that it uses.
pub(super) fn row(cx: &Cx, bot: &Bot, log: Option<&Judged>, app: Option<(&str, Option<&Held>)>) -> Row {
    let now = cx.time.now();
    let mut facts = Vec::new();
    let mut add = |key, label: &'static Words, value| facts.push(Fact { key, label, value });
    let text = |t: &str| FactValue::Text(Clean::new(t));
    add(ADAPTER, &w::FACT_ADAPTER, text(&bot.adapter));
    if let Some(account) = bot.account.as_deref().filter(|a| !a.is_empty()) {
        add("account", &w::FACT_ACCOUNT, text(account));
    }
    if let Some(corp) = &bot.corp {
        add("corp", &w::FACT_CORP, text(corp));
    }
    if let Some((name, held)) = app {
        add("app", &w::FACT_APP, text(name));
        if let Some(held) = held {
            add("app_token", &w::FACT_APP_TOKEN, text(&held.fingerprint.to_string()));
        }
    }
    if let Some(log) = log {
        add("errors", &w::FACT_ERRORS, FactValue::Count(log.errors));
        if let Some(at) = log.last_error {
            add("last_error", &w::FACT_LAST_ERROR, FactValue::At(crate::domain::Stamp::wall_only(at)));
        }
        if log.reconnecting {
            add("reconnecting", &w::FACT_RECONNECTS, FactValue::Flag(true));
        }
    }
    for (key, line) in LOG.iter().zip(log.iter().flat_map(|l| &l.recent)) {
        add(key, &w::FACT_LOG, FactValue::Text(line.clone()));
    }
    add("created", &w::FACT_CREATED, text(&bot.created));
    add("updated", &w::FACT_UPDATED, text(&bot.updated));
    let reason = if bot.enable { Some(reason(log, app)) } else { None };
    let state = if bot.enable { State::Loaded } else { State::Disabled };
    Row {
        gateway: cx.gateway.clone(),
        account: RemoteId::new(&bot.uuid),
        device: None,
        // A bot that was deleted and made anew has another id.
        incarnation: Some(bot.uuid.clone()),
        label: Clean::new(if bot.name.is_empty() { &bot.uuid } else { &bot.name }),
        identity: Some(Clean::new(&bot.adapter)),
        link: Link { state, since: None, observed_at: Some(now), source: Source::List, reason, witnesses: Vec::new() },
        tokens: Vec::new(),
        facts,
    }
}

/// Why it is as it is: its own log first, then what is known of its app's token, else that nothing is told.
fn reason(log: Option<&Judged>, app: Option<(&str, Option<&Held>)>) -> Reason {
    let own = log.and_then(|l| l.reason.clone());
    let held = app.and_then(|(_, held)| held);
    // An address that is not trusted, an app that is switched off: the app's own trouble says more than a failed send.
    let apps = held.and_then(|h| h.trouble.clone().or_else(|| h.storm.clone()));
    match (own, apps) {
        // Of the two secrets the linked one is known to work: the bot can have it.
        (Some(own), None) if own.code == ReasonCode::BotSecretRefused && held.is_some() => own.with("app", app.map_or("", |(name, _)| name)),
        (Some(own), Some(apps)) if !matches!(own.code, ReasonCode::AddressNotTrusted | ReasonCode::BotSecretRefused) => apps,
        (Some(own), _) => own,
        (None, Some(apps)) => apps,
        (None, None) => Reason::new(ReasonCode::StateNotReported),
    }
}

/// A row of which only the target is known.
pub(super) fn bare(cx: &Cx, at: &Target) -> Row {
    Row {
        gateway: at.gateway.clone(),
        account: at.account.clone(),
        device: None,
        incarnation: at.incarnation.clone(),
        label: Clean::new(at.account.as_str()),
        identity: None,
        link: Link { observed_at: Some(cx.time.now()), ..Link::unknown() },
        tokens: Vec::new(),
        facts: Vec::new(),
    }
}

/// The app that the configuration links to a bot, by id or by name.
pub(super) fn linked<'a>(cx: &'a Cx, bot: &Bot) -> Option<(&'a str, Target)> {
    let links = &cx.settings.langbot.links;
    let (_, text) = links.iter().find(|(n, _)| **n == *bot.uuid).or_else(|| links.iter().find(|(n, _)| **n == *bot.name))?;
    let name = TargetName::parse(text)?;
    let gateway = crate::domain::GatewayId::new(&name.gateway?);
    Some((text, Target { gateway, account: RemoteId::new(&name.account), device: None, incarnation: None }))
}

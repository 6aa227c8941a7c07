//! Bots as rows. Never painted online: the server does not say whether a bot is connected.

use super::{
    logs::{CLOCK_MS, Judged, minute},
    wire::Bot,
};
use crate::{
    domain::{Clean, Fact, FactValue, Link, Reason, ReasonCode, RemoteId, Row, Source, Stamp, State, Target, Wall, ids::TargetName},
    i18n::{Words, langbot as w},
    providers::{Cx, token::Held},
};

/// Key of the fact that names the adapter.
pub(super) const ADAPTER: &str = "adapter";

/// Key of the fact that says when the bot's log last called its token refused.
pub(super) const REFUSED: &str = "token_refused";

/// A token of WeCom lives so long, in ms: one that is refused sooner was not let run out.
const LIFE_MS: i64 = 7_200_000;
/// Refusals closer than this may be of one token, met by several messages at once, in ms.
const APART_MS: i64 = 60_000;

/// Keys of the facts that hold the newest lines of its log.
const LOG: [&str; super::logs::RECENT] = ["log_1", "log_2", "log_3", "log_4", "log_5", "log_6", "log_7", "log_8"];

/// What is known of a bot besides what the list says.
#[derive(Clone, Copy, Default)]
pub(super) struct Known<'a> {
    /// What its log comes to.
    pub(super) log: Option<&'a Judged>,
    /// The app that it is linked with.
    pub(super) app: Option<&'a Linked<'a>>,
    /// What is known of that app's token.
    pub(super) held: Option<&'a Held>,
    /// When it was loaded anew from here, if that is worth a word.
    pub(super) restarted: Option<Wall>,
}

/// The app that the configuration links to a bot.
pub(super) struct Linked<'a> {
    /// As the configuration writes it.
    pub(super) name: &'a str,
    /// It.
    pub(super) target: Target,
    /// Its corporation, where that is not the bot's: such an app has no part in the bot's story.
    pub(super) alien: Option<Box<str>>,
}

/// A bot, with what its log tells and what is known of the app that it uses.
pub(super) fn row(cx: &Cx, bot: &Bot, known: &Known<'_>) -> Row {
    let log = known.log;
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
    if let Some(app) = known.app {
        add("app", &w::FACT_APP, text(app.name));
        if let Some(corp) = &app.alien {
            add("app_corp", &w::FACT_APP_CORP, text(corp));
        }
        if let Some(held) = known.held {
            add("app_token", &w::FACT_APP_TOKEN, text(&held.fingerprint.to_string()));
        }
    }
    if let Some(log) = log {
        add("errors", &w::FACT_ERRORS, FactValue::Count(log.errors));
        if let Some(at) = log.last_error {
            add("last_error", &w::FACT_LAST_ERROR, FactValue::At(Stamp::wall_only(at)));
        }
        if let Some((at, _)) = log.refusals.last().filter(|_| log.tokens_fault()) {
            add(REFUSED, &w::FACT_REFUSED, FactValue::At(Stamp::wall_only(*at)));
        }
        if log.reconnecting {
            add("reconnecting", &w::FACT_RECONNECTS, FactValue::Flag(true));
        }
    }
    if let Some(at) = known.restarted {
        add("restarted", &w::FACT_RESTARTED, FactValue::At(Stamp::wall_only(at)));
    }
    for (key, line) in LOG.iter().zip(log.iter().flat_map(|l| &l.recent)) {
        add(key, &w::FACT_LOG, FactValue::Text(line.clone()));
    }
    add("created", &w::FACT_CREATED, text(&bot.created));
    add("updated", &w::FACT_UPDATED, text(&bot.updated));
    let reason = if bot.enable { Some(reason(cx, bot, known)) } else { None };
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

/// Why it is as it is: a link that cannot be true first, then its own log, then what is known of its app's token, then what is known
/// since it was loaded anew, else that nothing is told.
fn reason(cx: &Cx, bot: &Bot, known: &Known<'_>) -> Reason {
    let (log, held) = (known.log, known.held);
    if let (Some(app), Some(corp)) = (known.app, &bot.corp)
        && let Some(alien) = &app.alien
    {
        let why = Reason::new(ReasonCode::WrongApp).with("evidence", "corp").with("gateway", cx.gateway.as_str());
        return why.with("bot", &bot.name).with("corp", corp).with("app", app.name).with("app_corp", alien);
    }
    let own = log.and_then(|l| l.reason.clone()).map(|own| match known.restarted {
        Some(at) if log.is_some_and(|l| l.tokens_fault() && again(l, at)) => own.with("evidence", "again").with("restarted", minute(at)),
        // What to do about it ends with a look at this very bot.
        _ if own.code == ReasonCode::AddressNotTrusted => own.with("account", Target::account(&cx.gateway, &RemoteId::new(&bot.uuid)).id()),
        _ => own,
    });
    // An address that is not trusted, an app that is switched off: the app's own trouble says more than a failed send.
    let apps = held.and_then(|h| h.trouble.clone().or_else(|| h.storm.clone()));
    match (own, apps) {
        // Of the two secrets the linked one is known to work: the bot can have it.
        (Some(own), None) if own.code == ReasonCode::BotSecretRefused && held.is_some() => own.with("app", known.app.map_or("", |a| a.name)),
        (Some(own), Some(apps)) if !matches!(own.code, ReasonCode::AddressNotTrusted | ReasonCode::BotSecretRefused) => apps,
        (Some(own), _) => own,
        (None, Some(apps)) => apps,
        (None, None) => quiet(known),
    }
}

/// Two of its tokens were refused since it was loaded anew, within the life of one. The first may have been the old one: the platform
/// gives a restarted bot the same token again until that is dead, so that an end within its life is nothing odd.
fn again(log: &Judged, restarted: Wall) -> bool {
    let mut since = log.refusals.iter().map(|(at, _)| at.0).filter(|at| at.saturating_add(CLOCK_MS) >= restarted.0);
    let Some(first) = since.next() else { return false };
    let apart = since.next_back().map_or(0, |last| last.saturating_sub(first));
    (APART_MS..LIFE_MS).contains(&apart)
}

/// Its log has nothing against it: what that is worth since it was loaded anew. It is no proof of a good send: a text that is refused
/// for its token, time and again, is an exception in the server's own log and leaves no line in the bot's (4.11.2).
fn quiet(known: &Known<'_>) -> Reason {
    let why = Reason::new(ReasonCode::StateNotReported);
    let Some(log) = known.log else { return why };
    let app = known.app.filter(|app| app.alien.is_none());
    let by = |why: Reason, plain: &str, linked: &str| match app {
        Some(app) => why.with("evidence", linked).with("app", app.name),
        None => why.with("evidence", plain),
    };
    if let Some((at, n)) = log.healed {
        return why.with("evidence", "healed").with("refused", minute(at)).with("n", n.to_string());
    }
    let Some(at) = known.restarted else { return why };
    let why = why.with("restarted", minute(at));
    match log.heard {
        Some(heard) if !log.reconnecting => by(why.with("heard", minute(heard)), "heard", "heard_app"),
        _ => by(why, "restarted", "restarted_app"),
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

/// The app that the configuration links to a bot, by id or by name. A WeCom bot and an app of another corporation cannot share a
/// Secret, whatever the link says.
pub(super) fn linked<'a>(cx: &'a Cx, bot: &Bot, corp_of: impl Fn(&str) -> Option<String>) -> Option<Linked<'a>> {
    let links = &cx.settings.langbot.links;
    let (_, text) = links.iter().find(|(n, _)| **n == *bot.uuid).or_else(|| links.iter().find(|(n, _)| **n == *bot.name))?;
    let name = TargetName::parse(text)?;
    let gateway = name.gateway?;
    let alien = corp_of(&gateway).filter(|theirs| bot.corp.as_deref().is_some_and(|ours| ours != theirs)).map(Into::into);
    let gateway = crate::domain::GatewayId::new(&gateway);
    Some(Linked { name: text, target: Target { gateway, account: RemoteId::new(&name.account), device: None, incarnation: None }, alien })
}

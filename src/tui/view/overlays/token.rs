//! The token view: what a token is, who fetched it and how often, what stands against the next request, and what can be done.

use super::{
    devices::{LABEL, label, named},
    token_tale as tale,
};
use crate::{
    domain::{Action, Stamp, State, TokenInfo, row::TokenSemantics},
    i18n::{self, Message, Words, deck as w, slots as s},
    providers::RETRY,
    tui::{
        app::App,
        devices::TokenView,
        fleet::Entry,
        keymap::Act,
        text,
        theme::Role,
        update::token_paused,
        view::{
            detail,
            panel::{Panel, Row, inner_width, page, wrapped},
        },
    },
};

/// Keys of the facts that tell of a token's fetches and of other holders.
const TOLD: [&str; 7] = ["refreshed_by", "last_sign", "fetches_10min", "died_early_10min", "changed_10min", "limited_10min", "bot_refusals_10min"];
/// So many of them stay where the tale itself is told.
const BESIDE: usize = 2;
/// Cells of the bar of a life.
const BAR: usize = 6;

/// The token of a row.
pub(super) fn panel(app: &App, t: &TokenView) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let mut rows = Vec::new();
    let entry = app.fleet.find(&t.target).and_then(|slot| app.fleet.get(slot));
    let tokens = entry.map(|e| e.row.tokens.as_slice()).unwrap_or_default();
    for token in tokens {
        one(app, entry, token, &mut rows);
    }
    if tokens.is_empty() {
        none(app, t, entry, &mut rows, width);
    }
    if let Some(e) = entry {
        facts(app, t, e, &mut rows, width);
    }
    if let Some(told) = &t.tale {
        tale::copies(app, told, &mut rows, width);
    }
    revealed(app, t, &mut rows, width);
    if let Some(told) = &t.tale {
        rows.push(Row::gap());
        tale::fetches(app, told, &mut rows, width);
        if token_paused(app, t) {
            tale::pause(app, t, told, &mut rows, width);
        }
    }
    // Where there is no token, that was said above.
    if let Some(why) = entry.and_then(|e| e.row.link.reason.as_ref()).filter(|r| !tokens.is_empty() || !r.code.is_tokenless()) {
        rows.push(Row::gap());
        wrapped(&mut rows, "", &i18n::reason::full(why, lang), width, if why.code.is_problem() { Role::Warn } else { Role::Plain });
        if let Some(remedy) = i18n::reason::remedy_sentence(why, lang) {
            wrapped(&mut rows, "", &remedy.replace('`', ""), width, Role::Plain);
        }
    }
    if let Some(told) = &t.tale {
        tale::history(app, told, &mut rows);
    }
    let keys = keys(app, t, !tokens.is_empty(), rows.len() > page(app));
    Panel { title: named(app, &s::TOKEN_TITLE, t.label.as_str()), rows, keys, scroll: t.scroll, ..Panel::default() }
}

/// One token, line by line.
fn one(app: &App, entry: Option<&Entry>, token: &TokenInfo, rows: &mut Vec<Row>) {
    let (lang, now) = (app.lang(), &app.now);
    let mut say = |head: &'static Words, value: String| rows.push(Row::one(label(head.get(lang)), Role::Dim).and(value, Role::Plain));
    let generation = match token.generation {
        0 => String::new(),
        n => Message::new(&w::TOKEN_GENERATION).with("n", n.to_string()).text(lang),
    };
    say(&s::TOKEN_FP, format!("{}{generation}", token.fingerprint));
    say(&s::TOKEN_LENGTH, Message::new(&s::TOKEN_CHARS).with("n", token.length.to_string()).text(lang));
    if let Some(at) = token.issued_at {
        let ago = Message::new(&w::AGO).with("age", text::age(Stamp::wall_only(at).age(now))).text(lang);
        say(&s::TOKEN_ISSUED, format!("{} · {ago}", at.rfc3339().trim_end_matches('Z').replace('T', " ")));
    }
    if let Some(at) = token.expires_at {
        let refused = token.rejected || entry.is_some_and(|e| matches!(e.row.link.state, State::Refused | State::Expired));
        let left = detail::left(token, now);
        let words = match left {
            // Its life counts for nothing then, and how much of it was left tells of who ended it.
            Some(left) if refused => Message::new(&s::TOKEN_REFUSED).with("left", text::left(left)),
            // As the row says it: an hour and a half is not an hour.
            Some(left) => Message::new(&s::TOKEN_IN).with("left", text::left(left)),
            None => Message::new(&w::TOKEN_OVER).with("age", text::age(Stamp::wall_only(at).age(now))),
        };
        let whole = token.issued_at.map(|from| Stamp::wall_only(from).age(&Stamp::wall_only(at)));
        // No bar that looks like life where there is none.
        let full = left.filter(|_| !refused).unwrap_or_default();
        say(&s::TOKEN_DIES, format!("{} {}", text::bar(full, whole.unwrap_or(full), BAR), words.text(lang)));
    }
    let renewal = match token.semantics {
        TokenSemantics::Lasting => &s::TOKEN_LASTING,
        TokenSemantics::SameUntilExpiry => &s::TOKEN_SAME,
        TokenSemantics::SameThenOverlap => &s::TOKEN_OVERLAP,
        TokenSemantics::AutoRenewed => &s::TOKEN_RENEWED,
        TokenSemantics::Rotating => &s::TOKEN_ROTATING,
    };
    say(&s::TOKEN_RENEWAL, renewal.get(lang).to_owned());
}

/// That there is none, and why, where that is known.
fn none(app: &App, t: &TokenView, entry: Option<&Entry>, rows: &mut Vec<Row>, width: usize) {
    let lang = app.lang();
    let has_devices = app.fleet.iter().any(|(_, e)| e.row.device.is_some() && e.row.gateway == t.target.gateway && e.row.account == t.target.account);
    let words = if t.target.device.is_none() && has_devices { &s::TOKEN_DEVICES } else { &s::TOKEN_NONE };
    let why = entry.and_then(|e| e.row.link.reason.as_ref()).filter(|r| r.code.is_tokenless());
    let said = why.map_or_else(|| words.get(lang).to_owned(), |r| i18n::reason::full(r, lang));
    wrapped(rows, "", &said, width, Role::Dim);
    if let Some(remedy) = why.and_then(|r| i18n::reason::remedy_sentence(r, lang)) {
        wrapped(rows, "", &remedy.replace('`', ""), width, Role::Plain);
    }
}

/// Who fetched it; and how much was fetched, until that is told minute by minute.
fn facts(app: &App, t: &TokenView, e: &Entry, rows: &mut Vec<Row>, width: usize) {
    let keys = if t.tale.is_some() { &TOLD[..BESIDE] } else { &TOLD[..] };
    for f in e.row.facts.iter().filter(|f| keys.contains(&f.key)) {
        wrapped(rows, &label(f.label.get(app.lang())), &detail::fact(app, e, f), width, Role::Plain);
    }
}

/// The token itself, for who asked to see it.
fn revealed(app: &App, t: &TokenView, rows: &mut Vec<Row>, width: usize) {
    let lang = app.lang();
    if t.asking {
        rows.push(Row::one(label(s::TOKEN_TEXT.get(lang)), Role::Dim).and(s::TOKEN_ASKING.get(lang), Role::Info));
    }
    if let Some((secret, until)) = &t.shown {
        let left = until.0.saturating_sub(app.now.boot_now().0).div_ceil(1000);
        // A token comes from a server: what is drawn of it is harmless, what is copied is exact.
        let drawn = crate::domain::Clean::long(secret.expose());
        wrapped(rows, &label(s::TOKEN_TEXT.get(lang)), drawn.as_str(), width, Role::Secret);
        rows.push(Row::one(" ".repeat(LABEL), Role::Dim).and(Message::new(&s::TOKEN_LEFT).with("n", left.to_string()).text(lang), Role::Dim));
    }
    if let Some(why) = &t.trouble {
        wrapped(rows, "✗ ", &i18n::reason::full(why, lang), width, Role::Bad);
        if let Some(remedy) = i18n::reason::remedy_sentence(why, lang) {
            wrapped(rows, "  ", &remedy.replace('`', ""), width, Role::Plain);
        }
    }
}

/// The keys that do something now, and the way out. `any`: there is a token. `scrolls`: it has more lines than the screen. Why another one does not stands in the help.
fn keys(app: &App, t: &TokenView, any: bool, scrolls: bool) -> String {
    let slot = app.fleet.find(&t.target);
    let can = |action: Action| slot.is_some_and(|slot| app.can(slot, &action).is_ok());
    // Where a platform issues tokens that die, the two verbs are about these.
    let (fetch, caches) = if t.issued { (&s::TOKEN_KEY_FETCH, &s::TOKEN_KEY_CACHES) } else { (&s::TOKEN_KEY_REGENERATE, &s::TOKEN_KEY_WIPE) };
    let all = [
        (any && t.shown.is_none(), &s::TOKEN_KEY_SHOW, Act::Show),
        (t.shown.is_some(), &s::TOKEN_KEY_HIDE, Act::Show),
        (t.shown.is_some(), &s::TOKEN_KEY_COPY, Act::Copy),
        ((any || t.issued) && can(Action::Regenerate), fetch, Act::Regenerate),
        ((any || t.issued) && can(Action::Wipe), caches, Act::Wipe),
        (token_paused(app, t) && can(Action::Do(RETRY.into())), &s::TOKEN_KEY_BREAKER, Act::Breaker),
        (scrolls, &s::TOKEN_KEY_SCROLL, Act::Down),
        (true, &s::TOKEN_KEY_HELP, Act::Help),
    ];
    let seconds = app.opts.reveal.as_secs().to_string();
    let said = all.into_iter().filter(|(works, ..)| *works);
    let mut out: Vec<String> =
        said.map(|(_, words, act)| Message::new(words).with("key", app.keymap.key(act)).with("s", &seconds).text(app.lang())).collect();
    out.push("Esc".to_owned());
    out.join("   ")
}

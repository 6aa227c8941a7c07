//! What is told of a token besides its row: where copies lie, the last ten minutes, the pause, the last fetches.

use super::{
    devices::{LABEL, label},
    spark,
};
use crate::{
    domain::{Reason, ReasonCode, Wall},
    engine::mailbox::TokenTale,
    i18n::{self, Lang, Message, Words, slots as s},
    store::tokens::{FetchLine, SignKind},
    tui::{
        app::App,
        devices::TokenView,
        keymap::Act,
        text,
        theme::Role,
        view::{
            detail,
            panel::{Row, page, wrapped},
        },
    },
};

/// Stretches of the graph, one a minute.
const MINUTES: usize = 10;
/// Lines of the history that are listed however little room there is; they scroll.
const FEW: usize = 3;

/// Where copies of the token lie: all that `w` clears.
pub(super) fn copies(app: &App, tale: &TokenTale, rows: &mut Vec<Row>, width: usize) {
    let lang = app.lang();
    let mut said = Vec::new();
    if tale.here {
        said.push(s::TOKEN_COPY_HERE.get(lang).to_owned());
    }
    match &tale.shared {
        None => {}
        Some(Ok(true)) => {
            said.push(s::TOKEN_COPY_SHARED.get(lang).to_owned());
            // They are written and cleared together with it.
            said.extend(tale.mirrors.iter().map(|name| Message::new(&s::TOKEN_COPY_MIRROR).with("name", name).text(lang)));
        }
        Some(Ok(false)) => said.push(s::TOKEN_COPY_NOT_SHARED.get(lang).to_owned()),
        Some(Err(why)) => said.push(Message::new(&s::TOKEN_COPY_UNKNOWN).with("why", i18n::reason::sentence(why, lang)).text(lang)),
    }
    if said.is_empty() {
        said.push(s::TOKEN_COPY_NONE.get(lang).to_owned());
    }
    wrapped(rows, &label(s::TOKEN_COPIES.get(lang)), &said.join(" · "), width, Role::Plain);
}

/// How much was in each of the last minutes, the newest last.
fn minutes(all: impl Iterator<Item = Wall>, now: Wall) -> [usize; MINUTES] {
    let mut out = [0; MINUTES];
    for at in all {
        // What a clock that was put back left in the future is of this minute.
        let ago = usize::try_from(now.0.saturating_sub(at.0).max(0) / 60_000).unwrap_or(usize::MAX);
        if let Some(n) = MINUTES.checked_sub(ago.saturating_add(1)).and_then(|n| out.get_mut(n)) {
            *n += 1;
        }
    }
    out
}

/// The fetches of the last ten minutes: those from here, and what was seen of others, at the instants at which it was.
pub(super) fn fetches(app: &App, tale: &TokenTale, rows: &mut Vec<Row>, width: usize) {
    let (lang, now) = (app.lang(), app.now.wall);
    let recent = &tale.recent;
    let all = minutes(recent.sent.iter().copied().chain(recent.seen.iter().map(|(at, _)| *at)), now);
    let ours: usize = minutes(recent.sent.iter().copied(), now).iter().sum();
    let total: usize = all.iter().sum();
    let n = Message::new(&s::TOKEN_FETCHES_IN).with("n", total.to_string()).text(lang);
    rows.push(Row::one(label(s::TOKEN_FETCHES.get(lang)), Role::Dim).and(spark::counts(&all), Role::Bar).and(format!("  {n}"), Role::Plain));
    let others = total.saturating_sub(ours);
    let words = if others == 0 { Message::new(&s::TOKEN_OTHERS_NONE) } else { Message::new(&s::TOKEN_OTHERS).with("n", others.to_string()) };
    let mut line = format!("{} · {}", Message::new(&s::TOKEN_OURS).with("n", ours.to_string()).text(lang), words.text(lang));
    if tale.storm.is_some() {
        line = format!("{line}   {}", s::TOKEN_STORM_MARK.get(lang));
    }
    let role = if tale.storm.is_some() { Role::Warn } else { Role::Plain };
    wrapped(rows, &" ".repeat(LABEL), &line, width, role);
    let kinds: Vec<String> = SignKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let n: usize = minutes(recent.seen.iter().filter(|(_, k)| *k == kind).map(|(at, _)| *at), now).iter().sum();
            (n > 0).then(|| Message::new(sign(kind)).with("n", n.to_string()).text(lang))
        })
        .collect();
    if !kinds.is_empty() {
        wrapped(rows, &" ".repeat(LABEL), &kinds.join(" · "), width, Role::Plain);
    }
}

const fn sign(kind: SignKind) -> &'static Words {
    match kind {
        SignKind::Died => &s::TOKEN_SIGN_DIED,
        SignKind::Changed => &s::TOKEN_SIGN_CHANGED,
        SignKind::Limited => &s::TOKEN_SIGN_LIMITED,
        SignKind::Bot | SignKind::Doubt => &s::TOKEN_SIGN_BOT,
    }
}

/// Why and how long the platform is not asked, and what it costs to ask all the same.
pub(super) fn pause(app: &App, t: &TokenView, tale: &TokenTale, rows: &mut Vec<Row>, width: usize) {
    let lang = app.lang();
    let Some(hold) = &tale.hold else { return };
    let why = i18n::reason::full(&hold.reason, lang);
    let said = match hold.until {
        Some(until) => Message::new(&s::TOKEN_PAUSED_FOR)
            .with("left", text::left(until.left(&app.now)))
            .with("time", detail::until(until.wall.rfc3339(), &app.now)),
        None => Message::new(&s::TOKEN_PAUSED_OPEN),
    };
    wrapped(rows, &label(s::TOKEN_PAUSED.get(lang)), &said.with("why", why).text(lang), width, Role::Warn);
    let indent = " ".repeat(LABEL);
    if hold.times > 1 {
        wrapped(rows, &indent, &Message::new(&s::TOKEN_PAUSED_TIMES).with("n", hold.times.to_string()).text(lang), width, Role::Plain);
    }
    let m = Message::new(&s::TOKEN_PAUSED_DO).with("key", app.keymap.key(Act::Breaker));
    wrapped(rows, &indent, &m.text(lang), width, Role::Plain);
    if !app.hide_names {
        wrapped(rows, &indent, &Message::new(&s::TOKEN_PAUSED_SHELL).with("target", t.target.id()).text(lang), width, Role::Dim);
    }
}

/// The last fetches, as many as there is room for.
pub(super) fn history(app: &App, tale: &TokenTale, rows: &mut Vec<Row>) {
    if tale.lines.is_empty() {
        return;
    }
    let lang = app.lang();
    let room = page(app).saturating_sub(rows.len() + 2).max(FEW);
    let lines: Vec<[String; 4]> = tale.lines.iter().take(room).map(|l| cells(app, l, lang)).collect();
    let mut wide = [0; 3];
    for line in &lines {
        for (n, w) in wide.iter_mut().enumerate() {
            *w = (*w).max(text::width(&line[n]));
        }
    }
    rows.push(Row::gap());
    rows.push(Row::one(s::TOKEN_HISTORY.get(lang), Role::Dim));
    for [age, cause, by, end] in lines {
        let pad = |t: &str, n: usize| " ".repeat(wide[n].saturating_sub(text::width(t)) + 2);
        rows.push(
            Row::one(format!("{}{age}  ", " ".repeat(wide[0].saturating_sub(text::width(&age)))), Role::Dim)
                .and(format!("{cause}{}", pad(&cause, 1)), Role::Plain)
                .and(format!("{by}{}", pad(&by, 2)), Role::Dim)
                .and(end, Role::Plain),
        );
    }
}

/// When, why, by whom, and what came of it.
fn cells(app: &App, l: &FetchLine, lang: Lang) -> [String; 4] {
    let cause = match l.cause.as_str() {
        "cold" => s::TOKEN_CAUSE_COLD.get(lang),
        "due" => s::TOKEN_CAUSE_DUE.get(lang),
        "rejected" => s::TOKEN_CAUSE_REJECTED.get(lang),
        "operator" => s::TOKEN_CAUSE_OPERATOR.get(lang),
        "broken" => s::TOKEN_CAUSE_BROKEN.get(lang),
        "forced" => s::TOKEN_CAUSE_FORCED.get(lang),
        other => other,
    };
    let end = match l.result.as_str() {
        "new" => s::TOKEN_END_NEW.get(lang).to_owned(),
        "unchanged" => s::TOKEN_END_SAME.get(lang).to_owned(),
        "stopped" => s::TOKEN_END_STOPPED.get(lang).to_owned(),
        "good" => s::TOKEN_END_GOOD.get(lang).to_owned(),
        "unclear" => s::TOKEN_END_UNCLEAR.get(lang).to_owned(),
        "untrusted" => s::TOKEN_END_UNTRUSTED.get(lang).to_owned(),
        other => Message::new(&s::TOKEN_END_FAILED).with("why", failure(other, lang)).text(lang),
    };
    let by = if app.hide_names { "····" } else { l.by.as_str() };
    let age = text::age(crate::domain::Stamp::wall_only(l.at).age(&crate::domain::Stamp::wall_only(app.now.wall)));
    [age, cause.to_owned(), by.to_owned(), end]
}

/// The sentence of a reason that is kept by its name only; its name where the sentence needs more.
fn failure(name: &str, lang: Lang) -> String {
    let code = ReasonCode::ALL.iter().find(|c| c.name() == name);
    let words = code.map(|c| i18n::reason::words(&Reason::new(*c)).get(lang)).filter(|text| !text.contains('{'));
    words.map_or_else(|| name.replace('_', " "), |text| text.trim_end_matches(['.', '。']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instant_counts_in_its_own_minute_and_what_is_older_in_none() {
        let now = Wall(1_000_000_000);
        let ago = |s: i64| Wall(now.0 - s * 1000);
        let all = minutes([ago(0), ago(59), ago(60), ago(599), ago(600), ago(-5)].into_iter(), now);
        assert_eq!(all, [1, 0, 0, 0, 0, 0, 0, 0, 1, 3]);
        assert_eq!(spark::counts(&all), "▁·······▁▃");
        assert_eq!(spark::counts(&[0, 8, 43]), "·▂█");
    }

    #[test]
    fn a_failure_is_told_in_a_sentence_and_never_with_a_hole_in_it() {
        for code in ReasonCode::ALL {
            for lang in [Lang::En, Lang::Zh] {
                let said = failure(code.name(), lang);
                assert!(!said.contains(['{', '?']) && !said.is_empty(), "{said}");
            }
        }
        assert_eq!(failure("rate_limited", Lang::En), "The server asks to slow down");
        assert_eq!(failure("of_a_later_version", Lang::En), "of a later version");
    }
}

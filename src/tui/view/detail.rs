//! The detail pane: state, witnesses, identity, secret, reason, remedy, facts, and what can be done. One order for all kinds.

use super::{
    paint,
    panel::{Row, wrapped},
    tree,
};
use crate::{
    domain::{Action, Fact, FactValue, Not, Reason, Source, Stamp, State, TokenInfo},
    i18n::{self, Lang, Message, deck as w, state},
    providers::{Feed, On, VerbSpec},
    tui::{
        app::App,
        fleet::{Entry, Gateway},
        keymap::Act,
        rows::Node,
        text,
        theme::Role,
    },
};
use ratatui::{Frame, layout::Rect};
use std::time::Duration;

/// What to do about a reason, in a language.
pub type Remedy = fn(&Reason, Lang) -> Option<String>;

/// Columns of the label.
const LABEL: usize = 11;

/// Where a witness speaks from, as a word.
pub fn source(s: Source, lang: Lang) -> &'static str {
    match s {
        Source::Events => &w::SOURCE_EVENTS,
        Source::List => &w::SOURCE_LIST,
        Source::Metrics => &w::SOURCE_METRICS,
        Source::Probe => &w::SOURCE_PROBE,
        Source::Host => &w::SOURCE_HOST,
        Source::Own => &w::SOURCE_OWN,
    }
    .get(lang)
}

/// The pane on the right.
pub fn pane(app: &App, frame: &mut Frame, area: Rect) {
    let width = usize::from(area.width.saturating_sub(3));
    let rows = rows(app, width);
    let buf = frame.buffer_mut();
    for n in 0..area.height {
        let line = paint::line(area, n);
        paint::put(buf, line, 0, "│", app.theme.style(Role::Dim));
        if let Some(row) = rows.get(usize::from(n)) {
            let mut x = 2;
            for (piece, role) in &row.0 {
                x = paint::put(buf, line, x, piece, app.theme.style(*role));
            }
        }
    }
}

/// Title of the full-screen detail.
pub fn title(app: &App) -> String {
    match (app.entry(), app.gateway()) {
        (Some(e), Some(g)) => format!("{} · {}", tree::name(app, e), g.view.spec.name),
        (None, Some(g)) => format!("{} · {}", g.view.id, g.view.spec.name),
        _ => String::new(),
    }
}

/// All lines about what is under the cursor.
pub fn rows(app: &App, width: usize) -> Vec<Row> {
    rows_with(app, width, i18n::reason::remedy_sentence)
}

/// The same with remedies in other words, where the keys are others.
pub fn rows_with(app: &App, width: usize, remedy: Remedy) -> Vec<Row> {
    match app.node() {
        Some(Node::Row(s)) => match app.fleet.get(s) {
            Some(e) => row(app, e, &app.fleet.gateways()[e.gateway], width, remedy),
            None => Vec::new(),
        },
        Some(Node::Gateway(g)) => gateway(app, &app.fleet.gateways()[g], width, remedy),
        None => Vec::new(),
    }
}

fn field(label: &str) -> String {
    let pad = LABEL.saturating_sub(text::width(label)).max(1);
    format!("{label}{}", " ".repeat(pad))
}

fn row(app: &App, e: &Entry, g: &Gateway, width: usize, remedy: Remedy) -> Vec<Row> {
    let lang = app.lang();
    let now = &app.now;
    let link = &e.row.link;
    let mut out = Vec::new();
    let place = Message::new(&w::DETAIL_PLACE).with("platform", g.view.spec.platform).with("gateway", g.view.id.as_str()).text(lang);
    let gap = width.saturating_sub(text::width(&tree::name(app, e)) + text::width(&place)).max(1);
    out.push(Row::one(tree::name(app, e), Role::Title).and(" ".repeat(gap), Role::Plain).and(place, Role::Dim));
    let (glyph, word, role) = tree::cell(e, lang);
    let mut head = format!("{glyph} {word}");
    if let Some(since) = link.since {
        let about = if since.exact(now) { "" } else { "≈" };
        head.push_str(&Message::new(&w::DETAIL_SINCE).with("age", format!("{about}{}", text::age(since.age(now)))).text(lang));
        head.push_str(&format!(" · {}", minute(since.wall.rfc3339())));
    }
    head.push_str(&format!(" · {}", source(link.source, lang)));
    out.push(Row::one(head, role));
    if link.witnesses.len() > 1 {
        for x in &link.witnesses {
            let seen = Message::new(&w::AGO).with("age", text::age(x.observed_at.age(now))).text(lang);
            out.push(Row::one(format!("  {}", field(source(x.source, lang))), Role::Dim).and(format!("{:<11}{seen}", x.says.as_str()), Role::Plain));
        }
        let taken = state::word(link.state).get(lang);
        let words = if link.differs() { &w::TAKEN_AS } else { &w::WITNESSES_AGREE };
        out.push(Row::one(format!("  {}", Message::new(words).with("state", taken).text(lang)), if link.differs() { Role::Warn } else { Role::Dim }));
    }
    out.push(Row::gap());
    let mut shown = None;
    if let Some(id) = &e.row.identity {
        let (label, value) = if text::is_number(id.as_str()) {
            (w::LABEL_NUMBER.get(lang), tree::number(app, e, id.as_str()))
        } else {
            (w::LABEL_IDENTITY.get(lang), id.to_string())
        };
        shown = Some((label, value.clone()));
        out.push(Row::one(field(label), Role::Dim).and(value, Role::Plain));
    }
    for t in &e.row.tokens {
        let m = Message::new(&w::TOKEN_LINE).with("fp", t.fingerprint.to_string()).with("n", t.length.to_string());
        let mut line = m.text(lang);
        if t.generation > 0 {
            line.push_str(&Message::new(&w::TOKEN_GENERATION).with("n", t.generation.to_string()).text(lang));
        }
        wrapped(&mut out, &field(w::LABEL_TOKEN.get(lang)), &line, width, Role::Plain);
        let refused = t.rejected || matches!(link.state, State::Refused | State::Expired);
        if let Some(life) = life(t, refused, now, lang) {
            wrapped(&mut out, &" ".repeat(LABEL), &life.0, width, life.1);
        }
    }
    if let Some(r) = &link.reason {
        let role = if r.code.is_problem() { Role::Warn } else { Role::Plain };
        wrapped(&mut out, &field(w::LABEL_REASON.get(lang)), &i18n::reason::full(r, lang), width, role);
        if let Some(remedy) = remedy(r, lang) {
            wrapped(&mut out, &field(w::LABEL_REMEDY.get(lang)), &remedy.replace('`', ""), width, Role::Plain);
        }
    }
    left_open(app, &mut out, width);
    note(app, e, &mut out, width);
    out.push(Row::one(field(w::LABEL_SERVER.get(lang)), Role::Dim).and(server(app, g), Role::Plain));
    for f in &e.row.facts {
        let value = fact(app, e, f);
        if shown.as_ref().is_some_and(|(label, said)| *label == f.label.get(lang) && *said == value) {
            // The identity is a fact too, for documents.
            continue;
        }
        if LABEL + text::width(&value) > width {
            wrapped(&mut out, &field(f.label.get(lang)), &value, width, Role::Plain);
        } else {
            out.push(Row::one(field(f.label.get(lang)), Role::Dim).and(value, Role::Plain));
        }
    }
    out.push(Row::gap());
    can(app, &mut out, width);
    out
}

/// What the row's note says besides its reason, whole: the column cuts it where a pane stands beside.
fn note(app: &App, e: &Entry, out: &mut Vec<Row>, width: usize) {
    let lang = app.lang();
    let mut say = |words: String| wrapped(out, &field(w::LABEL_NOTE.get(lang)), &words, width, Role::Info);
    if let Some(op) = app.op_on(&e.row.target()).filter(|op| op.phase != crate::domain::OpPhase::Ambiguous) {
        say(super::armed::progress(op, lang));
    }
    if let Some(n) = e.looping(app.now.boot_now()) {
        say(Message::new(&w::NOTE_LOOP).with("n", n.to_string()).text(lang));
    }
}

/// What was left open here, and the choice that a person has.
fn left_open(app: &App, out: &mut Vec<Row>, width: usize) {
    let lang = app.lang();
    for op in app.left_open() {
        let why = op.reason.as_ref().map_or_else(String::new, |r| i18n::reason::full(r, lang));
        let name = if app.hide_names { "····" } else { op.label.as_str() };
        let m = Message::new(&w::OPEN_WHAT).with("what", super::armed::verb(&op.action, lang)).with("name", name).with("why", why);
        wrapped(out, &field(w::LABEL_OPEN.get(lang)), &m.text(lang), width, Role::Bad);
        let waits = op.reason.as_ref().is_some_and(|r| r.code.passes());
        let words = match (op.spoilt(), waits) {
            (true, _) => &w::OPEN_DROP,
            (_, true) => &w::OPEN_WAITS,
            _ => &w::OPEN_DO,
        };
        let m = Message::new(words)
            .with("more", app.keymap.key(Act::More))
            .with("go", super::overlays::GO_ON.to_string())
            .with("drop", super::overlays::DROP.to_string());
        wrapped(out, &field(w::LABEL_REMEDY.get(lang)), &m.text(lang), width, Role::Plain);
    }
}

/// A fact's value, as it is drawn.
pub fn fact(app: &App, e: &Entry, f: &crate::domain::Fact) -> String {
    match &f.value {
        FactValue::Number(n) => tree::number(app, e, n.as_str()),
        _ => value(app, f),
    }
}

/// A token's life as a bar, what is left of it, and until when; in whole minutes, so that nothing ticks. `refused`: the platform
/// does not take it, whatever its life.
fn life(t: &TokenInfo, refused: bool, now: &Stamp, lang: Lang) -> Option<(String, Role)> {
    let dies = t.expires_at?;
    let Some(left) = left(t, now) else {
        let ago = text::age(Stamp::wall_only(dies).age(&Stamp::wall_only(now.wall)));
        return Some((Message::new(&w::TOKEN_OVER).with("age", ago).text(lang), Role::Bad));
    };
    if refused {
        // Its time is not over, and it is worth nothing all the same: no bar that looks like life.
        let m = Message::new(&w::TOKEN_REFUSED).with("time", until(dies.rfc3339(), now));
        return Some((format!("{} {}", text::bar(Duration::ZERO, left, 10), m.text(lang)), Role::Bad));
    }
    let whole = t.issued_at.map_or(left, |at| Stamp::wall_only(at).age(&Stamp::wall_only(dies)));
    let m = Message::new(&w::TOKEN_LIFE).with("left", text::left(left)).with("time", until(dies.rfc3339(), now));
    Some((format!("{} {}", text::bar(left, whole, 10), m.text(lang)), Role::Plain))
}

/// What is left of a token's life; `None` when it is over or has no end.
pub fn left(t: &TokenInfo, now: &Stamp) -> Option<Duration> {
    let ms = t.expires_at?.0.saturating_sub(now.wall.0);
    u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

/// `2026-11-15 09:14` of an RFC 3339 text, with its zone.
fn minute(rfc: String) -> String {
    rfc.get(..16).map_or(rfc.clone(), |s| format!("{}Z", s.replace('T', " ")))
}

/// The same without the day where that is today's.
pub fn until(rfc: String, now: &Stamp) -> String {
    let text = minute(rfc);
    let today = now.wall.rfc3339();
    let same = today.get(..10).and_then(|day| text.strip_prefix(day));
    same.map_or(text.clone(), |clock| clock.trim_start().to_owned())
}

fn server(app: &App, g: &Gateway) -> String {
    let lang = app.lang();
    let mut s = g.view.spec.name.to_owned();
    if let Some(v) = &g.view.facts.version {
        s.push_str(&format!(" {v}"));
    }
    s.push_str(" · ");
    s.push_str(
        match g.view.facts.feed {
            Feed::Events => &w::FEED_EVENTS,
            Feed::Polling => &w::FEED_POLLING,
            Feed::SomeEvents => &w::FEED_SOME,
        }
        .get(lang),
    );
    s
}

/// Why an action cannot be done, in one sentence.
pub fn why_not(not: &Not, lang: Lang) -> String {
    match not {
        // Keys stand in back quotes there; on the deck they need none.
        Not::Unsupported(m) | Not::NotNow(m) => m.text(lang).replace('`', ""),
        Not::ReadOnly => w::READ_ONLY.get(lang).to_owned(),
        Not::Locked => i18n::reason::VAULT_LOCKED.get(lang).to_owned(),
        Not::Trouble(r) => i18n::reason::full(r, lang),
        Not::Person(p) => p.words.text(lang),
    }
}

/// What a key does, in a column of its own: by cells, since a word may be of wide letters.
fn verb(act: Act, lang: Lang) -> String {
    let word = act.words().get(lang);
    format!("{word}{}", " ".repeat(11_usize.saturating_sub(text::width(word)).max(1)))
}

fn can(app: &App, out: &mut Vec<Row>, width: usize) {
    let (lang, Some(slot)) = (app.lang(), app.slot()) else { return };
    for (n, (act, action)) in [(Act::Pair, Action::Pair), (Act::Wipe, Action::Wipe), (Act::Regenerate, Action::Regenerate)].into_iter().enumerate() {
        let head = if n == 0 { field(w::LABEL_CAN.get(lang)) } else { " ".repeat(LABEL) };
        let key = format!("{head}{} {}", app.keymap.key(act), verb(act, lang));
        match app.can(slot, &action) {
            Ok(effect) => wrapped(out, &key, &effect.says.text(lang), width, Role::Plain),
            Err(not) => wrapped(out, &key, &why_not(&not, lang), width, Role::Dim),
        }
    }
    let verbs: Vec<String> = app.gateway().map_or(Vec::new(), |g| {
        let device = app.entry().is_some_and(|e| e.row.device.is_some());
        let fits = |v: &&VerbSpec| device || v.on != On::Device;
        g.view.spec.verbs.iter().filter(fits).map(|v| v.words.get(lang).to_owned()).collect()
    });
    if !verbs.is_empty() {
        let key = format!("{}{} {}", " ".repeat(LABEL), app.keymap.key(Act::More), verb(Act::More, lang));
        wrapped(out, &key, &verbs.join(" · "), width, Role::Plain);
    }
}

/// A fact's value; a number as it is.
fn value(app: &App, f: &Fact) -> String {
    let (lang, now) = (app.lang(), &app.now);
    match &f.value {
        FactValue::Text(t) if app.hide_names => "····".chars().take(t.as_str().len().max(1)).collect(),
        FactValue::Text(t) | FactValue::Number(t) => t.to_string(),
        FactValue::Count(n) => n.to_string(),
        // Something that is still to come has a date and no age.
        FactValue::At(s) if s.wall.0 > now.wall.0 => minute(s.wall.rfc3339()),
        FactValue::At(s) => Message::new(&w::AGO).with("age", text::age(s.age(now))).text(lang),
        FactValue::Flag(b) => if *b { i18n::common::YES.get(lang) } else { i18n::common::NO.get(lang) }.to_owned(),
    }
}

fn gateway(app: &App, g: &Gateway, width: usize, remedy: Remedy) -> Vec<Row> {
    let lang = app.lang();
    let link = &g.view.link;
    let mut out = vec![Row::one(g.view.id.as_str(), Role::Title).and("  ", Role::Plain).and(server(app, g), Role::Dim)];
    let mut head = format!("{} {}", paint::glyph(link.state), state::word(link.state).get(lang));
    if let Some(since) = link.since {
        head.push_str(&Message::new(&w::DETAIL_SINCE).with("age", text::age(since.age(&app.now))).text(lang));
    }
    out.push(Row::one(head, paint::role(link.state)));
    out.push(Row::gap());
    if let Some(r) = &link.reason {
        wrapped(&mut out, &field(w::LABEL_REASON.get(lang)), &i18n::reason::full(r, lang), width, Role::Warn);
        if let Some(remedy) = remedy(r, lang) {
            wrapped(&mut out, &field(w::LABEL_REMEDY.get(lang)), &remedy.replace('`', ""), width, Role::Plain);
        }
    }
    left_open(app, &mut out, width);
    for s in State::ALL.into_iter().filter(|s| g.count(*s) > 0) {
        out.push(Row::one(format!("  {} {:<3} {}", paint::glyph(s), g.count(s), state::word(s).get(lang)), paint::role(s)));
    }
    if !g.view.facts.figures.is_empty() || !g.view.facts.rights.is_empty() {
        out.push(Row::gap());
    }
    for f in &g.view.facts.figures {
        out.push(Row::one(field(f.label.get(lang)), Role::Dim).and(value(app, f), Role::Plain));
    }
    for m in &g.view.facts.rights {
        wrapped(&mut out, "", &m.text(lang), width, Role::Dim);
    }
    for m in &g.view.facts.warnings {
        wrapped(&mut out, "⚠ ", &m.text(lang), width, Role::Warn);
    }
    if g.view.plaintext {
        wrapped(&mut out, "⚠ ", w::PLAINTEXT.get(lang), width, Role::Warn);
    }
    out
}

/// One line for narrow screens: name, state, reason or token, and that Enter shows more.
pub fn peek(app: &App, frame: &mut Frame, area: Rect) {
    let lang = app.lang();
    let mut say = String::new();
    if let Some(e) = app.entry() {
        let (_, word, _) = tree::cell(e, lang);
        say = format!("{}  {word}", tree::name(app, e));
        if let Some(since) = e.row.link.since {
            say.push_str(&Message::new(&w::DETAIL_SINCE).with("age", text::age(since.age(&app.now))).text(lang));
        }
        say.push_str(w::STOP.get(lang));
        if let Some(r) = &e.row.link.reason {
            say.push_str(&i18n::reason::sentence(r, lang));
            if let Some(remedy) = i18n::reason::remedy_sentence(r, lang) {
                say.push(' ');
                say.push_str(&remedy.replace('`', ""));
            }
        } else if let Some(t) = e.row.tokens.first() {
            say.push_str(&Message::new(&w::PEEK_TOKEN).with("fp", t.fingerprint.to_string()).text(lang));
        }
    } else if let Some(g) = app.gateway() {
        say = g.view.link.reason.as_ref().map_or_else(|| format!("{}  {}", g.view.id, server(app, g)), |r| i18n::reason::full(r, lang));
    }
    let buf = frame.buffer_mut();
    let key = app.keymap.key(Act::Open);
    let end = area.width.saturating_sub(u16::try_from(text::width(&key)).unwrap_or(0) + 1);
    paint::put_in(buf, area, 1, end, &say, app.theme.style(Role::Plain));
    paint::put(buf, area, end + 1, &key, app.theme.style(Role::Dim));
}

//! Forms and questions: add, pair, marks, names, the vault; and the welcome screen.

use crate::{
    domain::Method,
    i18n::{self, Message, deck as w},
    providers::form::For,
    store::config,
    tui::{
        app::App,
        keymap::Act,
        overlay::{AddForm, AnswerForm, PairForm, Question, UnlockForm},
        text,
        theme::Role,
        view::{
            armed::verb,
            paint,
            panel::{Panel, Row, inner_width, wrapped},
        },
    },
};
use ratatui::{Frame, layout::Rect};

fn label(s: &str) -> String {
    format!("{s}{}", " ".repeat(9usize.saturating_sub(text::width(s)).max(1)))
}

/// The form that adds a gateway.
pub(super) fn add(app: &App, f: &AddForm) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    // Labels of one width, so that the fields stand below each other.
    let widest = f.fields.iter().map(|(a, _)| text::width(a.label(lang)) + 1).max().unwrap_or(0).max(9);
    let label = |s: &str| format!("{s}{}", " ".repeat(widest.saturating_sub(text::width(s)).max(1)));
    let chosen = app.opts.kinds.get(f.kind);
    let mut rows = vec![kinds(app, f, &label(w::ADD_KIND.get(lang)), width)];
    // What is taken where nothing is typed.
    let usual = chosen.and_then(|k| config::default_url(k.kind));
    let mut cursor = (0, 0);
    let mut fields = vec![(w::ADD_NAME.get(lang), &f.name, None)];
    fields.extend(f.fields.iter().map(|(a, field)| (a.label(lang), field, usual.filter(|_| a.of == For::Url))));
    fields.extend(f.passphrase.iter().flat_map(|p| [(w::ADD_SEAL.get(lang), p, None), (w::ADD_AGAIN.get(lang), &f.again, None)]));
    for (n, (name, field, usual)) in fields.into_iter().enumerate() {
        if f.at == n + 1 {
            cursor = (rows.len(), text::width(&label(name)) + field.cursor());
        }
        let row = Row::one(label(name), Role::Dim);
        rows.push(match usual.filter(|_| field.is_empty()) {
            Some(usual) => row.and(usual, Role::Dim),
            None => row.and(field.shown(), Role::Plain),
        });
    }
    rows.push(Row::gap());
    if f.asking {
        rows.push(Row::one(w::ADD_ASKING.get(lang), Role::Info));
    }
    match &f.check {
        Some(c) => {
            for (fine, m) in &c.lines {
                let (glyph, role) = if *fine { ("✓ ", Role::Plain) } else { ("✗ ", Role::Bad) };
                wrapped(&mut rows, glyph, &m.text(lang), width, role);
            }
            if let Some(r) = &c.trouble {
                wrapped(&mut rows, "✗ ", &i18n::reason::full(r, lang), width, Role::Bad);
                if let Some(remedy) = i18n::reason::remedy_sentence(r, lang) {
                    wrapped(&mut rows, "  ", &remedy.replace('`', ""), width, Role::Plain);
                }
            }
        }
        None if !f.asking => wrapped(&mut rows, "", hint(app, f), width, Role::Dim),
        None => {}
    }
    Panel { title: w::ADD_TITLE.get(lang).to_owned(), rows, keys: w::ADD_KEYS.get(lang).to_owned(), cursor: Some(cursor), ..Panel::default() }
}

/// What the line that has the focus wants, in full; else what the kind's secret is.
fn hint(app: &App, f: &AddForm) -> &'static str {
    let lang = app.lang();
    let has = |of: fn(For) -> bool| f.fields.iter().any(|(field, _)| of(field.of));
    if has(|of| matches!(of, For::Given { .. })) {
        return f.at.checked_sub(2).and_then(|n| f.fields.get(n)).map_or("", |(field, _)| field.words.get(lang));
    }
    if has(|of| of == For::Own("user")) {
        return i18n::add::HINT_USER.get(lang);
    }
    let spec = app.opts.kinds.get(f.kind).and_then(|k| k.account_secrets.first().or(k.secrets.first()));
    spec.map_or(w::ADD_KEY.get(lang), |s| s.words.get(lang))
}

/// The kinds in one line, the chosen one always in it: what does not fit before it is left out.
fn kinds(app: &App, f: &AddForm, head: &str, width: usize) -> Row {
    let all: Vec<(String, Role)> = app.opts.kinds.iter().enumerate().map(|(n, k)| kind(k.name, n == f.kind)).collect();
    let wide = |from: usize| all.iter().take(f.kind + 1).skip(from).map(|(t, _)| text::width(t)).sum::<usize>();
    let room = width.saturating_sub(text::width(head) + 2);
    let from = (0..f.kind).find(|n| wide(*n) <= room).unwrap_or(f.kind);
    let row = Row::one(head, Role::Dim).and(if from > 0 { "… " } else { "" }, Role::Dim);
    all.into_iter().skip(from).fold(row, |row, (text, role)| row.and(text, role))
}

fn kind(name: &str, chosen: bool) -> (String, Role) {
    if chosen { (format!("‹{name}› "), Role::Title) } else { (format!(" {name}  "), Role::Dim) }
}

/// Method and number, before any request.
pub(super) fn pair(app: &App, f: &PairForm) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let name = if app.hide_names { "····" } else { f.label.as_str() };
    let methods = app.fleet.gateway(&f.target.gateway).map_or(&[][..], |g| g.view.spec.methods);
    let typed_here = |method| methods.iter().any(|m| m.method == method && m.typed_here);
    let mut rows = Vec::new();
    for (n, (method, _)) in f.methods.iter().enumerate() {
        let words = match method {
            Method::Qr => &w::PAIR_BY_QR,
            Method::Code if typed_here(*method) => &w::PAIR_BY_TYPED,
            Method::Code => &w::PAIR_BY_CODE,
        };
        let mut row =
            Row::one(if n == f.pick { "● " } else { "○ " }, Role::Plain).and(words.get(lang), if n == f.pick { Role::Title } else { Role::Plain });
        if *method == Method::Qr && !fits(app) {
            let (cols, lines) = app.opts.qr_least;
            let m = Message::new(&w::QR_TOO_BIG).with("need", format!("{cols}x{lines}")).with("have", format!("{}x{}", app.size.0, app.size.1));
            row = row.and("  ", Role::Plain).and(m.text(lang), Role::Warn);
        }
        rows.push(row);
    }
    let mut cursor = None;
    if f.method().is_some_and(|(_, needs)| needs) {
        rows.push(Row::gap());
        let head = label(w::LABEL_NUMBER.get(lang));
        cursor = Some((rows.len(), text::width(&head) + f.number.cursor()));
        let shown = f.number.shown();
        let shown = if app.hide_names { "·".repeat(text::width(&shown)) } else { shown };
        rows.push(Row::one(head, Role::Dim).and(shown, Role::Plain));
        wrapped(&mut rows, "", w::PAIR_NUMBER_HINT.get(lang), width, Role::Dim);
    }
    if let Some(t) = &f.trouble {
        wrapped(&mut rows, "✗ ", t, width, Role::Bad);
    }
    if f.switch {
        wrapped(&mut rows, "⚠ ", w::PAIR_SWITCH.get(lang), width, Role::Warn);
    }
    Panel {
        title: Message::new(&w::PAIR_TITLE).with("name", name).text(lang),
        rows,
        keys: w::PAIR_KEYS.get(lang).to_owned(),
        cursor,
        ..Panel::default()
    }
}

/// Whether the smallest QR fits.
pub(crate) fn fits(app: &App) -> bool {
    app.size.0 >= app.opts.qr_least.0 && app.size.1 >= app.opts.qr_least.1
}

/// One question for several rows.
pub(super) fn question(app: &App, q: &Question) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let n = q.targets.len().to_string();
    let mut rows = vec![Row::one(Message::new(&w::QUESTION).with("what", verb(&q.action, lang)).with("n", &n).text(lang), Role::Title), Row::gap()];
    if !app.hide_names {
        let names: Vec<&str> = q.targets.iter().take(12).map(|(_, l)| l.as_str()).collect();
        wrapped(&mut rows, "  ", &names.join("  "), width, Role::Plain);
    }
    for (what, n) in &q.loses {
        wrapped(&mut rows, &format!("  {n:>3}  "), what, width, Role::Warn);
    }
    for (name, why) in &q.left_out {
        let name = if app.hide_names { "····" } else { name.as_str() };
        rows.push(Row::one(Message::new(&w::QUESTION_NOT).with("name", name).with("why", why).text(lang), Role::Dim));
    }
    if q.hidden > 0 {
        rows.push(Row::one(Message::new(&w::QUESTION_HIDDEN).with("n", q.hidden.to_string()).text(lang), Role::Warn));
    }
    if q.online > 0 {
        rows.push(Row::one(Message::new(&w::QUESTION_ONLINE).with("n", q.online.to_string()).text(lang), Role::Warn));
    }
    rows.push(Row::gap());
    let mut cursor = None;
    if q.count_typed {
        let ask = Message::new(&w::QUESTION_TYPE).with("n", &n).text(lang);
        cursor = Some((rows.len(), text::width(&ask) + 1 + q.field.cursor()));
        rows.push(Row::one(format!("{ask} "), Role::Title).and(q.field.text(), Role::Plain));
    } else {
        rows.push(Row::one(w::QUESTION_ENTER.get(lang), Role::Title));
    }
    Panel { title: w::QUESTION_TITLE.get(lang).to_owned(), rows, cursor, ..Panel::default() }
}

/// The vault's passphrase.
pub(super) fn unlock(app: &App, f: &UnlockForm) -> Panel {
    let lang = app.lang();
    let ask = w::UNLOCK_ASK.get(lang);
    let cursor = Some((0, text::width(ask) + 1 + f.field.cursor()));
    let mut rows = vec![Row::one(format!("{ask} "), Role::Dim).and(f.field.shown(), Role::Plain)];
    if f.asking {
        rows.push(Row::one(w::UNLOCK_TRYING.get(lang), Role::Info));
    } else if let Some(why) = &f.trouble {
        wrapped(&mut rows, "✗ ", &i18n::reason::sentence(why, lang), inner_width(app, false), Role::Bad);
    }
    rows.push(Row::one(w::UNLOCK_KEYS.get(lang), Role::Dim));
    Panel { title: w::UNLOCK_TITLE.get(lang).to_owned(), rows, cursor, ..Panel::default() }
}

/// The question of a running action.
pub(super) fn answer(app: &App, f: &AnswerForm) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let mut rows = Vec::new();
    wrapped(&mut rows, "", &f.prompt.words.text(lang), width, Role::Plain);
    let plain = matches!(f.prompt.kind, crate::domain::PromptKind::Password);
    if let Some(beside) = f.prompt.beside() {
        wrapped(&mut rows, "", &beside.text(lang), width, if plain { Role::Dim } else { Role::Warn });
    }
    if let Some(again) = f.prompt.again() {
        wrapped(&mut rows, "", &again.text(lang), width, Role::Warn);
    }
    rows.push(Row::gap());
    let cursor = Some((rows.len(), 2 + f.field.cursor()));
    rows.push(Row::one("> ", Role::Dim).and(f.field.shown(), if f.field.masked { Role::Secret } else { Role::Plain }));
    Panel { title: f.title.clone(), rows, cursor, keys: w::ANSWER_KEYS.get(lang).to_owned(), ..Panel::default() }
}

/// What stands where the rows would be when there is no gateway yet.
pub fn welcome(app: &App, frame: &mut Frame, area: Rect) {
    let lang = app.lang();
    let width = usize::from(area.width.saturating_sub(4)).max(8);
    let mut rows = vec![Row::one(w::WELCOME.get(lang), Role::Title), Row::gap()];
    wrapped(&mut rows, &format!("{}  ", app.keymap.key(Act::Add)), w::WELCOME_ADD.get(lang), width, Role::Plain);
    wrapped(&mut rows, "$  ", w::WELCOME_DEMO.get(lang), width, Role::Plain);
    wrapped(&mut rows, "?  ", w::WELCOME_HELP.get(lang), width, Role::Plain);
    if let Some(path) = &app.opts.config_path {
        rows.push(Row::gap());
        wrapped(&mut rows, "", &Message::new(&w::WELCOME_CONFIG).with("path", path.display().to_string()).text(lang), width, Role::Dim);
    }
    wrapped(&mut rows, "", w::WELCOME_SECRETS.get(lang), width, Role::Dim);
    let buf = frame.buffer_mut();
    for (n, row) in rows.iter().enumerate() {
        let line = paint::line(area, u16::try_from(n + 1).unwrap_or(u16::MAX));
        let mut x = 2;
        for (piece, role) in &row.0 {
            x = paint::put(buf, line, x, piece, app.theme.style(*role));
        }
    }
}

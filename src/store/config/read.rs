//! Walks the parsed file, table by table, and gathers every mistake instead of stopping at the first.

use super::{
    Ambiguous, Config, ConfigError, ConfigErrors, Gateway, KINDS, KeyLine, account_read, clock, error::place, langbot, mirrors, shared,
    telegram_read, values, wukongim_read,
};
use crate::i18n::{Lang, Message, Words, store as words};
use std::{ops::Range, path::Path};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A key, where it stands, and its value.
pub(super) type Key<'a> = (&'a str, Range<usize>, &'a Spanned<DeValue<'a>>);

/// What is being read, and what was wrong so far.
pub(super) struct Reader<'a> {
    text: &'a str,
    errors: Vec<(usize, ConfigError)>,
}

impl<'a> Reader<'a> {
    /// Notes a mistake at byte `at`.
    pub(super) fn wrong(&mut self, at: usize, key: &str, what: Message) -> &mut ConfigError {
        let (line, column) = place(self.text, at);
        let error = ConfigError { line, column, key: key.to_owned(), what, expected: None, example: None, remedy: None };
        self.errors.push((at, error));
        let last = self.errors.len() - 1;
        &mut self.errors[last].1
    }

    /// A value of another type than `expected`.
    pub(super) fn mistyped(&mut self, v: &Spanned<DeValue<'_>>, key: &str, expected: Message, example: &str) {
        let found = match v.get_ref() {
            DeValue::String(_) => &words::CONFIG_A_TEXT,
            DeValue::Integer(_) => &words::CONFIG_A_NUMBER,
            DeValue::Float(_) => &words::CONFIG_A_FRACTION,
            DeValue::Boolean(_) => &words::CONFIG_A_BOOL,
            DeValue::Datetime(_) => &words::CONFIG_A_DATE,
            DeValue::Array(_) => &words::CONFIG_A_LIST,
            DeValue::Table(_) => &words::CONFIG_A_TABLE,
        };
        let e = self.wrong(v.span().start, key, Message::new(found));
        (e.expected, e.example) = (Some(expected), Some(example.to_owned()));
    }

    pub(super) fn text_of(&mut self, v: &'a Spanned<DeValue<'a>>, key: &str, example: &str) -> Option<(&'a str, usize)> {
        match v.get_ref() {
            DeValue::String(s) => Some((s, v.span().start)),
            _ => {
                self.mistyped(v, key, Message::new(&words::CONFIG_TEXT), example);
                None
            }
        }
    }

    pub(super) fn bool_of(&mut self, v: &Spanned<DeValue<'_>>, key: &str, example: &str) -> Option<bool> {
        let found = v.get_ref().as_bool();
        if found.is_none() {
            self.mistyped(v, key, Message::new(&words::CONFIG_BOOL), example);
        }
        found
    }

    pub(super) fn number_of(&mut self, v: &Spanned<DeValue<'_>>, key: &str, range: std::ops::RangeInclusive<u32>, example: &str) -> Option<u32> {
        let expected = Message::new(&words::CONFIG_WHOLE).with("lo", range.start().to_string()).with("hi", range.end().to_string());
        let DeValue::Integer(n) = v.get_ref() else {
            self.mistyped(v, key, expected, example);
            return None;
        };
        let found = u32::from_str_radix(n.as_str(), n.radix()).ok().filter(|n| range.contains(n));
        if found.is_none() {
            let e = self.wrong(v.span().start, key, Message::new(&words::CONFIG_BAD_VALUE));
            (e.expected, e.example) = (Some(expected), Some(example.to_owned()));
        }
        found
    }

    pub(super) fn choice<T: Copy>(&mut self, v: &'a Spanned<DeValue<'a>>, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|c| c.0).collect();
        let leaf = key.rsplit('.').next().unwrap_or(key);
        let example = format!("{leaf} = \"{}\"", names.first().copied().unwrap_or_default());
        let (text, at) = self.text_of(v, key, &example)?;
        let found = choices.iter().find(|c| c.0 == text).map(|c| c.1);
        if found.is_none() {
            let e = self.wrong(at, key, Message::new(&words::CONFIG_BAD_VALUE));
            (e.expected, e.example) = (Some(Message::new(&words::CONFIG_ONE_OF).with("names", names.join(", "))), Some(example));
        }
        found
    }

    pub(super) fn table_of(&mut self, (name, _, v): &Key<'a>, example: &str) -> Option<&'a DeTable<'a>> {
        match v.get_ref() {
            DeValue::Table(t) => Some(t),
            _ => {
                self.mistyped(v, name, Message::new(&words::CONFIG_TABLE), example);
                None
            }
        }
    }

    /// A key that no table here knows: perhaps a secret, perhaps a slip.
    pub(super) fn unknown(&mut self, at: usize, path: &str, name: &str, known: &[&str], what: &'static Words, gateway: Option<&str>) {
        let key = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if values::looks_secret(name) {
            let remedy = Message::new(&words::CONFIG_SECRET_DO).with("name", gateway.unwrap_or("NAME"));
            self.wrong(at, &key, Message::new(&words::CONFIG_SECRET_KEY)).remedy = Some(remedy);
            return;
        }
        let near = values::nearest(name, known);
        let e = self.wrong(at, &key, Message::new(what));
        e.expected = Some(Message::new(&words::CONFIG_ONE_OF).with("names", known.join(", ")));
        e.remedy = near.map(|n| Message::new(&words::CONFIG_DID_YOU_MEAN).with("name", n));
    }
}

/// The keys of a table in the order of the file (the map itself sorts by name).
pub(super) fn in_order<'a>(table: &'a DeTable<'a>) -> Vec<Key<'a>> {
    let mut keys: Vec<Key<'a>> = table.iter().map(|(k, v)| (k.get_ref().as_ref(), k.span(), v)).collect();
    keys.sort_by_key(|k| k.1.start);
    keys
}

/// Reads the whole file.
pub(super) fn read(text: &str, path: &Path) -> Result<Config, ConfigErrors> {
    let (table, broken) = DeTable::parse_recoverable(text);
    let mut r = Reader { text, errors: Vec::new() };
    let mut twice: Option<usize> = None;
    for e in &broken {
        let span = e.span().unwrap_or_default();
        let why = e.message().lines().next().unwrap_or_default().to_owned();
        if !why.starts_with("duplicate") {
            r.wrong(span.start, "", Message::new(&words::CONFIG_SYNTAX).with("why", why));
            continue;
        }
        // Every key of a table that stands twice is a duplicate: the table itself says enough.
        let follows = twice.is_some_and(|at| at < span.start && !text[at..span.start].contains("\n["));
        if !follows {
            let key = text.get(span.clone()).unwrap_or_default().trim().to_owned();
            r.wrong(span.start, &key, Message::new(&words::CONFIG_TWICE));
            let line = text[..span.start].rfind('\n').map_or(0, |n| n + 1);
            twice = text[line..].starts_with('[').then_some(span.start);
        }
    }
    let mut config = Config { path: path.to_owned(), ..Config::default() };
    // After a syntax error the rest is a guess: what is said about it would mislead.
    if broken.is_empty() {
        walk(&mut r, table.get_ref(), &mut config);
    }
    if r.errors.is_empty() {
        mirrors::check(&mut r, table.get_ref(), &config);
        langbot::check(&mut r, table.get_ref(), &config);
    }
    if r.errors.is_empty() {
        beside(&mut config, path);
        return Ok(config);
    }
    r.errors.sort_by_key(|e| e.0);
    Err(ConfigErrors { path: path.to_owned(), errors: r.errors.into_iter().map(|e| e.1).collect() })
}

/// Files that a gateway names lie beside the configuration unless the path is whole.
fn beside(config: &mut Config, path: &Path) {
    let Some(dir) = path.parent() else { return };
    for g in &mut config.gateways {
        let slots = g.accounts.iter_mut().flat_map(|a| &mut a.telegram.slots).flat_map(|s| [Some(&mut s.file), s.pidfile.as_mut()]).flatten();
        for file in g.wukongim.uids_file.as_mut().into_iter().chain(g.telegram.server_keys.as_mut()).chain(slots) {
            *file = dir.join(&*file);
        }
    }
}

fn walk<'a>(r: &mut Reader<'a>, table: &'a DeTable<'a>, config: &mut Config) {
    for key in in_order(table) {
        match key.0 {
            "ui" => ui(r, &key, config),
            "arming" => arming(r, &key, config),
            "clock" => clock::clock(r, &key, config),
            "keys" => keys(r, &key, config),
            "shared" => shared::shared(r, &key, config),
            "gateway" => gateways(r, &key, config),
            other => r.unknown(key.1.start, "", other, &["ui", "arming", "clock", "keys", "shared", "gateway"], &words::CONFIG_UNKNOWN_TABLE, None),
        }
    }
}

fn ui<'a>(r: &mut Reader<'a>, key: &Key<'a>, config: &mut Config) {
    const KNOWN: &[&str] = &["lang", "theme", "ascii", "mouse", "bell", "ambiguous", "toast_seconds", "reveal_seconds"];
    let Some(table) = r.table_of(key, "[ui]") else { return };
    let ui = &mut config.ui;
    for (name, at, v) in in_order(table) {
        match name {
            "lang" => ui.lang = r.choice(v, "ui.lang", &[("auto", None), ("en", Some(Lang::En)), ("zh", Some(Lang::Zh))]).flatten(),
            "theme" => {
                if let Some((text, at)) = r.text_of(v, "ui.theme", "theme = \"dark\"") {
                    if text.trim().is_empty() || text.contains('\0') {
                        let e = r.wrong(at, "ui.theme", Message::new(&words::CONFIG_BAD_VALUE));
                        (e.expected, e.example) = (Some(Message::new(&words::CONFIG_TEXT)), Some("theme = \"dark\"".to_owned()));
                    }
                    ui.theme = Some(text.to_owned());
                }
            }
            "ascii" => ui.ascii = r.bool_of(v, "ui.ascii", "ascii = true").unwrap_or(ui.ascii),
            "mouse" => ui.mouse = r.bool_of(v, "ui.mouse", "mouse = false").unwrap_or(ui.mouse),
            "bell" => ui.bell = r.bool_of(v, "ui.bell", "bell = true").unwrap_or(ui.bell),
            "ambiguous" => {
                let choices = [("auto", Ambiguous::Auto), ("narrow", Ambiguous::Narrow), ("wide", Ambiguous::Wide)];
                ui.ambiguous = r.choice(v, "ui.ambiguous", &choices).unwrap_or_default();
            }
            "toast_seconds" => ui.toast_seconds = r.number_of(v, "ui.toast_seconds", 1..=60, "toast_seconds = 6").unwrap_or(6),
            "reveal_seconds" => ui.reveal_seconds = r.number_of(v, "ui.reveal_seconds", 1..=120, "reveal_seconds = 10").unwrap_or(10),
            other => r.unknown(at.start, "ui", other, KNOWN, &words::CONFIG_UNKNOWN_KEY, None),
        }
    }
}

fn arming<'a>(r: &mut Reader<'a>, key: &Key<'a>, config: &mut Config) {
    let Some(table) = r.table_of(key, "[arming]") else { return };
    for (name, at, v) in in_order(table) {
        match name {
            "swift_seconds" => config.arming.swift_seconds = r.number_of(v, "arming.swift_seconds", 0..=60, "swift_seconds = 3").unwrap_or(3),
            "hold_seconds" => config.arming.hold_seconds = r.number_of(v, "arming.hold_seconds", 5..=600, "hold_seconds = 15").unwrap_or(15),
            other => r.unknown(at.start, "arming", other, &["swift_seconds", "hold_seconds"], &words::CONFIG_UNKNOWN_KEY, None),
        }
    }
}

fn keys<'a>(r: &mut Reader<'a>, key: &Key<'a>, config: &mut Config) {
    let Some(table) = r.table_of(key, "[keys]") else { return };
    for (name, _, v) in in_order(table) {
        if let Some((text, at)) = r.text_of(v, &format!("keys.{name}"), &format!("{name} = \"ctrl-x\"")) {
            let (line, column) = place(r.text, at);
            config.keys.push(KeyLine { action: name.to_owned(), key: text.to_owned(), line, column });
        }
    }
}

fn gateways<'a>(r: &mut Reader<'a>, key: &Key<'a>, config: &mut Config) {
    let Some(table) = r.table_of(key, "[gateway.wa]") else { return };
    for key in in_order(table) {
        let name = key.0;
        if !values::is_name(name) {
            let e = r.wrong(key.1.start, &format!("gateway.{name}"), Message::new(&words::CONFIG_NAME));
            (e.expected, e.example) = (Some(Message::new(&words::CONFIG_NAME_EXPECTED)), Some("[gateway.wa-sp]".to_owned()));
        }
        let path = format!("gateway.{name}");
        match key.2.get_ref() {
            DeValue::Table(t) => config.gateways.extend(gateway(r, name, &path, key.1.start, t)),
            _ if values::looks_secret(name) => r.unknown(key.1.start, "gateway", name, &[], &words::CONFIG_UNKNOWN_KEY, None),
            _ => r.mistyped(key.2, &path, Message::new(&words::CONFIG_TABLE), "[gateway.wa]"),
        }
    }
}

fn gateway<'a>(r: &mut Reader<'a>, name: &str, path: &str, at: usize, table: &'a DeTable<'a>) -> Option<Gateway> {
    const KNOWN: &[&str] = &["kind", "url", "allow_plaintext", "ca_file", "events", "expect_timezone", "clock"];
    let (mut kind, mut url, mut plain) = (None, None, false);
    let (mut ca_file, mut events, mut zone, mut clock) = (None, true, None, None);
    let mut seen = Vec::new();
    let (mut im, mut addresses) = (super::WuKongIm::default(), Vec::new());
    // Which keys there are depends on the kind, wherever it stands.
    let kind_said = table.get("kind").and_then(|k| k.get_ref().as_str()).unwrap_or_default();
    let is_im = kind_said == "wukongim";
    let is_bot = kind_said == "langbot";
    let mut bot = super::LangBot::default();
    let is_tg = kind_said == "telegram";
    let mut tg = super::Telegram::default();
    let mut own = account_read::Found::default();
    let with_accounts = account_read::KEYS.iter().filter(|k| account_read::has(kind_said, k));
    let of_im = wukongim_read::KEYS.iter().filter(|_| is_im);
    let of_bot = langbot::KEYS.iter().filter(|_| is_bot);
    let of_tg = telegram_read::KEYS.iter().filter(|_| is_tg);
    let known: Vec<&str> = KNOWN.iter().chain(of_im).chain(of_bot).chain(of_tg).chain(with_accounts).copied().collect();
    for (key, span, v) in in_order(table) {
        let full = format!("{path}.{key}");
        seen.push(key);
        match key {
            "kind" => kind = r.choice(v, &full, &KINDS.iter().map(|k| (*k, *k)).collect::<Vec<_>>()),
            "url" if kind_said == "wecom-aibot" => {
                url = r.text_of(v, &full, "url = \"wss://bots.example.com\"").and_then(|(t, at)| Some((values::socket_url(r, t, at, &full)?, at)));
            }
            "url" => url = r.text_of(v, &full, "url = \"https://evo.example.com\"").and_then(|(t, at)| Some((values::url(r, t, at, &full)?, at))),
            "allow_plaintext" => plain = r.bool_of(v, &full, "allow_plaintext = true").unwrap_or(true),
            "ca_file" => ca_file = r.text_of(v, &full, "ca_file = \"/etc/ssl/our-ca.pem\"").map(|(t, _)| t.into()),
            "events" => events = r.choice(v, &full, &[("auto", true), ("off", false)]).unwrap_or(true),
            "expect_timezone" => zone = r.text_of(v, &full, "expect_timezone = \"UTC\"").and_then(|(t, at)| values::zone(r, t, at, &full)),
            "clock" => clock = clock::limits(r, v, &full),
            own if is_im && wukongim_read::KEYS.contains(&own) => wukongim_read::key(r, &mut im, own, v, &full, &mut addresses),
            own if is_bot && langbot::KEYS.contains(&own) => langbot::key(r, &mut bot, own, v, &full),
            own if is_tg && telegram_read::KEYS.contains(&own) => telegram_read::key(r, &mut tg, own, v, &full),
            alien if telegram_read::KEYS.contains(&alien) => {
                r.wrong(span.start, &full, Message::new(&words::CONFIG_OTHER_KIND).with("kind", "telegram"));
            }
            alien if langbot::KEYS.contains(&alien) => {
                r.wrong(span.start, &full, Message::new(&words::CONFIG_OTHER_KIND).with("kind", "langbot"));
            }
            alien if wukongim_read::KEYS.contains(&alien) => {
                r.wrong(span.start, &full, Message::new(&words::CONFIG_OTHER_KIND).with("kind", "wukongim"));
            }
            theirs if account_read::has(kind_said, theirs) && account_read::KEYS.contains(&theirs) => {
                account_read::key(r, &mut own, kind_said, &(key, span, v), &full);
            }
            alien if account_read::KEYS.contains(&alien) => {
                r.wrong(span.start, &full, Message::new(&words::CONFIG_OTHER_KIND).with("kind", account_read::kinds_with(alien)));
            }
            other => r.unknown(span.start, path, other, &known, &words::CONFIG_UNKNOWN_KEY, Some(name)),
        }
    }
    account_read::missing(r, &own, kind_said, &seen, at, path);
    let usual = account_read::default_url(kind_said).filter(|_| !seen.contains(&"url"));
    for (needed, example) in [("kind", "kind = \"evolution\""), ("url", "url = \"https://evo.example.com\"")] {
        if !(seen.contains(&needed) || needed == "url" && usual.is_some()) {
            r.wrong(at, &format!("{path}.{needed}"), Message::new(&words::CONFIG_MISSING)).example = Some(example.to_owned());
        }
    }
    if let Some((url, at)) = &url {
        addresses.push((url.clone(), *at, format!("{path}.url")));
    }
    for (url, at, key) in addresses {
        if !plain && values::is_plaintext_away(&url) {
            r.wrong(at, &key, Message::new(&words::CONFIG_PLAINTEXT)).remedy = Some(Message::new(&words::CONFIG_PLAINTEXT_DO));
        }
    }
    let url = usual.map(str::to_owned).or(url.map(|(url, _)| url))?;
    let kind = kind?.to_owned();
    Some(Gateway {
        name: name.to_owned(),
        kind,
        url,
        allow_plaintext: plain,
        ca_file,
        events,
        expect_timezone: zone,
        clock_limits: clock,
        wukongim: im,
        langbot: bot,
        corp_id: own.corp_id,
        accounts: own.accounts,
        telegram: tg,
    })
}

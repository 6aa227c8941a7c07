//! Reads what only a gateway of kind `wukongim` may say.

use super::{
    PlanLine, Reserved, WuKongIm,
    read::{Reader, in_order},
    values,
};
use crate::{
    domain::Clean,
    i18n::{Message, Words, store as words},
};
use toml::{Spanned, de::DeValue};

/// Its keys.
pub(super) const KEYS: &[&str] =
    &["uids", "uids_file", "manager_url", "flags", "reserved", "plan", "max_devices", "max_slaves", "business", "business_url"];

/// Flags that every server names itself.
const BUILT_IN: &[&str] = &["APP", "WEB", "PC", "SYSTEM"];

const UIDS: &str = "uids = [\"u1\", \"u2\"]";
const FLAGS: &str = "flags = { Android = 4, iOS = 5 }";
const RESERVED: &str = "reserved = [{ from = 10, to = 20, for = \"bots\" }]";
const PLAN: &str = "plan = [{ platform = \"iOS\", flag = 5, level = \"master\" }]";

/// Addresses that a gateway of this kind has besides its own, for the check of plain http, and where they stand.
pub(super) type Addresses = Vec<(String, usize, String)>;

/// Takes the key `name` of [`KEYS`], whose dotted path is `full`.
pub(super) fn key<'a>(r: &mut Reader<'a>, im: &mut WuKongIm, name: &str, v: &'a Spanned<DeValue<'a>>, full: &str, addresses: &mut Addresses) {
    match name {
        "uids" => (im.uids, im.all) = uids(r, v, full, UIDS),
        "business" => (im.business, im.business_all) = uids(r, v, full, "business = [\"u1\"]"),
        "uids_file" => {
            const EXAMPLE: &str = "uids_file = \"uids.txt\"";
            if let Some((text, at)) = r.text_of(v, full, EXAMPLE) {
                if text.trim().is_empty() || text.contains('\0') {
                    bad(r, at, full, Message::new(&words::CONFIG_TEXT), EXAMPLE);
                }
                im.uids_file = Some(text.into());
            }
        }
        "manager_url" => im.manager_url = address(r, v, full, "manager_url = \"https://im.example.com:5300\"", addresses),
        "business_url" => im.business_url = address(r, v, full, "business_url = \"https://app.example.com\"", addresses),
        "flags" => im.flags = flags(r, v, full),
        "reserved" => im.reserved = tables(r, v, full, RESERVED, reserved),
        "plan" => im.plan = plan(r, v, full),
        "max_devices" => im.max_devices = r.number_of(v, full, 1..=256, "max_devices = 4"),
        "max_slaves" => im.max_slaves = r.number_of(v, full, 0..=256, "max_slaves = 2"),
        _ => {}
    }
}

fn bad(r: &mut Reader<'_>, at: usize, key: &str, expected: Message, example: &str) {
    let e = r.wrong(at, key, Message::new(&words::CONFIG_BAD_VALUE));
    (e.expected, e.example) = (Some(expected), Some(example.to_owned()));
}

fn address<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str, example: &str, addresses: &mut Addresses) -> Option<String> {
    let (text, at) = r.text_of(v, full, example)?;
    let url = values::url_like(r, text, at, full, example)?;
    addresses.push((url.clone(), at, full.to_owned()));
    Some(url)
}

/// A list of uids, or `"all"`.
fn uids<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str, example: &str) -> (Vec<String>, bool) {
    let expected = || Message::new(&words::CONFIG_UIDS);
    let list = match v.get_ref() {
        DeValue::String(s) if s.as_ref() == "all" => return (Vec::new(), true),
        DeValue::String(_) => {
            bad(r, v.span().start, full, expected(), example);
            return (Vec::new(), false);
        }
        DeValue::Array(list) => list,
        _ => {
            r.mistyped(v, full, expected(), example);
            return (Vec::new(), false);
        }
    };
    let mut out = Vec::with_capacity(list.len());
    for item in list {
        match item.get_ref() {
            // The server takes no others (wukongim 2.2.5, recording user_token_special_uid).
            DeValue::String(s) if s.is_empty() || s.contains(['@', '#', '&']) => {
                bad(r, item.span().start, full, Message::new(&words::CONFIG_UID), example);
            }
            DeValue::String(s) => out.push(s.to_string()),
            _ => r.mistyped(item, full, expected(), example),
        }
    }
    (out, false)
}

fn flags<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Vec<(String, u8)> {
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_TABLE), FLAGS);
        return Vec::new();
    };
    let mut out: Vec<(String, u8)> = Vec::new();
    for (name, at, v) in in_order(table) {
        let key = format!("{full}.{name}");
        let Some(flag) = flag_of(r, v, &key, &format!("{name} = 4")) else { continue };
        let lower = name.to_lowercase();
        let mut wrong = |what: &'static Words| {
            let e = r.wrong(at.start, &key, Message::new(what));
            e.remedy = Some(Message::new(&words::CONFIG_DID_YOU_MEAN).with("name", format!("{lower}-{flag}")));
        };
        if BUILT_IN.iter().any(|b| b.eq_ignore_ascii_case(name)) {
            wrong(&words::CONFIG_FLAG_BUILT_IN);
        } else if name.bytes().all(|b| b.is_ascii_digit()) || Clean::new(name).as_str() != name || name.trim() != name {
            let e = r.wrong(at.start, &key, Message::new(&words::CONFIG_FLAG_NAME));
            e.example = Some(FLAGS.to_owned());
        } else if out.iter().any(|(n, _)| n.to_lowercase() == lower) {
            wrong(&words::CONFIG_TWICE);
        } else if let Some((other, _)) = out.iter().find(|(_, f)| *f == flag) {
            r.wrong(v.span().start, &key, Message::new(&words::CONFIG_FLAG_TWICE).with("name", other)).example = Some(FLAGS.to_owned());
        } else {
            out.push((name.to_owned(), flag));
        }
    }
    out
}

fn flag_of(r: &mut Reader<'_>, v: &Spanned<DeValue<'_>>, key: &str, example: &str) -> Option<u8> {
    r.number_of(v, key, 0..=255, example).and_then(|n| u8::try_from(n).ok())
}

type One<T> = for<'a> fn(&mut Reader<'a>, &'a Spanned<DeValue<'a>>, &str) -> Option<T>;

/// A list of tables, each read by `one`.
fn tables<'a, T>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str, example: &str, one: One<T>) -> Vec<T> {
    let DeValue::Array(list) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_TABLES), example);
        return Vec::new();
    };
    list.iter().filter_map(|item| one(r, item, full)).collect()
}

fn reserved<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Option<Reserved> {
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_TABLE), RESERVED);
        return None;
    };
    let (mut from, mut to, mut what, mut seen) = (None, None, None, Vec::new());
    for (name, at, v) in in_order(table) {
        let key = format!("{full}.{name}");
        seen.push(name);
        match name {
            "from" => from = flag_of(r, v, &key, RESERVED),
            "to" => to = flag_of(r, v, &key, RESERVED),
            "for" => what = r.text_of(v, &key, RESERVED).map(|(t, _)| t.to_owned()),
            other => r.unknown(at.start, full, other, &["from", "to", "for"], &words::CONFIG_UNKNOWN_KEY, None),
        }
    }
    missing(r, v, full, &seen, &["from", "to", "for"], RESERVED);
    let (from, to, what) = (from?, to?, what?);
    if from > to {
        bad(r, v.span().start, full, Message::new(&words::CONFIG_FROM_TO), RESERVED);
        return None;
    }
    Some(Reserved { from, to, what })
}

fn missing(r: &mut Reader<'_>, v: &Spanned<DeValue<'_>>, full: &str, seen: &[&str], needed: &[&str], example: &str) {
    if let Some(key) = needed.iter().find(|k| !seen.contains(k)) {
        let e = r.wrong(v.span().start, &format!("{full}.{key}"), Message::new(&words::CONFIG_MISSING));
        e.example = Some(example.to_owned());
    }
}

fn plan<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Vec<PlanLine> {
    let lines = tables(r, v, full, PLAN, plan_line);
    for (n, line) in lines.iter().enumerate() {
        let same = |l: &&PlanLine| l.flag == line.flag || l.platform.to_lowercase() == line.platform.to_lowercase();
        if let Some(other) = lines.iter().take(n).find(same) {
            let what = if other.flag == line.flag { &words::CONFIG_FLAG_TWICE } else { &words::CONFIG_TWICE };
            r.wrong(v.span().start, full, Message::new(what).with("name", &other.platform)).example = Some(PLAN.to_owned());
        }
    }
    lines
}

fn plan_line<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Option<PlanLine> {
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_TABLE), PLAN);
        return None;
    };
    let (mut platform, mut flag, mut master, mut seen) = (None, None, None, Vec::new());
    for (name, at, v) in in_order(table) {
        let key = format!("{full}.{name}");
        seen.push(name);
        match name {
            "platform" => {
                platform = r.text_of(v, &key, PLAN).and_then(|(t, at)| {
                    let fine = !t.trim().is_empty() && Clean::new(t).as_str() == t;
                    if !fine {
                        bad(r, at, &key, Message::new(&words::CONFIG_TEXT), PLAN);
                    }
                    fine.then(|| t.to_owned())
                });
            }
            "flag" => flag = flag_of(r, v, &key, PLAN),
            "level" => master = r.choice(v, &key, &[("master", true), ("slave", false)]),
            other => r.unknown(at.start, full, other, &["platform", "flag", "level"], &words::CONFIG_UNKNOWN_KEY, None),
        }
    }
    missing(r, v, full, &seen, &["platform", "flag", "level"], PLAN);
    Some(PlanLine { platform: platform?, flag: flag?, master: master? })
}

//! What may not be read on a screen while names are hidden: every name, id and number that was ever told to this deck.
//!
//! Names come to the screen by many ways: a row's own cell, but also the sentence of a reason, what a server answered, a toast of
//! an hour ago. So they are not hidden where they are written but where they are drawn: [`over`] stands in front of every brush,
//! before a text is cut or broken into lines, and replaces what the [`Veil`] knows while one is [`drawn_under`].

use super::app::App;
use crate::{
    domain::{Clean, Fact, FactValue, Reason, Row, Target, ids::TargetName},
    i18n::Message,
};
use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeSet, HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    rc::Rc,
    sync::LazyLock,
};

/// What stands in the place of a name.
pub const DOTS: &str = "····";
/// Digits in a row that are taken for somebody's number or id; a code that is shown to be typed has fewer.
const NUMBER: std::ops::RangeInclusive<usize> = 8..=20;
/// Letters of the longest way to write an address.
const LONGEST_ADDRESS: usize = 45;
/// Shorter names are not told from words and keys in a sentence; where a name has a place of its own it is hidden all the same.
const SHORTEST: usize = 3;
/// Placeholders of our sentences that stand for somebody.
const NAMES: [&str; 11] = ["label", "target", "account", "device", "slot", "bot", "number", "uid", "name", "names", "accounts"];
/// Names that are remembered at most: a server that makes up new ones every second does not fill the memory.
const MOST: usize = 300_000;

/// Names that were told, by their first letter and their length.
#[derive(Clone, Debug, Default)]
pub struct Veil {
    names: HashSet<Box<str>>,
    lengths: HashMap<char, BTreeSet<usize>>,
    /// What gateways are called, which is not hidden: a sentence that names one names nobody.
    gateways: HashSet<Box<str>>,
}

/// Every word of our own sentences: an account that is called like one does not blank the deck.
static OWN_WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let word = |s: &'static str| s.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    crate::i18n::all().flat_map(|w| word(w.en).chain(word(w.zh))).filter(|w| !is_number(w)).map(str::to_lowercase).collect()
});
static OWN_CHINESE: LazyLock<String> = LazyLock::new(|| crate::i18n::all().map(|w| w.zh).collect::<Vec<_>>().join("\n"));

fn is_number(word: &str) -> bool {
    NUMBER.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit())
}

/// True for what our own sentences say too.
fn ours(name: &str) -> bool {
    if name.is_ascii() { OWN_WORDS.contains(&name.to_lowercase()) } else { name.chars().count() < 4 && OWN_CHINESE.contains(name) }
}

impl Veil {
    /// Remembers a name.
    pub fn learn(&mut self, name: &str) {
        let name = name.trim();
        let short = if name.is_ascii() { name.len() < SHORTEST } else { name.chars().count() < 2 };
        if short || self.names.len() >= MOST || self.names.contains(name) {
            return;
        }
        let Some(first) = name.chars().next() else { return };
        self.lengths.entry(first).or_default().insert(name.len());
        self.names.insert(name.into());
    }

    /// What a gateway is called.
    pub fn leave(&mut self, gateway: &str) {
        self.gateways.insert(gateway.into());
    }

    /// Remembers what a row is called, and what it tells of whom it belongs to.
    pub fn learn_row(&mut self, row: &Row) {
        let ids = [
            Some(row.label.as_str()),
            Some(row.account.as_str()),
            row.device.as_ref().map(|d| d.as_str()),
            row.identity.as_ref().map(|i| i.as_str()),
        ];
        ids.into_iter().flatten().for_each(|name| self.learn(name));
        self.learn_facts(&row.facts);
        if let Some(why) = &row.link.reason {
            self.learn_reason(why);
        }
    }

    /// Remembers a target, whether a row of it is known or not.
    pub fn learn_target(&mut self, target: &Target) {
        self.learn(target.account.as_str());
        if let Some(device) = &target.device {
            self.learn(device.as_str());
        }
    }

    /// Remembers whom a reason names.
    pub fn learn_reason(&mut self, why: &Reason) {
        self.learn_args(&why.args);
    }

    /// Remembers whom a sentence names, and those in it.
    pub fn learn_message(&mut self, m: &Message) {
        self.learn_args(&m.args);
        m.nested.iter().for_each(|(_, inner)| self.learn_message(inner));
    }

    fn learn_args(&mut self, args: &[(Box<str>, Clean)]) {
        for (_, value) in args.iter().filter(|(name, _)| NAMES.contains(&&**name)) {
            for name in value.as_str().split(", ").filter(|name| !self.gateways.contains(*name)).map(str::to_owned).collect::<Vec<_>>() {
                // Either a name or a whole target; the gateway in it is none that is hidden.
                match TargetName::parse(&name).filter(|t| t.gateway.as_ref().is_some_and(|g| self.gateways.contains(g.as_str()))) {
                    Some(t) => [Some(t.account), t.device].into_iter().flatten().for_each(|name| self.learn(&name)),
                    None => self.learn(&name),
                }
            }
        }
    }

    /// Remembers what facts tell in words and digits.
    pub fn learn_facts(&mut self, facts: &[Fact]) {
        for fact in facts {
            if let FactValue::Text(t) | FactValue::Number(t) = &fact.value {
                self.learn(t.as_str());
            }
        }
    }

    /// The text with dots in the place of every name and number in it.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out: Option<String> = None;
        let (mut at, mut kept) = (0, 0);
        let mut before: Option<char> = None;
        while let Some(c) = text[at..].chars().next() {
            match self.at(text, at, before).or_else(|| number_at(text, at, before)).or_else(|| address_at(text, at, before)) {
                Some(len) => {
                    let out = out.get_or_insert_with(String::new);
                    out.push_str(&text[kept..at]);
                    out.push_str(DOTS);
                    at += len;
                    kept = at;
                    before = text[..at].chars().next_back();
                }
                None => {
                    at += c.len_utf8();
                    before = Some(c);
                }
            }
        }
        match out {
            None => Cow::Borrowed(text),
            Some(mut out) => {
                out.push_str(&text[kept..]);
                Cow::Owned(out)
            }
        }
    }

    /// Bytes of the longest name that stands at `at` as a whole.
    fn at(&self, text: &str, at: usize, before: Option<char>) -> Option<usize> {
        let first = text[at..].chars().next()?;
        if joins(before, Some(first)) {
            return None;
        }
        self.lengths.get(&first)?.iter().rev().copied().find(|len| {
            text.get(at..at + len)
                .is_some_and(|piece| !joins(piece.chars().next_back(), text[at + len..].chars().next()) && self.names.contains(piece) && !ours(piece))
        })
    }
}

impl App {
    /// What hides names, while they are hidden.
    pub fn veil(&self) -> Option<&Rc<Veil>> {
        self.hide_names.then_some(&self.fleet.veil)
    }
}

/// Whether two letters belong to one word. Chinese has no spaces between its words.
fn joins(a: Option<char>, b: Option<char>) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    letter(a) && letter(b)
}

/// Bytes of a phone number or of an id of digits that begins at `at`.
fn number_at(text: &str, at: usize, before: Option<char>) -> Option<usize> {
    let rest = &text[at..];
    let plus = usize::from(rest.starts_with('+'));
    let digits = rest[plus..].bytes().take_while(u8::is_ascii_digit).count();
    let whole = !joins(before, rest.chars().next()) && !joins(Some('0'), rest[plus + digits..].chars().next());
    (NUMBER.contains(&digits) && whole).then_some(plus + digits)
}

/// Bytes of a network address that begins at `at`. This machine's own names nobody.
fn address_at(text: &str, at: usize, before: Option<char>) -> Option<usize> {
    let rest = &text[at..];
    let inside = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    if before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':')) || !rest.starts_with(inside) {
        return None;
    }
    let foreign = |ip: IpAddr| !ip.is_loopback() && !ip.is_unspecified();
    let end = |allowed: fn(char) -> bool| rest.find(|c: char| !allowed(c)).unwrap_or(rest.len()).min(LONGEST_ADDRESS);
    let four = rest[..end(|c| c.is_ascii_digit() || c == '.')].trim_end_matches('.');
    if let Ok(ip) = four.parse::<Ipv4Addr>() {
        return (foreign(ip.into()) && !joins(Some('0'), rest[four.len()..].chars().next())).then_some(four.len());
    }
    let six = &rest[..end(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'))];
    let six = [six, six.trim_end_matches(['.', ':'])].into_iter().find(|s| s.parse::<Ipv6Addr>().is_ok_and(|ip| foreign(ip.into())))?;
    // `::` alone and the like are signs of a language rather than addresses.
    (six.len() > 4 && !joins(Some('0'), rest[six.len()..].chars().next())).then_some(six.len())
}

thread_local! {
    /// The veil of the picture that is being drawn. Views are many and a brush has no state; a picture is drawn by one thread.
    static DRAWN: RefCell<Option<Rc<Veil>>> = const { RefCell::new(None) };
}

/// Draws under a veil; without one everything is shown.
pub fn drawn_under<T>(veil: Option<&Rc<Veil>>, draw: impl FnOnce() -> T) -> T {
    /// Puts back what was before, also when drawing panics.
    struct Back(Option<Rc<Veil>>);
    impl Drop for Back {
        fn drop(&mut self) {
            let before = self.0.take();
            DRAWN.with(|d| drop(std::mem::replace(&mut *d.borrow_mut(), before)));
        }
    }
    let _back = Back(DRAWN.with(|d| std::mem::replace(&mut *d.borrow_mut(), veil.cloned())));
    draw()
}

/// A filter as it may be drawn: what names no state is dots, a cell a letter, since half a name is found too.
pub fn filter(line: &str) -> String {
    let hidden = DRAWN.with(|d| d.borrow().is_some());
    if !hidden {
        return line.to_owned();
    }
    let dots = |term: &str| "·".repeat(super::text::width(term));
    let term = |term: &str| if term.starts_with("state:") { term.to_owned() } else { dots(term) };
    line.split(' ').map(term).collect::<Vec<_>>().join(" ")
}

/// The text as it may be drawn now. To be asked before it is cut or wrapped: half a name is a name.
pub fn over(text: &str) -> Cow<'_, str> {
    let veil = DRAWN.with(|d| d.borrow().clone());
    match veil {
        Some(veil) => Cow::Owned(veil.hide(text).into_owned()),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn veil() -> Veil {
        let mut veil = Veil::default();
        for name in ["lapa", "lapa-line", "Loja Centro", "客服一号", "online", "ab", "在线"] {
            veil.learn(name);
        }
        veil
    }

    #[test]
    fn names_and_numbers_are_hidden_wherever_they_stand_in_a_sentence() {
        for (text, shown) in [
            ("can't log out instance: lapa-line]", "can't log out instance: ····]"),
            ("lapa: wiped; was Loja Centro.", "····: wiped; was ····."),
            ("已清除客服一号。", "已清除····。"),
            ("5511987650042:12@s.whatsapp.net", "····:12@s.whatsapp.net"),
            ("call +351912345903", "call ····"),
        ] {
            assert_eq!(veil().hide(text), shown);
        }
    }

    #[test]
    fn network_addresses_are_hidden_but_not_those_of_this_machine_and_not_what_only_looks_like_one() {
        for (text, shown) in [
            ("not from your ip 203.0.113.9, add it", "not from your ip ····, add it"),
            ("203.0.113.9:51234.", "····:51234."),
            ("from 2001:db8::17:a", "from ····"),
            ("[2001:db8::17]:443", "[····]:443"),
            ("来自203.0.113.9的请求", "来自····的请求"),
        ] {
            assert_eq!(veil().hide(text), shown);
        }
        for text in ["http://127.0.0.1:8080", "WuKongIM 2.2.5", "v1.2.3.4.5", "at 09:14:22", "a::b", "[::1]:80", "300.1.2.3"] {
            assert_eq!(veil().hide(text), text);
        }
    }

    #[test]
    fn words_of_the_deck_and_parts_of_words_stay_even_if_somebody_is_called_so() {
        for text in ["● online 3 of 4", "lapasso", "tab ab", "在线", "code 1234-5678", "2026-11-15 09:14Z", "token fp a1b2c3d4e5f60718"] {
            assert_eq!(veil().hide(text), text);
        }
    }

    #[test]
    fn only_what_is_drawn_under_the_veil_is_hidden() {
        let veil = Rc::new(veil());
        assert_eq!(drawn_under(Some(&veil), || over("lapa").into_owned()), DOTS);
        assert_eq!(over("lapa"), "lapa");
    }
}

//! Rows as sentences, and which number belongs to which.

use super::{age, spoken};
use crate::{
    domain::{Reason, Target},
    i18n::{self, Lang, Message, plain as w, state},
    tui::{
        app::App,
        fleet::{Entry, Slot},
        view::{detail, tree},
    },
};

/// Keys of the drawn deck that may be typed here too, alone or behind a row's number.
const TYPED: &str = "pwrmtuUc";

/// Rows that a list says without being asked for all.
const FIRST: usize = 40;

/// The numbers as last said, from 1.
#[derive(Default)]
pub(super) struct Numbers(Vec<Target>);

impl Numbers {
    /// The row with that number.
    pub(super) fn target(&self, n: usize) -> Option<&Target> {
        self.0.get(n.checked_sub(1)?)
    }

    /// The number of a row; a new one at the end if it had none.
    fn of(&mut self, target: Target) -> usize {
        match self.0.iter().position(|t| *t == target) {
            Some(at) => at + 1,
            None => {
                self.0.push(target);
                self.0.len()
            }
        }
    }

    /// Lists anew: problems first. `what`: nothing for the first rows, `all`, or a word that a row must hold.
    pub(super) fn list(&mut self, app: &App, what: Option<&str>) -> Vec<String> {
        let mut all: Vec<Slot> = app.fleet.iter().filter(|(_, e)| !e.gone).map(|(s, _)| s).collect();
        let place = |e: &Entry| (e.row.link.state.rank(), app.fleet.gateways()[e.gateway].view.rank, name(app, e));
        all.sort_by_cached_key(|s| app.fleet.get(*s).map(place));
        let word = what.filter(|w| *w != "all").map(str::to_lowercase);
        let most = if what.is_some() { usize::MAX } else { FIRST };
        self.0.clear();
        let (mut out, mut left) = (Vec::new(), 0);
        for e in all.into_iter().filter_map(|s| app.fleet.get(s)) {
            if out.len() >= most {
                left += 1;
                continue;
            }
            let line = sentence(app, e, self.0.len() + 1);
            if word.as_ref().is_none_or(|w| line.to_lowercase().contains(w)) {
                self.0.push(e.row.target());
                out.push(line);
            }
        }
        if left > 0 {
            out.push(Message::new(&w::MORE).with("n", left.to_string()).text(app.lang()));
        } else if out.is_empty() && word.is_some() {
            out.push(w::NONE.get(app.lang()).to_owned());
        }
        out
    }

    /// One row with its number.
    pub(super) fn line(&mut self, app: &App, slot: Slot) -> Option<String> {
        let e = app.fleet.get(slot)?;
        let n = self.of(e.row.target());
        Some(sentence(app, e, n))
    }
}

/// The name of a row; a device follows its account.
pub(super) fn name(app: &App, e: &Entry) -> String {
    let own = tree::name(app, e);
    if e.row.device.is_none() {
        return own;
    }
    let account = app.fleet.find(&Target::account(&e.row.gateway, &e.row.account)).and_then(|s| app.fleet.get(s));
    account.map_or_else(|| own.clone(), |a| format!("{} {own}", tree::name(app, a)))
}

/// What to do: by the keys that a line can hold, else by the command that does it at a shell.
pub(super) fn remedy(reason: &Reason, lang: Lang) -> Option<String> {
    let words = i18n::reason::remedy_words(reason)?;
    let mut keys = words.get(Lang::En).split('`').skip(1).step_by(2);
    let elsewhere = |key: &str| key == "Enter" || (key.chars().count() == 1 && !TYPED.contains(key));
    let words = if keys.any(elsewhere) { i18n::shell::remedy_words(reason)? } else { words };
    Some(words.fill(lang, &reason.args))
}

/// `Logged out, usually from the phone. [401] p pair it again.`
pub(super) fn why(reason: &Reason, app: &App) -> String {
    let mut text = i18n::reason::full(reason, app.lang());
    if let Some(remedy) = remedy(reason, app.lang()) {
        text.push(' ');
        text.push_str(&remedy);
    }
    spoken(&text)
}

/// The state of a row as a word; of one that nobody confirms, what it was.
pub(super) fn state_word(app: &App, e: &Entry) -> String {
    let word = tree::cell(e, app.lang()).1;
    if app.fleet.gateways()[e.gateway].stale() { Message::new(&w::STALE_ROW).with("state", word).text(app.lang()) } else { word }
}

/// `3. shop-b, logged out, 12 minutes, WhatsApp on wa-sp.` and why, and what to do.
fn sentence(app: &App, e: &Entry, n: usize) -> String {
    let g = &app.fleet.gateways()[e.gateway].view;
    let link = &e.row.link;
    let words = if link.since.is_some() { &w::ROW } else { &w::ROW_NO_AGE };
    let m = Message::new(words)
        .with("n", n.to_string())
        .with("name", name(app, e))
        .with("state", state_word(app, e))
        .with("age", link.since.map_or_else(String::new, |s| age(s.age(&app.now), app.lang())))
        .with("platform", g.spec.platform)
        .with("gateway", g.id.as_str());
    let mut text = m.text(app.lang());
    if let Some(reason) = &link.reason {
        text.push(' ');
        text.push_str(&why(reason, app));
    }
    text
}

/// Everything about the row under the cursor, in the order of the detail pane.
pub(super) fn all_about(app: &App) -> Vec<String> {
    detail::rows_with(app, 2_000, remedy).iter().map(|r| spoken(&r.text())).filter(|l| !l.is_empty()).collect()
}

/// `pairdeck. Gateways: 2. Accounts: 12.` and how many are in which state, worst first.
pub(super) fn summary(app: &App) -> Vec<String> {
    let lang = app.lang();
    let head = Message::new(&w::HEAD).with("g", app.fleet.gateways().len().to_string()).with("n", app.fleet.accounts().to_string());
    let mut states: Vec<_> = crate::domain::State::ALL.into_iter().filter(|s| app.fleet.count(*s) > 0).collect();
    states.sort_by_key(|s| s.rank());
    let count = |s: &crate::domain::State| {
        Message::new(&w::COUNT).with("n", app.fleet.count(*s).to_string()).with("state", state::word(*s).get(lang)).text(lang)
    };
    let mut out = vec![head.text(lang)];
    if !states.is_empty() {
        out.push(Message::new(&w::COUNTS).with("all", states.iter().map(count).collect::<Vec<_>>().join(", ")).text(lang));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::ReasonCode;

    #[test]
    fn what_is_said_to_do_can_be_typed_here_or_at_a_shell() {
        for code in ReasonCode::ALL {
            let Some(said) = remedy(&Reason::new(*code), Lang::En) else { continue };
            for key in said.split('`').skip(1).step_by(2).filter(|k| !k.starts_with("pairdeck ")) {
                let first = key.split(' ').next().unwrap();
                assert!(first.len() > 1 || TYPED.contains(first), "{code:?}: {said}");
            }
        }
        let plan = Reason::new(ReasonCode::FlagMismatch);
        assert!(!remedy(&plan, Lang::En).unwrap().contains("`f`"));
        assert!(!remedy(&plan, Lang::Zh).unwrap().contains("按 f"));
        assert_eq!(remedy(&Reason::new(ReasonCode::NeverPaired), Lang::En).unwrap(), "`p` pairs it.");
    }
}

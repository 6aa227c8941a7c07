//! The token view of a platform that issues tokens: its graph, its pause, its copies, its history, and the keys that work.

use super::sample::{IM, app, at, can, later, picture};
use crate::{
    domain::{Action, Clean, Effect, Reason, ReasonCode, Stamp, State, Target, Tier, Wall, row::TokenSemantics},
    engine::{Command, Mail, mailbox::TokenTale},
    i18n::{Lang, Message, deck as w},
    providers::{KindSpec, On, RETRY, VerbSpec},
    store::tokens::{FetchLine, Hold, Recent, SignKind},
    tui::{
        app::App,
        effect::Do,
        event::Event,
        start::Start,
        update::{next_wake, update},
    },
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::sync::Arc;

static MINT: KindSpec = KindSpec { verbs: &[VerbSpec { id: RETRY, key: 'b', words: &w::ACT_BREAKER, on: On::Account, asks: &[] }], ..IM };

/// A deck with the cursor on an account of such a platform.
fn deck(width: u16, height: u16, tune: impl FnOnce(&mut Start)) -> App {
    let mut a = app(width, height, |s| {
        for g in s.gateways.iter_mut().filter(|g| g.id.as_str() == "im-core") {
            g.spec = &MINT;
        }
        for r in s.rows.iter_mut().filter(|r| r.label.as_str() == "u-20077") {
            (r.link.state, r.link.reason) = (State::Ready, None);
            for t in &mut r.tokens {
                (t.semantics, t.generation) = (TokenSemantics::SameUntilExpiry, 7);
                (t.issued_at, t.expires_at) = (Some(at(3120).wall), Some(later(4_080_000).wall));
            }
        }
        s.can = Arc::new(|row, action, facts| match action {
            Action::Do(verb) if &**verb == RETRY => {
                Ok(Effect { tier: Tier::Hold, says: Message::new(&w::ACT_BREAKER), loses: Vec::new(), restorable: false })
            }
            // A token that dies is wiped whatever its row is.
            Action::Wipe => Ok(Effect { tier: Tier::Swift, says: Message::new(&w::ACT_WIPE), loses: Vec::new(), restorable: false }),
            other => can(row, other, facts),
        });
        tune(s);
    });
    let lines = a.rows.lines();
    a.cursor = (0..lines.len())
        .find(|i| matches!(lines[*i].node, crate::tui::rows::Node::Row(s) if a.fleet.get(s).is_some_and(|e| e.row.label.as_str() == "u-20077")))
        .unwrap();
    a.scroll_into_view();
    a
}

fn press(app: &mut App, keys: &str) -> Vec<Do> {
    let mut all = Vec::new();
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        all.extend(update(app, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), at(0)));
    }
    all.retain(|d| !matches!(d, Do::Send(Command::Look { .. })));
    all
}

fn line(seconds_ago: u64, cause: &str, result: &str) -> FetchLine {
    FetchLine { at: at(seconds_ago).wall, by: Clean::new("pairdeck[811]@edge-2"), cause: Clean::new(cause), result: Clean::new(result), took_ms: 90 }
}

fn hold(until: Option<Stamp>, times: u32) -> Hold {
    Hold { reason: Reason::new(ReasonCode::RateLimited).raw("45009"), until, against: None, times }
}

fn tale() -> TokenTale {
    let seen = |s: u64, n: usize, kind| std::iter::repeat_n((at(s).wall, kind), n);
    let seen: Vec<(Wall, SignKind)> = seen(430, 2, SignKind::Died)
        .chain(seen(250, 16, SignKind::Bot))
        .chain(seen(200, 12, SignKind::Bot))
        .chain(seen(100, 12, SignKind::Bot))
        .collect();
    TokenTale {
        recent: Recent { sent: vec![at(30).wall], seen },
        lines: vec![line(30, "rejected", "rate_limited"), line(3120, "due", "new"), line(10_000, "operator", "unchanged")],
        here: true,
        ..TokenTale::default()
    }
}

/// Opens the view and tells it that.
fn open(a: &mut App, tale: TokenTale) -> Target {
    let sent = press(a, "T");
    let [Do::Send(Command::TokenTale(target))] = &sent[..] else { panic!("{sent:?}") };
    let target = target.clone();
    told(a, &target, tale, at(0));
    target
}

fn told(a: &mut App, target: &Target, tale: TokenTale, now: Stamp) {
    update(a, Event::Mail(Box::new(Mail { tale: Some((target.clone(), Box::new(tale))), ..Mail::default() })), now);
}

fn says(a: &App, all: &[&str]) {
    let seen = picture(a);
    for words in all {
        assert!(seen.contains(words), "{words:?} in\n{seen}");
    }
}

/// The line of keys of the view.
fn keys(a: &App) -> String {
    picture(a).lines().rev().find(|l| l.contains("Esc")).unwrap().to_owned()
}

#[test]
fn a_storm_is_a_graph_by_minute_with_what_is_ours_and_what_was_seen_of_others() {
    let mut a = deck(120, 40, |_| {});
    let storm = Reason::new(ReasonCode::TokenStorm).with("evidence", "bot").with("n", "40");
    open(&mut a, TokenTale { storm: Some(storm), ..tale() });
    says(
        &a,
        &[
            "gen 7",
            "▰▰▰▱▱▱ in 1h08",
            "Copies       this host",
            "Fetches      ··▁··█▆·▆▁  43 in 10 min",
            "ours 1 · others 42, by signs   ⚠ storm",
            "died early 2 · refusals in a bot's log 40",
            "<1m  refused   pairdeck[811]@edge-2  failed: The server asks to slow down",
            "52m  its time  pairdeck[811]@edge-2  new",
            " 2h  operator  pairdeck[811]@edge-2  unchanged",
        ],
    );
}

#[test]
fn a_minute_later_everything_has_moved_by_one_and_the_view_asked_anew() {
    let mut a = deck(120, 40, |_| {});
    let target = open(&mut a, tale());
    let soon = later(5_000);
    assert!(next_wake(&a).is_some_and(|wake| wake <= soon.boot_now()), "{:?}", next_wake(&a));
    let asked = update(&mut a, Event::Tick, soon);
    assert!(matches!(&asked[..], [Do::Send(Command::TokenTale(t))] if *t == target), "{asked:?}");
    assert!(update(&mut a, Event::Tick, later(6_000)).is_empty(), "not at every tick");
    update(&mut a, Event::Tick, later(60_000));
    says(&a, &["·▁··█▆·▆▁·  43 in 10 min"]);
    update(&mut a, Event::Tick, later(600_000));
    says(&a, &["··········  0 in 10 min", "ours 0 · others: no sign"]);
    // Closed, it asks for nothing.
    press(&mut a, "\u{1b}");
    assert!(update(&mut a, Event::Tick, later(700_000)).is_empty());
}

#[test]
fn a_pause_stands_there_with_its_end_and_its_reason_and_b_arms_one_fetch_past_it() {
    let mut a = deck(120, 40, |_| {});
    open(&mut a, TokenTale { hold: Some(hold(Some(later(2_460_000)), 3)), ..tale() });
    says(
        &a,
        &[
            "Paused       41m more, until 09:55Z: The server asks to slow down. [45009]",
            "refused 3 times in a row",
            "b asks once all the same; if refused, the pause may get longer.",
            "At a shell: pairdeck do retry im-core:u-20077",
        ],
    );
    assert!(keys(&a).contains("b breaker"), "{}", keys(&a));
    let sent = press(&mut a, "b");
    assert!(matches!(&sent[..], [Do::Send(Command::Arm { action: Action::Do(v), .. })] if &**v == RETRY), "{sent:?}");
    assert!(a.overlays.is_empty(), "what is armed is in view");
    // Without an end it is over when something else changes.
    let mut a = deck(120, 40, |_| {});
    open(&mut a, TokenTale { hold: Some(hold(None, 1)), ..tale() });
    says(&a, &["Paused       until its settings or Secret change: The server asks to slow", "down. [45009]"]);
}

#[test]
fn b_without_a_pause_says_so_and_arms_nothing_also_once_its_time_is_over() {
    let mut a = deck(120, 40, |_| {});
    let target = open(&mut a, tale());
    assert!(!keys(&a).contains("breaker"), "{}", keys(&a));
    assert!(press(&mut a, "b").is_empty());
    says(&a, &["No pause is in force"]);
    told(&mut a, &target, TokenTale { hold: Some(hold(Some(later(2_000)), 1)), ..tale() }, at(0));
    assert!(keys(&a).contains("breaker"), "{}", keys(&a));
    update(&mut a, Event::Tick, later(2_000));
    assert!(!keys(&a).contains("breaker") && !picture(&a).contains("Paused"), "{}", picture(&a));
    // A deck that may change nothing says that.
    let mut a = deck(120, 40, |s| s.read_only = true);
    open(&mut a, TokenTale { hold: Some(hold(None, 1)), ..tale() });
    assert!(press(&mut a, "b").is_empty());
    says(&a, &["read-only"]);
}

#[test]
fn the_copies_that_a_wipe_would_clear_are_named_and_what_is_not_known_is_said() {
    for (shared, here, words) in [
        (None, true, "Copies       this host"),
        (None, false, "Copies       none"),
        (Some(Ok(true)), true, "Copies       this host · shared store · mirror wechatpy"),
        (Some(Ok(false)), true, "Copies       this host · none in the shared store"),
        (Some(Err(Reason::new(ReasonCode::SharedDown).with("why", "refused"))), true, "Copies       this host · shared store not known: The shared"),
    ] {
        let mut a = deck(120, 40, |_| {});
        open(&mut a, TokenTale { shared, here, mirrors: vec!["wechatpy"], ..tale() });
        says(&a, &[words]);
        assert!(keys(&a).contains("w caches"), "{}", keys(&a));
        let sent = press(&mut a, "w");
        assert!(matches!(&sent[..], [Do::Send(Command::Arm { action: Action::Wipe, .. })]), "{sent:?}");
    }
}

#[test]
fn the_foot_lists_what_works_and_the_help_of_the_view_why_the_rest_does_not() {
    let mut a = deck(120, 40, |_| {});
    open(&mut a, tale());
    let foot = keys(&a);
    assert!(foot.contains("v reveal 10 s   r fetch   w caches   ? keys   H hide names   Esc"), "{foot}");
    press(&mut a, "?");
    says(&a, &["one fetch past a pause", "clear all copies", "Not now: b  No pause is in force", "Not now: y  Show it first"]);
    assert!(!picture(&a).contains("Not now: w") && !picture(&a).contains("freeze"), "{}", picture(&a));
    press(&mut a, "?");
    assert!(keys(&a).contains("r fetch"), "back in the view: {}", picture(&a));
    let mut a = deck(120, 40, |s| s.read_only = true);
    open(&mut a, tale());
    assert!(keys(&a).contains("v reveal 10 s   ? keys   H hide names   Esc"), "{}", keys(&a));
}

#[test]
fn a_small_screen_scrolls_to_the_last_fetch_and_no_further() {
    for lang in [Lang::En, Lang::Zh] {
        let mut a = deck(80, 24, |s| s.lang = lang);
        let lines = (0..40).map(|n| line(60 * n, "due", "new")).chain([line(86_400 * 3, "cold", "new")]).collect();
        open(&mut a, TokenTale { lines, hold: Some(hold(Some(later(2_460_000)), 3)), storm: Some(Reason::new(ReasonCode::TokenStorm)), ..tale() });
        let first = picture(&a);
        assert!(first.contains("43") && (keys(&a).contains("j scroll") || lang == Lang::Zh), "{first}");
        press(&mut a, "G");
        let last = picture(&a);
        assert_ne!(first, last);
        press(&mut a, "jjjj");
        assert_eq!(picture(&a), last);
        press(&mut a, "g");
        assert_eq!(picture(&a), first);
    }
}

#[test]
fn ascii_and_hidden_names_reach_the_view_too() {
    let mut a = deck(120, 40, |s| s.ascii = true);
    open(&mut a, TokenTale { storm: Some(Reason::new(ReasonCode::TokenStorm)), hold: Some(hold(None, 1)), ..tale() });
    let text = picture(&a);
    let odd: Vec<char> = text.chars().filter(|c| !c.is_ascii() && !"客服一号".contains(*c)).collect();
    assert!(odd.is_empty(), "{odd:?}\n{text}");
    assert!(text.contains(".._..#*.*_  43 in 10 min"), "{text}");
    let mut a = deck(120, 40, |_| {});
    press(&mut a, "H");
    open(&mut a, TokenTale { hold: Some(hold(None, 1)), ..tale() });
    let text = picture(&a);
    assert!(!text.contains("edge-2") && !text.contains("u-20077"), "{text}");
}

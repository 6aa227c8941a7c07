//! Hidden names: every screen and overlay, at three sizes and in both languages, after failures whose words are full of names.

use super::sample::{app, at, attempt, because, op, picture, row};
use crate::{
    domain::{Action, Clean, Fact, FactValue, GatewayId, Method, OpPhase, Prompt, PromptKind, Reason, ReasonCode, RemoteId, State, Target, Tier},
    engine::{
        Mail,
        mailbox::{HistoryLine, HistoryWhat, PairStage, Toast},
    },
    i18n::{Lang, Message, deck as w, pairing},
    tui::{app::App, event::Event, rows::Node, update::update},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

const NAME: &str = "zqx-secret-name";
const TWO: &str = "Zqx Secret Bakery";
const PERSON: &str = "Zqx Person";
const NUMBER: &str = "5511987650042";
/// What gives a name away, cut off or broken into lines though it be.
const TELLS: [&str; 6] = ["zqx", "Zqx", "ecret", "Baker", "98765", "Person"];

fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        update(app, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), at(0));
    }
}

/// As a server speaks that repeats what it was asked about.
fn telling() -> Reason {
    Reason::new(ReasonCode::ServerRefused).raw(format!("can't log out instance: {NAME} ({TWO}) of {NUMBER}:7@s.whatsapp.net, {PERSON}"))
}

fn sentence() -> Message {
    Message::new(&w::TOAST_FAILED).with("what", "wipe").with("name", NAME).with("why", format!("{TWO}, {PERSON}, +{NUMBER}"))
}

fn target() -> Target {
    Target::account(&GatewayId::new("wa-sp"), &RemoteId::new(NAME))
}

/// A fleet of which nothing but gateways and states may be seen, with the cursor on the row that failed.
fn deck(width: u16, height: u16, lang: Lang) -> App {
    let mut a = app(width, height, |s| {
        s.lang = lang;
        let mut one = because(row("wa-sp", NAME, Some(NUMBER), State::Refused, 60), telling());
        one.facts = vec![
            Fact { key: "profile", label: &w::LABEL_IDENTITY, value: FactValue::Text(Clean::new(PERSON)) },
            Fact { key: "number", label: &w::LABEL_NUMBER, value: FactValue::Number(Clean::new(NUMBER)) },
        ];
        let mut two = row("wa-sp", TWO, Some("@zqx_secret_bot"), State::Online, 60);
        two.facts.clear();
        s.rows = vec![one, two];
        for g in &mut s.gateways {
            g.link.reason = Some(telling());
            g.facts.warnings = vec![sentence()];
        }
    });
    let lines = a.rows.lines();
    a.cursor =
        (0..lines.len()).find(|i| matches!(lines[*i].node, Node::Row(s) if a.fleet.get(s).is_some_and(|e| e.row.label.as_str() == NAME))).unwrap();
    a.scroll_into_view();
    a
}

fn news(a: &mut App, fill: impl FnOnce(&mut Mail)) {
    let mut mail = Mail::default();
    fill(&mut mail);
    update(a, Event::Mail(Box::new(mail)), at(0));
}

fn working(a: &mut App, phase: OpPhase, tier: Tier, change: impl FnOnce(&mut crate::engine::mailbox::OpView)) {
    let mut view = op(7, target(), Action::Wipe, tier, phase, at(0));
    view.loses = vec![sentence()];
    view.says = sentence();
    view.reason = Some(telling());
    view.outcome = Some(sentence());
    change(&mut view);
    news(a, |m| drop(m.ops.insert(7, view)));
}

fn pairing(a: &mut App, stage: PairStage) {
    let mut view = attempt(stage, at(0));
    (view.target, view.label, view.number) = (target(), Clean::new(NAME), Some(Clean::new(NUMBER)));
    view.log = vec![(at(3), sentence()), (at(2), Message::from(&telling()))];
    news(a, |m| m.pairing = Some(Some(view)));
}

fn prompt() -> Prompt {
    Prompt { kind: PromptKind::Text, words: sentence(), hint: Some(Clean::new(NAME)), wrong: 1 }
}

type Screen = (&'static str, fn(&mut App));
/// A way by which somebody comes to the screen, by name.
type Way<'a> = (&'static str, &'a dyn Fn(&mut App));

/// Everything that can be on screen, by name.
fn screens() -> Vec<Screen> {
    vec![
        ("deck", |_| {}),
        ("gateway", |a| press(a, "gg")),
        ("detail", |a| press(a, "\n")),
        ("help", |a| press(a, "?")),
        ("menu", |a| press(a, "m")),
        ("palette", |a| press(a, ":")),
        ("clock", |a| press(a, "c")),
        ("states", |a| press(a, "'")),
        ("filter typed", |a| press(a, "/zqx-secret-n")),
        ("filter kept", |a| press(a, "/zqx-secret-n\n")),
        ("token", |a| press(a, "T")),
        ("slots", |a| press(a, "f")),
        ("why", |a| press(a, "Q")),
        ("log", |a| {
            working(a, OpPhase::Failed, Tier::Swift, |_| {});
            press(a, "L");
        }),
        ("add", |a| press(a, "a")),
        ("add, on the kind", |a| {
            press(a, "a");
            update(a, Event::Key(KeyEvent::new(KeyCode::Up, KeyModifiers::NONE)), at(0));
        }),
        ("help over pairing", |a| {
            pairing(a, PairStage::Waiting { since: at(4), why: telling() });
            press(a, "?");
        }),
        ("clock over pairing", |a| {
            pairing(a, PairStage::Waiting { since: at(4), why: telling() });
            press(a, "c");
        }),
        ("form of pairing", |a| press(a, "p")),
        ("timeline", |a| {
            press(a, "t");
            let what = |what| HistoryLine { at: at(9), what };
            let change = HistoryWhat::Change { from: State::Online, to: State::Refused, reason: Some(telling()) };
            let audit = HistoryWhat::Audit {
                who: Clean::new("ana@desk"),
                pid: 1,
                action: Clean::new("wipe"),
                verdict: None,
                outcome: Clean::new(&format!("failed: {NAME}")),
            };
            news(a, |m| m.history = Some((target(), vec![what(change), what(audit)])));
        }),
        ("question for marks", |a| press(a, " j kw")),
        ("armed", |a| working(a, OpPhase::Armed, Tier::Swift, |_| {})),
        ("armed and waiting", |a| working(a, OpPhase::Armed, Tier::Hold, |_| {})),
        ("running", |a| working(a, OpPhase::Running, Tier::Swift, |o| o.step = Some((sentence(), 1, 3)))),
        ("failed", |a| working(a, OpPhase::Failed, Tier::Swift, |_| {})),
        ("ambiguous", |a| working(a, OpPhase::Ambiguous, Tier::Swift, |_| {})),
        ("asking", |a| working(a, OpPhase::Asking, Tier::Swift, |o| o.prompt = Some(prompt()))),
        ("pairing waits", |a| pairing(a, PairStage::Waiting { since: at(4), why: telling() })),
        ("pairing discarded", |a| pairing(a, PairStage::Discarded { since: at(4), why: telling() })),
        ("pairing blocked", |a| pairing(a, PairStage::Blocked { started: true })),
        ("pairing asks", |a| pairing(a, PairStage::Ask(prompt()))),
        ("pairing needs", |a| pairing(a, PairStage::Needs { why: telling(), loses: vec![sentence()] })),
        ("pairing failed", |a| pairing(a, PairStage::Failed { why: telling(), wipe_first: true })),
        ("pairing linked", |a| {
            let facts = vec![Fact { key: "profile", label: &pairing::PAIR, value: FactValue::Text(Clean::new("Zqx New Person")) }];
            pairing(a, PairStage::Linked { online: true, token: false, told: None, facts, took_s: 4, n: 1 });
        }),
    ]
}

/// Screens on which a letter is typed.
const TYPED: [&str; 6] = ["palette", "filter typed", "why", "add", "asking", "pairing asks"];

fn seen(a: &App) -> Vec<&'static str> {
    let text = picture(a);
    TELLS.into_iter().filter(|t| text.contains(t)).collect()
}

#[test]
fn no_screen_shows_a_hidden_name_or_number_however_it_came_there() {
    for (width, height) in [(40, 12), (80, 24), (132, 44)] {
        for lang in [Lang::En, Lang::Zh] {
            for (name, prepare) in screens() {
                let mut a = deck(width, height, lang);
                press(&mut a, "H");
                prepare(&mut a);
                assert!(seen(&a).is_empty(), "{name} {width}x{height}: {:?} in\n{}", seen(&a), picture(&a));
                // Hidden by its key when it stands there already: by the one that is typed nowhere, and by the letter where it is not.
                let mut a = deck(width, height, lang);
                prepare(&mut a);
                update(&mut a, Event::Key(KeyEvent::new(KeyCode::Char('t'), KeyModifiers::CONTROL)), at(0));
                assert!(a.hide_names && seen(&a).is_empty(), "{name}, ctrl-t, {width}x{height}: {:?} in\n{}", seen(&a), picture(&a));
                let mut a = deck(width, height, lang);
                prepare(&mut a);
                press(&mut a, "H");
                assert_ne!(a.hide_names, TYPED.contains(&name), "{name}: `H` is typed, or hides");
                // Hidden when it stands there already.
                let mut a = deck(width, height, lang);
                prepare(&mut a);
                a.hide_names = true;
                assert!(seen(&a).is_empty(), "{name}, hidden later, {width}x{height}: {:?} in\n{}", seen(&a), picture(&a));
            }
        }
    }
}

#[test]
fn news_from_before_the_key_is_hidden_in_its_row_and_in_the_log_also_when_the_row_is_gone() {
    let mut a = deck(120, 36, Lang::En);
    working(&mut a, OpPhase::Failed, Tier::Swift, |_| {});
    news(&mut a, |m| m.toasts = vec![Toast { good: false, text: sentence(), target: Some(target()), at: at(0) }]);
    assert!(!seen(&a).is_empty(), "shown until it is hidden\n{}", picture(&a));
    a.hide_names = true;
    assert!(seen(&a).is_empty(), "{}", picture(&a));
    press(&mut a, "L");
    assert!(picture(&a).contains("····"), "{}", picture(&a));
    assert!(seen(&a).is_empty(), "{}", picture(&a));
    press(&mut a, "\x1b");
    news(&mut a, |m| m.gone = vec![target()]);
    a.reorder();
    press(&mut a, "L");
    assert!(seen(&a).is_empty(), "{}", picture(&a));
}

#[test]
fn every_screen_says_in_its_keys_or_its_help_how_names_are_hidden() {
    for (name, prepare) in screens() {
        let mut a = deck(132, 44, Lang::En);
        prepare(&mut a);
        let key = if TYPED.contains(&name) { "ctrl-t" } else { "H" };
        // On the deck and where marks are asked about there is no room in the footer; the filter has none of its own.
        let helped = a.overlays.is_empty() && a.pairing.is_none() || ["question for marks", "filter typed", "why"].contains(&name);
        if helped {
            press(&mut a, "\x1b?");
        }
        let text = picture(&a);
        let line = text.lines().any(|l| {
            l.contains(&format!("{key} hide names")) || (l.contains("hide names") && l.contains("H ctrl-t")) || l.contains("hide            H")
        });
        assert!(line, "{name}\n{text}");
    }
}

#[test]
fn a_number_that_was_asked_for_goes_with_the_names_and_is_not_shown_while_they_are_hidden() {
    const LONG: &str = "+5511987650042";
    let mut a = deck(120, 36, Lang::En);
    press(&mut a, "v");
    assert!(picture(&a).contains(LONG), "{}", picture(&a));
    press(&mut a, "\n");
    press(&mut a, "H");
    assert!(a.revealed.is_none());
    press(&mut a, "\x1bv");
    assert!(a.revealed.is_none() && picture(&a).contains("Names are hidden: H first."), "{}", picture(&a));
    press(&mut a, "H");
    assert!(!picture(&a).contains(LONG), "shown again are names, not what `v` showed\n{}", picture(&a));
    // The same on the pairing screen, where the second key of the override is no way around it.
    let mut a = deck(120, 36, Lang::En);
    pairing(&mut a, PairStage::Blocked { started: true });
    press(&mut a, "!H");
    assert!(a.hide_names && !a.pairing.as_ref().unwrap().screen.borrow().override_armed);
    press(&mut a, "v");
    assert!(a.revealed.is_none() && picture(&a).contains("Names are hidden: H first."), "{}", picture(&a));
}

#[test]
fn what_was_dropped_at_the_end_names_nobody_while_names_are_hidden() {
    let mut a = deck(80, 24, Lang::En);
    working(&mut a, OpPhase::Armed, Tier::Hold, |_| {});
    press(&mut a, "Hq");
    assert_eq!(a.dropped, ["wipe of ···· taken back; nothing was sent"]);
}

#[test]
fn the_method_form_shows_no_number_that_was_typed_before() {
    let mut a = deck(80, 24, Lang::En);
    press(&mut a, "p");
    let Some(crate::tui::overlay::Overlay::Pair(f)) = a.overlays.last_mut() else { panic!("no form\n{}", picture(&a)) };
    f.pick = f.methods.iter().position(|(m, _)| *m == Method::Code).unwrap();
    assert!(!seen(&a).is_empty(), "{}", picture(&a));
    a.hide_names = true;
    assert!(seen(&a).is_empty(), "{}", picture(&a));
}

#[test]
fn who_was_gone_before_this_start_is_hidden_in_toasts_timelines_journal_entries_and_the_log() {
    // Nobody of them has a row here, or ever had one in this process.
    let (gone, device, other) = ("zqx-long-gone", "zqx-desk", "Zqx Left Bakery");
    let reason = || Reason::new(ReasonCode::ServerRefused).with("target", format!("wa-sp:{other}").replace(' ', "%20")).raw("401");
    let ended = Target { device: Some(RemoteId::new(device)), ..Target::account(&GatewayId::new("wa-sp"), &RemoteId::new(gone)) };
    let quote = |text: &str| Message::new(&w::TOAST_FAILED).with("what", "wipe").with("name", "x1").with("why", text);
    let ways: [Way<'_>; 4] = [
        ("toast about somebody", &|a| {
            let text = quote(&format!("{gone} on {device} was refused"));
            news(a, |m| m.toasts = vec![Toast { good: false, text, target: Some(ended.clone()), at: at(0) }]);
        }),
        ("toast that names somebody", &|a| {
            let text = Message::new(&w::TOAST_FAILED).with("what", "wipe").with("name", other).with("why", "-");
            news(a, |m| m.toasts = vec![Toast { good: false, text, target: None, at: at(0) }]);
        }),
        ("what the store speaks of", &|a| {
            news(a, |m| {
                m.told = vec![ended.clone()];
                m.toasts = vec![Toast { good: false, text: quote(&format!("{device} of wa-sp:{gone}")), target: None, at: at(0) }];
            });
        }),
        ("timeline", &|a| {
            press(a, "t");
            let what = HistoryWhat::Change { from: State::Online, to: State::Refused, reason: Some(reason()) };
            let audit = HistoryWhat::Audit {
                who: Clean::new("ana@desk"),
                pid: 1,
                action: Clean::new("wipe"),
                verdict: None,
                outcome: Clean::new(&format!("failed: {other}")),
            };
            news(a, |m| m.history = Some((target(), [what, audit].map(|what| HistoryLine { at: at(9), what }).into())));
        }),
    ];
    for (name, way) in ways {
        let mut a = deck(120, 36, Lang::En);
        way(&mut a);
        let (plain, before) = (picture(&a), seen(&a));
        a.hide_names = true;
        assert!(!before.is_empty() && seen(&a).is_empty(), "{name}: {:?} in\n{}\nbefore\n{plain}", seen(&a), picture(&a));
        press(&mut a, "\x1bL");
        assert!(seen(&a).is_empty(), "{name}, in the log: {:?} in\n{}", seen(&a), picture(&a));
        assert!(picture(&a).contains("wa-sp") || name != "what the store speaks of", "the gateway is hidden too\n{}", picture(&a));
    }
    // A journal entry that is shown because nobody can know what became of it.
    let mut a = deck(120, 36, Lang::En);
    let mut view = op(9, ended.clone(), Action::Wipe, Tier::Hold, OpPhase::Ambiguous, at(0));
    (view.label, view.reason) = (Clean::new(gone), Some(reason()));
    view.outcome = Some(quote(&format!("{gone}/{device}")));
    news(&mut a, |m| drop(m.ops.insert(9, view)));
    a.hide_names = true;
    assert!(seen(&a).is_empty(), "{:?} in\n{}", seen(&a), picture(&a));
    press(&mut a, "L");
    assert!(seen(&a).is_empty(), "{:?} in\n{}", seen(&a), picture(&a));
}

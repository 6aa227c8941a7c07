//! Token view, slot plan, the questions of a verb, and the diagnosis: what is drawn, what is asked of the engine, what goes.

use super::sample::{PHONE, app, at, picture};
use crate::{
    clock::Limits,
    domain::{Action, Fact, FactValue, Reason, ReasonCode, Secret, State, Target},
    engine::{Command, Mail},
    i18n::{Lang, Message, deck as w},
    providers::{AskSpec, Becomes, Claim, DiagLine, Diagnosis, KindSpec, Mark, On, SlotLine, SlotTable, Suggestion, VerbSpec},
    tui::{app::App, effect::Do, event::Event, start::Start, update::update},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::{sync::Arc, time::Duration};

const TOKEN: &str = "CANARY-0123456789abcdef0123456789";

static SLOTTED: KindSpec = KindSpec {
    kind: "im",
    name: "ImCore",
    platform: "Im",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[],
    verbs: &[
        VerbSpec {
            id: "issue",
            key: 'i',
            words: &w::ACT_ADD,
            on: On::Account,
            asks: &[
                AskSpec { name: "slot", words: &w::ADD_KEY, becomes: Becomes::Device, default: None },
                AskSpec { name: "level", words: &w::ADD_KIND, becomes: Becomes::Input, default: Some("low") },
            ],
        },
        VerbSpec { id: "hard", key: 'h', words: &w::ACT_WIPE, on: On::Account, asks: &[] },
        VerbSpec { id: "reset", key: 'e', words: &w::ACT_REDRAW, on: On::Device, asks: &[] },
    ],
    methods: &[],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(30),
    phone_qr: &[],
    phone_code: &[],
};

fn table() -> SlotTable {
    let line = |slot: &str, state, would| SlotLine {
        slot: slot.into(),
        cells: vec![Message::new(&w::FINISHING), Message::new(&w::ADD_NAME)],
        state,
        would: Some(Message::new(would)),
    };
    SlotTable {
        head: vec![&w::HEAD_NAME, &w::HEAD_NOTE],
        lines: vec![line("0", State::Conflict, &w::MOUSE_ON), line("5", State::Unknown, &w::UNFROZEN)],
        warnings: vec![Message::new(&w::NO_REPEAT)],
        advice: vec![Message::new(&w::NO_PROBLEM)],
        suggest: Some(Suggestion { verb: "issue", given: vec![("slot", "5".into()), ("level", "high".into())] }),
    }
}

fn deck(tune: impl FnOnce(&mut Start)) -> App {
    app(100, 30, |s| {
        for g in &mut s.gateways {
            if g.id.as_str() == "im-core" {
                g.spec = &SLOTTED;
            }
        }
        s.slots = Arc::new(|account, devices| {
            // Only the account's own devices are handed in.
            let own = account.device.is_none() && devices.iter().all(|d| d.account == account.account && d.device.is_some());
            (own && account.gateway.as_str() == "im-core").then(table)
        });
        tune(s);
    })
}

fn on(app: &mut App, label: &str) {
    if !app
        .rows
        .lines()
        .iter()
        .any(|l| matches!(l.node, crate::tui::rows::Node::Row(s) if app.fleet.get(s).is_some_and(|e| e.row.label.as_str() == label)))
    {
        on(app, "u-10024");
        press(app, "l");
    }
    let lines = app.rows.lines();
    app.cursor = (0..lines.len())
        .find(|i| matches!(lines[*i].node, crate::tui::rows::Node::Row(s) if app.fleet.get(s).is_some_and(|e| e.row.label.as_str() == label)))
        .unwrap();
    app.scroll_into_view();
}

fn key(app: &mut App, code: KeyCode) -> Vec<Do> {
    update(app, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), at(0))
}

/// What the keys made the deck ask of the engine, looks aside, and copies.
fn press(app: &mut App, keys: &str) -> Vec<Do> {
    let mut all = Vec::new();
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            '>' => KeyCode::Right,
            c => KeyCode::Char(c),
        };
        all.extend(key(app, code));
    }
    all.retain(|d| !matches!(d, Do::Send(Command::Look { .. })));
    all
}

fn mail(app: &mut App, mail: Mail) {
    update(app, Event::Mail(Box::new(mail)), at(0));
}

fn reveal(app: &mut App, result: Result<Secret, Reason>) -> Target {
    let sent = press(app, "v");
    let [Do::Send(Command::Reveal(target))] = &sent[..] else { panic!("{sent:?}") };
    let target = target.clone();
    mail(app, Mail { revealed: Some((target.clone(), result)), ..Mail::default() });
    target
}

#[test]
fn a_token_is_shown_on_request_copied_after_that_and_hidden_by_itself() {
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    assert!(press(&mut a, "T").is_empty());
    assert!(!picture(&a).contains(TOKEN));
    // Not before it was seen.
    assert!(press(&mut a, "y").is_empty() && picture(&a).contains("Show it first: v."), "{}", picture(&a));
    let target = reveal(&mut a, Ok(Secret::new(TOKEN.into())));
    assert_eq!(target.device.unwrap().as_str(), "WEB 1");
    assert!(picture(&a).contains(TOKEN) && picture(&a).contains("hidden again in 10 s"), "{}", picture(&a));
    assert!(matches!(&press(&mut a, "y")[..], [Do::Copy(t), Do::Send(crate::engine::Command::Copied(_))] if t == TOKEN));
    let later = crate::domain::Stamp { boot: at(0).boot.map(|(id, b)| (id, b.plus(Duration::from_secs(10)))), ..at(0) };
    assert!(crate::tui::update::next_wake(&a).is_some_and(|b| b <= at(0).boot_now().plus(Duration::from_secs(1))));
    update(&mut a, Event::Tick, later);
    assert!(!picture(&a).contains(TOKEN), "{}", picture(&a));
    assert!(press(&mut a, "y").is_empty());
}

#[test]
fn the_token_view_tells_by_whom_how_often_and_what_that_comes_to() {
    let mut a = deck(|s| {
        for r in s.rows.iter_mut().filter(|r| r.label.as_str() == "WEB 1") {
            let fact = |key, label, value| Fact { key, label, value };
            r.facts.push(fact("refreshed_by", &crate::i18n::wecom::FACT_BY, FactValue::Text("watch[811]@edge-2".into())));
            r.facts.push(fact("fetches_10min", &crate::i18n::wecom::FACT_FETCHES, FactValue::Count(43)));
            r.link.reason = Some(Reason::new(ReasonCode::TokenStorm).with("evidence", "died").with("n", "7").with("target", "corp:ops"));
        }
    });
    on(&mut a, "WEB 1");
    press(&mut a, "T");
    let seen = picture(&a);
    for words in ["watch[811]@edge-2", "43", "7 tokens died early in 10 min", "reset the Secret"] {
        assert!(seen.contains(words), "{words}: {seen}");
    }
}

#[test]
fn a_revealed_token_goes_with_focus_size_suspend_and_its_own_key() {
    for end in ["focus", "size", "suspend", "v", "H", "close"] {
        let mut a = deck(|_| {});
        on(&mut a, "WEB 1");
        press(&mut a, "T");
        reveal(&mut a, Ok(Secret::new(TOKEN.into())));
        assert!(picture(&a).contains(TOKEN));
        match end {
            "focus" => drop(update(&mut a, Event::Focus(false), at(0))),
            "size" => drop(update(&mut a, Event::Resize(110, 30), at(0))),
            "suspend" => drop(update(&mut a, Event::Signal(crate::tui::event::Signal::Stop), at(0))),
            "v" => drop(press(&mut a, "v")),
            "H" => drop(press(&mut a, "H")),
            _ => drop(press(&mut a, "\u{1b}T")),
        }
        assert!(!picture(&a).contains(TOKEN), "{end}: {}", picture(&a));
    }
}

#[test]
fn a_token_that_comes_after_the_terminal_lost_focus_is_not_shown() {
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    press(&mut a, "T");
    let target = a.entry().unwrap().row.target();
    press(&mut a, "v");
    update(&mut a, Event::Focus(false), at(0));
    mail(&mut a, Mail { revealed: Some((target, Ok(Secret::new(TOKEN.into())))), ..Mail::default() });
    assert!(!picture(&a).contains(TOKEN), "{}", picture(&a));
}

#[test]
fn while_names_are_hidden_no_token_is_asked_for_and_one_on_its_way_is_not_shown() {
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    let target = a.entry().unwrap().row.target();
    press(&mut a, "TvH");
    mail(&mut a, Mail { revealed: Some((target.clone(), Ok(Secret::new(TOKEN.into())))), ..Mail::default() });
    assert!(!picture(&a).contains(TOKEN), "{}", picture(&a));
    assert!(press(&mut a, "v").is_empty(), "not asked for");
    assert!(press(&mut a, "y").is_empty(), "not copied");
    let said = a.toasts.log().last().unwrap().text.clone();
    assert_eq!(said, "Names are hidden: H first.");
    press(&mut a, "H");
    reveal(&mut a, Ok(Secret::new(TOKEN.into())));
    assert!(picture(&a).contains(TOKEN), "{}", picture(&a));
}

#[test]
fn a_token_that_cannot_be_had_says_why_and_an_account_points_to_its_devices() {
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    press(&mut a, "T");
    reveal(&mut a, Err(Reason::new(ReasonCode::TokenWiped)));
    assert!(picture(&a).contains("The token is empty: this device was quit."), "{}", picture(&a));
    let mut a = deck(|s| s.rows.iter_mut().filter(|r| r.device.is_none()).for_each(|r| r.tokens.clear()));
    on(&mut a, "u-10024");
    press(&mut a, "T");
    assert!(picture(&a).contains("Each of its devices has a token of its own"), "{}", picture(&a));
}

#[test]
fn wipe_from_the_token_view_arms_that_row_and_a_read_only_deck_refuses() {
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    let sent = press(&mut a, "Tw");
    assert!(matches!(&sent[..], [Do::Send(Command::Arm { target, action: Action::Wipe, .. })] if target.device.is_some()), "{sent:?}");
    let mut a = deck(|s| s.read_only = true);
    on(&mut a, "WEB 1");
    assert!(press(&mut a, "Tr").is_empty());
    assert!(picture(&a).contains("read-only"), "{}", picture(&a));
}

#[test]
fn the_plan_says_what_a_login_would_do_and_arms_its_suggestion_by_two_enters() {
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    press(&mut a, "f");
    assert!(picture(&a).contains("Mouse on.") && !picture(&a).contains("Order free."), "{}", picture(&a));
    press(&mut a, "j");
    assert!(picture(&a).contains("Order free."), "{}", picture(&a));
    assert!(press(&mut a, "\n").is_empty(), "the first Enter only fills in the questions");
    let sent = press(&mut a, "\n");
    let [Do::Send(Command::Arm { target, action, input })] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((target.account.as_str(), target.device.as_ref().unwrap().as_str(), action.name()), ("u-10024", "5", "issue"));
    assert_eq!((&*input["slot"], &*input["level"]), ("5", "high"));
}

#[test]
fn a_kind_without_slots_says_so() {
    let mut a = deck(|_| {});
    on(&mut a, "shop-a");
    press(&mut a, "f");
    assert!(a.overlays.is_empty() && picture(&a).contains("has no slots"), "{}", picture(&a));
}

#[test]
fn a_verb_asks_all_its_questions_and_an_empty_answer_is_the_default_or_an_answer_is_needed() {
    let mut a = deck(|s| s.slots = Arc::new(|_, _| None));
    on(&mut a, "u-10024");
    assert!(press(&mut a, "mi\n").is_empty());
    assert!(picture(&a).contains("An answer is needed."), "{}", picture(&a));
    let sent = press(&mut a, "7\t\n");
    let [Do::Send(Command::Arm { target, input, .. })] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((target.device.as_ref().unwrap().as_str(), &*input["level"]), ("7", "low"));
    // The plan's suggestion stands there already where there is one.
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    let sent = press(&mut a, "mi\n");
    assert!(matches!(&sent[..], [Do::Send(Command::Arm { target, .. })] if target.device.as_ref().unwrap().as_str() == "5"), "{sent:?}");
}

#[test]
fn a_verb_for_accounts_takes_the_account_of_the_device_and_one_for_devices_needs_one() {
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    let sent = press(&mut a, "mh");
    assert!(
        matches!(&sent[..], [Do::Send(Command::Arm { target, .. })] if target.device.is_none() && target.account.as_str() == "u-10024"),
        "{sent:?}"
    );
    let mut a = deck(|_| {});
    on(&mut a, "u-10024");
    assert!(press(&mut a, "me").is_empty());
    assert!(picture(&a).contains("Put the cursor on a device first."), "{}", picture(&a));
    // A kind whose verb makes an account still asks for its name, on its gateway.
    assert_eq!(PHONE.verbs[1].on, On::Gateway);
    let mut a = deck(|_| {});
    on(&mut a, "shop-a");
    let sent = press(&mut a, "mcnew\n");
    assert!(
        matches!(&sent[..], [Do::Send(Command::Arm { target, input, .. })] if target.account.as_str() == "new" && &*input["name"] == "new"),
        "{sent:?}"
    );
}

fn asked(a: &mut App, keys: &str) -> (Target, Claim) {
    let mut sent = press(a, keys);
    match sent.pop() {
        Some(Do::Send(Command::Why { target, claim })) => (target, claim),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_diagnosis_asks_with_what_was_filled_in_and_never_draws_a_token() {
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    press(&mut a, "Q1\t>>\t");
    update(&mut a, Event::Paste(TOKEN.into()), at(0));
    update(&mut a, Event::Paste(format!("{{\"msg\":\"token verify fail\",\"actToken\":\"{TOKEN}\"}}\nmore\n")), at(0));
    assert!(!picture(&a).contains("CANARY") && picture(&a).contains("2 lines"), "{}", picture(&a));
    let (target, claim) = asked(&mut a, "\n");
    assert_eq!((claim.slot.as_deref(), claim.sdk.as_deref(), claim.token), (Some("1"), Some("js"), Some(Secret::new(TOKEN.into()))));
    assert!(claim.log.is_some_and(|l| l.expose().contains("token verify fail\",")));
    assert!(press(&mut a, "\n").is_empty(), "one question at a time");
    let line = |mark, text| DiagLine { mark, text: Message::new(text) };
    let found = Diagnosis {
        lines: vec![line(Mark::Good, &w::UNFROZEN), line(Mark::Bad, &w::MOUSE_ON), line(Mark::Note, &w::NO_REPEAT)],
        reason: Some(Reason::new(ReasonCode::TokenOverwritten)),
        compared: false,
    };
    mail(&mut a, Mail { why: Some((target, Ok(Some(found)))), ..Mail::default() });
    for said in [
        "A later login on the same flag replaced this token.",
        "Give each platform its own flag: f.",
        "✓ Order free.",
        "✗ Mouse on.",
        "· There is no verb",
    ] {
        assert!(picture(&a).contains(said), "{said}: {}", picture(&a));
    }
    assert!(!picture(&a).contains("CANARY"), "{}", picture(&a));
    press(&mut a, "q");
    assert!(a.overlays.is_empty());
}

#[test]
fn an_answer_for_another_row_and_a_failed_question_are_told_apart() {
    let mut a = deck(|_| {});
    on(&mut a, "WEB 1");
    let (mut target, _) = asked(&mut a, "my\n");
    let other = Target { device: None, ..target.clone() };
    mail(&mut a, Mail { why: Some((other, Ok(None))), ..Mail::default() });
    assert!(picture(&a).contains("comparing"), "{}", picture(&a));
    target.incarnation = None;
    mail(&mut a, Mail { why: Some((target, Err(Reason::new(ReasonCode::Unreachable)))), ..Mail::default() });
    assert!(picture(&a).contains("The server does not answer."), "{}", picture(&a));
}

#[test]
fn every_new_overlay_survives_every_size_in_both_languages() {
    for keys in ["T", "Tv", "f", "fj\n", "mi", "Q", "Q\n", "my"] {
        for lang in [Lang::En, Lang::Zh] {
            let mut a = deck(|s| s.lang = lang);
            on(&mut a, "WEB 1");
            press(&mut a, keys);
            for w in [1, 8, 13, 20, 39, 40, 41, 60, 80, 100, 121] {
                for h in [1, 3, 5, 8, 10, 14, 26] {
                    update(&mut a, Event::Resize(w, h), at(0));
                    picture(&a);
                }
            }
        }
    }
}

#[test]
fn the_end_of_a_conflict_does_not_fold_away_the_device_that_the_cursor_is_on() {
    let settle = |app: &mut App| {
        let settled = super::sample::row("im-core", "u-10024", Some("2 devices"), crate::domain::State::Online, 0);
        let mut news = Mail::default();
        news.rows.insert((settled.gateway.clone(), settled.account.clone(), None), settled);
        mail(app, news);
        app.reorder();
        app.rows.lines().iter().filter(|l| l.depth == 2).count()
    };
    let mut on_it = deck(|_| ());
    on(&mut on_it, "WEB 1");
    let here = on_it.node();
    assert_eq!((settle(&mut on_it), on_it.node()), (2, here));
    // Away from it, what a conflict opened folds by itself.
    assert_eq!(settle(&mut deck(|_| ())), 0);
}

//! What must not get lost where there is little room: the ways to help and out, whole words, whole sentences.

use super::sample::{app, at, picture};
use crate::{
    domain::{Clean, Fact, FactValue},
    engine::mailbox::VaultView,
    i18n::{Lang, Message, Words, deck as w},
    tui::{app::App, event::Event, toasts::Level, update::update},
    vault::Source,
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

fn press(app: &mut App, c: char) {
    update(app, Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)), at(0));
}

/// Letters without what keeps them apart: how lines are broken does not matter.
fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '│').collect()
}

#[test]
fn the_footer_always_names_the_help_and_drops_nothing_in_the_middle_of_a_word() {
    for (lang, help) in [(Lang::En, "? help"), (Lang::Zh, "? 帮助")] {
        for width in 50..140 {
            let a = app(width, 24, |s| s.lang = lang);
            let text = picture(&a);
            let footer = text.lines().last().unwrap();
            assert!(footer.contains(help), "{width}: {footer}");
        }
        let text = picture(&app(80, 24, |s| s.lang = lang));
        let footer = text.lines().last().unwrap();
        for word in [&w::ACT_MARK, &w::ACT_PAIR, &w::ACT_WIPE, &w::ACT_MORE, &w::ACT_NEXT_PROBLEM] {
            assert!(footer.contains(word.get(lang)), "{}: {footer}", word.get(lang));
        }
        assert!(footer.contains(" :  ?") && footer.trim_end().ends_with(" q"), "{footer}");
    }
}

#[test]
fn the_help_cuts_no_word_however_narrow() {
    for lang in [Lang::En, Lang::Zh] {
        for (width, height) in [(40, 60), (80, 60), (99, 60)] {
            let mut a = app(width, height, |s| s.lang = lang);
            press(&mut a, '?');
            let text = picture(&a);
            let body: Vec<&str> = text.lines().filter(|l| l.contains('│')).collect();
            assert!(body.len() > 15 && body.iter().all(|l| !l.contains('…')), "{text}");
        }
    }
}

#[test]
fn the_log_has_the_whole_of_what_its_row_had_no_room_for() {
    let said = Message::new(&w::READ_ONLY);
    for lang in [Lang::En, Lang::Zh] {
        let mut a = app(40, 14, |s| s.lang = lang);
        a.say(Level::Hint, &said);
        press(&mut a, 'L');
        let text = picture(&a);
        assert!(letters(&text).contains(&letters(&said.text(lang))), "{text}");
    }
}

#[test]
fn a_number_that_is_the_identity_is_told_once() {
    static OTHER: Words = Words { name: "test.other", en: "Other", zh: "另一个" };
    let fact = |label, n: &str| Fact { key: "number", label, value: FactValue::Number(Clean::new(n)) };
    let mut a = app(130, 40, |s| s.rows[1].facts = vec![fact(&w::LABEL_NUMBER, "+5511999997731"), fact(&OTHER, "+4366000011")]);
    let line = (0..).find(|_| {
        let there = a.entry().is_some_and(|e| e.row.label.as_str() == "shop-b");
        if !there {
            press(&mut a, 'j');
        }
        there
    });
    assert!(line.is_some());
    let text = picture(&a);
    assert_eq!(text.matches("Number ").count(), 1, "{text}");
    assert!(text.contains("Other "), "{text}");
}

#[test]
fn the_place_of_the_key_is_told_in_the_language_of_the_deck() {
    for source in [Source::Keyring, Source::Passphrase, Source::Credential, Source::KeyFile, Source::Memory] {
        let header = |lang| {
            let a = app(140, 30, |s| {
                s.lang = lang;
                s.status.as_mut().unwrap().vault = VaultView::Open(source.name());
            });
            picture(&a).lines().next().unwrap().to_owned()
        };
        assert!(header(Lang::En).contains(&format!("vault {}", source.name())), "{}", header(Lang::En));
        assert!(!header(Lang::Zh).contains(source.name()), "{}", header(Lang::Zh));
    }
}

#[test]
fn a_gateways_pane_tells_its_servers_figures_and_what_its_credential_may_do() {
    use crate::i18n::langbot as lb;
    let mut a = app(140, 40, |s| {
        let facts = &mut s.gateways[0].facts;
        facts.figures = vec![Fact { key: "work_rejected", label: &lb::FIGURE_REJECTED, value: FactValue::Count(37) }];
        facts.rights = vec![Message::new(&lb::RIGHTS_NO_LOGIN)];
    });
    press(&mut a, 'k');
    let text = picture(&a);
    assert!(text.contains("Rejected") && text.contains("37") && text.contains("no QR flows"), "{text}");
}

#[test]
fn reasons_stand_in_one_column_whatever_the_width_of_the_verbs() {
    let a = app(150, 40, |s| {
        s.lang = Lang::Zh;
        s.read_only = true;
    });
    let text = picture(&a);
    let starts: Vec<usize> = text
        .lines()
        .filter_map(|l| l.split_once('│'))
        .filter_map(|(_, pane)| pane.find("本面板").map(|at| crate::tui::text::width(&pane[..at])))
        .collect();
    assert!(starts.len() >= 3 && starts.iter().all(|s| *s == starts[0]), "{starts:?}\n{text}");
}

#[test]
fn one_of_a_thing_is_not_told_as_many() {
    let header = |lang, few: bool| {
        let a = app(140, 30, |s| {
            s.lang = lang;
            if few {
                s.gateways.truncate(1);
                s.rows.retain(|r| r.device.is_none() && r.label.as_str() == "shop-a");
            }
        });
        picture(&a).lines().next().unwrap().to_owned()
    };
    let one = header(Lang::En, true);
    assert!(one.contains(" 1 gateway ") && one.contains(" 1 account "), "{one}");
    assert!(header(Lang::En, false).contains(" gateways ") && header(Lang::En, false).contains(" accounts "));
    assert!(header(Lang::Zh, true).contains("1 个网关"), "{}", header(Lang::Zh, true));
}

#[test]
fn why_the_picked_line_of_menu_or_palette_cannot_be_done_is_told_whole_however_narrow() {
    for (lang, height) in [(Lang::En, 24), (Lang::Zh, 24), (Lang::En, 10)] {
        let mut a = app(40, height, |s| {
            s.lang = lang;
            s.read_only = true;
        });
        press(&mut a, 'j');
        press(&mut a, 'm');
        let text = picture(&a);
        assert!(letters(&text).contains(&letters(w::READ_ONLY.get(lang))), "{text}");
        let mut a = app(40, height, |s| {
            s.lang = lang;
            s.read_only = true;
        });
        press(&mut a, 'j');
        ":wipe".chars().for_each(|c| press(&mut a, c));
        let text = picture(&a);
        assert!(letters(&text).contains(&letters(w::READ_ONLY.get(lang))), "{text}");
    }
}

#[test]
fn what_a_narrow_note_cuts_stands_whole_in_the_pane_beside_it() {
    use crate::{
        domain::{Action, OpPhase, Tier},
        engine::Mail,
    };
    let mut a = app(120, 40, |_| {});
    let lines = a.rows.lines();
    a.cursor = (0..lines.len())
        .find(|i| matches!(lines[*i].node, crate::tui::rows::Node::Row(s) if a.fleet.get(s).is_some_and(|e| e.row.label.as_str() == "shop-b")))
        .unwrap();
    // The reason and its remedy.
    let reason = a.entry().unwrap().row.link.reason.clone().unwrap();
    let whole = [crate::i18n::reason::full(&reason, Lang::En), crate::i18n::reason::remedy_sentence(&reason, Lang::En).unwrap().replace('`', "")];
    let pane = |a: &App| letters(&picture(a).lines().filter_map(|l| l.split_once('│').map(|(_, pane)| pane.to_owned())).collect::<String>());
    for words in &whole {
        assert!(pane(&a).contains(&letters(words)), "{words}: {}", picture(&a));
    }
    // The step of what is under way.
    let target = a.entry().unwrap().row.target();
    let mut op = super::sample::op(7, target, Action::Wipe, Tier::Now, OpPhase::Running, at(0));
    op.step = Some((Message::new(&w::TOUR_WIPE), 2, 3));
    let step = format!("2 of 3: {}", w::TOUR_WIPE.get(Lang::En));
    let mut mail = Mail::default();
    mail.ops.insert(7, op);
    update(&mut a, Event::Mail(Box::new(mail)), at(0));
    assert!(pane(&a).contains(&letters(&step)), "{step}: {}", picture(&a));
}

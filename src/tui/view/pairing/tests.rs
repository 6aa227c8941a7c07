//! Every stage at every size, in both languages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fixtures;

use super::*;
use crate::{
    domain::{Fresh, Stamp, Wall},
    i18n::Lang,
    tui::{
        keymap::{KeyOverride, Keymap},
        theme::Theme,
    },
};
use fixtures::{T0, at, long_qr, shown, stages, view};
use ratatui::{Terminal, backend::TestBackend};

fn paint_with(view: &PairView, screen: &mut PairScreen, (cols, rows): (u16, u16), now: Stamp, lang: Lang, ascii: bool) -> Terminal<TestBackend> {
    let theme = Theme::default();
    let keymap = Keymap::default();
    let cx = ViewCx { now, lang, theme: &theme, keymap: &keymap, ascii, color: true };
    let mut terminal = Terminal::new(TestBackend::new(cols, rows)).unwrap();
    terminal.draw(|f| draw(f, view, screen, &cx)).unwrap();
    terminal
}

fn paint(view: &PairView, size: (u16, u16)) -> Terminal<TestBackend> {
    let mut screen = PairScreen::default();
    if matches!(view.stage, PairStage::Ask(_)) {
        screen.field = "hunter2".into();
    }
    paint_with(view, &mut screen, size, at(7_000), Lang::En, false)
}

fn screen_text(t: &Terminal<TestBackend>) -> String {
    t.backend().to_string().lines().map(|l| l.trim_matches('"').trim_end().to_owned() + "\n").collect()
}

/// Spaces and halves of a QR say nothing to a reader: its cells are checked by decoding, its place by the outline.
fn without_modules(t: &Terminal<TestBackend>) -> String {
    let buf = t.backend().buffer();
    let explicit = |x, y| matches!(buf[(x, y)].bg, ratatui::style::Color::Rgb(..));
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut row = String::new();
        let mut skip = 0;
        for x in 0..buf.area.width {
            let symbol = if explicit(x, y) { "░" } else { buf[(x, y)].symbol() };
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = symbol.width().saturating_sub(1);
            row.push_str(symbol);
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

#[test]
fn every_stage_looks_as_it_did() {
    for (name, v) in stages() {
        for (cols, rows) in [(40, 10), (80, 24), (120, 40)] {
            insta::assert_snapshot!(format!("{name}_{cols}x{rows}"), without_modules(&paint(&v, (cols, rows))));
        }
    }
}

#[test]
fn chinese_stages_look_as_they_did() {
    for (name, v) in stages() {
        if matches!(name, "blocked" | "showing_code" | "showing_qr_long" | "discarded" | "linked" | "showing_qr_short") {
            let t = paint_with(&v, &mut PairScreen::default(), (80, 24), at(7_000), Lang::Zh, false);
            insta::assert_snapshot!(format!("zh_{name}_80x24"), without_modules(&t));
        }
    }
}

#[test]
fn the_second_key_of_the_override_is_asked_for_with_the_figures() {
    let (_, v) = stages().into_iter().find(|(n, _)| *n == "blocked").unwrap();
    let mut screen = PairScreen { override_armed: true, ..PairScreen::default() };
    let t = paint_with(&v, &mut screen, (80, 24), at(7_000), Lang::En, false);
    insta::assert_snapshot!("override_armed_80x24", without_modules(&t));
    assert_eq!(keys(&v, &screen, &Keymap::default()).first().map(|k| k.0.clone()).as_deref(), Some("s"));
}

#[test]
fn leaving_the_blocked_stage_takes_the_override_back() {
    let mut screen = PairScreen { override_armed: true, ..PairScreen::default() };
    paint_with(&view(PairStage::AskingClock), &mut screen, (80, 24), at(0), Lang::En, false);
    assert!(!screen.override_armed);
}

/// Cells whose background is an explicit colour: those of a QR.
fn qr_cells(t: &Terminal<TestBackend>) -> usize {
    t.backend().buffer().content().iter().filter(|c| matches!(c.bg, ratatui::style::Color::Rgb(..) | ratatui::style::Color::Indexed(_))).count()
}

#[test]
fn a_qr_is_blank_in_the_frame_in_which_it_dies() {
    let v = view(PairStage::Showing(shown(OfferKind::Qr, &long_qr(), Fresh::Event)));
    let mut screen = PairScreen::default();
    let alive = paint_with(&v, &mut screen, (120, 40), at(44_999), Lang::En, false);
    assert!(qr_cells(&alive) > 1000 && screen_text(&alive).contains("dies in 1 s"));
    let dead = paint_with(&v, &mut screen, (120, 40), at(45_000), Lang::En, false);
    assert_eq!(qr_cells(&dead), 0);
    assert!(screen_text(&dead).contains("QR 2 expired"));
}

#[test]
fn a_dead_code_leaves_no_letter_behind() {
    let v = view(PairStage::Showing(shown(OfferKind::Code, "M6BRKJ45", Fresh::Event)));
    for size in [(20, 3), (40, 10), (80, 24), (9, 1), (9, 2)] {
        let alive = screen_text(&paint_with(&v, &mut PairScreen::default(), size, at(44_999), Lang::En, false));
        assert!(alive.replace([' ', '-'], "").contains("M6BRKJ45"), "{size:?}:\n{alive}");
        let dead = screen_text(&paint_with(&v, &mut PairScreen::default(), size, at(45_000), Lang::En, false));
        assert!(!dead.contains("M 6") && !dead.contains("M6") && !dead.contains('█'), "{size:?}:\n{dead}");
    }
}

#[test]
fn an_offer_of_an_older_epoch_is_hidden_before_the_engine_says_so() {
    for kind in [OfferKind::Qr, OfferKind::Code] {
        let mut v = view(PairStage::Showing(shown(kind, "M6BRKJ45", Fresh::Event)));
        v.gate.as_mut().unwrap().epoch = 4;
        let t = paint(&v, (80, 24));
        assert_eq!(qr_cells(&t), 0);
        let text = screen_text(&t);
        assert!(text.contains("CODE HIDDEN") && !text.contains("M 6 B R") && !text.contains('█'), "{text}");
    }
}

#[test]
fn without_a_boot_clock_nothing_that_dies_is_shown() {
    let v = view(PairStage::Showing(shown(OfferKind::Qr, "tg://login", Fresh::Event)));
    let t = paint_with(&v, &mut PairScreen::default(), (80, 24), Stamp::wall_only(Wall(T0)), Lang::En, false);
    assert_eq!(qr_cells(&t), 0);
}

#[test]
fn a_password_is_never_on_screen_and_the_cursor_stands_behind_it() {
    let (_, v) = stages().into_iter().find(|(n, _)| *n == "ask_password").unwrap();
    let mut screen = PairScreen::default();
    for size in [(40, 10), (80, 24), (120, 40), (12, 4)] {
        screen.field = "hunter2".into();
        let mut t = paint_with(&v, &mut screen, size, at(0), Lang::En, false);
        assert!(!screen_text(&t).contains("hunter2"));
        let text = screen_text(&t);
        let line = text.lines().position(|l| l.contains("·······") || l.contains("····")).map(|y| u16::try_from(y).unwrap());
        if let Some(y) = line.filter(|_| size.0 > 20) {
            assert_eq!(t.get_cursor_position().unwrap().y, y);
        }
    }
    screen.field = "hunter2".into();
    assert_eq!(screen.take_answer().expose(), "hunter2");
    assert!(screen.field.value().is_empty());
}

#[test]
fn the_picture_is_made_once_a_payload_and_dropped_with_it() {
    let v = view(PairStage::Showing(shown(OfferKind::Qr, &long_qr(), Fresh::Event)));
    let mut screen = PairScreen::default();
    paint_with(&v, &mut screen, (120, 40), at(0), Lang::En, false);
    let first = std::ptr::from_ref(screen.matrix(crate::tui::widget::qr::Ec::L).unwrap());
    paint_with(&v, &mut screen, (120, 40), at(1_000), Lang::En, false);
    assert_eq!(first, std::ptr::from_ref(screen.matrix(crate::tui::widget::qr::Ec::L).unwrap()));
    paint_with(&view(PairStage::Scanned { since: at(0), n: 2 }), &mut screen, (120, 40), at(2_000), Lang::En, false);
    assert!(screen.matrix(crate::tui::widget::qr::Ec::L).is_none());
}

#[test]
fn plus_and_minus_change_the_size_and_always_stay_on_screen() {
    let v = view(PairStage::Showing(shown(OfferKind::Qr, "tg://login?token=abcdefghijklmnop", Fresh::Event)));
    let cells = |bigger, size| qr_cells(&paint_with(&v, &mut PairScreen { bigger, ..PairScreen::default() }, size, at(0), Lang::En, false));
    let size = (120, 40);
    assert!(cells(-1, size) < cells(0, size) && cells(0, size) < cells(1, size) && cells(0, size) > 0);
    for bigger in -20..=20 {
        assert!(cells(bigger, size) > 0, "{bigger}");
    }
}

#[test]
fn no_qr_cell_is_a_full_block_and_each_has_both_colours() {
    use ratatui::style::Color;
    for palette in [crate::tui::widget::qr::Palette::Rgb, crate::tui::widget::qr::Palette::Indexed] {
        for (ascii, style) in [(false, Style::Half), (false, Style::Blocks), (true, Style::Half)] {
            let v = view(PairStage::Showing(shown(OfferKind::Qr, "https://work.weixin.qq.com/ca/cawcde91f2ab0c5e7d", Fresh::Event)));
            let mut screen = PairScreen { palette, style, ..PairScreen::default() };
            let t = paint_with(&v, &mut screen, (160, 50), at(0), Lang::En, ascii);
            let fine = |c: Color| matches!(c, Color::Rgb(0, 0, 0) | Color::Rgb(255, 255, 255) | Color::Indexed(16 | 231));
            let mut seen = 0;
            for cell in t.backend().buffer().content().iter().filter(|c| fine(c.bg)) {
                seen += 1;
                assert!(fine(cell.fg) && (cell.symbol() == " " || cell.symbol() == "▄" && !ascii && style == Style::Half), "{cell:?}");
                assert!(cell.modifier.is_empty());
            }
            assert!(seen > 0);
        }
    }
}

#[test]
fn a_kind_without_codes_offers_none_beside_its_qr_and_the_other_way_round() {
    let of = |name: &str| stages().into_iter().find(|(n, _)| *n == name).unwrap().1;
    let words = |v: &PairView| keys(v, &PairScreen::default(), &Keymap::default()).into_iter().map(|(_, w)| w.name).collect::<Vec<_>>();
    let (mut qr, mut code) = (of("showing_qr_long"), of("showing_code"));
    assert!(words(&qr).contains(&w::KEY_CODE.name) && words(&code).contains(&w::KEY_QR.name));
    (qr.methods, code.methods) = (&qr.methods[1..], &code.methods[..1]);
    assert!(!words(&qr).contains(&w::KEY_CODE.name) && !words(&code).contains(&w::KEY_QR.name));
    assert!(!screen_text(&paint(&qr, (120, 50))).contains(w::KEY_CODE.get(Lang::En)));
}

#[test]
fn in_ascii_mode_no_character_of_ours_is_beyond_ascii() {
    for (name, v) in stages() {
        for size in [(40, 10), (80, 24), (120, 40)] {
            let mut screen = PairScreen { field: "x".into(), ..PairScreen::default() };
            let text = screen_text(&paint_with(&v, &mut screen, size, at(0), Lang::En, true));
            assert!(text.is_ascii(), "{name} {size:?}: {:?}\n{text}", text.chars().find(|c| !c.is_ascii()));
        }
    }
}

#[test]
fn what_is_kept_elsewhere_is_told_in_the_words_of_its_kind_and_not_called_kept_here() {
    static THERE: crate::i18n::Words = crate::i18n::Words { name: "test.there", en: "It lies on the server.", zh: "在服务器上。" };
    let text = |told| {
        let linked = view(PairStage::Linked { online: false, token: true, told, facts: Vec::new(), took_s: 9, n: 1 });
        screen_text(&paint(&linked, (100, 30)))
    };
    assert!(text(None).contains("The token is kept sealed here"), "{}", text(None));
    let there = text(Some([&w::PAIRED_TOKEN, &THERE]));
    assert!(there.contains("It lies on the server.") && !there.contains("sealed"), "{there}");
}

#[test]
fn a_login_without_an_offer_is_not_called_a_session_that_was_still_there_unless_it_was() {
    for (is_online, says) in [(true, "still there"), (false, "in 41 s")] {
        let (_, mut v) = stages().into_iter().find(|(name, _)| *name == "linked").unwrap();
        let PairStage::Linked { online, n, .. } = &mut v.stage else { panic!("{:?}", v.stage) };
        (*online, *n) = (is_online, 0);
        let text = screen_text(&paint(&v, (100, 30)));
        assert!(text.contains(says) && text.contains("still there") == is_online, "{text}");
    }
}

#[test]
fn every_stage_offers_a_way_out_first_or_second() {
    for (name, v) in stages() {
        let keys = keys(&v, &PairScreen::default(), &Keymap::default());
        assert!(keys.iter().take(2).any(|k| k.0 == "Esc" || name == "linked" && k.0 == "Enter"), "{name}");
        let mut names: Vec<_> = keys.iter().map(|k| k.0.clone()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), keys.len(), "{name}: a key stands twice");
    }
}

#[test]
fn the_footer_names_keys_as_the_configuration_has_them() {
    let act = crate::tui::keymap::Act::PairAgain.name().to_owned();
    let keymap = Keymap::new(&[KeyOverride { act, keys: vec!["ctrl-r".into()], line: None }]).unwrap();
    let (_, v) = stages().into_iter().find(|(name, _)| *name == "showing_code").unwrap();
    let keys = keys(&v, &PairScreen::default(), &keymap);
    assert!(keys.contains(&("ctrl-r".to_owned(), &w::KEY_AGAIN)), "{keys:?}");
}

#[test]
fn what_matters_most_is_on_screen_at_forty_by_ten() {
    let must = |name: &str| match name {
        "showing_code" => vec!["M 6 B R - K J 4 5", "dies in 38 s", "fresh", "clock ok", "Esc leave"],
        "showing_badges" => vec!["M 6 B R - K J 4 5", "dies in 38 s", "CLOCK OVERRIDDEN", "clock unverified ?", "UNPROVEN"],
        "showing_qr_long" => vec!["65x34", "59x31", "40x10", "dies in 38 s", "pairing code", "write a PNG"],
        "blocked" => vec!["NOT STARTED", "3:00:00 ahead", "set-timezone", "Esc leave", "r check again", "! start anyway"],
        "failed_wipe" => vec!["[408]", "Enter wipe and start again", "Esc leave"],
        "linked" => vec!["PAIRED", "Loja Norte", "41 s"],
        _ => vec!["PAIR", "Esc leave"],
    };
    for (name, v) in stages() {
        let text = screen_text(&paint(&v, (40, 10)));
        for part in must(name) {
            assert!(text.contains(part), "{name}: {part} is missing in\n{text}");
        }
    }
}

#[test]
fn the_screen_wakes_exactly_when_a_second_changes_and_never_when_none_is_drawn() {
    let v = view(PairStage::Showing(shown(OfferKind::Code, "M6BRKJ45", Fresh::Event)));
    let seconds = |ms| screen_text(&paint_with(&v, &mut PairScreen::default(), (40, 10), at(ms), Lang::En, false));
    for now in [0, 1, 999, 1_000, 7_300, 44_000, 44_999] {
        let tick = u64::try_from(next_tick(&v, &at(now)).unwrap().as_millis()).unwrap();
        assert_eq!(seconds(now), seconds(now + tick - 1), "{now}");
        assert_ne!(seconds(now), seconds(now + tick), "{now}");
    }
    assert_eq!(next_tick(&v, &at(45_000)), None);
    let counting = ["asking_clock", "waiting", "discarded", "scanned", "showing_qr_short", "showing_qr_long", "showing_code", "showing_badges"];
    for (name, v) in stages() {
        assert_eq!(next_tick(&v, &at(7_250)).is_some(), counting.contains(&name), "{name}");
    }
}

mod any_size {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
        #[test]
        fn no_stage_panics_at_any_size(
            stage in 0usize..20,
            cols in 1u16..140,
            rows in 1u16..60,
            bigger in -20i8..=20,
            back in 0u16..9,
            now in 0u64..60_000,
            zh: bool,
            ascii: bool,
            blocks: bool,
            field in ".{0,40}",
        ) {
            let all = stages();
            let (_, v) = &all[stage];
            let style = if blocks { Style::Blocks } else { Style::Half };
            let mut screen = PairScreen { bigger, style, log_back: back, override_armed: blocks, ..PairScreen::default() };
            screen.field = field.as_str().into();
            let lang = if zh { Lang::Zh } else { Lang::En };
            paint_with(v, &mut screen, (cols, rows), at(now), lang, ascii);
        }
    }

    #[test]
    fn the_smallest_sizes_never_panic() {
        for (_, v) in stages() {
            for cols in 1..=24 {
                for rows in 1..=10 {
                    paint(&v, (cols, rows));
                }
            }
        }
    }
}

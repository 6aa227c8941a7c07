//! What the deck looks like, at the three sizes of the mock-ups, in both languages.

use super::sample::{app, at, op, picture};
use crate::{
    domain::{Action, OpPhase, Tier},
    engine::Mail,
    i18n::Lang,
    tui::{app::App, event::Event, update::update},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use insta::assert_snapshot;

const SIZES: [(u16, u16); 3] = [(40, 10), (80, 24), (120, 40)];

fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            c => KeyCode::Char(c),
        };
        update(app, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), at(0));
    }
}

fn put_on(app: &mut App, label: &str) {
    let lines = app.rows.lines();
    app.cursor = (0..lines.len())
        .find(|i| matches!(lines[*i].node, crate::tui::rows::Node::Row(s) if app.fleet.get(s).is_some_and(|e| e.row.label.as_str() == label)))
        .unwrap();
    app.scroll_into_view();
}

fn arm(app: &mut App, action: Action, tier: Tier) {
    let target = app.entry().unwrap().row.target();
    let mut mail = Mail::default();
    let id = 7 + i64::try_from(app.armed.all().len()).unwrap();
    mail.ops.insert(id, op(id, target, action, tier, OpPhase::Armed, at(0)));
    update(app, Event::Mail(Box::new(mail)), at(0));
}

fn at_every_size(name: &str, prepare: impl Fn(&mut App)) {
    for (w, h) in SIZES {
        for (lang, l) in [(Lang::En, "en"), (Lang::Zh, "zh")] {
            let mut a = app(w, h, |s| s.lang = lang);
            put_on(&mut a, "shop-d");
            prepare(&mut a);
            assert_snapshot!(format!("{name}_{w}x{h}_{l}"), picture(&a));
        }
    }
}

#[test]
fn the_deck_keeps_its_look() {
    at_every_size("deck", |_| {});
}

#[test]
fn an_armed_wipe_shows_verb_target_countdown_and_the_way_back() {
    at_every_size("armed", |a| arm(a, Action::Wipe, Tier::Swift));
}

#[test]
fn several_armed_actions_are_counted_and_a_hold_waits() {
    at_every_size("armed_two", |a| {
        arm(a, Action::Wipe, Tier::Swift);
        put_on(a, "shop-a");
        arm(a, Action::Regenerate, Tier::Hold);
    });
}

#[test]
fn the_help_is_made_from_the_live_keymap() {
    at_every_size("help", |a| press(a, "?"));
}

#[test]
fn the_detail_tells_witnesses_reason_remedy_and_keys() {
    at_every_size("detail", |a| {
        put_on(a, "shop-f");
        press(a, "\n");
    });
}

#[test]
fn a_filter_narrows_the_rows_and_counts_them() {
    at_every_size("filter", |a| press(a, "/state:loggedout"));
}

#[test]
fn clock_evidence_names_who_is_wrong() {
    at_every_size("clock", |a| {
        evidence(a);
        press(a, "c");
    });
}

/// A second gateway that is well, an unknown one, a day of offsets, and a host in a container.
fn evidence(a: &mut App) {
    use crate::{
        clock::{Verdict, container::Container, notes::HostFacts, timezone::ZoneFacts, verdict::Judgement},
        domain::{GatewayId, Wall},
        store::{ClockBucket, ClockTrack},
    };
    let mut well = super::sample::blocked_gate();
    well.gateway = GatewayId::new("wa-eu");
    (well.verdict, well.side) = (Verdict::Ok, None);
    let skew = Some(crate::clock::sample::Interval::new(-900, 300));
    for s in &mut well.remote.samples {
        (s.gateway, s.interval) = (Some(well.gateway.clone()), skew);
    }
    well.remote = Judgement { verdict: Verdict::Ok, skew, cause: None, samples: well.remote.samples };
    a.gates.insert(well.gateway.clone(), well);
    let bucket = |n: i64| {
        (n > 7).then_some({
            if n < 40 {
                ClockBucket { min_ms: -400, max_ms: 100, points: 6 }
            } else {
                ClockBucket { min_ms: 10_800_000, max_ms: 10_800_000, points: 6 }
            }
        })
    };
    let track = ClockTrack { since: Wall(0), step_ms: 1_800_000, buckets: (0..48).map(bucket).collect() };
    a.tracks.insert(GatewayId::new("wa-sp"), track);
    let zone = Some(ZoneFacts { has_zones: true, ..ZoneFacts::default() });
    a.host = HostFacts { zone, offset: Some(0), container: Some(Container::Docker), ..HostFacts::default() };
}

#[test]
fn the_evidence_scrolls_to_its_end_and_no_further_and_says_who_was_asked() {
    let mut a = app(40, 10, |_| {});
    evidence(&mut a);
    press(&mut a, "cG");
    let end = picture(&a);
    press(&mut a, "jjjj");
    assert_eq!(picture(&a), end);
    press(&mut a, "k");
    assert_ne!(picture(&a), end, "the first key up moves it");
    press(&mut a, "r");
    assert!(picture(&a).contains("asking im-core, wa-eu, wa-sp"), "{}", picture(&a));
    let mut fresh = super::sample::blocked_gate();
    for s in &mut fresh.remote.samples {
        s.at = at(0);
    }
    let mut mail = Mail::default();
    mail.gates.insert(fresh.gateway.clone(), fresh);
    update(&mut a, Event::Mail(Box::new(mail)), at(0));
    assert!(picture(&a).contains("asking im-core, wa-eu") && !picture(&a).contains("wa-eu, wa-sp"), "{}", picture(&a));
    a.now = super::sample::later(21_000);
    assert!(picture(&a).contains("no answer from im-core, wa-eu"), "{}", picture(&a));
}

#[test]
fn a_moved_clock_is_said_until_it_was_asked_again() {
    for ((w, h), words) in [((80, 24), "clock moved, asking again"), ((40, 10), "⚠ moved c")] {
        let mut a = app(w, h, |_| {});
        let mut gate = super::sample::blocked_gate();
        gate.moved = Some(crate::clock::steps::Moved { by_ms: Some(92_000), slept: None, at: at(2) });
        let mut mail = Mail::default();
        mail.gates.insert(gate.gateway.clone(), gate.clone());
        update(&mut a, Event::Mail(Box::new(mail)), at(0));
        assert!(picture(&a).contains(words), "{}", picture(&a));
        gate.moved = None;
        let mut mail = Mail::default();
        mail.gates.insert(gate.gateway.clone(), gate);
        update(&mut a, Event::Mail(Box::new(mail)), at(0));
        assert!(!picture(&a).contains(words), "{}", picture(&a));
    }
}

#[test]
fn bad_news_of_a_clock_rings_only_where_the_bell_is_wanted() {
    for wanted in [true, false] {
        let mut a = app(80, 24, |s| s.bell = wanted);
        let effects = update(&mut a, Event::Mail(Box::new(Mail { bell: true, ..Mail::default() })), at(0));
        assert_eq!(effects.iter().any(|e| matches!(e, crate::tui::effect::Do::Bell)), wanted);
    }
}

#[test]
fn the_pair_form_asks_for_method_and_number_first() {
    at_every_size("pair", |a| {
        put_on(a, "shop-b");
        press(a, "p");
    });
}

#[test]
fn one_question_stands_for_all_marked_rows() {
    at_every_size("question", |a| {
        put_on(a, "客服一号");
        press(a, " ");
        put_on(a, "shop-b");
        press(a, " ");
        put_on(a, "shop-a");
        press(a, " w");
    });
}

#[test]
fn menu_palette_add_states_and_log_keep_their_look() {
    let mut a = app(80, 24, |_| {});
    put_on(&mut a, "shop-d");
    press(&mut a, "m");
    assert_snapshot!("menu", picture(&a));
    let mut a = app(80, 24, |_| {});
    press(&mut a, ":re");
    assert_snapshot!("palette", picture(&a));
    let mut a = app(80, 24, |_| {});
    press(&mut a, "awa-us\thttps://wa.example.net\tsecret");
    assert_snapshot!("add", picture(&a));
    assert!(!picture(&a).contains("secret"), "a typed key is never drawn");
    let mut a = app(80, 24, |_| {});
    press(&mut a, "'");
    assert_snapshot!("states", picture(&a));
    let mut a = app(80, 24, |_| {});
    press(&mut a, "dL");
    assert_snapshot!("log", picture(&a));
}

#[test]
fn the_welcome_screen_says_what_to_do_first() {
    let mut a = app(80, 24, |s| {
        s.gateways.clear();
        s.rows.clear();
        s.config_path = Some("/home/ana/.config/pairdeck/config.toml".into());
    });
    a.gates.clear();
    assert_snapshot!("welcome", picture(&a));
}

#[test]
fn ascii_leaves_no_glyph_of_ours() {
    for (w, h) in SIZES {
        for keys in ["", "?", "c", "m", ":", "a"] {
            let mut a = app(w, h, |s| s.ascii = true);
            press(&mut a, keys);
            arm(&mut a, Action::Wipe, Tier::Swift);
            let text = picture(&a);
            let odd: Vec<char> = text.chars().filter(|c| !c.is_ascii() && !"客服一号".contains(*c)).collect();
            assert!(odd.is_empty(), "{w}x{h} {keys:?}: {odd:?}\n{text}");
        }
    }
}

#[test]
fn badges_are_never_dropped() {
    use crate::tui::start::Badge;
    for w in [40, 50, 60, 80, 100, 120] {
        let a = app(w, 24, |s| s.badges = vec![Badge::ReadOnly, Badge::Plaintext, Badge::KeyFile, Badge::Demo]);
        let head = picture(&a).lines().next().unwrap().to_owned();
        for b in [Badge::ReadOnly, Badge::Plaintext, Badge::KeyFile, Badge::Demo] {
            assert!(head.contains(b.word(w < 60)), "{w}: {head}");
        }
    }
}

#[test]
fn hidden_names_stand_nowhere_on_the_screen() {
    let mut a = app(120, 40, |_| {});
    put_on(&mut a, "shop-d");
    press(&mut a, "H");
    arm(&mut a, Action::Wipe, Tier::Swift);
    let text = picture(&a);
    for secret in ["shop-d", "客服一号", "Loja Centro"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
}

#[test]
fn the_badge_of_open_files_comes_and_goes_while_the_deck_runs() {
    use crate::{
        engine::Mail,
        tui::{event::Event, start::Badge, update::update},
    };
    for began in [false, true] {
        let mut a = app(120, 24, |s| s.badges = if began { vec![Badge::Exposed, Badge::ReadOnly] } else { vec![Badge::ReadOnly] });
        let shown = |a: &crate::tui::app::App| picture(a).contains("OPEN FILES");
        assert_eq!(shown(&a), began);
        for is in [true, false, false, true] {
            a.dirty = false;
            let changes = is != shown(&a);
            update(&mut a, Event::Mail(Box::new(Mail { exposed: Some(is), ..Mail::default() })), super::sample::at(1));
            assert_eq!((shown(&a), a.dirty), (is, changes), "{}", picture(&a));
            assert_eq!(a.badges().iter().filter(|b| **b == Badge::Exposed).count(), usize::from(is));
        }
    }
}

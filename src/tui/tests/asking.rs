//! The question of a running action, and the life of a token: pure, from state to text.

use super::sample::{app, later, op, picture, row};
use crate::{
    domain::{Action, Clean, Fingerprint, OpPhase, Prompt, PromptKind, Secret, State, Tier, TokenInfo, row::TokenSemantics},
    engine::{Command, Mail, mailbox::OpView},
    i18n::{Message, wecom},
    tui::{app::App, effect::Do, event::Event, update::update},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

fn asking(wrong: u32) -> OpView {
    let target = row("wa-sp", "shop-b", None, State::Refused, 60).target();
    let mut view = op(7, target, Action::Do("secret".into()), Tier::Now, OpPhase::Asking, later(0));
    let hint = (wrong > 0).then(|| Clean::new("40001"));
    view.prompt = Some(Prompt { kind: PromptKind::Secret, words: Message::new(&wecom::CONSOLE_WECOM), hint, wrong });
    view
}

fn mail(app: &mut App, view: OpView) {
    let mut mail = Mail::default();
    mail.ops.insert(view.id, view);
    update(app, Event::Mail(Box::new(mail)), later(10));
}

fn press(app: &mut App, code: KeyCode) -> Vec<Do> {
    update(app, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), later(20))
}

#[test]
fn a_secret_that_is_asked_for_is_typed_unseen_and_sent_once() {
    let mut a = app(100, 30, |_| {});
    mail(&mut a, asking(0));
    assert!(picture(&a).contains("Secret > reset"), "{}", picture(&a));
    update(&mut a, Event::Paste("CANARY-new".into()), later(15));
    assert!(!picture(&a).contains("CANARY") && picture(&a).contains("··········"), "{}", picture(&a));
    let sent = press(&mut a, KeyCode::Enter);
    assert!(sent.iter().any(|d| matches!(d, Do::Send(Command::AnswerOp(7, s)) if *s == Secret::new("CANARY-new".into()))));
    assert!(a.overlays.is_empty());
    mail(&mut a, asking(1));
    assert!(picture(&a).contains("not accepted: 40001"), "{}", picture(&a));
    let mut over = asking(1);
    (over.prompt, over.phase) = (None, OpPhase::Running);
    mail(&mut a, over);
    assert!(a.overlays.is_empty(), "the action goes on without an answer");
}

#[test]
fn leaving_the_question_takes_the_action_back() {
    let mut a = app(100, 30, |_| {});
    mail(&mut a, asking(0));
    let sent = press(&mut a, KeyCode::Esc);
    assert!(sent.iter().any(|d| matches!(d, Do::Send(Command::Undo(7)))) && a.overlays.is_empty());
}

#[test]
fn the_life_of_a_token_is_a_bar_and_whole_minutes() {
    let now = later(0);
    let t = TokenInfo {
        fingerprint: Fingerprint::of(&[1; 32], &Secret::new("0123456789abcdef".into())),
        length: 214,
        issued_at: Some(now.wall.plus_ms(-3_600_000)),
        expires_at: Some(now.wall.plus_ms(3_600_000)),
        generation: 3,
        semantics: TokenSemantics::SameUntilExpiry,
        rejected: false,
    };
    assert_eq!(crate::tui::view::detail::left(&t, &now).unwrap().as_secs(), 3600);
    assert_eq!(crate::tui::view::detail::left(&t, &later(3_600_000)), None);
}

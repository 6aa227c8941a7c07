//! The spoken attempt.

use super::*;

fn code(n: u32, now: crate::domain::Stamp, lives_ms: u64) -> PairStage {
    let dies = now.boot_now().plus(Duration::from_millis(lives_ms));
    let offer = Offer {
        n,
        kind: OfferKind::Code,
        payload: Payload::code("M6BRKJ45").unwrap(),
        issued: now,
        dies,
        expires_at: Wall(now.wall.0),
        fresh: Fresh::Event,
    };
    PairStage::Showing(Box::new(Shown { offer, verdict: Verdict::Ok, overridden: false, epoch: 1 }))
}

#[tokio::test(start_paused = true)]
async fn pairing_asks_for_the_number_and_spells_the_code() {
    with(
        |_| {},
        |mut h| async {
            let b = h.number("shop-g");
            h.said();
            h.line(&format!("{b} p")).await;
            assert_eq!(h.said(), [format!("A code needs the phone's number with its country code: type {b} p and the number.")]);
            h.line(&format!("{b} p 0123")).await;
            assert!(h.said()[0].starts_with("That is not a phone number"));
            h.line(&format!("{b} p +55 11 99999-0001")).await;
            assert_eq!(h.sent, ["pair shop-g Code Some(\"5511999990001\")"]);
            h.show(code(2, h.clock.now(), 45_000));
            h.wait(1).await;
            let said = h.said();
            assert!(said.contains(&"Code 2: M, 6, B, R, dash, K, J, 4, 5. Dies in 45 seconds.".to_owned()), "{said:?}");
            assert!(!said.iter().any(|l| l.contains("97731")), "a number is never spoken whole: {said:?}");
            h.wait(34_000).await;
            assert_eq!(h.said(), Vec::<String>::new(), "seconds are not counted aloud");
            h.wait(1_500).await;
            assert_eq!(h.said(), ["Code 2: 10 seconds left."]);
            h.wait(10_000).await;
            assert_eq!(h.said(), ["Code 2 is dead. Do not use it."]);
            h.line("x").await;
            assert_eq!(h.sent.last().unwrap(), "pairing Leave");
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_code_of_an_older_epoch_or_already_dead_is_never_spoken() {
    with(
        |_| {},
        |mut h| async {
            h.said();
            h.show(code(1, h.clock.now(), 0));
            h.wait(1).await;
            let mut void = attempt(code(2, h.clock.now(), 45_000), h.clock.now());
            void.gate = Some({
                let mut g = blocked_gate();
                g.epoch = 2;
                g
            });
            h.mailbox.put(|m| m.pairing = Some(Some(void)));
            h.wait(1).await;
            assert!(!h.said().iter().any(|l| l.contains("M, 6")));
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_qr_becomes_a_picture_and_the_path_is_said() {
    with(
        |s| {
            s.png = Some(Arc::new(|text| {
                assert_eq!(text, "2@abc,def");
                Ok("/home/op/pairdeck-1.png".into())
            }))
        },
        |mut h| async {
            let n = h.number("shop-g");
            h.line(&format!("{n} qr")).await;
            assert_eq!(h.sent, ["pair shop-g Qr None"]);
            let PairStage::Showing(mut shown) = code(1, h.clock.now(), 20_000) else { panic!() };
            shown.offer.kind = OfferKind::Qr;
            shown.offer.payload = Payload::qr("2@abc,def").unwrap();
            h.said();
            let mut view = attempt(PairStage::Showing(shown), h.clock.now());
            view.method = Method::Qr;
            h.mailbox.put(|m| m.pairing = Some(Some(view)));
            h.wait(1).await;
            let said = h.said();
            assert!(said.iter().any(|l| l.starts_with("QR 1: written as a picture")), "{said:?}");
            assert!(said.iter().any(|l| l.contains("/home/op/pairdeck-1.png")), "{said:?}");
            assert!(!said.iter().any(|l| l.contains("2@abc")), "{said:?}");
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_blocked_clock_is_explained_and_overridden_only_by_two_words() {
    with(
        |_| {},
        |mut h| async {
            h.said();
            h.show(PairStage::Blocked { started: false });
            h.wait(1).await;
            let said = h.said();
            assert!(said[0].starts_with("NOT STARTED: the clock of wa-sp is"), "{said:?}");
            assert!(said.last().unwrap().contains("! and then s"), "{said:?}");
            h.line("s").await;
            h.line("!").await;
            h.line("go").await;
            h.line("s").await;
            assert_eq!(h.sent, Vec::<String>::new());
            h.line("!").await;
            h.line("s").await;
            assert_eq!(h.sent, ["pairing Override"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_password_is_typed_without_an_echo() {
    with(
        |_| {},
        |mut h| async {
            assert!(h.ear.echo.load(Ordering::SeqCst));
            let prompt = crate::domain::Prompt {
                kind: crate::domain::PromptKind::Password,
                words: crate::i18n::Message::new(&crate::i18n::deck::UNLOCK_ASK),
                hint: None,
                wrong: 0,
            };
            h.show(PairStage::Ask(prompt));
            h.wait(1).await;
            assert!(!h.ear.echo.load(Ordering::SeqCst));
            h.line("q").await;
            assert_eq!(h.sent.len(), 1, "an answer, not a command: {:?}", h.sent);
            assert!(h.sent[0].starts_with("pairing Answer"));
            h.show(PairStage::Failed { why: Reason::new(ReasonCode::QrLimit).raw(Clean::new("500").as_str()), wipe_first: false });
            h.wait(1).await;
            assert!(h.ear.echo.load(Ordering::SeqCst));
            h.line("x").await;
            h
        },
    )
    .await;
}

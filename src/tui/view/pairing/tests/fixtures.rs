//! A view of every stage, as the engine would hand it over.

use crate::{
    clock::{
        Verdict,
        gate::{GateView, Shown},
        sample::{By, Interval, Sample, Subject},
        verdict::{Cause, Judgement, Side},
    },
    domain::{
        Boot, Clean, Fact, FactValue, Fresh, GatewayId, Method, Offer, OfferKind, Payload, Prompt, PromptKind, Reason, ReasonCode, RemoteId, Stamp,
        Target, Wall,
    },
    engine::mailbox::{PairStage, PairView},
    i18n::{Message, Words, common, pairing as w},
    providers::{Feed, MethodSpec},
};

pub(super) const T0: i64 = 1_790_000_000_000;
pub(super) static STEPS: [&Words; 2] = [&w::KEY_QR, &w::WAIT_QR];

pub(super) fn at(ms: u64) -> Stamp {
    Stamp { wall: Wall(T0 + i64::try_from(ms).unwrap()), boot: Some((1, Boot(100_000 + ms))) }
}

pub(super) fn gate(verdict: Verdict, skew_ms: i64, cause: Option<Cause>) -> GateView {
    let skew = Interval { lo_ms: skew_ms - 600, hi_ms: skew_ms + 600 };
    let sample = Sample {
        gateway: Some(GatewayId::new("wa-us")),
        subject: Subject::Gateway,
        by: By::Date,
        interval: Some(skew),
        at: at(0),
        probes: 2,
        detail: Clean::new(""),
        server: None,
    };
    let fine = Judgement { verdict: Verdict::Ok, skew: None, cause: None, samples: vec![] };
    let remote = Judgement { verdict, skew: Some(skew), cause, samples: vec![sample] };
    let side = (verdict == Verdict::Blocked).then_some(Side::Gateway);
    let limits = crate::clock::Limits::DEFAULT;
    GateView {
        gateway: GatewayId::new("wa-us"),
        limits,
        verdict,
        host: fine,
        remote,
        side,
        at: at(0),
        epoch: 3,
        moved: None,
        zone: None,
        host_zone: None,
    }
}

pub(super) fn shown(kind: OfferKind, text: &str, fresh: Fresh) -> Box<Shown> {
    let payload = if kind == OfferKind::Qr { Payload::qr(text) } else { Payload::code(text) }.unwrap();
    let offer = Offer { n: 2, kind, payload, issued: at(0), dies: Boot(145_000), expires_at: Wall(T0 + 45_000), fresh };
    Box::new(Shown { offer, verdict: Verdict::Ok, overridden: false, epoch: 3 })
}

pub(super) fn view(stage: PairStage) -> PairView {
    let method = match &stage {
        PairStage::Showing(s) if s.offer.kind == OfferKind::Qr => Method::Qr,
        _ => Method::Code,
    };
    PairView {
        target: Target::account(&GatewayId::new("wa-us"), &RemoteId::new("us-3")),
        label: Clean::new("us-3"),
        platform: "WhatsApp",
        phone: &STEPS,
        attempt: 1,
        method,
        methods: &[
            MethodSpec { method: Method::Code, needs_number: true, typed_here: false },
            MethodSpec { method: Method::Qr, needs_number: false, typed_here: false },
        ],
        number: Some(Clean::new("5511900000042")),
        stage,
        gate: Some(gate(Verdict::Ok, -300, None)),
        overridden: false,
        discarded: 1,
        feed: Feed::Events,
        began: at(0),
        log: vec![
            (at(0), Message::new(&w::WAITING_WHY)),
            (at(1_000), Message::new(&w::EXPIRED_CODE).with("n", "1")),
            (at(2_000), Message::new(&w::CODE_N).with("n", "2")),
        ],
    }
}

pub(super) fn long_qr() -> String {
    "2@".chars().chain("aB3/x+".chars().cycle().take(235)).collect()
}

pub(super) fn stages() -> Vec<(&'static str, PairView)> {
    let blocked = |started| {
        let mut v = view(PairStage::Blocked { started });
        v.gate = Some(gate(Verdict::Blocked, 10_800_400, Some(Cause::LocalTimeAsUtc { minutes: 180 })));
        v
    };
    // A host that shows a time before the release, and time servers that contradict each other.
    let host = |interval, by, server: Option<&str>| Sample {
        gateway: None,
        subject: Subject::Host,
        by,
        interval: Some(interval),
        at: at(0),
        probes: 1,
        detail: Clean::new(""),
        server: server.map(Clean::new),
    };
    let mut released = view(PairStage::Blocked { started: false });
    let open = Interval { lo_ms: 816_000_000_000, hi_ms: crate::clock::sample::OPEN };
    let before = host(open, By::Floor, None);
    let mut gate_released = gate(Verdict::Ok, -300, None);
    (gate_released.verdict, gate_released.side) = (Verdict::Blocked, Some(Side::Host));
    gate_released.host = Judgement { verdict: Verdict::Blocked, skew: Some(open), cause: Some(Cause::BeforeBuild), samples: vec![before] };
    released.gate = Some(gate_released);
    let mut torn = view(PairStage::Blocked { started: false });
    let near = |ms: i64| Interval { lo_ms: ms - 2, hi_ms: ms + 2 };
    let two = vec![host(near(0), By::Ntp, Some("a.example")), host(near(60_000), By::Ntp, Some("b.example"))];
    let joint = Sample { interval: None, detail: Clean::new("servers contradict each other by 59996 ms"), ..host(near(0), By::Ntp, None) };
    let mut gate_torn = gate(Verdict::Ok, -300, None);
    (gate_torn.verdict, gate_torn.side) = (Verdict::Blocked, Some(Side::CannotTell));
    let samples = [vec![joint], two].concat();
    gate_torn.host = Judgement { verdict: Verdict::Blocked, skew: None, cause: Some(Cause::SourcesConflict), samples };
    torn.gate = Some(gate_torn);
    let fact = Fact { key: "profile", label: &common::YES, value: FactValue::Text(Clean::new("Loja Norte")) };
    let number = Fact { key: "number", label: &common::NO, value: FactValue::Number(Clean::new("5511900000042")) };
    let prompt = |kind, words| Prompt { kind, words: Message::new(words), hint: Some(Clean::new("grandma's cat")), wrong: 1 };
    let why = |code| Reason::new(code);
    let mut badges = view(PairStage::Showing(Box::new(Shown {
        verdict: Verdict::Unknown,
        overridden: true,
        ..*shown(OfferKind::Code, "M6BRKJ45", Fresh::Presumed)
    })));
    badges.gate = None;
    vec![
        ("asking_clock", view(PairStage::AskingClock)),
        ("waiting", view(PairStage::Waiting { since: at(0), why: why(ReasonCode::Asking) })),
        ("discarded", view(PairStage::Discarded { since: at(0), why: why(ReasonCode::StaleCode) })),
        ("blocked", blocked(false)),
        ("blocked_started", blocked(true)),
        ("blocked_before_release", released),
        ("blocked_torn", torn),
        ("clock_unknown", view(PairStage::ClockUnknown)),
        ("unproven", view(PairStage::Unproven)),
        (
            "showing_qr_short",
            view(PairStage::Showing(shown(
                OfferKind::Qr,
                &"tg://login?token=".chars().chain("Ab3_".chars().cycle().take(48)).collect::<String>(),
                Fresh::Event,
            ))),
        ),
        ("showing_qr_long", view(PairStage::Showing(shown(OfferKind::Qr, &long_qr(), Fresh::NewIdentity)))),
        ("showing_code", view(PairStage::Showing(shown(OfferKind::Code, "M6BRKJ45", Fresh::Event)))),
        ("showing_badges", badges),
        ("moved", view(PairStage::Moved { by_ms: Some(92_000) })),
        ("expired", view(PairStage::Expired { n: 6 })),
        ("scanned", view(PairStage::Scanned { since: at(0), n: 2 })),
        ("ask_password", view(PairStage::Ask(prompt(PromptKind::Password, &w::FAILED)))),
        ("ask_number", view(PairStage::Ask(prompt(PromptKind::Number, &w::FAILED)))),
        ("needs", view(PairStage::Needs { why: why(ReasonCode::MayBeLinked), loses: vec![Message::new(&w::PAIRED_SYNC)] })),
        ("linked", view(PairStage::Linked { online: true, token: false, told: None, facts: vec![fact, number], took_s: 41, n: 2 })),
        ("failed_wipe", view(PairStage::Failed { why: why(ReasonCode::AttemptSpoilt).raw("408"), wipe_first: true })),
        ("failed", view(PairStage::Failed { why: why(ReasonCode::Unreachable).raw("refused"), wipe_first: false })),
    ]
}

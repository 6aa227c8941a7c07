//! A fixed fleet and what stands around it, for pictures and flows.

use crate::{
    clock::{
        Limits, Verdict,
        gate::GateView,
        sample::{By, Interval, Sample, Subject},
        verdict::{Cause, Judgement, Side},
    },
    domain::{
        Action, Boot, Clean, Effect, Fact, FactValue, GatewayId, Link, Method, Not, OpPhase, Reason, ReasonCode, RemoteId, Row, Source, Stamp, State,
        Target, Tier, Time, TokenInfo, Wall, Witness, row::TokenSemantics,
    },
    engine::mailbox::{GatewayView, OpView, PairStage, PairView, Status, VaultView},
    i18n::{Message, deck as w},
    providers::{AskSpec, Becomes, Feed, GatewayFacts, KindSpec, MethodSpec, On, SecretSpec, VerbSpec},
    tui::{
        app::App,
        start::Start,
        terminal::{Desk, Paper},
        view,
    },
};
use std::{sync::Arc, time::Duration};

pub(in crate::tui) const WALL: i64 = 1_763_198_040_000;
pub(in crate::tui) const BOOT: u64 = 1_000_000_000;

pub(in crate::tui) fn at(seconds_ago: u64) -> Stamp {
    let ms = seconds_ago * 1000;
    Stamp { wall: Wall(WALL - i64::try_from(ms).unwrap()), boot: Some((1, Boot(BOOT - ms))) }
}

pub(in crate::tui) fn later(ms: u64) -> Stamp {
    Stamp { wall: Wall(WALL + i64::try_from(ms).unwrap()), boot: Some((1, Boot(BOOT + ms))) }
}

pub(in crate::tui) struct Still;
impl Time for Still {
    fn now(&self) -> Stamp {
        at(0)
    }
}

pub(in crate::tui) static PHONE: KindSpec = KindSpec {
    kind: "phone",
    name: "PhoneGate",
    platform: "Phonely",
    limits: Limits::DEFAULT,
    secrets: &[SecretSpec { name: "api_key", words: &w::ADD_KEY, optional: false }],
    account_secrets: &[],
    verbs: &[
        VerbSpec { id: "restart", key: 'r', words: &w::ACT_REDRAW, on: On::Account, asks: &[] },
        VerbSpec {
            id: "create",
            key: 'c',
            words: &w::ACT_ADD,
            on: On::Gateway,
            asks: &[AskSpec { name: "name", words: &w::ADD_NAME, becomes: Becomes::Account, default: None }],
        },
    ],
    methods: &[
        MethodSpec { method: Method::Code, needs_number: true, typed_here: false },
        MethodSpec { method: Method::Qr, needs_number: false, typed_here: false },
    ],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(30),
    phone_qr: &[],
    phone_code: &[],
};
pub(in crate::tui) static IM: KindSpec = KindSpec {
    kind: "im",
    name: "ImCore",
    platform: "Im",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[],
    verbs: &[],
    methods: &[],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(30),
    phone_qr: &[],
    phone_code: &[],
};

pub(in crate::tui) fn link(state: State, ago: u64) -> Link {
    Link { state, since: Some(at(ago)), observed_at: Some(at(5)), source: Source::Events, reason: None, witnesses: Vec::new() }
}

pub(in crate::tui) fn gateway(name: &str, spec: &'static KindSpec, rank: usize) -> GatewayView {
    GatewayView {
        id: GatewayId::new(name),
        spec,
        link: link(State::Online, 86_400),
        facts: GatewayFacts { version: Some(Clean::new("2.3.7")), feed: Feed::Events, whole: true, ..GatewayFacts::default() },
        plaintext: false,
        stale: false,
        rank,
    }
}

pub(in crate::tui) fn row(gateway: &str, name: &str, number: Option<&str>, state: State, ago: u64) -> Row {
    Row {
        gateway: GatewayId::new(gateway),
        account: RemoteId::new(name),
        device: None,
        incarnation: Some("i1".into()),
        label: Clean::new(name),
        identity: number.map(Clean::new),
        link: link(state, ago),
        tokens: vec![TokenInfo {
            fingerprint: crate::domain::Fingerprint::of(&[7; 32], &crate::domain::Secret::new(format!("token-of-{name}-long-enough"))),
            length: 36,
            issued_at: None,
            expires_at: None,
            generation: 0,
            semantics: TokenSemantics::Lasting,
            rejected: false,
        }],
        facts: vec![Fact { key: "profile", label: &w::LABEL_IDENTITY, value: FactValue::Text(Clean::new("Loja Centro")) }],
    }
}

fn device(gateway: &str, account: &str, name: &str, state: State, ago: u64) -> Row {
    Row {
        device: Some(RemoteId::new(name)),
        label: Clean::new(name),
        identity: Some(Clean::new("master")),
        ..row(gateway, account, None, state, ago)
    }
}

pub(in crate::tui) fn because(mut r: Row, reason: Reason) -> Row {
    r.link.reason = Some(reason);
    r
}

pub(in crate::tui) fn fleet() -> (Vec<GatewayView>, Vec<Row>) {
    let mut far = gateway("wa-eu", &PHONE, 1);
    far.link = link(State::Unreachable, 420);
    far.link.observed_at = Some(at(420));
    far.link.reason = Some(Reason::new(ReasonCode::Unreachable));
    far.plaintext = true;
    let gateways = vec![gateway("wa-sp", &PHONE, 0), far, gateway("im-core", &IM, 2)];
    let mut differs = row("wa-sp", "shop-f", Some("5521999994410"), State::Offline, 240);
    differs.link.witnesses = vec![
        Witness { source: Source::Metrics, says: Clean::new("close"), state: State::Offline, observed_at: at(30) },
        Witness { source: Source::List, says: Clean::new("connecting"), state: State::Connecting, observed_at: at(240) },
    ];
    differs.link.reason = Some(Reason::new(ReasonCode::WitnessesDiffer));
    let rows = vec![
        row("wa-sp", "shop-a", Some("5511999991204"), State::Online, 10_800),
        because(row("wa-sp", "shop-b", Some("5511999997731"), State::LoggedOut, 720), Reason::new(ReasonCode::LoggedOut).raw("401")),
        row("wa-sp", "shop-c", Some("5511999990042"), State::Pairing, 20),
        row("wa-sp", "shop-d", Some("5511999995518"), State::Online, 518_400),
        row("wa-sp", "客服一号", Some("8613800136620"), State::Online, 32_400),
        differs,
        row("wa-sp", "shop-g", None, State::Connecting, 30),
        because(row("wa-sp", "shop-h", Some("351912345903"), State::LoggedOut, 172_800), Reason::new(ReasonCode::Replaced).raw("440")),
        row("wa-eu", "eu-1", Some("4915112345678"), State::Online, 3_600),
        row("wa-eu", "eu-2", None, State::Online, 3_600),
        because(row("im-core", "u-10024", Some("2 devices"), State::Conflict, 480), Reason::new(ReasonCode::Replaced)),
        device("im-core", "u-10024", "APP 0", State::Online, 60),
        device("im-core", "u-10024", "WEB 1", State::Offline, 10_800),
        because(row("im-core", "u-20077", None, State::Refused, 120), Reason::new(ReasonCode::CredentialRefused).with("gateway", "im-core")),
    ];
    (gateways, rows)
}

/// As a provider would answer: an online row pairs only after a wipe; regenerate is a *hold* action.
pub(in crate::tui) fn can(row: &Row, action: &Action, _: &GatewayFacts) -> Result<Effect, Not> {
    let effect =
        |tier, loses: Vec<Message>| Effect { tier, says: Message::new(&w::OP_RUNNING).with("what", action.name()), loses, restorable: false };
    match action {
        Action::Pair if row.link.state == State::Online => Err(Not::NotNow(Message::new(&crate::i18n::reason::ALREADY_ONLINE))),
        Action::Wipe if row.link.state == State::LoggedOut => Err(Not::NotNow(Message::new(&crate::i18n::reason::NEVER_PAIRED))),
        Action::Regenerate => Ok(effect(Tier::Hold, vec![Message::new(&w::TOUR_WIPE)])),
        _ => Ok(effect(Tier::Swift, Vec::new())),
    }
}

pub(in crate::tui) fn start(time: Arc<dyn Time>) -> Start {
    let (gateways, rows) = fleet();
    let mut s = Start::new(time, Arc::new(can));
    s.gateways = gateways;
    s.rows = rows;
    s.kinds = vec![&PHONE, &IM];
    s.status = Some(Status { vault: VaultView::Open("keyring"), follower: false, store_trouble: None, shared_trouble: None });
    s.signals = false;
    s
}

pub(in crate::tui) fn blocked_gate() -> GateView {
    let sample = |subject, by, lo, hi| Sample {
        gateway: Some(GatewayId::new("wa-sp")),
        subject,
        by,
        interval: Some(Interval { lo_ms: lo, hi_ms: hi }),
        at: at(20),
        probes: 2,
        detail: Clean::new(""),
        server: None,
    };
    GateView {
        gateway: GatewayId::new("wa-sp"),
        verdict: Verdict::Blocked,
        host: Judgement {
            verdict: Verdict::Ok,
            skew: Some(Interval { lo_ms: -8, hi_ms: 12 }),
            cause: None,
            samples: vec![sample(Subject::Host, By::Ntp, -8, 12)],
        },
        remote: Judgement {
            verdict: Verdict::Blocked,
            skew: Some(Interval { lo_ms: 10_799_400, hi_ms: 10_800_600 }),
            cause: Some(Cause::LocalTimeAsUtc { minutes: 180 }),
            samples: vec![sample(Subject::Gateway, By::Date, 10_799_400, 10_800_600)],
        },
        side: Some(Side::Gateway),
        at: at(20),
        epoch: 1,
        moved: None,
        zone: None,
        host_zone: None,
        limits: crate::clock::Limits::DEFAULT,
    }
}

pub(in crate::tui) fn app(w: u16, h: u16, tune: impl FnOnce(&mut Start)) -> App {
    let mut s = start(Arc::new(Still));
    tune(&mut s);
    let mut app = App::new(s, at(0), (w, h)).unwrap();
    app.gates.insert(GatewayId::new("wa-sp"), blocked_gate());
    // The first resize comes before the first frame, as in the loop.
    crate::tui::update::update(&mut app, crate::tui::event::Event::Resize(w, h), at(0));
    app
}

pub(in crate::tui) fn picture(app: &App) -> String {
    let mut paper = Paper::new(app.size.0, app.size.1).unwrap();
    paper.draw(&mut |f| view::draw(app, f)).unwrap();
    paper.text()
}

pub(in crate::tui) fn op(id: i64, target: Target, action: Action, tier: Tier, phase: OpPhase, now: Stamp) -> OpView {
    OpView {
        id,
        label: Clean::new(target.account.as_str()),
        action,
        target,
        platform: "Phonely",
        tier,
        says: Message::new(&w::VERB_WIPE),
        loses: Vec::new(),
        phase,
        armed_at: now,
        step: None,
        prompt: None,
        reason: None,
        outcome: None,
    }
}

pub(in crate::tui) fn attempt(stage: PairStage, now: Stamp) -> PairView {
    PairView {
        target: Target::account(&GatewayId::new("wa-sp"), &RemoteId::new("shop-b")),
        label: Clean::new("shop-b"),
        platform: "Phonely",
        phone: &[],
        attempt: 1,
        method: Method::Code,
        methods: PHONE.methods,
        number: Some(Clean::new("5511999997731")),
        stage,
        gate: None,
        overridden: false,
        discarded: 0,
        feed: Feed::Events,
        began: now,
        log: Vec::new(),
    }
}

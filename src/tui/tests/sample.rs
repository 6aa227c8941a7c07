//! A fixed fleet, a clock in the tests' hands, and an engine that only records and answers.

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
    engine::{
        Command, Mailbox,
        mailbox::{GatewayView, OpView, PairStage, PairView, Status, VaultView},
    },
    i18n::{Message, deck as w},
    providers::{Feed, GatewayFacts, KindSpec, MethodSpec, SecretSpec, VerbSpec},
    tui::{
        app::App,
        start::Start,
        terminal::{Desk, Paper},
        view::{self, Drawn},
    },
};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Frame, layout::Size};
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

pub(super) const WALL: i64 = 1_763_198_040_000;
pub(super) const BOOT: u64 = 1_000_000_000;

pub(super) fn at(seconds_ago: u64) -> Stamp {
    let ms = seconds_ago * 1000;
    Stamp { wall: Wall(WALL - i64::try_from(ms).unwrap()), boot: Some((1, Boot(BOOT - ms))) }
}

pub(super) fn later(ms: u64) -> Stamp {
    Stamp { wall: Wall(WALL + i64::try_from(ms).unwrap()), boot: Some((1, Boot(BOOT + ms))) }
}

/// A clock that runs with tokio's (paused) time, plus jumps of the boot clock.
pub(super) struct Clock {
    began: tokio::time::Instant,
    pub(super) jump: AtomicU64,
}

impl Clock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: tokio::time::Instant::now(), jump: AtomicU64::new(0) })
    }
}

impl Time for Clock {
    fn now(&self) -> Stamp {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap() + self.jump.load(Ordering::SeqCst);
        Stamp { wall: Wall(WALL + i64::try_from(ms).unwrap()), boot: Some((1, Boot(BOOT + ms))) }
    }
}

pub(super) struct Still;
impl Time for Still {
    fn now(&self) -> Stamp {
        at(0)
    }
}

pub(super) static PHONE: KindSpec = KindSpec {
    kind: "phone",
    name: "PhoneGate",
    platform: "Phonely",
    limits: Limits::DEFAULT,
    secrets: &[SecretSpec { name: "api_key", words: &w::ADD_KEY }],
    verbs: &[
        VerbSpec { id: "restart", key: 'r', words: &w::ACT_REDRAW, creates: false },
        VerbSpec { id: "create", key: 'c', words: &w::ACT_ADD, creates: true },
    ],
    methods: &[MethodSpec { method: Method::Code, needs_number: true }, MethodSpec { method: Method::Qr, needs_number: false }],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(30),
    phone_qr: &[],
    phone_code: &[],
};
pub(super) static IM: KindSpec = KindSpec {
    kind: "im",
    name: "ImCore",
    platform: "Im",
    limits: Limits::DEFAULT,
    secrets: &[],
    verbs: &[],
    methods: &[],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(30),
    phone_qr: &[],
    phone_code: &[],
};

pub(super) fn link(state: State, ago: u64) -> Link {
    Link { state, since: Some(at(ago)), observed_at: Some(at(5)), source: Source::Events, reason: None, witnesses: Vec::new() }
}

pub(super) fn gateway(name: &str, spec: &'static KindSpec, rank: usize) -> GatewayView {
    GatewayView {
        id: GatewayId::new(name),
        spec,
        link: link(State::Online, 86_400),
        facts: GatewayFacts { version: Some(Clean::new("2.3.7")), feed: Feed::Events, whole: true, warnings: Vec::new() },
        plaintext: false,
        stale: false,
        rank,
    }
}

pub(super) fn row(gateway: &str, name: &str, number: Option<&str>, state: State, ago: u64) -> Row {
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

pub(super) fn because(mut r: Row, reason: Reason) -> Row {
    r.link.reason = Some(reason);
    r
}

pub(super) fn fleet() -> (Vec<GatewayView>, Vec<Row>) {
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
pub(super) fn can(row: &Row, action: &Action, _: &GatewayFacts) -> Result<Effect, Not> {
    let effect =
        |tier, loses: Vec<Message>| Effect { tier, says: Message::new(&w::OP_RUNNING).with("what", action.name()), loses, restorable: false };
    match action {
        Action::Pair if row.link.state == State::Online => Err(Not::NotNow(Message::new(&crate::i18n::reason::ALREADY_ONLINE))),
        Action::Wipe if row.link.state == State::LoggedOut => Err(Not::NotNow(Message::new(&crate::i18n::reason::NEVER_PAIRED))),
        Action::Regenerate => Ok(effect(Tier::Hold, vec![Message::new(&w::TOUR_WIPE)])),
        _ => Ok(effect(Tier::Swift, Vec::new())),
    }
}

pub(super) fn start(time: Arc<dyn Time>) -> Start {
    let (gateways, rows) = fleet();
    let mut s = Start::new(time, Arc::new(can));
    s.gateways = gateways;
    s.rows = rows;
    s.kinds = vec![&PHONE, &IM];
    s.status = Some(Status { vault: VaultView::Open("keyring"), follower: false, store_trouble: None });
    s.signals = false;
    s
}

pub(super) fn blocked_gate() -> GateView {
    let sample = |subject, by, lo, hi| Sample {
        gateway: Some(GatewayId::new("wa-sp")),
        subject,
        by,
        interval: Some(Interval { lo_ms: lo, hi_ms: hi }),
        at: at(20),
        probes: 2,
        detail: Clean::new(""),
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
    }
}

pub(super) fn app(w: u16, h: u16, tune: impl FnOnce(&mut Start)) -> App {
    let mut s = start(Arc::new(Still));
    tune(&mut s);
    let mut app = App::new(s, at(0), (w, h)).unwrap();
    app.gates.insert(GatewayId::new("wa-sp"), blocked_gate());
    // The first resize comes before the first frame, as in the loop.
    crate::tui::update::update(&mut app, crate::tui::event::Event::Resize(w, h), at(0));
    app
}

pub(super) fn picture(app: &App) -> String {
    let mut paper = Paper::new(app.size.0, app.size.1).unwrap();
    paper.draw(&mut |f| view::draw(app, f)).unwrap();
    paper.text()
}

pub(super) fn op(id: i64, target: Target, action: Action, tier: Tier, phase: OpPhase, now: Stamp) -> OpView {
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

pub(super) fn attempt(stage: PairStage, now: Stamp) -> PairView {
    PairView {
        target: Target::account(&GatewayId::new("wa-sp"), &RemoteId::new("shop-b")),
        label: Clean::new("shop-b"),
        platform: "Phonely",
        phone: &[],
        attempt: 1,
        method: Method::Code,
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

/// Paper whose text the script can read while the loop draws on it.
pub(super) struct Sheet {
    paper: Paper,
    pub(super) seen: Arc<Mutex<Seen>>,
    /// Each frame takes this long to write: a terminal that hangs. With the clock that it moves.
    pub(super) hang: Option<(Arc<Clock>, u64)>,
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) text: String,
    pub(super) frames: u64,
    pub(super) copied: Vec<String>,
    pub(super) suspended: u32,
    pub(super) hide: bool,
}

impl Sheet {
    pub(super) fn new(w: u16, h: u16) -> Self {
        Self { paper: Paper::new(w, h).unwrap(), seen: Arc::default(), hang: None }
    }
}

impl Desk for Sheet {
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame) -> Drawn) -> io::Result<Drawn> {
        let mut drawn = self.paper.draw(paint)?;
        let mut seen = self.seen.lock().unwrap();
        seen.text = self.paper.text();
        seen.frames += 1;
        if seen.hide {
            drawn = Drawn::default();
        }
        if let Some((clock, ms)) = &self.hang {
            clock.jump.fetch_add(*ms, Ordering::SeqCst);
        }
        Ok(drawn)
    }
    fn size(&self) -> io::Result<Size> {
        self.paper.size()
    }
    fn clear(&mut self) -> io::Result<()> {
        self.paper.clear()
    }
    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.seen.lock().unwrap().copied.push(text.to_owned());
        Ok(())
    }
    fn mouse(&mut self, _: bool) -> io::Result<()> {
        Ok(())
    }
    fn suspend(&mut self) -> io::Result<()> {
        self.seen.lock().unwrap().suspended += 1;
        Ok(())
    }
}

/// What a script holds while the loop runs.
pub(super) struct Hands {
    keys: Option<mpsc::UnboundedSender<io::Result<Event>>>,
    commands: mpsc::Receiver<Command>,
    pub(super) mailbox: Mailbox,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) clock: Arc<Clock>,
    pub(super) sent: Vec<String>,
    next_id: i64,
    /// The engine answers `Arm`, `Fire`, `Undo` as the real one does.
    pub(super) answers: bool,
    armed: Vec<OpView>,
}

impl Hands {
    /// Lets the loop run for `ms` of virtual time, with the engine answering.
    pub(super) async fn wait(&mut self, ms: u64) {
        let end = tokio::time::Instant::now() + Duration::from_millis(ms);
        loop {
            tokio::select! {
                biased;
                Some(c) = self.commands.recv() => self.engine(c),
                () = tokio::time::sleep_until(end) => break,
            }
        }
    }

    fn engine(&mut self, c: Command) {
        let now = self.clock.now();
        match &c {
            Command::Look { .. } => return,
            Command::Arm { target, action, .. } => {
                self.sent.push(format!("arm {} {}", action.name(), target.account.as_str()));
                if self.answers {
                    self.next_id += 1;
                    let tier = if *action == Action::Regenerate { Tier::Hold } else { Tier::Swift };
                    let view = op(self.next_id, target.clone(), action.clone(), tier, OpPhase::Armed, now);
                    self.armed.push(view.clone());
                    self.mailbox.put(|m| {
                        m.ops.insert(view.id, view);
                    });
                }
            }
            Command::Fire(id) | Command::Undo(id) => {
                let fire = matches!(c, Command::Fire(_));
                self.sent.push(format!("{} {id}", if fire { "fire" } else { "undo" }));
                if let Some(i) = self.armed.iter().position(|o| o.id == *id) {
                    let mut view = self.armed.remove(i);
                    view.phase = if fire { OpPhase::Done } else { OpPhase::Cancelled };
                    self.mailbox.put(|m| {
                        m.ops.insert(view.id, view);
                    });
                }
            }
            Command::Pair { target, method, number } => self.sent.push(format!("pair {} {method:?} {number:?}", target.account.as_str())),
            Command::Pairing(k) => self.sent.push(format!("pairing {k:?}")),
            Command::Quit => {
                self.sent.push("quit".into());
                self.mailbox.put(|m| m.ended = true);
            }
            other => self.sent.push(format!("{other:?}")),
        }
    }

    pub(super) async fn press(&mut self, keys: &str) {
        for word in keys.split(' ') {
            let (code, m) = match word {
                "enter" => (KeyCode::Enter, KeyModifiers::NONE),
                "esc" => (KeyCode::Esc, KeyModifiers::NONE),
                "tab" => (KeyCode::Tab, KeyModifiers::NONE),
                "space" => (KeyCode::Char(' '), KeyModifiers::NONE),
                "f5" => (KeyCode::F(5), KeyModifiers::NONE),
                w if w.starts_with("ctrl-") => (KeyCode::Char(w.chars().last().unwrap()), KeyModifiers::CONTROL),
                w => (KeyCode::Char(w.chars().next().unwrap()), KeyModifiers::NONE),
            };
            self.keys.as_ref().unwrap().send(Ok(Event::Key(KeyEvent::new(code, m)))).unwrap();
            self.wait(1).await;
        }
    }

    pub(super) async fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.keys.as_ref().unwrap().send(Ok(Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)))).unwrap();
        }
        self.wait(1).await;
    }

    pub(super) fn event(&self, e: Event) {
        self.keys.as_ref().unwrap().send(Ok(e)).unwrap();
    }

    /// The terminal is closed.
    pub(super) fn hang_up(&mut self) {
        self.keys = None;
    }

    pub(super) fn text(&self) -> String {
        self.seen.lock().unwrap().text.clone()
    }

    pub(super) fn line_of(&self, needle: &str) -> String {
        self.text().lines().find(|l| l.contains(needle)).unwrap_or_default().to_owned()
    }

    /// What was sent for ops and pairing, in order.
    pub(super) fn sent(&self) -> Vec<&str> {
        self.sent.iter().map(String::as_str).collect()
    }

    /// Puts the cursor on a row by filtering for it; the filter is cleared again.
    pub(super) async fn on(&mut self, name: &str) {
        self.press("/ ctrl-u").await;
        self.type_text(name).await;
        self.press("enter esc").await;
    }
}

impl Hands {
    /// Puts the cursor on a row and leaves the filter: for when Esc would disarm.
    pub(super) async fn on_filtered(&mut self, name: &str) {
        self.press("/ ctrl-u").await;
        self.type_text(name).await;
        self.press("enter").await;
    }
}

/// Runs the loop beside a script.
pub(super) async fn run_with<F, Fut>(size: (u16, u16), tune: impl FnOnce(&mut Start, &mut Sheet, &Arc<Clock>), script: F) -> crate::tui::run::Ended
where
    F: FnOnce(Hands) -> Fut,
    Fut: Future<Output = Hands>,
{
    let clock = Clock::new();
    let mut s = start(clock.clone());
    let mut sheet = Sheet::new(size.0, size.1);
    tune(&mut s, &mut sheet, &clock);
    let (keys, input) = mpsc::unbounded_channel();
    let (engine, commands) = mpsc::channel(256);
    let mailbox = Mailbox::new();
    let hands = Hands {
        keys: Some(keys),
        commands,
        mailbox: mailbox.clone(),
        seen: sheet.seen.clone(),
        clock,
        sent: Vec::new(),
        next_id: 0,
        answers: true,
        armed: Vec::new(),
    };
    let input = Box::pin(futures_util::stream::unfold(input, |mut rx| async { rx.recv().await.map(|e| (e, rx)) }));
    let deck = crate::tui::run(s, engine, mailbox, input, &mut sheet);
    let script = async {
        let mut hands = script(hands).await;
        if hands.keys.is_some() {
            // Out of every overlay, then q; what is armed is dropped by that.
            hands.press("esc esc esc esc q").await;
        }
        // Held until the loop has ended, so that its channels stay open.
        hands.wait(10).await;
        hands
    };
    let (ended, _hands) = tokio::join!(deck, script);
    ended.unwrap()
}

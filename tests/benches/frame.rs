//! What a frame, a change and a new order cost with 100, 1,000 and 10,000 accounts.

#![allow(clippy::unwrap_used, missing_docs)]

use divan::Bencher;
use pairdeck::{
    clock::Limits,
    domain::{Boot, Clean, GatewayId, Link, Not, RemoteId, Row, Source, Stamp, State, Time, Wall},
    engine::{Mail, mailbox::GatewayView},
    providers::{GatewayFacts, KindSpec},
    tui::{
        Start,
        app::App,
        event::Event,
        terminal::{Desk, Paper},
        update::update,
        view,
    },
};
use std::{sync::Arc, time::Duration};

static KIND: KindSpec = KindSpec {
    kind: "bench",
    name: "Bench",
    platform: "Bench",
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
const SIZES: [usize; 3] = [100, 1_000, 10_000];

fn now() -> Stamp {
    Stamp { wall: Wall(1_763_198_040_000), boot: Some((1, Boot(1_000_000_000))) }
}

struct Still;
impl Time for Still {
    fn now(&self) -> Stamp {
        now()
    }
}

fn link(state: State) -> Link {
    Link { state, since: Some(now()), observed_at: Some(now()), source: Source::Events, reason: None, witnesses: Vec::new() }
}

fn row(n: usize, state: State) -> Row {
    let name = format!("account-{n:05}");
    Row {
        gateway: GatewayId::new(&format!("gw-{}", n % 5)),
        account: RemoteId::new(&name),
        device: None,
        incarnation: None,
        label: Clean::new(&name),
        identity: Some(Clean::new("5511999990042")),
        link: link(state),
        tokens: Vec::new(),
        facts: Vec::new(),
    }
}

fn app(n: usize) -> App {
    let mut start = Start::new(Arc::new(Still), Arc::new(|_: &_, _: &_, _: &_| Err(Not::ReadOnly)));
    start.gateways = (0..5)
        .map(|g| GatewayView {
            id: GatewayId::new(&format!("gw-{g}")),
            spec: &KIND,
            link: link(State::Online),
            facts: GatewayFacts::default(),
            plaintext: false,
            stale: false,
            rank: g,
        })
        .collect();
    // One problem a gateway keeps it open, so that all rows are lines.
    start.rows = (0..n).map(|i| row(i, if i < 5 { State::LoggedOut } else { State::Online })).collect();
    App::new(start, now(), (200, 50)).unwrap()
}

#[divan::bench(args = SIZES)]
fn same_frame(bencher: Bencher, n: usize) {
    let app = app(n);
    let mut paper = Paper::new(200, 50).unwrap();
    bencher.bench_local(|| paper.draw(&mut |f| view::draw(&app, f)).unwrap());
}

#[divan::bench(args = SIZES)]
fn scroll_by_one(bencher: Bencher, n: usize) {
    let mut app = app(n);
    let mut paper = Paper::new(200, 50).unwrap();
    let down = crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char('j'));
    let top = crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char('g'));
    bencher.bench_local(|| {
        let key = if app.cursor + 1 == app.rows.lines().len() { top } else { down };
        update(&mut app, Event::Key(key), now());
        paper.draw(&mut |f| view::draw(&app, f)).unwrap()
    });
}

#[divan::bench(args = SIZES)]
fn one_change(bencher: Bencher, n: usize) {
    let mut app = app(n);
    let mut i = 0;
    // A fresh key keeps the order: the change alone is measured.
    update(&mut app, Event::Key(crossterm::event::KeyCode::Char('j').into()), now());
    bencher.bench_local(|| {
        i += 1;
        let r = row(i % n, if i % 2 == 0 { State::Online } else { State::Connecting });
        let mut mail = Mail::default();
        mail.rows.insert((r.gateway.clone(), r.account.clone(), None), r);
        update(&mut app, Event::Mail(Box::new(mail)), now())
    });
}

#[divan::bench(args = SIZES)]
fn new_order(bencher: Bencher, n: usize) {
    let mut app = app(n);
    bencher.bench_local(|| app.reorder());
}

fn main() {
    divan::main();
}

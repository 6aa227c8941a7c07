//! A clock that moves while a code is on screen: the built program in a real terminal, its wall clock faked and stepped live,
//! or told by the kernel's own word that it was set. The servers run outside of all that.
#![allow(unreachable_pub, dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "deck/hands.rs"]
mod hands;
#[path = "deck/house.rs"]
mod house;
mod support;

use hands::{code_on, pair_by_code, pair_by_qr, wait_for_code};
use house::{House, account, part, swift};
use pairdeck::sandbox::{Events, Past, Settings};
use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use support::pty::{Pty, Start};

const NUMBER: &str = "5511999990001";

/// The wall clock of one program: `libfaketime`, moved by writing a file.
struct Faked {
    library: PathBuf,
    folder: tempfile::TempDir,
}

impl Faked {
    /// `None` and a loud word where it is not installed.
    fn new(test: &str) -> Option<Self> {
        let places = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime"];
        let found = places.iter().map(|p| PathBuf::from(p).join("libfaketimeMT.so.1")).find(|p| p.exists());
        let Some(library) = found else {
            support::skip(test, "libfaketime (package faketime)");
            return None;
        };
        let faked = Self { library, folder: tempfile::tempdir().unwrap() };
        faked.set("+0");
        Some(faked)
    }

    /// Moves the clock to so far from the true one, at once. The file is replaced, so that half of it is never read.
    fn set(&self, offset: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, format!("{offset}\n")).unwrap();
        std::fs::rename(new, self.folder.path().join("clock")).unwrap();
    }

    /// The variables under which a program lives by this clock. Monotonic and boot time stay true.
    fn vars(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.folder.path().join("clock").display().to_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }

    /// A deck that lives by this clock, and sees every account by now.
    fn open(&self, house: &House) -> Pty {
        let faked = |start: Start, (name, value): (&'static str, String)| start.env(name, value);
        let pty = self.vars().into_iter().fold(house.deck().size(80, 30), faked).spawn();
        house.settle(&pty);
        pty
    }
}

fn shop() -> House {
    House::with(vec![account("shop-a", Past::New)])
}

/// Waits until the code is off the screen.
fn wait_hidden(pty: &Pty, code: &str) {
    pty.wait_until("the code to be hidden", |s| (code_on(s).as_deref() != Some(code)).then_some(()));
}

/// Waits for another code than these.
fn wait_new(pty: &Pty, old: &[&str]) -> String {
    pty.wait_until("a new code", |s| code_on(s).filter(|c| !old.contains(&c.as_str())))
}

/// Fails if `code` came back on any screen after it was gone once.
fn assert_never_back(pty: &Pty, code: &str) {
    let (mut was, mut gone) = (false, false);
    let back = hands::replay(pty, 64, |s| {
        let there = code_on(s).as_deref() == Some(code);
        gone |= was && !there;
        was |= there;
        (there && gone).then(|| s.contents())
    });
    assert!(was, "{code} was never on screen");
    assert_eq!(back, None, "{code} came back");
}

#[test]
fn a_live_step_takes_the_code_off_the_screen_and_a_new_one_follows_the_recheck() {
    let Some(clock) = Faked::new("a live step") else { return };
    let house = shop();
    let pty = clock.open(&house);
    pair_by_code(&pty, "shop-a", NUMBER);
    let first = wait_for_code(&pty);
    // Three seconds are within the limits: the code would still be let through, were it not of another epoch.
    clock.set("+3");
    wait_hidden(&pty, &first);
    pty.wait_for("code hidden: a clock was moved");
    let second = wait_new(&pty, &[&first]);
    assert_never_back(&pty, &first);
    house.gateway().type_code("shop-a", Some(&second)).unwrap();
    pty.wait_for("PAIRED");
}

#[test]
fn steps_of_ninety_seconds_and_of_an_hour_back_hide_and_block_until_the_clock_is_right_again() {
    let Some(clock) = Faked::new("large live steps") else { return };
    let house = shop();
    let pty = clock.open(&house);
    pair_by_code(&pty, "shop-a", NUMBER);
    let first = wait_for_code(&pty);
    clock.set("+90");
    wait_hidden(&pty, &first);
    pty.wait_for("NOT STARTED");
    assert!(pty.text().contains("0:01:30"), "the figure stands there:\n{}", pty.text());
    assert_eq!(code_on(&pty.screen()), None);
    // Set right again: no key is needed, and the code is a new one.
    clock.set("+0");
    let second = wait_new(&pty, &[&first]);
    clock.set("-3600");
    wait_hidden(&pty, &second);
    pty.wait_for("NOT STARTED");
    assert!(pty.text().contains("1:00:00"), "the figure stands there:\n{}", pty.text());
    clock.set("+0");
    let third = wait_new(&pty, &[&first, &second]);
    for old in [&first, &second] {
        assert_never_back(&pty, old);
    }
    house.gateway().type_code("shop-a", Some(&third)).unwrap();
    pty.wait_for("PAIRED");
}

#[test]
fn a_qr_that_was_hidden_is_not_shown_again_although_the_server_still_offers_it() {
    let Some(clock) = Faked::new("a live step under a QR") else { return };
    let mut settings = swift();
    // Long enough that the server would offer the hidden one again, short enough to see the next.
    settings.timing.rotation = std::time::Duration::from_secs(8);
    let house = House::of(vec![part(settings, vec![account("shop-a", Past::New)])]);
    let faked = |start: Start, (name, value): (&'static str, String)| start.env(name, value);
    let pty = clock.vars().into_iter().fold(house.deck().size(160, 60), faked).spawn();
    house.settle(&pty);
    pair_by_qr(&pty, "shop-a");
    let first = pty.wait_for_qr();
    let until_then = pty.raw().len();
    clock.set("+3");
    pty.wait_for("code hidden: a clock was moved");
    // The server still thinks it good, and the provider would show it for the rest of its life.
    pty.wait_for("hidden came again");
    let read = |s: &vt100::Screen| support::eye::decode_qr(s, support::eye::Background::Dark);
    let second = pty.wait_until("another QR", |s| read(s).filter(|t| *t != first));
    let (rows, cols) = pty.screen().size();
    let mut parser = vt100::Parser::new(rows, cols, 0);
    let raw = pty.raw();
    let there = |s: &vt100::Screen| support::eye::decode_qr_close(s, support::eye::Background::Dark).is_some_and(|t| t == first);
    parser.process(&raw[..until_then]);
    assert!(there(parser.screen()), "the replay does not see the first QR");
    let mut gone = false;
    for chunk in raw[until_then..].chunks(2048) {
        parser.process(chunk);
        let seen = there(parser.screen());
        assert!(!(seen && gone), "the hidden QR came back:\n{}", parser.screen().contents());
        gone |= !seen;
    }
    assert!(gone);
    assert_ne!(first, second);
}

#[test]
fn a_constant_offset_is_no_move_but_blocks_before_anything_is_sent() {
    let Some(clock) = Faked::new("a constant offset") else { return };
    clock.set("-3600");
    let house = shop();
    let pty = clock.open(&house);
    hands::choose(&pty, "shop-a", "code");
    pty.keys(&format!("<C-u>{NUMBER}<Enter>"));
    let text = pty.wait_for("NOT STARTED");
    assert!(text.contains("1:00:00"), "the figure stands there:\n{text}");
    assert_eq!(house.acts(), []);
    assert!(!pty.text().contains("was moved"));
}

#[test]
fn a_clock_that_drifts_hides_nothing_while_it_is_within_the_limits() {
    let Some(clock) = Faked::new("a drifting clock") else { return };
    clock.set("+0 x1.02");
    // Without events the state, and with it the time, is asked for each second.
    let settings = Settings { events: Events::None, ..swift() };
    let house = House::of(vec![part(settings, vec![account("shop-a", Past::New)])]);
    let pty = clock.open(&house);
    pair_by_code(&pty, "shop-a", NUMBER);
    let code = wait_for_code(&pty);
    let asked = |g: &pairdeck::sandbox::Gateway| g.asked().0.iter().filter(|r| r.path.contains("connectionState")).count();
    let before = asked(house.gateway());
    house.wait("ten more samples", |g| (asked(g) >= before + 10).then_some(()));
    assert_eq!(code_on(&pty.screen()), Some(code), "{}", pty.text());
    assert!(!pty.text().contains("hidden"), "{}", pty.text());
}

#[test]
fn a_gateway_clock_that_jumps_hides_the_code_and_a_new_one_follows_when_it_is_right_again() {
    let house = shop();
    let pty = house.open(80, 30);
    pair_by_code(&pty, "shop-a", NUMBER);
    let first = wait_for_code(&pty);
    house.gateway().skew(Some(10_800.0));
    wait_hidden(&pty, &first);
    let text = pty.wait_for("3:00:00");
    assert!(text.contains("CODE HIDDEN") || text.contains("HIDDEN"), "it is said why:\n{text}");
    house.gateway().skew(None);
    let second = wait_new(&pty, &[&first]);
    assert_never_back(&pty, &first);
    house.gateway().type_code("shop-a", Some(&second)).unwrap();
    pty.wait_for("PAIRED");
}

/// `strace` on a running deck: the next read of its clock timer fails as it does when the clock was set.
fn set_clock_by_kernel(pid: u32) -> Child {
    Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=read", "-e", "inject=read:error=ECANCELED:when=1"])
        .args(["-P", "anon_inode:[timerfd]", "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn the_kernels_word_that_the_clock_was_set_hides_the_code_too() {
    if !Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|s| s.success()) {
        return support::skip("the kernel's word", "strace, or the right to trace");
    }
    let house = shop();
    // Otherwise the deck lets nobody of the same user look into it.
    let pty = house.deck().env("PAIRDECK_DEBUG", "1").size(80, 30).spawn();
    house.settle(&pty);
    pair_by_code(&pty, "shop-a", NUMBER);
    let first = wait_for_code(&pty);
    let mut strace = set_clock_by_kernel(pty.pid());
    wait_hidden(&pty, &first);
    pty.wait_for("code hidden: a clock was moved");
    let _ = strace.kill();
    let _ = strace.wait();
    let second = wait_new(&pty, &[&first]);
    assert_never_back(&pty, &first);
    house.gateway().type_code("shop-a", Some(&second)).unwrap();
    pty.wait_for("PAIRED");
}

#[test]
fn headless_says_that_a_code_is_hidden_and_prints_a_new_one() {
    use std::io::{BufRead, BufReader};
    let Some(clock) = Faked::new("a live step without a screen") else { return };
    let house = shop();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pairdeck"))
        .arg("--home")
        .arg(house.home.path())
        .args(["pair", "shop-a", "--code", "--number", NUMBER, "--json"])
        .env_clear()
        .envs([("HOME", "/nonexistent"), ("LANG", "C.UTF-8")])
        .envs(clock.vars())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut next = |event: &str| {
        let found = lines.by_ref().map(|l| serde_json::from_str::<serde_json::Value>(&l).unwrap()).find(|l| l["event"] == event);
        found.unwrap_or_else(|| panic!("it ended without {event:?}"))
    };
    let first = next("offer")["payload"].clone();
    clock.set("+3");
    let hidden = next("hidden").to_string();
    assert!(hidden.contains("clock_moved"), "{hidden}");
    let second = next("offer")["payload"].clone();
    assert_ne!(first, second, "the hidden code came again");
    house.gateway().type_code("shop-a", second.as_str()).unwrap();
    next("linked");
    assert!(child.wait().unwrap().success());
}

#[test]
fn on_an_idle_deck_the_clock_costs_no_wake_up() {
    if !Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|s| s.success()) {
        return support::skip("wake-ups of an idle deck", "strace, or the right to trace");
    }
    let house = shop();
    let pty = house.deck().env("PAIRDECK_DEBUG", "1").size(80, 30).spawn();
    house.settle(&pty);
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=read", "-P", "anon_inode:[timerfd]", "-p", &pty.pid().to_string(), "-o"])
        .arg(log.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    // A code looks at the timer twice a second: that it is seen proves that the trace works.
    let reads = || std::fs::read_to_string(log.path()).unwrap().lines().filter(|l| l.contains("read(")).count();
    pair_by_code(&pty, "shop-a", NUMBER);
    wait_for_code(&pty);
    house.wait("reads while a code is on screen", |_| (reads() >= 2).then_some(()));
    pty.keys("<Esc>");
    pty.wait_gone("PAIR ");
    // The attempt is over for the engine once it has let go of the row.
    hands::press(&pty, "p", "the form", |s| s.contents().contains("pair shop-a").then_some(()));
    let after = reads();
    // Six looks would fall into this window, if anybody looked; nothing is waited for.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let _ = strace.kill();
    let _ = strace.wait();
    assert!(reads() <= after + 1, "{} reads of the timer on an idle deck", reads() - after);
}

#[test]
fn a_host_before_the_release_opens_a_deck_that_says_so_and_starts_nothing() {
    let Some(clock) = Faked::new("a host before the release") else { return };
    clock.set("@2001-01-01 00:00:00");
    let house = shop();
    let mut pty = clock.open(&house);
    pty.wait_for("this host shows a time before this program existed");
    hands::choose(&pty, "shop-a", "code");
    pty.keys(&format!("<C-u>{NUMBER}<Enter>"));
    pty.wait_for("NOT STARTED: the clock of this host is more than");
    assert_eq!(house.acts(), []);
    pty.keys("!");
    pty.wait_for("Go on with a clock");
    pty.keys("<Esc><Esc><Esc>");
    pty.wait_gone("PAIR ");
    pty.keys("q");
    pty.assert_exit(0);
}

#[test]
fn a_clock_that_was_moved_while_the_gateway_is_away_leaves_it_unknown_and_says_why() {
    let Some(clock) = Faked::new("a move without an answer") else { return };
    let house = shop();
    let mut pty = clock.open(&house);
    house.gateway().fault(pairdeck::sandbox::Fault::Drop, 10_000, None);
    clock.set("+90");
    pty.keys("cr");
    hands::wait_evidence(&pty, "This host's clock was moved or it slept; the gateway was not asked since.");
    pty.keys("<Esc>");
    pty.wait_gone("clock evidence");
    pty.keys("q");
    pty.assert_exit(0);
}

//! Does a QR on screen scan? Read back from painted cells, from a screen without other colours, and from a real xterm.
//!
//! Everything goes the way of the program: the pairing screen, through the crossterm backend, as bytes into a terminal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use pairdeck::{
    clock::{Verdict, gate::Shown},
    domain::{Boot, Clean, Fresh, GatewayId, Method, Offer, OfferKind, Payload, RemoteId, Stamp, Target, Wall},
    engine::mailbox::{PairStage, PairView},
    i18n::Lang,
    providers::Feed,
    tui::{
        theme::Theme,
        view::{
            ViewCx,
            pairing::{self, PairScreen},
        },
        widget::qr::{self, Palette, Style},
    },
};
use ratatui::{Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect};
use std::{num::NonZeroU16, path::Path, process::Command};
use support::eye::{self, Background};

const LENGTHS: std::ops::RangeInclusive<usize> = 48..=305;
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (160, 50)];

fn text(len: usize) -> String {
    // The shape of the longest real ones: base64 with commas between.
    "2@Xk9/aB3+Zq,".chars().cycle().take(len).collect()
}

fn view(payload: &str) -> PairView {
    let payload = Payload::qr(payload).unwrap();
    let (issued, dies) = (Stamp { wall: Wall(0), boot: Some((1, Boot(1_000))) }, Boot(60_000));
    let offer = Offer { n: 1, kind: OfferKind::Qr, payload, issued, dies, expires_at: Wall(59_000), fresh: Fresh::Event };
    PairView {
        target: Target::account(&GatewayId::new("wa-us"), &RemoteId::new("us-3")),
        label: Clean::new("us-3"),
        platform: "WhatsApp",
        phone: &[],
        attempt: 1,
        method: Method::Qr,
        methods: &[],
        number: None,
        stage: PairStage::Showing(Box::new(Shown { offer, verdict: Verdict::Ok, overridden: false, epoch: 0 })),
        gate: None,
        overridden: false,
        discarded: 0,
        feed: Feed::Events,
        began: issued,
        log: Vec::new(),
    }
}

/// What the program would write to a terminal of this size.
fn bytes(payload: &str, (cols, rows): (u16, u16), screen: &mut PairScreen) -> Vec<u8> {
    let theme = Theme::default();
    let now = Stamp { wall: Wall(0), boot: Some((1, Boot(2_000))) };
    let keymap = pairdeck::tui::keymap::Keymap::default();
    let cx = ViewCx { now, lang: Lang::En, theme: &theme, keymap: &keymap, ascii: false, color: true };
    let mut out = Vec::new();
    let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, cols, rows)) };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(&mut out), options).unwrap();
    terminal.draw(|f| pairing::draw(f, &view(payload), screen, &cx)).unwrap();
    drop(terminal);
    out
}

fn screen(bytes: &[u8], (cols, rows): (u16, u16)) -> vt100::Screen {
    let mut parser = vt100::Parser::new(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(cols).unwrap(), 0);
    parser.process(bytes);
    parser.screen().clone()
}

fn painted(payload: &str, size: (u16, u16), pairing: &mut PairScreen) -> vt100::Screen {
    // This process may run under NO_COLOR itself.
    qr::keep_colours();
    screen(&bytes(payload, size, pairing), size)
}

/// Each length is drawn whole and reads back, or is not drawn at all; returns how many were drawn.
fn every_length(size: (u16, u16)) -> usize {
    let mut drawn = 0;
    for len in LENGTHS {
        let payload = text(len);
        let screen = painted(&payload, size, &mut PairScreen::default());
        let cells = eye::qr_cells(&screen);
        if cells.is_empty() {
            let shown = screen.contents();
            assert!(shown.contains("QR needs a terminal of") && shown.contains(&format!("Have {}x{}", size.0, size.1)), "{len}:\n{shown}");
            continue;
        }
        drawn += 1;
        eye::assert_style_that_scans(&screen);
        let (cols, rows) = (cells.iter().map(|c| c.1).max().unwrap() + 1, cells.iter().map(|c| c.0).max().unwrap());
        assert!(cells.len() == usize::from(cols) * usize::from(rows), "{len} at {size:?} is not a full rectangle from the left");
        assert!(qr::size_needed(&payload).iter().any(|s| (s.0, s.1) == (cols, rows)), "{len} at {size:?} is {cols}x{rows}: clipped");
        // One background a length: which of them is no matter where both colours are explicit (asserted above).
        let background = if len % 2 == 0 { Background::Dark } else { Background::Light };
        assert_eq!(eye::decode_qr_close(&screen, background).as_deref(), Some(payload.as_str()), "{len} at {size:?} on {background:?}");
    }
    drawn
}

#[test]
fn at_80x24_every_length_is_whole_and_reads_back_or_is_not_drawn() {
    let drawn = every_length(SIZES[0]);
    assert!(drawn > 0 && drawn < LENGTHS.count(), "{drawn}");
}

#[test]
fn at_120x40_every_length_is_whole_and_reads_back() {
    assert_eq!(every_length(SIZES[1]), LENGTHS.count());
}

#[test]
fn at_160x50_every_length_is_whole_and_reads_back() {
    assert_eq!(every_length(SIZES[2]), LENGTHS.count());
}

#[test]
fn both_styles_and_both_palettes_read_back_on_dark_and_on_light() {
    for len in [48, 65, 192, 237] {
        for (style, palette) in
            [(Style::Half, Palette::Rgb), (Style::Half, Palette::Indexed), (Style::Blocks, Palette::Rgb), (Style::Blocks, Palette::Indexed)]
        {
            for bigger in [-2, 0, 1] {
                let mut pairing = PairScreen::default();
                (pairing.style, pairing.palette, pairing.bigger) = (style, palette, bigger);
                let screen = painted(&text(len), (180, 90), &mut pairing);
                eye::assert_style_that_scans(&screen);
                for background in [Background::Dark, Background::Light] {
                    let read = eye::decode_qr_close(&screen, background);
                    assert_eq!(read.as_deref(), Some(text(len).as_str()), "{len} {style:?} {palette:?} {bigger} {background:?}");
                }
            }
        }
    }
}

#[test]
fn lines_for_the_scrollback_read_back() {
    for len in [48, 65, 192, 237] {
        for (style, width) in [(Style::Half, 80), (Style::Blocks, 160)] {
            let lines = qr::ansi_lines(&text(len), width, Palette::Rgb, style).unwrap();
            let screen = screen(lines.join("\r\n").as_bytes(), (width, 80));
            eye::assert_style_that_scans(&screen);
            for background in [Background::Dark, Background::Light] {
                assert_eq!(eye::decode_qr(&screen, background).as_deref(), Some(text(len).as_str()));
            }
        }
    }
}

/// Not a test of its own: what the tests below run in a process with another environment. Writes the pairing screen's
/// bytes to the file that the environment names.
#[test]
fn child_writes_the_screen_as_bytes() {
    let Some(path) = std::env::var_os("PAIRDECK_QR_OUT") else { return };
    if std::env::var_os("PAIRDECK_QR_KEEP").is_some() {
        qr::keep_colours();
    }
    std::fs::write(path, bytes(&text(65), SIZES[0], &mut PairScreen::default())).unwrap();
}

fn under_no_color(keep: bool, folder: &Path) -> vt100::Screen {
    let out = folder.join("bytes");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_writes_the_screen_as_bytes"]).env("NO_COLOR", "1").env("PAIRDECK_QR_OUT", &out);
    if keep {
        child.env("PAIRDECK_QR_KEEP", "1");
    }
    assert!(child.output().unwrap().status.success());
    screen(&std::fs::read(out).unwrap(), SIZES[0])
}

#[test]
fn under_no_color_a_qr_keeps_its_own_colours() {
    let folder = tempfile::tempdir().unwrap();
    let screen = under_no_color(true, folder.path());
    eye::assert_style_that_scans(&screen);
    for background in [Background::Dark, Background::Light] {
        assert_eq!(eye::decode_qr(&screen, background).as_deref(), Some(text(65).as_str()), "{background:?}");
    }
}

#[test]
fn without_the_exception_no_color_would_destroy_it() {
    let folder = tempfile::tempdir().unwrap();
    let screen = under_no_color(false, folder.path());
    assert!(eye::qr_cells(&screen).is_empty(), "the terminal library changed: it lets colours through by itself");
    for background in [Background::Dark, Background::Light] {
        assert_eq!(eye::decode_qr(&screen, background), None, "{background:?}");
    }
}

#[test]
fn a_real_xterm_screenshot_scans_on_every_background_and_font_size() {
    qr::keep_colours();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, end: &str, what: &[u8]| std::fs::write(folder.path().join(format!("{name}.{end}")), what).unwrap();
    for (name, len, size, style) in
        [("long", 237, (120, 40), Style::Half), ("short", 65, (80, 24), Style::Half), ("blocks", 48, (120, 45), Style::Blocks)]
    {
        let mut pairing = PairScreen::default();
        pairing.style = style;
        let drawn = bytes(&text(len), size, &mut pairing);
        assert!(!eye::qr_cells(&screen(&drawn, size)).is_empty(), "{name} does not fit");
        put(name, "ansi", &drawn);
        put(name, "txt", text(len).as_bytes());
        put(name, "size", format!("{}x{}", size.0, size.1).as_bytes());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xterm/scan.sh");
    let run = Command::new("sh").arg(script).arg(folder.path()).arg(support::deadline().as_secs().to_string()).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    if run.status.code() == Some(3) {
        return support::skip("scanning a QR from a real xterm", errors.trim());
    }
    println!("{said}");
    assert!(run.status.success(), "{said}{errors}");
    assert_eq!(said.lines().filter(|l| l.starts_with("ok")).count(), 3 * 15, "{said}{errors}");
}

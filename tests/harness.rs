//! The harness itself, tried on programs whose behaviour is beyond doubt.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{
    eye::{self, Background},
    pty::{Start, Terminal},
};

fn sh(script: &str) -> Start {
    Start::new("sh").args(["-c", script])
}

#[test]
fn keys_reach_the_program_and_its_answer_reaches_the_screen() {
    let mut pty = Start::new("cat").spawn();
    pty.keys("hello<Enter>");
    pty.wait_until("the line twice: echo and answer", |s| (s.contents().matches("hello").count() == 2).then_some(()));
    pty.keys("<C-d>");
    pty.assert_exit(0);
}

#[test]
fn an_exit_code_is_told() {
    sh("printf done; exit 7").spawn().assert_exit(7);
}

#[test]
fn output_written_just_before_the_end_is_on_screen() {
    let mut pty = sh("i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done").spawn();
    pty.wait_exit();
    assert!(pty.text().contains("line 199"));
}

#[test]
#[should_panic(expected = "the alternate screen was not left")]
fn a_program_that_stays_in_the_alternate_screen_is_caught() {
    sh(r"printf '\033[?1049h'").spawn().assert_exit(0);
}

#[test]
#[should_panic(expected = "the cursor is still hidden")]
fn a_program_that_leaves_the_cursor_hidden_is_caught() {
    sh(r"printf '\033[?25l'").spawn().assert_exit(0);
}

#[test]
#[should_panic(expected = "the line discipline differs")]
fn a_program_that_leaves_raw_mode_on_is_caught() {
    sh("stty raw -echo").spawn().assert_exit(0);
}

#[test]
fn a_program_that_cleans_up_is_found_clean() {
    sh(r"old=$(stty -g); stty raw -echo; printf '\033[?1049h\033[?25l\033[?1000h\033[?2004h'; printf '\033[?2004l\033[?1000l\033[?25h\033[?1049l'; stty $old")
        .spawn()
        .assert_exit(0);
}

#[test]
#[should_panic(expected = "the program has ended")]
fn waiting_for_what_never_comes_ends_with_the_program() {
    sh("echo something else").spawn().wait_for("never");
}

#[test]
fn queries_for_attributes_cursor_and_background_are_answered() {
    let script = r"stty raw -echo; printf '\033[c\033[6n\033]11;?\033\\'; got=$(dd bs=1 count=38 2>/dev/null | od -An -c | tr -d ' \n'); stty sane; echo; echo $got";
    let pty = sh(script).spawn();
    let text = pty.wait_for("rgb:0000").replace('\n', "");
    assert!(text.contains("[?62;22c") && text.contains("[1;1R"), "{text}");
}

#[test]
fn a_terminal_that_does_not_answer_stays_silent() {
    let silent = Terminal { background: None, answers: false };
    let script =
        r"stty raw -echo min 0 time 2; printf '\033[c\033]11;?\033\\'; n=$(dd bs=1 count=1 2>/dev/null | wc -c); stty sane; echo; echo got $n";
    sh(script).terminal(silent).spawn().wait_for("got 0");
}

#[test]
fn a_new_size_reaches_the_program() {
    let pty = sh(r#"trap 'echo size $(stty size)' WINCH; echo ready; while :; do read -r line; done"#).size(80, 24).spawn();
    pty.wait_for("ready");
    pty.resize(100, 30);
    pty.wait_for("size 30 100");
}

#[test]
fn a_signal_reaches_the_program_and_its_death_is_told() {
    let mut pty = sh("echo ready; exec cat").spawn();
    pty.wait_for("ready");
    pty.signal("TERM");
    assert!(!pty.wait_exit().success());
}

#[test]
fn text_for_the_clipboard_and_bells_are_kept() {
    let mut pty = sh(r"printf '\033]52;c;aGVsbG8=\a\a'").spawn();
    pty.wait_exit();
    assert_eq!(pty.clipboard(), [b"aGVsbG8=".to_vec()]);
    assert_eq!(pty.bells(), 1);
}

#[test]
fn a_qr_in_the_scrollback_style_is_read_from_the_screen_of_a_program() {
    use pairdeck::tui::widget::qr;
    let lines = qr::ansi_lines("tg://login?token=harness", 80, qr::Palette::Rgb, qr::Style::Half).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qr");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let mut pty = Start::new("cat").args([&file]).spawn();
    pty.wait_exit();
    eye::assert_style_that_scans(&pty.screen());
    for background in [Background::Dark, Background::Light] {
        assert_eq!(eye::decode_qr(&pty.screen(), background).as_deref(), Some("tg://login?token=harness"));
    }
    assert_eq!(pty.wait_for_qr(), "tg://login?token=harness");
}

#[test]
fn what_was_written_once_is_remembered() {
    let mut pty = sh(r"printf 'secret'; printf '\033[2J\033[H'").spawn();
    pty.wait_exit();
    assert!(!pty.text().contains("secret"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pty.assert_never_wrote("secret"))).is_err());
    pty.assert_never_wrote("another");
}

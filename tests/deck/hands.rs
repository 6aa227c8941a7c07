//! What an operator's eyes and fingers do on any screen: put the cursor on a row, start a pairing, read a code.

use crate::support::{eye, pty::Pty};
use vt100::{Parser, Screen};

/// The screen's lines.
pub fn lines(screen: &Screen) -> Vec<String> {
    let (_, cols) = screen.size();
    screen.rows(0, cols.get()).collect()
}

/// The line of the tree that names `account`.
pub fn row(screen: &Screen, account: &str) -> Option<String> {
    // The pane beside the tree names the account too.
    let tree = |l: String| l.split('│').next().map(str::to_owned).unwrap_or_default();
    let named = |l: &String| l.starts_with([' ', '▌']) && l.split([' ', '~', '▌']).any(|w| w == account);
    lines(screen).into_iter().map(tree).find(named)
}

/// Waits until the row of `account` says `what`.
pub fn wait_row(pty: &Pty, account: &str, what: &str) -> String {
    pty.wait_until(&format!("{account} to be {what:?}"), |s| row(s, account).filter(|l| l.contains(what)))
}

/// Puts the cursor on `account`, row by row.
pub fn select(pty: &Pty, account: &str) {
    let place = |s: &Screen| {
        let all: Vec<_> = lines(s).iter().map(|l| l.split('│').next().unwrap_or_default().to_owned()).collect();
        let wanted = row(s, account)?;
        Some((all.iter().position(|l| l.starts_with('▌'))?, all.iter().position(|l| *l == wanted)?))
    };
    for _ in 0..50 {
        let (at, wanted) = pty.wait_until(&format!("the cursor and {account}"), place);
        if at == wanted {
            return;
        }
        pty.keys(if at < wanted { "j" } else { "k" });
        pty.wait_until("the cursor to move", |s| place(s).filter(|now| now.0 != at));
    }
    panic!("{account} cannot be reached:\n{}", pty.text());
}

/// Presses `key` until `found` finds its answer: a key on a row that moved just now, or of a
/// gateway that has not answered yet, is refused, and says so.
pub fn press<T>(pty: &Pty, key: &str, what: &str, mut found: impl FnMut(&Screen) -> Option<T>) -> T {
    let refused = |s: &Screen| lines(s).iter().any(|l| l.starts_with("  · ")).then_some(None);
    for _ in 0..100 {
        pty.keys(key);
        // A refusal that is on screen already may be of the key before: the answer has a little time to come.
        std::thread::sleep(std::time::Duration::from_millis(50));
        if let Some(t) = pty.wait_until(what, |s| found(s).map(Some).or_else(|| refused(s))) {
            return t;
        }
    }
    panic!("{key:?} was refused again and again:\n{}", pty.text());
}

/// Opens the form of a pairing on `account` and chooses `word`, `code` or `QR`.
pub fn choose(pty: &Pty, account: &str, word: &str) {
    select(pty, account);
    let form = format!("pair {account}");
    let chosen = format!("● {word}");
    let text = press(pty, "p", "the form", |s| (s.contents().contains(&form) && s.contents().contains("● ")).then(|| s.contents()));
    if !lines_with(&text, &chosen) {
        pty.keys("<Tab>");
        pty.wait_for(&chosen);
    }
}

fn lines_with(text: &str, what: &str) -> bool {
    text.lines().any(|l| l.contains(what))
}

/// Pairs `account` by a code for that number, up to where the server is asked.
pub fn pair_by_code(pty: &Pty, account: &str, number: &str) {
    choose(pty, account, "code");
    // A number that is known stands there already.
    pty.keys(&format!("<C-u>{number}<Enter>"));
    pty.wait_for("PAIR ");
}

/// Pairs `account` by QR, up to where the server is asked.
pub fn pair_by_qr(pty: &Pty, account: &str) {
    choose(pty, account, "QR");
    pty.keys("<Enter>");
    pty.wait_for("PAIR ");
}

/// The pairing code as one reads it: four letters, a dash, four letters, spaced or not.
pub fn code_on(screen: &Screen) -> Option<String> {
    lines(screen).iter().find_map(|l| {
        let words: Vec<_> = l.split_whitespace().collect();
        let spaced = words.windows(9).find(|w| w[4] == "-" && w.iter().all(|x| x.len() == 1)).map(|w| w.concat());
        let tight = || words.iter().find(|w| w.len() == 9 && is_code(w)).map(|w| (*w).to_owned());
        spaced.or_else(tight).filter(|c| is_code(c))
    })
}

fn is_code(word: &str) -> bool {
    word.char_indices().all(|(i, c)| if i == 4 { c == '-' } else { c.is_ascii_uppercase() || c.is_ascii_digit() })
}

/// Waits for a pairing code; returns it with its dash.
pub fn wait_for_code(pty: &Pty) -> String {
    pty.wait_until("a pairing code", code_on)
}

/// Every screen that there was, replayed from the bytes in steps of at most `step`; ends at the first that `found` finds.
pub fn replay<T>(pty: &Pty, step: usize, mut found: impl FnMut(&Screen) -> Option<T>) -> Option<T> {
    let screen = pty.screen();
    let (rows, cols) = screen.size();
    let mut parser = Parser::new(rows, cols, 0);
    pty.raw().chunks(step).find_map(|chunk| {
        parser.process(chunk);
        found(parser.screen())
    })
}

/// Fails if that pairing code was ever to be read: as bytes in a row, or on any screen there was, however it was drawn.
pub fn assert_never_showed_code(pty: &Pty, code: &str) {
    let tight: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    assert_eq!(tight.len(), 8, "{code} is no code");
    let dashed = format!("{}-{}", &tight[..4], &tight[4..]);
    let spaced: Vec<_> = dashed.chars().map(String::from).collect();
    for form in [&tight, &dashed, &spaced.join(" ")] {
        pty.assert_never_wrote(form);
    }
    let seen = replay(pty, 64, |s| {
        let text: String = s.contents().chars().filter(char::is_ascii_alphanumeric).collect();
        text.contains(&tight).then(|| s.contents())
    });
    assert!(seen.is_none(), "{code} was on screen:\n{}", seen.unwrap_or_default());
}

/// Fails if that QR was ever on screen.
pub fn assert_never_showed_qr(pty: &Pty, text: &str) {
    let read = |s: &Screen| eye::decode_qr_close(s, eye::Background::Dark).filter(|t| t == text);
    assert_eq!(replay(pty, 8192, read), None, "the old QR was on screen");
}

/// Waits until the evidence of the clocks says this sentence, however it is wrapped.
#[allow(dead_code, reason = "not every test file reads evidence")]
pub fn wait_evidence(pty: &Pty, sentence: &str) {
    let squeezed = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let wanted = squeezed(sentence);
    pty.wait_until(sentence, |s| {
        let rows = lines(s);
        let head = rows.iter().find(|r| r.contains("┌─ clock evidence"))?;
        let from = head.chars().position(|c| c == '┌')? + 1;
        let inside = |r: &String| squeezed(&r.chars().skip(from).take_while(|c| *c != '│').collect::<String>());
        rows.iter().map(inside).collect::<String>().contains(&wanted).then_some(())
    });
}

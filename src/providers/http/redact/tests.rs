//! A secret in a sentence, in every spelling that is undone, and in mixtures of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;

const KEY: &str = "S3cr:t/key+429C4F\"2-é%41";

fn hidden(text: &str) -> String {
    without(&Secret::new(KEY.to_owned()), text)
}

/// A byte of it in one of its spellings.
fn spelled(byte: u8, how: u8) -> String {
    // One that escapes is escaped: unescaped beside others it could be read in two ways.
    let plain = (byte.is_ascii_graphic() || byte == b' ') && !b"%\\&".contains(&byte);
    match how % 8 {
        0 => format!("%{byte:02X}"),
        1 => format!("%{byte:02x}"),
        2 => format!("\\x{byte:02x}"),
        3 if byte.is_ascii() => format!("\\u{byte:04x}"),
        4 if byte.is_ascii() => format!("&#{byte};"),
        5 if byte == b'/' => "\\/".to_owned(),
        5 if byte == b'"' => "\\\"".to_owned(),
        6 => format!("%25{byte:02X}"),
        _ if plain => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

#[test]
fn a_sentence_keeps_everything_but_the_secret() {
    let json = serde_json::Value::from(KEY).to_string();
    let percent: String = KEY.bytes().map(|b| format!("%{b:02X}")).collect();
    let lower: String = KEY.bytes().map(|b| format!("%{b:02x}")).collect();
    let hex: String = KEY.bytes().map(|b| format!("{b:02X}")).collect();
    let colons: Vec<String> = KEY.bytes().map(|b| format!("{b:02x}")).collect();
    for form in [KEY.to_owned(), json.trim_matches('"').to_owned(), percent, lower, hex.to_lowercase(), hex, colons.join(":")] {
        assert_eq!(hidden(&format!("key <{form}> of 用户 refused 100%")), "key <[secret]> of 用户 refused 100%", "{form}");
    }
    for text in ["nothing here", "50% off & more \\ path\\to", "", "S3cr:t/key", "abc%"] {
        assert_eq!(hidden(text), text);
    }
    assert_eq!(redacted(&[Secret::new("abcd".into()), Secret::new("cdef".into())], "abcdef abcd, secret"), "[secret] [secret], secret");
    // One that is a word of the mark itself does not nest.
    assert_eq!(redacted(&[Secret::new("secret".into()), Secret::new("abcd".into())], "abcd secret"), "[secret] [secret]");
    assert_eq!(without(&Secret::new("Bearer abcdefgh".into()), "token abcdefgh is over"), "token [secret] is over");
    assert_eq!(without(&Secret::new("abc".into()), "abc"), "abc", "too short to be told from words");
}

#[test]
fn base64_of_a_longer_text_gives_no_letter_of_the_secret_away() {
    let mut gone = 0;
    for before in 0..7 {
        for after in 0..7 {
            let text = format!("{}{KEY}{}", &"header:"[..before], &"&x=1234"[..after]);
            for encoded in [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
                let wrapped = encoded.as_bytes().chunks(20).map(|c| std::str::from_utf8(c).unwrap()).collect::<Vec<_>>().join("\r\n");
                let percent = encoded.replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
                let json = encoded.replace('/', "\\/");
                for said in [encoded.clone(), wrapped, percent, json] {
                    let left = hidden(&format!("refused: {said}."));
                    // No stretch of what is left decodes to three letters of it, however it is read.
                    let plain: String = left.replace("[secret]", " ").replace(['-'], "+").replace('_', "/");
                    for run in plain.split(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '/') {
                        for from in 0..run.len().min(4) {
                            let run = &run[from..run.len() - (run.len() - from) % 4];
                            let bytes = BASE64_STANDARD_NO_PAD.decode(run).unwrap_or_default();
                            assert!(!bytes.windows(3).any(|w| KEY.as_bytes().windows(3).any(|k| k == w)), "{before} {after} {said}: {left}");
                        }
                    }
                    assert!(left.contains(MARK) && left.starts_with("refused: ") && left.ends_with('.'), "{left}");
                    gone += 1;
                }
            }
        }
    }
    assert_eq!(gone, 7 * 7 * 3 * 4);
}

#[test]
fn what_is_cut_off_by_the_bound_or_costs_too_much_is_not_shown() {
    let text = format!("{}{KEY}", "x".repeat(LOOKED_AT - 9));
    let left = hidden(&text);
    assert!(left.ends_with("x[secret]"), "{}", &left[left.len() - 30..]);
    // A secret that is all escape signs, in a text that is the same: many ways lead on, and looking ends all the same.
    let nasty = Secret::new("\\".repeat(4_000) + "x");
    assert_eq!(without(&nasty, &"\\".repeat(LOOKED_AT)), MARK);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_spelling_of_a_secret_comes_through_whatever_is_mixed_in_it(
        secret in "[ -~é客]{4,24}", how in proptest::collection::vec(any::<u8>(), 100), before in "[a-z ]{0,9}", after in "[a-z ]{0,9}",
    ) {
        prop_assume!(!format!("{before}[secret]{after}").contains(&secret));
        let said: String = secret.bytes().zip(how.iter().cycle()).map(|(b, how)| spelled(b, *how)).collect();
        let left = without(&Secret::new(secret.clone()), &format!("{before}<{said}>{after}"));
        prop_assert_eq!(left, format!("{}<{}>{}", before, MARK, after));
    }

    #[test]
    fn any_text_is_looked_through_without_a_panic_and_one_without_the_secret_stays(text in ".{0,300}") {
        let secret = Secret::new("not-in-any-text-\u{1}".to_owned());
        prop_assert_eq!(without(&secret, &text), text);
    }
}

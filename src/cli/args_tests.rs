//! What is accepted, what is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::domain::Method;
use clap::{CommandFactory, error::ErrorKind};

fn parse(words: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("pairdeck").chain(words.split_whitespace()))
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn nothing_opens_the_deck_and_globals_stand_anywhere() {
    assert!(parse("").unwrap().command.is_none());
    let c = parse("list --json --read-only --lang zh").unwrap();
    assert!(c.globals.read_only);
    assert_eq!(c.globals.language(), Lang::Zh);
}

#[test]
fn a_number_means_a_code_and_a_code_without_one_is_for_the_terminal_to_ask() {
    assert!(matches!(parse("pair a --code").unwrap().command, Some(Command::Pair(p)) if p.method() == Method::Code && p.number.is_none()));
    assert_eq!(parse("pair a --qr --number 5511999990001").unwrap_err().kind(), ErrorKind::ArgumentConflict);
    let method = |words: &str| match parse(words).unwrap().command {
        Some(Command::Pair(p)) => p.method(),
        other => panic!("{other:?}"),
    };
    assert_eq!(method("pair a --code --number 5511999990001"), Method::Code);
    assert_eq!(method("pair a --number 5511999990001"), Method::Code);
    assert_eq!(method("pair a"), Method::Qr);
}

#[test]
fn a_secret_cannot_be_an_argument() {
    for words in ["add evolution wa --api-key s3cret", "secret set wa s3cret", "add evolution wa --token s3cret"] {
        assert_eq!(parse(words).unwrap_err().exit_code(), 2, "{words}");
    }
}

#[test]
fn the_sandbox_listens_on_loopback_only() {
    assert!(parse("sandbox --listen 0.0.0.0:8080").is_err());
    assert!(parse("sandbox --listen [::1]:0").is_ok());
    match parse("sandbox --skew -37.5 --json").unwrap().command {
        Some(Command::Sandbox(s)) => assert!((s.skew + 37.5).abs() < 1e-9),
        other => panic!("{other:?}"),
    }
    assert!(parse("sandbox --skew inf").is_err());
}

#[test]
fn commands_that_do_not_exist_yet_and_those_without_what_they_run_are_refused() {
    for words in ["secret export", "run a", "run a true", "run a --heal --"] {
        assert_eq!(parse(words).unwrap_err().exit_code(), 2, "{words}");
    }
}

#[test]
fn the_language_comes_from_the_first_locale_variable_that_is_set() {
    let env = |pairs: &'static [(&str, &str)]| move |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    assert_eq!(locale(env(&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")])), Lang::Zh);
    assert_eq!(locale(env(&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")])), Lang::En);
    assert_eq!(locale(env(&[])), Lang::En);
}

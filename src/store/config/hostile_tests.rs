//! Configurations that somebody's slip, or somebody else, made: taken or refused with a line; what is edited can be read again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::Config;
use crate::hostile::{slow, text};
use proptest::prelude::*;
use std::path::Path;

fn corpus(folder: &str) -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().flatten().map(|e| e.path()).collect();
    files.sort();
    files.iter().map(|f| std::fs::read_to_string(f).unwrap()).collect()
}

fn any_file() -> impl Strategy<Value = String> {
    let all = [corpus("good"), corpus("bad")].concat();
    text(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(slow())]

    #[test]
    fn a_damaged_configuration_is_taken_or_refused_with_words(file in any_file()) {
        if let Err(errors) = Config::parse(&file, Path::new("config.toml")) {
            let said = errors.to_string();
            prop_assert!(!said.is_empty());
            // Lines are its own; nothing of the file may drive a terminal.
            prop_assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
        }
    }

    #[test]
    fn tables_and_lists_nested_without_end_are_refused(n in 1usize..6_000, what in prop::sample::select(vec!["[", "{a=", "a."])) {
        let file = if what == "a." { format!("{}b = 1", what.repeat(n)) } else { format!("a = {}", what.repeat(n)) };
        let _ = Config::parse(&file, Path::new("config.toml"));
    }
}

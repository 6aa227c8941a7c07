//! What is in this process's memory is its own: nobody of the same user reads it, and no core file holds it. What was typed as an
//! argument by mistake is not said again.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Forbids core files and reading of this process's memory and environment by others of the same user (Linux: not "dumpable").
/// Debuggers and `strace` of the same user are shut out by that; `PAIRDECK_DEBUG=1` leaves the process as it was started. Done
/// before the first secret is read. What cannot be set is left: root reads everything all the same.
pub fn private() {
    if std::env::var_os("PAIRDECK_DEBUG").is_some_and(|v| v == "1") {
        return;
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// The mistake without the word that no command takes: most likely it is a secret that was meant to be sealed, and what is said here
/// ends up in logs.
pub fn unrepeated(mut e: clap::Error) -> clap::Error {
    let word = match e.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) => word.clone(),
        _ => return e,
    };
    if e.kind() == ErrorKind::UnknownArgument && !word.starts_with('-') {
        e.insert(ContextKind::InvalidArg, ContextValue::String("…".to_owned()));
        // Suggestions are made of it.
        for kind in [ContextKind::Suggested, ContextKind::SuggestedArg, ContextKind::SuggestedValue, ContextKind::SuggestedSubcommand] {
            e.remove(kind);
        }
    }
    e
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[test]
    fn a_secret_that_was_given_as_an_argument_is_not_repeated() {
        let said = |args: &[&str]| unrepeated(Cli::try_parse_from(["pairdeck"].iter().chain(args)).err().unwrap()).to_string();
        for args in [
            &["secret", "set", "wa", "CANARY-typed"][..],
            &["secret", "set", "wa", "--name", "password", "CANARY-typed"],
            &["add", "evolution", "wa", "CANARY-typed"],
            &["token", "wa:x", "CANARY-typed"],
            &["secret", "set", "wa", "--password=CANARY-typed"],
            &["add", "evolution", "wa", "--api-key=CANARY-typed"],
            &["add", "evolution", "wa", "--api-key", "CANARY-typed"],
        ] {
            let said = said(args);
            assert!(!said.contains("CANARY") && said.contains("unexpected argument"), "{args:?}: {said}");
        }
        assert!(said(&["list", "--jsno"]).contains("--jsno"), "a mistyped option is named");
    }
}

//! Arguments of the one command that clients call again and again. The whole program's arguments are many megabytes of code to
//! walk through, and `token` has a few of its own: so it is looked for alone first, and whatever is not plainly it is left to the rest.

use super::{Cli, Command, Globals, args::TokenArgs};
use clap::{Parser, Subcommand};
use std::ffi::OsString;

#[derive(Parser)]
#[command(name = "pairdeck", version, disable_help_subcommand = true)]
struct Short {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Only,
}

#[derive(Subcommand)]
enum Only {
    Token(TokenArgs),
}

/// What was typed.
///
/// # Errors
/// What clap has to say: of a mistake, or of what was asked of it (help, version).
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.collect();
    if args.iter().skip(1).any(|a| a == "token")
        && let Ok(Short { globals, command: Only::Token(token) }) = Short::try_parse_from(&args)
    {
        return Ok(Cli { globals, command: Some(Command::Token(token)) });
    }
    Cli::try_parse_from(args)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_reads_what_the_long_one_reads_and_leaves_it_everything_else() {
        let lines = [
            "token corp:ops",
            "--home /x token corp:ops --format json --min-ttl 60s --strict",
            "-v token --rejected - ops --lang zh",
            "token --rejected 1a2b3c4d ops --no-fetch --home /y",
            "token",
            "token --help",
            "token ops --nonsense",
            "--version",
            "do token ops",
            "secret set token",
            "list --json",
            "",
        ];
        for line in lines {
            let args = || std::iter::once("pairdeck").chain(line.split_whitespace()).map(OsString::from);
            let (short, long) = (parse(args()), Cli::try_parse_from(args()));
            let told = |r: Result<Cli, clap::Error>| r.map(|c| format!("{c:?}")).map_err(|e| e.to_string());
            assert_eq!(told(short), told(long), "{line}");
        }
    }
}

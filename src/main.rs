//! The program: arguments in, exit code out. Everything else lives in the library.

use clap::Parser;
use pairdeck::cli::{
    Cli, Exit, Output,
    dispatch::{Next, dispatch},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are answers, not mistakes: clap knows which stream and code each of them has.
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    let mut out = Output::std(cli.globals.language(), cli.globals.quiet);
    match dispatch(cli, &mut out) {
        Next::Ended(exit) => exit.into(),
        Next::Deck(..) | Next::Demo(_) => Exit::Failed.into(),
    }
}

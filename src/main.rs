//! The program: arguments in, exit code out. Everything else lives in the library.

use clap::Parser;
use pairdeck::{
    cli::{
        Cli, Output,
        deck::{self, Scene},
        demo,
        dispatch::{Next, dispatch},
        session::Settings,
    },
    store::config,
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
    let globals = cli.globals.clone();
    let mut out = Output::std(globals.language(), globals.quiet);
    match dispatch(cli, Settings::load, config::EXAMPLE, &mut out) {
        Next::Ended(exit) => exit,
        Next::Deck(paths, settings) => deck::run(&globals, &paths, settings, Scene::default(), &mut out),
        Next::Demo(args) => demo::run(&globals, &args, &mut out),
    }
    .into()
}

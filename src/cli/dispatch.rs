//! From arguments to a command's end. What opens a screen is handed back to the caller; all else runs here.

use super::{
    Cli, Command, Exit, Globals, Gone, Output, add,
    args::{ConfigCommand, Demo, SecretCommand},
    attempt, check, completions, doctor, exec, man, new_slot, op, remove, run, run_cmd, sandbox, secret,
    session::{self, Session, Settings},
    token, unfinished, vault, watch, why,
};
use crate::{
    domain::{Action, Reason, ReasonCode},
    engine::who,
    i18n::{Message, command as c},
    store::{
        Paths,
        config::{Config, ConfigErrors, EXAMPLE},
        guard,
    },
};

/// What follows from the arguments.
pub enum Next {
    /// Over.
    Ended(Exit),
    /// The deck on the operator's own configuration.
    Deck(Paths, Box<Config>),
    /// The deck on made-up accounts.
    Demo(Demo),
    /// A command of the operator's has ended, with a code of its own.
    Child(u8),
}

/// Runs the command, or says what screen is to be opened.
pub fn dispatch(cli: Cli, out: &mut Output) -> Next {
    match decide(cli, out) {
        Ok(Next::Ended(exit)) => Next::Ended(out.ended(exit)),
        Ok(next) => next,
        // Whoever read has what they wanted, unless it could not be written.
        Err(Gone) => Next::Ended(out.ended(Exit::Ok)),
    }
}

fn decide(cli: Cli, out: &mut Output) -> Result<Next, Gone> {
    let globals = cli.globals;
    let ended = Ok::<_, Gone>;
    if let Some(why) = absent(cli.command.as_ref(), &globals) {
        out.complain(&why);
        return ended(Next::Ended(Exit::Usage));
    }
    let exit = match cli.command {
        Some(Command::Completions { shell }) => completions::run(shell, out).map(|()| Exit::Ok)?,
        Some(Command::Man) => man::run(out).map(|()| Exit::Ok)?,
        Some(Command::Demo(demo)) if demo.scenario.as_deref() == Some("help") => sandbox::scenarios(out)?,
        Some(Command::Demo(demo)) => return Ok(Next::Demo(demo)),
        Some(Command::Sandbox(args)) => block_on(out, async |out| sandbox::run(&args, out).await)?,
        Some(Command::Config(which)) => config(which, &globals, out)?,
        // Without configuration, runtime or store as far as that goes: callers wait for these.
        Some(Command::Token(args)) => match paths(&globals) {
            Ok(paths) => {
                let data = paths.data.clone();
                let ran = token::run(&args, &globals, paths, out);
                // Nobody waits for it.
                exec::file::sweep(&data);
                ran?
            }
            Err(text) => usage(&text, out),
        },
        Some(Command::Exec(args)) => match paths(&globals) {
            Ok(paths) => {
                exec::file::sweep(&paths.data);
                exec::run(&args, &globals, paths, out)
            }
            Err(text) => usage(&text, out),
        },
        other => {
            let paths = match paths(&globals) {
                Ok(paths) => paths,
                Err(text) => return ended(Next::Ended(usage(&text, out))),
            };
            who::started_as(match &other {
                None => "deck",
                Some(command) => name(command),
            });
            // The doctor lists it among its findings.
            if !matches!(other, Some(Command::Doctor(_))) {
                exec::file::sweep(&paths.data);
            }
            let loaded = Config::load(&paths.config);
            if let (Ok(config), None) = (&loaded, globals.lang) {
                // Asked for on the command line, else written in the file, else the locale's.
                out.lang = config.ui.lang.unwrap_or(out.lang);
            }
            // The doctor lists them among its findings.
            if !matches!(other, Some(Command::Doctor(_))) {
                for found in guard::exposed(&paths) {
                    out.note(&found);
                }
            }
            match (other, loaded) {
                (Some(Command::Doctor(args)), loaded) => doctor_first(&globals, paths, loaded, args.json, out)?,
                (_, Err(errors)) => usage(&errors.text(out.lang), out),
                (None, Ok(config)) => return Ok(Next::Deck(paths, Box::new(config))),
                (Some(command), Ok(_)) if globals.read_only && keeps(&command) => session::refused(&Reason::new(ReasonCode::ReadOnly), out),
                (Some(Command::Secret(SecretCommand::SetAside { back })), Ok(_)) => vault::aside(&paths, back, out),
                (Some(Command::Run(args)), Ok(config)) => return Ok(Next::Child(run_cmd::run(&globals, paths, config.into(), &args, out))),
                (Some(command), Ok(config)) => block_on(out, async |out| headless(command, &globals, paths, Settings::from(config), out).await)?,
            }
        }
    };
    Ok(Next::Ended(exit))
}

/// True for what changes configuration or secrets (`add` says it in its own document): who may change nothing may not take the means from those who may.
const fn keeps(command: &Command) -> bool {
    match command {
        Command::Secret(which) => !matches!(which, SecretCommand::Status),
        Command::Remove(_) => true,
        _ => false,
    }
}

/// What another process is told of this one.
const fn name(command: &Command) -> &'static str {
    match command {
        Command::Watch(_) => "watch",
        Command::Run(_) => "run",
        Command::Pair(_) => "pair",
        Command::Regenerate(_) => "regenerate",
        Command::Wipe(_) => "wipe",
        Command::Do(_) => "do",
        Command::List(_) => "list",
        Command::Status(_) => "status",
        Command::Doctor(_) => "doctor",
        _ => "command",
    }
}

/// What to say of a folder that was named and is not there, where the command would find nothing in a new one: its name was mistyped.
/// What a first start uses makes it; the doctor has it among its findings.
fn absent(command: Option<&Command>, globals: &Globals) -> Option<Message> {
    use Command as C;
    let finds = match command {
        Some(
            C::Token(_)
            | C::Exec(_)
            | C::Run(_)
            | C::List(_)
            | C::Status(_)
            | C::Check(_)
            | C::History(_)
            | C::Unfinished(_)
            | C::Clock(_)
            | C::Pair(_)
            | C::Remove(_)
            | C::Wipe(_)
            | C::Regenerate(_)
            | C::Do(_),
        ) => true,
        Some(C::Secret(which)) => !matches!(which, SecretCommand::Init { .. }),
        None | Some(C::Add(_) | C::Watch(_) | C::Doctor(_) | C::Config(_) | C::Demo(_) | C::Sandbox(_) | C::Completions { .. } | C::Man) => false,
    };
    if finds { not_there(globals) } else { None }
}

/// Says that the folder which was named is not there.
fn not_there(globals: &Globals) -> Option<Message> {
    let home = Paths::named(globals.home.as_deref()).filter(|h| !h.as_os_str().is_empty() && !h.exists())?;
    Some(Message::new(&c::HOME_ABSENT).with("path", home.to_string_lossy()))
}

/// Where everything lies: `--home`, `PAIRDECK_HOME` or the usual places; `--config` moves the configuration alone.
fn paths(globals: &Globals) -> Result<Paths, String> {
    let mut paths = Paths::resolve(globals.home.as_deref()).map_err(|e| e.text(globals.language()))?;
    if let Some(config) = &globals.config {
        paths.config.clone_from(config);
    }
    Ok(paths)
}

fn usage(text: &str, out: &mut Output) -> Exit {
    for line in text.lines() {
        out.complain_text(line);
    }
    Exit::Usage
}

fn config(which: ConfigCommand, globals: &Globals, out: &mut Output) -> Result<Exit, Gone> {
    if which == ConfigCommand::Example {
        return out.raw(EXAMPLE.as_bytes()).map(|()| Exit::Ok);
    }
    let paths = match paths(globals) {
        Ok(paths) => paths,
        Err(text) => return Ok(usage(&text, out)),
    };
    let shown = paths.config.display().to_string();
    if which == ConfigCommand::Path {
        return out.line(&shown).map(|()| Exit::Ok);
    }
    match Config::load(&paths.config) {
        Ok(_) if !paths.config.exists() => out.note(&Message::new(&c::CONFIG_ABSENT).with("path", shown)),
        Ok(config) => out.note(&Message::new(&c::CONFIG_FINE).with("path", shown).with("n", config.gateways.len().to_string())),
        Err(errors) => return Ok(usage(&errors.text(out.lang), out)),
    }
    Ok(Exit::Ok)
}

/// A broken configuration is a finding of the doctor, not a reason to say nothing else.
fn doctor_first(globals: &Globals, paths: Paths, loaded: Result<Config, ConfigErrors>, as_json: bool, out: &mut Output) -> Result<Exit, Gone> {
    use doctor::{Check, Mark};
    let shown = paths.config.display().to_string();
    let (settings, check) = match loaded {
        Ok(config) => {
            let detail = Message::new(&c::CHECK_CONFIG).with("path", shown).with("n", config.gateways.len().to_string());
            (Settings::from(config), Check::new("config", Mark::Ok, detail))
        }
        Err(errors) => {
            let text = errors.text(out.lang);
            (Settings::default(), Check::new("config", Mark::Fail, Message::new(&c::CHECK_STORE).with("path", text)))
        }
    };
    if let Some(found) = not_there(globals) {
        let terminal = doctor::terminal(doctor::Terminal::read(), out.lang);
        return doctor::render(&[check, Check::new("home", Mark::Fail, found), terminal], as_json, out);
    }
    block_on(out, async |out| match Session::open(globals, paths, settings, out) {
        Ok(house) => {
            let ran = run::doctor(&house, vec![check], as_json, out).await;
            house.close().await;
            ran
        }
        Err(exit) => Ok(exit),
    })
}

async fn headless(command: Command, globals: &Globals, mut paths: Paths, settings: Settings, out: &mut Output) -> run::Ran {
    // Clocks can be asked before there is anything to keep: what is noted on the way goes with the command.
    let passing = (matches!(command, Command::Clock(_)) && !paths.data.exists()).then(tempfile::tempdir).and_then(Result::ok);
    if let Some(dir) = &passing {
        paths.data = dir.path().to_owned();
    }
    let house = match Session::open(globals, paths, settings, out) {
        Ok(house) => house,
        Err(exit) => return Ok(exit),
    };
    let ran = command_in(&house, command, out).await;
    house.close().await;
    ran
}

async fn command_in(house: &Session, command: Command, out: &mut Output) -> run::Ran {
    if matches!(command, Command::History(_) | Command::Clock(_) | Command::Add(_) | Command::Remove(_) | Command::Secret(_)) {
        house.finish_left(out).await;
    }
    match command {
        Command::List(args) => run::list(house, args.json, out).await,
        Command::Status(args) => why::status(house, &args, out).await,
        Command::Check(args) => check::run(house, &args, out).await,
        Command::History(args) => run::history(house, &args, out).await,
        Command::Unfinished(args) => unfinished::run(house, &args, out).await,
        Command::Clock(args) => run::clock(house, &args, out).await,
        Command::Add(args) => add::run(house, &args, out).await,
        Command::Remove(args) => remove::run(house, &args, out).await,
        Command::Secret(which) => secret::run(house, &which, out).await,
        Command::Pair(args) if args.slot.is_some() => new_slot::run(house, &args, out).await,
        Command::Pair(args) => attempt::run(house, &args, out).await,
        Command::Watch(args) => watch::run(house, &args, out).await,
        Command::Wipe(act) => op::run(house, Action::Wipe, &act, &op::More::default(), out).await,
        Command::Regenerate(r) => op::run(house, Action::Regenerate, &r.act, &op::More { reveal: r.reveal, ..op::More::default() }, out).await,
        Command::Do(d) => match op::verb(house, &d.verb, &d.act, out).await? {
            Ok(action) => op::run(house, action, &d.act, &op::More { reveal: d.reveal, set: &d.set, ..op::More::default() }, out).await,
            Err(exit) => Ok(exit),
        },
        // Decided before a house was opened.
        Command::Token(_)
        | Command::Exec(_)
        | Command::Run(_)
        | Command::Demo(_)
        | Command::Sandbox(_)
        | Command::Doctor(_)
        | Command::Config(_)
        | Command::Completions { .. }
        | Command::Man => Ok(Exit::Ok),
    }
}

/// A runtime on this thread; a request that hangs does not hold the exit.
fn block_on(out: &mut Output, work: impl AsyncFnOnce(&mut Output) -> run::Ran) -> run::Ran {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let ran = runtime.block_on(work(out));
            runtime.shutdown_background();
            ran
        }
        Err(e) => {
            out.complain_text(&e.to_string());
            Ok(Exit::Failed)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_home_that_is_not_there_is_said_by_commands_that_only_find_things_and_none_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("typo");
        let at = home.to_str().unwrap();
        let lines = [
            "token a",
            "exec a -- true",
            "run a -- true",
            "list",
            "status a",
            "check a",
            "history",
            "clock",
            "pair a",
            "secret status",
            "secret set a",
            "secret set-aside",
            "wipe a --yes",
            "regenerate a --yes",
            "remove a --yes",
        ];
        for line in lines {
            let (mut out, shown) = Output::captured();
            let cli = Cli::parse_from(["pairdeck", "--home", at].into_iter().chain(line.split_whitespace()));
            assert!(matches!(dispatch(cli, &mut out), Next::Ended(Exit::Usage)), "{line}");
            assert!(shown.stderr().contains("typo") && shown.stderr().contains("--home"), "{line}: {}", shown.stderr());
            assert!(!home.exists(), "{line}");
        }
        let (mut out, shown) = Output::captured();
        assert!(matches!(dispatch(Cli::parse_from(["pairdeck", "--home", at, "doctor"]), &mut out), Next::Ended(Exit::Failed)));
        assert!(shown.stdout().contains("there is no folder") && !home.exists(), "{}", shown.stdout());
        // The deck begins one.
        let (mut out, _) = Output::captured();
        assert!(matches!(dispatch(Cli::parse_from(["pairdeck", "--home", at]), &mut out), Next::Deck(..)));
    }
}

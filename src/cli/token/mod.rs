//! `pairdeck token`: a living token on stdout and nothing else there.
//!
//! The cheapest way that works: the socket of a deck or `watch`; then the store itself, where the vault's key lies in a file;
//! then the whole house, which may ask the platform.

#[cfg(unix)]
mod client;
mod form;
mod names;
mod quick;
mod shown;

use super::{
    Exit, Globals, Gone, Output,
    args::{ExecArgs, Seconds, Target as Wanted, TokenArgs},
    prompt,
    run::Ran,
    session::{self, Session, Settings},
};
use crate::{
    domain::{Fingerprint, Reason, ReasonCode, Secret},
    engine::agent::{self, Document, Refusal, Request},
    i18n::{Message, command as c, reason, token as words},
    store::{Paths, config::Config, tokens::UNOPENED},
};
pub use form::Format;
use std::{
    io::{IsTerminal, Read},
    time::Duration,
};

/// The longest refused token that is read from stdin, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Prints a token.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn run(args: &TokenArgs, globals: &Globals, paths: Paths, out: &mut Output) -> Ran {
    let reader = paths.clone();
    match get(&args.wanted, args.rejected.as_deref(), args.no_fetch, true, globals, paths, out) {
        Ok(document) => {
            // On a terminal a person sees it: that is written down first, as everywhere. Programs read a pipe, many times a minute.
            if std::io::stdout().is_terminal()
                && let Err(why) = shown::note(&document.id, &reader, globals.read_only)
            {
                complain(&why, out);
                return Ok(Exit::from(why.code).or_failed());
            }
            form::print(&document, args.format, out).map(|()| Exit::Ok)
        }
        Err(exit) => Ok(exit),
    }
}

/// A token for `exec`.
pub(super) fn for_exec(args: &ExecArgs, globals: &Globals, paths: Paths, out: &mut Output) -> Result<Document, Exit> {
    get(&args.wanted, None, false, true, globals, paths, out)
}

/// Another one for `exec` when the first is over, or has only `early` left: nobody is there to be asked for a passphrase. `None`: why
/// was said.
pub(super) fn renewed(args: &ExecArgs, early: Duration, globals: &Globals, paths: Paths, out: &mut Output) -> Option<Document> {
    let mut wanted = args.wanted.clone();
    let life = Seconds(early.as_secs() + u64::from(early.subsec_nanos() > 0));
    if wanted.min_ttl.is_none_or(|asked| asked.0 < life.0) && life.0 > 0 {
        // What is still good is not refused for being short.
        (wanted.min_ttl, wanted.strict) = (Some(life), false);
    }
    get(&wanted, None, false, false, globals, paths, out).ok()
}

/// How long before its end `exec` asks for another, as the platform's rules have it.
pub(super) fn early(args: &ExecArgs, paths: &Paths, document: &Document) -> Duration {
    Config::load(&paths.config).map(|config| quick::early(&config, &args.wanted.target, document)).unwrap_or_default()
}

/// The token as it is now, where that can be told at once and without a request: from the socket, or from the store with a key
/// file and nobody to share it with. Says nothing.
pub(super) fn peek(args: &ExecArgs, globals: &Globals, paths: &Paths, out: &mut Output) -> Option<Document> {
    let mut request = request(&args.wanted, None, true, globals, out).ok()?;
    let config = Config::load(&paths.config).ok();
    request.whose = config.as_ref().and_then(|c| quick::meant(c, &request.target));
    #[cfg(unix)]
    if let Some(Ok(document)) = client::ask(&paths.socket, &request) {
        return Some(document);
    }
    quick::cached(paths, &config?, &request)
}

/// A token by the cheapest way, or the code to end with; why was said on stderr in one line.
fn get(
    wanted: &Wanted,
    rejected: Option<&str>,
    no_fetch: bool,
    person: bool,
    globals: &Globals,
    paths: Paths,
    out: &mut Output,
) -> Result<Document, Exit> {
    let mut request = request(wanted, rejected, no_fetch, globals, out)?;
    let no_config = !paths.config.exists();
    let absent = Message::new(&words::NO_CONFIG_FILE).with("path", paths.config.to_string_lossy());
    if globals.config.is_some() && no_config {
        out.complain(&absent);
        return Err(Exit::Usage);
    }
    // Before anybody is asked: a deck that has another configuration has another identity's token.
    let config = Config::load(&paths.config);
    request.whose = config.as_ref().ok().and_then(|c| quick::meant(c, &request.target));
    #[cfg(unix)]
    if let Some(answer) = client::ask(&paths.socket, &request) {
        return told(answer, &request, None, out);
    }
    let config = config.map_err(|errors| {
        for line in errors.text(out.lang).lines() {
            out.complain_text(line);
        }
        Exit::Usage
    })?;
    if globals.lang.is_none() {
        out.lang = config.ui.lang.unwrap_or(out.lang);
    }
    if let Some(document) = quick::cached(&paths, &config, &request) {
        return Ok(document);
    }
    let hint = if no_config { absent } else { names::hint(&config, &request.target) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| {
        out.complain_text(&e.to_string());
        Exit::Failed
    })?;
    let answer = runtime.block_on(async {
        let house = Session::open(globals, paths, Settings::from(config), out)?;
        let answer = match house.unlock_for(person, out).await {
            Ok(()) => {
                house.world.seed_all().await;
                Ok(agent::answer(&house.world, &request).await)
            }
            Err(exit) => Err(exit),
        };
        house.close().await;
        answer
    });
    runtime.shutdown_background();
    told(answer?, &request, Some(hint), out)
}

fn request(wanted: &Wanted, rejected: Option<&str>, no_fetch: bool, globals: &Globals, out: &mut Output) -> Result<Request, Exit> {
    let mut request = Request {
        target: wanted.target.clone(),
        min_ttl: wanted.min_ttl.map_or(0, |d| d.0),
        strict: wanted.strict,
        no_fetch,
        allow_clock_skew: wanted.allow_clock_skew,
        read_only: globals.read_only,
        ..Request::default()
    };
    match rejected {
        None => {}
        Some("-") => {
            let mut text = zeroize::Zeroizing::new(String::new());
            if std::io::stdin().is_terminal() {
                if let Ok(typed) = prompt::piped_unseen(&c::IS_TOKEN, out) {
                    text.push_str(typed.expose());
                }
            } else {
                let _ = std::io::stdin().take(LONGEST).read_to_string(&mut text);
            }
            let token = text.trim();
            if token.is_empty() {
                out.complain(&Message::new(&words::REJECTED_EMPTY));
                return Err(Exit::Usage);
            }
            request.rejected_token = Some(Secret::new(token.to_owned()));
        }
        Some(digits) => {
            request.rejected = Fingerprint::parse(digits);
            if request.rejected.is_none() {
                out.complain(&Message::new(&words::REJECTED_ODD));
                return Err(Exit::Usage);
            }
        }
    }
    Ok(request)
}

/// Says why there is no token, in one line; hands on one that there is.
fn told(answer: Result<Document, Refusal>, request: &Request, hint: Option<Message>, out: &mut Output) -> Result<Document, Exit> {
    let why = match answer {
        Ok(document) => {
            if let Some(why) = document.trouble.as_ref().filter(|w| w.code == ReasonCode::SharedDown) {
                let text = reason::sentence(why, out.lang);
                out.note(&Message::new(&words::TOKEN_TROUBLE).with("why", text));
            }
            if document.trouble.as_ref().is_some_and(|w| w.arg("evidence") == Some(UNOPENED)) {
                out.note(&Message::new(&words::TOKEN_ANEW).with("name", &document.id));
            }
            return Ok(document);
        }
        Err(why) => why,
    };
    let name = request.target.as_str();
    match why {
        Refusal::Reason(why) => {
            complain(&why, out);
            return Err(Exit::from(why.code).or_failed());
        }
        Refusal::Unknown => out.complain(&hint.unwrap_or_else(|| Message::new(&c::NAME_UNKNOWN).with("name", name))),
        Refusal::Ambiguous(ids) => out.complain(&Message::new(&c::NAME_AMBIGUOUS).with("name", name).with("candidates", ids.join(", "))),
        Refusal::Malformed | Refusal::Request => out.complain(&Message::new(&c::NAME_BROKEN).with("name", name)),
    }
    Err(Exit::Name)
}

/// One line: the code, what happened, what to do.
fn complain(why: &Reason, out: &mut Output) {
    let mut text = reason::full(why, out.lang);
    if let Some(remedy) = session::remedy(why, out.lang) {
        text.push(' ');
        text.push_str(&remedy);
    }
    // Not through a message: its values are cut to what a screen shows.
    out.complain_text(&words::TOKEN_SAID.get(out.lang).replace("{code}", why.code.name()).replace("{text}", &text));
}

/// What `Gone` means to those who write tokens: the reader has what it wanted.
pub(super) type Written = Result<(), Gone>;

//! `wipe`, `regenerate` and `do`: a question on a terminal, then one journaled op, watched to its end.

use super::{
    Exit, Output, aim,
    args::Act,
    json, outcome, prompt,
    run::Ran,
    session::{Session, refused},
};
use crate::{
    domain::{Action, Answer, Effect, GatewayId, Not, Prompt, PromptKind, Reason, ReasonCode, Row, State, ids::TargetName},
    engine::{
        names::Unresolved,
        ops::{self, Armed, Ended, Host, NotArmed, Progress},
    },
    i18n::{Lang, Message, Words, command as c, reason as reasons, shell},
};
use std::{future::Future, pin::Pin};
use tokio_util::sync::CancellationToken;

/// What a command adds to the target.
#[derive(Clone, Copy, Debug, Default)]
pub struct More<'a> {
    /// The new token is printed.
    pub reveal: bool,
    /// What was given by name.
    pub set: &'a [(String, String)],
    /// Cancelled when whoever runs it is asked to end, before anything was begun as well.
    pub stop: Option<&'a CancellationToken>,
}

/// Runs one action on one target. Nothing is sent before the question was answered.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn run(house: &Session, action: Action, args: &Act, more: &More<'_>, out: &mut Output) -> Ran {
    let _unseen = prompt::Sequence::begin();
    let cancel = more.stop.cloned().unwrap_or_default();
    let aimed = async {
        match house.ready(out).await {
            Ok(()) => Ok(aim::row(house, &action, &args.target, more.set, out).await),
            Err(exit) => Err(exit),
        }
    };
    let aimed = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(Exit::Interrupted),
        aimed = aimed => aimed,
    };
    let (row, inputs) = match aimed {
        Err(exit) => return Ok(exit),
        Ok(Ok(found)) => found,
        Ok(Err(exit)) => {
            if let Some(why) = unaimed(house, &args.target, exit, out.lang).filter(|_| args.json) {
                out.json(&json::refused_as(&args.target, action.name(), &why))?;
            }
            return Ok(exit);
        }
    };
    let wanted = action.clone();
    let (armed, effect) = match ops::arm(&house.world, &row, action, inputs).await {
        Ok(armed) => armed,
        Err(NotArmed::Not(Not::NotNow(why))) if wanted == Action::Wipe && row.link.state == State::LoggedOut => {
            return unchanged(&row, &wanted, &why, args.json, out);
        }
        Err(why) => {
            if args.json {
                out.json(&json::refused(&row.target(), &wanted, &refusal(&why, out.lang)))?;
            }
            return Ok(not_armed(why, out));
        }
    };
    if !args.yes {
        let question = question(&armed, &effect, out);
        match prompt::agreed(&question, out) {
            Some(true) => {}
            other => {
                if other.is_none() {
                    // Whoever adds --yes next should know to what.
                    out.note(&question);
                }
                ops::disarm(&house.world, &armed).await;
                let why = Message::new(if other.is_none() { &c::NOT_ASKED } else { &c::NOT_AGREED });
                if args.json {
                    let code = if other.is_none() { "not_asked" } else { "not_agreed" };
                    out.json(&json::refused(&armed.target, &armed.action, &json::plain_reason(code, &why, out.lang)))?;
                }
                out.complain(&why);
                return Ok(if other.is_none() { Exit::Usage } else { Exit::Failed });
            }
        }
    }
    let interrupted = stop_on_signal(cancel.clone());
    let mut host = Lines::new(out, args.json);
    host.unasked = args.yes;
    let ended = ops::fire(&house.world, &armed, &mut host, &cancel).await;
    interrupted.abort();
    tell(house, &armed, &ended, (args.json, more.reveal), out, cancel.is_cancelled()).await
}

/// Why no row was meant, as documents have it: its name, or what kept its gateway from answering. `None`: what was given with it.
fn unaimed(house: &Session, typed: &str, exit: Exit, lang: Lang) -> Option<serde_json::Value> {
    match exit {
        Exit::Usage => None,
        Exit::Name => Some(unnamed(&house.world.resolve(typed).err()?, typed, lang)),
        _ => {
            let links = house.world.gateways().into_iter().filter_map(|g| g.link().reason);
            links.into_iter().find(|why| Exit::from(why.code).or_failed() == exit).map(|why| json::reason(&why, lang))
        }
    }
}

fn unnamed(why: &Unresolved, typed: &str, lang: Lang) -> serde_json::Value {
    let (code, words) = match why {
        Unresolved::Unknown => ("name_unknown", Message::new(&c::NAME_UNKNOWN)),
        Unresolved::Ambiguous(ids) => ("name_ambiguous", Message::new(&c::NAME_AMBIGUOUS).with("candidates", ids.join(", "))),
        Unresolved::Malformed => ("name_malformed", Message::new(&c::NAME_BROKEN)),
    };
    json::plain_reason(code, &words.with("name", typed), lang)
}

/// Nothing was left to be done: who wiped before, or twice, has what was asked for.
fn unchanged(row: &Row, action: &Action, why: &Message, as_json: bool, out: &mut Output) -> Ran {
    let why = shell::told(why.clone());
    if as_json {
        out.json(&json::unchanged(&row.target(), action, &why, out.lang))?;
    } else {
        out.note(&why);
    }
    Ok(Exit::Ok)
}

async fn tell(house: &Session, armed: &Armed, ended: &Ended, (as_json, reveal): (bool, bool), out: &mut Output, interrupted: bool) -> Ran {
    let fp = |f: &Option<crate::domain::Fingerprint>| f.as_ref().and_then(|f| f.as_str().map(str::to_owned));
    let (old, new) = (fp(&ended.old), fp(&ended.new));
    let exit = match house.world.store().op(armed.id).await {
        Ok(Some(mut op)) => {
            op.phase = ended.phase;
            op.reason.clone_from(&ended.reason);
            let token = ended.token.as_ref().filter(|_| reveal);
            let written = match token {
                Some(_) => ops::audit_reveal(&house.world, &armed.target).await,
                None => Ok(()),
            };
            // Without its line in the audit it is not shown; the new one is kept, and can be shown later.
            let exit = outcome::render(&op, (old.as_deref(), new.as_deref()), token.filter(|_| written.is_ok()), as_json, out)?;
            match written {
                Ok(()) => exit,
                Err(why) => {
                    out.complain(&Message::new(&c::REVEAL_UNWRITTEN));
                    refused(&why, out)
                }
            }
        }
        _ => ended.reason.as_ref().map_or(Exit::Failed, |why| refused(why, out)),
    };
    Ok(if interrupted && exit != Exit::Ok { Exit::Interrupted } else { exit })
}

fn question(armed: &Armed, effect: &Effect, out: &Output) -> Message {
    let lost: Vec<String> = effect.loses.iter().map(|m| m.text(out.lang)).collect();
    let m = Message::new(if lost.is_empty() { &c::ASK_ACT_PLAIN } else { &c::ASK_ACT });
    m.with("action", armed.action.name()).with("target", armed.target.id()).with("lost", lost.join(", "))
}

/// What stood against it, as documents have it.
fn refusal(why: &NotArmed, lang: Lang) -> serde_json::Value {
    let coded = |code| json::reason(&Reason::new(code), lang);
    match why {
        NotArmed::Busy(_) => coded(ReasonCode::Busy),
        NotArmed::Trouble(why) | NotArmed::Not(Not::Trouble(why)) => json::reason(why, lang),
        NotArmed::Not(Not::ReadOnly) => coded(ReasonCode::ReadOnly),
        NotArmed::Not(Not::Locked) => coded(ReasonCode::VaultLocked),
        NotArmed::Not(Not::Unsupported(m)) => json::plain_reason("unsupported", m, lang),
        NotArmed::Not(Not::NotNow(m)) => json::plain_reason("not_now", m, lang),
        NotArmed::Not(Not::Person(p)) => json::plain_reason("person_needed", &p.words, lang),
    }
}

pub(super) fn not_armed(why: NotArmed, out: &mut Output) -> Exit {
    let said = |m: &Message, exit, out: &mut Output| {
        out.complain(&shell::told(m.clone()));
        exit
    };
    let coded = |words: &'static Words, exit, out: &mut Output| said(&Message::new(words), exit, out);
    match why {
        NotArmed::Busy(_) => coded(&reasons::BUSY, Exit::Unreachable, out),
        NotArmed::Trouble(why) | NotArmed::Not(Not::Trouble(why)) => refused(&why, out),
        NotArmed::Not(Not::ReadOnly) => coded(&reasons::READ_ONLY, Exit::ReadOnly, out),
        NotArmed::Not(Not::Locked) => coded(&reasons::VAULT_LOCKED, Exit::Locked, out),
        NotArmed::Not(Not::Unsupported(m)) => said(&m, Exit::Usage, out),
        NotArmed::Not(Not::NotNow(m)) => said(&m, Exit::Failed, out),
        NotArmed::Not(Not::Person(p)) => said(&p.words, Exit::Person, out),
    }
}

/// The first ctrl-c or TERM asks to stop before the pivot; from the pivot on the op goes on to its end.
pub(super) fn stop_on_signal(cancel: CancellationToken) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        interrupted().await;
        cancel.cancel();
    })
}

#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut hup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    super::prompt::signals_are_heeded();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
        _ = hup.recv() => {}
    }
}

#[cfg(not(unix))]
async fn interrupted() {
    let _ = tokio::signal::ctrl_c().await;
}

/// Says each step on stderr. A secret that is asked for is typed unseen on a terminal, or read from stdin, once; other questions
/// are answered by a line on a terminal, and without one they stay unanswered.
pub(super) struct Lines<'a> {
    out: &'a mut Output,
    quiet: bool,
    /// Stdin was read to its end.
    piped: bool,
    /// `--yes` was given: what it is no word for is refused.
    unasked: bool,
}

impl<'a> Lines<'a> {
    /// `quiet`: steps are not said.
    pub(super) const fn new(out: &'a mut Output, quiet: bool) -> Self {
        Self { out, quiet, piped: false, unasked: false }
    }

    /// Where it says things.
    pub(super) const fn out(&mut self) -> &mut Output {
        self.out
    }

    fn answer(&mut self, prompt: &Prompt) -> Option<Answer> {
        self.out.complain(&prompt.words);
        for beside in prompt.again().into_iter().chain(prompt.beside()) {
            self.out.complain(&beside);
        }
        if self.piped {
            return None;
        }
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stdin());
        self.piped = !terminal;
        let from = (!terminal).then(|| std::path::Path::new("-"));
        match prompt::secret(from, &c::ASK_NEW_SECRET, self.out) {
            Ok(given) => Some(given),
            Err(why) => {
                self.out.complain(&why.0);
                None
            }
        }
    }
}

impl Host for Lines<'_> {
    fn progress(&mut self, news: Progress) {
        if self.quiet {
            return;
        }
        match news {
            Progress::Step(words, n, of) => {
                self.out.note(&Message::new(&c::STEP).with("n", n.to_string()).with("of", of.to_string()).nest("step", words));
            }
            Progress::Again(why) => self.out.note(&Message::new(&c::STEP_AGAIN).nest("reason", Message::from(&why))),
            Progress::Back => self.out.note(&Message::new(&c::TAKING_BACK)),
        }
    }
    fn ask<'a>(&'a mut self, prompt: &'a Prompt) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        if matches!(prompt.kind, PromptKind::Secret | PromptKind::Password) {
            let given = self.answer(prompt);
            return Box::pin(std::future::ready(given));
        }
        if self.unasked || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            self.out.complain(&prompt.words);
            return Box::pin(std::future::ready(None));
        }
        self.out.ask(&Message::new(&c::ASK_SECRET).with("question", prompt.words.text(self.out.lang)));
        Box::pin(line())
    }
}

/// A line of the terminal. `None`: its end, or a signal came first; what reads is left behind and ends with the process.
async fn line() -> Option<Answer> {
    let (to, answer) = tokio::sync::oneshot::channel();
    let _ = std::thread::Builder::new().name("terminal".into()).spawn(move || {
        let mut line = String::new();
        // What could not be read is no answer.
        let _ = std::io::BufRead::read_line(&mut std::io::stdin().lock(), &mut line);
        let _ = to.send(Answer::new(line.trim().to_owned()));
    });
    tokio::select! {
        given = answer => given.ok().filter(|a| !a.expose().is_empty()),
        () = interrupted() => None,
    }
}

/// The verb of `do`, refused early when the kind has none of that name.
pub async fn verb(house: &Session, name: &str, act: &Act, out: &mut Output) -> Result<Result<Action, Exit>, super::Gone> {
    let target = &act.target;
    let gateway = TargetName::parse(target).and_then(|t| t.gateway).map(|g| GatewayId::new(&g));
    let kinds: Vec<_> = match gateway.and_then(|g| house.world.gateway(&g)) {
        Some(g) => vec![g.spec],
        None => house.world.gateways().iter().map(|g| g.spec).collect(),
    };
    let mut known: Vec<&str> = Vec::new();
    for verb in kinds.iter().flat_map(|k| k.verbs) {
        if !known.contains(&verb.id) {
            known.push(verb.id);
        }
    }
    if known.contains(&name) {
        return Ok(Ok(Action::Do(name.into())));
    }
    let why = Message::new(&c::VERB_UNKNOWN).with("verb", name).with("verbs", known.join(", "));
    out.complain(&why);
    // Two mistakes are told at once; no server is asked for the second.
    house.world.seed_all().await;
    if house.world.resolve(target).is_err_and(|e| matches!(e, Unresolved::Unknown)) && !house.world.rows().is_empty() {
        out.complain(&Message::new(&c::NAME_UNKNOWN).with("name", target));
    }
    if act.json {
        out.json(&json::refused_as(target, name, &json::plain_reason("verb_unknown", &why, out.lang)))?;
    }
    Ok(Err(Exit::Usage))
}

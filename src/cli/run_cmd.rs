//! `run`: a command that alone may use a target. Its lock is taken on this host and its leases among hosts; it gets the terminal and
//! the signals, its exit code is ours; it is stopped before a lease ends that cannot be renewed. With `--heal` its output is read:
//! what follows is `run_heal`'s.

use super::{
    Exit, Globals, Output,
    args::Run,
    run_heal::{self, Death, Next},
    run_signal::{asked_to_end, by_signal, ends, heard, heeding},
    session::{Session, Settings, refused},
};
use crate::{
    domain::{GatewayId, Reason, ReasonCode, Target, ids::TargetName},
    engine::{
        hold::{
            child::{self, News, Running},
            lease::{Keeper, Lost, Refused},
            lock_file,
            log::Signs,
        },
        who,
    },
    i18n::{Message, command as c, sessions as w},
    providers::{
        duty::{Duty, Life, Sign},
        registry,
    },
    store::{
        Paths, StoreError, config, paths as files,
        run_lock::{Owner, RunLock},
    },
};
use std::{
    future::Future,
    path::Path,
    pin::Pin,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A worker that lived so long was well: what it dies of then is a new story.
const WELL: Duration = Duration::from_secs(3600);
/// A loop that turned out to be none is not looked into again for so long.
const QUIET: Duration = Duration::from_secs(300);
/// A command that is stopped because another host took over gets so long.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Runs the command. The code to end with: its own, or one of pairdeck's where it was not started or had to be stopped.
pub fn run(globals: &Globals, paths: Paths, settings: Settings, args: &Run, out: &mut Output) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            out.complain_text(&e.to_string());
            return Exit::Failed.code();
        }
    };
    let code = runtime.block_on(async {
        let house = match Session::open(globals, paths, settings, out) {
            Ok(house) => house,
            Err(exit) => return exit.code(),
        };
        let code = match attend(&house, args, out).await {
            Ok(code) => code,
            Err(exit) => exit.code(),
        };
        house.close().await;
        code
    });
    runtime.shutdown_background();
    code
}

/// What is meant, among all that can be run. A slot need not be named where the account has only one.
fn target(house: &Session, typed: &str, out: &mut Output) -> Result<(config::Gateway, Target), Exit> {
    let Some(name) = TargetName::parse(typed) else {
        out.complain(&Message::new(&c::NAME_BROKEN).with("name", typed));
        return Err(Exit::Name);
    };
    let fits = |t: &Target| {
        t.account.as_str() == name.account && name.device.as_ref().is_none_or(|d| t.device.as_ref().is_some_and(|have| have.as_str() == *d))
    };
    let named = |g: &&config::Gateway| name.gateway.as_ref().is_none_or(|n| *n == g.name);
    let mut found: Vec<_> =
        house.gateways.iter().filter(named).flat_map(|g| registry::runnable(g).into_iter().filter(fits).map(move |t| (g.clone(), t))).collect();
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(last), false) => {
            let ids: Vec<_> = found.iter().chain([&last]).map(|(_, t)| t.id()).collect();
            out.complain(&Message::new(&c::NAME_AMBIGUOUS).with("name", typed).with("candidates", ids.join(", ")));
            Err(Exit::Name)
        }
        (None, _) => {
            let known = name.gateway.as_ref().and_then(|g| house.world.gateway(&GatewayId::new(g))).is_some_and(|g| {
                house.gateways.iter().find(|have| have.name == g.id.as_str()).is_some_and(|have| registry::runnable(have).is_empty())
            });
            let words = if known { Message::new(&w::RUN_NOTHING).with("target", typed) } else { Message::new(&c::NAME_UNKNOWN).with("name", typed) };
            out.complain(&words);
            Err(if known { Exit::Usage } else { Exit::Name })
        }
    }
}

async fn attend(house: &Session, args: &Run, out: &mut Output) -> Result<u8, Exit> {
    let (gateway, target) = target(house, &args.target, out)?;
    let (tell, mut news) = mpsc::channel(64);
    // Before the command is there: a signal must not end pairdeck alone.
    #[cfg(unix)]
    child::forward(tell.clone()).map_err(|e| said(&e.to_string(), out))?;
    super::prompt::signals_are_heeded();
    let mut count = run_heal::Count::default();
    loop {
        let mut duty = registry::duty(&gateway, &house.gateways, &target).ok_or(Exit::Name)?;
        if duty.trouble.is_none() {
            duty.trouble = run_heal::uneasy(house, &target).await;
        }
        if args.heal && duty.signs.is_empty() && duty.dead_exit_codes.is_empty() {
            out.complain(&Message::new(&w::RUN_NO_HEAL).with("target", target.id()));
            return Err(Exit::Usage);
        }
        let locks = locks(house, args, &duty, out)?;
        let mut keeper = leases(house, &duty, out).await?;
        // Asked to end while nothing ran: nothing is started first.
        if let Some(n) = heard(&mut news) {
            if let Some(keeper) = &mut keeper {
                keeper.release().await;
            }
            return Ok(by_signal(n));
        }
        let signs: &'static [Sign] = if args.heal { duty.signs } else { &[] };
        let began = Instant::now();
        let started = child::start(&args.command, &locks.iter().collect::<Vec<_>>(), signs, &tell);
        let ended = match started {
            Ok(running) => follow(house, &target, running, &mut news, keeper.as_mut(), out).await,
            Err(e) => Err(not_started(args, &e, out)),
        };
        if let Some(keeper) = &mut keeper {
            keeper.release().await;
        }
        let End { code, dead, asked, looped } = ended?;
        let dead = dead.or_else(|| duty.dead_exit_codes.contains(&code).then_some(crate::providers::duty::Dead::Revoked));
        let Some(dead) = dead.filter(|_| args.heal && !asked) else { return Ok(code) };
        if began.elapsed() >= WELL {
            count = run_heal::Count::default();
        }
        // The plan proves by the same locks that nobody holds the session: let go of, they are free, unless something that the command
        // started lives on and has them still.
        drop(locks);
        let death = Death { dead, code, looped };
        loop {
            let stop = CancellationToken::new();
            let (next, by) = heeding(run_heal::after(house, &target, &death, &mut count, &stop, out), &stop, &mut news).await;
            if let Some(n) = by {
                // Whoever asked it to end knows why nothing goes on.
                return Ok(by_signal(n));
            }
            let (pause, again) = match next? {
                Next::End => return Ok(code),
                Next::Start(pause) => (pause, false),
                Next::Ask(pause) => (pause, true),
            };
            if let Ok(n) = tokio::time::timeout(waited(pause), asked_to_end(&mut news)).await {
                return Ok(by_signal(n));
            }
            if !again {
                break;
            }
        }
    }
}

fn said(text: &str, out: &mut Output) -> Exit {
    out.complain_text(text);
    Exit::Failed
}

/// As `env` and shells tell it: 127 for a command that is not there, 126 for one that may not be run. Said, with pairdeck's code.
fn not_started(args: &Run, e: &std::io::Error, out: &mut Output) -> Exit {
    let name = args.command.first().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    out.complain(&Message::new(&w::RUN_NOT_FOUND).with("cmd", name).with("why", files::plain(e)));
    if e.kind() == std::io::ErrorKind::NotFound { Exit::Usage } else { Exit::Failed }
}

/// Every lock, in one order: the target's own, then the one that lies beside its file.
fn locks(house: &Session, args: &Run, duty: &Duty, out: &mut Output) -> Result<Vec<RunLock>, Exit> {
    if let Some(cleaned) = &duty.cleaned {
        out.note(cleaned);
    }
    if let Some(why) = &duty.held {
        refused(why, out);
        return Err(Exit::Lease);
    }
    if let Some(why) = &duty.trouble {
        // It is started all the same: a worker makes its first session itself, and a twin may be a file that nobody uses.
        refused(why, out);
    }
    let me = std::process::id();
    let command = args.command.first().map(|c| Path::new(c).file_name().unwrap_or_default().to_string_lossy().into_owned());
    let (mounts, pids) = crate::store::proc::spaces(me);
    let owner =
        Owner { target: duty.target.id(), pid: me, who: who::user_at_host().as_str().to_owned(), command: command.unwrap_or_default(), mounts, pids };
    let own = lock_file(&house.paths, &duty.target.id());
    files::private_dir(&house.paths.locks()).map_err(|e: StoreError| said(&e.text(out.lang), out))?;
    let mut held = Vec::new();
    for path in std::iter::once(&own).chain(&duty.lock) {
        match RunLock::take(path, &owner) {
            Ok(Ok(lock)) => held.push(lock),
            Ok(Err(other)) => {
                out.complain(&Message::new(&w::RUN_LOCKED).with("target", duty.target.id()).with("holder", other.name()));
                return Err(Exit::Lease);
            }
            Err(e) => {
                let why = Reason::new(ReasonCode::SlotUnwritable).with("file", path.to_string_lossy()).with("why", files::plain(&e));
                return Err(refused(&why, out));
            }
        }
    }
    Ok(held)
}

async fn leases(house: &Session, duty: &Duty, out: &mut Output) -> Result<Option<Keeper>, Exit> {
    if !house.world.is_sharing() {
        return Ok(None);
    }
    house.unlock(out).await?;
    let shared = match house.world.shared().await {
        None => return Ok(None),
        Some(Ok(shared)) => shared,
        Some(Err(why)) => return Err(refused(&why, out)),
    };
    match Keeper::take(shared, house.world.time().clone(), &duty.leases).await {
        Ok(keeper) => Ok(Some(keeper)),
        Err(Refused::Trouble(why)) => Err(refused(&why, out)),
        Err(Refused::Held { name, by }) => {
            let by = by.map_or_else(|| "?".to_owned(), |by| by.as_str().to_owned());
            out.complain(&Message::new(&w::RUN_SHARED_HELD).with("what", name).with("holder", by));
            Err(Exit::Lease)
        }
    }
}

/// How a command's life ended.
struct End {
    code: u8,
    dead: Option<crate::providers::duty::Dead>,
    /// Somebody asked it to end.
    asked: bool,
    /// It had failed alike again and again.
    looped: Option<Sign>,
}

/// A loop that is looked into: by which word, and what the platform says.
type Doubt<'a> = (Sign, Pin<Box<dyn Future<Output = Life> + 'a>>);

/// Waits for the word of the platform, where it was asked.
async fn proven(doubt: &mut Option<Doubt<'_>>) -> (Sign, Life) {
    match doubt {
        Some((sign, life)) => (*sign, life.await),
        None => std::future::pending().await,
    }
}

enum Why {
    Ended,
    Lost(Lost),
    Loop(Sign),
}

async fn follow(
    house: &Session,
    target: &Target,
    mut running: Running,
    news: &mut mpsc::Receiver<News>,
    mut keeper: Option<&mut Keeper>,
    out: &mut Output,
) -> Result<End, Exit> {
    let (mut signs, mut asked) = (Signs::default(), false);
    let (mut doubt, mut quiet): (Option<Doubt<'_>>, Option<Instant>) = (None, None);
    let why = {
        let keep = async {
            match keeper.as_deref_mut() {
                Some(keeper) => keeper.keep().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(keep);
        loop {
            let event = tokio::select! {
                () = running.ended() => break Why::Ended,
                lost = &mut keep => break Why::Lost(lost),
                event = news.recv() => event,
                (sign, life) = proven(&mut doubt) => {
                    doubt = None;
                    if life != Life::Lives {
                        break Why::Loop(sign);
                    }
                    // Its own log is no proof: whoever writes to a bot can put such words there.
                    let what = run_heal::reason(sign.means).name();
                    out.note(&Message::new(&w::RUN_GOES_ON).with("target", target.id()).with("what", what));
                    run_heal::audit(house, target, ReasonCode::SessionLives).await;
                    signs.forget();
                    quiet = Some(Instant::now());
                    continue;
                }
            };
            match event {
                Some(News::Signal(n)) => {
                    asked |= ends(n);
                    running.signal(n);
                }
                Some(News::Pressed(n)) => asked |= ends(n),
                Some(News::Said(sign))
                    if signs.saw(sign.means, Instant::now()) && doubt.is_none() && !asked && quiet.is_none_or(|q| q.elapsed() >= QUIET) =>
                {
                    doubt = Some((sign, Box::pin(run_heal::life(house, target))));
                }
                _ => {}
            }
        }
    };
    let stopped = match why {
        Why::Ended => None,
        Why::Lost(lost) => {
            let patience = keeper.as_ref().map_or(Duration::ZERO, |k| k.patience());
            let (words, patience) = match &lost {
                Lost::Taken => (Message::new(&w::RUN_LEASE_LOST), patience.min(AT_ONCE)),
                Lost::Ended => (Message::new(&w::RUN_LEASE_LOST), Duration::ZERO),
                Lost::Ends(why) => {
                    let why = crate::i18n::reason::sentence(why, out.lang);
                    (Message::new(&w::RUN_LEASE_ENDS).with("why", why.trim_end_matches(['.', '。'])), patience)
                }
            };
            out.complain(&words.with("target", target.id()));
            running.stop(patience).await;
            run_heal::audit(house, target, ReasonCode::LeaseLost).await;
            Some(Exit::Lease)
        }
        Why::Loop(sign) => {
            running.stop(AT_ONCE).await;
            Some(run_heal::looped(house, target, sign, out).await)
        }
    };
    // It ended before it was known whether that was a loop, or with its last words.
    let mut looped = doubt.map(|(sign, _)| sign);
    let status = running.reap().await.map_err(|e| said(&e.to_string(), out))?;
    // What came with the end.
    while let Ok(event) = news.try_recv() {
        match event {
            News::Said(sign) if signs.saw(sign.means, Instant::now()) => {
                looped = Some(sign).filter(|_| quiet.is_none_or(|q| q.elapsed() >= QUIET)).or(looped);
            }
            News::Said(_) => {}
            // Too late for the command, and not for what would follow.
            News::Signal(n) | News::Pressed(n) => asked |= ends(n),
        }
    }
    match stopped {
        Some(exit) => Err(exit),
        None => Ok(End { code: child::code(status), dead: signs.dead(), asked, looped }),
    }
}

/// How long a pause lasts: in builds with debug assertions a test may say how many milliseconds a second has.
fn waited(pause: Duration) -> Duration {
    let said = if cfg!(debug_assertions) { std::env::var("PAIRDECK_DEBUG_HEAL_SECOND_MS").ok() } else { None };
    said.and_then(|ms| ms.parse::<u32>().ok()).map_or(pause, |ms| pause * ms / 1000)
}

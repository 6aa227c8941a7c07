//! `run --heal`: what follows the death of a worker. A word in its log or an exit code is a hint; whether the session is dead, its
//! platform says, as far as anybody here may ask it. A session that lives is never replaced.

use super::{
    Exit, Output,
    args::Act,
    op,
    session::{Session, refused},
};
use crate::{
    domain::{Action, Reason, ReasonCode, Target},
    engine::{hold::log::LOOP, shared::self_at_host},
    i18n::{Message, sessions as w},
    providers::{
        duty::{Dead, Life, Sign},
        registry,
    },
    store::Audit,
    vault::VaultState,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A session is rebuilt so often in one run of pairdeck, or its worker started anew on a living one; then a person must look.
const MOST: u32 = 3;
/// Before the first new start; each later one waits three times as long.
const BACKOFF: Duration = Duration::from_secs(5);
/// The platform is waited for so long: a command that loops meanwhile does harm.
const ASK: Duration = Duration::from_secs(25);

/// What was done so far in one run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    rebuilt: u32,
    spared: u32,
    /// How often it could not be told of one death whether the session lives.
    unsure: u32,
}

impl Count {
    const fn starts(self) -> u32 {
        self.rebuilt + self.spared
    }
}

/// How a command ended of which something said that its session was dead.
pub(super) struct Death {
    pub(super) dead: Dead,
    /// Its exit code.
    pub(super) code: u8,
    /// The word by which it had failed again and again.
    pub(super) looped: Option<Sign>,
}

/// What follows.
pub(super) enum Next {
    /// The command's own end stands.
    End,
    /// It is started again after so long.
    Start(Duration),
    /// Nobody could tell; it is asked again after so long.
    Ask(Duration),
}

pub(super) const fn reason(dead: Dead) -> ReasonCode {
    match dead {
        Dead::Duplicated => ReasonCode::SessionDuplicated,
        Dead::Revoked => ReasonCode::SessionRevoked,
        Dead::Closed => ReasonCode::AccountClosed,
    }
}

/// Whether the session lives. Nobody is asked for a passphrase.
pub(super) async fn life(house: &Session, target: &Target) -> Life {
    let ask = async {
        if let VaultState::Locked(why) = house.world.open_vault().await {
            return Life::Unknown(Some(why));
        }
        if let Err(e) = house.world.load_secrets().await {
            return Life::Unknown(Some(e.reason()));
        }
        let Some(gateway) = house.world.gateway(&target.gateway) else { return Life::Unknown(None) };
        match house.world.cx(&gateway, CancellationToken::new()) {
            Ok(cx) => gateway.provider().life(&cx, target).await,
            Err(why) => Life::Unknown(Some(why)),
        }
    };
    tokio::time::timeout(ASK, ask).await.unwrap_or_else(|_| Life::Unknown(Some(Reason::new(ReasonCode::Slow))))
}

/// What is remembered of the target that its files do not tell.
pub(super) async fn uneasy(house: &Session, target: &Target) -> Option<Reason> {
    let gateway = house.world.gateway(&target.gateway)?;
    let cx = house.world.cx(&gateway, CancellationToken::new()).ok()?;
    gateway.provider().uneasy(&cx, target).await
}

/// What to do once a command has ended. `stop`: somebody asked pairdeck to end; nothing more is begun then.
///
/// # Errors
/// Said already; the code to end with: a person must look, or `stop` was heeded.
pub(super) async fn after(
    house: &Session,
    target: &Target,
    death: &Death,
    count: &mut Count,
    stop: &CancellationToken,
    out: &mut Output,
) -> Result<Next, Exit> {
    let Death { dead, code, looped } = *death;
    let what = reason(dead);
    let says = |words| Message::new(words).with("target", target.id()).with("what", what.name());
    // A vault that wants its passphrase may ask for it now: the command has ended.
    let life = match house.unlock(out).await {
        Ok(()) => tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Exit::Interrupted),
            life = life(house, target) => life,
        },
        Err(exit) if code == 0 => {
            out.note(&says(&w::RUN_ENDED_WELL));
            return if exit == Exit::Interrupted { Err(exit) } else { Ok(Next::End) };
        }
        Err(exit) => {
            alarm(house, target, &Reason::new(ReasonCode::SessionUnsure).with("what", what.name()), out).await;
            conflict(house, target, out);
            return Err(exit);
        }
    };
    if let (Life::Unknown(why), Some(sign)) = (&life, looped)
        && why.as_ref().is_none_or(|w| w.code != ReasonCode::AccountClosed)
    {
        return Err(self::looped(house, target, sign, out).await);
    }
    match &life {
        Life::Lives => {
            let why = Reason::new(ReasonCode::SessionLives).with("what", what.name());
            alarm(house, target, &why, out).await;
            if code == 0 {
                return Ok(Next::End);
            }
            if count.starts() >= MOST {
                conflict(house, target, out);
                return Err(Exit::Person);
            }
            let pause = BACKOFF * 3u32.pow(count.starts());
            count.spared += 1;
            out.note(&says(&w::RUN_SPARED).with("s", pause.as_secs().to_string()));
            return Ok(Next::Start(pause));
        }
        Life::Unknown(_) if code == 0 => {
            out.note(&says(&w::RUN_ENDED_WELL));
            return Ok(Next::End);
        }
        Life::Unknown(Some(why)) if why.code == ReasonCode::AccountClosed => {
            alarm(house, target, why, out).await;
            return Err(Exit::Person);
        }
        Life::Unknown(why) if dead != Dead::Closed => return unsure(house, target, why.as_ref(), what, count, out).await,
        // That the key was used twice is no riddle then; the copy keeps its session.
        Life::Copied if !matches!(dead, Dead::Duplicated | Dead::Closed) && code != 0 => return unsure(house, target, None, what, count, out).await,
        Life::Copied if dead != Dead::Duplicated && code == 0 => {
            out.note(&says(&w::RUN_ENDED_WELL));
            return Ok(Next::End);
        }
        // Of an account that is called closed nothing is rebuilt, whoever can tell.
        Life::Dead | Life::Copied | Life::Unknown(_) => {}
    }
    count.unsure = 0;
    rebuild(house, target, dead, *count, stop, out).await?;
    let pause = BACKOFF * 3u32.pow(count.starts());
    count.rebuilt += 1;
    out.note(&says(&w::RUN_HEALED).with("s", pause.as_secs().to_string()));
    Ok(Next::Start(pause))
}

/// Nobody could tell: nothing is replaced without a person's word. What may pass is waited for.
async fn unsure(house: &Session, target: &Target, why: Option<&Reason>, what: ReasonCode, count: &mut Count, out: &mut Output) -> Result<Next, Exit> {
    use ReasonCode as C;
    let mut exit = Exit::Person;
    if let Some(why) = why {
        // What has no code of its own is a person's.
        exit = Some(refused(why, out)).filter(|e| *e != Exit::Failed).unwrap_or(exit);
        let passes = matches!(why.code, C::Unreachable | C::Slow | C::ServerError | C::RateLimited | C::OtherHolder);
        if passes && count.unsure < MOST {
            let pause = BACKOFF * 3u32.pow(count.unsure);
            count.unsure += 1;
            out.note(&Message::new(&w::RUN_ASKS_AGAIN).with("target", target.id()).with("s", pause.as_secs().to_string()));
            return Ok(Next::Ask(pause));
        }
    }
    alarm(house, target, &Reason::new(C::SessionUnsure).with("what", what.name()), out).await;
    conflict(house, target, out);
    Err(exit)
}

fn limit(code: ReasonCode, rebuilt: u32, what: ReasonCode) -> Reason {
    Reason::new(code).with("n", rebuilt.to_string()).with("what", what.name())
}

/// Rebuilds a dead session once, by the plan of its provider.
async fn rebuild(house: &Session, target: &Target, dead: Dead, count: Count, stop: &CancellationToken, out: &mut Output) -> Result<(), Exit> {
    let what = reason(dead);
    if dead == Dead::Closed {
        alarm(house, target, &Reason::new(what), out).await;
        return Err(Exit::Person);
    }
    if count.starts() >= MOST {
        alarm(house, target, &limit(ReasonCode::RebuildLimit, count.rebuilt, what), out).await;
        conflict(house, target, out);
        return Err(Exit::Person);
    }
    refused(&Reason::new(what), out);
    // What the plan says goes to stderr: stdout is the command's.
    let (mut said, shown) = Output::captured();
    said.lang = out.lang;
    let act = Act { target: target.id(), yes: true, json: false };
    let more = op::More { stop: Some(stop), ..op::More::default() };
    let exit = op::run(house, Action::Regenerate, &act, &more, &mut said).await.unwrap_or(Exit::Failed);
    for line in shown.stderr().lines() {
        out.complain_text(line.strip_prefix("pairdeck: ").unwrap_or(line));
    }
    if exit == Exit::Interrupted {
        // Whoever asked it to end knows why it was not rebuilt.
        return Err(exit);
    }
    if exit == Exit::Ok {
        audit(house, target, what).await;
        return Ok(());
    }
    alarm(house, target, &limit(ReasonCode::RebuildNone, count.rebuilt, what), out).await;
    conflict(house, target, out);
    Err(exit)
}

/// It failed alike again and again, and was stopped or ended: an alarm, and who else has it.
pub(super) async fn looped(house: &Session, target: &Target, sign: Sign, out: &mut Output) -> Exit {
    let why = Reason::new(ReasonCode::RebuildLoop).with("n", LOOP.to_string()).with("what", sign.text);
    alarm(house, target, &why, out).await;
    conflict(house, target, out);
    Exit::Person
}

/// Says who else has it, as files and processes of this machine tell.
pub(super) fn conflict(house: &Session, target: &Target, out: &mut Output) {
    let Some(gateway) = house.gateways.iter().find(|g| g.name == target.gateway.as_str()) else { return };
    if let Some(why) = registry::duty(gateway, &house.gateways, target).and_then(|d| d.trouble) {
        refused(&why, out);
    }
}

/// Somebody must look: said, and written to the history, where the deck shows it.
pub(super) async fn alarm(house: &Session, target: &Target, why: &Reason, out: &mut Output) {
    refused(why, out);
    audit(house, target, why.code).await;
}

/// Writes it to the history.
pub(super) async fn audit(house: &Session, target: &Target, outcome: ReasonCode) {
    let line = Audit {
        at: house.world.time().now(),
        who: self_at_host(),
        pid: std::process::id(),
        target: target.id(),
        action: "run".to_owned(),
        verdict: None,
        outcome: outcome.name().to_owned(),
    };
    // A history that cannot be written is no reason to go on running.
    let _ = house.world.store().audit(line).await;
}

//! Plays one case through as many processes as it takes.

use super::{
    case::{Case, Plan, TakenBack},
    judge,
    toy::{Fate, Kill, Server, Shared, Stop, Stranger, process},
};
use pairdeck::{
    clock::TokioTime,
    domain::{Action, Inputs, Op, OpPhase, Time},
    engine::{hosts::Quiet, ops},
    store::HistoryQuery,
    vault::Vault,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

pub const OLD: &str = "old-token-0123456789";

/// What became of a case.
pub struct Played {
    /// How it ended; an op that nobody remembers never happened.
    pub phase: OpPhase,
    pub ended: Option<ops::Ended>,
    /// What is still in the journal.
    pub left: Vec<Op>,
    /// Who came while the op was open, and after how many requests.
    pub came: Option<(Stranger, usize)>,
    /// How many requests there were when the operator took it back while it was open.
    pub taken_back: Option<usize>,
    /// Outcomes in the audit, oldest first.
    pub audit: Vec<String>,
    pub log: Vec<String>,
    pub killed: Vec<(String, Kill)>,
    pub struck: Vec<(String, Fate)>,
}

fn remote(case: &Case) -> Shared {
    let mut server = Server {
        password: "x".into(),
        fates: case.fates.clone(),
        of_changes: case.of_changes.clone(),
        away_after: case.away_after,
        careful: case.careful,
        ..Server::default()
    };
    for uid in ["u1", "u2"] {
        server.devices.insert(uid.into(), [(0, OLD.into()), (1, OLD.into())].into());
    }
    Arc::new(Mutex::new(server))
}

/// In memory where there is such a place: it is about what is committed in which order, not about disks, and thousands are played.
fn home() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Plays it, and judges what came of it.
pub async fn play(case: &Case) -> Played {
    let home = home();
    let vault = Vault::memory();
    let time: Arc<dyn Time> = Arc::new(TokioTime::new());
    let server = remote(case);
    let action = if case.is_wipe() { Action::Wipe } else { Action::Regenerate };
    let name = if case.plan == Plan::WipeAll { "g:u1" } else { "g:u1/1" };
    let (mut ended, mut came, mut taken_back) = (None, None, None);
    for life in 0..=case.kills.len() {
        let p = process(home.path(), &server, &vault, time.clone(), false).await;
        let cancel = CancellationToken::new();
        {
            let mut s = server.lock().unwrap();
            let sent = s.log.len();
            s.kill = case.kills.get(life).map(|(n, kill)| (sent + n, *kill));
            s.stop = match case.taken_back {
                Some(TakenBack::At(n, ms)) if n > sent => Some(Stop { at: n, later: Duration::from_millis(ms), token: cancel.clone() }),
                _ => None,
            };
            s.over = false;
        }
        let (world, action, server_here, when) = (p.world.clone(), action.clone(), server.clone(), case.taken_back);
        let task = tokio::spawn(async move {
            let ended = if life == 0 {
                let row = world.resolve(name).unwrap();
                let (armed, _) = ops::arm(&world, &row, action.clone(), Inputs::new()).await.unwrap();
                match when {
                    Some(TakenBack::Armed) => {
                        ops::disarm(&world, &armed).await;
                        // The account is free again.
                        let (again, _) = ops::arm(&world, &row, action, Inputs::new()).await.unwrap();
                        ops::disarm(&world, &again).await;
                        None
                    }
                    when => {
                        if when == Some(TakenBack::At(0, 0)) {
                            server_here.lock().unwrap().stopped = Some(0);
                            cancel.cancel();
                        }
                        Some(ops::fire(&world, &armed, &mut Quiet, &cancel).await)
                    }
                }
            } else {
                ops::resume_all(&world, |_| Box::new(Quiet), &cancel).await.pop().map(|(_, ended)| ended)
            };
            server_here.lock().unwrap().over = true;
            ended
        });
        tokio::time::sleep(Duration::from_secs(900)).await;
        let finished = task.is_finished();
        if finished {
            ended = task.await.unwrap().or(ended);
        } else {
            task.abort();
            let _ = task.await;
        }
        p.world.shut();
        drop(p);
        let mut s = server.lock().unwrap();
        taken_back = taken_back.or(s.stopped.take());
        if finished {
            break;
        }
        if let Some((_, who)) = case.stranger.filter(|(after, _)| *after == life) {
            s.taken_by(who, "u1");
            came = Some((who, s.log.len()));
        }
    }
    // The remote is well and honest from here on; the next process finishes what is left.
    {
        let mut s = server.lock().unwrap();
        (s.kill, s.away_after, s.stop) = (None, None, None);
        s.fates.clear();
        s.of_changes.clear();
    }
    let p = process(home.path(), &server, &vault, time.clone(), false).await;
    if let Some((_, now)) = ops::resume_all(&p.world, |_| Box::new(Quiet), &CancellationToken::new()).await.pop() {
        ended = Some(now);
    }
    let left = p.world.store().ops_unfinished().await.unwrap();
    let mut audit = p.world.store().history(HistoryQuery { audit: true, ..HistoryQuery::default() }).await.unwrap();
    audit.reverse();
    let phase = ended.as_ref().map_or(OpPhase::Cancelled, |e| e.phase);
    let mut s = server.lock().unwrap();
    let played = Played {
        phase,
        ended,
        left,
        came,
        taken_back,
        audit: audit.iter().filter_map(|(_, line)| judge::outcome(line)).collect(),
        log: s.log.clone(),
        killed: std::mem::take(&mut s.killed),
        struck: std::mem::take(&mut s.struck),
    };
    judge::judge(case, &played, &s);
    played
}

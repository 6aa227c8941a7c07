//! The far side of it, and how it may fail: killed callers, lost answers, lies, strangers.

use super::Toy;
use pairdeck::domain::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The far side: it outlives pairdeck's processes.
#[derive(Default)]
pub struct Server {
    /// uid → flag → token (empty: wiped).
    pub devices: BTreeMap<String, BTreeMap<u8, String>>,
    /// uid → how often it was made anew: its incarnation. Told only by a careful system.
    pub lives: BTreeMap<String, u64>,
    /// Devices that an op holds while it works on them; can be given back.
    pub holds: BTreeSet<(String, u8)>,
    /// How its provider works: see [`super::careful`]. `None`: as trusting as it can be.
    pub careful: Option<super::careful::Careful>,
    /// Every request, in order.
    pub log: Vec<String>,
    /// Numbers (from 1) of the requests that were answered with what is so.
    pub answered: Vec<usize>,
    /// The request of this number (from 1) is where the caller is killed.
    pub kill: Option<(usize, Kill)>,
    /// Where callers were killed.
    pub killed: Vec<(String, Kill)>,
    /// The request of this number is carried out, and its answer lost.
    pub lose_reply: Option<usize>,
    /// Every request after so many gets no answer and is not carried out.
    pub away_after: Option<usize>,
    /// Somebody else's token, put in after the request of this number.
    pub meddle: Option<(usize, String)>,
    pub password: String,
    /// What becomes of the request of this number, where it is not simply carried out and answered.
    pub fates: BTreeMap<usize, Fate>,
    /// The same of the request of this number among those that change something.
    pub of_changes: BTreeMap<usize, Fate>,
    /// Which of them struck what.
    pub struck: Vec<(String, Fate)>,
    /// A request that arrives once more, behind the next one.
    pub late: Option<(u8, String, String)>,
    /// When the operator takes the op back.
    pub stop: Option<Stop>,
    /// How many requests there were when that happened.
    pub stopped: Option<usize>,
    /// The op is over: nothing is left to be taken back.
    pub over: bool,
}

/// The operator's `u`, while the request of a number is on its way or a moment later.
#[derive(Clone, Debug)]
pub struct Stop {
    pub at: usize,
    pub later: Duration,
    pub token: CancellationToken,
}

/// How a request that changes something may go wrong. One that only reads is never lied to: it gets no answer instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Carried out; the answer is lost.
    Lose,
    /// Not carried out; an error comes.
    Refuse,
    /// Not carried out; it is said that it was.
    Lie,
    /// Carried out, and once more behind the next request.
    Repeat,
}

/// When the caller dies, seen from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kill {
    /// The request never arrives.
    Before,
    /// It was carried out; the answer never arrives.
    After,
}

/// What somebody else does to an account while nobody looks after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stranger {
    /// Deletes it and makes it anew: another incarnation under the same name.
    Anew,
    /// Puts a token of their own in the place of what is there.
    Token,
}

impl Stranger {
    /// The token that is theirs.
    pub fn token(self) -> &'static str {
        match self {
            Self::Anew => "newcomer-token-0123456789",
            Self::Token => "stranger-token-0123456789",
        }
    }
}

pub type Shared = Arc<Mutex<Server>>;

impl Server {
    /// What requests are about, without how they fail.
    fn copy(&self) -> Self {
        Self { devices: self.devices.clone(), lives: self.lives.clone(), holds: self.holds.clone(), ..Self::default() }
    }

    /// A stranger comes to `uid`. A request that was to arrive once more was for what stood there before.
    pub fn taken_by(&mut self, who: Stranger, uid: &str) {
        self.late = None;
        if who == Stranger::Anew {
            *self.lives.entry(uid.to_owned()).or_default() += 1;
            self.holds.retain(|(held, _)| held != uid);
        }
        for token in self.devices.get_mut(uid).unwrap().values_mut() {
            who.token().clone_into(token);
        }
    }

    /// True where the request of that number reads only.
    fn reads(&self, n: usize) -> bool {
        ["read ", "look "].iter().any(|verb| self.log[n - 1].starts_with(verb))
    }

    /// What the request of that number meets, if anything.
    fn fate(&self, n: usize) -> Option<Fate> {
        let changes = || (1..=n).filter(|n| !self.reads(*n)).count();
        self.fates.get(&n).or_else(|| self.of_changes.get(&changes()).filter(|_| !self.reads(n))).copied()
    }

    fn maybe_stop(&mut self, shared: &Shared) {
        let n = self.log.len();
        let Some(stop) = self.stop.take_if(|stop| stop.at == n) else { return };
        if stop.later.is_zero() {
            self.stopped = Some(n);
            stop.token.cancel();
            return;
        }
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            tokio::time::sleep(stop.later).await;
            let mut s = shared.lock().unwrap();
            if !s.over {
                s.stopped = Some(s.log.len());
            }
            stop.token.cancel();
        });
    }

    /// The request of that number meets its fate: what its caller hears.
    fn fated<R>(&mut self, n: usize, fate: Fate, act: impl FnOnce(&mut Self) -> R) -> Result<R, Reason> {
        let no_answer = || Err(Reason::new(ReasonCode::Slow));
        if self.reads(n) && matches!(fate, Fate::Lie | Fate::Repeat) {
            return no_answer();
        }
        self.struck.push((self.log[n - 1].clone(), fate));
        match fate {
            Fate::Refuse => Err(Reason::new(ReasonCode::ServerError)),
            Fate::Lie => Ok(act(&mut self.copy())),
            Fate::Lose => {
                act(self);
                no_answer()
            }
            Fate::Repeat => {
                let before = self.devices.clone();
                let done = act(self);
                let mut all = self.devices.iter().flat_map(|(uid, flags)| flags.iter().map(move |(f, t)| (*f, uid.clone(), t.clone())));
                self.late = all.find(|(f, uid, t)| before[uid][f] != *t);
                Ok(done)
            }
        }
    }
}

impl Toy {
    /// One request. Where the caller is to be killed it never returns; the test drops the future.
    pub async fn call<R>(&self, what: String, act: impl FnOnce(&mut Server) -> R) -> Result<R, Reason> {
        let (die, result) = {
            let mut s = self.0.lock().unwrap();
            s.log.push(what);
            let n = s.log.len();
            s.maybe_stop(&self.0);
            if s.away_after.is_some_and(|last| n > last) {
                return Err(Reason::new(ReasonCode::Unreachable));
            }
            let late = s.late.take();
            let again = |s: &mut Server| {
                if let Some((flag, uid, token)) = late {
                    set(s, &uid, flag, token);
                }
            };
            if let Some((_, kill)) = s.kill.filter(|(at, _)| *at == n) {
                let what = s.log[n - 1].clone();
                s.killed.push((what, kill));
                let done = (kill == Kill::After).then(|| act(&mut s));
                again(&mut s);
                (true, done)
            } else if let Some(fate) = s.fate(n) {
                let heard = s.fated(n, fate, act);
                again(&mut s);
                return heard;
            } else {
                let done = act(&mut s);
                again(&mut s);
                (false, Some(done))
            }
        };
        if die {
            std::future::pending::<()>().await;
        }
        let mut s = self.0.lock().unwrap();
        if let Some((at, token)) = s.meddle.clone()
            && at == s.log.len()
        {
            s.meddle = None;
            for flags in s.devices.values_mut() {
                for t in flags.values_mut() {
                    t.clone_from(&token);
                }
            }
        }
        let n = s.log.len();
        if s.lose_reply == Some(n) {
            return Err(Reason::new(ReasonCode::Slow));
        }
        s.answered.push(n);
        Ok(result.unwrap())
    }
}

pub fn set(s: &mut Server, uid: &str, flag: u8, token: String) {
    s.devices.entry(uid.to_owned()).or_default().insert(flag, token);
}

//! The far side of it, and how it may fail: killed callers, lost answers, lies.

use super::Toy;
use pairdeck::domain::*;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// The far side: it outlives pairdeck's processes.
#[derive(Default)]
pub struct Server {
    /// uid → flag → token (empty: wiped).
    pub devices: BTreeMap<String, BTreeMap<u8, String>>,
    /// Every request, in order.
    pub log: Vec<String>,
    /// The request of this number (from 1) is where the caller is killed.
    pub kill: Option<(usize, Kill)>,
    /// The request of this number is carried out, and its answer lost.
    pub lose_reply: Option<usize>,
    /// Every request after so many gets no answer and is not carried out.
    pub away_after: Option<usize>,
    /// Somebody else's token, put in after the request of this number.
    pub meddle: Option<(usize, String)>,
    pub password: String,
    /// What becomes of the request of this number, where it is not simply carried out and answered.
    pub fates: BTreeMap<usize, Fate>,
    /// A request that arrives once more, behind the next one.
    pub late: Option<(u8, String, String)>,
}

/// How a request that changes something may go wrong. One that only reads is never lied to: it gets no answer instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// The request never arrives.
    Before,
    /// It was carried out; the answer never arrives.
    After,
}

pub type Shared = Arc<Mutex<Server>>;

impl Toy {
    /// One request. Where the caller is to be killed it never returns; the test drops the future.
    pub async fn call<R>(&self, what: String, act: impl FnOnce(&mut Server) -> R) -> Result<R, Reason> {
        let (die, result) = {
            let mut s = self.0.lock().unwrap();
            s.log.push(what);
            let n = s.log.len();
            if s.away_after.is_some_and(|last| n > last) {
                return Err(Reason::new(ReasonCode::Unreachable));
            }
            if let Some(fate) = s.fates.get(&n).copied() {
                if matches!(fate, Fate::Lie | Fate::Repeat) && s.log[n - 1].starts_with("read ") {
                    return Err(Reason::new(ReasonCode::Slow));
                }
                match fate {
                    Fate::Refuse => return Err(Reason::new(ReasonCode::ServerError)),
                    Fate::Lie => {
                        let mut other = Server { devices: s.devices.clone(), ..Server::default() };
                        return Ok(act(&mut other));
                    }
                    Fate::Lose => {
                        act(&mut s);
                        return Err(Reason::new(ReasonCode::Slow));
                    }
                    Fate::Repeat => {
                        let before = s.devices.clone();
                        let done = act(&mut s);
                        s.late = s
                            .devices
                            .iter()
                            .flat_map(|(uid, flags)| flags.iter().map(move |(f, t)| (*f, uid.clone(), t.clone())))
                            .find(|(f, uid, t)| before[uid][f] != *t);
                        return Ok(done);
                    }
                }
            }
            if let Some((flag, uid, token)) = s.late.take() {
                let done = act(&mut s);
                set(&mut s, &uid, flag, token);
                return Ok(done);
            }
            match s.kill {
                Some((at, Kill::Before)) if at == n => (true, None),
                Some((at, Kill::After)) if at == n => (true, Some(act(&mut s))),
                _ => (false, Some(act(&mut s))),
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
        if s.lose_reply == Some(s.log.len()) {
            return Err(Reason::new(ReasonCode::Slow));
        }
        Ok(result.unwrap())
    }
}

pub fn set(s: &mut Server, uid: &str, flag: u8, token: String) {
    s.devices.entry(uid.to_owned()).or_default().insert(flag, token);
}

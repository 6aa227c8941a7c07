//! The same system as a careful provider works on it: it pins whom it is for, holds a device while it works on it and can give that
//! back, looks before it changes anything, and believes no answer that it can check.
//!
//! Steps of a regenerate: hold, quit (the pivot), token, verify, free. Of a wipe: hold each device, quit each (the first is the
//! pivot), find each gone.

use super::{Server, Toy, new_token, parts, set, step};
use pairdeck::domain::*;

/// How careful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Careful {
    /// It holds a device while it works on it: steps before the pivot, which are taken back.
    pub holds: bool,
    /// A step that changes something reads back what it did; otherwise a later step finds out.
    pub reads_back: bool,
    /// How its quits may be repeated.
    pub quit: Replay,
}

/// What stands there now.
struct Seen {
    life: Option<Box<str>>,
    token: String,
    held: bool,
}

/// Whose it is.
#[derive(PartialEq)]
enum Whose {
    /// What stood there when the op was armed.
    Old,
    /// Nothing, after a quit.
    Nothing,
    /// What the op made.
    New,
    Other,
}

fn old_name(flag: u8) -> String {
    format!("old:{flag}")
}

/// Tells the incarnation of `uid`, for rows and for requests.
pub fn life(s: &Server, uid: &str) -> Box<str> {
    s.lives.get(uid).copied().unwrap_or_default().to_string().into()
}

impl Toy {
    async fn seen(&self, uid: &str, flag: u8, why: &str) -> Result<Seen, Reason> {
        let read = |s: &mut Server| {
            let token = s.devices.get(uid).and_then(|d| d.get(&flag)).cloned().unwrap_or_default();
            Seen { life: Some(life(s, uid)), token, held: s.holds.contains(&(uid.to_owned(), flag)) }
        };
        self.call(format!("look {uid}/{flag} for {why}"), read).await
    }

    /// Reads all that it pins: the tokens that stand there are those that it is about.
    pub(super) async fn careful_plan(&self, how: Careful, at: &Target, action: &Action, flags: &[u8]) -> Result<Plan, Reason> {
        let uid = at.account.as_str();
        let mut sealed = Secrets::new();
        for flag in flags {
            let seen = self.seen(uid, *flag, "plan").await?;
            if at.incarnation.is_none() || seen.life != at.incarnation {
                return Err(Reason::new(ReasonCode::Foreign));
            }
            sealed.insert(old_name(*flag), Secret::new(seen.token));
        }
        let each = |verb: &str, replay| flags.iter().map(|f| step(format!("{verb}:{f}"), replay)).collect::<Vec<_>>();
        let mut steps = if how.holds { each("hold", Replay::AfterCheck) } else { vec![] };
        let pivot = steps.len();
        steps.extend(each("quit", how.quit));
        if *action == Action::Wipe {
            steps.extend(each("gone", Replay::Free));
        } else {
            sealed.insert("token".into(), super::made_up());
            steps.extend([each("token", Replay::AfterCheck), each("verify", Replay::Free)].concat());
            if how.holds {
                steps.extend(each("free", Replay::Free));
            }
        }
        Ok(Plan { v: 1, action: action.clone(), target: at.clone(), steps, pivot, loses: vec![], clear: serde_json::json!({}), sealed })
    }

    pub(super) async fn careful_check(&self, op: &Op, step: &str) -> Finding {
        let (verb, flag, uid) = parts(op, step);
        let seen = match self.seen(&uid, flag, &format!("check of {step}")).await {
            Ok(seen) => seen,
            Err(why) => return Finding::CannotTell(why),
        };
        let done = |done| if done { Finding::Done } else { Finding::NotDone };
        match (verb.as_str(), whose(op, &seen, flag)) {
            (_, Whose::Other) => Finding::Foreign(foreign()),
            ("hold", _) => done(seen.held),
            ("free", _) => done(!seen.held),
            ("quit" | "gone", whose) => done(whose == Whose::Nothing),
            (_, whose) => done(whose == Whose::New),
        }
    }

    pub(super) async fn careful_run(&self, how: Careful, op: &Op, step: &str) -> StepEnd {
        let (verb, flag, uid) = parts(op, step);
        // Whoever stands there by now: nothing is done to somebody else.
        let now = match self.seen(&uid, flag, &format!("run of {step}")).await {
            Ok(seen) => whose(op, &seen, flag),
            Err(why) => return StepEnd::Failed { why, sent: false },
        };
        let found = match (verb.as_str(), now) {
            (_, Whose::Other) => return StepEnd::Failed { why: foreign(), sent: false },
            ("gone", now) => Some(now == Whose::Nothing),
            ("verify", now) => Some(now == Whose::New),
            // The session that was to be gone lives: it is not written over.
            ("token", Whose::Old) => Some(false),
            _ => None,
        };
        match found {
            Some(true) => return StepEnd::done(),
            Some(false) => return StepEnd::Failed { why: Reason::new(ReasonCode::ServerError), sent: false },
            None => {}
        }
        let what = format!("{verb} {uid}/{flag}");
        let held = (uid.clone(), flag);
        let sent = match verb.as_str() {
            "hold" => self.call(what, |s| hold(s, held, true)).await,
            "free" => self.call(what, |s| hold(s, held, false)).await,
            "quit" => self.call(what, |s| set(s, &uid, flag, String::new())).await,
            _ => {
                let token = new_token(op);
                self.call(what, |s| set(s, &uid, flag, token)).await
            }
        };
        match sent {
            Ok(()) if how.reads_back || verb == "free" => match self.careful_check(op, step).await {
                Finding::Done => StepEnd::done(),
                // It said that it did it.
                Finding::NotDone => StepEnd::Failed { why: Reason::new(ReasonCode::ServerError), sent: true },
                Finding::Foreign(why) | Finding::CannotTell(why) => StepEnd::Failed { why, sent: true },
            },
            Ok(()) => StepEnd::done(),
            // Whoever cannot be reached has heard nothing.
            Err(why) => StepEnd::Failed { sent: why.code != ReasonCode::Unreachable, why },
        }
    }

    /// Only a hold can be given back, and only one of the account that it was put on.
    pub(super) async fn careful_back(&self, op: &Op, step: &str) -> StepEnd {
        let (_, flag, uid) = parts(op, step);
        let failed = |why| StepEnd::Failed { why, sent: true };
        let mine = |seen: &Seen| seen.life == op.target.incarnation && seen.held;
        match self.seen(&uid, flag, &format!("back of {step}")).await {
            Ok(seen) if !mine(&seen) => return StepEnd::done(),
            Ok(_) => {}
            Err(why) => return failed(why),
        }
        let held = (uid.clone(), flag);
        if let Err(why) = self.call(format!("free {uid}/{flag}"), |s| hold(s, held, false)).await {
            return failed(why);
        }
        match self.seen(&uid, flag, &format!("back of {step}")).await {
            Ok(seen) if !mine(&seen) => StepEnd::done(),
            Ok(_) => failed(Reason::new(ReasonCode::ServerError)),
            Err(why) => failed(why),
        }
    }
}

fn hold(s: &mut Server, what: (String, u8), on: bool) {
    if on {
        s.holds.insert(what)
    } else {
        s.holds.remove(&what)
    };
}

fn foreign() -> Reason {
    Reason::new(ReasonCode::Foreign)
}

fn whose(op: &Op, seen: &Seen, flag: u8) -> Whose {
    let sealed = |name: &str| op.plan.as_ref().and_then(|p| p.sealed.get(name)).map(|s| s.expose().to_owned());
    if seen.life != op.target.incarnation {
        Whose::Other
    } else if seen.token.is_empty() {
        Whose::Nothing
    } else if Some(&seen.token) == sealed("token").as_ref() {
        Whose::New
    } else if Some(&seen.token) == sealed(&old_name(flag)).as_ref() {
        Whose::Old
    } else {
        Whose::Other
    }
}

//! Pairing with an account of a business server: its login by QR, from the code to the token that it gave out.
//!
//! The token is believed when the IM server shows it on the account's flag 1, and is committed before that is asked. Who
//! scanned is compared before anything is redeemed: a login of another account is never finished.

use super::{
    api::{Api, Device},
    business::{Business, Code, LIFE, Status, WEB},
    look, watch,
};
use crate::{
    domain::{
        Answer, Clean, Fact, FactValue, Fingerprint, Fresh, Method, Offer, OfferKind, Reason, ReasonCode, Row, Secret, Secrets, Target, Ungated, Want,
    },
    i18n::wukongim as w,
    providers::{Cx, Fut, PairEvent, Pairing},
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long nothing may be heard of a server.
const PATIENCE: Duration = Duration::from_secs(60);
/// A server that answers a poll at once is asked no more often than this.
const PACE: Duration = Duration::from_secs(1);
/// How long the last look at a code that died here waits. One that nobody scanned is answered at once.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// Codes that were handed out twice before the attempt is given up.
const REPEATED: u32 = 3;
/// How often a login whose answer was lost is tried again.
const TRIES: u32 = 3;
/// Where hashes of earlier codes are kept, and how many.
const SEEN: &str = "web:codes";
const REMEMBERED: usize = 64;

/// See [`crate::providers::Provider::pair`].
///
/// # Errors
/// `NotInVersion` where the account has no such login, `BadTarget` for another flag than that of the browser.
pub(super) async fn begin(cx: &Cx, at: &Target, want: &Want) -> Result<Box<dyn Pairing>, Reason> {
    let business = Business::of(cx, at.account.as_str())?.filter(|_| want.method == Method::Qr);
    let business = business.ok_or_else(|| Reason::new(ReasonCode::NotInVersion).with("gateway", cx.gateway.as_str()))?;
    if at.device.as_ref().is_some_and(|d| d.as_str() != WEB.to_string()) {
        return Err(Reason::new(ReasonCode::BadTarget).with("what", "flag").with("why", "WEB 1"));
    }
    Ok(Box::new(Login { business, target: at.clone(), stage: Stage::Begin, out: VecDeque::new(), repeated: 0, trouble: None }))
}

enum Stage {
    /// A code is wanted.
    Begin,
    /// A code is out.
    Wait(Out),
    /// Its owner confirmed.
    Enter(Entry),
    /// The token is committed.
    Check(Secret),
    Over,
}

struct Out {
    uuid: Box<str>,
    dies: Instant,
    dead: bool,
    scanned: bool,
}

struct Entry {
    auth: Secret,
    /// The row before the login: `None` until it was read.
    before: Option<Option<Device>>,
    tries: u32,
}

struct Login {
    business: Business,
    target: Target,
    stage: Stage,
    out: VecDeque<PairEvent>,
    repeated: u32,
    /// Since when nothing works, and how often it was tried.
    trouble: Option<(Instant, u32)>,
}

impl Pairing for Login {
    fn next<'a>(&'a mut self, cx: &'a Cx, _answer: Option<Answer>) -> Fut<'a, PairEvent> {
        Box::pin(async move {
            loop {
                if let Some(event) = self.out.pop_front() {
                    return event;
                }
                if cx.cancel.is_cancelled() || matches!(self.stage, Stage::Over) {
                    return PairEvent::Failed(Reason::new(ReasonCode::Cancelled));
                }
                if matches!(self.stage, Stage::Enter(_) | Stage::Check(_)) {
                    // What changes something is never dropped half way.
                    self.step(cx).await;
                    continue;
                }
                tokio::select! {
                    () = cx.cancel.cancelled() => {}
                    () = self.step(cx) => {}
                }
            }
        })
    }

    fn end<'a>(self: Box<Self>, _cx: &'a Cx) -> Fut<'a, ()> {
        // Nothing runs on: a code dies by itself, and without us nobody redeems it.
        Box::pin(async {})
    }
}

impl Login {
    fn uid(&self) -> &str {
        self.target.account.as_str()
    }

    fn say(&mut self, event: PairEvent) {
        self.out.push_back(event);
    }

    fn fail(&mut self, why: Reason) {
        self.stage = Stage::Over;
        self.say(PairEvent::Failed(why));
    }

    async fn step(&mut self, cx: &Cx) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begin => {
                self.stage = Stage::Begin;
                self.ask(cx).await;
            }
            Stage::Wait(out) => self.wait(out).await,
            Stage::Enter(entry) => self.enter(cx, entry).await,
            Stage::Check(token) => self.check(cx, token).await,
            Stage::Over => {}
        }
    }

    /// Waits after trouble that may pass; ends the attempt for trouble that does not, or that lasts.
    async fn bear(&mut self, why: Reason) {
        let (since, tries) = self.trouble.unwrap_or((Instant::now(), 0));
        if !why.code.passes() || since.elapsed() >= PATIENCE {
            return self.fail(why);
        }
        self.trouble = Some((since, tries + 1));
        self.say(PairEvent::Waiting(why));
        sleep(PACE * (1 << tries.min(3))).await;
    }

    async fn ask(&mut self, cx: &Cx) {
        let code = match self.business.code().await {
            Ok(code) => code,
            Err(why) => return self.bear(why).await,
        };
        self.trouble = None;
        if is_known(cx, &code).await {
            // A cache in between: the server itself makes each one anew.
            self.repeated += 1;
            self.say(PairEvent::Discarded(Reason::new(ReasonCode::StaleCode)));
            if self.repeated >= REPEATED {
                return self.fail(Reason::new(ReasonCode::NotProven));
            }
            return sleep(PACE).await;
        }
        let Code { uuid, payload, sent } = code;
        let age = sent.age(&cx.time.now());
        self.say(PairEvent::Offer(Ungated::new(Offer {
            n: 0,
            kind: OfferKind::Qr,
            payload,
            issued: sent,
            dies: sent.boot_now().plus(LIFE),
            expires_at: sent.wall.plus_ms(i64::try_from(LIFE.as_millis()).unwrap_or(0)),
            fresh: Fresh::NewIdentity,
        })));
        self.stage = Stage::Wait(Out { uuid, dies: Instant::now() + LIFE.saturating_sub(age), dead: false, scanned: false });
    }

    async fn wait(&mut self, mut out: Out) {
        let began = Instant::now();
        let told = if out.dead && !out.scanned {
            // Somebody may have scanned it in its last moment: then the server keeps it for minutes.
            match timeout(LAST_LOOK, self.business.status(&out.uuid)).await {
                Ok(told) => told,
                Err(_) => self.business.status(&out.uuid).await,
            }
        } else {
            tokio::select! {
                told = self.business.status(&out.uuid) => told,
                () = sleep_until(out.dies), if !out.scanned => {
                    out.dead = true;
                    self.stage = Stage::Wait(out);
                    return self.say(PairEvent::Expired);
                }
            }
        };
        let status = match told {
            Ok(status) => status,
            Err(why) => {
                self.stage = Stage::Wait(out);
                return self.bear(why).await;
            }
        };
        self.trouble = None;
        if let Status::Scanned(uid) | Status::Granted { uid, .. } = &status {
            if uid != self.uid() {
                return self.fail(Reason::new(ReasonCode::WrongAccount).with("found", uid).with("wanted", self.uid()));
            }
            if !out.scanned {
                out.scanned = true;
                self.say(PairEvent::Scanned);
            }
        }
        match status {
            Status::Granted { auth, .. } => self.stage = Stage::Enter(Entry { auth, before: None, tries: 0 }),
            Status::Waiting if out.dead => self.stage = Stage::Begin,
            Status::Expired => {
                match (out.scanned, out.dead) {
                    (true, _) => self.say(PairEvent::Waiting(Reason::new(ReasonCode::AttemptExpired))),
                    (false, false) => self.say(PairEvent::Expired),
                    (false, true) => {}
                }
                self.stage = Stage::Begin;
            }
            Status::Waiting | Status::Scanned(_) => {
                self.stage = Stage::Wait(out);
                if self.out.is_empty() {
                    sleep(PACE.saturating_sub(began.elapsed())).await;
                }
            }
        }
    }

    /// Redeems the authorisation. Where the answer is lost, the IM server tells whether it was.
    async fn enter(&mut self, cx: &Cx, mut entry: Entry) {
        let now = match row(cx, self.uid()).await {
            Ok(now) => now,
            Err(why) => {
                self.stage = Stage::Enter(entry);
                return self.bear(why).await;
            }
        };
        self.trouble = None;
        let before = entry.before.get_or_insert_with(|| now.clone());
        let lost = entry.tries > 0 && changed(before.as_ref(), now.as_ref());
        if let Some(token) = now.and_then(|d| d.token).filter(|_| lost) {
            return self.got(token);
        }
        match self.business.login(&entry.auth).await {
            Ok((uid, _)) if uid != self.uid() => {
                self.fail(Reason::new(ReasonCode::WrongAccount).with("found", &uid).with("wanted", self.uid()));
            }
            Ok((_, token)) => self.got(token),
            Err(why) if why.code.passes() && entry.tries < TRIES => {
                entry.tries += 1;
                self.stage = Stage::Enter(entry);
                self.say(PairEvent::Waiting(why));
                sleep(PACE).await;
            }
            Err(why) => self.fail(why),
        }
    }

    fn got(&mut self, token: Secret) {
        // Under the device's own name, whichever of the two rows was chosen.
        let name = if self.target.device.is_some() { "token".to_owned() } else { format!("{WEB}/token") };
        self.say(PairEvent::Got(Secrets::from([(name, token.clone())])));
        self.stage = Stage::Check(token);
    }

    /// The token is committed: does the IM server hold it?
    async fn check(&mut self, cx: &Cx, token: Secret) {
        let seen = match Api::new(cx) {
            Ok(api) => watch::one(&api, self.uid()).await,
            Err(why) => Err(why),
        };
        let account = match seen {
            Ok(account) => account,
            Err(why) => {
                self.stage = Stage::Check(token);
                return self.bear(why).await;
            }
        };
        let device = account.rows().iter().find(|d| d.flag == WEB);
        let told = account.devices.is_some();
        match device {
            Some(d) if d.hidden || d.token.as_ref() == Some(&token) => {}
            Some(d) if d.token.is_some() => return self.fail(Reason::new(ReasonCode::TokenOverwritten)),
            _ if told => return self.fail(Reason::new(ReasonCode::OtherServer).with("gateway", cx.gateway.as_str())),
            // This version lists no devices.
            _ => {}
        }
        let mut rows = look::rows(cx, &account);
        let at = rows.iter().position(|r| r.device.as_ref().is_some_and(|d| d.as_str() == WEB.to_string())).unwrap_or(0);
        let mut row: Row = rows.swap_remove(at);
        let print = Fingerprint::of(&cx.fingerprint_key, &token);
        row.facts.insert(0, Fact { key: "token", label: &w::FACT_TOKEN, value: FactValue::Text(Clean::new(&format!("fp {print}"))) });
        self.stage = Stage::Over;
        self.say(PairEvent::Linked(Box::new(row)));
    }
}

/// The account's row of the browser's flag; `None` where there is none, or the server lists none.
async fn row(cx: &Cx, uid: &str) -> Result<Option<Device>, Reason> {
    match Api::new(cx)?.devices(uid).await {
        Ok(rows) => Ok(rows.into_iter().find(|d| d.flag == WEB)),
        Err(why) if why.code == ReasonCode::NotInVersion => Ok(None),
        Err(why) => Err(why),
    }
}

fn changed(before: Option<&Device>, now: Option<&Device>) -> bool {
    before.map(|d| d.updated_ns) != now.map(|d| d.updated_ns)
}

/// True for a code that was handed out before; notes it otherwise. Only a hash is kept.
pub(super) async fn is_known(cx: &Cx, code: &Code) -> bool {
    let mut hasher = DefaultHasher::new();
    code.uuid.hash(&mut hasher);
    let mark = format!("{:016x}", hasher.finish());
    let kept = cx.memo.get(SEEN).await;
    let mut seen: Vec<String> = kept.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    if seen.contains(&mark) {
        return true;
    }
    seen.push(mark);
    let cut = seen.len().saturating_sub(REMEMBERED);
    seen.drain(..cut);
    // A memory that cannot be kept costs a proof later, not the attempt now.
    let _ = cx.memo.put(SEEN, json!(seen)).await;
    false
}

//! The five QR flows: the server shows a code, the phone agrees, the server hands out a credential **once**. It is committed before
//! anything else happens, and then written into the bot's settings by a plan of its own.

use super::{act, api::Api, rows};
use crate::{
    domain::{Answer, Fresh, Offer, OfferKind, Payload, Reason, ReasonCode, Secret, Secrets, Target, Ungated, Wall, Want},
    providers::{Cx, Fut, PairEvent, Pairing},
};
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often the server is asked; its own page asks as often.
const ASK: Duration = Duration::from_secs(3);
/// So close to the end of a code its session may be gone already.
const NEAR: Duration = Duration::from_secs(5);
/// By so much the end of a code may be told too early: `Date` has whole seconds. The server is asked once more after it, as a phone
/// may have agreed in between.
const SHORT: Duration = Duration::from_secs(1);
/// Troubles in a row after which an attempt is given up.
const TROUBLES: u32 = 10;

/// One flow.
pub(super) struct Flow {
    /// Adapters whose settings it fills: those whose manifests have a field of the type `qr-code-login` (recording 50), the `-omni` ones
    /// with the same settings.
    adapters: &'static [&'static str],
    /// Its path.
    pub(super) path: &'static str,
    /// Fields of the credential, and the settings that they become (`QrCodeLoginDialog.tsx`, 4.11.2).
    fields: &'static [(&'static str, &'static str)],
    /// Seconds that a code lives, where the answer carries no `Date` to tell.
    life_s: u64,
}

const FLOWS: [Flow; 5] = [
    Flow { adapters: &["wecombot", "wecombot-omni"], path: "wecombot/create-bot", fields: &[("botid", "BotId"), ("secret", "Secret")], life_s: 300 },
    Flow {
        adapters: &["openclaw_weixin", "openclaw-weixin", "weixin"],
        path: "weixin/login",
        fields: &[("token", "token"), ("base_url", "base_url"), ("account_id", "account_id")],
        life_s: 180,
    },
    Flow { adapters: &["lark", "lark-omni"], path: "lark/create-app", fields: &[("app_id", "app_id"), ("app_secret", "app_secret")], life_s: 600 },
    Flow {
        adapters: &["dingtalk", "dingtalk-omni"],
        path: "dingtalk/create-app",
        fields: &[("client_id", "client_id"), ("client_secret", "client_secret")],
        life_s: 600,
    },
    Flow { adapters: &["qqofficial", "qqofficial-omni"], path: "qqofficial/bind", fields: &[("appid", "appid"), ("secret", "secret")], life_s: 300 },
];

/// The flow that fills the settings of that adapter.
pub(super) fn flow(adapter: &str) -> Option<&'static Flow> {
    FLOWS.iter().find(|f| f.adapters.contains(&adapter))
}

/// See [`crate::providers::Provider::pair`].
pub(super) async fn begin(cx: &Cx, at: &Target, _want: Want) -> Result<Box<dyn Pairing>, Reason> {
    let api = Api::new(cx)?;
    let bot = api.bot(at.account.as_str()).await?;
    let flow = flow(&bot.adapter).ok_or_else(|| Reason::new(ReasonCode::NotInVersion).raw(&*bot.adapter))?;
    if !api.is_person() {
        // Keys get a 401 there (recording 23), which would read as a refused key.
        return Err(api.wants_login());
    }
    Ok(Box::new(Running { target: at.clone(), flow, session: None, got: false, next: Instant::now(), said: false, staked: false, troubles: 0 }))
}

struct Session {
    id: String,
    dies: Instant,
}

struct Running {
    target: Target,
    flow: &'static Flow,
    session: Option<Session>,
    /// A credential was handed out; it is committed when the next event is asked for.
    got: bool,
    next: Instant,
    said: bool,
    staked: bool,
    troubles: u32,
}

impl Running {
    /// Asks for a code.
    async fn show(&mut self, cx: &Cx, api: &Api<'_>) -> PairEvent {
        let (begun, heard) = match api.qr_begin(self.flow.path).await {
            Ok(told) => told,
            Err(r) => return PairEvent::Failed(r),
        };
        let Some(payload) = Payload::qr(&begun.payload) else { return PairEvent::Failed(Reason::new(ReasonCode::Unintelligible)) };
        // Both by the server's clock: ours has no part in it.
        let left_ms = heard.date.map(|date| ((begun.expire_at * 1000.0) as i64).saturating_sub(date.0));
        let left = match left_ms {
            // `Date` has whole seconds: it may be one behind.
            Some(ms) => Duration::from_millis(u64::try_from(ms).unwrap_or(0)).saturating_sub(SHORT).min(Duration::from_secs(3600)),
            None => Duration::from_secs(self.flow.life_s),
        };
        if left.is_zero() {
            return PairEvent::Failed(Reason::new(ReasonCode::AttemptExpired));
        }
        self.session = Some(Session { id: begun.id, dies: Instant::now() + left });
        self.next = Instant::now() + ASK;
        let now = cx.time.now();
        let expires_at = Wall(now.wall.0 + i64::try_from(left.as_millis()).unwrap_or(i64::MAX / 2));
        // The session is new and ours: nobody else can have been told its code.
        let offer =
            Offer { n: 0, kind: OfferKind::Qr, payload, issued: heard.at, dies: now.boot_now().plus(left), expires_at, fresh: Fresh::NewIdentity };
        PairEvent::Offer(Ungated::new(offer))
    }

    /// What an answer about the session means; `None`: nothing new.
    fn told(&mut self, data: &Value) -> Option<PairEvent> {
        let said = data.get("error").and_then(Value::as_str).unwrap_or_default();
        match data.get("status").and_then(Value::as_str)? {
            "success" => {
                self.session = None;
                let mut found = Map::new();
                for (from, to) in self.flow.fields {
                    if let Some(v) = data.get(*from).filter(|v| v.as_str().is_some_and(|s| !s.is_empty())) {
                        found.insert((*to).to_owned(), v.clone());
                    }
                }
                if found.is_empty() {
                    return Some(PairEvent::Failed(Reason::new(ReasonCode::Unintelligible).raw("success without a credential")));
                }
                let secrets: Secrets = found.iter().filter_map(|(k, v)| Some((format!("qr/{k}"), Secret::new(v.as_str()?.to_owned())))).collect();
                self.got = true;
                Some(PairEvent::Owes(secrets, act::write_plan(&self.target, found)))
            }
            "expired" => Some(self.over()),
            // Three of the flows call an expiry an error.
            "error" if said.contains("expired") => Some(self.over()),
            "error" => {
                self.session = None;
                Some(PairEvent::Failed(Reason::new(ReasonCode::ServerRefused).raw(said)))
            }
            _ => None,
        }
    }

    fn over(&mut self) -> PairEvent {
        self.session = None;
        PairEvent::Expired
    }

    async fn step(&mut self, cx: &Cx, api: &Api<'_>) -> PairEvent {
        if std::mem::take(&mut self.got) {
            return self.linked(cx, api).await;
        }
        if self.session.is_none() {
            if !self.said {
                self.said = true;
                return PairEvent::Waiting(Reason::new(ReasonCode::Asking));
            }
            return self.show(cx, api).await;
        }
        if !self.staked {
            self.staked = true;
            return PairEvent::Staked(Reason::new(ReasonCode::CredentialLost).with("gateway", cx.gateway.as_str()));
        }
        loop {
            let Some(session) = &self.session else { return PairEvent::Expired };
            tokio::select! {
                () = cx.cancel.cancelled() => return PairEvent::Failed(Reason::new(ReasonCode::Cancelled)),
                () = sleep_until(session.dies + SHORT) => {}
                () = sleep_until(self.next) => {}
            }
            self.next = Instant::now() + ASK;
            let (id, dies) = (session.id.clone(), session.dies);
            match api.qr_state(self.flow.path, &id).await {
                Ok(data) => {
                    self.troubles = 0;
                    if let Some(event) = self.told(&data) {
                        return event;
                    }
                    if Instant::now() >= dies + SHORT {
                        // It still waits, past its end: nobody may scan a code whose credential nobody reads.
                        forget(api, self.flow, &id).await;
                        return self.over();
                    }
                }
                // Three of the flows forget a code at its end instead of calling it expired (`adapters.py`, 4.11.2).
                Err(r) if r.code == ReasonCode::Gone && Instant::now() + NEAR >= dies => return self.over(),
                // It was read by somebody, or the server was started anew: what it carried is lost.
                Err(r) if r.code == ReasonCode::Gone => return PairEvent::Failed(Reason::new(ReasonCode::ServerRestarted)),
                // Its end has come, and the server does not say what became of it.
                Err(r) if r.code.passes() && Instant::now() >= dies + SHORT => return self.over(),
                Err(r) if r.code.passes() && self.troubles < TROUBLES => self.troubles += 1,
                Err(r) => return PairEvent::Failed(r),
            }
        }
    }

    async fn linked(&self, cx: &Cx, api: &Api<'_>) -> PairEvent {
        PairEvent::Linked(Box::new(match api.bot(self.target.account.as_str()).await {
            Ok(bot) => rows::row(cx, &bot, &rows::Known::default()),
            // The credential is committed; the plan says what keeps it from being written.
            Err(_) => rows::bare(cx, &self.target),
        }))
    }
}

/// Ends a session, as far as the server answers in time.
async fn forget(api: &Api<'_>, flow: &Flow, id: &str) {
    let _ = tokio::time::timeout(Duration::from_secs(3), api.qr_end(flow.path, id)).await;
}

impl Pairing for Running {
    fn next<'a>(&'a mut self, cx: &'a Cx, _answer: Option<Answer>) -> Fut<'a, PairEvent> {
        Box::pin(async move {
            match Api::new(cx) {
                Ok(api) => self.step(cx, &api).await,
                Err(r) => PairEvent::Failed(r),
            }
        })
    }
    fn end<'a>(self: Box<Self>, cx: &'a Cx) -> Fut<'a, ()> {
        Box::pin(async move {
            let (Some(session), Ok(api)) = (self.session, Api::new(cx)) else { return };
            // Ten sessions are kept a workspace; one that is left there throws somebody else's out.
            forget(&api, self.flow, &session.id).await;
        })
    }
}

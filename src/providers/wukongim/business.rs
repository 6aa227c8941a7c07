//! The business server in front: TangSengDaoDaoServer, which owns the tokens of its accounts and has a login by QR (source
//! e977db8: `modules/user/api.go` 1393–1700, `modules/qrcode/api.go`). Read from its source, not recorded.
//!
//! Its login gives a browser session: flag 1 at level 0. It is never asked for another flag, because `?flag=N` is read and
//! then lost (`flag = config.DeviceFlag(flag)`, `api.go` 1481): it would log in on flag 0 and overwrite the phone's token.

use super::wire;
use crate::{
    clock::sample::{By, Sample},
    domain::{Payload, Reason, ReasonCode, Secret, Stamp, Time},
    providers::{
        Cx, Samples,
        http::{Answer, Call, Client, segment},
    },
    store::config::WuKongIm,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// The flag that a login by QR gives.
pub(super) const WEB: u8 = 1;
/// Life of a login code, from when the server made it (`time.Minute*1`, `api.go` 1402). The answer does not tell it.
pub(super) const LIFE: Duration = Duration::from_secs(60);
/// A poll is answered after 10 s at the latest (`api.go` 1465).
const POLL: Duration = Duration::from_secs(20);
/// Longest uuid, uid, authorisation and token that is believed.
const LONGEST: usize = 512;

/// True when a business server owns the tokens of this account.
pub(super) fn owns(settings: &WuKongIm, uid: &str) -> bool {
    settings.business_all || settings.business.iter().any(|u| u == uid)
}

/// Where the account logs in by QR: the address of its business server, if it has one.
pub(super) fn login_url<'a>(settings: &'a WuKongIm, uid: &str) -> Option<&'a str> {
    settings.business_url.as_deref().filter(|_| owns(settings, uid))
}

/// Samples of its clock. It is not the gateway's, so it is not the same `Date`: the gate holds the two against each other.
struct ItsTime(Arc<dyn Samples>);

impl Samples for ItsTime {
    fn push(&self, sample: Sample) {
        if sample.interval.is_some() {
            self.0.push(Sample { by: By::ServerTime, ..sample });
        }
    }
}

/// Calls on it. It asks for no credential before somebody has logged in.
pub(super) struct Business {
    http: Client,
    /// What is said of it in reasons.
    name: String,
    time: Arc<dyn Time>,
    samples: ItsTime,
}

/// A login code.
pub(super) struct Code {
    /// Its name on the server.
    pub(super) uuid: Box<str>,
    /// What the phone scans.
    pub(super) payload: Payload,
    /// When it was asked for: it is not older.
    pub(super) sent: Stamp,
}

/// What became of a login code.
#[derive(Debug)]
pub(super) enum Status {
    /// Nobody scanned it.
    Waiting,
    /// A phone that is logged in as this uid scanned it; its owner did not confirm yet.
    Scanned(String),
    /// Its owner confirmed.
    Granted {
        /// Who.
        uid: String,
        /// Gives the token, once.
        auth: Secret,
    },
    /// It is no more.
    Expired,
}

impl Business {
    /// The one of this account; `None` where none is configured for it.
    ///
    /// # Errors
    /// As [`Client::new`], for `business_url`.
    pub(super) fn of(cx: &Cx, uid: &str) -> Result<Option<Self>, Reason> {
        let Some(url) = login_url(&cx.settings.wukongim, uid) else { return Ok(None) };
        let name = format!("{} (business_url)", cx.gateway.as_str());
        let http = Client::new(&crate::store::config::Gateway { url: url.to_owned(), ..(*cx.settings).clone() })?;
        Ok(Some(Self { http, name, time: cx.time.clone(), samples: ItsTime(cx.samples.clone()) }))
    }

    /// One that is never asked, for tests of what it reads.
    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    pub(super) fn of_test(settings: &crate::store::config::Gateway) -> Self {
        struct Nowhere;
        impl Samples for Nowhere {
            fn push(&self, _: Sample) {}
        }
        let (http, time) = (Client::new(settings).unwrap(), Arc::new(crate::clock::ManualTime::new()));
        Self { http, name: "im (business_url)".to_owned(), time, samples: ItsTime(Arc::new(Nowhere)) }
    }

    fn reason(&self, code: ReasonCode) -> Reason {
        Reason::new(code).with("gateway", &self.name)
    }

    async fn send(&self, call: Call) -> Result<Answer, Reason> {
        self.http.send(call, &*self.time, &self.samples).await.map_err(|mut r| {
            // The client knows the gateway only, and this is another address.
            r.args.retain(|(name, _)| &**name != "gateway");
            r.with("gateway", &self.name)
        })
    }

    /// Reads an answer; refusals as `{"msg","status"}` with 400 (`wkhttp/http.go`, `ResponseError`).
    pub(super) fn read(&self, a: &Answer, hidden: Option<&Secret>) -> Result<Value, Reason> {
        let v = wire::json(&a.body);
        if a.is_ok() && !a.is_page() {
            return v.filter(Value::is_object).ok_or_else(|| self.reason(ReasonCode::Unintelligible));
        }
        let told = v.as_ref().and_then(wire::told).map(|t| a.told_without(t, hidden));
        let raw = told.as_ref().map_or_else(|| a.status.to_string(), |t| format!("{}: {t}", a.status));
        let code = match (a.status, told.as_deref()) {
            _ if a.is_page() => ReasonCode::WebPage,
            (404, _) => ReasonCode::WrongAddress,
            (429, _) => ReasonCode::RateLimited,
            (500.., _) => ReasonCode::ServerError,
            (400, Some(t)) if t.contains("封禁") => ReasonCode::Banned,
            (400, Some(t)) if t.contains("失效") || t.contains("过期") => ReasonCode::AttemptExpired,
            _ => ReasonCode::ServerRefused,
        };
        Err(self.reason(code).raw(raw))
    }

    fn text<'v>(&self, v: &'v Value, name: &str) -> Result<&'v str, Reason> {
        let text = v.get(name).and_then(Value::as_str).filter(|t| !t.is_empty() && t.len() <= LONGEST);
        text.ok_or_else(|| self.reason(ReasonCode::Unintelligible).raw(name))
    }

    /// Asks for its time and nothing else. Whatever it answers, its `Date` comes with it: older ones do not know this route.
    ///
    /// # Errors
    /// What kept an answer from coming.
    pub(super) async fn probe(&self) -> Result<(), Reason> {
        self.send(Call::get("/v1/health")).await.map(drop)
    }

    /// A new login code.
    ///
    /// # Errors
    /// `WrongAddress` where this is no such server, or what kept a code from coming.
    pub(super) async fn code(&self) -> Result<Code, Reason> {
        let a = self.send(Call::get("/v1/user/loginuuid")).await?;
        let v = self.read(&a, None)?;
        self.made(&v, a.sent)
    }

    /// Reads a new code.
    pub(super) fn made(&self, v: &Value, sent: Stamp) -> Result<Code, Reason> {
        let (uuid, qrcode) = (self.text(v, "uuid")?, self.text(v, "qrcode")?);
        let plain = uuid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        // A code that does not name its uuid would let somebody else's login through.
        let payload = Payload::qr(qrcode).filter(|_| plain && qrcode.contains(uuid));
        let payload = payload.ok_or_else(|| self.reason(ReasonCode::Unintelligible).raw("qrcode"))?;
        Ok(Code { uuid: uuid.into(), payload, sent })
    }

    /// What became of a code; answered when something happens, or after 10 s with what was so when the question came.
    ///
    /// # Errors
    /// What kept it from being told.
    pub(super) async fn status(&self, uuid: &str) -> Result<Status, Reason> {
        let v = self.read(&self.send(Call::get("/v1/user/loginstatus").query("uuid", uuid).within(POLL)).await?, None)?;
        self.became(&v)
    }

    /// Reads what became of a code.
    pub(super) fn became(&self, v: &Value) -> Result<Status, Reason> {
        match self.text(v, "status")? {
            "waitScan" => Ok(Status::Waiting),
            "scanned" => Ok(Status::Scanned(self.text(v, "uid")?.to_owned())),
            "authed" => Ok(Status::Granted { uid: self.text(v, "uid")?.to_owned(), auth: Secret::new(self.text(v, "auth_code")?.to_owned()) }),
            "expired" => Ok(Status::Expired),
            other => Err(self.reason(ReasonCode::Unintelligible).raw(other)),
        }
    }

    /// Redeems an authorisation: the uid that is logged in, and its token. The server has given the token to the IM server by
    /// then.
    ///
    /// # Errors
    /// `AttemptExpired` for one that is used up or too old, `Banned`, or what kept it from being told: then it may have been
    /// redeemed all the same.
    pub(super) async fn login(&self, auth: &Secret) -> Result<(String, Secret), Reason> {
        let a = self.send(Call::post(format!("/v1/user/login_authcode/{}", segment(auth.expose())))).await?;
        let v = self.read(&a, Some(auth))?;
        Ok((self.text(&v, "uid")?.to_owned(), Secret::new(self.text(&v, "token")?.to_owned())))
    }
}

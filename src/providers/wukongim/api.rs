//! Typed calls. Success is judged by the `status` inside the body, never by HTTP's alone; failures are told by content.
//!
//! Calls go the v2 way; where a route is not there the generation of the server is found out, and the v3 way is taken or the
//! call says that this version cannot.

pub(super) use super::version::Version;
pub(super) use super::wire::{Conn, Device, Online, Page};
use super::{auth::Auth, version, wire};
use crate::{
    domain::{Reason, ReasonCode, Secret},
    providers::{
        Cx,
        http::{Answer, CAP_LIST, Call, MOST_ITEMS, segment},
    },
};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio::sync::OnceCell;

/// Most uids of one batch.
pub(super) const BATCH: usize = 1_000;
/// Rows asked for at once.
const PAGE: usize = 1_000;
/// The device list of one uid repeats each row eight times before it cuts (§3.6 bug A): so many devices are surely whole.
const SURE: usize = PAGE / 8;

/// Calls on one gateway.
pub(super) struct Api<'a> {
    cx: &'a Cx,
    auth: Auth,
    version: OnceCell<Version>,
}

impl Api<'_> {
    /// Takes what it needs of a context. No credential at all is fine: the server may ask for none.
    ///
    /// # Errors
    /// A `manager_url` that cannot be used.
    pub(super) fn new(cx: &Cx) -> Result<Api<'_>, Reason> {
        Ok(Api { cx, auth: Auth::new(cx)?, version: OnceCell::new() })
    }

    /// How requests are authenticated.
    pub(super) fn auth(&self) -> &Auth {
        &self.auth
    }

    fn reason(&self, code: ReasonCode) -> Reason {
        Reason::new(code).with("gateway", self.cx.gateway.as_str())
    }

    /// True once a v3 was found to answer.
    pub(super) fn is_v3(&self) -> bool {
        self.version.get() == Some(&Version::V3)
    }

    /// Which generation answers; asked once.
    ///
    /// # Errors
    /// `WrongAddress` when it is none, or what kept it from being told.
    pub(super) async fn version(&self) -> Result<Version, Reason> {
        let found = self.version.get_or_try_init(async || match self.good(self.either(|| Call::get("/varz")).await?) {
            Ok(a) => version::of_varz(&a.body).ok_or_else(|| self.reason(ReasonCode::WrongAddress)),
            Err(r) if r.code == ReasonCode::NotFound => {
                let healthz = self.auth.api(self.cx, Call::get("/healthz")).await?;
                let ok = healthz.is_ok() && wire::json(&healthz.body).is_some_and(|v| v.get("status").is_some());
                if ok { Ok(Version::V3) } else { Err(Reason { code: ReasonCode::WrongAddress, ..r }) }
            }
            Err(r) => Err(r),
        });
        found.await.cloned()
    }

    /// What both ports offer in v2: sent to where there is a credential.
    async fn either(&self, call: impl Fn() -> Call) -> Result<Answer, Reason> {
        if self.auth.by_login() { self.auth.managing(self.cx, call).await } else { self.auth.api(self.cx, call()).await }
    }

    /// Turns every status that is no success into a reason.
    fn good(&self, a: Answer) -> Result<Answer, Reason> {
        if a.is_ok() && !a.is_page() { Ok(a) } else { Err(self.refused(&a, None)) }
    }

    /// `kept`: a secret that was in the body and that no text may repeat.
    fn refused(&self, a: &Answer, kept: Option<&Secret>) -> Reason {
        let v = wire::json(&a.body);
        let told = v.as_ref().and_then(wire::told).map(|t| a.told_without(t, kept));
        let raw = told.as_ref().map_or_else(|| a.status.to_string(), |t| format!("{}: {t}", a.status));
        let code = match a.status {
            401 if self.auth.token.is_none() && !self.auth.by_login() => ReasonCode::CredentialMissing,
            401 | 403 => ReasonCode::CredentialRefused,
            _ if a.is_page() => ReasonCode::WebPage,
            404 if v.is_some() => ReasonCode::Gone,
            404 => ReasonCode::NotFound,
            429 | 500.. => return a.trouble(&self.cx.gateway).unwrap_or_else(|| self.reason(ReasonCode::ServerError)).raw(raw),
            400 if told.as_deref().is_some_and(is_peer) => ReasonCode::ClusterPeer,
            400 if told.as_deref().is_some_and(|t| t.contains("uid") || t.contains("cannot unmarshal")) => ReasonCode::BadTarget,
            _ => ReasonCode::ServerRefused,
        };
        self.reason(code).raw(raw)
    }

    /// A change: posted to the API port, judged by the status in its body.
    async fn change(&self, path: &str, body: Value, kept: Option<&Secret>) -> Result<(), Reason> {
        let a = self.auth.api(self.cx, Call::post(path).json(body)).await?;
        self.done(&a, kept)
    }

    fn done(&self, a: &Answer, kept: Option<&Secret>) -> Result<(), Reason> {
        if !a.is_ok() || a.is_page() {
            return Err(self.refused(a, kept));
        }
        match wire::json(&a.body).as_ref().and_then(wire::status) {
            Some(200) => Ok(()),
            Some(19) => Err(self.reason(ReasonCode::Banned).raw("19")),
            Some(n) => Err(self.reason(ReasonCode::ServerRefused).raw(format!("status {n}"))),
            None => Err(self.reason(ReasonCode::Unintelligible)),
        }
    }

    async fn read<T: Send + 'static>(&self, a: Answer, how: fn(&[u8]) -> Option<T>) -> Result<T, Reason> {
        self.good(a)?.decode(how).await.map_err(|r| r.with("gateway", self.cx.gateway.as_str()))
    }

    /// After a route was not there: `Ok` when it is a v3, which has another way; else why it cannot be done.
    async fn elsewhere(&self, r: Reason) -> Result<(), Reason> {
        match self.version().await? {
            Version::V3 => Ok(()),
            v => Err(self.lacks(&v, r.raw.as_ref().map_or("", |t| t.as_str()))),
        }
    }

    fn lacks(&self, v: &Version, what: &str) -> Reason {
        self.reason(ReasonCode::NotInVersion).raw(format!("{} {what}", v.shown()).trim())
    }

    /// Live connections of these accounts, whoever of them is online; one entry a connection.
    ///
    /// # Errors
    /// `ClusterPeer` for a 400: the question itself is always well-formed, so a node of the cluster failed.
    pub(super) async fn online(&self, uids: &[&str]) -> Result<Vec<Online>, Reason> {
        let mut all = Vec::new();
        for batch in uids.chunks(BATCH) {
            all.extend(self.online_if_new(batch, &mut None).await?.unwrap_or_default());
        }
        Ok(all)
    }

    /// As [`Self::online`] for one batch, unless the answer is byte for byte the one whose hash is `last`.
    pub(super) async fn online_if_new(&self, batch: &[&str], last: &mut Option<u64>) -> Result<Option<Vec<Online>>, Reason> {
        if batch.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let a = self.auth.api(self.cx, Call::post("/user/onlinestatus").json(json!(batch))).await?;
        if a.status == 400 {
            return Err(Reason { code: ReasonCode::ClusterPeer, ..self.refused(&a, None) });
        }
        let mut hasher = DefaultHasher::new();
        a.body.hash(&mut hasher);
        let now = hasher.finish();
        if a.is_ok() && *last == Some(now) {
            return Ok(None);
        }
        let list = self.read(a, wire::online).await?;
        *last = Some(now);
        Ok(Some(list))
    }

    /// All devices of one account, also those with an empty token.
    ///
    /// # Errors
    /// `NotInVersion` on v1, or what kept them from being told.
    pub(super) async fn devices(&self, uid: &str) -> Result<Vec<Device>, Reason> {
        if !self.is_v3() {
            match self.devices_v2(uid, PAGE).await {
                // Beyond that the list may have been cut without a word.
                Ok(rows) if rows.len() >= SURE => return self.devices_v2(uid, PAGE * 4).await,
                Err(r) if r.code == ReasonCode::NotFound => self.elsewhere(r).await?,
                told => return told,
            }
        }
        Ok(self.user_v3(uid).await?.0)
    }

    async fn devices_v2(&self, uid: &str, limit: usize) -> Result<Vec<Device>, Reason> {
        let call = || Call::get("/cluster/devices").query("uid", uid).query("limit", limit.to_string());
        let mut rows = self.read(self.either(call).await?, wire::devices).await?.rows;
        rows.retain(|d| d.uid == uid);
        rows.sort_by_key(|d| (d.flag, std::cmp::Reverse(d.updated_ns)));
        rows.dedup_by_key(|d| d.flag);
        Ok(rows)
    }

    async fn user_v3(&self, uid: &str) -> Result<(Vec<Device>, Vec<Conn>), Reason> {
        let a = self.auth.managing(self.cx, || Call::get(format!("/manager/users/{}", segment(uid)))).await?;
        match self.read(a, wire::user_v3).await {
            // The user is not there, which is no error of the question.
            Err(r) if r.code == ReasonCode::Gone => Ok((Vec::new(), Vec::new())),
            told => told,
        }
    }

    /// Devices of all accounts, newest first, before an instant in ns.
    ///
    /// # Errors
    /// `NotInVersion` on v1 and v3.
    pub(super) async fn devices_page(&self, before_created_ns: Option<i64>) -> Result<Page<Device>, Reason> {
        let call = || {
            let c = Call::get("/cluster/devices").query("limit", PAGE.to_string()).cap(CAP_LIST);
            if let Some(ns) = before_created_ns { c.query("offset_created_at", ns.to_string()) } else { c }
        };
        match self.read(self.either(call).await?, wire::devices).await {
            Err(r) if r.code == ReasonCode::NotFound => Err(self.lacks(&self.version().await?, "/cluster/devices")),
            told => told,
        }
    }

    /// Every account that the server knows: those that were issued a token at some time.
    ///
    /// # Errors
    /// `NotInVersion` on v1, or what kept them from being told.
    pub(super) async fn users(&self) -> Result<Vec<String>, Reason> {
        let (mut all, mut last, mut cursor) = (Vec::new(), None::<i64>, None::<String>);
        while all.len() < MOST_ITEMS {
            let v3 = self.is_v3();
            let page = if v3 {
                self.users_v3(cursor.as_deref()).await?
            } else {
                match self.users_v2(last).await {
                    Err(r) if r.code == ReasonCode::NotFound => {
                        self.elsewhere(r).await?;
                        continue;
                    }
                    told => told?,
                }
            };
            all.extend(page.rows);
            let on = if v3 { page.cursor.is_some() && page.cursor != cursor } else { page.last.is_some() && page.last != last };
            (last, cursor) = (page.last, page.cursor);
            if !page.more || !on {
                break;
            }
        }
        all.truncate(MOST_ITEMS);
        Ok(all)
    }

    async fn users_v2(&self, before: Option<i64>) -> Result<Page<String>, Reason> {
        let call = || {
            let c = Call::get("/cluster/users").query("limit", PAGE.to_string());
            if let Some(ns) = before { c.query("offset_created_at", ns.to_string()) } else { c }
        };
        self.read(self.either(call).await?, wire::users).await
    }

    async fn users_v3(&self, cursor: Option<&str>) -> Result<Page<String>, Reason> {
        let call = || {
            let c = Call::get("/manager/users").query("limit", "100");
            if let Some(at) = cursor { c.query("cursor", at) } else { c }
        };
        self.read(self.auth.managing(self.cx, call).await?, wire::users).await
    }

    /// Connections of exactly this account: the server itself matches a part of the uid, and counts others in its `total`.
    /// In a cluster: those that the asked node knows.
    ///
    /// # Errors
    /// What kept them from being told.
    pub(super) async fn conns(&self, uid: &str) -> Result<Vec<Conn>, Reason> {
        let mut all = Vec::new();
        let mut offset = 0;
        while !self.is_v3() && offset < MOST_ITEMS {
            let call = || {
                let page = Call::get("/connz").query("uid", uid).query("limit", PAGE.to_string()).query("sort", "id");
                if offset > 0 { page.query("offset", offset.to_string()) } else { page }
            };
            match self.read(self.either(call).await?, wire::conns).await {
                Ok((rows, sent)) => {
                    all.extend(rows.into_iter().filter(|c| c.uid == uid));
                    offset += PAGE;
                    // v1 sends everything at once, whatever the limit.
                    if sent != PAGE {
                        return Ok(all);
                    }
                }
                Err(r) if r.code == ReasonCode::NotFound => self.elsewhere(r).await?,
                Err(r) => return Err(r),
            }
        }
        if self.is_v3() { Ok(self.user_v3(uid).await?.1) } else { Ok(all) }
    }

    /// The newest connections of the asked node, the newest first: which client logged in, and from where.
    ///
    /// # Errors
    /// What kept them from being told.
    pub(super) async fn newest_conns(&self, limit: u32) -> Result<Vec<Conn>, Reason> {
        if !self.is_v3() {
            let call = || Call::get("/connz").query("sort", "idDesc").query("limit", limit.to_string());
            match self.read(self.either(call).await?, wire::conns).await {
                Err(r) if r.code == ReasonCode::NotFound => self.elsewhere(r).await?,
                told => {
                    return told.map(|(mut rows, _)| {
                        rows.sort_by_key(|c| std::cmp::Reverse(c.id));
                        rows
                    });
                }
            }
        }
        let call = || Call::get("/manager/connections").query("limit", limit.min(100).to_string());
        let (mut rows, _) = self.read(self.auth.managing(self.cx, call).await?, wire::conns_v3).await?;
        rows.sort_by_key(|c| std::cmp::Reverse(c.id));
        Ok(rows)
    }

    /// Writes a token and a level. At level 1 the server also asks every session of that flag to leave.
    ///
    /// # Errors
    /// `Banned` for a 200 that says 19, `BadTarget`, or what kept it from being done.
    pub(super) async fn set_token(&self, uid: &str, token: &Secret, flag: u8, level: u8) -> Result<(), Reason> {
        let body = json!({ "uid": uid, "token": token.expose(), "device_flag": flag, "device_level": level });
        self.change("/user/token", body, Some(token)).await
    }

    /// Empties the token of one flag, sets its level to 1 and asks its sessions to leave. The server says success whatever
    /// happened: read back.
    ///
    /// # Errors
    /// `BadTarget` for an empty uid, which would make the server panic.
    pub(super) async fn quit(&self, uid: &str, flag: u8) -> Result<(), Reason> {
        if uid.is_empty() {
            return Err(self.reason(ReasonCode::BadTarget));
        }
        self.change("/user/device_quit", json!({ "uid": uid, "device_flag": flag }), None).await
    }

    /// Asks one connection to leave; its token stays. An unknown one is a success too.
    ///
    /// # Errors
    /// `NotInVersion` before 2.1.1 and on v3, where a kick empties the token.
    pub(super) async fn kick(&self, conn: &Conn) -> Result<(), Reason> {
        let mut body = json!({ "uid": conn.uid, "conn_id": conn.id });
        // The leader of the uid's slot knows all of its connections; without it another node would quietly do nothing.
        let op = if conn.leader_id == 0 { conn.node_id } else { conn.leader_id };
        for (name, id) in [("node_id", conn.node_id), ("op_node_id", op)] {
            if id != 0 {
                body[name] = json!(id);
            }
        }
        let a = self.either(|| Call::post("/conn/kick").json(body.clone())).await?;
        match self.done(&a, None) {
            Err(r) if r.code == ReasonCode::NotFound => Err(self.lacks(&self.version().await?, "/conn/kick")),
            done => done,
        }
    }

    /// Forbids the account to send, or allows it again. Overwrites what else its own channel had, such as a ban.
    ///
    /// # Errors
    /// What kept it from being done.
    pub(super) async fn send_ban(&self, uid: &str, on: bool) -> Result<(), Reason> {
        let body = json!({ "channel_id": uid, "channel_type": 1, "send_ban": u8::from(on) });
        self.change("/channel/info", body, None).await
    }

    /// Accounts that the server holds for system accounts.
    ///
    /// # Errors
    /// What kept them from being told.
    pub(super) async fn system_uids(&self) -> Result<Vec<String>, Reason> {
        let a = self.auth.api(self.cx, Call::get("/user/systemuids")).await?;
        self.read(a, wire::system_uids).await
    }

    /// The cheapest call that proves the credential.
    ///
    /// # Errors
    /// Why it does not work.
    pub(super) async fn health(&self) -> Result<(), Reason> {
        if self.auth.by_login() {
            return self.version().await.map(|_| ());
        }
        match self.good(self.auth.api(self.cx, Call::get("/health")).await?) {
            Ok(_) => Ok(()),
            Err(r) if r.code == ReasonCode::NotFound => self.version().await.map(|_| ()),
            Err(r) => Err(r),
        }
    }
}

/// True for what the server says when a node of its cluster is missing (recordings connz_node_unknown and
/// conn_kick_unknown_node, and the texts of a failed forward).
fn is_peer(text: &str) -> bool {
    ["节点", "node not found", "connection refused", "i/o timeout", "领导", "dial tcp", "deadline exceeded", "no leader"]
        .iter()
        .any(|t| text.contains(t))
}

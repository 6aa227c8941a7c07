//! The business server in front of the IM server: a TangSengDaoDaoServer with its login by QR, as its source has it
//! (e977db8: `modules/user/api.go` 1393–1700, `modules/qrcode/api.go`, `modules/common/api.go` 62; `wkhttp/http.go` of its
//! library). It was read, not run.
//!
//! Quirks kept: a code lives 60 s in Redis and 5 min more once scanned; a poll hears of a change only while it waits, else it
//! says after 10 s what was so when it began; of two polls for one code the later one listens, and the first to end takes the
//! listener away; `?flag=2` is read and then replaced by 0, so that it logs in on the phone's flag; a token that was given
//! out once for a flag is given out again, whatever became of it on the IM server.

use super::{Inner, Wukong, reply::Reply};
use crate::sandbox::json::{Json, map};
use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// Codes and authorisations kept at most: a sandbox is bounded.
const MOST: usize = 10_000;
/// Life of a code that nobody scanned.
const LIFE: Duration = Duration::from_secs(60);
/// Life of its state once it was scanned, and again once it was granted.
const SCANNED: Duration = Duration::from_secs(300);
/// Life of an authorisation.
const AUTH: Duration = Duration::from_secs(600);
/// How long a poll waits.
const POLL: Duration = Duration::from_secs(10);
/// `config.Web`.
const WEB: u8 = 1;
/// Where a scanned code leads (`QRCodeInfoURL`).
const QR_PATH: &str = "/v1/qrcode/";

/// What the business server keeps in Redis, and the polls that wait.
#[derive(Debug, Default)]
pub(crate) struct Business {
    /// `QRCodeCachePrefix + uuid`.
    codes: HashMap<String, Code>,
    /// `AuthCodeCachePrefix + auth_code`.
    auths: HashMap<String, Auth>,
    /// `TokenCachePrefix + token`: the uid that is logged in with it.
    sessions: HashMap<String, String>,
    /// `UIDTokenCachePrefix + flag + uid`: the token of the last login.
    cached: HashMap<(u8, String), String>,
    waiting: HashMap<String, oneshot::Sender<Json>>,
    newest: Option<String>,
}

#[derive(Clone, Debug)]
struct Code {
    data: Json,
    dies: Instant,
}

#[derive(Debug)]
struct Auth {
    scanner: String,
    uuid: String,
    dies: Instant,
}

impl Business {
    /// Notes a login: the token is the session of the app's own API too.
    pub(crate) fn keep(&mut self, uid: &str, flag: u8, token: &str) {
        self.sessions.insert(token.to_owned(), uid.to_owned());
        self.cached.insert((flag, uid.to_owned()), token.to_owned());
    }

    fn code(&self, uuid: &str) -> Option<&Code> {
        self.codes.get(uuid).filter(|c| c.dies > Instant::now())
    }

    /// Writes a new state of a code, and tells the poll that waits for it.
    fn put(&mut self, uuid: &str, data: Json, life: Duration) {
        let now = Instant::now();
        self.codes.retain(|_, c| c.dies > now);
        if self.codes.len() < MOST {
            self.codes.insert(uuid.to_owned(), Code { data: data.clone(), dies: now + life });
        }
        if let Some(tx) = self.waiting.remove(uuid) {
            let _ = tx.send(data);
        }
    }
}

fn refused(msg: &str) -> Reply {
    Reply::error(msg)
}

fn unauthorized(msg: &str) -> Reply {
    Reply::json(401, &map! { "msg" => msg })
}

impl Inner {
    pub(crate) fn business(&self) -> MutexGuard<'_, Business> {
        self.business.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `External.BaseURL`.
    fn base_url(&self) -> String {
        format!("http://{}", self.business_at.get().map_or("127.0.0.1:8090", String::as_str))
    }

    /// Answers one request to the business server. `token` is the header of that name.
    pub(crate) async fn business_answer(
        self: &Arc<Self>,
        method: &str,
        path: &str,
        token: &str,
        query: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Reply {
        let given = |name: &str| query(name).unwrap_or_default();
        match (method, path) {
            ("GET", "/v1/health") => Reply::json(200, &map! { "db" => "up", "redis" => "up", "status" => "up" }),
            ("GET", "/v1/user/loginuuid") => self.login_uuid(&given("pub_key")),
            ("GET", "/v1/user/loginstatus") => {
                let uuid = given("uuid");
                self.login_status(&uuid).await
            }
            ("GET", "/v1/user/grant_login") => match self.session(token) {
                Ok(uid) => self.grant(&uid, &given("auth_code")).map_or_else(|m| refused(&m), |()| Reply::ok()),
                Err(no) => no,
            },
            ("GET", p) if p.starts_with(QR_PATH) => match self.session(token) {
                Ok(uid) => self.scanned(&uid, &p[QR_PATH.len()..]).map_or_else(
                    |m| refused(&m),
                    |auth| {
                        let data = map! { "auth_code" => auth, "pub_key" => "" };
                        Reply::json(200, &map! { "forward" => "native", "type" => "loginConfirm", "data" => data })
                    },
                ),
                Err(no) => no,
            },
            ("POST", p) => match p.strip_prefix("/v1/user/login_authcode/") {
                Some(code) if !code.is_empty() && !code.contains('/') => self.login_auth(code, &given("flag")),
                _ => Reply::not_found(),
            },
            _ => Reply::not_found(),
        }
    }

    /// Who is logged in with that token (`AuthMiddleware`).
    fn session(&self, token: &str) -> Result<String, Reply> {
        if token.is_empty() {
            return Err(unauthorized("token不能为空，请先登录！"));
        }
        self.business().sessions.get(token).cloned().ok_or_else(|| unauthorized("请先登录！"))
    }

    /// An id as `util.GenerUUID` makes it: 32 digits, no dashes.
    fn made_id(&self) -> String {
        self.lock().chance.uuid().replace('-', "")
    }

    fn login_uuid(self: &Arc<Self>, pub_key: &str) -> Reply {
        let uuid = self.made_id();
        let data = map! { "app_id" => "wukongchat", "pub_key" => pub_key, "status" => "waitScan" };
        let mut business = self.business();
        business.put(&uuid, data, LIFE);
        business.newest = Some(uuid.clone());
        drop(business);
        let qrcode = format!("{}{QR_PATH}{uuid}", self.base_url());
        if let Some((after, uid)) = self.settings.web_scan.clone() {
            let (inner, code) = (Arc::clone(self), uuid.clone());
            self.spawn(async move {
                tokio::time::sleep(after).await;
                // A phone that comes too late is told so, and nobody else.
                if let Ok(auth) = inner.scanned(&uid, &code) {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    let _ = inner.grant(&uid, &auth);
                }
            });
        }
        Reply::json(200, &map! { "qrcode" => qrcode, "uuid" => uuid })
    }

    async fn login_status(&self, uuid: &str) -> Reply {
        let (before, heard) = {
            let mut business = self.business();
            let Some(code) = business.code(uuid) else { return Reply::json(200, &map! { "status" => "expired" }) };
            let before = code.data.clone();
            let (tx, rx) = oneshot::channel();
            business.waiting.insert(uuid.to_owned(), tx);
            (before, rx)
        };
        let told = tokio::time::timeout(POLL, async {
            match heard.await {
                Ok(data) => data,
                // Another poll took the place: nothing will be heard here any more.
                Err(_) => std::future::pending().await,
            }
        });
        let told = told.await;
        self.business().waiting.remove(uuid);
        Reply::json(200, &told.unwrap_or(before))
    }

    /// A phone that is logged in as `uid` opens a code.
    ///
    /// # Errors
    /// The server's message.
    fn scanned(&self, uid: &str, uuid: &str) -> Result<String, String> {
        let auth = self.made_id();
        let mut business = self.business();
        if business.code(uuid).is_none() {
            return Err("二维码或已过期！".to_owned());
        }
        let now = Instant::now();
        business.auths.retain(|_, a| a.dies > now);
        if business.auths.len() < MOST {
            business.auths.insert(auth.clone(), Auth { scanner: uid.to_owned(), uuid: uuid.to_owned(), dies: now + AUTH });
        }
        business.put(uuid, map! { "app_id" => "wukongchat", "status" => "scanned", "uid" => uid }, SCANNED);
        Ok(auth)
    }

    /// Its owner confirms.
    ///
    /// # Errors
    /// The server's message.
    fn grant(&self, uid: &str, auth: &str) -> Result<(), String> {
        if auth.is_empty() {
            return Err("授权码不能为空！".to_owned());
        }
        let mut business = self.business();
        let Some(a) = business.auths.get(auth).filter(|a| a.dies > Instant::now()) else { return Err("授权码失效或不存在！".to_owned()) };
        if a.scanner != uid {
            return Err("扫描者与授权者不是同一个用户！".to_owned());
        }
        let uuid = a.uuid.clone();
        let data = map! { "app_id" => "wukongchat", "auth_code" => auth, "encrypt" => "", "status" => "authed", "uid" => uid };
        business.put(&uuid, data, SCANNED);
        Ok(())
    }

    fn login_auth(self: &Arc<Self>, auth: &str, flag: &str) -> Reply {
        // `flag = config.DeviceFlag(flag)` assigns itself, which is 0.
        let flag = if flag.parse::<i64>().unwrap_or(0) == 0 { WEB } else { 0 };
        let (uid, token) = {
            let business = self.business();
            let Some(a) = business.auths.get(auth).filter(|a| a.dies > Instant::now()) else { return refused("授权码失效或不存在！") };
            (a.scanner.clone(), business.cached.get(&(flag, a.scanner.clone())).cloned())
        };
        let token = token.unwrap_or_else(|| self.made_id());
        if !self.settings.business_elsewhere
            && let Err(no) = self.issue(&uid, &token, flag, 0)
        {
            return refused(if no.status == 200 { "此账号已经被封禁！" } else { "更新IM的token失败！" });
        }
        let mut business = self.business();
        business.auths.remove(auth);
        business.keep(&uid, flag, &token);
        drop(business);
        Reply::json(
            200,
            &map! {
                "app_id" => "wukongchat", "avatar" => format!("users/{uid}/avatar"), "im_pub_key" => "", "name" => &*uid, "short_no" => "",
                "token" => token, "uid" => &*uid, "username" => "",
            },
        )
    }
}

impl Wukong {
    /// The business server's address, if there is one.
    pub fn business_url(&self) -> Option<String> {
        self.inner.business_at.get().map(|_| self.inner.base_url())
    }

    /// The phone of `uid` scans a code (the newest one without `payload`), and its owner confirms if `confirm`.
    ///
    /// # Errors
    /// Why the phone would not, in the server's words where it is the server that refuses.
    pub fn web_scan(&self, uid: &str, payload: Option<&str>, confirm: bool) -> Result<(), String> {
        let business = self.inner.business();
        let phone = business.cached.contains_key(&(0, uid.to_owned()));
        let code = match payload {
            Some(text) => text.strip_prefix(&self.inner.base_url()).and_then(|t| t.strip_prefix(QR_PATH)).map(str::to_owned),
            None => business.newest.clone(),
        };
        drop(business);
        if !phone {
            return Err("the phone of this uid is not logged in to the business server".to_owned());
        }
        let auth = self.inner.scanned(uid, &code.ok_or("this is no login code of this server")?)?;
        if confirm { self.inner.grant(uid, &auth) } else { Ok(()) }
    }

    /// The owner of a code that was scanned confirms at last.
    ///
    /// # Errors
    /// The server's words, or that nothing was scanned.
    pub fn web_confirm(&self, uid: &str) -> Result<(), String> {
        let auth = self.inner.business().auths.iter().find(|(_, a)| a.scanner == uid).map(|(code, _)| code.clone());
        self.inner.grant(uid, &auth.ok_or("nothing was scanned by this uid")?)
    }

    /// A code dies now, as its 60 s were over.
    pub fn web_expire(&self) {
        let mut business = self.inner.business();
        if let Some(uuid) = business.newest.clone() {
            business.codes.remove(&uuid);
        }
    }

    /// The business server's own clock, so many seconds ahead of the IM server's; `None`: the same clock.
    pub fn business_skew(&self, seconds: Option<i64>) {
        self.inner.knobs().business_skew_ms = seconds.map(|s| s * 1000);
    }
}

//! `send_message`, and what the `wecom` adapter does for it (`libs/wecom_api/api.py`): one token in memory, no expiry, no lock,
//! one more fetch after 40014 or 42001.

use super::{Inner, bots::truthy, reply::Reply, settings::FarSide};
use crate::sandbox::json::{Json, map};
use serde_json::{Value, json};

/// Something was raised; the answer never says what.
struct Raised;

/// What the sandbox sends of a message chain.
enum Part {
    /// Words.
    Text(String),
    /// A picture; what it shows makes no difference here.
    Image,
}

/// What parts an upload (`libs/wecom_api/api.py`).
const BOUNDARY: &str = "-------------------------acebdf13572468";

/// One call of the `wecom` adapter.
struct Sender<'a> {
    inner: &'a Inner,
    uuid: &'a str,
    life: u64,
    base: Option<String>,
    far: FarSide,
    corpid: String,
    secret: String,
}

impl Inner {
    /// Sends a message of a bot. A failure of any kind is the same 500 (recordings 21, 42).
    pub(crate) async fn send(&self, uuid: &str, body: &Value) -> Reply {
        let Some(given) = body.as_object() else { return Reply::internal(self) };
        let bad = |msg: &str| Reply::fail(400, -1, msg);
        for field in ["target_type", "target_id", "message_chain"] {
            if !given.get(field).is_some_and(truthy) {
                return bad(&format!("{field} is required"));
            }
        }
        let kind = given.get("target_type").and_then(Value::as_str).unwrap_or_default();
        if !["person", "group"].contains(&kind) {
            return bad("target_type must be either \"person\" or \"group\"");
        }
        let target = match given.get("target_id") {
            Some(Value::String(s)) => s.clone(),
            other => other.map(Value::to_string).unwrap_or_default(),
        };
        if self.lock().bot(uuid).is_none() {
            return Reply::not_found();
        }
        let parts = parts(given.get("message_chain"));
        let done = match parts {
            Some(parts) => self.through(uuid, kind, &target, &parts).await,
            None => Err(Raised),
        };
        match done {
            Ok(()) => Reply::ok(json!({ "sent": true })),
            Err(Raised) => Reply::internal(self),
        }
    }

    async fn through(&self, uuid: &str, kind: &str, target: &str, parts: &[Part]) -> Result<(), Raised> {
        let sender = {
            let state = self.lock();
            let bot = state.bot(uuid).ok_or(Raised)?;
            let rt = bot.runtime.as_ref().ok_or(Raised)?;
            match super::adapter::plain(&bot.adapter) {
                "wecom" => {}
                "wecombot" => return if rt.linked || bot.config.get("enable-webhook").is_some_and(truthy) { Ok(()) } else { Err(Raised) },
                _ => return if bot.far == FarSide::Good { Ok(()) } else { Err(Raised) },
            }
            let text = |k: &str| bot.config.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
            let base = Some(text("api_base_url")).filter(|b| local(b));
            Sender { inner: self, uuid, life: rt.life, base, far: bot.far, corpid: text("corpid"), secret: text("secret") }
        };
        let (user, rest) = target.split_once('|').ok_or(Raised)?;
        let agent: i64 = rest.split('|').next().and_then(|a| a.trim().parse().ok()).ok_or(Raised)?;
        // A group is not refused: nothing is sent, and the answer is a success. Every picture is uploaded before anything is sent.
        let mut ready = Vec::new();
        for part in parts {
            ready.push(match part {
                Part::Text(text) => ("text", json!({ "content": text })),
                Part::Image => ("image", json!({ "media_id": sender.upload().await? })),
            });
        }
        for (what, part) in ready.iter().filter(|_| kind == "person") {
            sender.private(user, agent, what, part).await?;
        }
        Ok(())
    }
}

impl Sender<'_> {
    /// `send_private_msg` in its `_bounded_token_retry`: the third round is an exception, after a third fetch.
    async fn private(&self, user: &str, agent: i64, what: &str, part: &Value) -> Result<(), Raised> {
        for _ in 0..2 {
            let mut token = self.token();
            if token.trim().is_empty() {
                token = self.fetch().await?;
            }
            let body = json!({
                "touser": user, "msgtype": what, "agentid": agent, what: part, "safe": 0, "enable_id_trans": 0,
                "enable_duplicate_check": 0, "duplicate_check_interval": 1800,
            });
            let answer = match &self.base {
                Some(base) => self.post(&format!("{base}/message/send?access_token={token}"), "application/json", body.to_string()).await?,
                None => self.made_up_send()?,
            };
            match answer.get("errcode").ok_or(Raised)? {
                Json::Int(40014 | 42001) => {
                    self.fetch().await?;
                }
                Json::Int(0) => return Ok(()),
                // A code that is a text is no 42001 either.
                _ => {
                    let begins = if what == "image" { "发送图片失败" } else { "发送消息失败" };
                    self.error(&format!("{begins}:{}", python(&answer)));
                    return Err(Raised);
                }
            }
        }
        Err(Raised)
    }

    /// `upload_image_to_work`: after 40014 or 42001 it fetches and uploads once more, and then fails for the first answer all the same,
    /// whose line it writes only when the second upload was no exception (recording 49).
    async fn upload(&self) -> Result<String, Raised> {
        let mut first = None;
        for _ in 0..2 {
            let mut token = self.token();
            if token.trim().is_empty() {
                token = self.fetch().await?;
            }
            let answer = match &self.base {
                Some(base) => {
                    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
                    let body = format!(
                        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"uploaded_file.txt\"; filelength=1\r\n\
                         Content-Type: application/octet-stream\r\n\r\nx\r\n--{BOUNDARY}--\r\n"
                    );
                    self.post(&format!("{base}/media/upload?access_token={token}&type=file"), &kind, body).await?
                }
                None => match self.made_up_send()? {
                    good if good.get("errcode") == Some(&Json::Int(0)) => map! { "errcode" => 0i64, "errmsg" => "ok", "media_id" => "sandbox" },
                    bad => bad,
                },
            };
            match answer.get("errcode").ok_or(Raised)? {
                Json::Int(40014 | 42001) if first.is_none() => {
                    self.fetch().await?;
                    first = Some(answer);
                }
                // A third round is an exception, after a third fetch, and no line.
                Json::Int(40014 | 42001) => {
                    self.fetch().await?;
                    return Err(Raised);
                }
                Json::Int(0) => {
                    let Some(first) = first else {
                        return Ok(answer.get("media_id").and_then(Json::text).unwrap_or_default().to_owned());
                    };
                    self.error(&format!("上传图片失败:{}", python(&first)));
                    return Err(Raised);
                }
                _ => {
                    self.error(&format!("上传图片失败:{}", python(&answer)));
                    return Err(Raised);
                }
            }
        }
        Err(Raised)
    }

    fn token(&self) -> String {
        let state = self.inner.lock();
        state.bot(self.uuid).and_then(|b| b.runtime.as_ref()).filter(|r| r.life == self.life).map(|r| r.token.clone()).unwrap_or_default()
    }

    /// `get_access_token`: `expires_in` is thrown away.
    async fn fetch(&self) -> Result<String, Raised> {
        if let Some(b) = self.inner.lock().bot_mut(self.uuid) {
            b.fetches += 1;
        }
        let answer = match &self.base {
            Some(base) => {
                let url = format!("{base}/gettoken?corpid={}&corpsecret={}", self.corpid, self.secret);
                let client = self.inner.http.as_ref().ok_or(Raised)?;
                self.answered(client.get(url).timeout(self.inner.settings.timing.fetch)).await?
            }
            None => self.made_up_token()?,
        };
        match answer.get("access_token").and_then(Json::text) {
            Some(token) => {
                let mut state = self.inner.lock();
                if let Some(rt) = state.bot_mut(self.uuid).and_then(|b| b.runtime.as_mut()).filter(|r| r.life == self.life) {
                    rt.token = token.to_owned();
                }
                Ok(token.to_owned())
            }
            None => {
                self.error(&format!("获取accesstoken失败:{}", python(&answer)));
                Err(Raised)
            }
        }
    }

    fn error(&self, text: &str) {
        let now = self.inner.now_ms();
        self.inner.lock().write(self.uuid, Some(self.life), "error", text, now);
    }

    async fn post(&self, url: &str, kind: &str, body: String) -> Result<Json, Raised> {
        let client = self.inner.http.as_ref().ok_or(Raised)?;
        self.answered(client.post(url).timeout(std::time::Duration::from_secs(120)).header("content-type", kind).body(body)).await
    }

    async fn answered(&self, request: reqwest::RequestBuilder) -> Result<Json, Raised> {
        let answer = request.send().await.map_err(|_| Raised)?;
        let text = answer.text().await.map_err(|_| Raised)?;
        Json::parse(&text).ok().filter(|j| matches!(j, Json::Map(_))).ok_or(Raised)
    }

    fn refusal(&self, code: i64, message: &str) -> Json {
        let hint = self.inner.now_ms().div_euclid(1000);
        let text = format!("{message}, hint: [{hint}], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e={code}");
        map! { "errcode" => code, "errmsg" => text }
    }

    fn made_up_token(&self) -> Result<Json, Raised> {
        match self.far {
            FarSide::Unreachable => Err(Raised),
            FarSide::BadSecret => Ok(self.refusal(40001, "invalid credential")),
            FarSide::Good | FarSide::Expired | FarSide::IpNotTrusted => {
                let token = self.inner.lock().chance.base64(48).replace(['+', '/'], "x");
                Ok(map! { "errcode" => 0i64, "errmsg" => "ok", "access_token" => token, "expires_in" => 7200i64 })
            }
        }
    }

    fn made_up_send(&self) -> Result<Json, Raised> {
        match self.far {
            FarSide::Unreachable => Err(Raised),
            FarSide::Expired => Ok(self.refusal(42001, "access_token expired")),
            FarSide::IpNotTrusted => Ok(self.refusal(60020, "not allow to access from your ip")),
            FarSide::Good | FarSide::BadSecret => Ok(map! { "errcode" => 0i64, "errmsg" => "ok", "msgid" => "sandbox" }),
        }
    }
}

/// The sandbox talks to loopback only.
fn local(base: &str) -> bool {
    let host = reqwest::Url::parse(base).ok().filter(|u| u.scheme() == "http").and_then(|u| u.host_str().map(str::to_owned));
    host.is_some_and(|h| h == "localhost" || h.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

/// The parts of a message chain; `None` for what pydantic refuses.
fn parts(chain: Option<&Value>) -> Option<Vec<Part>> {
    let part = |p: &Value| -> Option<Option<Part>> {
        Some(match p.get("type")?.as_str()? {
            "Plain" => Some(Part::Text(p.get("text")?.as_str()?.to_owned())),
            "Image" => Some(Part::Image),
            _ => None,
        })
    };
    let all: Option<Vec<Option<Part>>> = chain?.as_array()?.iter().map(part).collect();
    Some(all?.into_iter().flatten().collect())
}

/// Python's `repr` of a JSON value, as an f-string puts it into a log.
fn python(v: &Json) -> String {
    match v {
        Json::Null => "None".to_owned(),
        Json::Bool(b) => if *b { "True" } else { "False" }.to_owned(),
        Json::Int(n) => n.to_string(),
        Json::Float(x) => x.to_string(),
        Json::Text(t) => {
            let quote = if t.contains('\'') && !t.contains('"') { '"' } else { '\'' };
            let mut out = String::from(quote);
            for c in t.chars() {
                match c {
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    c if c == quote => out.extend(['\\', c]),
                    c => out.push(c),
                }
            }
            out.push(quote);
            out
        }
        Json::List(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Json::Map(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{}: {}", python(&Json::Text(k.clone())), python(v))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

//! The five QR flows (`controller/groups/platform/adapters.py`). The credential of a session can be read once: the reply that
//! carries it forgets it.

use super::{
    Inner,
    reply::Reply,
    state::{State, TaskState},
};
use crate::sandbox::evolution::qr::data_url;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Sessions of one flow in a workspace; the oldest one goes for an eleventh.
const MOST_SESSIONS: usize = 10;
/// Exchanges under way in a workspace (`max_active_user_tasks_per_workspace`); a ninth is refused.
const MOST_ACTIVE: usize = 8;

/// One of the flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// `weixin/login`.
    Weixin,
    /// `lark/create-app`.
    Lark,
    /// `dingtalk/create-app`.
    DingTalk,
    /// `wecombot/create-bot`.
    WecomBot,
    /// `qqofficial/bind`.
    QqOfficial,
}

/// What somebody does with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Scans it and agrees.
    Agrees,
    /// Scans it and declines, or the far side fails.
    Declines,
}

/// Why nobody could scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoScan {
    /// No session of that id, flow or content waits.
    #[error("no QR session waits here that fits")]
    Nothing,
    /// Its code is over.
    #[error("the code has expired")]
    Expired,
    /// It was scanned already.
    #[error("the code was scanned already")]
    Again,
}

/// A session, as a test sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    /// Its id.
    pub id: String,
    /// Its flow.
    pub flow: Flow,
    /// `waiting`, `success`, `error`, `expired`.
    pub status: &'static str,
    /// What the code says.
    pub payload: String,
    /// Its end by the server's wall clock, seconds since 1970.
    pub expire_at: f64,
}

#[derive(Debug)]
pub(crate) struct Qr {
    pub(crate) id: String,
    flow: Flow,
    /// From the code to its end, in ms.
    life_ms: i64,
    /// By the server's wall clock, as `created_at` is.
    wall_ms: i64,
    /// By the sandbox's clock: waits that do not look at the wall.
    born_ms: i64,
    payload: String,
    picture: Option<String>,
    expire_at: f64,
    task: u64,
    scanned: Option<(i64, Scan)>,
}

impl Flow {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Weixin, Self::Lark, Self::DingTalk, Self::WecomBot, Self::QqOfficial];

    /// Adapter and verb of its path.
    pub const fn path(self) -> (&'static str, &'static str) {
        match self {
            Self::Weixin => ("weixin", "login"),
            Self::Lark => ("lark", "create-app"),
            Self::DingTalk => ("dingtalk", "create-app"),
            Self::WecomBot => ("wecombot", "create-bot"),
            Self::QqOfficial => ("qqofficial", "bind"),
        }
    }

    /// The flow of that adapter.
    pub fn named(adapter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.path().0 == adapter)
    }

    /// Seconds from the code to `expire_at`, and the session's own life in seconds, both by the server's wall clock.
    const fn lives(self) -> (i64, i64) {
        match self {
            Self::Weixin => (180, 600),
            Self::Lark => (600, 900),
            Self::DingTalk => (600, 600),
            Self::WecomBot | Self::QqOfficial => (300, 300),
        }
    }

    /// How often the far side is asked whether somebody scanned, in ms.
    const fn poll_ms(self) -> i64 {
        match self {
            Self::Weixin => 1,
            Self::Lark | Self::DingTalk => 5000,
            Self::WecomBot => 3000,
            Self::QqOfficial => 2000,
        }
    }

    /// The answer of a server without a way out (recordings 24, 25): two flows look at their code only, until time is up.
    fn offline(self) -> Option<&'static str> {
        match self {
            Self::Weixin | Self::Lark => None,
            Self::DingTalk => Some("oapi.dingtalk.com"),
            Self::WecomBot => Some("work.weixin.qq.com"),
            Self::QqOfficial => Some("q.qq.com"),
        }
    }

    /// Whether ending a session early leaves a cancelled task behind, which breaks the task list: two flows let
    /// `CancelledError` through.
    const fn cancels(self) -> bool {
        matches!(self, Self::Weixin | Self::Lark)
    }
}

impl Qr {
    /// Its status, and the error's text. Weixin and Lark wait by a timer; the others look at the wall clock.
    fn status(&self, clock_ms: i64, wall_ms: i64) -> (&'static str, &'static str) {
        if let Some((at, how)) = self.scanned {
            let step = self.flow.poll_ms();
            // Seen when the far side is asked the next time.
            let seen = self.born_ms + ((at - self.born_ms) / step + 1) * step;
            if clock_ms >= seen {
                return match how {
                    Scan::Agrees => ("success", ""),
                    Scan::Declines => (
                        "error",
                        match self.flow {
                            Flow::Weixin => "QR code login failed",
                            Flow::Lark => "User denied authorization",
                            Flow::DingTalk => "Authorization failed",
                            Flow::WecomBot => "Scan succeeded but bot info is incomplete",
                            Flow::QqOfficial => "Incomplete credential payload",
                        },
                    ),
                };
            }
        }
        let life = self.life_ms;
        let over = match self.flow {
            Flow::Weixin | Flow::Lark => clock_ms - self.born_ms >= life,
            Flow::DingTalk | Flow::WecomBot | Flow::QqOfficial => wall_ms - self.wall_ms >= life,
        };
        match (over, self.flow) {
            (false, _) => ("waiting", ""),
            (true, Flow::Weixin | Flow::QqOfficial) => ("expired", "QR code expired"),
            (true, _) => ("error", "QR code expired"),
        }
    }

    fn dead(&self, wall_ms: i64) -> bool {
        wall_ms - self.wall_ms > self.flow.lives().1 * 1000
    }
}

impl Inner {
    /// Ends what time has ended: tasks of sessions that are over, sessions past their life.
    pub(crate) fn settle(&self) {
        let (clock, wall) = (self.clock.now_ms(), self.now_ms());
        let mut state = self.lock();
        let over: Vec<u64> = state.qrs.iter().filter(|q| q.status(clock, wall).0 != "waiting").map(|q| q.task).collect();
        for task in over {
            state.end_task(task, TaskState::Finished);
        }
        let dead: Vec<String> = state.qrs.iter().filter(|q| q.dead(wall)).map(|q| q.id.clone()).collect();
        for id in dead {
            end(&mut state, &id);
        }
    }

    /// Begins a flow: answers when the code is there.
    pub(crate) async fn qr_start(&self, flow: Flow) -> Reply {
        self.settle();
        let began = self.now_ms();
        let (id, task) = {
            let mut state = self.lock();
            let active = state.tasks.iter().filter(|t| t.user && t.state == TaskState::Running).count();
            if active >= MOST_ACTIVE {
                return Reply::fail(429, -1, "Too many active credential exchanges");
            }
            let id = state.chance.uuid();
            let (name, label) = (format!("{}-credential-{id}", flow.path().0), format!("{} credential exchange", flow.path().0));
            let task = state.start_task(true, "platform-adapter-credential-exchange", name, label, began);
            (id, task)
        };
        let timing = self.settings.timing;
        if self.knobs().offline {
            let Some(host) = flow.offline() else {
                tokio::time::sleep(timing.qr_wait).await;
                self.lock().end_task(task, TaskState::Cancelled);
                return Reply::fail(504, -1, "Timeout waiting for QR code");
            };
            tokio::time::sleep(timing.qr_ready).await;
            self.lock().end_task(task, TaskState::Finished);
            return Reply::fail(502, -1, format!("Cannot connect to host {host}:443 ssl:default [Temporary failure in name resolution]"));
        }
        tokio::time::sleep(timing.qr_ready).await;
        let (clock, wall) = (self.clock.now_ms(), self.now_ms());
        let mut state = self.lock();
        let ticket = format!("{:016x}{:016x}", state.chance.next(), state.chance.next());
        let payload = match flow {
            Flow::Weixin => format!("https://liteapp.weixin.qq.com/q/{ticket}?bot_type=3"),
            Flow::Lark => format!("https://open.feishu.cn/page/launcher?user_code={}&from=sdk&source=langbot", &ticket[..8]),
            Flow::DingTalk => format!("https://open-dev.dingtalk.com/openapp/registration/openClaw?user_code={}", &ticket[..8]),
            Flow::WecomBot => format!("https://work.weixin.qq.com/ai/qc/auth?scode={ticket}&source=langbot"),
            Flow::QqOfficial => format!("https://q.qq.com/qqbot/openclaw/connect.html?task_id={ticket}&_wv=2&source=langbot"),
        };
        let picture = (flow == Flow::Weixin).then(|| data_url(&payload));
        let life_ms = timing.code.map_or(flow.lives().0 * 1000, millis);
        let expire_at = (wall + life_ms) as f64 / 1000.0;
        let scanned = self.settings.scans_after.map(|d| (clock + millis(d), Scan::Agrees));
        let mut answer = json!({ "session_id": id, "expire_at": expire_at });
        match &picture {
            Some(p) => answer["qr_data_url"] = p.clone().into(),
            None => answer["qr_url"] = payload.clone().into(),
        }
        // One flow's eleventh session throws its oldest out.
        let same: Vec<String> = state.qrs.iter().filter(|q| q.flow == flow).map(|q| q.id.clone()).collect();
        if let Some(oldest) = same.first().filter(|_| same.len() >= MOST_SESSIONS).cloned() {
            end(&mut state, &oldest);
        }
        state.qrs.push(Qr { id: id.clone(), flow, life_ms, wall_ms: began, born_ms: clock, payload, picture, expire_at, task, scanned });
        drop(state);
        self.tell(&json!({ "event": "qr", "session": id, "flow": flow.path().0 }));
        Reply::ok(answer)
    }

    /// The state of a session. What is final is told once: the session is gone afterwards.
    pub(crate) fn qr_status(&self, flow: Flow, id: &str) -> Reply {
        self.settle();
        let (clock, wall) = (self.clock.now_ms(), self.now_ms());
        let mut state = self.lock();
        let Some(q) = state.qrs.iter().find(|q| q.id == id && q.flow == flow) else { return Reply::fail(404, -1, "Session not found") };
        let (status, error) = q.status(clock, wall);
        let mut data = Map::new();
        data.insert("status".to_owned(), status.into());
        if let Some(p) = &q.picture {
            data.insert("qr_data_url".to_owned(), p.clone().into());
            data.insert("expire_at".to_owned(), q.expire_at.into());
        }
        match status {
            "waiting" => {}
            "success" => {
                data.extend(credential(&mut state, flow));
                state.qrs.retain(|q| q.id != id);
            }
            _ => {
                data.insert("error".to_owned(), error.into());
                state.qrs.retain(|q| q.id != id);
            }
        }
        drop(state);
        Reply::ok(Value::Object(data))
    }

    pub(crate) fn qr_end(&self, flow: Flow, id: &str) -> Reply {
        self.settle();
        let mut state = self.lock();
        if !state.qrs.iter().any(|q| q.id == id && q.flow == flow) {
            return Reply::fail(404, -1, "Session not found");
        }
        end(&mut state, id);
        Reply::ok(json!({}))
    }

    /// Every session that has not been read or ended.
    pub(crate) fn qr_rows(&self) -> Vec<SessionRow> {
        self.settle();
        let (clock, wall) = (self.clock.now_ms(), self.now_ms());
        let state = self.lock();
        let row = |q: &Qr| SessionRow {
            id: q.id.clone(),
            flow: q.flow,
            status: q.status(clock, wall).0,
            payload: q.payload.clone(),
            expire_at: q.expire_at,
        };
        state.qrs.iter().map(row).collect()
    }

    /// Somebody scans the newest code that fits.
    pub(crate) fn qr_scan(&self, fits: impl Fn(&SessionRow) -> bool, how: Scan) -> Result<String, NoScan> {
        let rows = self.qr_rows();
        let row = rows.iter().rev().find(|r| fits(r)).ok_or(NoScan::Nothing)?;
        match row.status {
            "waiting" => {}
            "success" => return Err(NoScan::Again),
            _ => return Err(NoScan::Expired),
        }
        let now = self.clock.now_ms();
        let mut state = self.lock();
        let q = state.qrs.iter_mut().find(|q| q.id == row.id).ok_or(NoScan::Nothing)?;
        if q.scanned.is_some_and(|(at, _)| at <= now) {
            return Err(NoScan::Again);
        }
        q.scanned = Some((now, how));
        Ok(row.id.clone())
    }
}

/// A session goes before it was read; its task is stopped if it still runs.
fn end(state: &mut State, id: &str) {
    let Some(at) = state.qrs.iter().position(|q| q.id == id) else { return };
    let q = state.qrs.remove(at);
    state.end_task(q.task, if q.flow.cancels() { TaskState::Cancelled } else { TaskState::Finished });
}

/// The credential that a flow ends with, made up.
fn credential(state: &mut State, flow: Flow) -> Map<String, Value> {
    let mut word = |n: usize| state.chance.base64(n).replace(['+', '/', '='], "x");
    let pairs: Vec<(&str, String)> = match flow {
        Flow::Weixin => vec![
            ("token", format!("{}@im.bot:{}", word(9), word(24))),
            ("base_url", "https://ilinkai.weixin.qq.com".to_owned()),
            ("account_id", format!("{}@im.bot", word(9))),
        ],
        Flow::Lark => vec![("app_id", format!("cli_{}", word(12))), ("app_secret", word(24))],
        Flow::DingTalk => vec![("client_id", format!("ding{}", word(12))), ("client_secret", word(48))],
        Flow::WecomBot => vec![("botid", format!("aib{}", word(24))), ("secret", word(32))],
        Flow::QqOfficial => vec![("appid", "102000001".to_owned()), ("secret", word(24)), ("user_openid", word(24))],
    };
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect()
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX / 4)
}

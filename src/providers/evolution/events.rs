//! The event stream: just enough Engine.IO 4 and Socket.IO 4 over one WebSocket. Reconnecting is the caller's.

use super::api::Api;
use crate::{
    domain::{Reason, ReasonCode},
    providers::http::{
        json,
        ws::{Refused, Socket},
    },
};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";
/// The server greets at once; this is for links that open and then say nothing.
const GREETING: Duration = Duration::from_secs(8);

/// One event, reduced to what pairdeck uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// The instance's exact name.
    pub(super) name: Box<str>,
    /// What happened.
    pub(super) what: What,
    /// `date_time` as milliseconds since 1970: local time with a false `Z`. It shows the server's zone and is never a time.
    pub(super) local_ms: Option<i64>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// `connection.update`.
    Connection {
        /// `open`, `connecting`, `close`, `refused`.
        state: Box<str>,
        /// `statusReason`.
        code: Option<i64>,
    },
    /// `qrcode.updated` with a code.
    Qr {
        /// Text of the QR.
        code: Box<str>,
        /// Pairing code, in a session begun with a number.
        pairing: Option<Box<str>>,
    },
    /// `qrcode.updated` without one: the limit.
    QrLimit,
    /// `status.instance`: closed, and why.
    Closed {
        /// `disconnectionReasonCode`.
        code: Option<i64>,
    },
    /// `instance.create`.
    Created,
    /// `instance.delete` or `remove.instance`.
    Removed,
    /// Anything else that names an instance.
    Other,
}

/// What the stream yields.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A namespace (empty: the root) was entered.
    Joined(Box<str>),
    /// It does not exist yet: no event of that instance since the server started.
    NoNamespace(Box<str>),
    /// The key was refused there.
    Denied(Box<str>),
    /// An event, and whether it came on the root.
    Event(Event, bool),
}

/// Why there is no stream.
#[derive(Debug)]
pub(super) enum NoStream {
    /// The server has none.
    Off,
    /// The server does not take the key.
    Key,
    /// It was not reached or broke.
    Lost(Reason),
}

/// An open stream.
pub(super) struct Stream {
    socket: Socket,
    silence: Duration,
    deadline: Instant,
    owed: Vec<String>,
}

impl Stream {
    /// Opens a stream and asks for the root.
    pub(super) async fn open(api: &Api) -> Result<Self, NoStream> {
        let mut socket = match api.http().websocket(PATH, Some(("apikey", api.key()))).await {
            Ok(s) => s,
            Err(Refused::Answer(401 | 403, _)) => return Err(NoStream::Key),
            Err(Refused::Answer(400, told)) if told.contains("apiKey") || told.contains("token") => return Err(NoStream::Key),
            Err(Refused::Answer(500.., _)) => return Err(NoStream::Lost(Reason::new(ReasonCode::EventsLost))),
            Err(Refused::Answer(..)) => return Err(NoStream::Off),
            Err(Refused::Failed(r)) => return Err(NoStream::Lost(r)),
        };
        let greeting = timeout(GREETING, socket.next()).await.ok().flatten();
        let Some(Ok(Message::Text(text))) = greeting else { return Err(NoStream::Lost(Reason::new(ReasonCode::EventsLost))) };
        let Some(hello) = text.as_str().strip_prefix('0').and_then(|t| json::value(t.as_bytes())) else {
            return Err(NoStream::Off);
        };
        let ms = |k, default| hello.get(k).and_then(Value::as_u64).unwrap_or(default).clamp(1_000, 120_000);
        let silence = Duration::from_millis(ms("pingInterval", 25_000) + ms("pingTimeout", 20_000));
        Ok(Self { socket, silence, deadline: Instant::now() + silence, owed: vec!["40".to_owned()] })
    }

    /// Asks for an instance's own namespace, if its name can be one.
    pub(super) fn join(&mut self, name: &str) {
        if can_join(name) {
            self.owed.push(format!("40/{name},"));
        }
    }

    /// The next frame. Dropping this future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Frame, Reason> {
        let lost = || Reason::new(ReasonCode::EventsLost);
        loop {
            while let Some(text) = self.owed.first() {
                timeout(GREETING, self.socket.send(Message::text(text.clone()))).await.map_err(|_| lost())?.map_err(|_| lost())?;
                self.owed.remove(0);
            }
            let got = timeout_at(self.deadline, self.socket.next()).await.map_err(|_| lost().raw("no ping"))?;
            self.deadline = Instant::now() + self.silence;
            let text = match got {
                None | Some(Err(_) | Ok(Message::Close(_))) => return Err(lost()),
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(_)) => continue,
            };
            match text.as_str() {
                "2" => self.owed.push("3".to_owned()),
                "1" => return Err(lost()),
                text => {
                    if let Some(frame) = read(text) {
                        return Ok(frame);
                    }
                }
            }
        }
    }
}

/// A name with a comma or a question mark cannot be asked for as a namespace; the empty one is the root.
pub(super) fn can_join(name: &str) -> bool {
    !name.is_empty() && !name.contains([',', '?'])
}

/// Reads one Socket.IO packet; `None` for what is of no use.
pub(super) fn read(text: &str) -> Option<Frame> {
    let rest = text.strip_prefix('4')?;
    let kind = rest.chars().next()?;
    let rest = rest.get(1..)?;
    let (space, body) = match rest.strip_prefix('/') {
        Some(named) => named.split_once(',').unwrap_or((named, "")),
        None => ("", rest),
    };
    match kind {
        '0' => Some(Frame::Joined(space.into())),
        '4' if body.contains("Invalid namespace") => Some(Frame::NoNamespace(space.into())),
        '4' => Some(Frame::Denied(space.into())),
        '2' => {
            let v = json::value(body.get(body.find('[')?..)?.as_bytes())?;
            Some(Frame::Event(event(v.get(0)?.as_str()?, v.get(1)?)?, space.is_empty()))
        }
        _ => None,
    }
}

fn event(kind: &str, v: &Value) -> Option<Event> {
    let text = |v: &Value, k: &str| v.get(k).and_then(Value::as_str).map(Box::<str>::from);
    let name = text(v, "instance")?;
    let none = Value::Null;
    let data = v.get("data").unwrap_or(&none);
    let what = match kind {
        "connection.update" => What::Connection { state: text(data, "state")?, code: data.get("statusReason").and_then(Value::as_i64) },
        "qrcode.updated" => match data.get("qrcode") {
            Some(qr) => What::Qr { code: text(qr, "code")?, pairing: text(qr, "pairingCode").filter(|p| !p.is_empty()) },
            None => What::QrLimit,
        },
        "status.instance" => What::Closed { code: data.get("disconnectionReasonCode").and_then(Value::as_i64) },
        "instance.create" => What::Created,
        "instance.delete" | "remove.instance" => What::Removed,
        _ => What::Other,
    };
    let local_ms = text(v, "date_time").and_then(|t| t.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_millisecond);
    Some(Event { name, what, local_ms })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn recorded_frames_are_understood() {
        assert_eq!(read(r#"40{"sid":"x"}"#), Some(Frame::Joined("".into())));
        assert_eq!(read(r#"40/shop-w,{"sid":"x"}"#), Some(Frame::Joined("shop-w".into())));
        assert_eq!(read(r#"44/a/b c,{"message":"Invalid namespace"}"#), Some(Frame::NoNamespace("a/b c".into())));
        let f = read(
            r#"42/shop-a,["connection.update",{"event":"connection.update","instance":"shop-a","data":{"instance":"shop-a","state":"close","statusReason":401},"date_time":"x","apikey":"CANARY-KEY"}]"#,
        );
        let Some(Frame::Event(e, root)) = f else { panic!("{f:?}") };
        assert!(!root);
        assert_eq!(e.what, What::Connection { state: "close".into(), code: Some(401) });
        assert!(!format!("{e:?}").contains("CANARY"));
    }

    #[test]
    fn the_limit_comes_without_a_code_and_logouts_without_data() {
        let limit =
            read(r#"42["qrcode.updated",{"instance":"limit","data":{"message":"QR code limit reached, please login again","statusCode":500}}]"#);
        assert_eq!(limit, Some(Frame::Event(Event { name: "limit".into(), what: What::QrLimit, local_ms: None }, true)));
        let out = read(r#"42["remove.instance",{"instance":"a","data":null}]"#);
        assert_eq!(out, Some(Frame::Event(Event { name: "a".into(), what: What::Removed, local_ms: None }, true)));
    }

    #[test]
    fn names_that_would_break_the_framing_are_not_asked_for() {
        assert!(can_join("a/b c") && !can_join("") && !can_join("a,b") && !can_join("a?b"));
    }

    #[test]
    fn a_frame_whose_tree_would_take_all_memory_is_no_event() {
        let body = format!(r#"42["messages.upsert",{{"instance":"a","data":[{}]}}]"#, vec!["{\"a\":0}"; (7 << 20) / 8].join(","));
        assert_eq!(read(&body), None);
    }

    proptest! {
        #![proptest_config(crate::hostile::config())]

        #[test]
        fn arbitrary_frames_never_panic(s in "4?[0-6]?/?[ -~é]{0,60}") {
            let _ = read(&s);
        }

        #[test]
        fn damaged_events_are_read_or_left_out(
            kind in prop::sample::select(vec!["connection.update", "qrcode.updated", "status.instance", "remove.instance", "x"]),
            data in crate::hostile::document(&[
                serde_json::json!({"instance": "a", "data": {"instance": "a", "state": "close", "statusReason": 401}, "date_time": "2026-11-21T07:41:58.000Z"}),
                serde_json::json!({"instance": "a", "data": {"qrcode": {"instance": "a", "pairingCode": "ABCD1234", "code": "2@x,y,z,w", "base64": "x"}}}),
                serde_json::json!({"instance": "a", "data": {"disconnectionReasonCode": 401, "disconnectionObject": "{}"}}),
            ]),
            space in "(/[a-z,?é]{0,5},?)?",
        ) {
            let text = format!("42{space}{}", serde_json::json!([kind, data]));
            if let Some(Frame::Event(e, _)) = read(&text) {
                prop_assert_eq!(Some(&*e.name), data.get("instance").and_then(Value::as_str));
                prop_assert!(e.local_ms.is_none() || data.get("date_time").is_some());
            }
        }
    }
}

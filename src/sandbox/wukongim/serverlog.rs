//! The server's own log, as its JSON encoder writes it. Both tokens stand there in plain text: the real ones do that.
//! v2.2.5 `internal/user/handler/event_connect.go`; v1.2.6 `internal/server/processor.go`.

use super::{Inner, Version, session::Hello};
use crate::sandbox::json::{Json, map};
use std::collections::VecDeque;

/// Lines kept; older ones go.
const LINES: usize = 10_000;

/// The log in memory.
#[derive(Debug, Default)]
pub(crate) struct ServerLog(VecDeque<String>);

impl ServerLog {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }

    fn push(&mut self, line: String) {
        if self.0.len() == LINES {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }
}

/// `APP`, `WEB`, `SYSTEM` or the number, 2 included: `DeviceFlag.String()` has no name for it (seen on a running 2.2.5).
pub(crate) fn flag_name(flag: u8) -> String {
    match flag {
        0 => "APP".to_owned(),
        1 => "WEB".to_owned(),
        99 => "SYSTEM".to_owned(),
        n => n.to_string(),
    }
}

impl Inner {
    /// One line at level `error`.
    pub(crate) fn complain(&self, what: &str, fields: Json) {
        let ns = self.now_ms();
        let time = jiff::Timestamp::from_millisecond(ns).map(|t| t.strftime("%Y-%m-%dT%H:%M:%S.%3f").to_string()).unwrap_or_default();
        let time = format!("{}+00:00", time.trim_end_matches('0').trim_end_matches('.'));
        let room = if self.settings.version == Version::V1 { "Processor" } else { "handler" };
        let mut pairs =
            vec![("level".to_owned(), Json::from("error")), ("time".to_owned(), time.into()), ("msg".to_owned(), format!("【{room}】{what}").into())];
        if let Json::Map(more) = fields {
            pairs.extend(more);
        }
        self.server_log().push(Json::Map(pairs).to_string());
    }

    /// The same once more, as v2 does where a login ends in this error (seen on a running 2.2.5).
    pub(crate) fn echo(&self, error: &str) {
        if self.settings.version == Version::V2 {
            self.complain("handle connect err", map! { "error" => error });
        }
    }

    /// The stored token and the given one differ.
    pub(crate) fn complain_token(&self, id: u64, hello: &Hello, expect: &str) {
        let fields = match self.settings.version {
            // The connection has no uid yet, and neither flag nor level nor device id: all of them are printed as they start.
            Version::V1 => map! {
                "expectToken" => expect, "actToken" => &hello.token,
                "conn" => format!("Conn[{id}] uid= fd={{{}}} deviceFlag=APP deviceLevel=Slave deviceID=", id + 20),
            },
            _ => map! {
                "uid" => &hello.uid, "sourceNodeId" => self.settings.node_id as i64, "expectToken" => expect, "actToken" => &hello.token,
            },
        };
        self.complain("token verify fail", fields);
        self.echo("token verify fail");
    }
}

//! `/varz`, `/route`, `/migrate/result`, `/metrics` and the texts of times.

use super::{Inner, Version, bind::texts, reply::Reply};
use crate::sandbox::json::{Json, map};

impl Inner {
    /// `GET /varz`. It does not say whether tokens are checked: nothing does.
    pub(crate) fn varz(&self, query: &dyn Fn(&str) -> Option<String>) -> Reply {
        let now = self.now_ms();
        let [api, manager, ws] = self.ports();
        let state = self.lock();
        let mut out = vec![
            ("server_id", Json::from(self.settings.node_id.to_string())),
            ("server_name", "WuKongIM".into()),
            ("version", self.settings.version_text.as_str().into()),
            ("connections", ((state.conns.len() + state.strangers.len()) as i64).into()),
        ];
        if self.settings.version == Version::V2 {
            out.push(("user_handler_count", (state.handlers.len() as i64).into()));
            out.push(("user_handler_conn_count", (state.conns.len() as i64).into()));
        }
        let sum = |of: fn(&super::state::Conn) -> u32| -> Json { state.conns.values().map(|c| i64::from(of(c))).sum::<i64>().into() };
        out.extend([
            ("uptime", uptime(now - self.started_ms).into()),
            ("goroutine", 1047u32.into()),
            ("mem", 54_931_456u32.into()),
            ("cpu", 3u32.into()),
            ("in_msgs", sum(|c| c.in_msgs)),
            ("out_msgs", sum(|c| c.out_msgs)),
            ("in_bytes", sum(|c| c.in_bytes)),
            ("out_bytes", sum(|c| c.out_bytes)),
            ("slow_clients", 0u32.into()),
            ("retry_queue", 0u32.into()),
            ("tcp_addr", "127.0.0.1:5100".into()),
            ("ws_addr", format!("ws://{ws}").into()),
            ("wss_addr", "".into()),
            ("manager_addr", manager.into()),
            ("manager_on", 1u32.into()),
            ("commit", "".into()),
            ("commit_date", "".into()),
            ("tree_state", "".into()),
            ("api_url", format!("http://{api}").into()),
            ("manager_uid", "____manager".into()),
            ("manager_token_on", u32::from(self.settings.manager_token.is_some()).into()),
        ]);
        if query("show").as_deref() == Some("conn") {
            let limit = usize::try_from(int(query("conn_limit"))).ok().filter(|n| *n > 0).unwrap_or(20);
            let rows = state.conns.iter().rev().take(limit).map(|(id, c)| self.conn_row(*id, c, now, false)).collect();
            out.push(("conns", Json::List(rows)));
        }
        out.push(("conversation_cache_count", 0u32.into()));
        Reply::json(200, &Json::Map(out.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
    }

    /// `GET /varz/setting`.
    pub(crate) fn varz_setting(&self) -> Reply {
        let logger = map! { "trace_on" => 0u32, "loki_on" => 0u32 };
        Reply::json(200, &map! { "logger" => logger, "prometheus_on" => 0u32, "stress_on" => 0u32 })
    }

    fn addresses(&self, intranet: bool) -> Vec<(String, Json)> {
        let [_, _, ws] = self.ports();
        let pairs = if intranet { ["".to_owned(), "".to_owned()] } else { ["127.0.0.1:5100".to_owned(), format!("ws://{ws}")] };
        let [tcp, ws] = pairs;
        vec![("tcp_addr".to_owned(), tcp.into()), ("ws_addr".to_owned(), ws.into()), ("wss_addr".to_owned(), "".into())]
    }

    /// `GET /route`: the uid does not matter.
    pub(crate) fn route(&self, query: &dyn Fn(&str) -> Option<String>) -> Reply {
        Reply::json(200, &Json::Map(self.addresses(int(query("intranet")) == 1)))
    }

    /// `POST /route/batch`.
    pub(crate) fn route_batch(&self, body: &[u8], query: &dyn Fn(&str) -> Option<String>) -> Reply {
        let uids = match texts(body) {
            Ok(l) => l,
            Err(e) => return Reply::plain_error(e),
        };
        let mut pairs = self.addresses(int(query("intranet")) == 1);
        pairs.push(("uids".to_owned(), Json::List(uids.into_iter().map(Json::Text).collect())));
        Reply::json(200, &Json::List(vec![Json::Map(pairs)]))
    }

    /// `GET /migrate/result`: "running" although nobody asked for a migration.
    pub(crate) fn migrate_result(&self) -> Reply {
        Reply::json(200, &map! { "status" => "running", "step" => "", "last_err" => Json::Null, "try_count" => 0u32 })
    }

    /// `GET /docs/*` in release mode.
    pub(crate) fn docs(&self) -> Reply {
        let body = map! {
            "error" => "Documentation endpoints are disabled in release mode",
            "message" => "API documentation is only available in development mode for security reasons",
            "mode" => "release",
            "suggestion" => "To access documentation, run the server in debug mode or check the static documentation files",
        };
        Reply::json(403, &body)
    }

    /// `GET /metrics` of the manager port, open to all; counts that go up and down are typed as counters.
    pub(crate) fn metrics(&self) -> Reply {
        let state = self.lock();
        let devices: std::collections::BTreeSet<(&str, u8)> = state.conns.values().map(|c| (c.uid.as_str(), c.flag)).collect();
        let packets: u64 = state.conns.values().map(|c| u64::from(c.in_packets)).sum();
        let series = [
            ("app_conn_count_total", (state.conns.len() + state.strangers.len()) as u64),
            ("app_conn_packet_bytes_total", 0),
            ("app_conn_packet_count_total", packets),
            ("app_connack_packet_bytes_total", 0),
            ("app_connack_packet_count_total", state.conns.len() as u64),
            ("app_online_device_count_total", devices.len() as u64),
            ("app_online_user_count_total", state.by_uid.len() as u64),
            ("app_ping_bytes_total", 0),
            ("app_ping_count_total", 0),
        ];
        let line = |(name, n): (&str, u64)| {
            format!("# HELP {name} \n# TYPE {name} counter\n{name}{{otel_scope_name=\"metrics\",otel_scope_version=\"\"}} {n}\n")
        };
        let body = series.into_iter().map(line).collect();
        Reply { status: 200, kind: "text/plain; version=0.0.4; charset=utf-8; escaping=values", body, cors: true }
    }

    /// `GET /web/`: the built-in web UI.
    pub(crate) fn web(&self) -> Reply {
        let body = "<!DOCTYPE html>\n<html><head><title>WuKongIM</title></head><body></body></html>\n".to_owned();
        Reply { status: 200, kind: "text/html; charset=utf-8", body, cors: true }
    }
}

/// A number of the query; what is none is 0, as `strconv` errors are ignored.
pub(crate) fn int(text: Option<String>) -> i64 {
    text.and_then(|t| t.parse().ok()).unwrap_or(0)
}

/// `1h2m3s`, as `myUptime` writes it.
pub(crate) fn uptime(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    let (m, h, d) = (s / 60, s / 3600, s / 86_400);
    let y = d / 365;
    let tail = format!("{}s", s % 60);
    match (y, d, h, m) {
        (0, 0, 0, 0) => tail,
        (0, 0, 0, _) => format!("{m}m{tail}"),
        (0, 0, _, _) => format!("{h}h{}m{tail}", m % 60),
        (0, _, _, _) => format!("{d}d{}h{}m{tail}", h % 24, m % 60),
        _ => format!("{y}y{}d{}h{}m{tail}", d % 365, h % 24, m % 60),
    }
}

fn stamp(ms: i64, how: &str) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|t| t.strftime(how).to_string()).unwrap_or_default()
}

/// `2026-11-21T07:37:23.224Z`.
pub(crate) fn rfc3339(ms: i64) -> String {
    if ms % 1000 == 0 { rfc3339_s(ms) } else { format!("{}Z", stamp(ms, "%Y-%m-%dT%H:%M:%S.%3f").trim_end_matches('0')) }
}

/// `2026-11-21T07:37:23Z`.
pub(crate) fn rfc3339_s(ms: i64) -> String {
    stamp(ms, "%Y-%m-%dT%H:%M:%SZ")
}

/// `2026-11-21 07:37`.
pub(crate) fn minute(ns: i64) -> String {
    stamp(ns / 1_000_000, "%Y-%m-%d %H:%M")
}

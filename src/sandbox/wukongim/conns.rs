//! `/connz`, `/conn/kick`, `/conn/remove`: `connz.go` and `conn.go` of v2.2.5.

use super::{
    Inner, Version,
    bind::{CONN, bind},
    misc::{int, rfc3339, rfc3339_s, uptime},
    reply::Reply,
    state::Conn,
};
use crate::sandbox::json::{Json, map};
use std::{cmp::Ordering, sync::Arc};

impl Inner {
    /// `GET /connz`.
    pub(crate) fn connz(&self, query: &dyn Fn(&str) -> Option<String>) -> Reply {
        let node = int(query("node_id"));
        let own = i64::try_from(self.settings.node_id).unwrap_or(0);
        if node > 0 && node != own && self.settings.version == Version::V2 {
            return Reply::error("节点不存在！");
        }
        let (offset, limit) = (int(query("offset")), int(query("limit")));
        let limit = if limit <= 0 { 20 } else { limit };
        if offset < 0 {
            return Reply::panic();
        }
        let uid = query("uid").unwrap_or_default();
        // v1.2.6 filters nothing and pages nothing when a uid is given.
        let v1_all = self.settings.version == Version::V1 && !uid.trim().is_empty();
        let now = self.now_ms();
        let state = self.lock();
        let mut rows: Vec<(u64, &Conn)> =
            state.conns.iter().map(|(id, c)| (*id, c)).filter(|(_, c)| v1_all || uid.trim().is_empty() || c.uid.contains(&uid)).collect();
        sort(&mut rows, &query("sort").filter(|s| !s.is_empty()).unwrap_or_else(|| "id".to_owned()), now);
        let (skip, take) =
            if v1_all { (0, usize::MAX) } else { (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(usize::MAX)) };
        let rows = rows.into_iter().skip(skip).take(take).map(|(id, c)| self.conn_row(id, c, now, true)).collect();
        // Every socket counts, with or without a session, whatever was asked for.
        let total = state.conns.len() + state.strangers.len();
        drop(state);
        Reply::json(
            200,
            &map! { "connections" => Json::List(rows), "now" => rfc3339(now), "total" => total as i64, "offset" => offset, "limit" => limit },
        )
    }

    /// A row of `/connz`, or of `/varz?show=conn`, which lacks address and leader.
    pub(crate) fn conn_row(&self, id: u64, c: &Conn, now: i64, whole: bool) -> Json {
        let node = self.settings.node_id as i64;
        map! {
            "id" => id as i64, "uid" => &c.uid, "ip" => if whole { c.ip.as_str() } else { "" }, "port" => if whole { c.port } else { 0 },
            "last_activity" => rfc3339_s(c.active_ms), "uptime" => uptime(now - c.up_ms), "idle" => uptime(now - c.active_ms),
            "pending_bytes" => 0u32, "in_msgs" => c.in_msgs, "out_msgs" => c.out_msgs, "in_msg_bytes" => c.in_bytes,
            "out_msg_bytes" => c.out_bytes, "in_packets" => c.in_packets, "out_packets" => c.out_packets, "in_packet_bytes" => 0u32,
            "out_packet_bytes" => 0u32, "device" => device(c), "device_id" => &c.device_id, "version" => u32::from(c.version),
            "proxy_type_format" => if whole { "本地连接" } else { "" }, "leader_id" => if whole { node } else { 0 }, "node_id" => node,
        }
    }

    /// `POST /conn/kick` and `/conn/remove`.
    pub(crate) fn conn_end(self: &Arc<Self>, body: &[u8], kick: bool) -> Reply {
        let given = match bind(body, &CONN) {
            Ok(b) => b,
            Err(e) => return Reply::error(e),
        };
        let (op, node) = (given.unsigned("op_node_id"), given.unsigned("node_id"));
        if op != 0 && op != self.settings.node_id {
            return Reply::error("node not found");
        }
        let id = given.int("conn_id");
        if id == 0 {
            return Reply::error("conn_id is 0");
        }
        let id = u64::try_from(id).unwrap_or(0);
        let known = self.lock().conns.get(&id).is_some_and(|c| c.uid == given.text("uid"));
        if known && (node == 0 || node == self.settings.node_id) {
            if kick {
                self.kick(id, "server kick", self.settings.timing.login_grace);
            } else {
                self.close(id);
            }
        }
        Reply::ok()
    }
}

/// `App(主)`: the flag of any but the first three cannot be told.
fn device(c: &Conn) -> String {
    let d = match c.flag {
        0 => "App",
        1 => "Web",
        2 => "PC",
        _ => "未知",
    };
    format!("{d}({})", if c.level == 0 { "从" } else { "主" })
}

/// Sorts as asked; an unknown word leaves the order of a Go map, which is any.
fn sort(rows: &mut [(u64, &Conn)], by: &str, now: i64) {
    let (name, down) = by.strip_suffix("Desc").map_or((by, false), |n| (n, true));
    type Key = fn(&(u64, &Conn), i64) -> i64;
    let key: Key = match name {
        "id" => |r, _| r.0 as i64,
        "inMsg" => |r, _| r.1.in_msgs.into(),
        "outMsg" => |r, _| r.1.out_msgs.into(),
        "inMsgBytes" => |r, _| r.1.in_bytes.into(),
        "outMsgBytes" => |r, _| r.1.out_bytes.into(),
        "inPacket" => |r, _| r.1.in_packets.into(),
        "outPacket" => |r, _| r.1.out_packets.into(),
        "inPacketBytes" | "outPacketBytes" => |_, _| 0,
        "uptime" => |r, now| now - r.1.up_ms,
        "idle" => |r, now| now - r.1.active_ms,
        "protoVersion" => |r, _| r.1.version.into(),
        _ => |r, _| (r.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 1) as i64,
    };
    rows.sort_by(|a, b| match key(a, now).cmp(&key(b, now)) {
        Ordering::Equal => a.0.cmp(&b.0),
        o if down => o.reverse(),
        o => o,
    });
}

//! `/cluster/*`: `pkg/cluster/cluster/api_user.go` and `pkg/wkdb/device.go` of v2.2.5, bugs included.

use super::{
    Inner,
    misc::{int, minute},
    reply::Reply,
    state::{Device, slot},
};
use crate::sandbox::json::{Json, map};
use tokio::time::Instant;

/// A search by uid visits every shard and finds the same rows in each (recording cluster_devices_limit20_truncated).
const SHARDS: usize = 8;

impl Inner {
    /// `GET /cluster/devices`.
    pub(crate) fn cluster_devices(&self, query: &dyn Fn(&str) -> Option<String>) -> Reply {
        let uid = query("uid").unwrap_or_default().trim().to_owned();
        // Whatever is no number is 0, and 0 is no filter.
        let flag = query("device_flag").and_then(|f| f.trim().parse::<u64>().ok()).unwrap_or(0);
        let page = Page::of(query);
        let state = self.lock();
        if !uid.is_empty() && flag != 0 {
            let Some(d) = u8::try_from(flag).ok().and_then(|f| state.device(&uid, f)) else { return Reply::error("not found") };
            if d.stale_until.is_some_and(|end| Instant::now() < end) {
                // The cached row has no created_at, and the answer needs one.
                return Reply::panic();
            }
            return listing(vec![device_row(&uid, flag as u8, d)], false);
        }
        let mut rows: Vec<(&str, u8, &Device)> = if uid.is_empty() {
            state.devices.iter().flat_map(|(u, all)| all.iter().map(move |(f, d)| (u.as_str(), *f, d))).collect()
        } else {
            state.devices.get_key_value(&uid).into_iter().flat_map(|(u, all)| all.iter().map(move |(f, d)| (u.as_str(), *f, d))).collect()
        };
        if flag != 0 {
            rows.retain(|r| u64::from(r.1) == flag);
        }
        rows.sort_by_key(|r| std::cmp::Reverse(r.2.created_ns));
        let (rows, more) = if uid.is_empty() {
            page.cut(rows, |r| r.2.created_ns)
        } else {
            let seen = (page.limit + 1).div_ceil(SHARDS);
            rows.truncate(seen);
            page.cut(rows, |r| r.2.created_ns)
        };
        listing(rows.into_iter().map(|(u, f, d)| device_row(u, f, d)).collect(), more)
    }

    /// `GET /cluster/users`.
    pub(crate) fn cluster_users(&self, query: &dyn Fn(&str) -> Option<String>) -> Reply {
        let uid = query("uid").unwrap_or_default().trim().to_owned();
        let page = Page::of(query);
        let state = self.lock();
        let mut rows: Vec<_> = state.users.iter().filter(|(u, _)| uid.is_empty() || **u == uid).collect();
        rows.sort_by_key(|r| std::cmp::Reverse(r.1.created_ns));
        let (rows, more) = page.cut(rows, |r| r.1.created_ns);
        let row = |(uid, u): (&String, &super::state::User)| {
            map! {
                "id" => user_id(uid), "uid" => uid, "device_count" => 0u32, "online_device_count" => 0u32, "conn_count" => 0u32,
                "send_msg_count" => 0u32, "recv_msg_count" => 0u32, "send_msg_bytes" => 0u32, "recv_msg_bytes" => 0u32,
                "created_at" => u.created_ns, "updated_at" => u.updated_ns, "created_at_format" => minute(u.created_ns),
                "updated_at_format" => minute(u.updated_ns), "slot" => slot(uid),
            }
        };
        listing(rows.into_iter().map(row).collect(), more)
    }

    /// `GET /cluster/simpleNodes` and `/cluster/nodes`.
    pub(crate) fn cluster_nodes(&self) -> Reply {
        let [api, _, _] = self.ports();
        let node = map! {
            "id" => self.settings.node_id as i64, "is_leader" => 1u32, "role" => 0u32, "cluster_addr" => "127.0.0.1:11110",
            "api_server_addr" => format!("http://{api}"), "online" => 1u32, "allow_vote" => 1u32, "slot_count" => 64u32,
            "slot_leader_count" => 64u32, "status" => 3u32, "status_format" => "已加入",
        };
        Reply::json(200, &map! { "total" => 1u32, "data" => Json::List(vec![node]) })
    }

    /// `GET /cluster/info`.
    pub(crate) fn cluster_info(&self) -> Reply {
        let id = self.settings.node_id as i64;
        let [api, _, _] = self.ports();
        let node = map! {
            "id" => id, "clusterAddr" => "127.0.0.1:11110", "apiServerAddr" => format!("http://{api}"), "online" => true,
            "allowVote" => true, "status" => 3u32, "createdAt" => self.started_ms / 1000,
        };
        let slots = (0..64u32).map(|n| {
            let replicas = Json::List(vec![Json::Int(id)]);
            // omitempty: slot 0 has no id.
            match n {
                0 => map! { "leader" => id, "term" => 1u32, "replicas" => replicas },
                n => map! { "id" => n, "leader" => id, "term" => 1u32, "replicas" => replicas },
            }
        });
        let body = map! {
            "version" => 1u32, "slotCount" => 64u32, "slotReplicaCount" => 3u32, "channelReplicaCount" => 3u32, "term" => 1u32,
            "nodes" => Json::List(vec![node]), "slots" => Json::List(slots.collect()),
        };
        Reply::json(200, &body)
    }
}

/// What part of a list was asked for.
struct Page {
    limit: usize,
    offset: i64,
    pre: bool,
}

impl Page {
    fn of(query: &dyn Fn(&str) -> Option<String>) -> Self {
        let limit = usize::try_from(int(query("limit"))).ok().filter(|n| *n > 0).unwrap_or(20);
        Self { limit, offset: int(query("offset_created_at")), pre: int(query("pre")) == 1 }
    }

    /// The page of rows that come newest first, and whether there are more.
    fn cut<T>(&self, mut rows: Vec<T>, created: impl Fn(&T) -> i64) -> (Vec<T>, bool) {
        if self.offset > 0 {
            rows.retain(|r| if self.pre { created(r) > self.offset } else { created(r) < self.offset });
        }
        let more = rows.len() > self.limit;
        if more && self.pre {
            rows.drain(..rows.len() - self.limit);
        }
        rows.truncate(self.limit);
        (rows, more)
    }
}

fn listing(rows: Vec<Json>, more: bool) -> Reply {
    Reply::json(200, &map! { "total" => 0u32, "more" => u32::from(more), "data" => Json::List(rows) })
}

fn device_row(uid: &str, flag: u8, d: &Device) -> Json {
    let name = match flag {
        0 => "APP".to_owned(),
        1 => "WEB".to_owned(),
        2 => "PC".to_owned(),
        n => format!("未知({n})"),
    };
    let level = match d.level {
        0 => "从设备".to_owned(),
        1 => "主设备".to_owned(),
        n => format!("未知({n})"),
    };
    map! {
        "id" => d.id as i64, "uid" => uid, "token" => &d.token, "device_flag" => u32::from(flag), "device_flag_format" => name,
        "device_level" => u32::from(d.level), "device_level_format" => level, "conn_count" => 0u32, "send_msg_count" => 0u32,
        "recv_msg_count" => 0u32, "send_msg_bytes" => 0u32, "recv_msg_bytes" => 0u32, "created_at" => d.created_ns,
        "updated_at" => d.updated_ns, "created_at_format" => minute(d.created_ns), "updated_at_format" => minute(d.updated_ns),
    }
}

/// A hash of the uid; FNV-1a with the tail that ids of users have.
fn user_id(uid: &str) -> i64 {
    (crate::domain::ids::fnv(uid.as_bytes()) >> 4) as i64
}

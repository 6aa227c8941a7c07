//! Users, rows and clients of a scenario, and the two clients that fight.

use super::{
    Inner,
    session::Hello,
    settings::{FightSpec, UidSpec},
    state::{Channel, Device, MOST_USERS, User},
    wire::{Manner, Peer},
};
use std::sync::Arc;

impl Inner {
    /// Puts one user there as if it had lived before.
    pub(crate) fn seed(self: &Arc<Self>, spec: &UidSpec) {
        let now = self.now_ms();
        let mut clients = Vec::new();
        {
            let mut state = self.lock();
            if state.users.len() >= MOST_USERS {
                return;
            }
            let oldest = spec.devices.iter().map(|d| d.age).max().unwrap_or_default();
            let created = ns(now, oldest) + state.users.len() as i64;
            state.users.insert(spec.uid.clone(), User { created_ns: created, updated_ns: created + 80 });
            for (n, d) in spec.devices.iter().enumerate() {
                // Rows of one age still differ in their instant: the pages of `/cluster/devices` are cut by it.
                let created_ns = ns(now, d.age) + state.devices.len() as i64 * 1_000 + n as i64;
                let id = state.snowflake(created_ns / 1_000_000, self.settings.node_id);
                let token = match (d.wiped, d.token.is_empty()) {
                    (true, _) => String::new(),
                    (false, true) => state.chance.base64(24).replace(['+', '/'], "x"),
                    (false, false) => d.token.clone(),
                };
                if !token.is_empty() {
                    self.business().keep(&spec.uid, d.flag, &token);
                }
                let level = if d.wiped { 1 } else { d.level };
                let row = Device { id, token: token.clone(), level, created_ns, updated_ns: created_ns, stale_until: None };
                state.devices.entry(spec.uid.clone()).or_default().insert(d.flag, row);
                clients.extend(d.online.iter().map(|device_id| (d.flag, device_id.clone(), token.clone(), d.up)));
            }
            if spec.ban || spec.send_ban {
                state.channels.insert(spec.uid.clone(), Channel { ban: spec.ban, send_ban: spec.send_ban });
            }
            if spec.system {
                state.system.push(spec.uid.clone());
            }
        }
        for (flag, device_id, token, up) in clients {
            let id = self.lock().conn_id();
            if self.admit(id, &self.hello(&spec.uid, flag, &device_id, &token, id), Peer::Inside(Manner::HangsUp)).is_ok()
                && let Some(c) = self.lock().conns.get_mut(&id)
            {
                c.up_ms = now - i64::try_from(up.as_millis()).unwrap_or(0);
                c.active_ms = now - (id as i64 % 60) * 1000;
            }
        }
        if let Some(fight) = &spec.fight {
            self.start_fight(spec.uid.clone(), fight.clone());
        }
    }

    fn hello(&self, uid: &str, flag: u8, device_id: &str, token: &str, id: u64) -> Hello {
        Hello {
            uid: uid.to_owned(),
            token: token.to_owned(),
            flag,
            device_id: device_id.to_owned(),
            ip: format!("203.0.113.{}", 1 + id % 250),
            port: 49_152 + u16::try_from(id % 16_000).unwrap_or(0),
            version: 5,
        }
    }

    /// Two people log in in turn on one flag: the business server issues a token at each login, which kicks the other one.
    fn start_fight(self: &Arc<Self>, uid: String, fight: FightSpec) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            for device_id in fight.devices.iter().cycle() {
                let token = inner.lock().chance.base64(24).replace(['+', '/'], "x");
                if inner.issue(&uid, &token, fight.flag, fight.level).is_ok() {
                    let id = inner.lock().conn_id();
                    // A refusal (a ban, a wipe in between) is in the log; the next one tries again.
                    let _ = inner.admit(id, &inner.hello(&uid, fight.flag, device_id, &token, id), Peer::Inside(Manner::HangsUp));
                }
                tokio::time::sleep(fight.every).await;
            }
        });
    }

    /// The process dies and starts again.
    pub(crate) fn restart(&self) {
        let mut state = self.lock();
        let conns = std::mem::take(&mut state.conns);
        state.by_uid.clear();
        state.zombies.clear();
        state.handlers.clear();
        state.strangers.clear();
        for d in state.devices.values_mut().flat_map(|rows| rows.values_mut()) {
            d.stale_until = None;
        }
        drop(state);
        drop(conns);
        self.cut.send_modify(|n| *n += 1);
    }
}

fn ns(now_ms: i64, age: std::time::Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(0)).saturating_mul(1_000_000)
}

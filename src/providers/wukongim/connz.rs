//! Which device flag a listed connection is on. The list words only APP, WEB and PC; all others read `未知` (wukongim 2.2.5,
//! recording connz_two), so the flag is worked out from what else is known, or is said to be unknown.

use super::{
    api::{Conn, Device},
    collide::Seen,
};
use std::collections::BTreeMap;

/// Live connections of an account: how many on which flag.
pub(super) type Live = BTreeMap<u8, u32>;

/// The flag of a connection, given the flags that are online and the device rows. `None`: it cannot be told.
pub(super) fn flag(conn: &Conn, live: &Live, devices: &[Device]) -> Option<u8> {
    if let Some(flag) = conn.flag() {
        return Some(flag);
    }
    let mut may: Vec<u8> = live.keys().copied().filter(|f| *f > 2).collect();
    if may.is_empty() {
        // The batch is older than the list, or the other way round.
        may = devices.iter().map(|d| d.flag).filter(|f| *f > 2).collect();
    }
    if may.len() > 1
        && let Some(master) = conn.master()
    {
        may.retain(|f| devices.iter().find(|d| d.flag == *f).is_none_or(|d| (d.level == 1) == master));
    }
    match may[..] {
        [only] => Some(only),
        _ => None,
    }
}

/// A connection as the search for fights takes it.
pub(super) fn seen(conn: &Conn, live: &Live, devices: &[Device]) -> Seen {
    Seen {
        key: (conn.uid.as_str().into(), flag(conn, live, devices)),
        conn: (conn.node_id, conn.id),
        device: conn.device_id.as_str().into(),
        ip: conn.ip.as_str().into(),
        master: conn.master(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::providers::wukongim::wire;

    fn conn(label: &str) -> Conn {
        let body = format!(r#"{{"connections":[{{"id":1,"uid":"u","device":"{label}","device_id":"d"}}]}}"#);
        wire::conns(body.as_bytes()).unwrap().0.remove(0)
    }
    fn device(flag: u8, level: u8) -> Device {
        Device { id: 1, uid: "u".into(), token: None, hidden: false, flag, level, created_ns: 0, updated_ns: 0 }
    }

    #[test]
    fn words_are_taken_and_custom_flags_are_worked_out_or_left_open() {
        let live = |flags: &[u8]| flags.iter().map(|f| (*f, 1)).collect::<Live>();
        assert_eq!(flag(&conn("App(主)"), &live(&[0, 4]), &[]), Some(0));
        assert_eq!(flag(&conn("PC(从)"), &live(&[]), &[]), Some(2));
        assert_eq!(flag(&conn("未知(从)"), &live(&[0, 4]), &[]), Some(4));
        assert_eq!(flag(&conn("未知(从)"), &live(&[4, 5]), &[]), None);
        let rows = [device(4, 1), device(5, 0)];
        assert_eq!(flag(&conn("未知(从)"), &live(&[4, 5]), &rows), Some(5));
        assert_eq!(flag(&conn("未知(主)"), &live(&[4, 5]), &[device(4, 1), device(5, 1)]), None);
        assert_eq!(flag(&conn("未知(从)"), &live(&[]), &[device(7, 0), device(0, 1)]), Some(7));
    }
}

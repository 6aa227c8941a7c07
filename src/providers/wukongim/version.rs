//! Which server answers: v1, v2 or the v3 beta. Found out by routes, because the version's text may be empty (wukongim
//! 2.2.5, recording varz).

use super::wire;
use crate::domain::Clean;
use serde_json::Value;

/// Generations of the server that differ on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 1.2.6 and before: no device list, no kick.
    V1,
    /// 2.0 to 2.2.5.
    V2 {
        /// The version as the server tells it, if it does.
        text: Option<Clean>,
        /// True when `/conn/kick` and `/conn/remove` are there: from 2.1.1. Assumed where the version is not told.
        kick: bool,
    },
    /// The v3 beta: checks no tokens, has a manager API of its own.
    V3,
}

impl Version {
    /// What to show of it.
    pub(super) fn shown(&self) -> Clean {
        match self {
            Self::V1 => Clean::new("v1"),
            Self::V2 { text, .. } => text.clone().unwrap_or_else(|| Clean::new("v2")),
            Self::V3 => Clean::new("v3 beta"),
        }
    }
}

/// Reads `/varz`; `None` when it is no such document.
pub(super) fn of_varz(body: &[u8]) -> Option<Version> {
    let v = wire::json(body)?;
    v.get("server_id").or_else(|| v.get("connections")).or_else(|| v.get("uptime"))?;
    if v.get("user_handler_count").is_none() {
        return Some(Version::V1);
    }
    let text = v.get("version").and_then(Value::as_str).filter(|t| !t.is_empty());
    Some(Version::V2 { text: text.map(Clean::new), kick: text.is_none_or(has_kick) })
}

/// True from 2.1.1 on, and for what is no version number.
fn has_kick(text: &str) -> bool {
    let mut parts = text.trim_start_matches(['v', 'V']).split(['.', '-', '+']).map(|p| p.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
        (Some(a), Some(b), c) => (a, b, c.unwrap_or(0)) >= (2, 1, 1),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_generation_is_told_by_the_document_and_not_by_an_empty_version() {
        assert_eq!(of_varz(br#"{"server_id":"1","version":"","user_handler_count":0}"#), Some(Version::V2 { text: None, kick: true }));
        assert_eq!(of_varz(br#"{"server_id":"1","version":"1.2.6"}"#), Some(Version::V1));
        assert_eq!(of_varz(br#"{"hello":1}"#), None);
        let Some(Version::V2 { kick, .. }) = of_varz(br#"{"uptime":"1s","version":"v2.1.0-20250101","user_handler_count":0}"#) else { panic!() };
        assert!(!kick);
        assert!(has_kick("2.1.1") && has_kick("v2.2.5-20260422") && has_kick("main") && !has_kick("2.0.9"));
    }
}

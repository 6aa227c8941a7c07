//! The rows of a gateway as a scenario's file writes them.

use super::{
    settings::Past,
    wukongim::{Manager, Version},
};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Make {
    pub(super) prefix: String,
    pub(super) count: usize,
    #[serde(default)]
    pub(super) past: Past,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstanceFile {
    pub(super) name: String,
    #[serde(default)]
    pub(super) past: Past,
    #[serde(default)]
    pub(super) number: String,
    #[serde(default)]
    pub(super) profile: String,
    #[serde(default)]
    pub(super) link_delay_ms: Option<u64>,
    #[serde(default)]
    pub(super) scans_after_s: Option<f64>,
    #[serde(default)]
    pub(super) never_scans: bool,
    #[serde(default)]
    pub(super) subscribed: Option<bool>,
    #[serde(default)]
    pub(super) idle_s: u64,
    #[serde(default)]
    pub(super) deleted_after_s: Option<u64>,
}

/// A server of kind `wukongim`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WukongFile {
    pub(super) version: Version,
    pub(super) version_text: String,
    /// The API port asks for nothing.
    pub(super) open: bool,
    pub(super) manager_token: Option<String>,
    pub(super) token_auth_off: bool,
    pub(super) managers: Vec<Manager>,
    /// For the configuration: uids whose tokens a business server owns.
    pub(super) business: Vec<String>,
    /// For the configuration: names of flags.
    pub(super) flags: std::collections::BTreeMap<String, u8>,
}

/// One user.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UserFile {
    pub(super) uid: String,
    pub(super) device: Vec<DeviceFile>,
    pub(super) ban: bool,
    pub(super) send_ban: bool,
    pub(super) system: bool,
    pub(super) fight: Option<FightFile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DeviceFile {
    pub(super) flag: u8,
    pub(super) level: u8,
    pub(super) token: String,
    pub(super) wiped: bool,
    pub(super) online: Vec<String>,
    pub(super) age_s: u64,
    pub(super) up_s: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FightFile {
    pub(super) flag: u8,
    pub(super) level: u8,
    pub(super) devices: [String; 2],
    pub(super) every_s: f64,
}

//! What a `[gateway.NAME]` of kind `wukongim` may say besides what all gateways say.

use std::path::PathBuf;

/// Settings of a WuKongIM gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WuKongIm {
    /// `uids = ["u1", …]`: the accounts to watch. Neither uids nor a file of them: all.
    pub uids: Vec<String>,
    /// `uids_file`: one uid a line, `#` begins a comment; read anew when it changes. Relative to the configuration.
    pub uids_file: Option<PathBuf>,
    /// `uids = "all"`: every user that the server knows.
    pub all: bool,
    /// `manager_url`: the manager port (5300), where it is not the API port's business.
    pub manager_url: Option<String>,
    /// `flags = { Android = 4, iOS = 5 }`: names of device flags beyond the built-in ones.
    pub flags: Vec<(String, u8)>,
    /// `reserved = [{ from = 10, to = 20, for = "bots" }]`: flags that the plan must leave alone.
    pub reserved: Vec<Reserved>,
    /// `plan = [{ platform = "iOS", flag = 5, level = "master" }]`: which platform uses which flag.
    pub plan: Vec<PlanLine>,
    /// `max_devices`: more devices with a token than this on one account is drift.
    pub max_devices: Option<u32>,
    /// `max_slaves`: more slaves than this on one account is drift.
    pub max_slaves: Option<u32>,
    /// `business = ["u1"]` or `"all"`: accounts whose tokens a business server owns and would put back.
    pub business: Vec<String>,
    /// `business = "all"`.
    pub business_all: bool,
    /// `business_url`: a TangSengDaoDao server whose web login is used for pairing.
    pub business_url: Option<String>,
}

impl WuKongIm {
    /// True where every user that the server knows is watched: it was said so, or nothing was said.
    pub fn watches_all(&self) -> bool {
        self.all || (self.uids.is_empty() && self.uids_file.is_none())
    }
}

/// Flags set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// First flag.
    pub from: u8,
    /// Last flag.
    pub to: u8,
    /// For what.
    pub what: String,
}

/// One line of a flag plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    /// The platform, as people call it.
    pub platform: String,
    /// Its flag.
    pub flag: u8,
    /// True for master (1), false for slave (0).
    pub master: bool,
}

//! A server of this kind as a scenario writes it.

use super::{BotSpec, FarSide, KeySpec, LangBotSettings, Owner, PastLine};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// What only kind `langbot` has; what is absent has the default of [`LangBotSettings`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    version: Option<String>,
    owner: Option<Owner>,
    /// Nobody has claimed the instance.
    unclaimed: bool,
    totp: Option<String>,
    global_key: Option<String>,
    no_global_key: bool,
    key: Vec<KeySpec>,
    offline: bool,
    scans_after_s: Option<f64>,
}

/// One bot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BotFile {
    name: String,
    #[serde(default)]
    description: String,
    adapter: String,
    #[serde(default)]
    config: Map<String, Value>,
    #[serde(default)]
    off: bool,
    #[serde(default)]
    far: FarSide,
    #[serde(default)]
    log: Vec<PastLine>,
}

impl File {
    pub(crate) fn settings(&self) -> LangBotSettings {
        let d = LangBotSettings::default();
        LangBotSettings {
            version: self.version.clone().unwrap_or(d.version),
            owner: if self.unclaimed { None } else { self.owner.clone().or(d.owner) },
            totp: self.totp.clone(),
            global_key: if self.no_global_key { None } else { self.global_key.clone().or(d.global_key) },
            keys: self.key.clone(),
            offline: self.offline,
            scans_after: self.scans_after_s.and_then(|s| Duration::try_from_secs_f64(s).ok()),
            ..LangBotSettings::default()
        }
    }
}

impl BotFile {
    pub(crate) fn spec(&self) -> BotSpec {
        BotSpec {
            name: self.name.clone(),
            description: self.description.clone(),
            adapter: self.adapter.clone(),
            config: self.config.clone(),
            enable: !self.off,
            far: self.far,
            log: self.log.clone(),
        }
    }
}

//! A token platform as a scenario file writes it, and as an operator's configuration would name it.

use super::{
    settings::{AppSpec, ForeignSpec, Limit, Platform, Repeated, Stale, TokenSettings},
    state::App,
};
use crate::sandbox::{Part, settings::DateMode};
use serde::Deserialize;
use std::time::Duration;

/// What only a token platform has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TokensFile {
    corpid: Option<String>,
    egress_ip: Option<String>,
    base_path: Option<String>,
    life_s: Option<u64>,
    repeated: Repeated,
    stale: Stale,
    token_bytes: Option<usize>,
    fetches_per_hour: Option<u32>,
    calls_per_minute: Option<u32>,
    reset_spares: bool,
}

/// One app or account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppFile {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    secret: String,
    /// What the configuration has for a secret when that is out of date.
    #[serde(default)]
    announced: Option<String>,
    #[serde(default)]
    trusted: Option<Vec<String>>,
    #[serde(default)]
    fetched_s: Option<u64>,
    #[serde(default)]
    foreign: Option<ForeignFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForeignFile {
    every_s: f64,
    #[serde(default = "one")]
    fetches: u32,
    #[serde(default)]
    burns: bool,
}

fn one() -> u32 {
    1
}

impl TokensFile {
    /// The settings it asks for.
    fn settings(&self, platform: Platform, date: DateMode, reply_delay: Option<Duration>) -> TokenSettings {
        let mut s = match platform {
            Platform::Wecom => TokenSettings::default(),
            Platform::WechatOa => TokenSettings::wechat_oa(),
        };
        s.corpid = self.corpid.clone().unwrap_or(s.corpid);
        s.egress_ip = self.egress_ip.clone().unwrap_or(s.egress_ip);
        s.base_path = self.base_path.clone().unwrap_or_default();
        s.life = self.life_s.map_or(s.life, Duration::from_secs);
        s.repeated = self.repeated;
        s.stale = self.stale;
        s.token_bytes = self.token_bytes.unwrap_or(s.token_bytes);
        let limit = |most: Option<u32>, usual: Limit| Limit { most: most.unwrap_or(usual.most), ..usual };
        s.limits.fetches_per_ip = limit(self.fetches_per_hour, s.limits.fetches_per_ip);
        s.limits.calls_per_corp = limit(self.calls_per_minute, s.limits.calls_per_corp);
        s.reset_kills = !self.reset_spares;
        s.reply_delay = reply_delay.unwrap_or(s.reply_delay);
        s.date = date;
        s
    }
}

impl AppFile {
    /// The app it asks for.
    fn spec(&self) -> AppSpec {
        let foreign = self.foreign.as_ref().and_then(|f| {
            let every = Duration::try_from_secs_f64(f.every_s).ok()?;
            Some(ForeignSpec { every, fetches: f.fetches, burns: f.burns })
        });
        AppSpec {
            id: self.id.clone(),
            name: self.name.clone(),
            secret: self.secret.clone(),
            announced: self.announced.clone(),
            trusted: self.trusted.clone(),
            fetched: self.fetched_s.map(Duration::from_secs),
            foreign,
        }
    }
}

/// The server that a file asks for; `made` is the prefix and number of made-up apps.
pub(crate) fn part(
    platform: Platform,
    tokens: &TokensFile,
    apps: &[AppFile],
    made: Option<(&str, usize)>,
    date: DateMode,
    reply_delay: Option<Duration>,
) -> Part {
    let mut all: Vec<_> = apps.iter().map(AppFile::spec).collect();
    if let Some((prefix, count)) = made {
        all.extend(crowd(platform, prefix, count));
    }
    Part::Tokens(Box::new(tokens.settings(platform, date, reply_delay)), all)
}

/// So many numbered apps, for a crowd.
fn crowd(platform: Platform, prefix: &str, count: usize) -> impl Iterator<Item = AppSpec> {
    (1..=count).map(move |n| AppSpec {
        id: match platform {
            Platform::Wecom => format!("{}", 1_000_001 + n),
            Platform::WechatOa => format!("wx{n:016}"),
        },
        name: format!("{prefix}{n:05}"),
        ..AppSpec::default()
    })
}

/// What the configuration says besides address and secrets.
pub(crate) fn config(settings: &TokenSettings, apps: &[App]) -> Vec<(&'static str, String)> {
    let all: Vec<_> = apps.iter().map(|a| format!("{:?} = {{ id = {:?} }}", a.name, a.id)).collect();
    let accounts = ("account", format!("{{ {} }}", all.join(", ")));
    match settings.platform {
        Platform::Wecom => vec![("corp_id", format!("{:?}", settings.corpid)), accounts],
        Platform::WechatOa => vec![accounts],
    }
}

//! Scenarios: data in `assets/scenarios`, built into the program.

use super::{
    Part,
    scenario_rows::{DeviceFile, InstanceFile, Make, UserFile, WukongFile},
    settings::{DateMode, Events, InstanceSpec, Settings},
    telegram::TelegramFile,
    wecom::{
        Platform,
        file::{AppFile, TokensFile, part},
    },
    wukongim::{DeviceSpec, FightSpec, UidSpec, WukongSettings},
};
use serde::Deserialize;
use std::time::Duration;

/// The files, in the order of the help.
const FILES: &[&str] = &[
    include_str!("../../assets/scenarios/demo.toml"),
    include_str!("../../assets/scenarios/calm.toml"),
    include_str!("../../assets/scenarios/stale.toml"),
    include_str!("../../assets/scenarios/skewed.toml"),
    include_str!("../../assets/scenarios/no-date.toml"),
    include_str!("../../assets/scenarios/no-events.toml"),
    include_str!("../../assets/scenarios/per-instance.toml"),
    include_str!("../../assets/scenarios/limit.toml"),
    include_str!("../../assets/scenarios/spoilt.toml"),
    include_str!("../../assets/scenarios/licence.toml"),
    include_str!("../../assets/scenarios/flood.toml"),
    include_str!("../../assets/scenarios/wukongim.toml"),
    include_str!("../../assets/scenarios/wukongim-v3.toml"),
    include_str!("../../assets/scenarios/wukongim-open.toml"),
    include_str!("../../assets/scenarios/wukongim-crowd.toml"),
    include_str!("../../assets/scenarios/demo-im.toml"),
    include_str!("../../assets/scenarios/langbot.toml"),
    include_str!("../../assets/scenarios/langbot-new.toml"),
    include_str!("../../assets/scenarios/aibot.toml"),
    include_str!("../../assets/scenarios/wecom.toml"),
    include_str!("../../assets/scenarios/wecom-storm.toml"),
    include_str!("../../assets/scenarios/wecom-short.toml"),
    include_str!("../../assets/scenarios/wecom-crowd.toml"),
    include_str!("../../assets/scenarios/wechat-oa.toml"),
    include_str!("../../assets/scenarios/telegram.toml"),
];

/// The most accounts that `--accounts` makes.
pub const MOST_ACCOUNTS: usize = 10_000;

/// One scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name for `--scenario`.
    pub name: String,
    /// What it shows, in English.
    pub about_en: String,
    /// What it shows, in Chinese.
    pub about_zh: String,
    /// Its gateways.
    pub(crate) gateway: Vec<GatewaySpec>,
}

/// What kind of server a gateway is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Evolution,
    Wukongim,
    Langbot,
    #[serde(rename = "wecom-aibot")]
    AiBot,
    Wecom,
    #[serde(rename = "wechat-oa")]
    WechatOa,
    Telegram,
}

/// A gateway as a file writes it; what is absent has the real server's default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewaySpec {
    pub(crate) name: String,
    #[serde(default)]
    kind: Kind,
    /// What only kind `wukongim` has.
    #[serde(default)]
    wukongim: WukongFile,
    /// What only kind `telegram` has.
    #[serde(default)]
    telegram: TelegramFile,
    #[serde(default)]
    user: Vec<UserFile>,
    /// What only kind `langbot` has.
    #[serde(default)]
    langbot: super::langbot::File,
    #[serde(default)]
    bot: Vec<super::langbot::BotFile>,
    /// What only kind `wecom-aibot` has.
    #[serde(default)]
    aibot: Vec<super::AiBotSpec>,
    /// What only kinds `wecom` and `wechat-oa` have.
    #[serde(default)]
    tokens: TokensFile,
    #[serde(default)]
    app: Vec<AppFile>,
    #[serde(default)]
    events: Events,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    socket_needs_key: bool,
    #[serde(default = "yes")]
    expose_keys: bool,
    #[serde(default)]
    qr_limit: Option<u32>,
    #[serde(default)]
    refs: Option<u32>,
    #[serde(default)]
    link_delay_ms: Option<u64>,
    #[serde(default)]
    reply_delay_ms: Option<u64>,
    #[serde(default)]
    tz_offset_s: i32,
    #[serde(default)]
    skew_s: f64,
    #[serde(default)]
    no_date: bool,
    #[serde(default)]
    metrics: Option<bool>,
    #[serde(default)]
    licence_required: bool,
    #[serde(default)]
    base_path: Option<String>,
    #[serde(default)]
    new_qr_form: bool,
    #[serde(default)]
    scans_after_s: Option<f64>,
    #[serde(default)]
    rotation_s: Option<f64>,
    #[serde(default)]
    futile_s: Option<f64>,
    /// Makes so many numbered accounts of one past, unless `--accounts` says otherwise.
    #[serde(default)]
    make: Option<Make>,
    #[serde(default)]
    instance: Vec<InstanceFile>,
}

fn yes() -> bool {
    true
}

impl Scenario {
    /// Every scenario, in the order of the help.
    ///
    /// # Errors
    /// When a built-in file is broken, which a test rules out.
    pub fn all() -> Result<Vec<Self>, toml::de::Error> {
        FILES.iter().map(|f| toml::from_str(f)).collect()
    }

    /// The scenario of that name.
    ///
    /// # Errors
    /// When a built-in file is broken.
    pub fn named(name: &str) -> Result<Option<Self>, toml::de::Error> {
        Ok(Self::all()?.into_iter().find(|s| s.name == name))
    }
}

impl GatewaySpec {
    /// The server it asks for; `accounts` overrides the number of made ones.
    pub(crate) fn part(&self, accounts: Option<usize>) -> Part {
        match self.kind {
            Kind::Evolution => Part::Evolution(Box::new(self.settings()), self.instances(accounts)),
            Kind::Wukongim => Part::Wukong(Box::new(self.wukong()), self.users(accounts)),
            Kind::AiBot => Part::AiBot(super::AiBotSettings::default(), self.aibot.clone()),
            Kind::Langbot => {
                let mut s = self.langbot.settings();
                s.reply_delay = self.reply_delay_ms.map_or(s.reply_delay, Duration::from_millis);
                s.date = if self.no_date { DateMode::Missing } else { DateMode::Skewed((self.skew_s * 1000.0) as i64) };
                Part::LangBot(Box::new(s), self.bot.iter().map(super::langbot::BotFile::spec).collect())
            }
            Kind::Wecom => self.tokens(Platform::Wecom, accounts),
            Kind::WechatOa => self.tokens(Platform::WechatOa, accounts),
            Kind::Telegram => {
                let delay = self.reply_delay_ms.map(Duration::from_millis);
                let (settings, accounts) = self.telegram.read((self.skew_s * 1000.0) as i64, seconds(self.scans_after_s), delay);
                Part::Telegram(Box::new(settings), accounts)
            }
        }
    }

    fn date(&self) -> DateMode {
        if self.no_date { DateMode::Missing } else { DateMode::Skewed((self.skew_s * 1000.0) as i64) }
    }

    fn tokens(&self, platform: Platform, accounts: Option<usize>) -> Part {
        let made = self.make.as_ref().map(|m| (m.prefix.as_str(), accounts.unwrap_or(m.count).min(MOST_ACCOUNTS)));
        part(platform, &self.tokens, &self.app, made, self.date(), self.reply_delay_ms.map(Duration::from_millis))
    }

    fn wukong(&self) -> WukongSettings {
        let mut s = WukongSettings::default();
        let w = &self.wukongim;
        s.version = w.version;
        s.version_text.clone_from(&w.version_text);
        s.token_auth_on = !w.token_auth_off;
        s.manager_token = if w.open { None } else { w.manager_token.clone().or(s.manager_token) };
        s.managers.clone_from(&w.managers);
        if !w.business.is_empty() {
            let all: Vec<String> = w.business.iter().map(|u| format!("{u:?}")).collect();
            s.config.push(("business", format!("[{}]", all.join(", "))));
            s.business_server = true;
            s.web_scan = seconds(self.scans_after_s).zip(w.business.first().cloned());
        }
        if !w.flags.is_empty() {
            let all: Vec<String> = w.flags.iter().map(|(name, n)| format!("{name} = {n}")).collect();
            s.config.push(("flags", format!("{{ {} }}", all.join(", "))));
        }
        s.reply_delay = self.reply_delay_ms.map_or(s.reply_delay, Duration::from_millis);
        s.date = self.date();
        s
    }

    fn users(&self, accounts: Option<usize>) -> Vec<UidSpec> {
        let device = |d: &DeviceFile| DeviceSpec {
            flag: d.flag,
            level: d.level,
            token: d.token.clone(),
            wiped: d.wiped,
            online: d.online.clone(),
            age: Duration::from_secs(d.age_s),
            up: Duration::from_secs(d.up_s),
        };
        let user = |u: &UserFile| UidSpec {
            uid: u.uid.clone(),
            devices: u.device.iter().map(device).collect(),
            ban: u.ban,
            send_ban: u.send_ban,
            system: u.system,
            fight: u.fight.as_ref().and_then(|f| {
                let every = seconds(Some(f.every_s))?;
                Some(FightSpec { flag: f.flag, level: f.level, devices: f.devices.clone(), every })
            }),
        };
        let mut out: Vec<_> = self.user.iter().map(user).collect();
        if let Some(make) = &self.make {
            let count = accounts.unwrap_or(make.count).min(MOST_ACCOUNTS);
            out.extend((1..=count).map(|n| {
                // A phone for everybody, a browser for every other one; every third phone is online.
                let age = Duration::from_secs(86_400 + n as u64 % 86_400);
                let phone =
                    DeviceSpec { level: 1, online: if n % 3 == 0 { vec![format!("phone-{n}")] } else { Vec::new() }, age, ..DeviceSpec::default() };
                let web =
                    DeviceSpec { flag: 1, online: if n % 10 == 0 { vec![format!("web-{n}")] } else { Vec::new() }, age, ..DeviceSpec::default() };
                let devices = if n % 2 == 0 { vec![phone, web] } else { vec![phone] };
                UidSpec { uid: format!("{}{n:05}", make.prefix), devices, ..UidSpec::default() }
            }));
        }
        out
    }

    /// The settings it asks for.
    pub(crate) fn settings(&self) -> Settings {
        let mut s = Settings::default();
        s.key = self.key.clone().unwrap_or(s.key);
        s.events = self.events;
        s.socket_needs_key = self.socket_needs_key;
        s.expose_keys = self.expose_keys;
        s.qr_limit = self.qr_limit.unwrap_or(s.qr_limit);
        s.refs = self.refs.unwrap_or(s.refs);
        s.link_delay = self.link_delay_ms.map_or(s.link_delay, Duration::from_millis);
        s.reply_delay = self.reply_delay_ms.map_or(s.reply_delay, Duration::from_millis);
        s.tz_offset_s = self.tz_offset_s;
        s.date = self.date();
        s.metrics = self.metrics.unwrap_or(s.metrics);
        s.licence_required = self.licence_required;
        s.base_path = self.base_path.clone().unwrap_or_default();
        s.new_qr_form = self.new_qr_form;
        s.scans_after = seconds(self.scans_after_s);
        s.timing.rotation = seconds(self.rotation_s).unwrap_or(s.timing.rotation);
        s.timing.futile = seconds(self.futile_s).unwrap_or(s.timing.futile);
        s
    }

    /// The instances it asks for; `accounts` overrides the number of made ones.
    pub(crate) fn instances(&self, accounts: Option<usize>) -> Vec<InstanceSpec> {
        let subscribed = self.events == Events::PerInstance;
        let mut out: Vec<_> = self
            .instance
            .iter()
            .map(|i| InstanceSpec {
                name: i.name.clone(),
                past: i.past,
                number: i.number.clone(),
                profile: i.profile.clone(),
                link_delay: i.link_delay_ms.map(Duration::from_millis),
                scans_after: if i.never_scans { Some(None) } else { i.scans_after_s.map(|s| seconds(Some(s))) },
                subscribed: i.subscribed.unwrap_or(subscribed),
                idle: Duration::from_secs(i.idle_s),
                deleted_after: i.deleted_after_s.map(Duration::from_secs),
            })
            .collect();
        if let Some(make) = &self.make {
            let count = accounts.unwrap_or(make.count).min(MOST_ACCOUNTS);
            out.extend((1..=count).map(|n| InstanceSpec {
                name: format!("{}{n:05}", make.prefix),
                past: make.past,
                subscribed,
                idle: Duration::from_secs(n as u64 % 86_400),
                ..InstanceSpec::default()
            }));
        }
        out
    }
}

fn seconds(s: Option<f64>) -> Option<Duration> {
    s.and_then(|s| Duration::try_from_secs_f64(s).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::{super::settings::Past, *};

    #[test]
    fn every_built_in_scenario_can_be_read_and_found_by_its_name() {
        let all = Scenario::all().unwrap();
        assert_eq!(all.len(), FILES.len());
        for s in all {
            assert!(!s.gateway.is_empty(), "{} has no gateway", s.name);
            assert!(Scenario::named(&s.name).unwrap().is_some());
            assert!(!s.about_en.is_empty() && !s.about_zh.is_empty());
        }
    }

    #[test]
    fn the_demo_has_twelve_accounts_on_two_gateways() {
        let demo = Scenario::named("demo").unwrap().unwrap();
        let names: Vec<_> = demo.gateway.iter().map(|g| g.name.as_str()).collect();
        assert_eq!(names, ["wa-sp", "wa-eu"]);
        assert_eq!(demo.gateway.iter().map(|g| g.instances(None).len()).sum::<usize>(), 12);
    }

    #[test]
    fn the_accounts_that_the_tour_pairs_need_a_code_and_one_row_was_taken_over() {
        let demo = Scenario::named("demo").unwrap().unwrap();
        let all: Vec<_> = demo.gateway.iter().flat_map(|g| g.instances(None)).collect();
        let past = |name: &str| all.iter().find(|i| i.name == name).map(|i| i.past);
        assert_eq!(past("shop-centro"), Some(Past::New));
        assert_eq!(past("suporte"), Some(Past::New), "a kept session would come online and never show the tour's QR");
        assert_eq!(past("shop-mooca"), Some(Past::LoggedOut));
        assert_eq!(past("shop-berlin"), Some(Past::New));
        assert!(all.iter().any(|i| i.past == Past::Replaced), "the demo shows a session that another client took over");
    }
}

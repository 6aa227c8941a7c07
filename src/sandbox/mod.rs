//! The sandbox room: in-process servers that speak the real wire protocols, quirks and faults included. `pairdeck demo` and the
//! tests use the same ones, and `pairdeck sandbox` serves them to outsiders, so their own clients are its judges.
//!
//! What may not happen here: an answer kinder than the real server's; a listener that is not loopback; anything unbounded;
//! anything that outlives the process.

mod aibot;
mod broken;
mod chance;
mod clock;
mod control;
pub(crate) mod evolution;
mod fault;
pub mod json;
mod langbot;
mod log;
mod scenario;
mod scenario_rows;
mod serve;
mod server;
mod settings;
mod sha1;
mod shell;
mod sntp;
mod telegram;
mod wecom;
mod wukongim;

pub use aibot::{AiBot, AiBotSettings, AiBotSpec, Refusal, Subscriber, Tally};
pub use broken::Dropped;
pub use clock::Clock;
pub use evolution::{Event, Gateway, Link, Refused};
pub use fault::Fault;
pub use langbot::{
    BotRow, BotSpec, FarSide, Flow, KeySpec, LangBot, LangBotSettings, LangBotTiming, LogLine, NoScan, Owner, PastLine, SCOPES, Scan, SessionRow,
};
pub use log::{Count, Request};
pub use scenario::{MOST_ACCOUNTS, Scenario};
pub(crate) use server::Servers;
pub use server::{GatewayInfo, Part, Server};
pub use settings::{DateMode, Events, InstanceSpec, Past, Settings, Timing};
pub use sntp::{Sntp, SntpFault, SntpSettings};
pub use telegram::{
    APP as TELEGRAM_APP, Hostile as TelegramHostile, Telegram, TelegramAccount, TelegramCall, TelegramConn, TelegramCounts, TelegramDevice,
    TelegramSession, TelegramSettings,
};
pub use wecom::{AppSpec, Fetches, ForeignSpec, Limit, Limits, Only, Platform, Repeated, Sent, Stale, TokenFault, TokenServer, TokenSettings};
pub use wukongim::{
    DeviceRow, DeviceSpec, FightSpec, Manager, Manner, NoLogin, Port, Session, Stored, UidSpec, Version, Wukong, WukongSettings, WukongTiming,
};

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen. The port is for the first gateway; 0 takes any. The others and the control API take any.
    pub listen: SocketAddr,
    /// A name of [`Scenario::all`].
    pub scenario: String,
    /// How many accounts the scenario makes, where it makes any; at most [`MOST_ACCOUNTS`].
    pub accounts: Option<usize>,
    /// Moves the clock of every gateway by so many seconds more, positive when the gateway is ahead.
    pub skew_s: f64,
    /// For a run that can be repeated.
    pub seed: Option<u64>,
    /// The sandbox's clock.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            scenario: "demo".to_owned(),
            accounts: None,
            skew_s: 0.0,
            seed: None,
            clock: Clock::System,
        }
    }
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No such scenario.
    #[error("there is no scenario {0:?}")]
    NoScenario(String),
    /// A built-in scenario is broken.
    #[error("a built-in scenario cannot be read: {0}")]
    BadScenario(#[from] toml::de::Error),
    /// The address cannot be used.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// Running servers. Dropping it ends them.
#[derive(Debug)]
pub struct Sandbox {
    servers: Servers,
    evolutions: Vec<Gateway>,
    control: String,
    cancel: CancellationToken,
    caught: Arc<AtomicU64>,
}

/// Starts the scenario on the current tokio runtime.
///
/// # Errors
/// [`SandboxError`]: an unknown scenario, or an address that cannot be used.
pub async fn start(options: Options) -> Result<Sandbox, SandboxError> {
    let scenario = Scenario::named(&options.scenario)?.ok_or_else(|| SandboxError::NoScenario(options.scenario.clone()))?;
    let ahead = |date: DateMode| match date {
        DateMode::Skewed(ms) => DateMode::Skewed(ms + (options.skew_s * 1000.0) as i64),
        other => other,
    };
    let parts = scenario.gateway.iter().map(|g| {
        let mut part = g.part(options.accounts);
        match &mut part {
            Part::Evolution(s, _) => s.date = ahead(s.date),
            Part::Wukong(s, _) => s.date = ahead(s.date),
            Part::LangBot(s, _) => s.date = ahead(s.date),
            // Nothing of it shows a clock.
            Part::AiBot(..) => {}
            Part::Tokens(s, _) => s.date = ahead(s.date),
            Part::Telegram(s, _) => s.skew_ms += (options.skew_s * 1000.0) as i64,
        }
        (g.name.clone(), part)
    });
    Sandbox::with(parts.collect(), &options).await
}

impl Sandbox {
    /// Starts gateways of one's own making: name, settings, instances.
    ///
    /// # Errors
    /// [`SandboxError::Listen`].
    pub async fn of(parts: Vec<(String, Settings, Vec<InstanceSpec>)>, options: &Options) -> Result<Self, SandboxError> {
        let parts = parts.into_iter().map(|(name, settings, instances)| (name, Part::Evolution(Box::new(settings), instances)));
        Self::with(parts.collect(), options).await
    }

    /// Starts servers of one's own making, of any kind.
    ///
    /// # Errors
    /// [`SandboxError::Listen`].
    pub async fn with(parts: Vec<(String, Part)>, options: &Options) -> Result<Self, SandboxError> {
        let cancel = CancellationToken::new();
        let guard = cancel.clone().drop_guard();
        let any = SocketAddr::new(options.listen.ip(), 0);
        // Paused test time leaps over any wait for a socket: idle connections would end at random.
        let idle = matches!(options.clock, Clock::System).then_some(serve::IDLE);
        let bind = async |at: SocketAddr| {
            let listener = serve::bind(at).await.map_err(|e| SandboxError::Listen(at, e))?;
            let local = listener.local_addr().map_err(|e| SandboxError::Listen(at, e))?;
            Ok::<_, SandboxError>((listener, local))
        };
        let (sink, sink_at) = bind(any).await?;
        let caught = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&caught);
        serve::spawn(sink, cancel.clone(), idle, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok(axum::http::Response::new(axum::body::Body::from("caught"))) }
        });
        let mut servers = Vec::new();
        for (n, (name, part)) in parts.into_iter().enumerate() {
            let (listener, local) = bind(if n == 0 { options.listen } else { any }).await?;
            let seed = options.seed.map(|s| s.wrapping_add(n as u64));
            match part {
                Part::Evolution(settings, instances) => {
                    let gateway = Gateway::new(&name, *settings, options.clock, seed, cancel.clone());
                    gateway.inner.listens(local, &format!("http://{sink_at}"));
                    gateway.seed(&instances);
                    let g = gateway.clone();
                    serve::spawn(listener, cancel.clone(), idle, move |r| {
                        let g = g.clone();
                        async move { g.handle(r).await }
                    });
                    servers.push(Server::Evolution(gateway));
                }
                Part::Wukong(settings, users) => {
                    let wukong = Wukong::new(&name, *settings, options.clock, seed, cancel.clone());
                    let (manager, manager_at) = bind(any).await?;
                    let (ws, ws_at) = bind(any).await?;
                    wukong.listens([local, manager_at, ws_at], &format!("http://{sink_at}"));
                    let mut ports = vec![(Port::Api, listener), (Port::Manager, manager), (Port::Ws, ws)];
                    if wukong.settings().business_server {
                        let (business, business_at) = bind(any).await?;
                        wukong.business_listens(business_at);
                        ports.push((Port::Business, business));
                    }
                    wukong.seed(&users);
                    for (port, listener) in ports {
                        let w = wukong.clone();
                        // Go keeps idle connections for ever.
                        serve::spawn(listener, cancel.clone(), None, move |r| {
                            let w = w.clone();
                            async move { w.handle(port, r).await }
                        });
                    }
                    servers.push(Server::Wukong(wukong));
                }
                Part::LangBot(settings, bots) => {
                    let langbot = LangBot::new(&name, *settings, options.clock, seed, cancel.clone());
                    langbot.inner.listens(local, &format!("http://{sink_at}"));
                    langbot.seed(&bots);
                    let l = langbot.clone();
                    serve::spawn(listener, cancel.clone(), idle, move |r| {
                        let l = l.clone();
                        async move { l.handle(r).await }
                    });
                    servers.push(Server::LangBot(langbot));
                }
                Part::AiBot(settings, bots) => {
                    let aibot = AiBot::new(&name, settings, &bots, options.clock, seed, cancel.clone());
                    aibot.listens(local);
                    let a = aibot.clone();
                    serve::spawn(listener, cancel.clone(), None, move |r| {
                        let a = a.clone();
                        async move { a.handle(r).await }
                    });
                    servers.push(Server::AiBot(aibot));
                }
                Part::Tokens(settings, apps) => {
                    let tokens = TokenServer::new(&name, *settings, options.clock, seed, cancel.clone());
                    tokens.inner.listens(local, &format!("http://{sink_at}"));
                    tokens.seed(&apps);
                    let t = tokens.clone();
                    serve::spawn(listener, cancel.clone(), idle, move |r| {
                        let t = t.clone();
                        async move { t.handle(r).await }
                    });
                    servers.push(Server::Tokens(tokens));
                }
                Part::Telegram(settings, accounts) => {
                    let telegram = Telegram::new(&name, *settings, options.clock, cancel.clone());
                    telegram.seed(&accounts);
                    let mut first = Some((listener, local));
                    for dc in telegram.wants() {
                        let (listener, at) = match first.take() {
                            Some(f) => f,
                            None => bind(any).await?,
                        };
                        telegram.open(dc, listener, at);
                    }
                    servers.push(Server::Telegram(telegram));
                }
            }
        }
        // Only now does every server have an address.
        let urls: Vec<(String, String)> = servers.iter().map(Server::info).map(|g| (g.name, g.url)).collect();
        for s in &servers {
            if let Server::LangBot(l) = s {
                l.tie(&urls);
            }
        }
        let servers: Servers = servers.into();
        let (listener, local) = bind(any).await?;
        let (all, hosts) = (Arc::clone(&servers), [local.to_string(), format!("localhost:{}", local.port())]);
        serve::spawn(listener, cancel.clone(), idle, move |r| control::answer(Arc::clone(&all), hosts.clone(), r));
        guard.disarm();
        let evolutions = servers.iter().filter_map(|s| if let Server::Evolution(g) = s { Some(g.clone()) } else { None }).collect();
        Ok(Self { servers, evolutions, control: format!("http://{local}"), cancel, caught })
    }

    /// What clients need to know.
    pub fn gateways(&self) -> Vec<GatewayInfo> {
        self.servers.iter().map(Server::info).collect()
    }

    /// The handle of one gateway of kind `evolution`.
    pub fn gateway(&self, name: &str) -> Option<&Gateway> {
        self.evolutions.iter().find(|g| g.name() == name)
    }

    /// The handles of all gateways of kind `evolution`.
    pub fn handles(&self) -> &[Gateway] {
        &self.evolutions
    }

    /// The handle of one server of kind `wukongim`.
    pub fn wukong(&self, name: &str) -> Option<&Wukong> {
        self.servers.iter().find_map(|s| if let Server::Wukong(w) = s { Some(w).filter(|w| w.name() == name) } else { None })
    }

    /// The handle of one server of kind `langbot`.
    pub fn langbot(&self, name: &str) -> Option<&LangBot> {
        self.servers.iter().find_map(|s| if let Server::LangBot(l) = s { Some(l).filter(|l| l.name() == name) } else { None })
    }

    /// The handle of one server of kind `wecom-aibot`.
    pub fn aibot(&self, name: &str) -> Option<&AiBot> {
        self.servers.iter().find_map(|s| if let Server::AiBot(a) = s { Some(a).filter(|a| a.name() == name) } else { None })
    }

    /// The handle of one server of kind `wecom` or `wechat-oa`.
    pub fn tokens(&self, name: &str) -> Option<&TokenServer> {
        self.servers.iter().find_map(|s| if let Server::Tokens(t) = s { Some(t).filter(|t| t.name() == name) } else { None })
    }

    /// The handle of one server of kind `telegram`.
    pub fn telegram(&self, name: &str) -> Option<&Telegram> {
        self.servers.iter().find_map(|s| if let Server::Telegram(t) = s { Some(t).filter(|t| t.name() == name) } else { None })
    }

    /// All servers, in the order of the scenario.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Where the control API listens.
    pub fn control(&self) -> &str {
        &self.control
    }

    /// How many requests followed a redirect to the sink. A good client never does.
    pub fn caught(&self) -> u64 {
        self.caught.load(Ordering::Relaxed)
    }

    /// Counts of all gateways.
    pub fn requests(&self) -> Vec<Count> {
        self.servers.iter().flat_map(Server::requests).collect()
    }

    /// The first line on stdout of `pairdeck sandbox`, made-up credentials included.
    pub fn announce(&self, home: Option<&Path>) -> serde_json::Value {
        let gateways: Vec<_> = self
            .servers
            .iter()
            .map(|s| {
                let mut g = s.info();
                if let Server::Telegram(t) = s {
                    g.credentials.extend(t.passwords());
                }
                let credentials: serde_json::Map<_, _> = g.credentials.iter().map(|(k, v)| (k.clone(), v.expose().into())).collect();
                let mut out = serde_json::json!({ "name": g.name, "kind": g.kind, "url": g.url, "credentials": credentials });
                for (key, value) in g.more.into_iter().filter(|(k, _)| k.ends_with("_url") || matches!(*k, "user" | "bot_id")) {
                    out[key] = value.trim_matches('"').into();
                }
                out
            })
            .collect();
        serde_json::json!({ "v": 1, "gateways": gateways, "control": self.control, "home": home.map(|h| h.display().to_string()) })
    }

    /// Resolves when it was ended.
    pub async fn ended(&self) {
        self.cancel.cancelled().await;
    }

    /// Ends everything. Connections close at once.
    pub fn shutdown(&self) {
        self.cancel.cancel();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

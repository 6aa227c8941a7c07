//! What every room of the engine shares: gateways with their rows, store, vault, gate, time.

use super::{
    adapters::{GateSamples, StoreMemo},
    alarm::Alarm,
    mailbox::{Mailbox, Toast},
    ntp::{self, Reference},
    shared::Common,
    tokens::Broker,
};
pub use super::{
    gateway::Gateway,
    parts::{Parts, Providers},
};
use crate::{
    clock::{Limits, floor::BUILD_FLOOR, gate::Gate},
    domain::{Action, Effect, GatewayId, Not, Reason, ReasonCode, Row, Secret, Target, Time},
    i18n::Message,
    providers::{ANY_SECRET, Cx, GatewayFacts, http},
    store::{Store, config},
    vault::{Source, Vault, VaultState},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

/// Everything that the rooms of the engine share.
pub struct World {
    pub(super) store: Store,
    pub(super) vault: Vault,
    pub(super) time: Arc<dyn Time>,
    pub(super) mailbox: Mailbox,
    pub(super) gate: Arc<Gate>,
    pub(super) alarm: Arc<Alarm>,
    pub(super) read_only: bool,
    owner: Box<str>,
    /// The lock of a process that could take none at its start.
    late: Mutex<Option<crate::store::locks::ProcessLock>>,
    pub(super) paths: crate::store::Paths,
    pub(super) stop: CancellationToken,
    pub(super) providers: Providers,
    _lock: Option<crate::store::locks::ProcessLock>,
    pub(super) clock: config::Clock,
    pub(super) reference: Reference,
    pub(super) common: Common,
    pub(super) locked: AtomicBool,
    pub(super) following: AtomicBool,
    pub(super) tokens: Broker,
    pub(super) meter: super::metrics::Meter,
    gateways: RwLock<BTreeMap<GatewayId, Arc<Gateway>>>,
    pairing: Mutex<HashSet<String>>,
    acting: Mutex<HashSet<String>>,
    reconfigured: Arc<Mutex<HashSet<GatewayId>>>,
    /// Rows that stand on a screen from an older reading of the store.
    pub(super) drawn: Mutex<Vec<Target>>,
    /// A follow-up was left for later.
    pub(super) owed: tokio::sync::Notify,
}

pub(super) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Builds the shared state. Nothing is asked of any server, and the vault is not opened yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let floor = parts.store.floor().map_or(BUILD_FLOOR, |saved| saved.max(BUILD_FLOOR));
        let world = Arc::new_cyclic(|me| Self {
            tokens: Broker::new(me.clone()),
            meter: Default::default(),
            gate: Arc::new(Gate::with_floor(parts.time.clone(), floor)),
            reference: Reference::new(&parts.clock.ntp),
            common: Common::new(parts.shared),
            alarm: Arc::default(),
            store: parts.store,
            vault: parts.vault,
            time: parts.time,
            mailbox: parts.mailbox,
            read_only: parts.read_only,
            owner: parts.owner,
            late: Mutex::new(None),
            _lock: parts.lock,
            paths: parts.paths,
            stop: CancellationToken::new(),
            providers: parts.providers,
            clock: parts.clock,
            locked: AtomicBool::new(true),
            following: AtomicBool::new(false),
            gateways: RwLock::new(BTreeMap::new()),
            pairing: Mutex::new(HashSet::new()),
            acting: Mutex::new(HashSet::new()),
            reconfigured: Arc::default(),
            drawn: Mutex::new(parts.drawn),
            owed: tokio::sync::Notify::new(),
        });
        world.gate.expect_zone(None, world.clock.expect_timezone.as_deref());
        for (rank, g) in parts.gateways.into_iter().enumerate() {
            world.insert(g, rank);
        }
        world
    }

    /// The name that this process's ops carry: that of the lock that it holds, or of one that it takes now, where the folder took none at
    /// its start. `None`: it still takes none, and nothing may be begun that others would take for a dead process's.
    pub(super) fn owner(&self) -> Option<Box<str>> {
        if !self.owner.is_empty() {
            return Some(self.owner.clone());
        }
        let mut late = lock(&self.late);
        if late.is_none() {
            *late = crate::store::locks::ProcessLock::take(&self.paths).ok();
        }
        late.as_ref().map(|l| l.name().into())
    }

    /// Adds a configured gateway. `None` when its kind is not known here.
    pub(super) fn insert(&self, settings: config::Gateway, rank: usize) -> Option<Arc<Gateway>> {
        let gateway = self.build(settings, rank)?;
        // A name that was there before may mean another address now.
        self.gate.changed(&gateway.id);
        self.gateways.write().unwrap_or_else(PoisonError::into_inner).insert(gateway.id.clone(), gateway.clone());
        Some(gateway)
    }

    /// Takes a gateway away that the operator's file names no more: its watch ends, its rows go.
    pub(super) fn take_out(&self, id: &GatewayId) -> Option<Arc<Gateway>> {
        let old = self.gateways.write().unwrap_or_else(PoisonError::into_inner).remove(id)?;
        old.stop.cancel();
        self.gate.forget(id);
        Some(old)
    }

    /// True while an op of this process is to take over itself what it wrote about this gateway.
    pub(super) fn is_reconfigured(&self, id: &GatewayId) -> bool {
        lock(&self.reconfigured).contains(id)
    }

    /// Takes over what an op of this process wrote into the operator's file about this gateway. Its client, rows and secrets stay; its
    /// old watch ends. `None`: nothing was written, or nothing about this one.
    pub fn reconfigure(&self, id: &GatewayId) -> Option<Arc<Gateway>> {
        if !lock(&self.reconfigured).remove(id) {
            return None;
        }
        let settings = config::Config::load(&self.paths.config).ok()?.gateway(id.as_str())?.clone();
        let old = self.gateway(id).filter(|old| *old.settings != settings)?;
        Some(self.put_under(&old, settings))
    }

    /// The same gateway under other settings: its client, its rows and its secrets stay; its old watch ends.
    pub(super) fn put_under(&self, old: &Gateway, settings: config::Gateway) -> Arc<Gateway> {
        let new = Arc::new(old.under(settings, self.stop.child_token()));
        self.gateways.write().unwrap_or_else(PoisonError::into_inner).insert(new.id.clone(), new.clone());
        old.stop.cancel();
        new
    }

    /// A gateway that is not listed, with a first secret that is not stored: to try out what was typed.
    pub(super) fn trial(&self, settings: config::Gateway, secret: Secret) -> Option<Arc<Gateway>> {
        self.trial_with(settings, None, secret)
    }

    /// The same; `name`: which of its secrets that is, where it is not the first.
    pub(super) fn trial_with(&self, settings: config::Gateway, name: Option<&str>, secret: Secret) -> Option<Arc<Gateway>> {
        let gateway = self.build(settings, usize::MAX)?;
        let first = gateway.spec.secrets.first().filter(|s| !(s.optional && secret.is_empty())).map(|s| s.name);
        if let Some(name) = name.or(first) {
            lock(&gateway.state).secrets.insert(name.to_owned(), secret);
        }
        Some(gateway)
    }

    fn build(&self, settings: config::Gateway, rank: usize) -> Option<Arc<Gateway>> {
        let provider = (self.providers)(&settings.kind)?;
        let id = GatewayId::new(&settings.name);
        let spec = provider.spec();
        let limits = settings.clock_limits.or(self.clock.limits).map_or(spec.limits, |(ok_s, blocked_s)| Limits { ok_s, blocked_s });
        self.gate.limits(&id, limits);
        self.gate.expect_zone(Some(&id), settings.expect_timezone.as_deref());
        let stop = self.stop.child_token();
        Some(Arc::new(Gateway::new(settings, spec, provider, rank, stop)))
    }

    /// Opens the vault as far as that goes without a person, and waits for the outcome.
    pub async fn open_vault(&self) -> VaultState {
        let mut state = self.vault.watch();
        self.vault.open_in_background();
        match state.wait_for(|s| !matches!(s, VaultState::Opening)).await {
            Ok(s) => s.clone(),
            Err(_) => self.vault.state(),
        }
    }

    /// An open vault for the first secret. Where there is none yet it is made: with `passphrase` if one was given, else in
    /// the keyring. Never in a weaker place unasked. Its making is a line of the audit, as that of one that was asked for.
    ///
    /// # Errors
    /// [`ReasonCode::KeyringAbsent`] when no keyring answers and a passphrase must be chosen; else why it does not open.
    pub async fn ensure_vault(&self, passphrase: Option<Secret>) -> Result<(), Reason> {
        let state = match self.vault.state() {
            VaultState::Opening => self.open_vault().await,
            state => state,
        };
        let source = if passphrase.is_some() { Source::Passphrase } else { Source::Keyring };
        match state {
            VaultState::Open(_) => return Ok(()),
            VaultState::Absent => {}
            VaultState::Locked(why) => return Err(why),
            VaultState::Opening => return Err(self.why_shut()),
        }
        let line = |well| super::ops::vault_line(&*self.time, "init", &source.made(well));
        let why = match self.vault.create_noted(source, passphrase, Some(line(true))).await {
            Ok(()) => return Ok(()),
            Err(why) => why,
        };
        let _ = self.store.audit(line(false)).await;
        match self.open_vault().await {
            // Another process was faster: its vault is this one's too.
            VaultState::Open(_) => Ok(()),
            VaultState::Locked(other) => Err(other),
            _ if source == Source::Keyring => Err(Reason { code: ReasonCode::KeyringAbsent, ..why }),
            _ => Err(why),
        }
    }

    /// Every gateway.
    pub fn gateways(&self) -> Vec<Arc<Gateway>> {
        let mut all: Vec<_> = self.gateways.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by_key(|g| g.rank);
        all
    }

    /// One gateway.
    pub fn gateway(&self, id: &GatewayId) -> Option<Arc<Gateway>> {
        self.gateways.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The gate.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Clocks.
    pub fn time(&self) -> &Arc<dyn Time> {
        &self.time
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The vault.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Where news goes.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// The one owner of the tokens of all gateways.
    pub fn tokens(&self) -> &Broker {
        &self.tokens
    }

    /// True while secrets cannot be used.
    pub fn locked(&self) -> bool {
        self.locked.load(Ordering::Relaxed)
    }

    /// What a provider gets for one call or one task of this gateway.
    ///
    /// # Errors
    /// The gateway's settings do not allow any call: plain http to another host, a CA file that cannot be read. Or a secret of its
    /// own is there and does not open: [`ReasonCode::StoreBroken`].
    pub fn cx(&self, gateway: &Arc<Gateway>, cancel: CancellationToken) -> Result<Cx, Reason> {
        if let Some(why) = gateway.sealed_shut() {
            return Err(why);
        }
        // Built at the first call, not at start: reading the system's certificates takes longer than the first frame may.
        let (secrets, mut broken) = {
            let state = lock(&gateway.state);
            (state.secrets.clone(), state.broken.clone())
        };
        if let Some(why) = self.damage() {
            broken.insert(ANY_SECRET.to_owned(), why);
        }
        let http = gateway.http.get_or_init(|| http::Client::new(&gateway.settings).map(Arc::new)).clone();
        Ok(Cx {
            gateway: gateway.id.clone(),
            settings: gateway.settings.clone(),
            http: http.map_err(|why| why.with("gateway", gateway.id.as_str()))?,
            secrets,
            broken: Arc::new(broken),
            time: self.time.clone(),
            fingerprint_key: self.store.fingerprint_key(),
            cancel,
            memo: Arc::new(StoreMemo {
                store: self.store.clone(),
                gateway: gateway.id.clone(),
                time: self.time.clone(),
                read_only: self.read_only,
                reconfigured: self.reconfigured.clone(),
            }),
            samples: Arc::new(GateSamples {
                gateway: gateway.id.clone(),
                elsewhere: ntp::is_elsewhere(&gateway.settings.url),
                gate: self.gate.clone(),
                store: self.store.clone(),
                mailbox: self.mailbox.clone(),
                alarm: self.alarm.clone(),
            }),
            tokens: Arc::new(self.tokens.clone()),
            seen: gateway.attention.subscribe(),
        })
    }

    /// Whether `action` can be done to `row`, with all reasons that stand above the provider's.
    pub fn can(&self, row: &Row, action: &Action, facts: &GatewayFacts) -> Result<Effect, Not> {
        if self.read_only {
            return Err(Not::ReadOnly);
        }
        let Some(gateway) = self.gateway(&row.gateway) else { return Err(Not::Trouble(Reason::new(ReasonCode::Gone))) };
        let effect = gateway.provider.can(row, action, facts)?;
        if self.locked() { Err(self.not_open()) } else { Ok(effect) }
    }

    /// That secrets cannot be used: a locked keyring by its own word, everything else with its reason.
    fn not_open(&self) -> Not {
        let why = self.why_shut();
        if why.code == ReasonCode::VaultLocked && why.args.is_empty() { Not::Locked } else { Not::Trouble(why) }
    }

    /// The row of a target as last observed.
    pub fn row(&self, target: &Target) -> Option<Row> {
        let gateway = self.gateway(&target.gateway)?;
        let state = lock(&gateway.state);
        state.book.get(&target.account, target.device.as_ref()).cloned()
    }

    /// Every row of every gateway, in the order of the configuration.
    pub fn rows(&self) -> Vec<Row> {
        self.gateways().iter().flat_map(|g| lock(&g.state).book.all()).collect()
    }

    /// Puts a short line of news before the operator.
    pub(super) fn toast(&self, good: bool, text: Message, target: Option<Target>) {
        let at = self.time.now();
        self.mailbox.put(|m| m.toasts.push(Toast { good, text, target, at }));
    }

    /// Takes bad news back that was told in these words: it is so no more.
    pub(super) fn over(&self, words: &'static crate::i18n::Words) {
        self.mailbox.put(|m| {
            m.toasts.retain(|t| t.text.words != words);
            m.over.push(words);
        });
    }

    /// Notes that an attempt of ours is under way for this target, or no longer.
    pub(super) fn set_pairing(&self, target: &Target, on: bool) {
        let mut set = lock(&self.pairing);
        if on {
            set.insert(target.id());
        } else {
            set.remove(&target.id());
        }
    }

    /// Notes that an op of ours is under way for this target, or no longer: what it changes is no news.
    pub(super) fn set_acting(&self, target: &Target, on: bool) {
        let mut set = lock(&self.acting);
        if on {
            set.insert(target.id());
        } else {
            set.remove(&target.id());
        }
    }

    /// True while pairdeck itself changes this target.
    pub(super) fn is_ours(&self, target: &Target) -> bool {
        self.is_pairing(target) || lock(&self.acting).contains(&target.id())
    }

    /// True while an attempt of ours is under way for this target.
    pub(super) fn is_pairing(&self, target: &Target) -> bool {
        let set = lock(&self.pairing);
        !set.is_empty() && set.contains(&target.id())
    }
}

/// Name of a gateway's secret in the store.
pub fn secret_name(gateway: &GatewayId, secret: &str) -> String {
    format!("gateway/{}/{secret}", gateway.as_str())
}

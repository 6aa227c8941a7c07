//! One gateway as the engine holds it: its settings, its client, and what was heard of it last.

use super::{mailbox::GatewayView, rows::Book, world::lock};
use crate::{
    domain::{Clean, GatewayId, Link, Reason, Secrets},
    providers::{Attention, GatewayFacts, KindSpec, Provider, http},
    store::config,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, atomic::AtomicBool},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// One gateway as the engine holds it.
pub struct Gateway {
    /// Its name.
    pub id: GatewayId,
    /// Its kind.
    pub spec: &'static KindSpec,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) settings: Arc<config::Gateway>,
    pub(super) rank: usize,
    pub(super) http: OnceLock<Result<Arc<http::Client>, Reason>>,
    pub(super) attention: watch::Sender<Attention>,
    pub(super) stop: CancellationToken,
    /// Told when its secrets were replaced by another process: its watch begins anew with them.
    pub(super) anew: watch::Sender<()>,
    /// A task watches it.
    pub(super) watched: AtomicBool,
    pub(super) state: Mutex<GatewayState>,
}

/// What changes about it.
pub(super) struct GatewayState {
    pub(super) link: Link,
    facts: GatewayFacts,
    stale: bool,
    pub(super) secrets: Secrets,
    /// Secrets that are there and do not open, by their names, with why.
    pub(super) broken: BTreeMap<String, Reason>,
    pub(super) book: Book,
}

impl Gateway {
    /// A gateway of which nothing is known yet.
    pub(super) fn new(settings: config::Gateway, spec: &'static KindSpec, provider: Arc<dyn Provider>, rank: usize, stop: CancellationToken) -> Self {
        Self {
            id: GatewayId::new(&settings.name),
            spec,
            provider,
            rank,
            http: OnceLock::new(),
            settings: Arc::new(settings),
            attention: watch::Sender::new(Attention::default()),
            stop,
            anew: watch::Sender::new(()),
            watched: AtomicBool::new(false),
            state: Mutex::new(GatewayState {
                link: Link::unknown(),
                // Whole until a provider tells otherwise: a headless command hears no watch, and a plan proves its right itself.
                facts: GatewayFacts { whole: true, ..GatewayFacts::default() },
                stale: true,
                secrets: Secrets::new(),
                broken: BTreeMap::new(),
                book: Book::default(),
            }),
        }
    }

    /// The same gateway under other settings: what is known of it stays.
    pub(super) fn under(&self, settings: config::Gateway, stop: CancellationToken) -> Self {
        let new = Self::new(settings, self.spec, self.provider.clone(), self.rank, stop);
        new.attention.send_replace(self.attention.borrow().clone());
        {
            let (mut to, from) = (lock(&new.state), lock(&self.state));
            (to.link, to.facts, to.stale) = (from.link.clone(), from.facts.clone(), from.stale);
            (to.secrets, to.broken, to.book) = (from.secrets.clone(), from.broken.clone(), from.book.clone());
        }
        new
    }

    /// What the gateway told about itself.
    pub fn facts(&self) -> GatewayFacts {
        lock(&self.state).facts.clone()
    }

    /// Takes over the version that it told somebody before, until it tells it here.
    pub(super) fn was(&self, version: Option<Clean>) -> bool {
        let facts = &mut lock(&self.state).facts;
        let news = version.is_some() && facts.version != version;
        if news {
            facts.version = version;
        }
        news
    }

    /// Its provider.
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// What the configuration says of it.
    pub fn settings(&self) -> &config::Gateway {
        &self.settings
    }

    /// Its own link.
    pub fn link(&self) -> Link {
        lock(&self.state).link.clone()
    }

    /// True when every secret that it cannot do without is loaded, or is there and does not open, which its calls tell.
    pub(super) fn has_secrets(&self) -> bool {
        let state = lock(&self.state);
        let there = |name| state.secrets.contains_key(name) || state.broken.contains_key(name);
        self.spec.secrets.iter().filter(|s| !s.optional).all(|s| there(s.name))
    }

    /// Why nothing can be asked of it: a secret of its own, not of one of its accounts, does not open.
    pub(super) fn sealed_shut(&self) -> Option<Reason> {
        let state = lock(&self.state);
        self.spec.secrets.iter().find_map(|s| state.broken.get(s.name).cloned())
    }

    /// As the deck shows it.
    pub fn view(&self) -> GatewayView {
        let state = lock(&self.state);
        GatewayView {
            id: self.id.clone(),
            spec: self.spec,
            link: state.link.clone(),
            facts: state.facts.clone(),
            plaintext: self.settings.url.starts_with("http://") && self.settings.allow_plaintext,
            stale: state.stale,
            rank: self.rank,
        }
    }

    pub(super) fn with_state<R>(&self, f: impl FnOnce(&mut Link, &mut GatewayFacts, &mut bool, &mut Book) -> R) -> R {
        let mut state = lock(&self.state);
        let GatewayState { link, facts, stale, book, .. } = &mut *state;
        f(link, facts, stale, book)
    }
}

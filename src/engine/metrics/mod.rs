//! Figures for Prometheus: what the watching process sees and does, read from memory at each question. Names of gateways and
//! accounts, fingerprints, counts; never a secret, never a server's text.
//!
//! Instants are absolute and counters are of this process. What stands in series is bounded: gateways times states, and
//! `MOST` tokens.

mod serve;
#[cfg(test)]
mod tests;

pub use serve::{bind, serve};

use super::world::{World, lock};
use crate::domain::{FactValue, Reason, ReasonCode, Row, State, Wall};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, atomic::AtomicU64},
};

/// Tokens that have series of their own; how many more there are is told.
const MOST: usize = 5_000;
/// Upper bounds of the durations of fetches, in seconds.
const BUCKETS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A gauge of seconds, which has fractions.
type Seconds = Gauge<f64, AtomicU64>;

/// Counts of what this process did, from its start.
pub(super) struct Meter {
    fetches: Mutex<BTreeMap<Fetched, u64>>,
    took: Histogram,
    fenced: Counter,
    leases: Family<Lease, Counter>,
}

impl Default for Meter {
    fn default() -> Self {
        Self { fetches: Mutex::default(), took: Histogram::new(BUCKETS), fenced: Counter::default(), leases: Family::default() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
struct Fetched {
    gateway: String,
    account: String,
    reason: &'static str,
    result: &'static str,
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lease {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    gateway: String,
    kind: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfToken {
    gateway: String,
    kind: &'static str,
    account: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPrint {
    gateway: String,
    account: String,
    fingerprint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStorm {
    gateway: String,
    account: String,
    evidence: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfGateway {
    gateway: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPhase {
    phase: String,
}

/// How a lease among hosts ended, for the count.
#[derive(Clone, Copy, Debug)]
pub(super) enum LeaseEnd {
    /// It was had.
    Won,
    /// Another host's token was taken over meanwhile.
    Shared,
    /// Not had in time.
    Timeout,
    /// Had, and lost before the end.
    Lost,
}

impl Meter {
    /// A request for a token ended; `error`: why there is none.
    pub(super) fn fetched(&self, at: (&str, &str), reason: &'static str, result: &'static str, error: Option<ReasonCode>, took: std::time::Duration) {
        let class = error.map_or("", class);
        let labels = Fetched { gateway: at.0.to_owned(), account: at.1.to_owned(), reason, result, class };
        let mut all = lock(&self.fetches);
        if all.len() < MOST * 4 || all.contains_key(&labels) {
            *all.entry(labels).or_default() += 1;
        }
        self.took.observe(took.as_secs_f64());
    }

    /// A turn among hosts ended.
    pub(super) fn lease(&self, end: LeaseEnd) {
        let result = match end {
            LeaseEnd::Won => "won",
            LeaseEnd::Shared => "shared",
            LeaseEnd::Timeout => "timeout",
            LeaseEnd::Lost => "lost",
        };
        self.leases.get_or_create(&Lease { result }).inc();
        if matches!(end, LeaseEnd::Lost) {
            self.fenced.inc();
        }
    }
}

/// What a failed request was about: a class, not a code, so that the number of series is bounded.
const fn class(code: ReasonCode) -> &'static str {
    use ReasonCode as C;
    match code {
        C::CredentialRefused | C::CredentialMissing | C::WrongId | C::AppDisabled | C::ApiForbidden => "credential",
        C::TokenRejected | C::TokenRejectedAgain | C::TokenExpired | C::WrongApp => "token",
        C::RateLimited | C::QuotaUsed => "rate",
        C::AddressNotTrusted => "ip",
        C::PlatformUnavailable | C::Busy | C::ServerError => "busy",
        C::ClockBlocked | C::ClockMoved | C::ClockUnknown => "clock",
        _ => "network",
    }
}

fn seconds(at: Wall) -> f64 {
    at.0 as f64 / 1000.0
}

/// Everything, in the text format that Prometheus reads.
pub async fn text(world: &World) -> String {
    let mut registry = Registry::with_prefix("pairdeck");
    links(world, &mut registry);
    tokens(world, &mut registry);
    counts(world, &mut registry);
    clocks(world, &mut registry);
    let ops: Family<OfPhase, Gauge> = Family::default();
    for (phase, n) in world.store.op_counts().await.unwrap_or_default() {
        ops.get_or_create(&OfPhase { phase }).set(i64::try_from(n).unwrap_or(i64::MAX));
    }
    registry.register("ops", "Destructive actions in the journal by phase", ops);
    if world.is_sharing() {
        let up = Gauge::<i64>::default();
        up.set(i64::from(world.shared_trouble().is_none()));
        registry.register("shared_store_up", "1 while the store that hosts share answers", up);
    }
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut out, &registry);
    out
}

fn links(world: &World, registry: &mut Registry) {
    let (links, up) = (Family::<OfState, Gauge>::default(), Family::<OfGateway, Gauge>::default());
    for gateway in world.gateways() {
        let name = gateway.id.as_str().to_owned();
        // Of one that is never asked neither 1 nor 0 is true.
        if gateway.provider().is_asked() {
            up.get_or_create(&OfGateway { gateway: name.clone() }).set(i64::from(gateway.link().state == State::Online));
        }
        // All states, so that one that is left reads nought and does not stand still.
        for state in State::ALL {
            links.get_or_create(&OfState { gateway: name.clone(), kind: gateway.spec.kind, state: state.name() }).set(0);
        }
    }
    for row in world.rows() {
        let Some(gateway) = world.gateway(&row.gateway) else { continue };
        let labels = OfState { gateway: row.gateway.as_str().to_owned(), kind: gateway.spec.kind, state: row.link.state.name() };
        links.get_or_create(&labels).inc();
    }
    registry.register("links", "Accounts and devices by state", links);
    registry.register("gateway_up", "1 while the gateway answers", up);
}

fn tokens(world: &World, registry: &mut Registry) {
    let (dies, born): (Family<OfToken, Seconds>, Family<OfToken, Seconds>) = (Family::default(), Family::default());
    let life: Family<OfToken, Seconds> = Family::default();
    let (info, storms): (Family<OfPrint, Gauge>, Family<OfStorm, Gauge>) = (Family::default(), Family::default());
    let omitted = Gauge::<i64>::default();
    let now = world.time.now().wall;
    let mut n = 0;
    for row in world.rows() {
        let Some((token, expires)) = row.tokens.first().and_then(|t| t.expires_at.map(|at| (t, at))) else { continue };
        n += 1;
        if n > MOST {
            omitted.inc();
            continue;
        }
        let (gateway, account) = (row.gateway.as_str().to_owned(), row.account.as_str().to_owned());
        let kind = world.gateway(&row.gateway).map_or("", |g| g.spec.kind);
        let labels = OfToken { gateway: gateway.clone(), kind, account: account.clone() };
        dies.get_or_create(&labels).set(seconds(expires));
        life.get_or_create(&labels).set((seconds(expires) - seconds(now)).max(0.0));
        if let Some(at) = token.issued_at {
            born.get_or_create(&labels).set(seconds(at));
        }
        info.get_or_create(&OfPrint { gateway: gateway.clone(), account: account.clone(), fingerprint: token.fingerprint.to_string() }).set(1);
        if let Some((evidence, count)) = storm(&row) {
            storms.get_or_create(&OfStorm { gateway, account, evidence }).set(count);
        }
    }
    registry.register_with_unit("token_expiration_timestamp", "When the token dies, as Unix time", Unit::Seconds, dies);
    registry.register_with_unit("token_issued_timestamp", "When the token was issued, as Unix time", Unit::Seconds, born);
    registry.register_with_unit("token_life", "What is left of the token's life", Unit::Seconds, life);
    registry.register("token_info", "The fingerprint of the token, never the token", info);
    registry.register("token_storm", "Others hold the secret or clients loop: how often that was seen in ten minutes", storms);
    registry.register("tokens_omitted", "Tokens beyond the bound, which have no series", omitted);
}

/// The storm that a row tells of, if it does: the evidence and its count.
fn storm(row: &Row) -> Option<(String, i64)> {
    let reason: &Reason = row.link.reason.as_ref().filter(|r| r.code == ReasonCode::TokenStorm)?;
    let seen = row.facts.iter().find_map(|f| match f.value {
        FactValue::Count(n) if f.key == "fetches_10min" => i64::try_from(n).ok(),
        _ => None,
    });
    Some((reason.arg("evidence")?.to_owned(), reason.arg("n").and_then(|n| n.parse().ok()).or(seen).unwrap_or(0)))
}

fn counts(world: &World, registry: &mut Registry) {
    let meter = &world.meter;
    let (fetches, errors) = (Family::<Plain, Counter>::default(), Family::<Classed, Counter>::default());
    for (f, n) in lock(&meter.fetches).iter() {
        let labels = Plain { gateway: f.gateway.clone(), account: f.account.clone(), reason: f.reason, result: f.result };
        fetches.get_or_create(&labels).inc_by(*n);
        if !f.class.is_empty() {
            errors.get_or_create(&Classed { gateway: f.gateway.clone(), account: f.account.clone(), class: f.class }).inc_by(*n);
        }
    }
    registry.register("token_fetches", "Requests for a token by this process", fetches);
    registry.register("token_fetch_errors", "Those that brought none, by what was the matter", errors);
    registry.register_with_unit("token_fetch_duration", "How long requests for a token took", Unit::Seconds, meter.took.clone());
    registry.register("token_lease", "Turns among hosts, by how they ended", meter.leases.clone());
    registry.register("token_fenced_writes", "Writes that came too late and were refused", meter.fenced.clone());
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Plain {
    gateway: String,
    account: String,
    reason: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Classed {
    gateway: String,
    account: String,
    class: &'static str,
}

fn clocks(world: &World, registry: &mut Registry) {
    let (offset, checked): (Family<OfGateway, Seconds>, Family<OfGateway, Seconds>) = (Family::default(), Family::default());
    for gateway in world.gateways() {
        let view = world.gate.view(&gateway.id);
        let Some(skew) = &view.remote.skew else { continue };
        let labels = OfGateway { gateway: gateway.id.as_str().to_owned() };
        offset.get_or_create(&labels).set(skew.mid() as f64 / 1000.0);
        checked.get_or_create(&labels).set(seconds(view.at.wall));
    }
    registry.register_with_unit("clock_offset", "Gateway minus host, positive when the gateway is ahead", Unit::Seconds, offset);
    registry.register_with_unit("clock_checked_timestamp", "When that was concluded, as Unix time", Unit::Seconds, checked);
}

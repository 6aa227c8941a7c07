//! The servers that these tests talk to.

use crate::support::house::{Home, Servers, instance, quick};
use pairdeck::sandbox::{InstanceSpec, Past, Settings};
use std::time::Duration;

pub const WA_KEY: &str = "CANARY-wa-7c1f20e5d3";
pub const EU_KEY: &str = "CANARY-eu-09b4aa6173";

/// An account whose phone scans so long after the first fresh code.
pub fn scanning(name: &str, past: Past, after_ms: u64) -> InstanceSpec {
    InstanceSpec { scans_after: Some(Some(Duration::from_millis(after_ms))), ..instance(name, past) }
}

/// Two gateways: `wa` with one account of each past, `eu` with a namesake.
pub fn two() -> (Servers, Home) {
    let wa = vec![
        scanning("shop-new", Past::New, 60),
        instance("shop-on", Past::Online),
        scanning("shop-out", Past::LoggedOut, 60),
        instance("shop-spoilt", Past::Spoilt),
        instance("shop-futile", Past::Futile),
        instance("a/b c", Past::New),
        instance("only-here", Past::Online),
    ];
    let eu = vec![instance("shop-on", Past::Online), instance("", Past::New)];
    house(vec![("wa", quick(WA_KEY), wa), ("eu", quick(EU_KEY), eu)])
}

/// Servers and a home that knows them.
pub fn house(parts: Vec<(&str, Settings, Vec<InstanceSpec>)>) -> (Servers, Home) {
    let servers = Servers::start(parts);
    let home = Home::of(&servers);
    (servers, home)
}

/// One gateway `wa`.
pub fn one(settings: Settings, instances: Vec<InstanceSpec>) -> (Servers, Home) {
    house(vec![("wa", settings, instances)])
}

//! The one list of kinds.

use super::{
    AddAsk, Described, KindSpec, Provider,
    duty::{Duty, LocalCheck},
    evolution, langbot, telegram, tokens, wecom_aibot, wukongim,
};
use crate::{
    domain::{Secret, Target},
    store::config,
};
use std::{collections::BTreeMap, sync::Arc};

/// Every kind that this build knows, in the order that menus show.
pub fn kinds() -> &'static [&'static KindSpec] {
    static KINDS: &[&KindSpec] =
        &[&evolution::SPEC, &wukongim::SPEC, &langbot::SPEC, &tokens::WECOM, &tokens::WECHAT_OA, &wecom_aibot::SPEC, &telegram::SPEC];
    KINDS
}

/// The provider of a kind named in the configuration.
pub fn provider(kind: &str) -> Option<Arc<dyn Provider>> {
    match kind {
        "evolution" => Some(Arc::new(evolution::Evolution)),
        "wukongim" => Some(Arc::new(wukongim::WuKongIm)),
        "langbot" => Some(Arc::new(langbot::LangBot)),
        "wecom-aibot" => Some(Arc::new(wecom_aibot::AiBots)),
        "telegram" => Some(Arc::new(telegram::Telegram::default())),
        other => tokens::Platforms::of(other).map(|p| Arc::new(p) as Arc<dyn Provider>),
    }
}

/// What is asked for when such a gateway is added with its first account; nothing for kinds whose servers list accounts, and for those
/// whose accounts are written by hand.
pub fn add_asks(kind: &str) -> &'static [AddAsk] {
    if kind == "telegram" { telegram::add::ASKS } else { &[] }
}

/// What was given for these, as it is kept.
pub fn describe(kind: &str, given: &BTreeMap<&str, Secret>) -> Option<Described> {
    (kind == "telegram").then(|| telegram::add::describe(given))
}

/// What of a gateway `pairdeck run` can run; nothing for kinds whose sessions live on a server.
pub fn runnable(gateway: &config::Gateway) -> Vec<Target> {
    match gateway.kind.as_str() {
        "telegram" => telegram::slots::run::runnable(gateway),
        "wecom-aibot" => Duty::accounts(gateway),
        _ => Vec::new(),
    }
}

/// What must be held while `target` runs; reads files and processes, asks nobody.
pub fn duty(gateway: &config::Gateway, all: &[config::Gateway], target: &Target) -> Option<Duty> {
    match gateway.kind.as_str() {
        "telegram" => telegram::slots::run::duty(all, target),
        "wecom-aibot" => Duty::of_account(gateway, target),
        _ => None,
    }
}

/// What there is to say of files and processes of this machine, for `doctor`; reads files and processes, asks nobody.
pub fn local_checks(gateways: &[config::Gateway]) -> Vec<LocalCheck> {
    telegram::slots::run::checks(gateways)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_takes_exactly_the_kinds_that_have_a_provider() {
        let known: Vec<&str> = kinds().iter().map(|k| k.kind).collect();
        assert_eq!(known, crate::store::config::KINDS);
        for kind in known {
            assert_eq!(provider(kind).map(|p| p.spec().kind), Some(kind));
        }
    }
}

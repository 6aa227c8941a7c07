//! The one list of kinds.

use super::{KindSpec, Provider, evolution, langbot, telegram, tokens, wecom_aibot, wukongim};
use std::sync::Arc;

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

//! The one list of kinds.

use super::{KindSpec, Provider, evolution};
use std::sync::Arc;

/// Every kind that this build knows, in the order that menus show.
pub fn kinds() -> &'static [&'static KindSpec] {
    static KINDS: &[&KindSpec] = &[&evolution::SPEC];
    KINDS
}

/// The provider of a kind named in the configuration.
pub fn provider(kind: &str) -> Option<Arc<dyn Provider>> {
    match kind {
        "evolution" => Some(Arc::new(evolution::Evolution)),
        _ => None,
    }
}

//! Where a test lets the program panic while it runs: only builds with debug assertions know
//! `PAIRDECK_DEBUG_PANIC=view|draw|task:FILE`, which panics there as soon as FILE is there. In all others nothing of it exists.

/// Panics here if a test asked for it by now.
#[cfg(debug_assertions)]
#[allow(clippy::panic)]
pub(crate) fn point(place: &str) {
    let Ok(asked) = std::env::var("PAIRDECK_DEBUG_PANIC") else { return };
    if let Some((at, file)) = asked.split_once(':')
        && at == place
        && std::fs::exists(file).unwrap_or(false)
    {
        panic!("asked to, with a secret in its message: CANARY-in-a-panic");
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn point(_: &str) {}

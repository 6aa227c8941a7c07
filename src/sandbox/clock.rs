//! The sandbox's own wall clock: the machine's, or one that follows paused test time.

use tokio::time::Instant;

/// A source of wall time in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The machine's clock: it steps when the machine's does.
    #[default]
    System,
    /// Starts at `wall_ms` at `at` and follows tokio's clock, which tests may pause.
    Virtual {
        /// Wall time at the start.
        wall_ms: i64,
        /// The start.
        at: Instant,
    },
}

impl Clock {
    /// A clock that shows `wall_ms` now and follows tokio's time.
    pub fn virtual_from(wall_ms: i64) -> Self {
        Self::Virtual { wall_ms, at: Instant::now() }
    }

    /// Wall time now.
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => jiff::Timestamp::now().as_millisecond(),
            Self::Virtual { wall_ms, at } => wall_ms.saturating_add(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

/// `2026-11-21T07:38:40.808Z`, as `Date.prototype.toISOString` writes it.
pub(crate) fn iso(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(t) => t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        Err(_) => "1970-01-01T00:00:00.000Z".to_owned(),
    }
}

/// `Sat, 21 Nov 2026 07:37:55 GMT`, as HTTP writes it.
pub(crate) fn http_date(ms: i64) -> String {
    let secs = u64::try_from(ms.div_euclid(1000)).unwrap_or(0).min(253_402_300_799);
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs))
}

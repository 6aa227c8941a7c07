//! How a person writes "since then": `30m`, `24h`, `7d`, a date, or an RFC 3339 instant.

use crate::domain::Wall;
use std::str::FromStr;

/// The start of a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So many milliseconds ago.
    Ago(i64),
    /// From that instant on.
    At(Wall),
}

impl Since {
    /// The instant in milliseconds since the epoch, seen from `now`.
    pub const fn wall_ms(self, now: Wall) -> i64 {
        match self {
            Self::Ago(ms) => now.0.saturating_sub(ms),
            Self::At(wall) => wall.0,
        }
    }
}

impl FromStr for Since {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(ago) = ago(text) {
            return Ok(ago);
        }
        let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        Wall::parse(&whole).map(Self::At).ok_or_else(|| "expected 30m, 24h, 7d, 2026-11-21 or 2026-11-21T09:00:00Z".to_owned())
    }
}

fn ago(text: &str) -> Option<Since> {
    let unit = match text.chars().last()? {
        's' => 1000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let n: i64 = text.get(..text.len() - 1)?.parse().ok().filter(|n| *n >= 0)?;
    n.checked_mul(unit).map(Since::Ago)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_dates_and_instants_are_read_and_nonsense_is_not() {
        assert_eq!("24h".parse(), Ok(Since::Ago(86_400_000)));
        assert_eq!(Since::Ago(1000).wall_ms(Wall(5000)), 4000);
        assert_eq!("1970-01-02".parse(), Ok(Since::At(Wall(86_400_000))));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Since::At(Wall(1000))));
        for bad in ["", "yesterday", "-3h", "3", "9223372036854775807d"] {
            assert!(bad.parse::<Since>().is_err(), "{bad}");
        }
    }
}

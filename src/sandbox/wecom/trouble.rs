//! What a platform can be told to get wrong, besides what every server can.

use crate::sandbox::fault::Fault;
use std::collections::VecDeque;

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// All.
    Any,
    /// Those that fetch a token.
    Fetch,
    /// Those that use one.
    Calls,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// This `errcode`, in the platform's words.
    Code(i64, Only),
    /// The right answer, with `errcode` as a string.
    StringCode,
    /// A fault of the connection or of a proxy, or an answer that comes late ([`Fault::Slow`]).
    Wire(Fault, Only),
}

impl TokenFault {
    /// The names that `parse` knows, besides those of [`Fault`].
    pub const KINDS: &'static [&'static str] =
        &["busy", "rate", "ip", "loop", "invalid", "bad_secret", "forbidden", "disabled", "errcode", "string_code"];

    /// The fault of that name; `n` is what it needs: milliseconds of `slow`, the code of `errcode`.
    pub fn parse(kind: &str, n: Option<i64>, oa: bool) -> Option<Self> {
        Some(match kind {
            "busy" => Self::Code(-1, Only::Any),
            "rate" => Self::Code(45009, Only::Fetch),
            // Official accounts ask for a known address already at the fetch, corporations only at the call.
            "ip" if oa => Self::Code(40164, Only::Fetch),
            "ip" => Self::Code(60020, Only::Calls),
            "loop" => Self::Code(42001, Only::Calls),
            "invalid" => Self::Code(40014, Only::Calls),
            "bad_secret" => Self::Code(40001, Only::Fetch),
            "forbidden" => Self::Code(48002, Only::Calls),
            "disabled" => Self::Code(50003, Only::Calls),
            "errcode" => Self::Code(n?, Only::Any),
            "string_code" => Self::StringCode,
            other => Self::Wire(Fault::parse(other, n.and_then(|n| u64::try_from(n).ok()))?, Only::Any),
        })
    }

    fn fits(&self, fetch: bool) -> bool {
        match self {
            Self::StringCode => true,
            Self::Code(_, only) | Self::Wire(_, only) => match only {
                Only::Any => true,
                Only::Fetch => fetch,
                Only::Calls => !fetch,
            },
        }
    }
}

/// Faults still to come, in order. At most a thousand.
#[derive(Debug, Default)]
pub(crate) struct Troubles(VecDeque<(TokenFault, u32, Option<String>)>);

impl Troubles {
    /// Adds a fault for the next `count` requests that it is for, and whose path begins with `path`, if one is given.
    pub(crate) fn push(&mut self, fault: TokenFault, count: u32, path: Option<String>) {
        if self.0.len() < 1000 && count > 0 {
            self.0.push_back((fault, count, path));
        }
    }

    /// The fault for a request to `path`, used up by one. A fault of `u32::MAX` requests is never used up.
    pub(crate) fn take(&mut self, path: &str, fetch: bool) -> Option<TokenFault> {
        let at = self.0.iter().position(|(f, _, p)| f.fits(fetch) && p.as_deref().is_none_or(|p| path.starts_with(p)))?;
        let entry = self.0.get_mut(at)?;
        let fault = entry.0.clone();
        if entry.1 != u32::MAX {
            entry.1 -= 1;
        }
        if entry.1 == 0 {
            self.0.remove(at);
        }
        Some(fault)
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

//! Names: exact on the wire, percent-encoded on the command line, cleaned on the screen.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// The operator's name of a gateway: the key of its table in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GatewayId(pub Arc<str>);

impl GatewayId {
    /// Takes a name as configured.
    pub fn new(s: &str) -> Self {
        Self(Arc::from(s))
    }
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name exactly as the remote system knows it. It is sent, never drawn: draw the row's `label`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RemoteId(pub Arc<str>);

impl RemoteId {
    /// Takes a name exactly as the server wrote it; it may be empty or hold any character.
    pub fn new(s: &str) -> Self {
        Self(Arc::from(s))
    }
    /// The exact text, for the wire only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an action is aimed at: an account or one of its devices, pinned to one incarnation when known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The gateway that knows the account.
    pub gateway: GatewayId,
    /// The account.
    pub account: RemoteId,
    /// The device, if not the account as a whole.
    pub device: Option<RemoteId>,
    /// Which life of that name is meant (instance id, key id): a recreated namesake is somebody else.
    pub incarnation: Option<Box<str>>,
}

impl Target {
    /// The account `account` on `gateway`, whatever its incarnation.
    pub fn account(gateway: &GatewayId, account: &RemoteId) -> Self {
        Self { gateway: gateway.clone(), account: account.clone(), device: None, incarnation: None }
    }

    /// The stable identifier that `list --json` shows and every command accepts.
    pub fn id(&self) -> String {
        let mut s = format!("{}:{}", escape(self.gateway.as_str()), escape(self.account.as_str()));
        if let Some(d) = &self.device {
            s.push('/');
            s.push_str(&escape(d.as_str()));
        }
        s
    }

    /// What [`Target::id`] wrote; `None` where it did not.
    pub fn read(id: &str) -> Option<Self> {
        let t = TargetName::parse(id)?;
        let device = t.device.as_deref().map(RemoteId::new);
        Some(Self { device, ..Self::account(&GatewayId::new(&t.gateway?), &RemoteId::new(&t.account)) })
    }

    /// True when both name the same thing, whatever the incarnation.
    pub fn same(&self, other: &Self) -> bool {
        self.gateway == other.gateway && self.account == other.account && self.device == other.device
    }
}

/// FNV-1a: for numbers that are kept or shared, so that they must not change with the compiler. No secret is safe behind it.
pub fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// A target as an operator typed it: `[GATEWAY:]ACCOUNT[/DEVICE]`, not yet resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetName {
    /// Gateway, if given.
    pub gateway: Option<String>,
    /// Account; may be empty (some servers allow that).
    pub account: String,
    /// Device, if given.
    pub device: Option<String>,
}

impl TargetName {
    /// Reads `[GATEWAY:]ACCOUNT[/DEVICE]` and undoes the percent encoding. `None` when an escape is broken.
    pub fn parse(text: &str) -> Option<Self> {
        let (gateway, rest) = match text.split_once(':') {
            Some((g, r)) => (Some(unescape(g)?), r),
            None => (None, text),
        };
        let (account, device) = match rest.split_once('/') {
            Some((a, d)) => (unescape(a)?, Some(unescape(d)?)),
            None => (unescape(rest)?, None),
        };
        Some(Self { gateway, account, device })
    }
}

/// Percent-encodes what separates the parts of a target, blanks, and everything that a terminal must not be shown: an id is
/// drawn and copied, and reads back exactly.
pub fn escape(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    for c in s.chars() {
        if matches!(c, ':' | '/' | '%' | ' ') || super::clean::is_hidden(c) {
            let mut buf = [0; 4];
            for b in c.encode_utf8(&mut buf).bytes() {
                out.push_str(&format!("%{b:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn unescape(s: &str) -> Option<String> {
    let mut out = Vec::with_capacity(s.len());
    let mut bytes = s.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let hi = char::from(bytes.next()?).to_digit(16)?;
            let lo = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(hi * 16 + lo).ok()?);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_survive_the_round_trip() {
        for name in ["a/b c", "", "x:y", "100%", "客服一号", "a\u{1b}b"] {
            let t = Target::account(&GatewayId::new("wa:sp"), &RemoteId::new(name));
            let back = TargetName::parse(&t.id()).expect("parses");
            assert_eq!(back.gateway.as_deref(), Some("wa:sp"));
            assert_eq!(back.account, name);
            assert_eq!(back.device, None);
        }
    }

    #[test]
    fn a_broken_escape_is_refused() {
        assert_eq!(TargetName::parse("a%2"), None);
        assert_eq!(TargetName::parse("a%zz"), None);
    }
}

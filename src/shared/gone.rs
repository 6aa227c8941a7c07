//! What hosts remember of a token that was forgotten, so that it is not taken for a new one when the platform gives it again.

use crate::domain::{Secret, fingerprint::SHORTEST};
use blake2::{
    Blake2sMac,
    digest::{KeyInit, Mac, consts::U16},
};
use std::time::Duration;

/// Hosts have fingerprint keys of their own; what they compare is hashed under one that all know.
const KEY: &[u8; 32] = b"pairdeck: marks of shared tokens";

/// What is left of a token that was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Which one: see [`mark`]. `None`: that is not known.
    pub mark: Option<Box<str>>,
    /// How long it would have lived at the moment of the answer; zero when it is dead.
    pub left: Duration,
    /// How long ago somebody wiped it, where nobody asked for a token since: none is fetched by itself.
    pub wiped: Option<Duration>,
    /// How long ago the secret behind the tokens was replaced at one of the hosts, as far as that is remembered (ten minutes): what
    /// tokens of the old one went through tells nothing of the new one.
    pub replaced: Option<Duration>,
}

/// What tells a token of `name` from others on every host, and tells nothing of it: a hash. `None` for one that is so short that
/// it could be guessed from that.
pub fn mark(name: &str, token: &Secret) -> Option<Box<str>> {
    if token.len() < SHORTEST {
        return None;
    }
    let mut mac = Blake2sMac::<U16>::new_from_slice(KEY).ok()?;
    mac.update(name.as_bytes());
    mac.update(b"\n");
    mac.update(token.expose().as_bytes());
    let sum = mac.finalize().into_bytes();
    Some(sum.iter().map(|b| format!("{b:02x}")).collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_same_everywhere_and_of_no_other_token() {
        let of = |name, text: &str| mark(name, &Secret::new(text.to_owned()));
        let one = of("wecom/ww1/1", "a-token-of-some-length");
        assert!(one.is_some() && one == of("wecom/ww1/1", "a-token-of-some-length"));
        assert!(one != of("wecom/ww1/2", "a-token-of-some-length") && one != of("wecom/ww1/1", "another-token-of-some-length"));
        assert_eq!(of("wecom/ww1/1", "short"), None);
    }
}

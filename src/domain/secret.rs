//! Secrets: a type with neither `Debug` text nor `Serialize`.

use secrecy::{ExposeSecret, SecretString};
use std::{collections::BTreeMap, fmt};

/// A credential. It can be compared and handed on; its text is had only through [`Secret::expose`], by name.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes ownership of a credential's text.
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The text itself. Every call is a place to look at in a review: wire, sealing, an operator's explicit wish.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Length in bytes, which may be shown.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// True for an empty credential.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl PartialEq for Secret {
    /// Compares in time that does not depend on where the texts differ.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0u8, |acc, (x, y)| acc | (x ^ y)) == 0
    }
}
impl Eq for Secret {}

/// Named secrets of a gateway, a plan or a running op; sealed as one blob.
pub type Secrets = BTreeMap<String, Secret>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let s = Secret::new("CANARY".into());
        assert_eq!(format!("{s:?} {:#?}", Some(&s)), "[secret] Some(\n    [secret],\n)");
        assert_eq!(s, Secret::new("CANARY".into()));
        assert_ne!(s, Secret::new("CANARX".into()));
    }
}

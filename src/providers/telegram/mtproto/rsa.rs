//! The servers' RSA keys: published ones as data, others from PEM.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use grammers_tl_types::Serializable;
use num_bigint::BigUint;
use sha1::{Digest, Sha1};

/// A public key of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaKey {
    n: BigUint,
    e: BigUint,
    fingerprint: i64,
}

/// Why a PEM text is no key for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not a PEM block `RSA PUBLIC KEY`.
    #[error("no PEM block RSA PUBLIC KEY")]
    NoPem,
    /// The block holds something else.
    #[error("the PEM block is damaged")]
    Damaged,
    /// MTProto takes 2048 bits only.
    #[error("the key has {0} bits, not 2048")]
    Size(u64),
}

impl RsaKey {
    fn new(n: BigUint, e: BigUint) -> Self {
        // SHA-1 of both numbers as TL bytes; its last eight bytes, least significant first.
        let mut data = n.to_bytes_be().to_bytes();
        data.extend(e.to_bytes_be().to_bytes());
        let sha: [u8; 20] = Sha1::digest(&data).into();
        let mut tail = [0; 8];
        tail.copy_from_slice(&sha[12..]);
        Self { n, e, fingerprint: i64::from_le_bytes(tail) }
    }

    /// Reads a `-----BEGIN RSA PUBLIC KEY-----` block (PKCS #1), the form in which Telegram publishes its keys.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        let (_, rest) = pem.split_once("-----BEGIN RSA PUBLIC KEY-----").ok_or(BadKey::NoPem)?;
        let (body, _) = rest.split_once("-----END RSA PUBLIC KEY-----").ok_or(BadKey::NoPem)?;
        let text: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        let der = STANDARD.decode(text).map_err(|_| BadKey::Damaged)?;
        let (inside, after) = part(&der, 0x30).ok_or(BadKey::Damaged)?;
        let (n, rest) = part(inside, 0x02).ok_or(BadKey::Damaged)?;
        let (e, end) = part(rest, 0x02).ok_or(BadKey::Damaged)?;
        if !after.is_empty() || !end.is_empty() {
            return Err(BadKey::Damaged);
        }
        let key = Self::new(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
        if key.n.bits() == 2048 { Ok(key) } else { Err(BadKey::Size(key.n.bits())) }
    }

    /// The published keys of the production servers.
    pub fn production() -> Vec<Self> {
        published(PRODUCTION)
    }

    /// The published keys of the test servers.
    pub fn test() -> Vec<Self> {
        published(TEST)
    }

    /// What a server names the key by.
    pub const fn fingerprint(&self) -> i64 {
        self.fingerprint
    }

    /// For grammers' RSA_PAD.
    pub(super) fn for_padding(&self) -> Option<grammers_crypto::rsa::Key> {
        grammers_crypto::rsa::Key::new(&self.n.to_string(), &self.e.to_string())
    }
}

/// The contents of the DER element with this tag at the start of `der`, and what comes after.
fn part(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (len, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), rest.get(2..)?),
        _ => return None,
    };
    (first == tag && len <= rest.len()).then(|| rest.split_at(len))
}

fn published(all: &[&str]) -> Vec<RsaKey> {
    all.iter().filter_map(|n| BigUint::parse_bytes(n.as_bytes(), 10)).map(|n| RsaKey::new(n, BigUint::from(65537u32))).collect()
}

/// Modulus of the key with fingerprint -3414540481677951611 (grammers-mtproto 0.11, tdesktop).
const PRODUCTION: &[&str] = &[
    "29379598170669337022986177149456128565388431120058863768162556424047512191330847455146576344487764408661701890505066208632169112269581063774293102577308490531282748465986139880977280302242772832972539403531316010870401287642763009136156734339538042419388722777357134487746169093539093850251243897188928735903389451772730245253062963384108812842079887538976360465290946139638691491496062099570836476454855996319192747663615955633778034897140982517446405334423701359108810182097749467210509584293428076654573384828809574217079944388301239431309115013843331317877374435868468779972014486325557807783825502498215169806323",
];

/// Modulus of the key with fingerprint -5595554452916591101.
const TEST: &[&str] = &[
    "25342889448840415564971689590713473206898847759084779052582026594546022463853940585885215951168491965708222649399180603818074200620463776135424884632162512403163793083921641631564740959529419359595852941166848940585952337613333022396096584117954892216031229237302943701877588456738335398602461675225081791820393153757504952636234951323237820036543581047826906120927972487366805292115792231423684261262330394324750785450942589751755390156647751460719351439969059949569615302809050721500330239005077889855323917509948255722081644689442127297605422579707142646660768825302832201908302295573257427896031830742328565032949",
];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn published_keys_have_the_fingerprints_that_servers_name() {
        let of = |keys: Vec<RsaKey>| keys.iter().map(RsaKey::fingerprint).collect::<Vec<_>>();
        assert_eq!(of(RsaKey::production()), [-3_414_540_481_677_951_611]);
        assert_eq!(of(RsaKey::test()), [-5_595_554_452_916_591_101]);
    }

    #[test]
    fn what_is_no_2048_bit_key_in_pem_is_refused_with_a_reason() {
        assert_eq!(RsaKey::from_pem("hello"), Err(BadKey::NoPem));
        let pem = |body: &str| RsaKey::from_pem(&format!("-----BEGIN RSA PUBLIC KEY-----\n{body}\n-----END RSA PUBLIC KEY-----\n"));
        assert_eq!(pem("AAAA"), Err(BadKey::Damaged));
        assert_eq!(pem("MAYCAQ8CAQM="), Err(BadKey::Size(4)));
        assert_eq!(pem("MIIBCgKC"), Err(BadKey::Damaged));
    }
}

//! Sealing: XChaCha20-Poly1305 with a random nonce; the place of a value is part of what is authenticated.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use zeroize::Zeroizing;

/// Version of the sealed format: `version(1) nonce(24) ciphertext tag(16)`.
const FORMAT: u8 = 1;
const NONCE: usize = 24;

/// A vault key: 32 random bytes, or what a passphrase stretches to.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// Where a sealed value stands. A value moved to another row, column or generation does not open.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table.
    pub table: &'a str,
    /// Row: its primary key as text.
    pub id: &'a str,
    /// Column.
    pub column: &'a str,
    /// Rises with every write of that row.
    pub generation: i64,
}

impl Place<'_> {
    fn bytes(&self, key_id: &str) -> Vec<u8> {
        let mut out = b"pairdeck\x01".to_vec();
        let generation = self.generation.to_string();
        for part in [self.table, self.id, self.column, &generation, key_id] {
            // Length first, so that no two places spell the same bytes.
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

/// A new random key.
pub(super) fn new_key() -> Option<Key> {
    let mut key = Zeroizing::new([0u8; 32]);
    getrandom::fill(key.as_mut()).ok()?;
    Some(key)
}

/// Seals `plain` for `place`. `None` only when the system gives no random bytes.
pub(super) fn seal(key: &Key, key_id: &str, place: &Place<'_>, plain: &[u8]) -> Option<Vec<u8>> {
    let mut nonce = [0u8; NONCE];
    getrandom::fill(&mut nonce).ok()?;
    let aad = place.bytes(key_id);
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad }).ok()?;
    let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
    out.push(FORMAT);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    Some(out)
}

/// Opens what [`seal`] made for the same place under the same key; `None` for anything else.
pub(super) fn open(key: &Key, key_id: &str, place: &Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (version, rest) = sealed.split_first()?;
    if *version != FORMAT || rest.len() < NONCE {
        return None;
    }
    let (nonce, body) = rest.split_at(NONCE);
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    let aad = place.bytes(key_id);
    let cipher = XChaCha20Poly1305::new((&**key).into());
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: body, aad: &aad }).ok().map(Zeroizing::new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Place<'static> = Place { table: "secret", id: "gateway/wa/api_key", column: "blob", generation: 3 };

    #[test]
    fn every_single_bit_flip_is_rejected() {
        let key = new_key().unwrap();
        let sealed = seal(&key, "k1", &PLACE, b"F00EB28B-80C2-47C7").unwrap();
        assert_eq!(open(&key, "k1", &PLACE, &sealed).unwrap().as_slice(), b"F00EB28B-80C2-47C7");
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut bad = sealed.clone();
                bad[at] ^= 1 << bit;
                assert!(open(&key, "k1", &PLACE, &bad).is_none(), "byte {at} bit {bit} opened");
            }
            assert!(open(&key, "k1", &PLACE, &sealed[..at]).is_none(), "cut at {at} opened");
        }
    }

    #[test]
    fn of_ten_thousand_flipped_bytes_every_one_is_rejected() {
        let key = new_key().unwrap();
        // A generator of its own: the same flips in every run.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let mut rejected = 0;
        for n in 0..10_000 {
            let plain = vec![u8::try_from(n % 251).unwrap(); 1 + random(400)];
            let mut sealed = seal(&key, "k1", &PLACE, &plain).unwrap();
            let at = random(sealed.len());
            sealed[at] ^= u8::try_from(1 + random(255)).unwrap();
            rejected += usize::from(open(&key, "k1", &PLACE, &sealed).is_none());
        }
        println!("FIGURE sealed data: 10,000 random byte flips, {rejected} rejected");
        assert_eq!(rejected, 10_000);
    }

    #[test]
    fn a_value_moved_elsewhere_is_rejected() {
        let key = new_key().unwrap();
        let sealed = seal(&key, "k1", &PLACE, b"x").unwrap();
        for place in [
            Place { table: "op", ..PLACE },
            Place { id: "gateway/other/api_key", ..PLACE },
            Place { column: "other", ..PLACE },
            Place { generation: 2, ..PLACE },
        ] {
            assert!(open(&key, "k1", &place, &sealed).is_none(), "{place:?} opened");
        }
        assert!(open(&key, "k2", &PLACE, &sealed).is_none());
        assert!(open(&new_key().unwrap(), "k1", &PLACE, &sealed).is_none());
    }

    proptest! {
        #[test]
        fn garbage_never_opens(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let key = Zeroizing::new([7u8; 32]);
            prop_assert!(open(&key, "k", &PLACE, &bytes).is_none());
        }
        #[test]
        fn places_never_spell_the_same_bytes(a in ".{0,8}", b in ".{0,8}", c in ".{0,8}", d in ".{0,8}") {
            prop_assume!((&a, &b) != (&c, &d));
            let one = Place { table: &a, id: &b, column: "", generation: 0 };
            let two = Place { table: &c, id: &d, column: "", generation: 0 };
            prop_assert_ne!(one.bytes("k"), two.bytes("k"));
        }
    }
}

//! Made-up ids, keys and codes. Not for anything that must be secret: the sandbox guards nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A small generator (SplitMix64), so that ten thousand accounts cost nothing to make.
#[derive(Debug)]
pub(crate) struct Chance(u64);

/// Letters of a pairing code: no 0, I, O, U (Baileys 7.0.0-rc.9, generics).
pub(crate) const CODE_LETTERS: &[u8; 32] = b"123456789ABCDEFGHJKLMNPQRSTVWXYZ";

impl Chance {
    /// A generator that starts anywhere, or at `seed` for a run that can be repeated.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(seed.unwrap_or_else(|| {
            let mut b = [0u8; 8];
            // A failing source leaves the constant: ids still differ from each other, which is all that is asked.
            let _ = getrandom::fill(&mut b);
            u64::from_le_bytes(b) ^ 0x9E37_79B9_7F4A_7C15
        }))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(n).collect()
    }

    /// A version 4 UUID, lower case.
    pub(crate) fn uuid(&mut self) -> String {
        let mut b = self.bytes(16);
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        let h: String = b.iter().map(|x| format!("{x:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
    }

    /// A row id such as `cmwq3ip4r0000xf7dtgzm19q2`: a letter and 24 base-36 digits.
    pub(crate) fn cuid(&mut self) -> String {
        let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
        std::iter::once('c').chain((0..24).map(|_| char::from(digits[(self.next() % 36) as usize]))).collect()
    }

    /// Base64 of `n` random bytes.
    pub(crate) fn base64(&mut self, n: usize) -> String {
        STANDARD.encode(self.bytes(n))
    }

    /// A session id of Engine.IO: 15 random bytes, URL-safe.
    pub(crate) fn sid(&mut self) -> String {
        self.base64(15).replace('+', "-").replace('/', "_")
    }

    /// A pairing code: eight letters, no dash.
    pub(crate) fn pairing_code(&mut self) -> String {
        (0..8).map(|_| char::from(CODE_LETTERS[(self.next() % 32) as usize])).collect()
    }

    /// A `ref` of a QR: `2@` and the base64 of 96 bytes, the length that the recordings show.
    pub(crate) fn qr_ref(&mut self) -> String {
        format!("2@{}", self.base64(96))
    }
}

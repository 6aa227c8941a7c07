//! The key exchange, the server's half: one state machine a connection.

use super::Hostile;
use super::crypto::{fingerprint, padded, rsa_open, sha1};
use grammers_crypto::{
    aes::{ige_decrypt, ige_encrypt},
    generate_key_data_from_nonce,
};
use grammers_tl_types::{self as tl, Cursor, Deserializable, Identifiable, Serializable};
use num_bigint::BigUint;

/// Telegram's own prime, and the generator that its servers use with it.
pub(super) const PRIME: &str = "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce7c3720fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b";
/// The generator.
pub(super) const G: i32 = 3;
/// Two primes whose product is below 2^63, as in Telegram's sample exchange.
const P: u32 = 0x494c_553b;
const Q: u32 = 0x5391_1073;

/// The group's prime.
pub(super) fn prime() -> BigUint {
    BigUint::parse_bytes(PRIME.as_bytes(), 16).unwrap_or_default()
}

/// How far the exchange of a connection has come.
#[derive(Default)]
pub(super) struct Exchange {
    nonce: [u8; 16],
    server_nonce: [u8; 16],
    new_nonce: [u8; 32],
    secret: Option<BigUint>,
    /// How the answers are wrong.
    pub(super) hostile: Option<Hostile>,
}

/// What comes of a question in the clear.
pub(super) enum Answer {
    /// This body.
    Body(Vec<u8>),
    /// This body; the key is made.
    Key { body: Vec<u8>, key: Box<[u8; 256]>, salt: i64 },
    /// The transport's error of that number.
    Error(i32),
}

fn random<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    // A sandbox without randomness still answers.
    let _ = getrandom::fill(&mut out);
    out
}

impl Exchange {
    /// Answers one question. `now_s` is server time.
    pub(super) fn answer(&mut self, dc: i32, now_s: i32, body: &[u8]) -> Answer {
        let Ok(id) = u32::from_bytes(body) else { return Answer::Error(-404) };
        let answer = match id {
            tl::functions::ReqPqMulti::CONSTRUCTOR_ID | tl::functions::ReqPq::CONSTRUCTOR_ID => self.pq(&body[4..]),
            tl::functions::ReqDhParams::CONSTRUCTOR_ID => self.dh(dc, now_s, &body[4..]),
            tl::functions::SetClientDhParams::CONSTRUCTOR_ID => self.confirm(&body[4..]),
            _ => None,
        };
        answer.unwrap_or(Answer::Error(-404))
    }

    fn pq(&mut self, body: &[u8]) -> Option<Answer> {
        self.nonce = <[u8; 16]>::deserialize(&mut Cursor::from_slice(body)).ok()?;
        self.server_nonce = random();
        self.secret = None;
        Some(Answer::Body(
            tl::enums::ResPq::Pq(tl::types::ResPq {
                nonce: if self.is(Hostile::WrongNonce) { [7; 16] } else { self.nonce },
                server_nonce: self.server_nonce,
                // 2^63 - 25 is prime.
                pq: if self.is(Hostile::PrimePq) { (1u64 << 63) - 25 } else { u64::from(P) * u64::from(Q) }.to_be_bytes().to_vec(),
                server_public_key_fingerprints: vec![if self.is(Hostile::OtherKeys) { 1 } else { fingerprint() }],
            })
            .to_bytes(),
        ))
    }

    fn is(&self, how: Hostile) -> bool {
        self.hostile == Some(how)
    }

    fn nonces(&self, c: &mut Cursor<'_>) -> Option<()> {
        let (nonce, server) = (<[u8; 16]>::deserialize(c).ok()?, <[u8; 16]>::deserialize(c).ok()?);
        (nonce == self.nonce && server == self.server_nonce && nonce != [0; 16]).then_some(())
    }

    fn dh(&mut self, dc: i32, now_s: i32, body: &[u8]) -> Option<Answer> {
        let mut c = Cursor::from_slice(body);
        self.nonces(&mut c)?;
        let (p, q) = (Vec::<u8>::deserialize(&mut c).ok()?, Vec::<u8>::deserialize(&mut c).ok()?);
        (p == P.to_be_bytes() && q == Q.to_be_bytes() && i64::deserialize(&mut c).ok()? == fingerprint()).then_some(())?;
        let text = rsa_open(&Vec::<u8>::deserialize(&mut c).ok()?)?;
        use tl::enums::PQInnerData as Inner;
        let inner = Inner::from_bytes(&text).ok()?;
        let (nonce, server_nonce, new_nonce, for_dc) = match inner {
            Inner::Data(d) => (d.nonce, d.server_nonce, d.new_nonce, dc),
            Inner::Dc(d) => (d.nonce, d.server_nonce, d.new_nonce, d.dc),
            // Keys that expire are not served.
            Inner::Temp(_) | Inner::TempDc(_) => return None,
        };
        if nonce != self.nonce || server_nonce != self.server_nonce {
            return None;
        }
        if for_dc != dc {
            return Some(Answer::Error(-444));
        }
        self.new_nonce = new_nonce;
        // Odd and as long as the right one, but no prime: a multiple of three.
        let weak = || (BigUint::from(1u8) << 2048usize) - BigUint::from(1u8);
        let prime = if self.is(Hostile::WeakPrime) { weak() } else { prime() };
        let secret = BigUint::from_bytes_be(&random::<256>());
        let g_a = if self.is(Hostile::SmallGa) { BigUint::from(1u8) } else { BigUint::from(G as u32).modpow(&secret, &prime) };
        self.secret = Some(secret);
        let inner = tl::enums::ServerDhInnerData::Data(tl::types::ServerDhInnerData {
            nonce: self.nonce,
            server_nonce: self.server_nonce,
            g: if self.is(Hostile::WrongGenerator) { 1 } else { G },
            dh_prime: prime.to_bytes_be(),
            g_a: g_a.to_bytes_be(),
            server_time: now_s,
        })
        .to_bytes();
        let mut data = [&sha1(&[&inner])[..], &inner].concat();
        data.resize(data.len().next_multiple_of(16), 0x5a);
        let (key, iv) = generate_key_data_from_nonce(&self.server_nonce, &self.new_nonce);
        ige_encrypt(&mut data, &key, &iv);
        Some(Answer::Body(
            tl::enums::ServerDhParams::Ok(tl::types::ServerDhParamsOk { nonce: self.nonce, server_nonce: self.server_nonce, encrypted_answer: data })
                .to_bytes(),
        ))
    }

    fn confirm(&mut self, body: &[u8]) -> Option<Answer> {
        let mut c = Cursor::from_slice(body);
        self.nonces(&mut c)?;
        let mut data = Vec::<u8>::deserialize(&mut c).ok()?;
        let secret = self.secret.take()?;
        (data.len() > 20 && data.len() % 16 == 0).then_some(())?;
        let (aes, iv) = generate_key_data_from_nonce(&self.server_nonce, &self.new_nonce);
        ige_decrypt(&mut data, &aes, &iv);
        let mut inside = Cursor::from_slice(&data[20..]);
        let tl::enums::ClientDhInnerData::Data(inner) = tl::enums::ClientDhInnerData::deserialize(&mut inside).ok()?;
        let used = inside.pos();
        (sha1(&[&data[20..20 + used]])[..] == data[..20] && inner.nonce == self.nonce && inner.server_nonce == self.server_nonce).then_some(())?;
        let (prime, g_b) = (prime(), BigUint::from_bytes_be(&inner.g_b));
        let margin = BigUint::from(1u8) << (2048 - 64);
        (g_b > margin && g_b < &prime - &margin).then_some(())?;
        let key = padded(&g_b.modpow(&secret, &prime));
        let hash = sha1(&[&self.new_nonce, &[1], &sha1(&[&key])[..8]]);
        let mut new_nonce_hash1 = [0; 16];
        new_nonce_hash1.copy_from_slice(&hash[4..]);
        let salt: [u8; 8] = std::array::from_fn(|i| self.new_nonce[i] ^ self.server_nonce[i]);
        if self.is(Hostile::WrongHash) {
            new_nonce_hash1[3] ^= 0x55;
        }
        if self.is(Hostile::RetryForever) {
            let hash = sha1(&[&self.new_nonce, &[2], &sha1(&[&key])[..8]]);
            let mut new_nonce_hash2 = [0; 16];
            new_nonce_hash2.copy_from_slice(&hash[4..]);
            let again = tl::types::DhGenRetry { nonce: self.nonce, server_nonce: self.server_nonce, new_nonce_hash2 };
            return Some(Answer::Body(tl::enums::SetClientDhParamsAnswer::DhGenRetry(again).to_bytes()));
        }
        let ok = tl::types::DhGenOk { nonce: self.nonce, server_nonce: self.server_nonce, new_nonce_hash1 };
        let body = tl::enums::SetClientDhParamsAnswer::DhGenOk(ok).to_bytes();
        Some(Answer::Key { body, key: Box::new(key), salt: i64::from_le_bytes(salt) })
    }
}

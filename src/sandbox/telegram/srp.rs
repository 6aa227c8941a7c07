//! The second factor, the server's half of SRP (core.telegram.org/api/srp).

use super::{
    crypto::{padded, sha256},
    exchange::{G, prime},
};
use hmac::Hmac;
use num_bigint::BigUint;
use sha2::Sha512;

/// What the server keeps of a password.
#[derive(Clone, Debug)]
pub(super) struct Verifier {
    pub(super) salt1: Vec<u8>,
    pub(super) salt2: Vec<u8>,
    v: BigUint,
}

/// One try: good for one answer.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    pub(super) id: i64,
    b: BigUint,
    /// `srp_B`.
    pub(super) public: Vec<u8>,
}

fn random<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    let _ = getrandom::fill(&mut out);
    out
}

fn salted(data: &[u8], salt: &[u8]) -> [u8; 32] {
    sha256(&[salt, data, salt])
}

impl Verifier {
    pub(super) fn new(password: &str) -> Self {
        let (salt1, salt2) = (random::<40>().to_vec(), random::<16>().to_vec());
        let first = salted(&salted(password.as_bytes(), &salt1), &salt2);
        let mut long = [0; 64];
        // It fails for a length of zero only.
        let _ = pbkdf2::pbkdf2::<Hmac<Sha512>>(&first, &salt1, 100_000, &mut long);
        let x = BigUint::from_bytes_be(&salted(&long, &salt2));
        Self { salt1, salt2, v: BigUint::from(G as u32).modpow(&x, &prime()) }
    }

    fn k() -> BigUint {
        BigUint::from_bytes_be(&sha256(&[&padded(&prime()), &padded(&BigUint::from(G as u32))]))
    }

    /// A new try.
    pub(super) fn challenge(&self, id: i64) -> Challenge {
        let (p, b) = (prime(), BigUint::from_bytes_be(&random::<256>()));
        let public = (Self::k() * &self.v + BigUint::from(G as u32).modpow(&b, &p)) % &p;
        Challenge { id, b, public: padded(&public).to_vec() }
    }

    /// True when `a` and `m1` prove the password.
    pub(super) fn proves(&self, c: &Challenge, a: &[u8], m1: &[u8]) -> bool {
        let p = prime();
        let big_a = BigUint::from_bytes_be(a);
        if a.len() > 256 || &big_a % &p == BigUint::ZERO {
            return false;
        }
        let a = padded(&big_a);
        let u = BigUint::from_bytes_be(&sha256(&[&a, &c.public]));
        let s = (&big_a * self.v.modpow(&u, &p)).modpow(&c.b, &p);
        let k = sha256(&[&padded(&s)]);
        let (hp, hg) = (sha256(&[&padded(&p)]), sha256(&[&padded(&BigUint::from(G as u32))]));
        let both: [u8; 32] = std::array::from_fn(|i| hp[i] ^ hg[i]);
        sha256(&[&both, &sha256(&[&self.salt1]), &sha256(&[&self.salt2]), &a, &c.public, &k])[..] == *m1
    }
}

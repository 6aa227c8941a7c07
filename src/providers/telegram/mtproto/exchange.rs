//! The key exchange as pure steps: what to send, given what came and given random bytes. No I/O, no clock.
//!
//! `Pq → ask → Dh → offer → Confirm → key`. core.telegram.org/mtproto/auth_key tells each check; the vectors that grammers-mtproto
//! recorded (its `authentication.rs`) are the test.

use super::{AuthKey, Error, RsaKey, factor::factors, group};
use grammers_crypto::{aes, generate_key_data_from_nonce, rsa};
use grammers_tl_types::{self as tl, Cursor, Deserializable, Serializable};
use num_bigint::BigUint;
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

/// Waits for `resPQ`.
pub(super) struct Pq {
    nonce: [u8; 16],
}

/// Waits for `Server_DH_Params`.
pub(super) struct Dh {
    nonce: [u8; 16],
    server_nonce: [u8; 16],
    new_nonce: Zeroizing<[u8; 32]>,
}

/// What the server's Diffie-Hellman parameters say.
pub(super) struct Params {
    dh: Dh,
    prime: Vec<u8>,
    g: i32,
    g_a: BigUint,
    /// Server time in whole seconds, when it made this answer.
    pub(super) server_time: i32,
}

/// Waits for `Set_client_DH_params_answer`.
pub(super) struct Confirm {
    dh: Dh,
    key: AuthKey,
}

/// A finished exchange.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) key: AuthKey,
    pub(super) salt: i64,
}

fn sha1(data: &[u8]) -> [u8; 20] {
    Sha1::digest(data).into()
}

/// A number's bytes without leading zeros; with them the server answers 404.
fn shortest(n: u64) -> Vec<u8> {
    let bytes = n.to_be_bytes();
    bytes.iter().position(|b| *b != 0).map_or_else(Vec::new, |at| bytes[at..].to_vec())
}

impl Pq {
    /// The first question.
    pub(super) fn start(nonce: [u8; 16]) -> (tl::functions::ReqPqMulti, Self) {
        (tl::functions::ReqPqMulti { nonce }, Self { nonce })
    }

    /// The second question. `dc` names the data centre that the key is for.
    pub(super) fn ask(
        self,
        answer: tl::enums::ResPq,
        keys: &[RsaKey],
        dc: Option<i32>,
        random: &[u8; 32 + 224],
    ) -> Result<(tl::functions::ReqDhParams, Dh), Error> {
        let tl::enums::ResPq::Pq(answer) = answer;
        same(answer.nonce == self.nonce, "nonce")?;
        let pq = <[u8; 8]>::try_from(answer.pq.as_slice()).map_err(|_| Error::Exchange("size of pq"))?;
        let (p, q) = factors(u64::from_be_bytes(pq)).ok_or(Error::Exchange("pq"))?;
        let known = |f: &i64| keys.iter().find(|k| k.fingerprint() == *f);
        let key = answer.server_public_key_fingerprints.iter().find_map(known).ok_or(Error::UnknownServerKey)?;
        let mut new_nonce = Zeroizing::new([0; 32]);
        new_nonce.copy_from_slice(&random[..32]);
        let mut padding = [0; 224];
        padding.copy_from_slice(&random[32..]);
        let (p, q) = (shortest(p), shortest(q));
        let (nonce, server_nonce) = (self.nonce, answer.server_nonce);
        let inner = match dc {
            None => tl::enums::PQInnerData::Data(tl::types::PQInnerData {
                pq: pq.to_vec(),
                p: p.clone(),
                q: q.clone(),
                nonce,
                server_nonce,
                new_nonce: *new_nonce,
            }),
            Some(dc) => tl::enums::PQInnerData::Dc(tl::types::PQInnerDataDc {
                pq: pq.to_vec(),
                p: p.clone(),
                q: q.clone(),
                nonce,
                server_nonce,
                new_nonce: *new_nonce,
                dc,
            }),
        };
        let rsa = key.for_padding().ok_or(Error::Exchange("RSA key"))?;
        let inner = Zeroizing::new(inner.to_bytes());
        let question = tl::functions::ReqDhParams {
            nonce,
            server_nonce,
            p,
            q,
            public_key_fingerprint: key.fingerprint(),
            encrypted_data: rsa::encrypt_hashed(&inner, &rsa, &padding),
        };
        Ok((question, Dh { nonce, server_nonce, new_nonce }))
    }
}

impl Dh {
    /// Reads the server's parameters. They are authentic (only the holder of the RSA key could write them), the group not yet
    /// checked.
    pub(super) fn read(self, answer: tl::enums::ServerDhParams) -> Result<Params, Error> {
        let mut answer = match answer {
            tl::enums::ServerDhParams::Ok(a) => a,
            tl::enums::ServerDhParams::Fail(f) => {
                same(f.nonce == self.nonce && f.server_nonce == self.server_nonce, "nonce")?;
                same(f.new_nonce_hash[..] == sha1(&*self.new_nonce)[4..], "hash of a refusal")?;
                return Err(Error::Exchange("refused"));
            }
        };
        same(answer.nonce == self.nonce && answer.server_nonce == self.server_nonce, "nonce")?;
        let data = &mut answer.encrypted_answer;
        same(data.len() % 16 == 0 && data.len() > 20, "length of the parameters")?;
        let (key, iv) = generate_key_data_from_nonce(&self.server_nonce, &self.new_nonce);
        aes::ige_decrypt(data, &key, &iv);
        let mut cursor = Cursor::from_slice(&data[20..]);
        let unreadable = |_| Error::Exchange("parameters");
        let tl::enums::ServerDhInnerData::Data(inner) = tl::enums::ServerDhInnerData::deserialize(&mut cursor).map_err(unreadable)?;
        same(sha1(&data[20..20 + cursor.pos()])[..] == data[..20], "hash of the parameters")?;
        same(inner.nonce == self.nonce && inner.server_nonce == self.server_nonce, "nonce")?;
        let g_a = BigUint::from_bytes_be(&inner.g_a);
        Ok(Params { dh: self, prime: inner.dh_prime, g: inner.g, g_a, server_time: inner.server_time })
    }
}

impl Params {
    /// The third question, and the key that both sides have then. May take long for an unknown prime.
    pub(super) fn offer(self, random: &[u8; 256 + 16]) -> Result<(tl::functions::SetClientDhParams, Confirm), Error> {
        same(group::sound(&self.prime, self.g), "prime")?;
        let prime = BigUint::from_bytes_be(&self.prime);
        same(group::in_range(&self.g_a, &prime), "range of g_a")?;
        let b = BigUint::from_bytes_be(&random[..256]);
        let g_b = BigUint::from(self.g.unsigned_abs()).modpow(&b, &prime);
        same(group::in_range(&g_b, &prime), "range of g_b")?;
        let shared = Zeroizing::new(self.g_a.modpow(&b, &prime).to_bytes_be());
        let mut bytes = [0; 256];
        bytes[256 - shared.len()..].copy_from_slice(&shared);
        let dh = self.dh;
        let inner = tl::enums::ClientDhInnerData::Data(tl::types::ClientDhInnerData {
            nonce: dh.nonce,
            server_nonce: dh.server_nonce,
            // A refused exchange is begun anew from the first question, so this one is always the first of its kind.
            retry_id: 0,
            g_b: g_b.to_bytes_be(),
        })
        .to_bytes();
        let mut data = sha1(&inner).to_vec();
        data.extend(inner);
        let short = (16 - data.len() % 16) % 16;
        data.extend(&random[256..256 + short]);
        let (key, iv) = generate_key_data_from_nonce(&dh.server_nonce, &dh.new_nonce);
        aes::ige_encrypt(&mut data, &key, &iv);
        let question = tl::functions::SetClientDhParams { nonce: dh.nonce, server_nonce: dh.server_nonce, encrypted_data: data };
        Ok((question, Confirm { dh, key: AuthKey::new(bytes) }))
    }
}

impl Confirm {
    /// Reads the server's confirmation. `None`: it wants another try, from the first question on.
    pub(super) fn finish(self, answer: tl::enums::SetClientDhParamsAnswer) -> Result<Option<Done>, Error> {
        use tl::enums::SetClientDhParamsAnswer as Answer;
        let (nonce, server_nonce, hash, number) = match answer {
            Answer::DhGenOk(a) => (a.nonce, a.server_nonce, a.new_nonce_hash1, 1),
            Answer::DhGenRetry(a) => (a.nonce, a.server_nonce, a.new_nonce_hash2, 2),
            Answer::DhGenFail(a) => (a.nonce, a.server_nonce, a.new_nonce_hash3, 3),
        };
        same(nonce == self.dh.nonce && server_nonce == self.dh.server_nonce, "nonce")?;
        let key = grammers_crypto::AuthKey::from_bytes(*self.key.expose());
        same(hash == key.calc_new_nonce_hash(&self.dh.new_nonce, number), "hash of the key")?;
        let mut salt = [0; 8];
        for (i, byte) in salt.iter_mut().enumerate() {
            *byte = self.dh.new_nonce[i] ^ server_nonce[i];
        }
        match number {
            1 => Ok(Some(Done { key: self.key, salt: i64::from_le_bytes(salt) })),
            2 => Ok(None),
            _ => Err(Error::Exchange("refused")),
        }
    }
}

/// A check of the exchange.
fn same(fine: bool, what: &'static str) -> Result<(), Error> {
    if fine { Ok(()) } else { Err(Error::Exchange(what)) }
}

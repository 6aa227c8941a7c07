//! MTProto 2.0 as the server does it, and the server's RSA key. Written from the documentation, apart from the client's code, so
//! that one is a check of the other; gotd's client judges it.

use grammers_crypto::aes::{ige_decrypt, ige_encrypt};
use num_bigint::BigUint;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The sandbox's own RSA key. Public on purpose: it guards nothing.
pub(super) const PEM: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAu5exefjZWkQzl0HgI20DfQ7mZaergtldQCkcIXPXmMQfdF1/SDVw
7dfCq75NrJg3Kb0/1hpXeYJ7hKM21aD1O9toM/MMKCxjVdaQwIDM9ylXRTH+jfvn
K8selJUrS+K1r5hwTgEMzaJC8OrAR9gsBBerICAZzzvT50EjyuvZ/7kvCF8gG3NU
JSLWegOT2mhocIJkjuyncT2TSu+pZlmSGnHXq5moP30RjnS0WwDZ0GvOa6ETE657
kmktaSZZihA23WXjlOV5DI5G+Iof9wTTXpRx2XfW+IFT7qo5xMyaURh/E0rVvY46
qzi2yB01FQqfsA9egiKTIxyVypWGdSvqLQIDAQAB
-----END RSA PUBLIC KEY-----
";
const MODULUS: &str = "bb97b179f8d95a44339741e0236d037d0ee665a7ab82d95d40291c2173d798c41f745d7f483570edd7c2abbe4dac983729bd3fd61a5779827b84a336d5a0f53bdb6833f30c282c6355d690c080ccf729574531fe8dfbe72bcb1e94952b4be2b5af98704e010ccda242f0eac047d82c0417ab202019cf3bd3e74123caebd9ffb92f085f201b73542522d67a0393da68687082648eeca7713d934aefa96659921a71d7ab99a83f7d118e74b45b00d9d06bce6ba11313ae7b92692d6926598a1036dd65e394e5790c8e46f88a1ff704d35e9471d977d6f88153eeaa39c4cc9a51187f134ad5bd8e3aab38b6c81d35150a9fb00f5e822293231c95ca9586752bea2d";
const EXPONENT: &str = "1abd5ffb34ad58c855794756d97de1cc2afa4cfdb63d2fda32b9d96c6c4c8c56526c7e22554ae6d6c45557b147f5a4f9e1fd7bb2bb6d022147158c4555f4bc5824a989142944b5b5102886582653f11c47b8118d0934a1ca5488fea177bb38acf0c38028a24e2ea6a5379da2bc6af4353e2172b218b3b941b69a4aad936a6ee0b9f2c82208302f3cac6451902e93db467a0964c01de8d29e2b87473365b210907950dab22eaa17933e5ce59eb196854e3c7418bd2a43d95feb00f5167f6a1c4c4bf026b716b22a072501e6cc9dc141cd31e4ffc8211dd3f2a2415b3e71a9af603bec0ff60f910222e782debe95d14eabb2563046ab468dc5d16e1851957f4221";

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Client,
    Server,
}

pub(super) fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut h = Sha1::new();
    parts.iter().for_each(|p| h.update(p));
    h.finalize().into()
}

pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut h = Sha256::new();
    parts.iter().for_each(|p| h.update(p));
    h.finalize().into()
}

/// A key's name on the wire.
pub(super) fn key_id(key: &[u8; 256]) -> [u8; 8] {
    let mut id = [0; 8];
    id.copy_from_slice(&sha1(&[key])[12..]);
    id
}

/// AES key and IV of one message.
fn schedule(key: &[u8; 256], msg_key: &[u8], from: From) -> ([u8; 32], [u8; 32]) {
    let x = if from == From::Client { 0 } else { 8 };
    let a = sha256(&[msg_key, &key[x..x + 36]]);
    let b = sha256(&[&key[x + 40..x + 76], msg_key]);
    let (mut aes, mut iv) = ([0; 32], [0; 32]);
    aes[..8].copy_from_slice(&a[..8]);
    aes[8..24].copy_from_slice(&b[8..24]);
    aes[24..].copy_from_slice(&a[24..]);
    iv[..8].copy_from_slice(&b[..8]);
    iv[8..24].copy_from_slice(&a[8..24]);
    iv[24..].copy_from_slice(&b[24..]);
    (aes, iv)
}

fn check(key: &[u8; 256], text: &[u8], from: From) -> [u8; 32] {
    let x = if from == From::Client { 88 } else { 96 };
    sha256(&[&key[x..x + 32], text])
}

/// Encrypts a server's message: `salt, session, id, seqno, length, body` comes in, a packet goes out.
pub(super) fn seal(key: &[u8; 256], mut text: Vec<u8>) -> Vec<u8> {
    let short = 12 + (16 - (text.len() + 12) % 16) % 16;
    let mut padding = [0; 28];
    // Padding that is all zero is still padding.
    let _ = getrandom::fill(&mut padding);
    text.extend(&padding[..short]);
    let msg_key = check(key, &text, From::Server)[8..24].to_vec();
    let (aes, iv) = schedule(key, &msg_key, From::Server);
    ige_encrypt(&mut text, &aes, &iv);
    [&key_id(key)[..], &msg_key, &text].concat()
}

/// Decrypts what comes after the key's id. `None`: not made with this key, or touched on the way.
pub(super) fn open(key: &[u8; 256], rest: &[u8], from: From) -> Option<Vec<u8>> {
    let (msg_key, sealed) = rest.split_at_checked(16)?;
    if sealed.is_empty() || sealed.len() % 16 != 0 {
        return None;
    }
    let (aes, iv) = schedule(key, msg_key, from);
    let mut text = sealed.to_vec();
    ige_decrypt(&mut text, &aes, &iv);
    (check(key, &text, from)[8..24] == *msg_key).then_some(text)
}

fn number(hex: &str) -> BigUint {
    BigUint::parse_bytes(hex.as_bytes(), 16).unwrap_or_default()
}

/// The number's bytes, padded to 256 in front.
pub(super) fn padded(n: &BigUint) -> [u8; 256] {
    let bytes = n.to_bytes_be();
    let mut out = [0; 256];
    // A number that is too long keeps its low end; there is none such modulo a 2048-bit prime.
    let from = bytes.len().saturating_sub(256);
    let bytes = &bytes[from..];
    out[256 - bytes.len()..].copy_from_slice(bytes);
    out
}

/// The fingerprint that the server offers.
pub(super) fn fingerprint() -> i64 {
    use grammers_tl_types::Serializable;
    let mut data = number(MODULUS).to_bytes_be().to_bytes();
    data.extend(vec![1u8, 0, 1].to_bytes());
    let mut tail = [0; 8];
    tail.copy_from_slice(&sha1(&[&data])[12..]);
    i64::from_le_bytes(tail)
}

/// Undoes RSA_PAD: the 192 bytes of data and padding. `None`: not for this key, or touched.
pub(super) fn rsa_open(data: &[u8]) -> Option<Vec<u8>> {
    if data.len() != 256 {
        return None;
    }
    let plain = padded(&BigUint::from_bytes_be(data).modpow(&number(EXPONENT), &number(MODULUS)));
    let (xored, sealed) = plain.split_at(32);
    let mut temp = sha256(&[sealed]);
    temp.iter_mut().zip(xored).for_each(|(t, x)| *t ^= x);
    let mut text = sealed.to_vec();
    ige_decrypt(&mut text, &temp, &[0; 32]);
    let hash = text.split_off(192);
    text.reverse();
    (sha256(&[&temp, &text])[..] == hash[..]).then_some(text)
}

//! What a packet may be before grammers' message layer sees it. That layer unpacks without a limit, follows containers in containers
//! until the stack is full, and panics at a session that is not its own (grammers-mtproto 0.11 `mtp/encrypted.rs`). A server that we
//! hold a key with is trusted with an account, not with this machine's memory.

use super::{AuthKey, Error};
use flate2::read::GzDecoder;
use grammers_crypto::aes::ige_decrypt;
use grammers_tl_types::{Cursor, Deserializable};
use sha2::{Digest, Sha256};
use std::{collections::VecDeque, io::Read};

const CONTAINER: u32 = 0x73f1_f8dc;
const GZIP: u32 = 0x3072_cfa1;
const RPC_RESULT: u32 = 0xf35c_6d01;
/// Bodies at which the message layer panics: `msg_copy`, and `future_salt` outside of its list.
const PANICS: [u32; 2] = [0xe060_46b2, 0x0949_d9dc];
/// All that one packet may unpack to. The longest answer that is asked for here has some hundred kilobytes.
const UNPACKED: u64 = 8 << 20;
/// Messages in a container (core.telegram.org/mtproto/service_messages: 1020).
const MESSAGES: usize = 1020;
/// The longest message that the layer takes.
const MESSAGE: usize = 1_000_000;
/// Message ids of the server's that are remembered, to know one that comes again.
const SEEN: usize = 256;
/// Sessions that were left and may still get an answer.
const LEFT: usize = 8;

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It may be read.
    Take,
    /// It is for a session that we left, or came before.
    Skip,
}

/// Looks at each packet of one connection, both ways.
pub(super) struct Guard {
    key: AuthKey,
    opened: grammers_crypto::AuthKey,
    session: Option<i64>,
    left: VecDeque<i64>,
    seen: VecDeque<i64>,
}

impl Guard {
    pub(super) fn new(key: &AuthKey) -> Self {
        let opened = grammers_crypto::AuthKey::from_bytes(*key.expose());
        Self { key: key.clone(), opened, session: None, left: VecDeque::new(), seen: VecDeque::new() }
    }

    /// A packet goes out: the first one of a session tells which it is.
    pub(super) fn sent(&mut self, packet: &[u8]) {
        if self.session.is_none() {
            self.session = session_of(&self.key, packet);
        }
    }

    /// A new session begins with the next packet that goes out.
    pub(super) fn renewed(&mut self) {
        self.left.extend(self.session.take());
        if self.left.len() > LEFT {
            self.left.pop_front();
        }
    }

    /// A packet came in.
    ///
    /// # Errors
    /// [`Error::Corrupt`]: nobody who means well sends this.
    pub(super) fn hear(&mut self, packet: &[u8]) -> Result<Word, Error> {
        let mut copy = packet.to_vec();
        let text = grammers_crypto::decrypt_data_v2(&mut copy, &self.opened).map_err(|_| Error::Corrupt)?;
        let mut c = Cursor::from_slice(text);
        let mut long = || i64::deserialize(&mut c).map_err(|_| Error::Corrupt);
        let (_salt, session, id) = (long()?, long()?, long()?);
        if self.session != Some(session) {
            return if self.left.contains(&session) { Ok(Word::Skip) } else { Err(Error::Corrupt) };
        }
        if self.seen.contains(&id) {
            return Ok(Word::Skip);
        }
        self.seen.push_back(id);
        if self.seen.len() > SEEN {
            self.seen.pop_front();
        }
        let (body, _) = message(text.get(16..).unwrap_or_default())?;
        let mut budget = UNPACKED;
        walk(body, true, true, &mut budget)?;
        Ok(Word::Take)
    }
}

/// The body of the message at the start of `data`, and where it ends.
fn message(data: &[u8]) -> Result<(&[u8], usize), Error> {
    let len = data.get(12..16).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(i32::from_le_bytes);
    let len = len.and_then(|n| usize::try_from(n).ok()).filter(|n| *n < MESSAGE && n.is_multiple_of(4)).ok_or(Error::Corrupt)?;
    Ok((data.get(16..16 + len).ok_or(Error::Corrupt)?, 16 + len))
}

fn number(body: &[u8]) -> u32 {
    body.first_chunk::<4>().map_or(0, |b| u32::from_le_bytes(*b))
}

/// One body. Containers do not lie in each other, nor does what is packed.
fn walk(body: &[u8], containers: bool, packed: bool, budget: &mut u64) -> Result<(), Error> {
    match number(body) {
        CONTAINER if containers => {
            let count = number(body.get(4..).unwrap_or_default()) as usize;
            let mut rest = body.get(8..).ok_or(Error::Corrupt)?;
            if count > MESSAGES {
                return Err(Error::Corrupt);
            }
            for _ in 0..count {
                let (inner, used) = message(rest)?;
                walk(inner, false, packed, budget)?;
                rest = rest.get(used..).unwrap_or_default();
            }
            Ok(())
        }
        CONTAINER => Err(Error::Corrupt),
        GZIP if packed => {
            let unpacked = unpack(body, budget)?;
            walk(&unpacked, containers, false, budget)
        }
        GZIP => Err(Error::Corrupt),
        // The constructor and whose answer it is; what is packed in it is no message.
        RPC_RESULT => match body.get(12..) {
            Some(result) if number(result) == GZIP => unpack(result, budget).map(drop),
            _ => Ok(()),
        },
        n if PANICS.contains(&n) => Err(Error::Corrupt),
        _ => Ok(()),
    }
}

/// Unpacks as far as the budget goes. What cannot be unpacked is left to the layer, which says so of the one call.
fn unpack(body: &[u8], budget: &mut u64) -> Result<Vec<u8>, Error> {
    let Ok(packed) = Vec::<u8>::from_bytes(body.get(4..).unwrap_or_default()) else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    let end = GzDecoder::new(&packed[..]).take(*budget + 1).read_to_end(&mut out);
    let used = out.len() as u64;
    *budget = budget.checked_sub(used).ok_or(Error::Corrupt)?;
    Ok(if end.is_ok() { out } else { Vec::new() })
}

/// The session that one of our own packets names (core.telegram.org/mtproto/description, the client's side).
fn session_of(key: &AuthKey, packet: &[u8]) -> Option<i64> {
    let (msg_key, sealed) = (packet.get(8..24)?, packet.get(24..)?);
    let key = key.expose();
    let a = Sha256::new().chain_update(msg_key).chain_update(&key[..36]).finalize();
    let b = Sha256::new().chain_update(&key[40..76]).chain_update(msg_key).finalize();
    let (mut aes, mut iv) = ([0; 32], [0; 32]);
    aes[..8].copy_from_slice(&a[..8]);
    aes[8..24].copy_from_slice(&b[8..24]);
    aes[24..].copy_from_slice(&a[24..]);
    iv[..8].copy_from_slice(&b[..8]);
    iv[8..24].copy_from_slice(&a[8..24]);
    iv[24..].copy_from_slice(&b[24..]);
    let mut head = sealed.get(..16)?.to_vec();
    ige_decrypt(&mut head, &aes, &iv);
    Some(i64::from_le_bytes(<[u8; 8]>::try_from(&head[8..16]).ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use grammers_tl_types::Serializable;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut e = GzEncoder::new(Vec::new(), Compression::fast());
        e.write_all(data).unwrap();
        [GZIP.to_le_bytes().to_vec(), e.finish().unwrap().to_bytes()].concat()
    }

    fn container(inner: &[&[u8]]) -> Vec<u8> {
        let mut out = [CONTAINER.to_le_bytes(), (inner.len() as u32).to_le_bytes()].concat();
        for body in inner {
            out.extend([0; 12]);
            out.extend((body.len() as u32).to_le_bytes());
            out.extend(*body);
        }
        out
    }

    fn fine(body: &[u8]) -> bool {
        walk(body, true, true, &mut { UNPACKED }).is_ok()
    }

    #[test]
    fn what_servers_send_passes_and_what_only_does_harm_does_not() {
        let plain = 7u32.to_bytes();
        assert!(fine(&plain) && fine(&gzip(&plain)) && fine(&container(&[&plain, &gzip(&plain)])));
        assert!(fine(&gzip(&container(&[&plain]))));
        assert!(!fine(&container(&[&container(&[&plain])])), "a container in a container");
        assert!(!fine(&gzip(&gzip(&plain))), "packed twice");
        assert!(!fine(&gzip(&vec![0; 9 << 20])), "a bomb");
        let half = gzip(&vec![0; 5 << 20]);
        assert!(fine(&half) && !fine(&container(&[&half, &half])), "two halves of a bomb");
        let result = [RPC_RESULT.to_le_bytes().to_vec(), vec![0; 8], gzip(&vec![0; 9 << 20])].concat();
        assert!(!fine(&result), "a bomb as an answer");
        assert!(!fine(&0xe060_46b2u32.to_bytes()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn arbitrary_bodies_never_panic(head in prop::sample::select(vec![CONTAINER, GZIP, RPC_RESULT, 7]), rest in prop::collection::vec(any::<u8>(), 0..600)) {
            let body = [head.to_le_bytes().to_vec(), rest].concat();
            let _ = fine(&body);
            let _ = message(&body);
        }
    }
}

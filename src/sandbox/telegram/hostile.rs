//! A data centre that means harm, or something between us and it that does: each way to answer wrongly, for tests of clients.

use super::message::{CONTAINER, GZIP, RPC_RESULT};
use flate2::{Compression, write::GzEncoder};
use grammers_tl_types::Serializable;
use std::{io::Write, sync::OnceLock};

/// How it is hostile. Everything else stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostile {
    // The stream.
    /// Half of each packet, then the end.
    Truncated,
    /// Random bytes, framed as they should be.
    Garbage,
    /// Random bytes in no frame.
    Noise,
    /// A length of almost two gigabytes, and silence.
    HugeLength,
    /// A length that may be, and then one byte a tenth of a second.
    SlowBytes,
    /// The transport's error of that number, as the first answer.
    Status(i32),
    /// The end, after so many bytes of all answers.
    CloseAt(u32),
    /// An HTTP server.
    Http,
    // The exchange.
    /// Another nonce in each answer.
    WrongNonce,
    /// A number to factor that is prime.
    PrimePq,
    /// None of the known RSA keys.
    OtherKeys,
    /// A Diffie-Hellman value of one.
    SmallGa,
    /// A group whose order is no safe prime.
    WeakPrime,
    /// A generator that Telegram does not use.
    WrongGenerator,
    /// "Try again", for ever.
    RetryForever,
    /// A confirmation for another key.
    WrongHash,
    // What is encrypted.
    /// The id of another key on each packet.
    WrongKeyId,
    /// A message key that does not fit.
    WrongMessageKey,
    /// For another session.
    WrongSession,
    /// An answer that unpacks to 64 MiB.
    GzipBomb,
    /// Something packed, packed, packed.
    GzipInGzip,
    /// Containers in containers, ten thousand deep.
    DeepContainers,
    /// A container of two thousand million messages.
    HugeContainer,
    /// A message with a negative length.
    NegativeLength,
    /// A list with four thousand million members.
    HugeVector,
    /// A constructor that nobody knows, as the answer.
    UnknownConstructor,
    /// An update with text in text in text, and so on.
    DeepUpdate,
    /// A message id of 1970.
    OldMessageId,
    /// Each packet three times.
    Replay,
    /// The salt is always wrong.
    BadSaltForever,
    /// The message is always refused, with a reason that does not exist.
    RefusedForever,
    /// A word at which some clients die: `future_salt` by itself.
    LoneSalt,
}

impl Hostile {
    /// All of them.
    pub const ALL: [Self; 33] = [
        Self::Truncated,
        Self::Garbage,
        Self::Noise,
        Self::HugeLength,
        Self::SlowBytes,
        Self::Status(-404),
        Self::Status(-429),
        Self::Status(-1234),
        Self::CloseAt(0),
        Self::Http,
        Self::WrongNonce,
        Self::PrimePq,
        Self::OtherKeys,
        Self::SmallGa,
        Self::WeakPrime,
        Self::WrongGenerator,
        Self::RetryForever,
        Self::WrongHash,
        Self::WrongKeyId,
        Self::WrongMessageKey,
        Self::WrongSession,
        Self::GzipBomb,
        Self::GzipInGzip,
        Self::DeepContainers,
        Self::HugeContainer,
        Self::NegativeLength,
        Self::HugeVector,
        Self::UnknownConstructor,
        Self::DeepUpdate,
        Self::OldMessageId,
        Self::BadSaltForever,
        Self::RefusedForever,
        Self::LoneSalt,
    ];

    /// True when it shows while a key is made; the others show when a key is used.
    pub fn in_exchange(self) -> bool {
        use Hostile as H;
        matches!(self, H::WrongNonce | H::PrimePq | H::OtherKeys | H::SmallGa | H::WeakPrime | H::WrongGenerator | H::RetryForever | H::WrongHash)
            || self.in_stream()
    }

    /// True when it is about bytes, whatever they mean.
    pub fn in_stream(self) -> bool {
        use Hostile as H;
        matches!(self, H::Truncated | H::Garbage | H::Noise | H::HugeLength | H::SlowBytes | H::Status(_) | H::CloseAt(_) | H::Http)
    }

    /// The answer to a call, instead of the right one.
    pub(super) fn answer(self, to: i64, right: Vec<u8>) -> Vec<u8> {
        let result = |body: Vec<u8>| [RPC_RESULT.to_le_bytes().to_vec(), to.to_le_bytes().to_vec(), body].concat();
        match self {
            Self::GzipBomb => {
                static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
                result(BOMB.get_or_init(|| packed(&mut std::iter::repeat_n([0u8; 1 << 16], 1024))).clone())
            }
            Self::GzipInGzip => (0..200).fold(right, |inner, _| packed(&mut std::iter::once(inner))),
            Self::DeepContainers => {
                static DEEP: OnceLock<Vec<u8>> = OnceLock::new();
                let deep = || (0..10_000).fold(vec![0; 4], |inner, n| container(1, n, &inner, inner.len() as i32));
                DEEP.get_or_init(deep).clone()
            }
            Self::HugeContainer => container(i32::MAX, 5, &right, right.len() as i32),
            Self::NegativeLength => container(1, 5, &right, -4),
            Self::HugeVector => result([0x1cb5_c415u32.to_le_bytes(), u32::MAX.to_le_bytes()].concat()),
            Self::UnknownConstructor => result(0xdead_beefu32.to_le_bytes().repeat(8)),
            Self::DeepUpdate => deep_update(),
            Self::LoneSalt => [&0x0949_d9dcu32.to_le_bytes()[..], &[0; 16]].concat(),
            _ => right,
        }
    }

    /// What goes out for one packet, and whether that is the end. `sent` counts the bytes of all answers.
    pub(super) fn dress(self, framed: Vec<u8>, unframed: &[u8], sent: &mut u32) -> (Vec<u8>, bool) {
        let noise = |n: usize| {
            let mut out = vec![0; n];
            // Without randomness: zeros, which are as wrong.
            let _ = getrandom::fill(&mut out);
            out
        };
        let with_length = |n: u32, more: &[u8]| [&n.to_le_bytes()[..], more].concat();
        match self {
            Self::Truncated => (framed[..framed.len() / 2].to_vec(), true),
            Self::Garbage => {
                let inside = noise(unframed.len().max(40));
                (with_length(inside.len() as u32, &inside), false)
            }
            Self::Noise => (noise(700), false),
            Self::HugeLength => (with_length(0x7fff_fff0, &[]), false),
            Self::Status(n) => (with_length(4, &n.to_le_bytes()), false),
            Self::CloseAt(at) => {
                let left = (at.saturating_sub(*sent) as usize).min(framed.len());
                *sent = sent.saturating_add(framed.len() as u32);
                (framed[..left].to_vec(), *sent >= at)
            }
            Self::Http => (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(), true),
            Self::Replay => (framed.repeat(3), false),
            _ => (framed, false),
        }
    }

    /// Touches a sealed packet.
    pub(super) fn touch(self, mut packet: Vec<u8>) -> Vec<u8> {
        match self {
            Self::WrongKeyId => packet[3] ^= 0x55,
            Self::WrongMessageKey => packet[12] ^= 0x55,
            _ => {}
        }
        packet
    }

    /// Touches a message before it is sealed: `salt, session, id, …`.
    pub(super) fn address(self, text: &mut [u8]) {
        match self {
            Self::WrongSession => text[9] ^= 0x55,
            Self::OldMessageId => text[20..24].copy_from_slice(&77u32.to_le_bytes()),
            _ => {}
        }
    }
}

/// `updateShort` of a service message with media that are sold for media that are sold for media.
fn deep_update() -> Vec<u8> {
    use grammers_tl_types::{Identifiable, types as t};
    let head = [t::UpdateShort::CONSTRUCTOR_ID, t::UpdateServiceNotification::CONSTRUCTOR_ID, 0, 0, 0];
    // The price, a list of one.
    let level = [t::MessageMediaPaidMedia::CONSTRUCTOR_ID, 1, 0, 0x1cb5_c415, 1, t::MessageExtendedMedia::CONSTRUCTOR_ID];
    head.iter().chain(level.repeat(36_000).iter()).flat_map(|n| n.to_le_bytes()).collect()
}

/// `gzip_packed` of some pieces.
fn packed<T: AsRef<[u8]>>(pieces: &mut dyn Iterator<Item = T>) -> Vec<u8> {
    let mut e = GzEncoder::new(Vec::new(), Compression::best());
    for piece in pieces {
        // Into memory: it cannot fail.
        let _ = e.write_all(piece.as_ref());
    }
    [GZIP.to_le_bytes().to_vec(), e.finish().unwrap_or_default().to_bytes()].concat()
}

/// A container that says it holds `count` messages, with one whose length is said to be `len`.
fn container(count: i32, id: i64, inner: &[u8], len: i32) -> Vec<u8> {
    let head = [&CONTAINER.to_le_bytes()[..], &count.to_le_bytes(), &id.to_le_bytes(), &[0; 4], &len.to_le_bytes()].concat();
    [&head[..], inner].concat()
}

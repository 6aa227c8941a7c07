//! Frames over TCP: the four ways in which MTProto cuts a stream into packets, and the errors that come as a packet of four bytes.
//!
//! Not grammers' transports: theirs take a packet for whole when up to three of its bytes are missing, and panic then.

use super::{Address, Error};
use flate2::Crc;
use grammers_crypto::ObfuscatedCipher;
use std::{fmt, io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The longest packet that we take. Telegram's own stay below 1 MiB.
const LONGEST: usize = 2 << 20;

/// How packets are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Length, counter, checksum.
    Full,
    /// A length of four bytes.
    Intermediate,
    /// A length of one or four bytes.
    Abridged,
    /// Intermediate inside of a key stream, so that a filter sees noise.
    ObfuscatedIntermediate,
}

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// No connection, or it broke.
    Io(io::ErrorKind),
    /// Not connected in time.
    ConnectTimeout,
    /// The other side closed it.
    Closed,
    /// Transport error 404: the data centre does not know the key.
    UnknownKey,
    /// Transport error 429: too many connections from here.
    TooMany,
    /// Transport error 444: no such data centre here.
    WrongDc,
    /// Another transport error.
    Status(u32),
    /// No frame of MTProto: another kind of server.
    BadFrame,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "{kind}"),
            Self::ConnectTimeout => f.write_str("no connection in time"),
            Self::Closed => f.write_str("closed by the server"),
            Self::UnknownKey => f.write_str("the server does not know this key (404)"),
            Self::TooMany => f.write_str("too many connections (429)"),
            Self::WrongDc => f.write_str("no such data centre (444)"),
            Self::Status(n) => write!(f, "transport error {n}"),
            Self::BadFrame => f.write_str("this is no MTProto server"),
        }
    }
}

impl std::error::Error for WireError {}

/// A connection that carries packets.
pub(super) struct Wire {
    stream: TcpStream,
    frames: Frames,
    /// Received and decrypted, not yet taken.
    inbox: Vec<u8>,
    cipher: Option<ObfuscatedCipher>,
}

impl Wire {
    /// Connects and sends what announces the framing together with the first packet.
    ///
    /// # Errors
    /// [`WireError`], [`Error::NoRandom`].
    pub(super) async fn connect(to: Address, framing: Framing, within: Duration) -> Result<Self, Error> {
        let (cipher, head) = match framing {
            Framing::Full => (None, Vec::new()),
            Framing::Intermediate => (None, vec![0xee; 4]),
            Framing::Abridged => (None, vec![0xef]),
            Framing::ObfuscatedIntermediate => {
                let (cipher, head) = obfuscation(to.dc)?;
                (Some(cipher), head)
            }
        };
        let connect = timeout(within, TcpStream::connect(to.at));
        let mut stream = connect.await.map_err(|_| WireError::ConnectTimeout)?.map_err(|e| WireError::Io(e.kind()))?;
        stream.set_nodelay(true).map_err(|e| WireError::Io(e.kind()))?;
        if !head.is_empty() {
            stream.write_all(&head).await.map_err(|e| WireError::Io(e.kind()))?;
        }
        Ok(Self { stream, frames: Frames::new(framing), inbox: Vec::new(), cipher })
    }

    /// Sends one packet.
    pub(super) async fn send(&mut self, packet: &[u8]) -> Result<(), WireError> {
        let mut out = self.frames.pack(packet);
        if let Some(cipher) = &mut self.cipher {
            cipher.encrypt(&mut out);
        }
        self.stream.write_all(&out).await.map_err(|e| WireError::Io(e.kind()))
    }

    /// The next packet. May be dropped while it waits; nothing is lost.
    pub(super) async fn receive(&mut self) -> Result<Vec<u8>, WireError> {
        loop {
            if let Some(packet) = self.frames.take(&mut self.inbox)? {
                return status(packet);
            }
            let before = self.inbox.len();
            let n = self.stream.read_buf(&mut self.inbox).await.map_err(|e| WireError::Io(e.kind()))?;
            if n == 0 {
                return Err(WireError::Closed);
            }
            if let Some(cipher) = &mut self.cipher {
                cipher.decrypt(&mut self.inbox[before..]);
            }
        }
    }

    /// Closes it: returns when the system has sent the end of the stream.
    pub(super) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }
}

/// A packet of four bytes is an error number.
fn status(packet: Vec<u8>) -> Result<Vec<u8>, WireError> {
    let Ok(four) = <[u8; 4]>::try_from(packet.as_slice()) else { return Ok(packet) };
    Err(number(i32::from_le_bytes(four)))
}

fn number(n: i32) -> WireError {
    match n {
        -404 => WireError::UnknownKey,
        -429 => WireError::TooMany,
        -444 => WireError::WrongDc,
        n if n < 0 => WireError::Status(n.unsigned_abs()),
        _ => WireError::BadFrame,
    }
}

/// Cuts and joins packets; the counters are those of the full framing.
struct Frames {
    framing: Framing,
    sent: u32,
    received: u32,
}

impl Frames {
    const fn new(framing: Framing) -> Self {
        Self { framing, sent: 0, received: 0 }
    }

    fn pack(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(packet.len() + 12);
        let len = packet.len() as u32;
        match self.framing {
            Framing::Full => {
                out.extend((len + 12).to_le_bytes());
                out.extend(self.sent.to_le_bytes());
                out.extend(packet);
                out.extend(crc(&out).to_le_bytes());
                self.sent += 1;
            }
            Framing::Intermediate | Framing::ObfuscatedIntermediate => {
                out.extend(len.to_le_bytes());
                out.extend(packet);
            }
            Framing::Abridged => {
                match len / 4 {
                    n @ 0..0x7f => out.push(n as u8),
                    n => out.extend((n << 8 | 0x7f).to_le_bytes()),
                }
                out.extend(packet);
            }
        }
        out
    }

    /// Takes the first packet out of `inbox` if it is whole.
    fn take(&mut self, inbox: &mut Vec<u8>) -> Result<Option<Vec<u8>>, WireError> {
        let four = |at: usize| inbox.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(u32::from_le_bytes);
        // Where the packet begins, its length, and what comes after it.
        let (head, len, tail) = match self.framing {
            Framing::Full => match four(0) {
                None => return Ok(None),
                Some(n) if (n as i32) < 0 => return Err(number(n as i32)),
                Some(n @ 0..12) => return Err(if n == 0 { WireError::BadFrame } else { WireError::Status(n) }),
                Some(n) => (8, n as usize - 12, 4),
            },
            Framing::Intermediate | Framing::ObfuscatedIntermediate => match four(0) {
                None => return Ok(None),
                // The highest bit asks for a quick acknowledgment, which servers do not send to us.
                Some(n) if (n as i32) < 0 => return Err(number(n as i32)),
                Some(n) => (4, n as usize, 0),
            },
            Framing::Abridged => match inbox.first() {
                None => return Ok(None),
                Some(n @ 0..0x7f) => (1, usize::from(*n) * 4, 0),
                Some(0x7f) => match four(0) {
                    None => return Ok(None),
                    Some(n) => (4, (n >> 8) as usize * 4, 0),
                },
                Some(_) => return Err(WireError::BadFrame),
            },
        };
        if len > LONGEST {
            return Err(WireError::BadFrame);
        }
        if inbox.len() < head + len + tail {
            return Ok(None);
        }
        if self.framing == Framing::Full {
            let whole = four(4) == Some(self.received) && four(8 + len) == Some(crc(&inbox[..8 + len]));
            if !whole {
                return Err(WireError::BadFrame);
            }
            self.received += 1;
        }
        let packet = inbox[head..head + len].to_vec();
        inbox.drain(..head + len + tail);
        Ok(Some(packet))
    }
}

/// Every packet of a stream that comes in pieces of `cut` bytes, and how much is left of it.
#[cfg(test)]
pub(super) fn decode_all(framing: Framing, bytes: &[u8], cut: usize) -> (Vec<Vec<u8>>, usize) {
    let (mut frames, mut inbox, mut packets) = (Frames::new(framing), Vec::new(), Vec::new());
    for piece in bytes.chunks(cut) {
        inbox.extend_from_slice(piece);
        loop {
            match frames.take(&mut inbox) {
                Ok(Some(packet)) => packets.extend(status(packet)),
                Ok(None) => break,
                Err(_) => return (packets, inbox.len()),
            }
        }
    }
    (packets, inbox.len())
}

fn crc(data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(data);
    crc.sum()
}

/// The key stream of an obfuscated connection and the 64 bytes that begin it.
fn obfuscation(dc: i32) -> Result<(ObfuscatedCipher, Vec<u8>), Error> {
    const FIRST: [[u8; 4]; 7] = [*b"HEAD", *b"POST", *b"GET ", *b"OPTI", [0x16, 3, 1, 2], [0xdd; 4], [0xee; 4]];
    let mut head = [0; 64];
    loop {
        getrandom::fill(&mut head).map_err(|_| Error::NoRandom)?;
        // What would look like another framing, or like another protocol.
        if head[0] != 0xef && head[4..8] != [0; 4] && FIRST.iter().all(|f| *f != head[..4]) {
            break;
        }
    }
    head[56..60].fill(0xee);
    head[60..62].copy_from_slice(&(dc as i16).to_le_bytes());
    let mut cipher = ObfuscatedCipher::new(&head);
    let mut sealed = head;
    cipher.encrypt(&mut sealed);
    head[56..].copy_from_slice(&sealed[56..]);
    Ok((cipher, head.to_vec()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const ALL: [Framing; 3] = [Framing::Full, Framing::Intermediate, Framing::Abridged];

    #[test]
    fn packets_of_any_length_come_back_whole_however_the_stream_is_cut() {
        for framing in ALL {
            let (mut out, mut back) = (Frames::new(framing), Frames::new(framing));
            let packets: Vec<Vec<u8>> = [8, 0x7e * 4, 0x7f * 4, 70_000].iter().map(|n| vec![0x5a; *n]).collect();
            let stream: Vec<u8> = packets.iter().flat_map(|p| out.pack(p)).collect();
            let (mut inbox, mut got) = (Vec::new(), Vec::new());
            for byte in stream {
                inbox.push(byte);
                got.extend(back.take(&mut inbox).unwrap());
            }
            assert_eq!(got, packets, "{framing:?}");
            assert!(inbox.is_empty());
        }
    }

    #[test]
    fn four_bytes_are_an_error_number_in_every_framing() {
        for (n, error) in [(-404, WireError::UnknownKey), (-429, WireError::TooMany), (-444, WireError::WrongDc), (-500, WireError::Status(500))] {
            for framing in ALL {
                let mut inbox = Frames::new(framing).pack(&i32::to_le_bytes(n));
                let packet = Frames::new(framing).take(&mut inbox).unwrap().unwrap();
                assert_eq!(status(packet), Err(error), "{framing:?}");
            }
        }
        assert_eq!(number(i32::MIN), WireError::Status(1 << 31));
    }

    #[test]
    fn a_server_of_another_kind_is_told_from_mtproto_and_cannot_fill_the_memory() {
        for framing in ALL {
            let mut inbox = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
            let mut frames = Frames::new(framing);
            // 'H' is a length of 288 in abridged: there nothing is amiss yet.
            let got = frames.take(&mut inbox);
            assert!(matches!(got, Err(WireError::BadFrame)) || framing == Framing::Abridged, "{framing:?}: {got:?}");
        }
        let mut inbox = Frames::new(Framing::Full).pack(&[1; 8]);
        inbox[9] ^= 1;
        assert_eq!(Frames::new(Framing::Full).take(&mut inbox), Err(WireError::BadFrame), "a wrong checksum");
    }
}

//! The server's side of the transports. The client's first bytes tell which one it speaks.

use flate2::Crc;
use grammers_crypto::ObfuscatedCipher;

/// The longest packet taken from a client.
const LONGEST: usize = 1 << 20;

/// How one client frames its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Full,
    Intermediate,
    /// Intermediate with up to 15 bytes of padding.
    Padded,
    Abridged,
}

/// One connection's framing in both directions.
pub(super) struct Framing {
    way: Option<Way>,
    cipher: Option<ObfuscatedCipher>,
    sent: u32,
    received: u32,
    /// Decrypted, not yet taken.
    inbox: Vec<u8>,
}

/// The client does not speak MTProto: the server hangs up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotMtproto;

impl Framing {
    pub(super) const fn new() -> Self {
        Self { way: None, cipher: None, sent: 0, received: 0, inbox: Vec::new() }
    }

    /// Takes bytes from the network.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), NotMtproto> {
        let before = self.inbox.len();
        self.inbox.extend(bytes);
        if let Some(cipher) = &mut self.cipher {
            cipher.decrypt(&mut self.inbox[before..]);
        }
        if self.way.is_none() {
            self.recognise()?;
        }
        Ok(())
    }

    /// core.telegram.org/mtproto/mtproto-transports.
    fn recognise(&mut self) -> Result<(), NotMtproto> {
        let (way, used) = match self.inbox.as_slice() {
            [0xef, ..] => (Way::Abridged, 1),
            [0xee, 0xee, 0xee, 0xee, ..] => (Way::Intermediate, 4),
            [0xdd, 0xdd, 0xdd, 0xdd, ..] => (Way::Padded, 4),
            [_, _, _, _, 0, 0, 0, 0, ..] => (Way::Full, 0),
            long if long.len() >= 64 => {
                let mut head = [0; 64];
                head.copy_from_slice(&long[..64]);
                let mut reversed = head;
                reversed.reverse();
                // What the client sends with, we read with.
                let mut cipher = ObfuscatedCipher::new(&reversed);
                cipher.decrypt(&mut head);
                let way = match head[56..60] {
                    [0xef, 0xef, 0xef, 0xef] => Way::Abridged,
                    [0xee, 0xee, 0xee, 0xee] => Way::Intermediate,
                    [0xdd, 0xdd, 0xdd, 0xdd] => Way::Padded,
                    _ => return Err(NotMtproto),
                };
                cipher.decrypt(&mut self.inbox[64..]);
                self.cipher = Some(cipher);
                (way, 64)
            }
            _ => return Ok(()),
        };
        self.way = Some(way);
        self.inbox.drain(..used);
        Ok(())
    }

    fn four(&self, at: usize) -> Option<u32> {
        self.inbox.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(u32::from_le_bytes)
    }

    /// The next whole packet.
    pub(super) fn take(&mut self) -> Result<Option<Vec<u8>>, NotMtproto> {
        let (head, len, tail) = match self.way {
            None => return Ok(None),
            Some(Way::Full) => match self.four(0) {
                None => return Ok(None),
                Some(n @ 12..) => (8, n as usize - 12, 4),
                Some(_) => return Err(NotMtproto),
            },
            Some(Way::Intermediate | Way::Padded) => match self.four(0) {
                None => return Ok(None),
                Some(n) => (4, (n & 0x7fff_ffff) as usize, 0),
            },
            Some(Way::Abridged) => match self.inbox.first().map(|n| n & 0x7f) {
                None => return Ok(None),
                Some(0x7f) => match self.four(0) {
                    None => return Ok(None),
                    Some(n) => (4, (n >> 8) as usize * 4, 0),
                },
                Some(n) => (1, usize::from(n) * 4, 0),
            },
        };
        if len > LONGEST {
            return Err(NotMtproto);
        }
        if self.inbox.len() < head + len + tail {
            return Ok(None);
        }
        if self.way == Some(Way::Full) {
            if self.four(4) != Some(self.received) || self.four(8 + len) != Some(crc(&self.inbox[..8 + len])) {
                return Err(NotMtproto);
            }
            self.received += 1;
        }
        let mut packet = self.inbox[head..head + len].to_vec();
        self.inbox.drain(..head + len + tail);
        // What is encrypted comes in blocks; the rest is the transport's own padding. A question in the clear names its length.
        if self.way == Some(Way::Padded) && len > 24 && packet[..8] != [0; 8] {
            packet.truncate(24 + (len - 24) / 16 * 16);
        }
        Ok(Some(packet))
    }

    /// A packet as it goes out.
    pub(super) fn pack(&mut self, packet: &[u8]) -> Vec<u8> {
        let len = packet.len() as u32;
        let mut out = Vec::with_capacity(packet.len() + 12);
        match self.way {
            Some(Way::Full) => {
                out.extend((len + 12).to_le_bytes());
                out.extend(self.sent.to_le_bytes());
                out.extend(packet);
                out.extend(crc(&out).to_le_bytes());
                self.sent += 1;
            }
            Some(Way::Abridged) => {
                if len / 4 < 0x7f {
                    out.push((len / 4) as u8);
                } else {
                    out.extend(((len / 4) << 8 | 0x7f).to_le_bytes());
                }
                out.extend(packet);
            }
            _ => {
                out.extend(len.to_le_bytes());
                out.extend(packet);
            }
        }
        if let Some(cipher) = &mut self.cipher {
            cipher.encrypt(&mut out);
        }
        out
    }
}

fn crc(data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(data);
    crc.sum()
}

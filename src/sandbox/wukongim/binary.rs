//! The binary protocol of the official SDKs, as far as logging in, staying alive and being thrown out need it (WuKongIMGoProto
//! 1.2.3). Messages are encrypted with a key that the sandbox does not compute: SEND gets no answer and RECV is not sent. An
//! SDK that goes through CONNECT and DISCONNECT sees what it would see on the real server.

use super::session::Hello;
use base64::{Engine as _, engine::general_purpose::STANDARD};

const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PING: u8 = 7;
const PONG: u8 = 8;
const DISCONNECT: u8 = 9;

/// A frame of a client.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// Who it is, and its clock in milliseconds since 1970.
    Connect(Hello, i64),
    /// Sign of life.
    Ping,
    /// Any other.
    Other,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn text(&mut self) -> Option<String> {
        let length = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        String::from_utf8(self.take(length.into())?.to_vec()).ok()
    }

    fn length(&mut self) -> Option<usize> {
        let mut out = 0;
        for shift in [0, 7, 14, 21] {
            let b = self.byte()?;
            out |= usize::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return Some(out);
            }
        }
        None
    }
}

/// The frames of one WebSocket message; `None` when it does not hold whole frames.
pub(crate) fn decode(data: &[u8]) -> Option<Vec<Frame>> {
    let (mut rest, mut out) = (Reader(data), Vec::new());
    while !rest.0.is_empty() {
        let kind = rest.byte()? >> 4;
        // Go reads no length of these two; the JS SDK sends one all the same for PING, a zero.
        if kind == PING || kind == PONG {
            if rest.0.first() == Some(&0) {
                rest.byte();
            }
            out.push(Frame::Ping);
            continue;
        }
        let length = rest.length()?;
        let mut body = Reader(rest.take(length)?);
        out.push(if kind == CONNECT {
            let (version, flag) = (body.byte()?, body.byte()?);
            let (device_id, uid, token) = (body.text()?, body.text()?, body.text()?);
            let at = i64::from_be_bytes(body.take(8)?.try_into().ok()?);
            Frame::Connect(Hello { uid, token, flag, device_id, version, ..Hello::default() }, at)
        } else {
            Frame::Other
        });
    }
    Some(out)
}

fn frame(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind << 4 | flags];
    let mut length = body.len();
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        out.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

fn text(out: &mut Vec<u8>, t: &str) {
    let length = u16::try_from(t.len()).unwrap_or(0);
    out.extend(length.to_be_bytes());
    out.extend(&t.as_bytes()[..length.into()]);
}

/// CONNACK. `key` stands for the server's public key and `salt` for the start of its cipher.
pub(crate) fn connack(version: u8, time_diff: i64, reason: u8, key: &[u8], salt: &str, node: u64) -> Vec<u8> {
    let mut body = Vec::new();
    let tells = version > 3;
    if tells {
        body.push(version.min(5));
    }
    body.extend(time_diff.to_be_bytes());
    body.push(reason);
    text(&mut body, &STANDARD.encode(key));
    text(&mut body, salt);
    if tells {
        body.extend(node.to_be_bytes());
    }
    frame(CONNACK, u8::from(tells), &body)
}

/// PONG: one byte.
pub(crate) fn pong() -> Vec<u8> {
    vec![PONG << 4]
}

/// DISCONNECT with reason 12.
pub(crate) fn disconnect(reason: &str) -> Vec<u8> {
    let mut body = vec![12];
    text(&mut body, reason);
    frame(DISCONNECT, 0, &body)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_is_read_field_by_field_and_a_cut_one_is_not() {
        let mut body = vec![2, 1];
        for t in ["dev-W", "u1", "tok"] {
            text(&mut body, t);
        }
        body.extend(1234i64.to_be_bytes());
        text(&mut body, "key");
        let whole = frame(CONNECT, 0, &body);
        let frames = decode(&whole).unwrap();
        let [Frame::Connect(hello, 1234)] = frames.as_slice() else { panic!("{frames:?}") };
        assert_eq!((hello.uid.as_str(), hello.token.as_str(), hello.device_id.as_str(), hello.flag, hello.version), ("u1", "tok", "dev-W", 1, 2));
        for n in 1..whole.len() {
            assert!(decode(&whole[..n]).is_none(), "cut at {n}");
        }
        assert!(matches!(decode(&[0x70, 0]).unwrap().as_slice(), [Frame::Ping]));
    }

    #[test]
    fn a_long_body_has_a_length_of_several_bytes() {
        assert_eq!(frame(DISCONNECT, 0, &[0; 200])[..3], [0x90, 0xc8, 0x01]);
    }
}

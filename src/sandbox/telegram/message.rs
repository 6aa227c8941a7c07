//! Messages inside of an encrypted packet: containers opened, zipped ones unzipped.

use flate2::read::GzDecoder;
use grammers_tl_types::{Cursor, Deserializable};
use std::io::Read;

pub(super) const CONTAINER: u32 = 0x73f1_f8dc;
pub(super) const GZIP: u32 = 0x3072_cfa1;
pub(super) const RPC_RESULT: u32 = 0xf35c_6d01;

/// The most that a zipped message may hold.
const UNZIPPED: u64 = 4 << 20;

/// One message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: i64,
    pub(super) seqno: i32,
    pub(super) body: Vec<u8>,
}

/// A decrypted packet.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) salt: i64,
    pub(super) session: i64,
    pub(super) message: Message,
}

impl Packet {
    /// Reads `salt, session, id, seqno, length, body, padding`.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut c = Cursor::from_slice(text);
        let mut long = || i64::deserialize(&mut c).ok();
        let (salt, session) = (long()?, long()?);
        let (message, used) = one(text.get(16..)?)?;
        // 12 to 1024 bytes of padding.
        let padding = text.len().checked_sub(16 + used)?;
        (12..=1024).contains(&padding).then_some(Self { salt, session, message })
    }
}

/// One message at the start of `data`, and how long it is.
fn one(data: &[u8]) -> Option<(Message, usize)> {
    let mut c = Cursor::from_slice(data);
    let id = i64::deserialize(&mut c).ok()?;
    let seqno = i32::deserialize(&mut c).ok()?;
    let len = usize::try_from(i32::deserialize(&mut c).ok()?).ok()?;
    (len % 4 == 0).then_some(())?;
    Some((Message { id, seqno, body: data.get(16..16 + len)?.to_vec() }, 16 + len))
}

/// The constructor's number at the start of a body.
pub(super) fn constructor(body: &[u8]) -> u32 {
    u32::from_bytes(body).unwrap_or_default()
}

/// The messages of a container, or the message itself; zipped bodies unzipped. `None`: damaged.
pub(super) fn flatten(message: Message) -> Option<Vec<Message>> {
    let message = unzip(message)?;
    if constructor(&message.body) != CONTAINER {
        return Some(vec![message]);
    }
    let count = u32::from_bytes(message.body.get(4..)?).ok()?;
    let mut rest = message.body.get(8..)?;
    let mut out = Vec::new();
    for _ in 0..count.min(1024) {
        let (m, used) = one(rest)?;
        rest = &rest[used..];
        let m = unzip(m)?;
        // A container in a container is not allowed.
        (constructor(&m.body) != CONTAINER).then_some(())?;
        out.push(m);
    }
    Some(out)
}

fn unzip(mut message: Message) -> Option<Message> {
    message.body = unzipped(message.body)?;
    Some(message)
}

/// The body itself, or what was packed in it.
pub(super) fn unzipped(body: Vec<u8>) -> Option<Vec<u8>> {
    if constructor(&body) != GZIP {
        return Some(body);
    }
    let packed = Vec::<u8>::from_bytes(&body[4..]).ok()?;
    let mut out = Vec::new();
    GzDecoder::new(&packed[..]).take(UNZIPPED).read_to_end(&mut out).ok()?;
    Some(out)
}

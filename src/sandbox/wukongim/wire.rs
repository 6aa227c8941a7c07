//! What stands at the other end of a session: a socket, or a client inside of the sandbox.

use std::time::Duration;
use tokio::sync::mpsc;

/// What the server tells a socket's task.
#[derive(Clone, Debug)]
pub(crate) enum Out {
    /// DISCONNECT with reason 12 and this text, which may be empty.
    Disconnect(String),
    /// A message.
    Recv(Delivery),
    /// Close it (v1 and v3 do, v2 never gets there).
    Close,
}

/// A message on its way to one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    pub(crate) seq: u32,
    pub(crate) client_msg_no: String,
    pub(crate) timestamp: i64,
    /// The personal channel as the receiver names it: the other one's uid.
    pub(crate) channel: String,
    pub(crate) from: String,
    pub(crate) payload: String,
}

/// How a client inside of the sandbox takes a DISCONNECT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// It hangs up and stays away, as the official SDKs do on reason 12.
    #[default]
    HangsUp,
    /// It ignores the DISCONNECT and keeps its socket: on v2 it becomes a zombie.
    Deaf,
    /// It hangs up, and so long after it the app logs in again with the token that it has, for as long as it lives. The SDKs
    /// leave that to the app on reason 12, and apps do it; after a refusal the SDK itself goes on for ever (trace T).
    ComesBack(Duration),
}

/// The other end.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// A WebSocket.
    Socket(mpsc::Sender<Out>),
    /// A client of the sandbox's own.
    Inside(Manner),
}

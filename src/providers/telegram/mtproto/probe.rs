//! Talking before there is a key: the clock probe and the making of a key. No account is touched by either.

use super::{
    Address, AuthKey, Error, Network,
    clock::Sent,
    exchange::{Dh, Params, Pq},
    wire::Wire,
};
use crate::clock::sample::Interval;
use grammers_tl_types::{Cursor, Deserializable, RemoteCall, Serializable};
use std::time::Duration;
use tokio::time::timeout;

/// For each step of the exchange.
const STEP: Duration = Duration::from_secs(15);
/// For the TCP connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How often the server may ask for another try.
const TRIES: u32 = 3;

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Server minus host in milliseconds.
    pub offset: Interval,
    /// From sending the question that the server's time answers to its answer.
    pub round_trip: Duration,
}

/// A key that the server has just learnt; it belongs to nobody yet.
#[derive(Debug)]
pub struct Fresh {
    /// The key.
    pub key: AuthKey,
    /// Its first salt.
    pub salt: i64,
    /// The server's clock, measured on the way.
    pub clock: Probe,
}

/// Asks a data centre for its time: `req_pq_multi`, `req_DH_params`, and hang up. No key is made.
///
/// # Errors
/// [`Error`]: not reachable, not answering in time, not Telegram.
pub async fn probe(network: &Network, to: Address) -> Result<Probe, Error> {
    let (wire, _, probe) = begin(network, to).await?;
    wire.close().await;
    Ok(probe)
}

/// Makes a key with a data centre and hangs up.
///
/// # Errors
/// [`Error`]: as [`probe`], or a check that failed.
pub async fn create_key(network: &Network, to: Address) -> Result<Fresh, Error> {
    for _ in 0..TRIES {
        if let Some(made) = begin_key(network, to).await?.finish().await? {
            return Ok(made);
        }
    }
    Err(Error::Exchange("asked for another try too often"))
}

/// The making of a key that has come as far as a [`probe`] goes: the server's time is known, no key is made.
pub struct Half {
    wire: Wire,
    params: Params,
    /// The server's clock.
    pub clock: Probe,
}

/// Asks a data centre for its time and stays: the same two questions are the first two of three for a key.
///
/// # Errors
/// [`Error`]: as [`probe`].
pub async fn begin_key(network: &Network, to: Address) -> Result<Half, Error> {
    let (wire, params, clock) = begin(network, to).await?;
    Ok(Half { wire, params, clock })
}

impl Half {
    /// The third question. `None`: the server wants another try.
    ///
    /// # Errors
    /// [`Error`]: the server has hung up meanwhile, or a check failed.
    pub async fn finish(self) -> Result<Option<Fresh>, Error> {
        let Self { mut wire, params, clock } = self;
        let mut random = [0; 256 + 16];
        getrandom::fill(&mut random).map_err(|_| Error::NoRandom)?;
        // Big numbers, and perhaps a proof that the prime is one.
        let work = tokio::task::spawn_blocking(move || params.offer(&random));
        let (question, confirm) = work.await.map_err(|_| Error::Broken)??;
        let answer = ask(&mut wire, &question).await?;
        wire.close().await;
        Ok(confirm.finish(answer)?.map(|done| Fresh { key: done.key, salt: done.salt, clock }))
    }
}

/// The part that both have in common: up to the server's parameters, which hold its time.
async fn begin(network: &Network, to: Address) -> Result<(Wire, Params, Probe), Error> {
    let mut nonce = [0; 16];
    let mut random = [0; 32 + 224];
    getrandom::fill(&mut nonce).and_then(|()| getrandom::fill(&mut random)).map_err(|_| Error::NoRandom)?;
    let mut wire = Wire::connect(to, network.framing, CONNECT).await?;
    let (question, pq) = Pq::start(nonce);
    let answer = ask(&mut wire, &question).await?;
    let dc = if network.test { to.dc + 10_000 } else { to.dc };
    // Factoring and RSA: some milliseconds, or a second in a debug build.
    let keys = network.keys.clone();
    let work = tokio::task::spawn_blocking(move || pq.ask(answer, &keys, Some(dc), &random));
    // The factoring gives up with a panic.
    let (question, dh): (_, Dh) = work.await.map_err(|_| Error::Exchange("factors of pq"))??;
    let sent = Sent::now();
    let answer = ask(&mut wire, &question).await?;
    let round_trip = sent.ago();
    let params = dh.read(answer)?;
    let second = i64::from(params.server_time) * 1000;
    Ok((wire, params, Probe { offset: sent.offset(second, second + 999), round_trip }))
}

/// One question in the clear.
async fn ask<R: RemoteCall>(wire: &mut Wire, question: &R) -> Result<R::Return, Error> {
    let body = question.to_bytes();
    // Key id 0: not encrypted. A message id is asked for but not looked at, since this is how one learns the time.
    let mut packet = 0i64.to_bytes();
    packet.extend(((super::clock::host_ms() / 1000) << 32).to_le_bytes());
    packet.extend((body.len() as i32).to_le_bytes());
    packet.extend(body);
    let talk = async {
        wire.send(&packet).await?;
        wire.receive().await
    };
    let answer = timeout(STEP, talk).await.map_err(|_| Error::Timeout(STEP))??;
    let mut cursor = Cursor::from_slice(&answer);
    let mut head = || -> Result<(i64, usize), grammers_tl_types::deserialize::Error> {
        let key = i64::deserialize(&mut cursor)?;
        let _message = i64::deserialize(&mut cursor)?;
        Ok((key, i32::deserialize(&mut cursor)? as usize))
    };
    let (0, len) = head().map_err(|_| Error::Corrupt)? else { return Err(Error::Corrupt) };
    let body = answer.get(20..).and_then(|b| b.get(..len)).ok_or(Error::Corrupt)?;
    R::Return::from_bytes(body).map_err(|_| Error::Unreadable)
}

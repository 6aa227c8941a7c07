//! Which servers there are: a table of data centres and the RSA keys that they may use.

use super::{RsaKey, wire::Framing};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Where a data centre is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its number.
    pub dc: i32,
    /// Its address.
    pub at: SocketAddr,
}

/// A network of data centres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Address by number.
    pub dcs: BTreeMap<i32, SocketAddr>,
    /// The keys that its servers may use.
    pub keys: Vec<RsaKey>,
    /// How frames are written.
    pub framing: Framing,
    /// The test network: gotd's files say so, and data centres count from 10000 there.
    pub test: bool,
}

/// Static addresses, as `help.getConfig` gives them (grammers-session 0.11, gotd 0.161 `dcs.Prod`).
const PRODUCTION: [(i32, [u8; 4]); 5] =
    [(1, [149, 154, 175, 53]), (2, [149, 154, 167, 41]), (3, [149, 154, 175, 100]), (4, [149, 154, 167, 92]), (5, [91, 108, 56, 104])];

/// gotd 0.161 `dcs.Test`.
const TEST: [(i32, [u8; 4]); 3] = [(1, [149, 154, 175, 10]), (2, [149, 154, 167, 40]), (3, [149, 154, 175, 117])];

/// The data centre that a client asks first when nothing better is known.
pub(crate) const START: i32 = 2;

fn table(of: &[(i32, [u8; 4])]) -> BTreeMap<i32, SocketAddr> {
    of.iter().map(|(dc, ip)| (*dc, SocketAddr::new(IpAddr::V4(Ipv4Addr::from(*ip)), 443))).collect()
}

impl Network {
    /// Telegram itself. Obfuscated, as its own clients are: it passes where plain MTProto is filtered.
    pub fn production() -> Self {
        Self { dcs: table(&PRODUCTION), keys: RsaKey::production(), framing: Framing::ObfuscatedIntermediate, test: false }
    }

    /// Telegram's test servers.
    pub fn test() -> Self {
        Self { dcs: table(&TEST), keys: RsaKey::test(), framing: Framing::ObfuscatedIntermediate, test: true }
    }

    /// Servers of one's own, such as the sandbox.
    pub fn own(dcs: BTreeMap<i32, SocketAddr>, keys: Vec<RsaKey>) -> Self {
        Self { dcs, keys, framing: Framing::Intermediate, test: false }
    }

    /// Where a data centre is.
    pub fn address(&self, dc: i32) -> Option<Address> {
        self.dcs.get(&dc).map(|at| Address { dc, at: *at })
    }

    /// Where to begin: data centre 2, or the first one.
    pub fn start(&self) -> Option<Address> {
        self.address(START).or_else(|| self.dcs.iter().next().map(|(dc, at)| Address { dc: *dc, at: *at }))
    }
}

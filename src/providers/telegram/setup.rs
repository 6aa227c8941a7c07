//! What the configuration says, as the client needs it: which servers, which application, whose account.

use super::mtproto::{App, Network, RsaKey};
use crate::{
    domain::{Reason, ReasonCode, Secret},
    providers::{
        Cx,
        token::{account_secret, slot_secret},
    },
    store::config::{Account, Slot},
};

/// Half of the application's credential; the other half, `api_id`, stands in the configuration.
pub(super) const API_HASH: &str = "api_hash";
/// A bot's token.
pub(super) const BOT_TOKEN: &str = "bot_token";
/// The second factor, where its owner chose to seal it here.
pub(super) const PASSWORD: &str = "password";
/// The operator's own session: see [`super::operator::Operator`].
pub(super) const OPERATOR: &str = "operator";

/// The servers: Telegram's, its test network's, or those that the configuration names.
///
/// # Errors
/// A file of keys that cannot be read or holds none.
pub(super) fn network(cx: &Cx) -> Result<Network, Reason> {
    let own = &cx.settings.telegram;
    let mut net = if own.test { Network::test() } else { Network::production() };
    if own.dcs.is_empty() {
        return Ok(net);
    }
    net = Network::own(own.dcs.iter().copied().collect(), net.keys);
    if let Some(file) = &own.server_keys {
        let wrong = |what: &str| Reason::new(ReasonCode::WrongAddress).with("gateway", cx.gateway.as_str()).raw(format!("server_keys: {what}"));
        let said = file.to_string_lossy();
        let text = match said.find("-----BEGIN") {
            Some(at) => said.get(at..).unwrap_or_default().to_owned(),
            None => std::fs::read_to_string(file).map_err(|e| wrong(&e.kind().to_string()))?,
        };
        let pems = text.split_inclusive("-----END RSA PUBLIC KEY-----").filter(|p| p.contains("-----BEGIN"));
        net.keys = pems.map(RsaKey::from_pem).collect::<Result<_, _>>().map_err(|e| wrong(&e.to_string()))?;
        if net.keys.is_empty() {
            return Err(wrong("no RSA key in it"));
        }
    }
    Ok(net)
}

/// The account of that name.
///
/// # Errors
/// [`ReasonCode::Gone`].
pub(super) fn account<'a>(cx: &'a Cx, name: &str) -> Result<&'a Account, Reason> {
    let found = cx.settings.accounts.iter().find(|a| a.name == name);
    found.ok_or_else(|| Reason::new(ReasonCode::Gone).with("gateway", cx.gateway.as_str()))
}

/// One of the account's secrets.
pub(super) fn secret<'a>(cx: &'a Cx, account: &str, name: &str) -> Option<&'a Secret> {
    cx.secrets.get(&account_secret(account, name))
}

/// The application that an account is used with, as its device list shows it.
///
/// # Errors
/// [`ReasonCode::CredentialMissing`]: no `api_id`, or no hash.
pub(super) fn app(cx: &Cx, account: &Account) -> Result<App, Reason> {
    named(cx, account, None, &format!("pairdeck@{}", host()))
}

/// The same for a worker's device. A slot with an application of its own is used with that one: the name that the account's device
/// list shows is the application's, and a key that was made with another one keeps its name until the worker starts.
pub(super) fn named(cx: &Cx, account: &Account, slot: Option<&Slot>, device: &str) -> Result<App, Reason> {
    let own = slot.filter(|s| s.api_id.is_some() && s.api_id != account.telegram.api_id);
    let hash = cx.secrets.get(&kept(account, own, API_HASH));
    Ok(App {
        id: own.and_then(|s| s.api_id).or(account.telegram.api_id).ok_or_else(|| missing(cx, account, own, "api_id"))?,
        hash: hash.cloned().ok_or_else(|| without(cx, account, own, API_HASH))?,
        device: device.to_owned(),
        system: std::env::consts::OS.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Where a secret of the account is kept, or one of a slot that has an application of its own.
fn kept(account: &Account, slot: Option<&Slot>, name: &str) -> String {
    account_secret(&account.name, &slot.map_or_else(|| name.to_owned(), |slot| slot_secret(&slot.name, name)))
}

/// What is needed and not there, by the name of whose it is.
fn missing(cx: &Cx, account: &Account, slot: Option<&Slot>, name: &str) -> Reason {
    let slot = slot.map_or_else(String::new, |slot| format!("/{}", slot.name));
    let whose = format!("{}:{}{slot}", cx.gateway.as_str(), account.name);
    Reason::new(ReasonCode::CredentialMissing).with("gateway", &whose).with("account", whose).with("needs", name).raw(name)
}

/// Why a secret that is needed cannot be used: it is not there, or what is there does not open.
pub(super) fn without(cx: &Cx, account: &Account, slot: Option<&Slot>, name: &str) -> Reason {
    cx.without(&kept(account, slot, name), missing(cx, account, slot, name))
}

/// This host's name.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

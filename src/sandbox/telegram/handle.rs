//! What tests and the control API can do with a Telegram of the sandbox: be the phone, be the owner, be the weather.

use super::{
    Hostile, Inner, TelegramAccount, TelegramCall, TelegramConn, TelegramCounts, TelegramSession, TelegramSettings, crypto, listen, qr,
    settings::APP,
    world::{KeyId, Row},
};
use crate::{
    domain::{Secret, Secrets},
    sandbox::{Clock, Count, GatewayInfo},
};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_util::sync::CancellationToken;

/// A row of an account's devices, as the servers know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelegramDevice {
    /// What names it in `account.resetAuthorization`.
    pub hash: i64,
    /// Its key; `None` between scanning and taking over at another data centre.
    pub key: Option<KeyId>,
    /// What the client says of itself.
    pub device: String,
    /// The password is missing.
    pub pending: bool,
    /// Not confirmed by the owner.
    pub unconfirmed: bool,
    /// When it was made, seconds since 1970 by the servers' clock.
    pub created_s: i64,
}

/// The handle of one network.
#[derive(Clone, Debug)]
pub struct Telegram {
    pub(crate) inner: Arc<Inner>,
}

/// What an account is called in a configuration.
fn name(a: &TelegramAccount) -> String {
    if a.username.is_empty() { format!("account-{}", a.id) } else { a.username.clone() }
}

impl Telegram {
    pub(crate) fn new(name: &str, settings: TelegramSettings, clock: Clock, cancel: CancellationToken) -> Self {
        Self { inner: Inner::new(name, settings, clock, cancel) }
    }

    /// The data centres that it wants ports for.
    pub(crate) fn wants(&self) -> Vec<i32> {
        self.inner.world().settings.dcs.clone()
    }

    /// Serves a data centre there.
    pub(crate) fn open(&self, dc: i32, listener: TcpListener, at: SocketAddr) {
        self.inner.world().at.insert(dc, at);
        listen(&self.inner, dc, listener);
    }

    /// Adds accounts.
    pub fn seed(&self, accounts: &[TelegramAccount]) {
        let mut w = self.inner.world();
        accounts.iter().for_each(|a| w.settle(a.clone()));
    }

    /// An account gets one more session; its hash.
    pub fn add_session(&self, account: i64, session: &TelegramSession) -> Option<i64> {
        let mut w = self.inner.world();
        let dc = w.accounts.get(&account)?.spec.dc;
        w.seat(account, dc, session);
        w.accounts.get(&account)?.rows.last().map(|r| r.hash)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Where its data centres listen.
    pub fn dcs(&self) -> BTreeMap<i32, SocketAddr> {
        self.inner.world().at.clone()
    }

    /// The servers' RSA key in PEM.
    pub const fn pem(&self) -> &'static str {
        crypto::PEM
    }

    /// The passwords of the second step, by the names that they would be stored under. People know them; no home is given them, so that
    /// a login asks.
    pub(crate) fn passwords(&self) -> Secrets {
        let w = self.inner.world();
        let of = |a: &TelegramAccount| Some((format!("account/{}/password", name(a)), Secret::new(a.password.clone()?)));
        w.accounts.values().filter_map(|a| of(&a.spec)).collect()
    }

    pub(crate) fn info(&self) -> GatewayInfo {
        let dcs = self.dcs();
        let table: Vec<String> = dcs.iter().map(|(dc, at)| format!("{dc} = \"{at}\"")).collect();
        let first = self.wants().first().and_then(|d| dcs.get(d).copied());
        let w = self.inner.world();
        let (mut credentials, mut accounts) = (Secrets::new(), Vec::new());
        for a in w.accounts.values().map(|a| &a.spec) {
            let (name, bot) = (name(a), a.bot_token.as_ref());
            let mut secret = |what: &str, text: &str| credentials.insert(format!("account/{name}/{what}"), Secret::new(text.to_owned()));
            secret("api_hash", APP.1);
            if let Some(token) = bot {
                secret("bot_token", token);
            }
            accounts.push(format!("{name} = {{ api_id = {}{} }}", APP.0, if bot.is_some() { ", bot = true" } else { "" }));
        }
        drop(w);
        let mut more = vec![("dcs", format!("{{ {} }}", table.join(", "))), ("server_keys", format!("{:?}", crypto::PEM))];
        if !accounts.is_empty() {
            more.push(("account", format!("{{ {} }}", accounts.join(", "))));
        }
        // Nobody speaks HTTP there; the address is for people.
        let url = first.map(|at| format!("http://{at}")).unwrap_or_default();
        GatewayInfo { name: self.name().to_owned(), kind: "telegram", url, credentials, more }
    }

    // The phone.

    /// What the newest QR that nobody has scanned says, whoever shows it.
    pub fn token(&self) -> Option<String> {
        let w = self.inner.world();
        let now = w.now_s();
        let open = w.tokens.iter().filter(|(_, t)| t.accepted.is_none() && t.expires_s > now);
        open.max_by_key(|(_, t)| t.number).map(|(bytes, _)| qr::address(bytes))
    }

    /// The account's phone scans a QR: this address, or the newest one. Gives the new session's hash.
    ///
    /// # Errors
    /// The API's name of the error, or that there is nothing to scan.
    pub fn scan(&self, account: i64, address: Option<&str>) -> Result<i64, String> {
        let address = address.map(str::to_owned).or_else(|| self.token()).ok_or("there is no code to scan")?;
        let token = qr::token(&address).ok_or("this is no login code of Telegram")?;
        qr::accept(&mut self.inner.world(), &self.inner, account, &token).map(|r| r.hash).map_err(|e| e.1)
    }

    /// From now on a phone scans every code by itself, so long after it was made; or none does.
    pub fn scans(&self, by_itself: Option<(Duration, i64)>) {
        self.inner.world().settings.scans = by_itself;
    }

    /// The code that an account's phone shows.
    pub fn code(&self, account: i64) -> Option<String> {
        self.inner.world().codes.values().find(|c| c.account == account).map(|c| c.code.clone())
    }

    // The owner.

    /// An account by number, phone or user name.
    pub fn account(&self, name: &str) -> Option<i64> {
        let w = self.inner.world();
        let is = |a: &&super::world::Account| {
            name.parse() == Ok(a.spec.id)
                || (!a.spec.phone.is_empty() && a.spec.phone == name.trim_start_matches('+'))
                || (!a.spec.username.is_empty() && a.spec.username == name.trim_start_matches('@'))
        };
        w.accounts.values().find(is).map(|a| a.spec.id)
    }

    /// An account's devices.
    pub fn devices(&self, account: i64) -> Vec<TelegramDevice> {
        let one = |r: &Row| TelegramDevice {
            hash: r.hash,
            key: r.key,
            device: r.device.model.clone(),
            pending: r.pending,
            unconfirmed: r.unconfirmed,
            created_s: r.created_s,
        };
        self.inner.world().accounts.get(&account).map(|a| a.rows.iter().map(one).collect()).unwrap_or_default()
    }

    /// Ends one session from the phone; its key answers 401 `AUTH_KEY_UNREGISTERED`. False: no such session.
    pub fn revoke(&self, account: i64, hash: i64) -> bool {
        self.inner.world().end(account, hash, (401, "AUTH_KEY_UNREGISTERED"))
    }

    /// "Terminate all other sessions" on the phone: every key answers 401 `SESSION_REVOKED`. How many.
    pub fn revoke_all(&self, account: i64) -> usize {
        let all = self.devices(account);
        let mut w = self.inner.world();
        all.iter().filter(|d| w.end(account, d.hash, (401, "SESSION_REVOKED"))).count()
    }

    /// A session's time to live ran out: 401 `SESSION_EXPIRED`.
    pub fn expire(&self, account: i64, hash: i64) -> bool {
        self.inner.world().end(account, hash, (401, "SESSION_EXPIRED"))
    }

    /// The account is gone: 401 `USER_DEACTIVATED`, or `USER_DEACTIVATED_BAN`.
    pub fn deactivate(&self, account: i64, banned: bool) {
        if let Some(a) = self.inner.world().accounts.get_mut(&account) {
            a.gone = Some(if banned { "USER_DEACTIVATED_BAN" } else { "USER_DEACTIVATED" });
        }
    }

    /// A bot gets another token; the former one is `ACCESS_TOKEN_EXPIRED`.
    pub fn bot_token(&self, account: i64, token: &str) {
        if let Some(a) = self.inner.world().accounts.get_mut(&account) {
            a.spec.bot_token = Some(token.to_owned());
        }
    }

    /// Makes every session of an account older by so much: the rule of the first day.
    pub fn age(&self, account: i64, by: Duration) {
        if let Some(a) = self.inner.world().accounts.get_mut(&account) {
            a.rows.iter_mut().for_each(|r| r.created_s -= by.as_secs() as i64);
        }
    }

    /// The data centre forgets a key: the transport's 404.
    pub fn forget(&self, key: KeyId) -> bool {
        self.inner.world().keys.remove(&key).is_some()
    }

    /// True while the servers know the key and it is logged in.
    pub fn alive(&self, key: KeyId) -> bool {
        self.inner.world().keys.get(&key).is_some_and(|k| k.account.is_some() && k.dead.is_none())
    }

    // The weather.

    /// Moves the servers' clock by `seconds`, positive when they are ahead; `None` puts it right.
    pub fn skew(&self, seconds: Option<f64>) {
        self.inner.world().settings.skew_ms = (seconds.unwrap_or(0.0) * 1000.0) as i64;
    }

    /// Every answer takes so much longer.
    pub fn reply_delay(&self, delay: Duration) {
        self.inner.world().settings.reply_delay = delay;
    }

    /// The next `count` calls of a method answer `FLOOD_WAIT_seconds`.
    pub fn flood(&self, method: &str, seconds: u32, count: u32) {
        self.inner.world().floods.push((method.to_owned(), seconds, count));
    }

    /// The servers' clock moves by an hour with each packet, until told otherwise.
    pub fn run_away(&self, on: bool) {
        self.inner.world().run_away = on;
    }

    /// Calls are carried out and not answered, until told otherwise.
    pub fn mute(&self, on: bool) {
        self.inner.world().mute = on;
    }

    /// Answers in a hostile way, until told otherwise.
    pub fn hostile(&self, how: Option<Hostile>) {
        self.inner.world().hostile = how;
    }

    /// The `n`th question from now on is never answered, carried out (`done`) or not: the moment at which somebody is killed.
    pub fn hold(&self, n: usize, done: bool) {
        let mut w = self.inner.world();
        w.questions.clear();
        w.held = Some((n, done));
    }

    /// True once the question of [`Telegram::hold`] has come, and been carried out where that was wanted.
    pub fn holding(&self) -> bool {
        let w = self.inner.world();
        w.held.is_some_and(|(n, _)| w.questions.len() >= n)
    }

    /// Steps of key exchanges and calls since [`Telegram::clear`] or [`Telegram::hold`], by name.
    pub fn questions(&self) -> Vec<&'static str> {
        self.inner.world().questions.clone()
    }

    /// The next `count` packets are answered with the transport's 429.
    pub fn too_many(&self, count: u32) {
        self.inner.world().too_many = count;
    }

    /// A data centre hangs up on everybody, until told otherwise.
    pub fn down(&self, dc: i32, on: bool) {
        let mut w = self.inner.world();
        if on {
            w.down.insert(dc);
            w.conns.values().filter(|c| c.dc == dc).for_each(|c| c.kill.cancel());
        } else {
            w.down.remove(&dc);
        }
    }

    /// Cuts open connections, all or those of one key. How many.
    pub fn cut(&self, key: Option<KeyId>) -> usize {
        let w = self.inner.world();
        let which = w.conns.values().filter(|c| key.is_none() || c.key == key);
        which.map(|c| c.kill.cancel()).count()
    }

    /// No more faults.
    pub fn heal(&self) {
        let mut w = self.inner.world();
        w.floods.clear();
        w.down.clear();
        (w.held, w.hostile) = (None, None);
        (w.mute, w.run_away, w.too_many, w.settings.reply_delay) = (false, false, 0, Duration::ZERO);
    }

    /// Who is connected.
    pub fn connected(&self) -> Vec<TelegramConn> {
        let w = self.inner.world();
        let account = |key: Option<KeyId>| w.keys.get(&key?)?.account.map(|(a, _)| a);
        w.conns.iter().map(|(id, c)| TelegramConn { id: *id, dc: c.dc, key: c.key, account: account(c.key) }).collect()
    }

    /// Every RPC, oldest first.
    pub fn calls(&self) -> Vec<TelegramCall> {
        self.inner.world().log.iter().cloned().collect()
    }

    /// How often what happened.
    pub fn counts(&self) -> TelegramCounts {
        self.inner.world().counts
    }

    /// Empties log and counts.
    pub fn clear(&self) {
        let mut w = self.inner.world();
        w.log.clear();
        w.questions.clear();
        w.counts = TelegramCounts::default();
    }

    /// RPCs counted by method, as other servers count requests.
    pub fn requests(&self) -> Vec<Count> {
        let mut by: BTreeMap<&str, u64> = BTreeMap::new();
        let w = self.inner.world();
        w.log.iter().for_each(|c| *by.entry(c.method).or_default() += 1);
        let one = |(path, count): (&str, u64)| Count { gateway: self.name().to_owned(), method: "RPC".to_owned(), path: path.to_owned(), count };
        by.into_iter().map(one).collect()
    }

    /// Tokens, logins and calls from now on, as JSON documents.
    pub fn events(&self) -> broadcast::Receiver<Arc<str>> {
        self.inner.bus.subscribe()
    }
}

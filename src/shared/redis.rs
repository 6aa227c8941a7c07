//! One Redis primary. No Redlock: it needs clocks in step and has no fence.
//!
//! Connects at the first call, again after it was lost. No call takes longer than [`PATIENCE`]: whoever waits for a token waits for
//! the platform, not for this.

mod calls;
#[cfg(test)]
mod hostile_tests;

use super::{News, scripts::Scripts};
use crate::{
    domain::{Clean, Reason, ReasonCode, Secret, Time},
    providers::http::tls,
    store::config::SharedStore,
    vault::{Place, common::CommonKey},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use redis::{
    Client, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, ScriptInvocation, ServerErrorKind, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// The longest that a call may take.
pub const PATIENCE: Duration = Duration::from_millis(500);
/// First and longest wait before the news are listened to again.
const AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));
/// So long a wipe is remembered where nobody asks for a token.
const WIPED: Duration = Duration::from_secs(30 * 86_400);
/// As long is it remembered that a secret was replaced: signs of another holder count no longer than that.
const REPLACED: Duration = Duration::from_secs(600);
/// Longest token that is taken.
const LONGEST: usize = 4096;
/// A token sealed for Redis begins so.
const SEALED: &str = "sealed1:";

/// What is needed besides the settings.
pub struct Means {
    /// Password of the ACL user, or of the server.
    pub password: Option<Secret>,
    /// The secret that all hosts seal tokens with.
    pub seal: Option<Secret>,
    /// This process as others see it: `program[pid]@host`.
    pub who: Clean,
    /// Clocks.
    pub time: Arc<dyn Time>,
    /// Key for fingerprints of tokens, until hosts have agreed on one.
    pub fingerprint_key: [u8; 32],
}

/// The handle. News are listened to from the first [`Shared::news`](super::Shared::news) until it is dropped.
pub struct Redis {
    inner: Arc<Inner>,
    manager: Mutex<Option<ConnectionManager>>,
    listening: Mutex<bool>,
    stop: CancellationToken,
}

struct Inner {
    client: Client,
    scripts: Scripts,
    prefix: String,
    seal: Option<CommonKey>,
    who: Clean,
    time: Arc<dyn Time>,
    fingerprint_key: Mutex<[u8; 32]>,
    news: broadcast::Sender<News>,
    down: Mutex<Option<Reason>>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Redis {
    /// Prepares a connection; nothing is asked yet.
    ///
    /// # Errors
    /// The address or a file that it names cannot be used; tokens are to be sealed and the secret is missing or too short.
    pub fn new(settings: &SharedStore, means: Means) -> Result<Self, Reason> {
        let unusable = |why: &str| Reason::new(ReasonCode::SharedDown).with("why", why);
        let mut info = settings.redis.as_str().into_connection_info().map_err(|e| unusable(&what(&e)))?;
        let mut own = info.redis_settings().clone();
        if let Some(user) = &settings.user {
            own = own.set_username(user);
        }
        if let Some(password) = &means.password {
            own = own.set_password(password.expose());
        }
        info = info.set_redis_settings(own);
        let client = match &settings.ca_file {
            Some(file) => {
                let (pem, _) = tls::authority(file).map_err(|why| unusable(&format!("ca_file: {why}")))?;
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(pem) })
            }
            None => Client::open(info),
        };
        let seal = match (settings.seal, &means.seal) {
            (false, _) => None,
            (true, Some(secret)) => Some(CommonKey::new(secret).ok_or_else(|| Reason::new(ReasonCode::CredentialMissing).raw("shared/seal"))?),
            (true, None) => return Err(Reason::new(ReasonCode::CredentialMissing).raw("shared/seal")),
        };
        let inner = Inner {
            client: client.map_err(|e| unusable(&what(&e)))?,
            scripts: Scripts::new(),
            prefix: settings.prefix.clone(),
            seal,
            who: means.who,
            time: means.time,
            fingerprint_key: Mutex::new(means.fingerprint_key),
            news: broadcast::Sender::new(256),
            down: Mutex::new(None),
        };
        Ok(Self { inner: Arc::new(inner), manager: Mutex::new(None), listening: Mutex::new(false), stop: CancellationToken::new() })
    }

    fn connection(&self) -> Result<ConnectionManager, RedisError> {
        let mut manager = lock(&self.manager);
        if let Some(ready) = &*manager {
            return Ok(ready.clone());
        }
        let config =
            ConnectionManagerConfig::new().set_number_of_retries(0).set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let made = ConnectionManager::new_lazy_with_config(self.inner.client.clone(), config)?;
        Ok(manager.insert(made).clone())
    }

    async fn call<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Reason> {
        self.within(async {
            let mut connection = self.connection()?;
            script.invoke_async::<T>(&mut connection).await
        })
        .await
    }

    /// Every answer goes through here: bounded in time, and what it says of the connection is remembered.
    async fn within<T>(&self, answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, Reason> {
        let why = match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(value)) => {
                self.inner.back();
                return Ok(value);
            }
            Ok(Err(e)) => reason(&e),
            Err(_) => torn("no answer within 500 ms"),
        };
        self.inner.lost(&why);
        Err(why)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Inner {
    /// Braces keep the keys of one name together where they are spread over nodes.
    fn key(&self, name: &str, part: &str) -> String {
        format!("{}:{{{}}}:{part}", self.prefix, name.replace(['{', '}'], "_"))
    }

    fn channel(&self) -> String {
        format!("{}:news", self.prefix)
    }

    fn lost(&self, why: &Reason) {
        let mut down = lock(&self.down);
        if down.is_none() {
            let _ = self.news.send(News::Lost);
        }
        *down = Some(why.clone());
    }

    fn back(&self) {
        if lock(&self.down).take().is_some() {
            let _ = self.news.send(News::Back);
        }
    }

    fn sealed(&self, name: &str, generation: u64, token: &Secret) -> Result<Secret, Reason> {
        let Some(key) = &self.seal else { return Ok(token.clone()) };
        let sealed = key.seal(&place(name, generation), token.expose().as_bytes()).ok_or_else(|| Reason::new(ReasonCode::Internal))?;
        Ok(Secret::new(format!("{SEALED}{}", STANDARD.encode(sealed))))
    }

    fn opened(&self, name: &str, generation: u64, kept: String) -> Result<Secret, Reason> {
        let sealed = kept.strip_prefix(SEALED);
        match (&self.seal, sealed) {
            // It goes into requests, files and onto screens.
            (None, None) if !fits(&kept) => Err(torn("what stands there is no token")),
            (None, None) => Ok(Secret::new(kept)),
            (Some(key), Some(text)) => {
                let bytes = STANDARD.decode(text).ok();
                let plain = bytes.and_then(|b| key.open(&place(name, generation), &b));
                let text = plain.and_then(|p| String::from_utf8(p.to_vec()).ok());
                text.map(Secret::new).ok_or_else(|| torn("the token does not open: hosts have different sealing secrets"))
            }
            // Taking it would let anybody who can write there hand us a token.
            (Some(_), None) => Err(torn("the token is not sealed; this host demands it")),
            (None, Some(_)) => Err(torn("the token is sealed; this host has no sealing secret")),
        }
    }

    /// Listens for what other hosts publish until `stop`.
    async fn listen(self: Arc<Self>, stop: CancellationToken) {
        let mut wait = AGAIN.0;
        loop {
            let heard = tokio::select! {
                () = stop.cancelled() => return,
                heard = self.hear(&mut wait) => heard,
            };
            if let Err(e) = heard {
                self.lost(&reason(&e));
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(AGAIN.1);
        }
    }

    async fn hear(&self, wait: &mut Duration) -> Result<(), RedisError> {
        let mut channel = self.client.get_async_pubsub().await?;
        channel.subscribe(self.channel()).await?;
        // Also at the first time: what changed before was not heard, so whoever listens is to look.
        *lock(&self.down) = None;
        let _ = self.news.send(News::Back);
        *wait = AGAIN.0;
        let mut messages = channel.into_on_message();
        while let Some(message) = messages.next().await {
            if let Ok(name) = message.get_payload::<String>() {
                let _ = self.news.send(News::Token(name.into()));
            }
        }
        Err(RedisError::from((ErrorKind::Io, "the connection was closed")))
    }
}

/// True for what a platform gives for a token: text that can travel in a query or a header, of a length that is believed.
fn fits(token: &str) -> bool {
    (1..=LONGEST).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic())
}

fn place(name: &str, generation: u64) -> Place<'_> {
    Place { table: "shared", id: name, column: "tok", generation: i64::try_from(generation).unwrap_or(i64::MAX) }
}

fn torn(why: &str) -> Reason {
    Reason::new(ReasonCode::SharedDown).with("why", why)
}

/// What went wrong, without what was sent: a message of the server may quote it.
fn what(e: &RedisError) -> String {
    match e.kind() {
        ErrorKind::AuthenticationFailed => "user or password refused".to_owned(),
        ErrorKind::Server(ServerErrorKind::NoPerm) => "the user may not do that: it needs the keys and the channel of the prefix".to_owned(),
        ErrorKind::Server(ServerErrorKind::ReadOnly) => "it is a replica; the primary is needed".to_owned(),
        ErrorKind::Server(ServerErrorKind::BusyLoading) => "it is loading its data".to_owned(),
        ErrorKind::Server(kind) => format!("it answers {kind:?}"),
        ErrorKind::Io if e.is_timeout() => "no answer in time".to_owned(),
        ErrorKind::Io if e.is_connection_refusal() => "nobody listens there".to_owned(),
        ErrorKind::Io if e.to_string().contains("UnknownIssuer") => {
            "TLS: its certificate is of an authority that is not known here; ca_file names one".to_owned()
        }
        ErrorKind::Io => e.to_string(),
        ErrorKind::InvalidClientConfig => "the address cannot be used".to_owned(),
        other => match e.code() {
            Some("NOAUTH" | "WRONGPASS") => "user or password refused".to_owned(),
            Some(code) => format!("it answers {code}"),
            None => format!("{other:?}"),
        },
    }
}

fn reason(e: &RedisError) -> Reason {
    Reason::new(ReasonCode::SharedDown).with("why", what(e))
}

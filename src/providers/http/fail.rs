//! What kept an answer from coming, as a shared reason.

use crate::domain::{Reason, ReasonCode, Stamp};
use std::{error::Error, io, time::Duration};

/// Name of the reason's argument that tells how many seconds a server asked us to wait.
pub const RETRY_AFTER: &str = "retry_after";

/// Reads a transport error whose URL was already taken out.
pub(super) fn of(e: reqwest::Error, host: &str) -> Reason {
    let mut tls = None;
    let mut io_kind = None;
    let mut lookup = false;
    let mut at: Option<&(dyn Error + 'static)> = Some(&e);
    while let Some(err) = at {
        if let Some(t) = err.downcast_ref::<rustls::Error>() {
            tls = Some(of_tls(t));
        }
        if let Some(i) = err.downcast_ref::<io::Error>() {
            io_kind = Some(i.kind());
            if let Some(t) = tls_within(i) {
                tls = Some(of_tls(t));
            }
        }
        lookup |= is_lookup(&err.to_string());
        at = err.source();
    }
    if let Some(reason) = tls {
        return reason;
    }
    if lookup {
        return Reason::new(ReasonCode::NameUnknown).with("host", host);
    }
    if e.is_connect() {
        let raw = if e.is_timeout() { "connect timed out".to_owned() } else { io_kind.map_or_else(|| bare(e), |k| k.to_string()) };
        return Reason::new(ReasonCode::Unreachable).raw(raw);
    }
    if e.is_timeout() {
        return Reason::new(ReasonCode::Slow);
    }
    if io_kind == Some(io::ErrorKind::InvalidData) || e.is_decode() && io_kind.is_none() {
        return Reason::new(ReasonCode::Unintelligible);
    }
    if e.is_body() || e.is_request() || e.is_decode() {
        return Reason::new(ReasonCode::Unreachable).raw(io_kind.map_or_else(|| "the connection broke".to_owned(), |k| k.to_string()));
    }
    Reason::new(ReasonCode::Internal).raw(bare(e))
}

/// The TLS error inside an I/O error, which hides it from `source`, at times twice.
pub(super) fn tls_within(e: &io::Error) -> Option<&rustls::Error> {
    let mut at = e.get_ref()?;
    loop {
        if let Some(t) = at.downcast_ref::<rustls::Error>() {
            return Some(t);
        }
        at = at.downcast_ref::<io::Error>()?.get_ref()?;
    }
}

/// True for the text of a failed name look-up: the only sign of it that the stack hands through.
pub(super) fn is_lookup(text: &str) -> bool {
    text.contains("dns error") || text.contains("failed to lookup address")
}

/// The last word of an error's chain: the least decorated one.
pub(super) fn bare(e: impl Error) -> String {
    let mut last = e.to_string();
    let mut at = e.source();
    while let Some(err) = at {
        last = err.to_string();
        at = err.source();
    }
    last
}

/// TLS failures by what an operator can do about them.
pub(super) fn of_tls(e: &rustls::Error) -> Reason {
    use rustls::{CertificateError as C, Error as E};
    let code = match e {
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => ReasonCode::TlsExpired,
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => ReasonCode::TlsNotYetValid,
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => ReasonCode::TlsWrongName,
        E::InvalidCertificate(C::UnknownIssuer) => ReasonCode::TlsUnknownIssuer,
        // What `openssl req -x509` makes: a CA's own certificate, served as if it were the server's.
        E::InvalidCertificate(C::Other(why)) if why.to_string().contains("CaUsedAsEndEntity") => {
            return Reason::new(ReasonCode::TlsUnknownIssuer).with("evidence", "ca_itself").raw(e.to_string());
        }
        _ => ReasonCode::TlsFailed,
    };
    Reason::new(code).raw(e.to_string())
}

/// `Retry-After` in either form, at most a day.
pub(super) fn retry_after(value: Option<&str>, now: Stamp) -> Option<Duration> {
    let value = value?.trim();
    let seconds = match value.parse::<u64>() {
        Ok(s) => s,
        Err(_) => {
            let at = httpdate::parse_http_date(value).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
            at.saturating_sub(u64::try_from(now.wall.0 / 1000).ok()?)
        }
    };
    Some(Duration::from_secs(seconds.min(86_400)))
}

#[cfg(test)]
impl super::Answer {
    /// One for tests of decoders, as if it had come without headers.
    pub(crate) fn of_test(status: u16, body: Vec<u8>) -> Self {
        let sent = Stamp::wall_only(crate::domain::Wall(0));
        let (content_type, retry_after, secrets) = (String::new(), None, Vec::new());
        Self { status, body, sent, received: sent, date: None, content_type, retry_after, secrets, place: None }
    }
}

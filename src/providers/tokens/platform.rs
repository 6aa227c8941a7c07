//! What a platform is, as data: how it issues tokens, how its answers read, what its codes mean, and how a token is tried.
//!
//! Nothing here asks anybody. One more platform is one more table, not more code.

use crate::{
    domain::ReasonCode,
    i18n::Words,
    providers::{KindSpec, token::TokenRules},
};

/// Name of an account's secret among its gateway's.
pub(super) const SECRET: &str = "secret";

/// One platform.
#[derive(Debug)]
pub(super) struct Platform {
    /// The kind of gateway.
    pub(super) spec: &'static KindSpec,
    /// How it treats its tokens.
    pub(super) rules: TokenRules,
    /// How a token travels in a client's request, as JSON shows it.
    pub(super) token_type: &'static str,
    /// How a token is asked for.
    pub(super) obtain: Obtain,
    /// Names of the fields that hold an answer's code and its text.
    pub(super) says: (&'static str, &'static str),
    /// How a token is tried, the cheapest first; each without any effect.
    pub(super) probes: &'static [Probe],
    /// What its codes mean, by where they were answered.
    pub(super) codes: &'static [(Site, &'static str, Class)],
    /// What an account's `id` is called.
    pub(super) id: &'static Words,
    /// How a person makes a new secret in the platform's console.
    pub(super) console: &'static Words,
}

/// How a token is asked for.
#[derive(Debug)]
pub(super) struct Obtain {
    /// How its parts travel.
    pub(super) by: By,
    /// Path below the base URL.
    pub(super) path: &'static str,
    /// Names and what stands under them.
    pub(super) parts: &'static [(&'static str, Part)],
    /// A flag that demands a new token, where there is one.
    pub(super) forced: Option<&'static str>,
    /// The field of the answer that holds the token.
    pub(super) token: &'static str,
    /// The field that holds its life in seconds: a number, or digits in a text.
    pub(super) life: &'static str,
}

/// How the parts of a request travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub(super) enum By {
    /// `GET`, in the query.
    Query,
    /// `POST`, as JSON.
    Json,
}

/// One part of a request for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The gateway's `corp_id`.
    Corp,
    /// The account's `id`.
    Id,
    /// The account's secret.
    Secret,
    /// Always this.
    Is(&'static str),
}

/// One way to try a token.
#[derive(Debug)]
pub(super) struct Probe {
    /// Path below the base URL.
    pub(super) path: &'static str,
    /// How the token travels.
    pub(super) carry: Carry,
    /// Name of the query parameter with the account's `id`; the probe is left out where the account has none.
    pub(super) id: Option<&'static str>,
    /// The field of the answer that holds the app's name.
    pub(super) name: Option<&'static str>,
}

/// How a token travels in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub(super) enum Carry {
    /// In the query, under this name.
    Query(&'static str),
    /// In the header `authorization`, after `Bearer`.
    Bearer,
}

/// Where a code was answered: the same one means different things (wecom-langbot §0.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// A request for a token.
    Obtain,
    /// A call with a token.
    Use,
    /// Either.
    Both,
}

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Busy: the same request may succeed at once.
    Busy,
    /// The secret is wrong. No further try until it is replaced.
    Secret,
    /// An id is wrong: the corporation's, or the app's at the request for a token.
    Id,
    /// The token is dead, whatever the code says of the cause.
    Dead,
    /// The token is another app's.
    OtherApp,
    /// The request itself is wrong: ours to mend.
    Bug,
    /// Too often.
    Rate,
    /// The quota of forced renewals is used up.
    Quota,
    /// The app may not do this.
    Denied,
    /// The app is switched off.
    Off,
    /// The caller's address is not trusted.
    Address,
}

impl Class {
    /// The shared code.
    pub(super) const fn code(self) -> ReasonCode {
        match self {
            Self::Busy => ReasonCode::PlatformUnavailable,
            Self::Secret => ReasonCode::CredentialRefused,
            Self::Id => ReasonCode::WrongId,
            Self::Dead => ReasonCode::TokenRejected,
            Self::OtherApp => ReasonCode::WrongApp,
            Self::Bug => ReasonCode::Internal,
            Self::Rate => ReasonCode::RateLimited,
            Self::Quota => ReasonCode::QuotaUsed,
            Self::Denied => ReasonCode::ApiForbidden,
            Self::Off => ReasonCode::AppDisabled,
            Self::Address => ReasonCode::AddressNotTrusted,
        }
    }
}

impl Platform {
    /// What `code` means where it was answered; `None` for one that the table does not know.
    pub(super) fn class(&self, site: Site, code: &str) -> Option<Class> {
        self.codes.iter().find(|(at, c, _)| (*at == site || *at == Site::Both) && *c == code).map(|(_, _, class)| *class)
    }
}

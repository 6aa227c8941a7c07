//! What the client's errors mean, in the vocabulary of all systems.

use super::mtproto::{Address, Error, Verdict, WireError};
use crate::domain::{Reason, ReasonCode as Code};

/// The reason behind an error. Numbers of seconds travel as `retry_after`.
pub(super) fn reason(error: &Error) -> Reason {
    if let Some(wait) = error.flood() {
        return Reason::new(Code::RateLimited).with("retry_after", wait.as_secs().to_string()).raw(error.to_string());
    }
    if let Some(verdict) = error.verdict() {
        let code = match verdict {
            Verdict::Duplicated => Code::SessionDuplicated,
            Verdict::Unregistered | Verdict::Revoked | Verdict::Expired => Code::LoggedOut,
            Verdict::Deactivated => Code::AccountClosed,
            Verdict::PasswordNeeded => Code::PersonNeeded,
        };
        return Reason::new(code).raw(error.to_string());
    }
    let code = match error {
        Error::Wire(WireError::TooMany) => Code::RateLimited,
        Error::Wire(_) | Error::Closed | Error::Broken => Code::Unreachable,
        Error::UnknownServerKey | Error::Exchange(_) => Code::WrongAddress,
        Error::Timeout(_) => Code::Slow,
        Error::KeyInUse => Code::OtherHolder,
        Error::Unreadable | Error::Corrupt => Code::Unintelligible,
        Error::Refused(_) | Error::BadPasswordParameters => Code::ServerRefused,
        Error::NoRandom => Code::Internal,
        Error::Rpc { code, name } => match name.as_str() {
            "API_ID_INVALID" | "API_ID_PUBLISHED_FLOOD" | "ACCESS_TOKEN_INVALID" | "ACCESS_TOKEN_EXPIRED" => Code::CredentialRefused,
            "PHONE_NUMBER_INVALID" => Code::NumberInvalid,
            "PHONE_NUMBER_UNOCCUPIED" | "PHONE_NUMBER_BANNED" => Code::WrongAccount,
            "PHONE_CODE_EXPIRED" | "AUTH_TOKEN_EXPIRED" => Code::AttemptExpired,
            "FRESH_RESET_AUTHORISATION_FORBIDDEN" => Code::NotYet,
            "HASH_INVALID" => Code::Gone,
            "CONNECTION_LAYER_INVALID" | "INPUT_LAYER_INVALID" => Code::Unintelligible,
            _ if *code >= 500 => Code::ServerError,
            _ => Code::ServerRefused,
        },
    };
    let why = Reason::new(code).raw(error.to_string());
    if code == Code::Unintelligible && !matches!(error, Error::Corrupt) {
        return why.with("evidence", "layer");
    }
    if code == Code::OtherHolder {
        return why.with("holder", "pairdeck");
    }
    if code == Code::CredentialRefused {
        let what = if error.name().is_some_and(|n| n.starts_with("API_ID")) { "api_id" } else { "bot_token" };
        return why.with("refused", what);
    }
    // Counted from a login whose instant is not known here.
    if code == Code::NotYet { why.with("time", "login + 24 h") } else { why }
}

/// The same, with the name of the gateway for its sentence.
pub(super) fn at(cx: &crate::providers::Cx, error: &Error) -> Reason {
    reason(error).with("gateway", cx.gateway.as_str())
}

/// The same of one account's operator, so that its sentence names whose credential is refused, or whose key is dead.
pub(super) fn of(cx: &crate::providers::Cx, account: &str, error: &Error) -> Reason {
    let why = named(cx, account, at(cx, error));
    if why.code == Code::SessionDuplicated {
        // The operator's own key: no slot's remedy helps.
        return why.with("evidence", "operator").with("account", format!("{}:{account}", cx.gateway.as_str()));
    }
    why
}

/// Names the account of a credential that is refused.
pub(super) fn named(cx: &crate::providers::Cx, account: &str, why: Reason) -> Reason {
    if why.code != Code::CredentialRefused {
        return why;
    }
    why.or_with("account", format!("{}:{account}", cx.gateway.as_str()))
}

/// Names the data centre that did not answer, or not as it should, where it is known.
pub(super) fn from(why: Reason, to: impl Into<Option<Address>>) -> Reason {
    let Some(to) = to.into().filter(|_| matches!(why.code, Code::Unreachable | Code::Slow)) else { return why };
    why.or_with("dc", to.dc.to_string()).or_with("address", to.at.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::domain::Clean;

    #[test]
    fn errors_have_their_reasons() {
        let of = |code, name: &str| reason(&Error::Rpc { code, name: Clean::new(name) });
        assert_eq!(of(406, "AUTH_KEY_DUPLICATED").code, Code::SessionDuplicated);
        assert_eq!(of(401, "USER_DEACTIVATED_BAN").code, Code::AccountClosed);
        assert_eq!(of(401, "SESSION_REVOKED").code, Code::LoggedOut);
        let flood = of(420, "FLOOD_WAIT_17");
        assert_eq!((flood.code, flood.args[0].1.as_str()), (Code::RateLimited, "17"));
        for layer in [of(400, "CONNECTION_LAYER_INVALID"), reason(&Error::Unreadable)] {
            assert_eq!(layer.code, Code::Unintelligible);
            let remedy = crate::i18n::reason::remedy_sentence(&layer, crate::i18n::Lang::En).unwrap();
            assert!(remedy.contains("Update pairdeck"), "{remedy}");
        }
        assert_eq!(of(400, "API_ID_INVALID").code, Code::CredentialRefused);
        assert_eq!(of(500, "INTERDC_2_CALL_ERROR").code, Code::ServerError);
        assert_eq!(reason(&Error::UnknownServerKey).code, Code::WrongAddress);
    }
}

//! How a process ends that met a reason: one table for the command line and for whoever answers other programs.

use super::ReasonCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done, also when nothing had to be done.
    Ok = 0,
    /// It failed, or what the remote did is not known.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A name is unknown or means several things.
    Name = 3,
    /// A credential was refused or a person must decide.
    Person = 4,
    /// The gateway does not answer, or somebody else holds the account.
    Unreachable = 5,
    /// The gateway asks to slow down.
    RateLimited = 6,
    /// A clock is too far off.
    Clock = 7,
    /// A lease or lock was not had in time.
    Lease = 8,
    /// The gateway does not trust this host's address.
    Address = 9,
    /// Nothing cached, and fetching was ruled out.
    NotCached = 10,
    /// pairdeck was told to change nothing.
    ReadOnly = 11,
    /// The vault is locked.
    Locked = 12,
    /// Interrupted by a signal.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// A failure never ends with 0, whatever its reason would say elsewhere.
    #[must_use]
    pub fn or_failed(self) -> Self {
        if self == Self::Ok { Self::Failed } else { self }
    }
}

impl From<ReasonCode> for Exit {
    fn from(code: ReasonCode) -> Self {
        use ReasonCode as C;
        match code {
            C::AlreadyOnline => Self::Ok,
            C::SlotTaken
            | C::SlotFileThere
            | C::NumberNeeded
            | C::NumberInvalid
            | C::BadTarget
            | C::WrongAddress
            | C::Redirected
            | C::PlaintextRefused => Self::Usage,
            C::NotFound | C::Gone => Self::Name,
            C::CredentialRefused
            | C::CredentialNarrow
            | C::CredentialMissing
            | C::LicenseRequired
            | C::AttemptSpoilt
            | C::MayBeLinked
            | C::ServerRestarted
            | C::BadSession
            | C::Forbidden
            | C::PersonNeeded
            | C::RotateByHand
            | C::TokenRejectedAgain
            | C::BotSecretRefused
            | C::WrongApp
            | C::WrongId
            | C::ApiForbidden
            | C::AppDisabled => Self::Person,
            C::Unreachable
            | C::Slow
            | C::NameUnknown
            | C::TlsExpired
            | C::TlsNotYetValid
            | C::TlsWrongName
            | C::TlsUnknownIssuer
            | C::TlsFailed
            | C::PlatformUnavailable
            | C::Busy => Self::Unreachable,
            C::RateLimited | C::QuotaUsed => Self::RateLimited,
            C::LeaseTimeout | C::LeaseLost => Self::Lease,
            C::AddressNotTrusted => Self::Address,
            C::NothingCached | C::LifeTooShort | C::TokenForgotten => Self::NotCached,
            C::ClockBlocked | C::ClockMoved => Self::Clock,
            C::ReadOnly => Self::ReadOnly,
            C::VaultLocked | C::KeyringAbsent => Self::Locked,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_contract() {
        let all = [
            (ReasonCode::AlreadyOnline, 0),
            (ReasonCode::QrLimit, 1),
            (ReasonCode::NumberNeeded, 2),
            (ReasonCode::NotFound, 3),
            (ReasonCode::CredentialRefused, 4),
            (ReasonCode::AttemptSpoilt, 4),
            (ReasonCode::Unreachable, 5),
            (ReasonCode::Busy, 5),
            (ReasonCode::RateLimited, 6),
            (ReasonCode::ClockBlocked, 7),
            (ReasonCode::ReadOnly, 11),
            (ReasonCode::VaultLocked, 12),
        ];
        for (code, number) in all {
            assert_eq!(Exit::from(code).code(), number, "{code:?}");
        }
        assert_eq!(Exit::Interrupted.code(), 130);
    }
}

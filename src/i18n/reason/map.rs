//! Which words a code has. One line a code, so that a new one cannot be forgotten.

#[allow(clippy::wildcard_imports)]
use super::*;
use crate::i18n::{Words, langbot as lb, sessions as s, telegram as tg, token as t};

/// What happened, as a sentence.
pub fn text(code: ReasonCode) -> &'static Words {
    use ReasonCode as C;
    match code {
        C::LoggedOut => &LOGGED_OUT,
        C::Wiped => &WIPED,
        C::Forbidden => &FORBIDDEN,
        C::Replaced => &REPLACED,
        C::TimedOut => &TIMED_OUT,
        C::ConnectionClosed => &CONNECTION_CLOSED,
        C::BadSession => &BAD_SESSION,
        C::RestartRequired => &RESTART_REQUIRED,
        C::PlatformUnavailable => &PLATFORM_UNAVAILABLE,
        C::Disconnected => &DISCONNECTED,
        C::NeverPaired => &NEVER_PAIRED,
        C::WitnessesDiffer => &WITNESSES_DIFFER,
        C::QrLimit => &QR_LIMIT,
        C::StaleCode => &STALE_CODE,
        C::AttemptSpoilt => &ATTEMPT_SPOILT,
        C::AttemptExpired => &ATTEMPT_EXPIRED,
        C::NotProven => &NOT_PROVEN,
        C::MayBeLinked => &MAY_BE_LINKED,
        C::AlreadyOnline => &ALREADY_ONLINE,
        C::NumberNeeded => &NUMBER_NEEDED,
        C::NumberInvalid => &NUMBER_INVALID,
        C::ServerRestarted => &SERVER_RESTARTED,
        C::Asking => &ASKING,
        C::WaitingForPhone => &WAITING_FOR_PHONE,
        C::EndingOldSession => &ENDING_OLD_SESSION,
        C::CredentialRefused => &CREDENTIAL_REFUSED,
        C::CredentialNarrow => &CREDENTIAL_NARROW,
        C::CredentialMissing => &CREDENTIAL_MISSING,
        C::LicenseRequired => &LICENSE_REQUIRED,
        C::ServerRefused => &SERVER_REFUSED,
        C::ServerError => &SERVER_ERROR,
        C::RateLimited => &RATE_LIMITED,
        C::NotFound => &NOT_FOUND,
        C::WrongAddress => &WRONG_ADDRESS,
        C::WebPage => &WEB_PAGE,
        C::Unintelligible => &UNINTELLIGIBLE,
        C::TooLarge => &TOO_LARGE,
        C::Redirected => &REDIRECTED,
        C::Unreachable => &UNREACHABLE,
        C::Slow => &SLOW,
        C::NameUnknown => &NAME_UNKNOWN,
        C::PlaintextRefused => &PLAINTEXT_REFUSED,
        C::TlsExpired => &TLS_EXPIRED,
        C::TlsNotYetValid => &TLS_NOT_YET_VALID,
        C::TlsWrongName => &TLS_WRONG_NAME,
        C::TlsUnknownIssuer => &TLS_UNKNOWN_ISSUER,
        C::TlsFailed => &TLS_FAILED,
        C::EventsLost => &EVENTS_LOST,
        C::ClockBlocked => &CLOCK_BLOCKED,
        C::ClockMoved => &CLOCK_MOVED,
        C::ClockUnknown => &CLOCK_UNKNOWN,
        C::VaultLocked => &VAULT_LOCKED,
        C::KeyringAbsent => &KEYRING_ABSENT,
        C::ReadOnly => &READ_ONLY,
        C::StoreUnwritable => &STORE_UNWRITABLE,
        C::StoreBroken => &STORE_BROKEN,
        C::Foreign => &FOREIGN,
        C::Busy => &BUSY,
        C::Cancelled => &CANCELLED,
        C::StoppedHalfway => &STOPPED_HALFWAY,
        C::CredentialLost => &CREDENTIAL_LOST,
        C::KilledInFlight => &KILLED_IN_FLIGHT,
        C::NotYet => &NOT_YET,
        C::Gone => &GONE,
        C::PersonNeeded => &PERSON_NEEDED,
        C::FlagMismatch => &FLAG_MISMATCH,
        C::NeverIssued => &NEVER_ISSUED,
        C::TokenWiped => &TOKEN_WIPED,
        C::TokenOverwritten => &TOKEN_OVERWRITTEN,
        C::TokenEmpty => &TOKEN_EMPTY,
        C::Banned => &BANNED,
        C::ChecksOff => &CHECKS_OFF,
        C::VisitorUid => &VISITOR_UID,
        C::FlagCollision => &FLAG_COLLISION,
        C::FlagUnsteady => &FLAG_UNSTEADY,
        C::Displaced => &DISPLACED,
        C::TooEarly => &TOO_EARLY,
        C::SendBanned => &SEND_BANNED,
        C::NothingAgainst => &NOTHING_AGAINST,
        C::NotCompared => &NOT_COMPARED,
        C::TokenNeverHeld => &TOKEN_NEVER_HELD,
        C::BadTarget => &BAD_TARGET,
        C::FlagTaken => &FLAG_TAKEN,
        C::ConnUnclear => &CONN_UNCLEAR,
        C::NotOnline => &NOT_ONLINE,
        C::ClusterPeer => &CLUSTER_PEER,
        C::NotInVersion => &NOT_IN_VERSION,
        C::TokenExpired => &t::TOKEN_EXPIRED,
        C::TokenRejected => &t::TOKEN_REJECTED,
        C::TokenRejectedAgain => &t::TOKEN_REJECTED_AGAIN,
        C::AddressNotTrusted => &t::ADDRESS_NOT_TRUSTED,
        C::WrongApp => &t::WRONG_APP,
        C::NeverFetched => &t::NEVER_FETCHED,
        C::TokenForgotten => &t::TOKEN_FORGOTTEN,
        C::WrongId => &t::WRONG_ID,
        C::ApiForbidden => &t::API_FORBIDDEN,
        C::AppDisabled => &t::APP_DISABLED,
        C::QuotaUsed => &t::QUOTA_USED,
        C::RotateByHand => &t::ROTATE_BY_HAND,
        C::TokenStorm => &t::TOKEN_STORM,
        C::LeaseTimeout => &t::LEASE_TIMEOUT,
        C::LeaseLost => &t::LEASE_LOST,
        C::NothingCached => &t::NOTHING_CACHED,
        C::LifeTooShort => &t::LIFE_TOO_SHORT,
        C::SharedDown => &t::SHARED_DOWN,
        C::StateNotReported => &t::STATE_NOT_REPORTED,
        C::BotSecretRefused => &t::BOT_SECRET_REFUSED,
        C::Unclaimed => &t::UNCLAIMED,
        C::NotAsked => &t::NOT_ASKED,
        C::EvictedBySubscriber => &t::EVICTED_BY_SUBSCRIBER,
        C::WrongAccount => &WRONG_ACCOUNT,
        C::OtherServer => &OTHER_SERVER,
        C::SessionAbsent => &s::SESSION_ABSENT,
        C::SessionUnreadable => &s::SESSION_UNREADABLE,
        C::SessionTruncated => &s::SESSION_TRUNCATED,
        C::SessionCorrupt => &s::SESSION_CORRUPT,
        C::SessionForeign => &s::SESSION_FOREIGN,
        C::SessionVersion => &s::SESSION_VERSION,
        C::SessionEmpty => &s::SESSION_EMPTY,
        C::SessionKeyId => &s::SESSION_KEY_ID,
        C::SessionLoose => &s::SESSION_LOOSE,
        C::SlotHardLinked => &s::SLOT_HARD_LINKED,
        C::SlotMounted => &s::SLOT_MOUNTED,
        C::SlotUnwritable => &s::SLOT_UNWRITABLE,
        C::SlotTaken => &s::SLOT_TAKEN,
        C::SlotFileThere => &s::SLOT_FILE_THERE,
        C::SlotHeld => &s::SLOT_HELD,
        C::KeyTwin => &s::KEY_TWIN,
        C::SpacesTwin => &s::SPACES_TWIN,
        C::SlotResurrected => &s::SLOT_RESURRECTED,
        C::SessionDuplicated => &s::SESSION_DUPLICATED,
        C::SessionRevoked => &s::SESSION_REVOKED,
        C::SessionLives => &s::SESSION_LIVES,
        C::RebuildLoop => &s::REBUILD_LOOP,
        C::SessionUnsure => &s::SESSION_UNSURE,
        C::RebuildNone => &s::REBUILD_NONE,
        C::RebuildLimit => &s::REBUILD_LIMIT,
        C::AccountClosed => &tg::ACCOUNT_CLOSED,
        C::OtherHolder => &tg::OTHER_HOLDER,
        C::OwnSession => &tg::OWN_SESSION,
        C::SlotSession => &tg::SLOT_SESSION,
        C::Unconfirmed => &tg::UNCONFIRMED,
        C::Internal => &INTERNAL,
    }
}

/// What to do about it; `None` where nothing needs doing.
pub fn remedy(code: ReasonCode) -> Option<&'static Words> {
    use ReasonCode as C;
    Some(match code {
        C::LoggedOut | C::Wiped => &LOGGED_OUT_DO,
        C::Forbidden => &FORBIDDEN_DO,
        C::Replaced => &REPLACED_DO,
        C::TimedOut => &TIMED_OUT_DO,
        C::ConnectionClosed => &CONNECTION_CLOSED_DO,
        C::BadSession => &BAD_SESSION_DO,
        C::Disconnected => &DISCONNECTED_DO,
        C::NeverPaired => &NEVER_PAIRED_DO,
        C::WitnessesDiffer => &WITNESSES_DIFFER_DO,
        C::QrLimit => &QR_LIMIT_DO,
        C::StaleCode => &STALE_CODE_DO,
        C::AttemptSpoilt => &ATTEMPT_SPOILT_DO,
        C::AttemptExpired => &ATTEMPT_EXPIRED_DO,
        C::NotProven => &NOT_PROVEN_DO,
        C::MayBeLinked => &MAY_BE_LINKED_DO,
        C::AlreadyOnline => &ALREADY_ONLINE_DO,
        C::NumberNeeded => &NUMBER_NEEDED_DO,
        C::NumberInvalid => &NUMBER_INVALID_DO,
        C::ServerRestarted => &SERVER_RESTARTED_DO,
        C::CredentialRefused => &CREDENTIAL_REFUSED_DO,
        C::CredentialNarrow => &CREDENTIAL_NARROW_DO,
        C::CredentialMissing => &CREDENTIAL_MISSING_DO,
        C::LicenseRequired => &LICENSE_REQUIRED_DO,
        C::ServerRefused => &SERVER_REFUSED_DO,
        C::ServerError => &SERVER_ERROR_DO,
        C::RateLimited => &RATE_LIMITED_DO,
        C::NotFound => &NOT_FOUND_DO,
        C::WrongAddress => &WRONG_ADDRESS_DO,
        C::WebPage => &WEB_PAGE_DO,
        C::Unintelligible => &UNINTELLIGIBLE_DO,
        C::TooLarge => &TOO_LARGE_DO,
        C::Redirected => &REDIRECTED_DO,
        C::Unreachable => &UNREACHABLE_DO,
        C::Slow => &SLOW_DO,
        C::NameUnknown => &NAME_UNKNOWN_DO,
        C::PlaintextRefused => &PLAINTEXT_REFUSED_DO,
        C::TlsExpired => &TLS_EXPIRED_DO,
        C::TlsNotYetValid => &TLS_NOT_YET_VALID_DO,
        C::TlsWrongName => &TLS_WRONG_NAME_DO,
        C::TlsUnknownIssuer => &TLS_UNKNOWN_ISSUER_DO,
        C::TlsFailed => &TLS_FAILED_DO,
        C::ClockBlocked => &CLOCK_BLOCKED_DO,
        C::ClockMoved => &CLOCK_MOVED_DO,
        C::ClockUnknown => &CLOCK_UNKNOWN_DO,
        C::VaultLocked => &VAULT_LOCKED_DO,
        C::KeyringAbsent => &KEYRING_ABSENT_DO,
        C::StoreUnwritable => &STORE_UNWRITABLE_DO,
        C::StoreBroken => &STORE_BROKEN_DO,
        C::Foreign => &FOREIGN_DO,
        C::Busy => &BUSY_DO,
        C::CredentialLost => &CREDENTIAL_LOST_DO,
        C::KilledInFlight => &KILLED_IN_FLIGHT_DO,
        C::FlagMismatch => &FLAG_MISMATCH_DO,
        C::NeverIssued => &NEVER_ISSUED_DO,
        C::TokenWiped => &TOKEN_WIPED_DO,
        C::TokenOverwritten => &TOKEN_OVERWRITTEN_DO,
        C::TokenEmpty => &TOKEN_EMPTY_DO,
        C::Banned => &BANNED_DO,
        C::ChecksOff => &CHECKS_OFF_DO,
        C::VisitorUid => &VISITOR_UID_DO,
        C::FlagCollision => &FLAG_COLLISION_DO,
        C::FlagUnsteady => &FLAG_UNSTEADY_DO,
        C::Displaced => &DISPLACED_DO,
        C::TooEarly => &TOO_EARLY_DO,
        C::SendBanned => &SEND_BANNED_DO,
        C::NothingAgainst => &NOTHING_AGAINST_DO,
        C::NotCompared => &NOT_COMPARED_DO,
        C::TokenNeverHeld => &TOKEN_NEVER_HELD_DO,
        C::FlagTaken => &FLAG_TAKEN_DO,
        C::ConnUnclear => &CONN_UNCLEAR_DO,
        C::ClusterPeer => &CLUSTER_PEER_DO,
        C::TokenExpired => &t::TOKEN_EXPIRED_DO,
        C::TokenRejected => &t::TOKEN_REJECTED_DO,
        C::TokenRejectedAgain => &t::TOKEN_REJECTED_AGAIN_DO,
        C::AddressNotTrusted => &t::ADDRESS_NOT_TRUSTED_DO,
        C::WrongApp => &t::WRONG_APP_DO,
        C::NeverFetched => &t::NEVER_FETCHED_DO,
        C::TokenForgotten => &t::TOKEN_FORGOTTEN_DO,
        C::WrongId => &t::WRONG_ID_DO,
        C::ApiForbidden => &t::API_FORBIDDEN_DO,
        C::AppDisabled => &t::APP_DISABLED_DO,
        C::RotateByHand => &t::ROTATE_BY_HAND_DO,
        C::TokenStorm => &t::TOKEN_STORM_DO,
        C::LeaseTimeout => &t::LEASE_TIMEOUT_DO,
        C::NothingCached => &t::NOTHING_CACHED_DO,
        C::LifeTooShort => &t::LIFE_TOO_SHORT_DO,
        C::SharedDown => &t::SHARED_DOWN_DO,
        C::BotSecretRefused => &t::BOT_SECRET_REFUSED_DO,
        C::Unclaimed => &t::UNCLAIMED_DO,
        C::EvictedBySubscriber => &t::EVICTED_BY_SUBSCRIBER_DO,
        C::WrongAccount => &WRONG_ACCOUNT_DO,
        C::OtherServer => &OTHER_SERVER_DO,
        C::SessionAbsent => &s::SESSION_ABSENT_DO,
        C::SessionUnreadable => &s::SESSION_UNREADABLE_DO,
        C::SessionTruncated => &s::SESSION_TRUNCATED_DO,
        C::SessionCorrupt => &s::SESSION_CORRUPT_DO,
        C::SessionForeign => &s::SESSION_FOREIGN_DO,
        C::SessionVersion => &s::SESSION_VERSION_DO,
        C::SessionEmpty => &s::SESSION_EMPTY_DO,
        C::SessionKeyId => &s::SESSION_KEY_ID_DO,
        C::SessionLoose => &s::SESSION_LOOSE_DO,
        C::SlotHardLinked => &s::SLOT_HARD_LINKED_DO,
        C::SlotMounted => &s::SLOT_MOUNTED_DO,
        C::SlotUnwritable => &s::SLOT_UNWRITABLE_DO,
        C::SlotTaken => &s::SLOT_TAKEN_DO,
        C::SlotFileThere => &s::SLOT_FILE_THERE_DO,
        C::SlotHeld => &s::SLOT_HELD_DO,
        C::KeyTwin => &s::KEY_TWIN_DO,
        C::SpacesTwin => &s::SPACES_TWIN_DO,
        C::SlotResurrected => &s::SLOT_RESURRECTED_DO,
        C::SessionDuplicated => &s::SESSION_DUPLICATED_DO,
        C::SessionRevoked => &s::SESSION_REVOKED_DO,
        C::SessionLives => &s::SESSION_LIVES_DO,
        C::RebuildLoop => &s::REBUILD_LOOP_DO,
        C::SessionUnsure => &s::SESSION_UNSURE_DO,
        C::RebuildNone => &s::REBUILD_NONE_DO,
        C::RebuildLimit => &s::REBUILD_LIMIT_DO,
        C::AccountClosed => &tg::ACCOUNT_CLOSED_DO,
        C::OtherHolder => &tg::OTHER_HOLDER_DO,
        C::Unconfirmed => &tg::UNCONFIRMED_DO,
        C::Internal => &INTERNAL_DO,
        C::StoppedHalfway => &STOPPED_HALFWAY_DO,
        C::RestartRequired
        | C::PlatformUnavailable
        | C::QuotaUsed
        | C::LeaseLost
        | C::StateNotReported
        | C::NotAsked
        | C::Asking
        | C::WaitingForPhone
        | C::EndingOldSession
        | C::EventsLost
        | C::ReadOnly
        | C::Cancelled
        | C::NotYet
        | C::OwnSession
        | C::SlotSession
        | C::Gone
        | C::BadTarget
        | C::NotOnline
        | C::NotInVersion
        | C::PersonNeeded => return None,
    })
}

/// Other words for a code where the reason is about one account's own secret or platform, and not about its gateway.
pub(super) fn of_account(code: ReasonCode) -> Option<(&'static Words, &'static Words)> {
    Some(match code {
        ReasonCode::CredentialRefused => (&t::SECRET_REFUSED, &t::SECRET_REFUSED_DO),
        ReasonCode::CredentialMissing => (&t::SECRET_MISSING, &t::SECRET_MISSING_DO),
        ReasonCode::PersonNeeded => (&tg::PASSWORD_NEEDED, &tg::PASSWORD_NEEDED_DO),
        ReasonCode::ServerRefused => (&t::NOT_ACCEPTED, &t::NOT_ACCEPTED_DO),
        _ => return None,
    })
}

/// Other words where it is known what of an account's own is refused.
pub(super) fn of_refused(code: ReasonCode, what: &str) -> Option<(&'static Words, &'static Words)> {
    Some(match (code, what) {
        (ReasonCode::CredentialRefused, "api_id") => (&tg::APP_REFUSED, &tg::APP_REFUSED_DO),
        (ReasonCode::CredentialRefused, "bot_token") => (&tg::BOT_REFUSED, &tg::BOT_REFUSED_DO),
        _ => return None,
    })
}

/// Other words where it is known what is missing: of an account's own, or of a credential's rights.
pub(super) fn of_needs(code: ReasonCode, what: &str) -> Option<(&'static Words, &'static Words)> {
    Some(match (code, what) {
        (ReasonCode::CredentialMissing, "api_id") => (&tg::APP_MISSING, &tg::APP_MISSING_DO),
        (ReasonCode::CredentialMissing, "api_hash") => (&tg::HASH_MISSING, &tg::HASH_MISSING_DO),
        (ReasonCode::CredentialMissing, "bot_token") => (&tg::BOT_MISSING, &tg::BOT_MISSING_DO),
        (ReasonCode::CredentialNarrow, "scope") => (&lb::NARROW_SCOPE, &lb::NARROW_SCOPE_DO),
        (ReasonCode::CredentialNarrow, "login") => (&lb::NARROW_LOGIN, &lb::NARROW_LOGIN_DO),
        _ => return None,
    })
}

/// Other words where one data centre is meant, and not its gateway.
pub(super) fn of_dc(code: ReasonCode) -> Option<(&'static Words, &'static Words)> {
    Some(match code {
        ReasonCode::Unreachable => (&tg::DC_DOWN, &tg::DC_DO),
        ReasonCode::Slow => (&tg::DC_SLOW, &tg::DC_DO),
        _ => return None,
    })
}

/// Other words where the platform's refusal says nothing good of a token.
pub(super) fn of_token(code: ReasonCode) -> Option<(&'static Words, &'static Words)> {
    (code == ReasonCode::AddressNotTrusted).then_some((&t::ADDRESS_NOT_LISTED, &t::ADDRESS_NOT_TRUSTED_DO))
}

/// Other words by what was seen: of a storm, of a quota, of a bot that is never asked, of a vault that does not open.
pub(super) fn of_evidence(code: ReasonCode, evidence: &str) -> Option<(&'static Words, &'static Words)> {
    Some(match (code, evidence) {
        (ReasonCode::Unintelligible, "layer") => (&tg::LAYER, &tg::LAYER_DO),
        (ReasonCode::SessionDuplicated, "operator") => (&s::OPERATOR_DUPLICATED, &s::OPERATOR_DUPLICATED_DO),
        (ReasonCode::PersonNeeded, "stored") => (&tg::PASSWORD_REFUSED, &tg::PASSWORD_REFUSED_DO),
        (ReasonCode::SlotUnwritable, "absent") => (&s::SLOT_NO_FOLDER, &s::SLOT_NO_FOLDER_DO),
        (ReasonCode::Unconfirmed, "fresh") => (&tg::UNCONFIRMED, &tg::UNCONFIRMED_FRESH_DO),
        (ReasonCode::AddressNotTrusted, "same") => (&t::ADDRESS_SAME, &t::ADDRESS_SAME_DO),
        (ReasonCode::TokenStorm, "died") => (&t::STORM_DIED, &t::STORM_RESET_DO),
        (ReasonCode::TokenStorm, "changed") => (&t::STORM_CHANGED, &t::STORM_RESET_DO),
        (ReasonCode::TokenStorm, "limited") => (&t::STORM_LIMITED, &t::STORM_LIMITED_DO),
        (ReasonCode::QuotaUsed, "gap") => (&t::QUOTA_GAP, &t::QUOTA_GAP_DO),
        (ReasonCode::QuotaUsed, "day") => (&t::QUOTA_DAY, &t::QUOTA_DAY_DO),
        (ReasonCode::StateNotReported, "untried") => (&t::BOT_UNTRIED, &t::BOT_UNTRIED_DO),
        (ReasonCode::StateNotReported, "owned") => (&t::BOT_OWNED, &t::BOT_OWNED_DO),
        (ReasonCode::StateNotReported, "restarted") => (&lb::LOADED_QUIET, &lb::LOADED_QUIET_DO),
        (ReasonCode::StateNotReported, "heard") => (&lb::LOADED_HEARD, &lb::LOADED_HEARD_DO),
        (ReasonCode::TokenExpired, "again") => (&lb::REFUSED_AGAIN, &lb::REFUSED_AGAIN_DO),
        (ReasonCode::WrongApp, "corp") => (&lb::ALIEN_APP, &lb::ALIEN_APP_DO),
        (ReasonCode::TokenStorm, "bot") => (&t::STORM_BOT, &t::STORM_BOT_DO),
        (ReasonCode::VaultLocked, "passphrase") => (&VAULT_PASSPHRASE, &VAULT_PASSPHRASE_DO),
        (ReasonCode::VaultLocked, "passphrase_wrong") => (&VAULT_PASSPHRASE_WRONG, &VAULT_PASSPHRASE_DO),
        (ReasonCode::VaultLocked, "keyring_none") => (&VAULT_KEYRING_NONE, &VAULT_KEYRING_NONE_DO),
        (ReasonCode::VaultLocked, "keyring_silent") => (&VAULT_KEYRING_SILENT, &VAULT_KEYRING_SILENT_DO),
        (ReasonCode::VaultLocked, "keyring_gone") => (&VAULT_KEYRING_GONE, &VAULT_KEYRING_GONE_DO),
        (ReasonCode::VaultLocked, "key_file_gone") => (&VAULT_FILE_GONE, &VAULT_FILE_GONE_DO),
        (ReasonCode::VaultLocked, "key_file_refused") => (&VAULT_FILE_REFUSED, &VAULT_FILE_REFUSED_DO),
        (ReasonCode::VaultLocked, "credential") => (&VAULT_CREDENTIAL, &VAULT_CREDENTIAL_DO),
        (ReasonCode::VaultLocked, "memory") => (&VAULT_MEMORY, &VAULT_MEMORY_DO),
        (ReasonCode::VaultLocked, "as_it_is") => (&VAULT_AS_IT_IS, &VAULT_AS_IT_IS_DO),
        (ReasonCode::TlsUnknownIssuer, "ca_itself") => (&TLS_CA_ITSELF, &TLS_CA_ITSELF_DO),
        (ReasonCode::StoreUnwritable, "disk_full") => (&STORE_FULL, &STORE_FULL_DO),
        (ReasonCode::StoreUnwritable, "quota") => (&STORE_QUOTA, &STORE_QUOTA_DO),
        (ReasonCode::StoreUnwritable, "read_only") => (&STORE_READ_ONLY, &STORE_READ_ONLY_DO),
        (ReasonCode::StoreUnwritable, "held") => (&STORE_HELD, &STORE_HELD_DO),
        (ReasonCode::StoreBroken | ReasonCode::StoreUnwritable, "damaged") => (&STORE_DAMAGED, &STORE_DAMAGED_DO),
        (ReasonCode::StoreBroken, "token_seal") => (&TOKEN_SEAL, &TOKEN_SEAL_DO),
        (ReasonCode::Busy, "key_changed") => (&VAULT_KEY_CHANGED, &VAULT_KEY_CHANGED_DO),
        _ => return None,
    })
}

/// Other words where the reason is about a bot that keeps its secret and its token to itself; `linked`: an app here has the
/// same secret, and it works.
pub(super) fn of_bot(code: ReasonCode, linked: bool) -> Option<(&'static Words, &'static Words)> {
    Some(match (code, linked) {
        (ReasonCode::TokenExpired, _) => (&t::TOKEN_EXPIRED_BOT, &t::TOKEN_EXPIRED_BOT_DO),
        (ReasonCode::BotSecretRefused, true) => (&t::BOT_SECRET_REFUSED, &t::BOT_SECRET_LINKED_DO),
        _ => return None,
    })
}

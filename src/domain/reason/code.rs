//! The shared codes, and what follows from one whatever it is about.

use crate::domain::State;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The shared codes. Rules match on these, never on text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ReasonCode { $($(#[$doc])* $name,)* }
        impl ReasonCode {
            /// Every code, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// The name that JSON shows.
            pub const fn name(self) -> &'static str { match self { $(Self::$name => $text,)* } }
        }
    };
}

codes! {
    /// The phone or the server ended the session.
    LoggedOut = "logged_out",
    /// The session was ended through the server's own API: a wipe, here or elsewhere.
    Wiped = "wiped",
    /// The platform forbids the account.
    Forbidden = "forbidden",
    /// Another client took over the session.
    Replaced = "replaced",
    /// The connection timed out.
    TimedOut = "timed_out",
    /// The connection was closed.
    ConnectionClosed = "connection_closed",
    /// The stored session is broken.
    BadSession = "bad_session",
    /// The platform asks for a reconnect: a normal step.
    RestartRequired = "restart_required",
    /// The platform is not available.
    PlatformUnavailable = "platform_unavailable",
    /// A disconnect code that pairdeck does not know.
    Disconnected = "disconnected",
    /// Never paired.
    NeverPaired = "never_paired",
    /// Two witnesses disagree.
    WitnessesDiffer = "witnesses_differ",
    /// The server's limit of QR codes was reached.
    QrLimit = "qr_limit",
    /// An old code was discarded.
    StaleCode = "stale_code",
    /// The attempt ran out and spoilt the session.
    AttemptSpoilt = "attempt_spoilt",
    /// The attempt ran out.
    AttemptExpired = "attempt_expired",
    /// No proof of freshness came in time.
    NotProven = "not_proven",
    /// A code is asked for while the session may be a linked one reconnecting.
    MayBeLinked = "may_be_linked",
    /// It is online already.
    AlreadyOnline = "already_online",
    /// A phone number is needed.
    NumberNeeded = "number_needed",
    /// That is no phone number.
    NumberInvalid = "number_invalid",
    /// The server restarted during the attempt.
    ServerRestarted = "server_restarted",
    /// Waiting for the server's answer.
    Asking = "asking",
    /// Waiting for the phone.
    WaitingForPhone = "waiting_for_phone",
    /// The old session is being ended first.
    EndingOldSession = "ending_old_session",
    /// The credential was refused.
    CredentialRefused = "credential_refused",
    /// The credential sees one row only.
    CredentialNarrow = "credential_narrow",
    /// No credential is stored.
    CredentialMissing = "credential_missing",
    /// The server wants a licence.
    LicenseRequired = "license_required",
    /// The server answered success and did not do it.
    ServerRefused = "server_refused",
    /// The server failed.
    ServerError = "server_error",
    /// The server asks to slow down.
    RateLimited = "rate_limited",
    /// Nothing of that name there.
    NotFound = "not_found",
    /// The address is not that of the expected server.
    WrongAddress = "wrong_address",
    /// A web page came instead of data.
    WebPage = "web_page",
    /// The answer could not be understood.
    Unintelligible = "unintelligible",
    /// The answer is too large.
    TooLarge = "too_large",
    /// The server redirects elsewhere.
    Redirected = "redirected",
    /// The server does not answer.
    Unreachable = "unreachable",
    /// The answer took too long.
    Slow = "slow",
    /// The host name is not known.
    NameUnknown = "name_unknown",
    /// Plain http to a host that is not this machine.
    PlaintextRefused = "plaintext_refused",
    /// The certificate has expired.
    TlsExpired = "tls_expired",
    /// The certificate is not valid yet: usually a clock.
    TlsNotYetValid = "tls_not_yet_valid",
    /// The certificate is for another name.
    TlsWrongName = "tls_wrong_name",
    /// The certificate's issuer is not trusted.
    TlsUnknownIssuer = "tls_unknown_issuer",
    /// TLS failed otherwise.
    TlsFailed = "tls_failed",
    /// The event stream was refused or ended.
    EventsLost = "events_lost",
    /// A clock is wrong.
    ClockBlocked = "clock_blocked",
    /// The clock was moved.
    ClockMoved = "clock_moved",
    /// Nothing tells the time.
    ClockUnknown = "clock_unknown",
    /// The vault is locked.
    VaultLocked = "vault_locked",
    /// No keyring answers, so a new vault needs a passphrase.
    KeyringAbsent = "keyring_absent",
    /// pairdeck is read-only.
    ReadOnly = "read_only",
    /// The store cannot be written.
    StoreUnwritable = "store_unwritable",
    /// The store is broken or newer.
    StoreBroken = "store_broken",
    /// Somebody else changed it.
    Foreign = "foreign",
    /// Another op holds this account.
    Busy = "busy",
    /// Taken back by the operator.
    Cancelled = "cancelled",
    /// Stopped on request, after something had been sent.
    StoppedHalfway = "stopped_halfway",
    /// A request was in flight when pairdeck ended.
    KilledInFlight = "killed_in_flight",
    /// It may be done only later.
    NotYet = "not_yet",
    /// The row is not there any more.
    Gone = "gone",
    /// A person must decide or give something.
    PersonNeeded = "person_needed",
    /// The client logs in on another device flag than the one that its token is on.
    FlagMismatch = "flag_mismatch",
    /// No token was ever issued for this device.
    NeverIssued = "never_issued",
    /// The token is empty: the device was quit.
    TokenWiped = "token_wiped",
    /// A later login on the same flag replaced the token.
    TokenOverwritten = "token_overwritten",
    /// The client holds an empty token.
    TokenEmpty = "token_empty",
    /// The server bans this uid: every login is refused.
    Banned = "banned",
    /// The server checks no tokens.
    ChecksOff = "checks_off",
    /// Uids of this form skip the token check.
    VisitorUid = "visitor_uid",
    /// Two clients take turns on one device flag.
    FlagCollision = "flag_collision",
    /// Login follows on login on one device flag, each under a new device id from one address: two clients that kick each
    /// other, or one that cannot hold its connection. Nothing that a server tells decides which.
    FlagUnsteady = "flag_unsteady",
    /// A later login on the same flag took the place of this one.
    Displaced = "displaced",
    /// The client tried before the token existed.
    TooEarly = "too_early",
    /// The server refuses what this uid sends.
    SendBanned = "send_banned",
    /// Nothing that the server tells speaks against this client.
    NothingAgainst = "nothing_against",
    /// Nothing was seen that speaks against this client, but its flag or its token is not known.
    NotCompared = "not_compared",
    /// The client's token is not that of its flag, which never had another.
    TokenNeverHeld = "token_never_held",
    /// The server would take this name or number, and it would not work.
    BadTarget = "bad_target",
    /// The device flag has a token already: another would overwrite it.
    FlagTaken = "flag_taken",
    /// It is not told which of several connections is meant.
    ConnUnclear = "conn_unclear",
    /// It is not online.
    NotOnline = "not_online",
    /// A node of the server's cluster does not answer.
    ClusterPeer = "cluster_peer",
    /// This version of the server has no way to do or to tell that.
    NotInVersion = "not_in_version",
    /// The phone that scanned is logged in as another account.
    WrongAccount = "wrong_account",
    /// The token that a business server gave out is not on this server.
    OtherServer = "other_server",
    /// The token's life is over.
    TokenExpired = "token_expired",
    /// The platform refused a token that should be alive.
    TokenRejected = "token_rejected",
    /// The platform refuses even a token that it has just issued.
    TokenRejectedAgain = "token_rejected_again",
    /// The token is fine, and the platform does not trust the caller's address.
    AddressNotTrusted = "address_not_trusted",
    /// The token belongs to another app.
    WrongApp = "wrong_app",
    /// No token was ever fetched for this account, as far as is known here.
    NeverFetched = "never_fetched",
    /// Somebody wiped the token: none is fetched until somebody asks for one.
    TokenForgotten = "token_forgotten",
    /// The platform does not know the corporation's or the app's id.
    WrongId = "wrong_id",
    /// The platform does not permit the app to use an interface.
    ApiForbidden = "api_forbidden",
    /// The app is switched off on the platform.
    AppDisabled = "app_disabled",
    /// The quota of forced renewals is used up.
    QuotaUsed = "quota_used",
    /// Only a person can have the token replaced.
    RotateByHand = "rotate_by_hand",
    /// Somebody else uses the same secret, or clients loop.
    TokenStorm = "token_storm",
    /// The right to fetch or to act was not had in time.
    LeaseTimeout = "lease_timeout",
    /// Another holder took over: what was done under the old right was refused.
    LeaseLost = "lease_lost",
    /// Nothing is cached, and fetching was ruled out.
    NothingCached = "nothing_cached",
    /// What is cached does not live as long as was demanded.
    LifeTooShort = "life_too_short",
    /// The store that hosts share does not answer.
    SharedDown = "shared_down",
    /// Enabled; its server does not say whether it is connected.
    StateNotReported = "state_not_reported",
    /// The platform refuses the secret that a bot has in its own server's settings, where pairdeck cannot put one.
    BotSecretRefused = "bot_secret_refused",
    /// Nobody has claimed the server yet: whoever comes first owns it.
    Unclaimed = "unclaimed",
    /// The gateway is never asked from here: whether it answers is not known.
    NotAsked = "not_asked",
    /// Another client took the place of this connection.
    EvictedBySubscriber = "evicted_by_subscriber",
    /// pairdeck ended while a code was out whose credential is given once.
    CredentialLost = "credential_lost",
    /// A worker's session file is not there.
    SessionAbsent = "session_absent",
    /// A session file cannot be read.
    SessionUnreadable = "session_unreadable",
    /// A session file ends in the middle.
    SessionTruncated = "session_truncated",
    /// A session file is damaged.
    SessionCorrupt = "session_corrupt",
    /// A session file is something else.
    SessionForeign = "session_foreign",
    /// A session file is of an unknown version.
    SessionVersion = "session_version",
    /// A session file without a key.
    SessionEmpty = "session_empty",
    /// A session file whose key id is not that of its key.
    SessionKeyId = "session_key_id",
    /// A session file that others may read.
    SessionLoose = "session_loose",
    /// The slot's file has several names.
    SlotHardLinked = "slot_hard_linked",
    /// The slot's file is a mount and cannot be replaced.
    SlotMounted = "slot_mounted",
    /// The slot's file cannot be written.
    SlotUnwritable = "slot_unwritable",
    /// Another slot uses that path, file or key.
    SlotTaken = "slot_taken",
    /// Something lies where a new slot's file shall be.
    SlotFileThere = "slot_file_there",
    /// A process holds the slot.
    SlotHeld = "slot_held",
    /// One key lies in several places.
    KeyTwin = "key_twin",
    /// Holders of one file in different namespaces.
    SpacesTwin = "spaces_twin",
    /// A live process wrote an old key back.
    SlotResurrected = "slot_resurrected",
    /// The platform ended a session whose key was used twice.
    SessionDuplicated = "session_duplicated",
    /// The platform does not know the session any more.
    SessionRevoked = "session_revoked",
    /// A worker says that its session is dead, and the platform still lists it.
    SessionLives = "session_lives",
    /// A worker says that its session is dead, and nobody could tell whether it is.
    SessionUnsure = "session_unsure",
    /// A worker failed alike again and again and was stopped.
    RebuildLoop = "rebuild_loop",
    /// A dead session that nothing here can rebuild.
    RebuildNone = "rebuild_none",
    /// A session that dies after every rebuilding.
    RebuildLimit = "rebuild_limit",
    /// The platform has closed or banned the account itself.
    AccountClosed = "account_closed",
    /// Another process works with the operator's session.
    OtherHolder = "other_holder",
    /// A session that its owner has not confirmed.
    Unconfirmed = "unconfirmed",
    /// The session by which pairdeck itself is logged in.
    OwnSession = "own",
    /// The session of a slot that is configured here.
    SlotSession = "slot_session",
    /// Something inside pairdeck failed.
    Internal = "internal",
}

impl ReasonCode {
    /// True when a person may have to act; false for what is normal or passes by itself.
    pub const fn is_problem(self) -> bool {
        !matches!(
            self,
            Self::RestartRequired
                | Self::AlreadyOnline
                | Self::Asking
                | Self::WaitingForPhone
                | Self::EndingOldSession
                | Self::StaleCode
                | Self::Cancelled
                | Self::StoppedHalfway
                | Self::NotYet
                | Self::NeverPaired
                | Self::NothingAgainst
                | Self::NotCompared
                | Self::StateNotReported
                | Self::NeverFetched
                | Self::TokenForgotten
                | Self::NotAsked
                | Self::OwnSession
                | Self::SlotSession
        )
    }
}

impl ReasonCode {
    /// True when it says why an account has no token.
    pub const fn is_tokenless(self) -> bool {
        matches!(self, Self::NeverFetched | Self::TokenForgotten | Self::CredentialMissing | Self::CredentialRefused)
    }

    /// The state of a gateway that is in trouble for this reason.
    pub const fn gateway_state(self) -> State {
        match self {
            Self::CredentialRefused | Self::CredentialMissing | Self::LicenseRequired | Self::PlaintextRefused => State::Refused,
            Self::VaultLocked => State::Unknown,
            _ => State::Unreachable,
        }
    }

    /// True when the same request may well succeed a little later.
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::Slow
                | Self::ServerError
                | Self::RateLimited
                | Self::NameUnknown
                | Self::Unintelligible
                | Self::TlsFailed
                | Self::PlatformUnavailable
                | Self::SharedDown
                | Self::LeaseTimeout
        )
    }
}

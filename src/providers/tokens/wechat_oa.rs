//! WeChat Official Accounts by their stable token: the one kind whose token can be replaced by a request (wecom-langbot §1,
//! "Platforms compared").

use super::platform::{By, Carry, Class, Obtain, Part, Platform, Probe, SECRET, Site};
use crate::{
    clock::Limits,
    domain::row::TokenSemantics,
    i18n::wecom as w,
    providers::{
        KindSpec, On, RETRY, SecretSpec, VerbSpec,
        token::{Rotate, TokenRules},
    },
};
use std::time::Duration;

/// Its constants.
pub static SPEC: KindSpec = KindSpec {
    kind: "wechat-oa",
    name: "WeChat Official Account",
    platform: "WeChat",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[SecretSpec { name: SECRET, words: &w::SECRET_OA, optional: false }],
    verbs: &[
        VerbSpec { id: "secret", key: 's', words: &w::VERB_SECRET, on: On::Account, asks: &[] },
        VerbSpec { id: RETRY, key: 'b', words: &w::VERB_RETRY, on: On::Account, asks: &[] },
    ],
    methods: &[],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(60),
    phone_qr: &[],
    phone_code: &[],
};

/// The platform.
pub(super) static PLATFORM: Platform = Platform {
    spec: &SPEC,
    rules: TokenRules {
        semantics: TokenSemantics::SameThenOverlap,
        overlap: Duration::from_secs(300),
        deadline: Duration::from_secs(10),
        rotate: Rotate::Api { per_day: Some(20), min_gap: Duration::from_secs(30) },
    },
    token_type: "query",
    obtain: Obtain {
        by: By::Json,
        path: "/stable_token",
        parts: &[("grant_type", Part::Is("client_credential")), ("appid", Part::Id), ("secret", Part::Secret)],
        forced: Some("force_refresh"),
        token: "access_token",
        life: "expires_in",
    },
    says: ("errcode", "errmsg"),
    // An id is asked for nowhere: a token is one account's.
    probes: &[Probe { path: "/getcallbackip", carry: Carry::Query("access_token"), id: None, name: None }],
    codes: &[
        (Site::Both, "-1", Class::Busy),
        // "Bad secret" here, "not the newest token" there (w7corp/easywechat#163, silenceper/wechat#791).
        (Site::Obtain, "40001", Class::Secret),
        (Site::Obtain, "40125", Class::Secret),
        (Site::Use, "40001", Class::Dead),
        (Site::Both, "40014", Class::Dead),
        (Site::Both, "42001", Class::Dead),
        (Site::Both, "40013", Class::Id),
        (Site::Both, "41001", Class::Bug),
        (Site::Both, "41002", Class::Bug),
        (Site::Both, "41004", Class::Bug),
        // Here the address is asked for already when a token is (memory only).
        (Site::Both, "40164", Class::Address),
        (Site::Obtain, "45009", Class::Quota),
        (Site::Obtain, "45011", Class::Rate),
        (Site::Use, "45009", Class::Rate),
        (Site::Both, "48001", Class::Denied),
        (Site::Both, "50002", Class::Off),
    ],
    id: &w::ID_APP,
    console: &w::CONSOLE_OA,
};

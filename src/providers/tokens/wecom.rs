//! WeCom: one token an app, the same string until it dies, and no way to ask for another (wecom-langbot §0.1, §1).

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
    kind: "wecom",
    name: "WeCom",
    platform: "WeCom",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[SecretSpec { name: SECRET, words: &w::SECRET_WECOM, optional: false }],
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
        semantics: TokenSemantics::SameUntilExpiry,
        overlap: Duration::ZERO,
        deadline: Duration::from_secs(10),
        rotate: Rotate::ByHand,
    },
    token_type: "query",
    obtain: Obtain {
        by: By::Query,
        path: "/gettoken",
        parts: &[("corpid", Part::Corp), ("corpsecret", Part::Secret)],
        forced: None,
        token: "access_token",
        life: "expires_in",
    },
    says: ("errcode", "errmsg"),
    probes: &[
        Probe { path: "/get_api_domain_ip", carry: Carry::Query("access_token"), id: None, name: None },
        Probe { path: "/agent/get", carry: Carry::Query("access_token"), id: Some("agentid"), name: Some("name") },
    ],
    codes: &[
        (Site::Both, "-1", Class::Busy),
        (Site::Obtain, "40001", Class::Secret),
        // Memory only for calls (§1); treated as a dead token, which one refresh decides.
        (Site::Use, "40001", Class::Dead),
        (Site::Both, "40013", Class::Id),
        // An expired token comes back as either (NotFound403/wecom-sdk#22).
        (Site::Both, "40014", Class::Dead),
        (Site::Both, "42001", Class::Dead),
        (Site::Use, "40056", Class::OtherApp),
        (Site::Use, "301002", Class::OtherApp),
        (Site::Both, "41001", Class::Bug),
        (Site::Both, "41002", Class::Bug),
        (Site::Both, "41004", Class::Bug),
        (Site::Both, "45009", Class::Rate),
        (Site::Both, "45033", Class::Rate),
        (Site::Use, "48002", Class::Denied),
        (Site::Use, "60011", Class::Denied),
        (Site::Both, "50003", Class::Off),
        (Site::Both, "60020", Class::Address),
    ],
    id: &w::ID_AGENT,
    console: &w::CONSOLE_WECOM,
};

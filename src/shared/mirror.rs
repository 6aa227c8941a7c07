//! Where client libraries look for a token in Redis, as their sources write it. Only those that a configuration names are written.

use super::{Mirror, MirrorForm};
use crate::{domain::Secret, store::config};

/// What a mirror's keys are made of.
pub struct Named<'a> {
    /// What the keys begin with where a library lets its users choose.
    pub prefix: &'a str,
    /// The corporation.
    pub corp_id: &'a str,
    /// The app.
    pub agent_id: &'a str,
    /// The app's secret: a library puts its beginning into a key's name.
    pub secret: &'a Secret,
}

/// The mirrors of one app.
pub fn mirrors(kinds: &[config::Mirror], of: &Named<'_>) -> Vec<Mirror> {
    kinds.iter().map(|kind| mirror(*kind, of)).collect()
}

fn mirror(kind: config::Mirror, of: &Named<'_>) -> Mirror {
    // wechatpy's key names the first ten characters of the secret (wechatpy 1.8.18 and 2.0.0a26, enterprise/work client).
    let start: String = of.secret.expose().chars().take(10).collect();
    let wechatpy = format!("{}:{}_{start}_access_token", of.prefix, of.corp_id);
    match kind {
        config::Mirror::Wechatpy => Mirror { key: wechatpy, form: MirrorForm::Json, expires_key: None, early_s: 0 },
        // Shared by all apps of a corp unless each has a prefix of its own: a stale one makes every client fetch (2.0.0a26).
        config::Mirror::Wechatpy2 => Mirror {
            key: wechatpy,
            form: MirrorForm::Json,
            expires_key: Some(format!("{}:{}_access_token_expires_at", of.prefix, of.corp_id)),
            early_s: 0,
        },
        // Two underscores; the agent id keeps apps apart (silenceper/wechat with AgentID set). Its readers ignore the life.
        config::Mirror::Silenceper => Mirror {
            key: format!("gowechat_work__access_token_{}_{}", of.corp_id, of.agent_id),
            form: MirrorForm::Raw,
            expires_key: None,
            early_s: 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_the_libraries_read() {
        let secret = Secret::new("0123456789abcdef".to_owned());
        let of = Named { prefix: "wechatpy", corp_id: "ww1", agent_id: "1000002", secret: &secret };
        let all = mirrors(&[config::Mirror::Wechatpy, config::Mirror::Wechatpy2, config::Mirror::Silenceper], &of);
        assert_eq!(all[0].key, "wechatpy:ww1_0123456789_access_token");
        assert_eq!((all[1].key.as_str(), all[1].expires_key.as_deref()), (all[0].key.as_str(), Some("wechatpy:ww1_access_token_expires_at")));
        assert_eq!(all[2].key, "gowechat_work__access_token_ww1_1000002");
    }
}

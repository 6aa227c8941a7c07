//! What a token is called: the name that hosts share it under, and whom it was issued to.
//!
//! Both are kept, here and in the shared store, so neither may change: a token of another name is as good as none.

use super::Subject;
use crate::{
    domain::ids::{self, fnv},
    store::config,
};

/// The name under which hosts share a token: the platform's own ids, because hosts may call a gateway as they like, and where it
/// is not the platform's own address (a deployment of one's own has its own numbers), a hash of that.
pub(super) fn name(subject: &Subject) -> String {
    name_of(&subject.gateway.settings, subject.target.account.as_str())
}

fn name_of(settings: &config::Gateway, account: &str) -> String {
    let own = settings.accounts.iter().find(|a| a.name == account).map(|a| a.id.as_str()).filter(|id| !id.is_empty());
    // Ids of a platform without corps stand for themselves; a name that is only ours counts under the gateway that has it.
    let corp = settings.corp_id.as_deref().unwrap_or(if own.is_some() { "-" } else { &settings.name });
    let id = own.unwrap_or(account);
    let part = ids::escape;
    let elsewhere = config::default_url(&settings.kind).filter(|own| *own != settings.url).map(|_| base(&settings.url)).unwrap_or_default();
    format!("{}{elsewhere}/{}/{}", settings.kind, part(corp), part(id))
}

/// Whom a platform issues an account's token to, as the configuration has it: a token counts for no other one.
pub fn whose(settings: &config::Gateway, account: &str) -> String {
    format!("{}{}", name_of(settings, account), base(&settings.url))
}

/// `@` and eight hex digits that stand for an address.
fn base(url: &str) -> String {
    let hash = fnv(url.trim_end_matches('/').as_bytes());
    format!("@{:08x}", (hash ^ (hash >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployments_that_number_their_apps_alike_share_no_token() {
        let of = |url: &str| {
            let settings = config::Gateway { kind: "wecom".into(), url: url.into(), corp_id: Some("ww1".into()), ..config::Gateway::default() };
            name_of(&settings, "1000002")
        };
        assert_eq!(of("https://qyapi.weixin.qq.com/cgi-bin"), "wecom/ww1/1000002", "the platform's own stays as it was");
        let (one, two) = (of("https://wecom.one.example/cgi-bin"), of("https://wecom.two.example/cgi-bin"));
        assert!(one != two && one.starts_with("wecom@") && one.ends_with("/ww1/1000002"), "{one} {two}");
        assert_eq!(one, of("https://wecom.one.example/cgi-bin/"));
    }

    #[test]
    fn hosts_that_call_a_gateway_differently_share_the_token_of_an_id() {
        let of = |gateway: &str, account: &str, id: &str| {
            let account = config::Account { name: account.into(), id: id.into(), ..config::Account::default() };
            let settings = config::Gateway { name: gateway.into(), kind: "wechat-oa".into(), accounts: vec![account], ..config::Gateway::default() };
            let named = settings.accounts[0].name.clone();
            (name_of(&settings, &named), whose(&settings, &named))
        };
        assert_eq!(of("oa", "shop", "wx4f1a"), of("wechat", "store", "wx4f1a"));
        assert_ne!(of("oa", "shop", "wx4f1a"), of("oa", "shop", "wx5b2c"));
        assert_ne!(of("oa", "shop", ""), of("wechat", "shop", ""), "a name of ours is no id");
    }
}

//! Copies of tokens for client libraries, looked at together: what one account may ask for depends on the others and on `[shared]`.

use super::{Account, Config, Gateway, Mirror, read::Reader};
use crate::i18n::{Message, store as words};
use toml::de::{DeTable, DeValue};

/// Says which copies cannot be written, or would serve one app another one's token.
pub(super) fn check<'a>(r: &mut Reader<'a>, table: &'a DeTable<'a>, config: &Config) {
    let asked = || config.gateways.iter().flat_map(|g| g.accounts.iter().filter(|a| !a.mirror.is_empty()).map(move |a| (g, a)));
    for (n, (gateway, account)) in asked().enumerate() {
        let key = format!("gateway.{}.account.{}.mirror", gateway.name, account.name);
        let at = place(table, gateway, account);
        let Some(shared) = &config.shared else {
            r.wrong(at, &key, Message::new(&words::CONFIG_MIRROR_SHARED)).example = Some("[shared]\nredis = \"redis://127.0.0.1\"".to_owned());
            continue;
        };
        if shared.seal {
            r.wrong(at, &key, Message::new(&words::CONFIG_MIRROR_SEAL)).remedy = Some(Message::new(&words::CONFIG_MIRROR_SEAL_DO));
            continue;
        }
        // silenceper's key names the corporation and the app and nothing else; deployments of one's own number both as they like.
        let raw = |a: &Account| a.mirror.contains(&Mirror::Silenceper);
        let same = |g: &Gateway, a: &Account| g.corp_id == gateway.corp_id && a.id == account.id && g.url != gateway.url;
        if let Some((g, other)) = asked().take(n).find(|(g, a)| raw(account) && raw(a) && same(g, a)) {
            let name = format!("{}:{}", g.name, other.name);
            r.wrong(at, &key, Message::new(&words::CONFIG_MIRROR_BASE).with("name", name)).remedy = Some(Message::new(&words::CONFIG_MIRROR_BASE_DO));
            continue;
        }
        // wechatpy 2 keeps one instant of death for all apps of a corporation: the one of another app makes every client fetch
        // (wechatpy 2.0.0a26, work client).
        let of = |a: &Account| a.mirror_prefix.clone().unwrap_or_else(|| shared.mirror_prefix.clone());
        let instant = |a: &Account| a.mirror.contains(&Mirror::Wechatpy2);
        let other = asked().take(n).find(|(g, a)| instant(account) && instant(a) && g.corp_id == gateway.corp_id && of(a) == of(account));
        if let Some((_, other)) = other {
            let e = r.wrong(at, &key, Message::new(&words::CONFIG_MIRROR_TWICE).with("name", &other.name));
            e.example = Some("mirror_prefix = \"ops\"".to_owned());
        }
    }
}

/// Where an account's `mirror` begins in the file.
fn place(table: &DeTable<'_>, gateway: &Gateway, account: &Account) -> usize {
    let mut at = 0;
    let mut here = table;
    for name in ["gateway", &gateway.name, "account", &account.name, "mirror"] {
        let Some(v) = here.get(name) else { return at };
        at = v.span().start;
        let DeValue::Table(next) = v.get_ref() else { return at };
        here = next;
    }
    at
}

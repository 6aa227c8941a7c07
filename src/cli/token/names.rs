//! What to say of a name that means no account whose platform issues tokens.

use crate::{
    domain::{GatewayId, RemoteId, Target, ids::TargetName},
    i18n::{Message, command as c, token as words},
    providers::registry,
    store::config::{Config, Gateway},
};

/// So many names are told.
const MOST: usize = 8;

fn issues(g: &Gateway) -> bool {
    registry::provider(&g.kind).is_some_and(|p| p.issuer().is_some())
}

fn listed<'a>(of: impl Iterator<Item = &'a Gateway>) -> String {
    let mut all: Vec<String> =
        of.flat_map(|g| g.accounts.iter().map(|a| Target::account(&GatewayId::new(&g.name), &RemoteId::new(&a.name)).id())).collect();
    let more = all.len() > MOST;
    all.truncate(MOST);
    format!("{}{}", all.join(", "), if more { ", …" } else { "" })
}

/// Which accounts there are where somebody typed `typed`.
pub(super) fn hint(config: &Config, typed: &str) -> Message {
    let name = TargetName::parse(typed);
    let own = name.as_ref().filter(|n| n.gateway.is_none()).map_or(typed, |n| n.account.as_str());
    let whole = config.gateway(own).or_else(|| config.gateway(typed));
    let above = name.as_ref().and_then(|n| n.gateway.as_deref()).and_then(|g| config.gateway(g));
    let m = match (whole, above) {
        (Some(g), _) | (None, Some(g)) if !issues(g) => Message::new(&words::NAME_TOKENLESS).with("kind", &g.kind),
        (Some(g), _) if g.accounts.is_empty() => Message::new(&words::NAME_EMPTY),
        (Some(g), _) => Message::new(&words::NAME_GATEWAY).with("accounts", listed(std::iter::once(g))),
        (None, Some(g)) if !g.accounts.is_empty() => Message::new(&words::NAME_ELSE).with("accounts", listed(std::iter::once(g))),
        _ => {
            let all = listed(config.gateways.iter().filter(|g| issues(g)));
            if all.is_empty() { Message::new(&c::NAME_UNKNOWN) } else { Message::new(&words::NAME_ELSE).with("accounts", all) }
        }
    };
    m.with("name", typed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::i18n::Lang;

    #[test]
    fn a_gateways_name_or_a_wrong_account_is_answered_with_the_accounts_that_there_are() {
        let text = "[gateway.corp]\nkind = \"wecom\"\ncorp_id = \"ww1\"\naccount = { ops = { id = 1 }, \"a b\" = { id = 2 } }\n
            [gateway.none]\nkind = \"wecom\"\ncorp_id = \"ww2\"\n[gateway.bots]\nkind = \"wecom-aibot\"\naccount = { x = { id = \"aib-1\" } }\n";
        let config = Config::parse(text, std::path::Path::new("config.toml")).unwrap();
        let says = |typed: &str| hint(&config, typed).text(Lang::En);
        assert_eq!(says("corp"), "corp is a gateway; its accounts are: corp:ops, corp:a%20b");
        assert_eq!(says("none"), "none is a gateway without accounts: name one in config.toml");
        assert_eq!(says("corp:hr"), "corp:hr is not known here; there are: corp:ops, corp:a%20b");
        assert_eq!(says("hr"), "hr is not known here; there are: corp:ops, corp:a%20b");
        assert_eq!(says("bots:x"), "bots:x is of the kind wecom-aibot, whose platform issues no tokens");
        assert_eq!(hint(&Config::default(), "hr").text(Lang::En), "hr is not known here");
    }
}

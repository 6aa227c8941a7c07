//! `pairdeck add` for kinds whose servers list no accounts: the gateway comes with its first account, whose secret is tried
//! before anything is kept. Without one, the lines to write are said.

use super::{Exit, Output, args::Add, json, prompt, run::Ran, session::Session, session::broken, session::refused};
use crate::{
    domain::{GatewayId, Reason, ReasonCode},
    engine::{add, ops, world::secret_name},
    i18n::{Message, command as c, reason, wecom as w},
    providers::{SecretSpec, token::account_secret},
    store::config,
    vault::VaultState,
};

/// Adds the gateway that `args` describe.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn run(house: &Session, args: &Add, secret: &SecretSpec, out: &mut Output) -> Ran {
    let Some(account) = &args.account else {
        out.complain(&Message::new(&w::ADD_WRITE).with("name", &args.name));
        for line in config::account_example(&args.kind, &args.name).unwrap_or_default().lines() {
            out.complain_text(line);
        }
        return Ok(Exit::Usage);
    };
    let new = config::NewGateway {
        allow_plaintext: args.allow_plaintext,
        ..config::NewGateway::new(&args.name, &args.kind, args.url.as_deref().unwrap_or_default())
    };
    let (name, more) = own(account, args.corp_id.as_deref());
    let settings = match config::check_gateway_with(&house.paths.config, &new, &more) {
        Ok(config) => config.gateway(&args.name).cloned().unwrap_or_default(),
        Err(errors) => {
            for line in errors.text(out.lang).lines() {
                out.complain_text(line);
            }
            return Ok(Exit::Usage);
        }
    };
    if house.read_only {
        return failed(args, &Reason::new(ReasonCode::ReadOnly), out);
    }
    if let VaultState::Locked(why) = house.open_vault_for(true, out).await {
        return Ok(refused(&why, out));
    }
    let given = match prompt::secret(args.api_key_file.as_deref(), secret.words, out) {
        Ok(given) => given,
        Err(why) => {
            out.complain(&why.0);
            return Ok(Exit::Usage);
        }
    };
    if let Err(why) = house.world.ensure_vault(None).await {
        return Ok(refused(&why, out));
    }
    let tried = add::try_account(&house.world, settings, name, secret, given.clone()).await;
    match tried {
        Ok(said) => said.iter().for_each(|(_, line)| out.note(line)),
        Err(why) => return failed(args, &why, out),
    }
    // The secret first: one without a gateway is harmless, a gateway without its secret is not.
    let sealed = secret_name(&GatewayId::new(&args.name), &account_secret(name, secret.name));
    let id = GatewayId::new(&args.name);
    if let Err(e) = house.world.store().secret_put(&sealed, &given).await {
        ops::audit_gateway(&house.world, &id, "add", "failed").await;
        return Ok(broken(&e, out));
    }
    if let Err(errors) = config::add_gateway_with(&house.paths.config, &new, &more) {
        ops::audit_gateway(&house.world, &id, "add", "failed").await;
        return failed(args, &Reason::new(ReasonCode::StoreUnwritable).raw(errors.text(out.lang)), out);
    }
    ops::audit_gateway(&house.world, &id, "add", "done").await;
    out.note(&Message::new(&crate::i18n::engine::ADD_SAVED).with("name", &args.name));
    if args.json {
        out.json(&serde_json::json!({ "v": json::V, "name": args.name, "added": true, "reason": null }))?;
    }
    Ok(Exit::Ok)
}

fn failed(args: &Add, why: &Reason, out: &mut Output) -> Ran {
    if args.json {
        out.json(&serde_json::json!({ "v": json::V, "name": args.name, "added": false, "reason": json::reason(why, out.lang) }))?;
    } else {
        out.complain_text(&reason::full(why, out.lang));
        out.complain(&Message::new(&c::ADD_NOT_KEPT));
    }
    Ok(Exit::from(why.code).or_failed())
}

/// The account's name, and what its kind has in the gateway's table, from `NAME=ID` or `NAME`.
fn own<'a>(account: &'a str, corp_id: Option<&str>) -> (&'a str, Vec<(&'static str, String)>) {
    let text = |s: &str| toml_edit::Value::from(s).to_string();
    let (name, id) = account.split_once('=').unwrap_or((account, ""));
    let (name, id) = (name.trim(), id.trim());
    let id = if id.is_empty() { String::new() } else { format!("id = {}", text(id)) };
    let mut more: Vec<(&'static str, String)> = corp_id.map(|c| ("corp_id", text(c.trim()))).into_iter().collect();
    more.push(("account", format!("{{ {} = {{ {id} }} }}", text(name))));
    (name, more)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_account_on_the_command_line_becomes_a_table_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let new = config::NewGateway::new("corp", "wecom", "");
        let (name, more) = own("客服=1000002", Some("ww1a2b"));
        assert_eq!(name, "客服");
        config::add_gateway_with(&path, &new, &more).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "[gateway.corp]\nkind = \"wecom\"\ncorp_id = \"ww1a2b\"\n\n[gateway.corp.account.\"客服\"]\nid = \"1000002\"\n", "{text}");
        let (_, more) = own("x", Some("ww1a2b"));
        assert!(config::check_gateway_with(&path, &config::NewGateway { name: "b".into(), ..new }, &more).is_ok());
    }
}

//! `pairdeck sandbox`: made-up gateways for outside clients, and on request a home that is ready to use with them.

use super::{Exit, Gone, Output, args, run::Ran, session::broken};
use crate::{
    clock::SystemTime,
    i18n::{Message, command as c},
    sandbox::{Options, Sandbox, SandboxError, Scenario, start},
    store::{Store, config, paths::Paths},
    vault::{Source, Vault},
};
use std::{path::Path, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Serves until a signal ends it. The first line on stdout says addresses and made-up credentials.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn run(args: &args::Sandbox, out: &mut Output) -> Ran {
    let scenario = args.scenario.clone().unwrap_or_else(|| Options::default().scenario);
    if scenario == "help" {
        return scenarios(out);
    }
    let accounts = args.accounts.and_then(|n| usize::try_from(n).ok());
    let options = Options { listen: args.listen, scenario, accounts, skew_s: args.skew, ..Options::default() };
    let sandbox = match start(options).await {
        Ok(sandbox) => sandbox,
        Err(why) => return Ok(not_started(&why, out)),
    };
    if let Some(home) = &args.write_home
        && let Err(exit) = write_home(home, &sandbox, out).await
    {
        return Ok(exit);
    }
    if args.json {
        out.ndjson(&sandbox.announce(args.write_home.as_deref()))?;
    } else {
        for g in sandbox.gateways() {
            out.line(&format!("{}  {}  {}", g.name, g.kind, g.url))?;
        }
        out.line(&Message::new(&c::SANDBOX_CONTROL).with("url", sandbox.control()).text(out.lang))?;
        out.note(&Message::new(&c::SANDBOX_ENDS));
    }
    let over = CancellationToken::new();
    let signal = super::op::stop_on_signal(over.clone());
    over.cancelled().await;
    signal.abort();
    sandbox.shutdown();
    Ok(Exit::Ok)
}

/// Lists the stories, for `--scenario help` of `sandbox` and `demo`.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn scenarios(out: &mut Output) -> Result<Exit, Gone> {
    match Scenario::all() {
        Ok(all) => {
            for s in all {
                let about = if out.lang == crate::i18n::Lang::Zh { &s.about_zh } else { &s.about_en };
                out.line(&format!("{:<12}  {about}", s.name))?;
            }
            Ok(Exit::Ok)
        }
        Err(e) => Ok(not_started(&SandboxError::BadScenario(e), out)),
    }
}

fn not_started(why: &SandboxError, out: &mut Output) -> Exit {
    out.complain(&Message::new(&c::SANDBOX_FAILED).with("why", why.to_string()));
    if matches!(why, SandboxError::NoScenario(_)) { Exit::Usage } else { Exit::Failed }
}

/// A home with config, store and the key in a file: the secrets are made up, so a keyring would only be littered.
async fn write_home(home: &Path, sandbox: &Sandbox, out: &mut Output) -> Result<(), Exit> {
    let paths = Paths::in_home(home);
    let (vault, time) = (Vault::new(), Arc::new(SystemTime::new()));
    let store = Store::open(&paths, vault.clone(), time).map_err(|e| broken(&e, out))?;
    vault.create(Source::KeyFile, None).await.map_err(|why| super::session::refused(&why, out))?;
    for g in sandbox.gateways() {
        let id = crate::domain::GatewayId::new(&g.name);
        for (name, secret) in &g.credentials {
            store.secret_put(&crate::engine::world::secret_name(&id, name), secret).await.map_err(|e| broken(&e, out))?;
        }
        let new = config::NewGateway::new(&g.name, g.kind, &g.url);
        if let Err(errors) = config::add_gateway_with(&paths.config, &new, &g.more) {
            out.complain_text(&errors.text(out.lang));
            return Err(Exit::Failed);
        }
    }
    store.flush().await;
    Ok(())
}

/// A made-up gateway as a configuration would name it.
pub fn settings(g: &crate::sandbox::GatewayInfo) -> config::Gateway {
    let more: String = g.more.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let text = format!("[gateway.{:?}]\nkind = {:?}\nurl = {:?}\n{more}", g.name, g.kind, g.url);
    let read = config::Config::parse(&text, Path::new("sandbox")).ok().and_then(|c| c.gateways.into_iter().next());
    // Names and addresses are our own, so it can be read; a test rules the other case out.
    read.unwrap_or_else(|| config::Gateway::new(&g.name, g.kind, &g.url))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_configuration_of_every_scenario_is_read_with_all_that_only_its_kind_has() {
        for scenario in Scenario::all().unwrap() {
            let sandbox = start(Options { scenario: scenario.name.clone(), accounts: Some(2), ..Options::default() }).await.unwrap();
            for (g, server) in sandbox.gateways().iter().zip(sandbox.servers()) {
                let read = settings(g);
                assert_eq!((read.name.as_str(), read.url.trim_end_matches('/')), (server.name(), g.url.trim_end_matches('/')));
                if let crate::sandbox::Server::Wukong(w) = server {
                    assert!(read.wukongim.all, "{}", scenario.name);
                    assert_eq!(read.wukongim.manager_url.as_deref().map(|u| u.trim_end_matches('/').to_owned()), Some(w.manager_url()));
                }
                if scenario.name == "wukongim" {
                    assert_eq!(read.wukongim.business, ["shop-1001"]);
                    assert_eq!(read.wukongim.flags, [("Android".to_owned(), 4)]);
                }
            }
        }
    }
}

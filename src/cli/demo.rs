//! `pairdeck demo`: the deck on made-up gateways, in a home that is gone when it ends.

use super::{
    Exit, Globals, Output,
    args::Demo,
    deck::{self, Scene},
};
use crate::{
    domain::{GatewayId, Secrets},
    engine::world::secret_name,
    i18n::{Message, command as c},
    providers::{NEW_SLOT, registry},
    sandbox::{self, Options, Sandbox},
    store::{Paths, Store, config},
    tui::{guide, start::Badge},
    vault::Vault,
};
use std::sync::Arc;

/// Runs the demo until the operator leaves.
pub fn run(globals: &Globals, args: &Demo, out: &mut Output) -> Exit {
    match demo(globals, args, out) {
        Ok(exit) => exit,
        Err(e) => {
            out.complain(&Message::new(&c::SANDBOX_FAILED).with("why", e.to_string()));
            Exit::Failed
        }
    }
}

fn demo(globals: &Globals, args: &Demo, out: &mut Output) -> anyhow::Result<Exit> {
    let tour = args.scenario.is_none();
    let scenario = args.scenario.clone().unwrap_or_else(|| Options::default().scenario);
    let accounts = args.accounts.map(|n| n as usize);
    // 0700 from birth, removed when it is dropped.
    let home = tempfile::Builder::new().prefix("pairdeck-demo-").tempdir()?;
    let sandbox = serve(Options { scenario, accounts, ..Options::default() })?;
    let paths = Paths::in_home(home.path());
    let writes = |kind: &str| registry::kinds().iter().any(|k| k.kind == kind && k.verbs.iter().any(|v| v.id == NEW_SLOT));
    for g in sandbox.gateways().iter().filter(|g| writes(g.kind)) {
        let new = config::NewGateway::new(&g.name, g.kind, &g.url);
        // What the deck writes there needs a file; a demo without one shows all the rest.
        let _ = config::add_gateway_with(&paths.config, &new, &g.more);
    }
    let config = config::Config { gateways: gateways(&sandbox), ..config::Config::default() };
    let secrets: Vec<(GatewayId, Secrets)> = sandbox.gateways().into_iter().map(|g| (GatewayId::new(&g.name), g.credentials)).collect();
    let scene = Scene {
        vault: Vault::memory(),
        badges: vec![Badge::Demo],
        guide: if tour { guide::tour() } else { Vec::new() },
        prepare: Box::new(move |store| seal(store, secrets)),
    };
    let exit = deck::run(globals, &paths, config, scene, out);
    // Its thread ends with it.
    sandbox.shutdown();
    Ok(exit)
}

/// Runs the servers on a thread of their own, so that they answer as another machine would.
fn serve(options: Options) -> anyhow::Result<Arc<Sandbox>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sandbox = Arc::new(runtime.block_on(sandbox::start(options))?);
    let served = sandbox.clone();
    std::thread::Builder::new().name("sandbox".into()).spawn(move || runtime.block_on(served.ended()))?;
    Ok(sandbox)
}

fn gateways(sandbox: &Sandbox) -> Vec<config::Gateway> {
    sandbox.gateways().into_iter().map(|g| super::sandbox::settings(&g)).collect()
}

/// Puts the made-up keys where the engine looks for them.
fn seal(store: &Store, secrets: Vec<(GatewayId, Secrets)>) -> Result<(), Message> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|e| Message::new(&c::STORE_BROKEN).with("why", e.to_string()))?;
    runtime.block_on(async {
        for (gateway, named) in secrets {
            for (name, secret) in named {
                let put = store.secret_put(&secret_name(&gateway, &name), &secret).await;
                put.map_err(|e| Message::new(&c::STORE_BROKEN).with("why", e.to_string()))?;
            }
        }
        Ok(())
    })
}

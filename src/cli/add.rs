//! `pairdeck add`: the server is asked before anything is kept; nobody is logged in.

use super::{
    Exit, Output, add_account, add_asked,
    args::Add,
    json, prompt,
    run::Ran,
    session::{Session, refused},
};
use crate::{
    domain::ReasonCode,
    engine::{add, command::NewGateway},
    i18n::{Message, command as c},
    providers::registry,
    store::config,
    vault::VaultState,
};

/// `add`: URL and key come from options, else from the terminal; the server is asked before anything is kept.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn run(house: &Session, args: &Add, out: &mut Output) -> Ran {
    let _unseen = prompt::Sequence::begin();
    let Some(provider) = registry::provider(&args.kind) else {
        let kinds: Vec<&str> = registry::kinds().iter().map(|k| k.kind).collect();
        out.complain(&Message::new(&c::KIND_UNKNOWN).with("kind", &args.kind).with("kinds", kinds.join(", ")));
        return Ok(Exit::Usage);
    };
    let asks = registry::add_asks(&args.kind);
    if !asks.is_empty() {
        return add_asked::run(house, args, asks, out).await;
    }
    if let (true, Some(secret)) = (config::default_url(&args.kind).is_some(), provider.spec().account_secrets.first()) {
        return add_account::run(house, args, secret, out).await;
    }
    let url = match args.url.clone().or_else(|| prompt::line(&c::ASK_URL, out)) {
        Some(url) if !url.trim().is_empty() => url.trim().to_owned(),
        _ => {
            out.complain(&Message::new(&c::URL_NEEDED));
            return Ok(Exit::Usage);
        }
    };
    let mut new = NewGateway { url, allow_plaintext: args.allow_plaintext, ..NewGateway::new(&args.name, &args.kind) };
    if let Err(errors) = config::check_gateway(&house.paths.config, &new.listed()) {
        // Before a key is asked for or sent anywhere.
        for line in errors.text(out.lang).lines() {
            out.complain_text(line);
        }
        return Ok(Exit::Usage);
    }
    let spec = provider.spec().secrets.first();
    let question = spec.map_or(&c::ASK_KEY, |s| s.words);
    let ask = if spec.is_some_and(|s| s.optional) { prompt::secret_or_none } else { prompt::secret };
    new.secret = match ask(args.api_key_file.as_deref(), question, out) {
        Ok(secret) => secret,
        Err(why) => {
            out.complain(&why.0);
            return Ok(Exit::Usage);
        }
    };
    keep(house, new, args.json, out).await
}

/// Tries a gateway that was asked for in full, keeps it, tells how that went. Where there is neither a vault nor a keyring, a
/// passphrase is asked for on a terminal.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) async fn keep(house: &Session, mut new: NewGateway, as_json: bool, out: &mut Output) -> Ran {
    if matches!(house.world.open_vault().await, VaultState::Locked(_))
        && let Err(exit) = house.unlock(out).await
    {
        return Ok(exit);
    }
    let mut done = add::add(&house.world, new.clone()).await;
    if let Some(why) = done.trouble.as_ref().filter(|why| why.code == ReasonCode::KeyringAbsent)
        && std::io::IsTerminal::is_terminal(&std::io::stdin())
    {
        refused(why, out);
        new.passphrase = prompt::new_passphrase(out).map_err(|why| out.complain(&why.0)).ok();
        if new.passphrase.is_some() {
            done = add::add(&house.world, new).await;
        }
    }
    // What failed is told once, with its remedy, below.
    for (_, line) in done.lines.iter().filter(|(well, _)| *well) {
        out.note(line);
    }
    if as_json {
        let reason = done.trouble.as_ref().map(|r| json::reason(r, out.lang));
        out.json(&serde_json::json!({ "v": json::V, "name": done.name, "added": done.added, "reason": reason }))?;
    }
    Ok(match &done.trouble {
        None => Exit::Ok,
        Some(why) if as_json => Exit::from(why.code).or_failed(),
        Some(why) if why.code == ReasonCode::KeyringAbsent => refused(why, out),
        // Its remedy speaks of a gateway that is kept; this one is not.
        Some(why) => {
            out.complain_text(&crate::i18n::reason::full(why, out.lang));
            out.complain(&Message::new(&c::ADD_NOT_KEPT));
            Exit::from(why.code).or_failed()
        }
    })
}

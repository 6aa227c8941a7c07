//! `pairdeck add` for kinds that ask for more than an address and a key: what is not given is asked for on a terminal. The servers are
//! asked before anything is kept; nobody is logged in.

use super::{Exit, Output, args::Add, prompt, run::Ran, session::Session};
use crate::{
    domain::Secret,
    engine::command::NewGateway,
    i18n::{Message, command as c},
    providers::AddAsk,
};
use std::{collections::BTreeMap, path::PathBuf};

/// Adds the gateway that `args` describe.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) async fn run(house: &Session, args: &Add, asks: &'static [AddAsk], out: &mut Output) -> Ran {
    let known = || asks.iter().map(|a| a.name).collect::<Vec<_>>().join(", ");
    let plain = |name: &str| asks.iter().any(|a| a.name == name && !a.secret);
    let hidden = |name: &str| asks.iter().any(|a| a.name == name && a.secret);
    let strange = args.set.iter().find(|(n, _)| !plain(n)).or(args.secret_file.iter().find(|(n, _)| !hidden(n)));
    if let Some((name, _)) = strange {
        // A secret is never an argument, so it is none of the names there.
        out.complain(&Message::new(&c::SET_UNKNOWN).with("name", name).with("known", known()));
        return Ok(Exit::Usage);
    }
    let mut given = BTreeMap::new();
    for ask in asks {
        match answer(args, asks, ask, out) {
            Ok(Some(value)) => {
                given.insert(ask.name, value);
            }
            Ok(None) if ask.optional => {}
            Ok(None) => {
                let missing = if ask.secret { format!("--secret-file {}=…", ask.name) } else { format!("--set {}=…", ask.name) };
                out.complain(&Message::new(&c::SET_MISSING).with("target", &args.name).with("missing", missing));
                return Ok(Exit::Usage);
            }
            Err(why) => {
                out.complain(&why.0);
                return Ok(Exit::Usage);
            }
        }
    }
    let new = NewGateway { given, ..NewGateway::new(&args.name, &args.kind) };
    super::add::keep(house, new, args.json, out).await
}

/// What was given for one of them: by name, by the options that every kind has, or on the terminal.
fn answer(args: &Add, asks: &[AddAsk], ask: &AddAsk, out: &mut Output) -> Result<Option<Secret>, prompt::NoSecret> {
    if ask.secret {
        let first = asks.iter().find(|a| a.secret).is_some_and(|a| a.name == ask.name);
        let file = args.secret_file.iter().find(|(n, _)| n == ask.name).map(|(_, f)| PathBuf::from(f));
        let file = file.or_else(|| args.api_key_file.clone().filter(|_| first));
        return match (&file, ask.optional) {
            (None, true) => prompt::secret_or_none(None, ask.words, out).map(|s| Some(s).filter(|s| !s.is_empty())),
            _ => prompt::secret(file.as_deref(), ask.words, out).map(Some),
        };
    }
    let set = args.set.iter().find(|(n, _)| n == ask.name).map(|(_, v)| v.clone());
    let set = set.or_else(|| args.account.clone().filter(|_| ask.name == "account"));
    let typed = set.or_else(|| prompt::line(ask.words, out)).map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    Ok(typed.map(Secret::new))
}

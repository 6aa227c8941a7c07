//! `pairdeck remove`: a gateway leaves the configuration; its sealed key and its cached rows go; its server is not told.

use super::{Exit, Output, args::Remove, prompt, run::Ran, session::Session, session::broken};
use crate::{
    engine::world::secret_name,
    i18n::{Message, command as c},
    store::config,
};

/// Forgets a gateway after a question.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn run(house: &Session, args: &Remove, out: &mut Output) -> Ran {
    let Ok(gateway) = house.gateway(&args.target, out) else { return Ok(Exit::Name) };
    if !args.yes {
        match prompt::agreed(&Message::new(&c::ASK_REMOVE).with("name", &args.target), out) {
            Some(true) => {}
            Some(false) => {
                out.complain(&Message::new(&c::NOT_AGREED));
                return Ok(Exit::Failed);
            }
            None => {
                out.complain(&Message::new(&c::NOT_ASKED));
                return Ok(Exit::Usage);
            }
        }
    }
    // The configuration first: a key without a gateway is harmless, a gateway without its key is not.
    if let Err(errors) = config::remove_gateway(&house.paths.config, &args.target) {
        for line in errors.text(out.lang).lines() {
            out.complain_text(line);
        }
        return Ok(Exit::Failed);
    }
    for spec in gateway.spec.secrets {
        if let Err(e) = house.world.store().secret_forget(&secret_name(&gateway.id, spec.name)).await {
            return Ok(broken(&e, out));
        }
    }
    if let Err(e) = house.world.store().forget_gateway(&gateway.id).await {
        return Ok(broken(&e, out));
    }
    house.world.gate().forget(&gateway.id);
    out.note(&Message::new(&c::REMOVED).with("name", &args.target));
    Ok(Exit::Ok)
}

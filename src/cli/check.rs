//! `check`: what is wrong with what a client is about to use, by the rules alone. No gateway is asked, nobody is logged in.

use super::{Exit, Output, args::Check, run::Ran, session::Session, why};
use crate::{
    engine::why::lint,
    i18n::{Message, command as c},
    providers::{Claim, Mark},
};
use serde_json::Value;

/// Says each rule that was kept or broken. A broken one ends with 1.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn run(house: &Session, args: &Check, out: &mut Output) -> Ran {
    let token = match why::token(args.token_stdin, out) {
        Ok(token) => token,
        Err(exit) => return Ok(exit),
    };
    let target = match why::aim(house, &args.target, out).await {
        Ok(target) => target,
        Err(exit) => return Ok(exit),
    };
    let claim = Claim { slot: args.flag.as_deref().map(Into::into), level: args.level.as_deref().map(Into::into), token, ..Claim::default() };
    let Some(lines) = house.world.gateway(&target.gateway).and_then(|g| lint(&g, &target, &claim)) else {
        out.complain(&Message::new(&c::CHECK_NO_RULES).with("target", &args.target));
        return Ok(Exit::Usage);
    };
    let broken = lines.iter().any(|l| l.mark == Mark::Bad);
    if args.json {
        let verdict = if broken { "findings" } else { "fine" };
        out.json(&why::document(&target, verdict, &Value::Null, &lines, out.lang))?;
    } else {
        why::lines(&lines, out)?;
    }
    Ok(if broken { Exit::Failed } else { Exit::Ok })
}

//! `pairdeck unfinished`: what the journal still holds open, and a person's choice about it: go on, or drop it.

use super::{
    Exit, Output,
    args::Unfinished,
    json::{self, V},
    run::Ran,
    session::{Session, broken},
};
use crate::{
    domain::{Op, OpPhase, ReasonCode},
    engine::{hosts::Quiet, ops},
    i18n::{Message, command as c, reason},
    store::locks,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Lists what is open; with a number, does what was chosen about that one.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) async fn run(house: &Session, args: &Unfinished, out: &mut Output) -> Ran {
    if let Err(exit) = house.unlock(out).await {
        return Ok(exit);
    }
    let all = match house.world.store().ops_unfinished().await {
        Ok(all) => all,
        Err(e) => return Ok(broken(&e, out)),
    };
    let chosen = args.go_on.or(args.drop);
    let Some(n) = chosen else {
        let gone = |op: &Op| op.phase.open() && !locks::owner_lives(&house.paths.locks(), &op.owner);
        return list(&all, gone, args.json, out);
    };
    let Some(op) = all.iter().find(|op| op.id == n && op.phase == OpPhase::Ambiguous) else {
        out.complain(&Message::new(&c::OPEN_NONE).with("n", n.to_string()));
        return Ok(Exit::Name);
    };
    if house.read_only {
        out.complain(&Message::new(&reason::READ_ONLY));
        return Ok(Exit::ReadOnly);
    }
    let say = |words, why: &str| Message::new(words).with("action", op.action.name()).with("target", op.target.id()).with("reason", why);
    if args.drop.is_some() {
        return Ok(match ops::dismiss(&house.world, op.id).await {
            Ok(()) => {
                out.note(&say(&c::OPEN_DROPPED, ""));
                Exit::Ok
            }
            Err(why) => {
                out.complain(&say(&c::OPEN_NOT_DROPPED, &why.message().text(out.lang)));
                Exit::Failed
            }
        });
    }
    let Some(ended) = ops::again(&house.world, op, &mut Quiet, &CancellationToken::new()).await else {
        let spoilt = op.reason.as_ref().filter(|r| r.code == ReasonCode::StoreBroken && r.arg("op").is_some());
        match spoilt {
            Some(why) => out.complain(&say(&c::LEFT_AMBIGUOUS, &reason::full(why, out.lang))),
            None => out.complain(&say(&c::OPEN_STUCK, "")),
        }
        return Ok(Exit::Unreachable);
    };
    let why = ended.reason.as_ref().map(|r| reason::full(r, out.lang)).unwrap_or_default();
    let words = match ended.phase {
        OpPhase::Done => &c::DONE,
        OpPhase::Ambiguous => &c::LEFT_AMBIGUOUS,
        _ => &c::FAILED,
    };
    if ended.phase == OpPhase::Done {
        out.note(&say(words, &why))
    } else {
        out.complain(&say(words, &why))
    }
    Ok(Exit::of_op(ended.phase, ended.reason.as_ref()))
}

/// `gone`: whoever runs it has ended.
fn list(all: &[Op], gone: impl Fn(&Op) -> bool, as_json: bool, out: &mut Output) -> Ran {
    let lang = out.lang;
    if as_json {
        let one = |op: &Op| -> Value {
            json!({
                "op": op.id,
                "action": op.action.name(),
                "target": op.target.id(),
                "phase": op.phase.name(),
                "owner_gone": gone(op),
                "since": json::time(op.at),
                "reason": op.reason.as_ref().map(|r| json::reason(r, lang)),
            })
        };
        out.json(&json!({ "v": V, "ops": all.iter().map(one).collect::<Vec<_>>() }))?;
        return Ok(Exit::Ok);
    }
    if all.is_empty() {
        out.note(&Message::new(&c::OPEN_NOTHING));
        return Ok(Exit::Ok);
    }
    let rows: Vec<[String; 5]> = all
        .iter()
        .map(|op| {
            let none = || if gone(op) { c::OPEN_OWNER_GONE.get(lang).to_owned() } else { "-".to_owned() };
            let why = op.reason.as_ref().map_or_else(none, |r| reason::full(r, lang));
            [op.id.to_string(), op.action.name().to_owned(), op.target.id(), op.phase.name().to_owned(), why]
        })
        .collect();
    out.table(["OP", "ACTION", "TARGET", "PHASE", "REASON"], &rows)?;
    if all.iter().any(|op| op.phase == OpPhase::Ambiguous) {
        out.note(&Message::new(&c::OPEN_DO));
    }
    Ok(Exit::Ok)
}

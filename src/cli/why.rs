//! `status --why`: why a client cannot log in, compared from management calls alone. The row need not be there: a device that
//! was never issued a token is one of the answers.

use super::{
    Exit, Gone, Output,
    args::{One, Status},
    json::{self, V},
    prompt,
    run::{self, Ran},
    session::{Session, refused, remedy},
};
use crate::{
    domain::{GatewayId, RemoteId, Secret, Target, ids::TargetName},
    engine::why as asked,
    i18n::{Lang, Message, command as c, reason},
    providers::{Claim, DiagLine, Diagnosis, Mark},
};
use serde_json::{Value, json};

/// Bytes of a pasted log that are read.
const LONGEST_LOG: usize = 256 * 1024;

/// `status`, with or without `--why`.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn status(house: &Session, args: &Status, out: &mut Output) -> Ran {
    let one = One { target: args.target.clone(), json: args.json };
    if !args.why {
        return run::status(house, &one, out).await;
    }
    let claim = match claim(args, out) {
        Ok(claim) => claim,
        Err(exit) => return Ok(exit),
    };
    if let Err(exit) = house.ready(out).await {
        return Ok(exit);
    }
    let target = match aim(house, &args.target, out).await {
        Ok(target) => target,
        Err(exit) => return Ok(exit),
    };
    match asked::why(&house.world, &target, &claim).await {
        Ok(Some(found)) => render(&target, &found, args.json, out),
        Ok(None) => {
            out.note(&Message::new(&c::WHY_NOTHING));
            run::status(house, &one, out).await
        }
        Err(why) => Ok(refused(&why, out)),
    }
}

fn claim(args: &Status, out: &mut Output) -> Result<Claim, Exit> {
    let token = token(args.token_stdin, out)?;
    let log = args.log_stdin.then(|| prompt::piped(LONGEST_LOG)).transpose();
    let log = log.map_err(|why| {
        out.complain(&why.0);
        Exit::Usage
    })?;
    Ok(Claim { slot: args.flag.as_deref().map(Into::into), level: None, sdk: args.sdk.map(|s| s.name().into()), token, log })
}

/// What a name means where the row need not exist: with a gateway, or where there is only one, exactly what was typed; else
/// the row of that name, as the cache knows it.
///
/// # Errors
/// Said on stderr already; the code to end with.
pub(super) async fn aim(house: &Session, typed: &str, out: &mut Output) -> Result<Target, Exit> {
    let gateways = house.world.gateways();
    let found = match TargetName::parse(typed) {
        None => Err(&c::NAME_BROKEN),
        Some(name) => {
            let gateway = match &name.gateway {
                Some(g) => house.world.gateway(&GatewayId::new(g)),
                None => gateways.first().filter(|_| gateways.len() == 1).cloned(),
            };
            match gateway {
                Some(g) => {
                    let device = name.device.as_deref().map(RemoteId::new);
                    Ok(house.world.exact(Target { gateway: g.id.clone(), account: RemoteId::new(&name.account), device, incarnation: None }))
                }
                None => {
                    house.world.seed_all().await;
                    house.world.resolve(typed).map(|row| row.target()).map_err(|_| &c::NAME_UNKNOWN)
                }
            }
        }
    };
    found.map_err(|words| {
        out.complain(&Message::new(words).with("name", typed));
        Exit::Name
    })
}

/// Says what was compared, the verdict and the remedy. A cause that was found ends with 1, nothing against with 0.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(target: &Target, found: &Diagnosis, as_json: bool, out: &mut Output) -> Result<Exit, Gone> {
    let lang = out.lang;
    let exit = if found.reason.is_some() { Exit::Failed } else { Exit::Ok };
    let why = found.verdict();
    if as_json {
        let mut reason = json::reason(&why, lang);
        reason["remedy"] = json!(remedy(&why, lang));
        out.json(&document(target, why.code.name(), &found.reason.as_ref().map_or(Value::Null, |_| reason), &found.lines, lang))?;
        return Ok(exit);
    }
    lines(&found.lines, out)?;
    out.line(&Message::new(&c::VERDICT).with("verdict", reason::full(&why, lang)).text(lang))?;
    if let Some(remedy) = remedy(&why, lang) {
        out.line(&Message::new(&c::CHECK_DO).with("remedy", remedy).text(lang))?;
    }
    Ok(exit)
}

/// Lines with their marks in front.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) fn lines(lines: &[DiagLine], out: &mut Output) -> Result<(), Gone> {
    let lang = out.lang;
    for l in lines {
        let mark = match l.mark {
            Mark::Good => &c::MARK_GOOD,
            Mark::Bad => &c::MARK_BAD,
            Mark::Note => &c::MARK_NOTE,
        };
        out.line(&format!("{}  {}", mark.get(lang), l.text.text(lang)))?;
    }
    Ok(())
}

/// `{v, target, verdict, reason, lines:[{mark,text}]}`.
pub(super) fn document(target: &Target, verdict: &str, reason: &Value, lines: &[DiagLine], lang: Lang) -> Value {
    let mark = |m: Mark| match m {
        Mark::Good => "good",
        Mark::Bad => "bad",
        Mark::Note => "note",
    };
    let lines: Vec<Value> = lines.iter().map(|l| json!({ "mark": mark(l.mark), "text": l.text.text(lang) })).collect();
    json!({ "v": V, "target": target.id(), "verdict": verdict, "reason": reason, "lines": lines })
}

/// What a client's token is, from stdin: it may be empty, which is a finding.
pub(super) fn token(wanted: bool, out: &mut Output) -> Result<Option<Secret>, Exit> {
    wanted.then(|| prompt::piped_unseen(&c::IS_TOKEN, out)).transpose().map_err(|why| {
        out.complain(&why.0);
        Exit::Usage
    })
}

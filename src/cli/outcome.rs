//! The end of `wipe`, `regenerate` and `do`, as text or JSON.

use super::{
    Exit, Gone, Output,
    json::{self, Result as Outcome},
};
use crate::{
    domain::{Op, OpPhase, Secret},
    engine::ops::told,
    i18n::{Message, command as c, reason, shell},
};

/// Says what an op brought about. Fingerprints are those of the token before and after, where one is concerned; the token
/// itself is given only when it was asked for.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(
    op: &Op,
    (old_fp, new_fp): (Option<&str>, Option<&str>),
    token: Option<&Secret>,
    as_json: bool,
    out: &mut Output,
) -> Result<Exit, Gone> {
    let lang = out.lang;
    let exit = Exit::of_op(op.phase, op.reason.as_ref());
    if as_json {
        let mut doc = json::outcome(op, old_fp, new_fp, lang);
        if let Some(token) = token {
            doc["token"] = token.expose().into();
        }
        out.json(&doc)?;
        return Ok(exit);
    }
    let why = op.reason.as_ref().map(|r| reason::full(r, lang)).unwrap_or_default();
    let said = |words| {
        Message::new(words).with("action", op.action.name()).with("target", op.target.id()).with("reason", &why).with("fp", new_fp.unwrap_or("-"))
    };
    if let Some(token) = token.filter(|_| exit == Exit::Ok) {
        // Alone on stdout and never cut to a width, so that it can be piped on; all else is said beside it.
        out.raw(token.expose().as_bytes())?;
        out.raw(b"\n")?;
        out.note(&said(&c::DONE_NEW));
    } else {
        match Outcome::of(op.phase, (old_fp, new_fp)) {
            Outcome::Done => out.line(&said(&c::DONE).text(lang))?,
            Outcome::New => out.line(&said(&c::DONE_NEW).text(lang))?,
            Outcome::Unchanged => out.line(&said(&c::UNCHANGED).text(lang))?,
            Outcome::Failed => out.complain(&said(&c::FAILED)),
            // What was asked of the server last is known not to have been done: only the whole is not finished.
            Outcome::Ambiguous => out.complain(&said(if op.begun { &c::AMBIGUOUS } else { &c::HALF })),
        }
    }
    if op.phase == OpPhase::Owed {
        out.note(&said(&c::DONE_LATER));
    }
    if exit == Exit::Ok {
        for lost in op.plan.iter().flat_map(|p| &p.loses) {
            out.note(&Message::new(&c::LOST).with("what", lost.text(lang)));
        }
        for told in op.plan.iter().flat_map(told) {
            out.note(&Message::new(&c::TOLD).with("what", shell::told(told).text(lang)));
        }
        if new_fp.is_some() && token.is_none() {
            out.note(&Message::new(&c::HOW_TO_READ));
        }
    } else if let Some(remedy) = op.reason.as_ref().and_then(|r| super::session::remedy(r, lang)) {
        out.complain_text(&remedy);
    }
    Ok(exit)
}

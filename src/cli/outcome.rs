//! The end of `wipe`, `regenerate` and `do`, as text or JSON.

use super::{
    Exit, Gone, Output,
    json::{self, Result as Outcome},
};
use crate::{
    domain::Op,
    i18n::{Message, command as c, reason},
};

/// Says what an op brought about. Fingerprints are those of the token before and after, where one is concerned.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(op: &Op, old_fp: Option<&str>, new_fp: Option<&str>, as_json: bool, out: &mut Output) -> Result<Exit, Gone> {
    let lang = out.lang;
    let exit = Exit::of_op(op.phase, op.reason.as_ref());
    if as_json {
        out.json(&json::outcome(op, old_fp, new_fp, lang))?;
        return Ok(exit);
    }
    let why = op.reason.as_ref().map(|r| reason::full(r, lang)).unwrap_or_default();
    let said = |words| {
        Message::new(words).with("action", op.action.name()).with("target", op.target.id()).with("reason", &why).with("fp", new_fp.unwrap_or("-"))
    };
    match Outcome::of(op.phase, (old_fp, new_fp)) {
        Outcome::Done => out.line(&said(&c::DONE).text(lang))?,
        Outcome::New => out.line(&said(&c::DONE_NEW).text(lang))?,
        Outcome::Unchanged => out.line(&said(&c::UNCHANGED).text(lang))?,
        Outcome::Failed => out.complain(&said(&c::FAILED)),
        Outcome::Ambiguous => out.complain(&said(&c::AMBIGUOUS)),
    }
    if exit == Exit::Ok {
        for lost in op.plan.iter().flat_map(|p| &p.loses) {
            out.note(&Message::new(&c::LOST).with("what", lost.text(lang)));
        }
    } else if let Some(remedy) = op.reason.as_ref().and_then(|r| super::session::remedy(r, lang)) {
        out.complain_text(&remedy);
    }
    Ok(exit)
}

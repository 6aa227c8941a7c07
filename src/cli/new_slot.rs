//! `pairdeck pair ACCOUNT --slot NAME --file F`: a worker's own key in its own file, told with the events of a pairing.
//!
//! Nobody scans anything: the operator's session accepts the key. So there is no Offer; each step is a `waiting`, and what a person
//! must give, the password of the second step, an `ask`.

use super::{
    Exit, Gone, Output, aim,
    args::Pair,
    json::PairLine,
    op::{self, Lines, stop_on_signal},
    run::Ran,
    session::{Session, remedy},
};
use crate::{
    clock::report,
    domain::{Action, Answer, OpPhase, Prompt, Reason, ReasonCode, Row},
    engine::ops::{self, Ended, Host, Progress},
    i18n::{Message, command as c, reason},
    providers::NEW_SLOT,
};
use serde_json::json;
use std::{future::Future, path::absolute, pin::Pin, time::Instant};
use tokio_util::sync::CancellationToken;

/// Makes the slot.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) async fn run(house: &Session, args: &Pair, out: &mut Output) -> Ran {
    let (Some(slot), Some(file)) = (&args.slot, &args.file) else { return Ok(Exit::Usage) };
    if let Err(exit) = house.ready(out).await {
        return Ok(exit);
    }
    let action = Action::Do(NEW_SLOT.into());
    let kinds = house.world.gateways();
    if !kinds.iter().any(|g| g.spec.verbs.iter().any(|v| v.id == NEW_SLOT)) {
        out.complain(&Message::new(&c::PAIR_NO_SLOTS));
        return Ok(Exit::Usage);
    }
    // Whatever folder a resumed op runs in, it is the same file.
    let file = absolute(file).unwrap_or_else(|_| file.clone());
    let mut set = vec![("slot".to_owned(), slot.clone()), ("file".to_owned(), file.to_string_lossy().into_owned())];
    set.extend(args.api_id.map(|id| ("api_id".to_owned(), id.to_string())));
    let (row, mut inputs) = match aim::row(house, &action, &args.target, &set, out).await {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    if args.allow_clock_skew {
        ops::allow_clock(&mut inputs);
    }
    let armed = match ops::arm(&house.world, &row, action, inputs).await {
        Ok((armed, _)) => armed,
        Err(why) => return Ok(op::not_armed(why, out)),
    };
    let (began, cancel) = (Instant::now(), CancellationToken::new());
    let signal = stop_on_signal(cancel.clone());
    let mut host = Teller { lines: Lines::new(out, args.json), as_json: args.json, gone: false };
    let ended = ops::fire(&house.world, &armed, &mut host, &cancel).await;
    let gone = host.gone;
    signal.abort();
    if gone {
        return Err(Gone);
    }
    let exit = match ended.phase {
        OpPhase::Done => {
            linked(house, &row, args, began.elapsed().as_secs(), out).await?;
            Exit::Ok
        }
        _ => failed(house, &row, &ended, args.json, out)?,
    };
    Ok(if cancel.is_cancelled() && exit != Exit::Ok { Exit::Interrupted } else { exit })
}

async fn linked(house: &Session, row: &Row, args: &Pair, took_s: u64, out: &mut Output) -> Result<(), Gone> {
    let at = row.target();
    house.world.reconfigure(&at.gateway);
    if let Some(gateway) = house.world.gateway(&at.gateway) {
        crate::engine::look(&house.world, &gateway, &at).await;
    }
    let facts = house.world.row(&at).map(|r| r.facts).unwrap_or_default();
    let config = house.paths.config.to_string_lossy().into_owned();
    if args.json {
        let mut line = PairLine::Linked(&facts, took_s, 0).json(out.lang);
        line["id"] = json!(at.id());
        line["config"] = json!(config);
        return out.ndjson(&line);
    }
    out.note(&Message::new(&c::PAIR_SLOT_LISTED).with("slot", at.id()).with("config", config));
    out.line(&Message::new(&c::PAIR_LINKED).with("name", at.id()).with("took", took_s.to_string()).text(out.lang))
}

fn failed(house: &Session, row: &Row, ended: &Ended, as_json: bool, out: &mut Output) -> Ran {
    let why = ended.reason.clone().unwrap_or_else(|| Reason::new(ReasonCode::Internal));
    let exit = Exit::of_op(ended.phase, Some(&why));
    let lang = out.lang;
    if !as_json {
        out.complain(&Message::new(&c::PAIR_FAILED).with("reason", reason::full(&why, lang)));
        if let Some(remedy) = remedy(&why, lang) {
            out.complain_text(&remedy);
        }
    } else if why.code == ReasonCode::ClockBlocked {
        let view = house.world.gate().view(&row.gateway);
        out.ndjson(&PairLine::Blocked(&report::gateway(&view, lang)).json(lang))?;
    } else {
        out.ndjson(&PairLine::Failed(&why).json(lang))?;
    }
    Ok(exit)
}

/// Tells steps and questions; answers as every op's questions are answered.
struct Teller<'a> {
    lines: Lines<'a>,
    as_json: bool,
    gone: bool,
}

impl Host for Teller<'_> {
    fn progress(&mut self, news: Progress) {
        if !self.as_json {
            return self.lines.progress(news);
        }
        let lang = self.lines.out().lang;
        let mut line = match &news {
            Progress::Again(why) => PairLine::Waiting(why).json(lang),
            _ => PairLine::Waiting(&Reason::new(ReasonCode::Asking)).json(lang),
        };
        if let Progress::Step(words, n, of) = &news {
            line["step"] = json!({ "n": n, "of": of, "text": words.text(lang) });
        }
        self.gone |= self.lines.out().ndjson(&line).is_err();
    }
    fn ask<'a>(&'a mut self, prompt: &'a Prompt) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        if self.as_json {
            let line = PairLine::Ask(prompt).json(self.lines.out().lang);
            self.gone |= self.lines.out().ndjson(&line).is_err();
        }
        self.lines.ask(prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::NEW_SLOT;

    #[test]
    fn the_verb_and_its_inputs_are_those_of_the_kind_that_has_slots() {
        let has =
            |k: &crate::providers::KindSpec| k.verbs.iter().find(|v| v.id == NEW_SLOT).map(|v| v.asks.iter().map(|a| a.name).collect::<Vec<_>>());
        let found: Vec<_> = crate::providers::registry::kinds().iter().filter_map(|k| has(k)).collect();
        assert_eq!(found, [["slot", "file", "api_id"]]);
    }
}

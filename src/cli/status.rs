//! `pairdeck status TARGET`: one row with its witnesses, reason and remedy.

use super::{Exit, Gone, Output, json};
use crate::{
    clock::words::age,
    domain::{Fact, FactValue, Row, Stamp},
    i18n::{Message, command as c, common, reason, state},
    providers::GatewayFacts,
};

/// Says how one row stands. A state that is not well is no failure of the command: it ends with 0. `current` is false where
/// its gateway was asked and did not tell. `gateway`: its kind, and what its server told about itself.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(row: &Row, gateway: (&str, &GatewayFacts), current: bool, now: &Stamp, as_json: bool, out: &mut Output) -> Result<Exit, Gone> {
    let lang = out.lang;
    let (kind, server) = gateway;
    if as_json {
        let mut doc = json::status(row, kind, lang);
        doc["server"] = json::told(server, lang);
        doc["current"] = current.into();
        out.json(&doc)?;
        return Ok(Exit::Ok);
    }
    if !current {
        let seen = row.link.observed_at.map_or_else(|| "?".to_owned(), |at| age(at.age(now)));
        out.line(&Message::new(&c::STATUS_OLD).with("gateway", row.gateway.as_str()).with("age", seen).text(lang))?;
    }
    for m in lines(row, now, out) {
        out.line(&m.text(lang))?;
    }
    if !server.figures.is_empty() {
        let all = server.figures.iter().map(|f| format!("{} {}", f.label.get(lang), value(f, now, out)));
        let all = all.collect::<Vec<_>>().join(" · ");
        out.line(&Message::new(&c::FACT_LINE).with("label", row.gateway.as_str()).with("value", all).text(lang))?;
    }
    for m in &server.rights {
        out.line(&Message::new(&c::FACT_LINE).with("label", row.gateway.as_str()).nest("value", m.clone()).text(lang))?;
    }
    Ok(Exit::Ok)
}

fn lines(row: &Row, now: &Stamp, out: &Output) -> Vec<Message> {
    let lang = out.lang;
    let head = Message::new(if row.link.since.is_some() { &c::STATE_LINE } else { &c::STATE_LINE_BARE })
        .with("name", row.label.as_str())
        .with("state", state::word(row.link.state).get(lang))
        .with("since", row.link.since.map(|s| age(s.age(now))).unwrap_or_default());
    let mut all = vec![head];
    all.extend(row.link.witnesses.iter().map(|w| {
        Message::new(&c::WITNESS_LINE).with("source", w.source.name()).with("says", w.says.as_str()).with("age", age(w.observed_at.age(now)))
    }));
    all.extend(row.identity.iter().map(|i| Message::new(&c::IDENTITY_LINE).with("identity", i.as_str())));
    all.extend(row.tokens.iter().map(|t| Message::new(&c::TOKEN_LINE).with("fp", t.fingerprint.to_string()).with("length", t.length.to_string())));
    all.extend(row.facts.iter().map(|f| Message::new(&c::FACT_LINE).with("label", f.label.get(lang)).with("value", value(f, now, out))));
    if let Some(r) = &json::named(row).reason {
        all.push(Message::new(&c::REASON_LINE).with("reason", reason::full(r, lang)));
        all.extend(super::session::remedy(r, lang).map(|d| Message::new(&c::REMEDY_LINE).with("remedy", d)));
    }
    all
}

fn value(f: &Fact, now: &Stamp, out: &Output) -> String {
    match &f.value {
        FactValue::Text(t) | FactValue::Number(t) => t.to_string(),
        FactValue::Count(n) => n.to_string(),
        // Something that is still to come has a date and no age.
        FactValue::At(s) if s.wall.0 > now.wall.0 => s.wall.rfc3339(),
        FactValue::At(s) => age(s.age(now)),
        FactValue::Flag(yes) => if *yes { &common::YES } else { &common::NO }.get(out.lang).to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        cli::json::tests::row,
        clock::now::TEST_WALL,
        domain::{Clean, Reason, ReasonCode, Source, State, Witness},
        i18n::Lang,
    };

    #[test]
    fn a_lost_link_tells_witnesses_reason_and_remedy_in_both_languages() {
        let now = Stamp::wall_only(TEST_WALL);
        let mut r = row("shop-b", None, State::LoggedOut);
        r.link.reason = Some(Reason::new(ReasonCode::LoggedOut).raw("401"));
        r.link.witnesses = vec![Witness { source: Source::List, says: Clean::new("close"), state: State::LoggedOut, observed_at: now }];
        let (mut out, shown) = Output::captured();
        render(&r, ("evolution", &GatewayFacts::default()), true, &now, false, &mut out).unwrap();
        out.lang = Lang::Zh;
        render(&r, ("evolution", &GatewayFacts::default()), true, &now, false, &mut out).unwrap();
        insta::assert_snapshot!(shown.stdout());
    }
}

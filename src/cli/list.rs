//! `pairdeck list`: every row, as a table or as JSON.

use super::{
    Exit, Gone, Output,
    json::{self, GatewayLine},
};
use crate::{
    clock::words::age,
    domain::{Link, Row, Stamp},
    i18n::{Message, command as c},
};

/// Lists gateways and rows. In a table states are the words of JSON, so that they can be searched for.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(gateways: &[GatewayLine<'_>], rows: &[Row], now: &Stamp, as_json: bool, out: &mut Output) -> Result<Exit, Gone> {
    let lang = out.lang;
    if as_json {
        out.json(&json::list(gateways, rows, lang))?;
        return Ok(Exit::Ok);
    }
    if gateways.is_empty() {
        out.note(&Message::new(&c::NOTHING_LISTED));
        return Ok(Exit::Ok);
    }
    let mut lines = Vec::new();
    for g in gateways {
        let mut of = rows.iter().filter(|r| r.gateway == *g.name).peekable();
        if of.peek().is_none() {
            // A gateway without rows would otherwise vanish together with the reason why it has none.
            lines.push(line(g.name.as_str(), "-".to_owned(), g.kind, g.link, now));
        }
        for r in of {
            let name = if r.device.is_some() { r.target().id().split_once(':').map(|(_, n)| n.to_owned()) } else { None };
            lines.push(line(g.name.as_str(), name.unwrap_or_else(|| r.label.to_string()), g.kind, &r.link, now));
        }
    }
    let head = [&c::HEAD_GATEWAY, &c::HEAD_ACCOUNT, &c::HEAD_KIND, &c::HEAD_STATE, &c::HEAD_SINCE, &c::HEAD_REASON].map(|h| h.get(lang));
    out.table(head, &lines)?;
    Ok(Exit::Ok)
}

fn line(gateway: &str, name: String, kind: &str, link: &Link, now: &Stamp) -> [String; 6] {
    let since = link.since.map_or_else(|| "-".to_owned(), |s| age(s.age(now)));
    [gateway.to_owned(), name, kind.to_owned(), link.state.name().to_owned(), since, why(link)]
}

/// The reason as a word with the system's own code before it: `401 logged_out`; `differs` where witnesses disagree.
fn why(link: &Link) -> String {
    match &link.reason {
        Some(r) => match &r.raw {
            Some(raw) if !raw.is_empty() => format!("{raw} {}", r.code.name()),
            _ => r.code.name().to_owned(),
        },
        None if link.differs() => "differs".to_owned(),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        cli::json::tests::row,
        clock::now::TEST_WALL,
        domain::{GatewayId, Reason, ReasonCode, State},
        providers::GatewayFacts,
    };

    #[test]
    fn the_table_has_a_line_a_row_and_keeps_gateways_without_rows() {
        let (a, b) = (GatewayId::new("wa-sp"), GatewayId::new("wa-eu"));
        let up = Link { state: State::Online, ..Link::unknown() };
        let down = Link { state: State::Unreachable, reason: Some(Reason::new(ReasonCode::Unreachable)), ..Link::unknown() };
        let facts = &GatewayFacts::default();
        let gateways =
            [GatewayLine { name: &a, kind: "evolution", link: &up, facts }, GatewayLine { name: &b, kind: "evolution", link: &down, facts }];
        let mut lost = row("shop-b", None, State::LoggedOut);
        lost.link.reason = Some(Reason::new(ReasonCode::LoggedOut).raw("401"));
        let (mut out, shown) = Output::captured();
        let now = Stamp::wall_only(TEST_WALL);
        render(&gateways, &[row("shop-a", None, State::Online), lost], &now, false, &mut out).unwrap();
        insta::assert_snapshot!(shown.stdout());
    }

    #[test]
    fn an_empty_deck_says_how_to_begin_on_stderr() {
        let (mut out, shown) = Output::captured();
        render(&[], &[], &Stamp::wall_only(TEST_WALL), false, &mut out).unwrap();
        assert_eq!(shown.stdout(), "");
        assert!(shown.stderr().contains("pairdeck add"));
    }
}

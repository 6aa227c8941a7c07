//! `pairdeck clock` where no gateway is configured, yet time servers were asked: this host alone.

use super::{Exit, Gone, Output, clock::Form};
use crate::{
    clock::{figures, report, sample::By, verdict::Judgement, words},
    i18n::{Message, clock as w, command as c},
};

/// Says what the servers said of this host.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) fn render(host: &Judgement, form: Form, strict: bool, out: &mut Output) -> Result<Exit, Gone> {
    let lang = out.lang;
    if matches!(form, Form::Json { .. }) {
        out.json(&report::document_of_host(host, lang))?;
    } else {
        out.note(&Message::new(&c::NO_GATEWAY));
        let figure = host.skew.as_ref().map_or_else(|| "-".to_owned(), figures::of);
        out.line(&format!("{}  {}  {figure}", w::THIS_HOST.get(lang), words::verdict(host.verdict).get(lang)))?;
        for s in host.samples.iter().filter(|s| matches!(s.by, By::Ntp | By::Daemon)) {
            let name = s.server.as_ref().map_or_else(String::new, |n| format!(" {n}"));
            let says = s.interval.as_ref().map_or_else(|| words::detail(s).text(lang), figures::of);
            out.line(&format!("{}{name}  {says}", words::by(s.by).get(lang)))?;
        }
    }
    Ok(Exit::of_clock(host.verdict, strict))
}

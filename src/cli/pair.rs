//! `pairdeck pair`: events of an attempt as prose with the code on stdout, or as NDJSON.
//!
//! Prose goes to stderr, what a person must read or scan to stdout, and nothing is erased: a dead Offer keeps its caption.

use super::{Gone, Output, json::PairLine};
use crate::{
    clock::{Verdict, gate::GateView, gate::Shown, report, words},
    domain::{Boot, OfferKind, ReasonCode},
    i18n::{Message, Words, command as c, reason},
};
use jiff::tz::TimeZone;

/// What stays the same through an attempt.
pub struct Teller<'a> {
    /// The target's label.
    pub name: &'a str,
    /// What to do on the phone, step by step; said once, with the first Offer.
    pub phone: &'a [&'static Words],
    /// NDJSON in place of prose.
    pub as_json: bool,
    /// The zone of the times in prose.
    pub zone: TimeZone,
    told_phone: bool,
    waiting: Option<ReasonCode>,
}

impl<'a> Teller<'a> {
    /// A teller that writes local times.
    pub fn new(name: &'a str, phone: &'a [&'static Words], as_json: bool) -> Self {
        Self { name, phone, as_json, zone: TimeZone::system(), told_phone: false, waiting: None }
    }

    /// Tells the gate's answer before anything is sent, or again before an Offer.
    ///
    /// # Errors
    /// When the reader of stdout has gone.
    pub fn clock(&mut self, view: &GateView, out: &mut Output) -> Result<(), Gone> {
        if view.verdict == Verdict::Blocked {
            return self.blocked(view, out);
        }
        if !self.as_json {
            let m = Message::new(&c::PAIR_CLOCK).with("verdict", words::verdict(view.verdict).get(out.lang));
            out.note(&m.with("gateway", view.gateway.as_str()).with("figures", words::figures(view)));
        }
        Ok(())
    }

    fn blocked(&mut self, view: &GateView, out: &mut Output) -> Result<(), Gone> {
        if self.as_json {
            return out.ndjson(&PairLine::Blocked(&report::gateway(view, out.lang)).json(out.lang));
        }
        out.complain(&Message::new(&c::PAIR_BLOCKED));
        for m in words::cause(view).into_iter().chain(words::remedy(view).map(crate::i18n::shell::told)) {
            out.complain(&m);
        }
        Ok(())
    }

    /// Tells one event. `now` is the boot clock, for the seconds that an Offer has left; `qr` draws a QR as lines.
    ///
    /// # Errors
    /// When the reader of stdout has gone.
    pub fn tell(&mut self, line: &PairLine<'_>, now: Boot, qr: impl FnOnce(&Shown) -> Vec<String>, out: &mut Output) -> Result<(), Gone> {
        // Engine and provider both say what they wait for; a person and a script need it once.
        let waiting = if let PairLine::Waiting(r) = line { Some(r.code) } else { None };
        if waiting.is_some() && std::mem::replace(&mut self.waiting, waiting) == waiting {
            return Ok(());
        }
        self.waiting = waiting;
        if self.as_json {
            return out.ndjson(&line.json(out.lang));
        }
        let lang = out.lang;
        match line {
            PairLine::Offer(shown) => return self.offer(shown, now, qr, out),
            PairLine::Waiting(r) => out.note(&Message::new(&c::PAIR_WAITING).with("reason", reason::full(r, lang))),
            PairLine::Discarded(_) => out.note(&Message::new(&c::PAIR_DISCARDED)),
            PairLine::Expired(n) => out.note(&Message::new(&c::PAIR_EXPIRED).with("n", n.to_string())),
            PairLine::Hidden(r) => out.note(&Message::new(&c::PAIR_HIDDEN).with("reason", reason::full(r, lang))),
            PairLine::Blocked(_) => out.complain(&Message::new(&c::PAIR_BLOCKED)),
            PairLine::Scanned(n) => out.note(&Message::new(&c::PAIR_SCANNED).with("n", n.to_string())),
            PairLine::Ask(p) => out.note(&p.words),
            PairLine::Linked(_, took_s, _) => {
                let m = Message::new(&c::PAIR_LINKED).with("name", self.name).with("took", took_s.to_string());
                return out.line(&m.text(lang));
            }
            PairLine::Failed(r) => {
                out.complain(&Message::new(&c::PAIR_FAILED).with("reason", reason::full(r, lang)));
                if let Some(remedy) = super::session::remedy(r, lang) {
                    out.complain_text(&remedy);
                }
            }
        }
        Ok(())
    }

    fn offer(&mut self, shown: &Shown, now: Boot, qr: impl FnOnce(&Shown) -> Vec<String>, out: &mut Output) -> Result<(), Gone> {
        let lang = out.lang;
        if !self.told_phone {
            self.told_phone = true;
            for step in self.phone {
                out.note(&Message::new(&c::PAIR_PHONE).with("step", step.get(lang)));
            }
        }
        for badge in badges(shown) {
            out.note(&Message::new(badge));
        }
        let o = &shown.offer;
        let left = o.dies.since(now).as_secs();
        let caption = match o.kind {
            OfferKind::Qr => {
                for row in qr(shown) {
                    out.line(&row)?;
                }
                Message::new(&c::PAIR_QR)
            }
            OfferKind::Code => Message::new(&c::PAIR_CODE).with("code", spaced(o.payload.expose())),
        };
        let caption = caption.with("n", o.n.to_string()).with("time", self.local(o.expires_at)).with("left", left.to_string());
        out.line(&caption.text(lang))
    }

    fn local(&self, at: crate::domain::Wall) -> String {
        jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| "-".to_owned(), |t| t.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string())
    }
}

fn badges(shown: &Shown) -> Vec<&'static Words> {
    let mut all: Vec<&'static Words> = Vec::new();
    if !shown.offer.fresh.proven() {
        all.push(&c::PAIR_UNPROVEN);
    }
    if shown.overridden {
        all.push(&c::PAIR_OVERRIDDEN);
    }
    if shown.verdict == Verdict::Unknown {
        all.push(&c::PAIR_CLOCK_UNKNOWN);
    }
    all
}

/// A code as phones show it: two halves.
fn spaced(code: &str) -> String {
    if code.len() == 8 && code.is_ascii() { format!("{}-{}", &code[..4], &code[4..]) } else { code.to_owned() }
}

/// Says that the next try begins after a pause.
pub fn retry(n: u32, of: u32, delay_s: u64, out: &mut Output) {
    out.note(&Message::new(&c::PAIR_RETRY).with("n", n.to_string()).with("of", of.to_string()).with("delay", delay_s.to_string()));
}

/// Says where the PNG is.
pub fn png(path: &std::path::Path, out: &mut Output) {
    out.note(&Message::new(&c::PAIR_PNG).with("path", path.to_string_lossy()));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        clock::now::TEST_WALL,
        domain::{Fresh, Offer, Payload, Reason, Stamp},
        i18n::common,
    };

    fn shown(kind: OfferKind, fresh: Fresh) -> Shown {
        let payload = match kind {
            OfferKind::Qr => Payload::qr("2@abc,def").unwrap(),
            OfferKind::Code => Payload::code("M6BRKJ45").unwrap(),
        };
        let issued = Stamp::wall_only(TEST_WALL);
        let offer = Offer { n: 2, kind, payload, issued, dies: Boot(45_000), expires_at: TEST_WALL.plus_ms(45_000), fresh };
        Shown { offer, verdict: Verdict::Ok, overridden: false, epoch: 0 }
    }

    fn teller(as_json: bool) -> Teller<'static> {
        static PHONE: [&Words; 1] = [&common::YES];
        Teller { zone: TimeZone::UTC, ..Teller::new("us-3", &PHONE, as_json) }
    }

    #[test]
    fn the_code_is_the_only_thing_on_stdout_and_the_phone_is_told_once() {
        let (mut out, seen) = Output::captured();
        let mut t = teller(false);
        let offer = shown(OfferKind::Code, Fresh::Event);
        for line in [PairLine::Offer(&offer), PairLine::Expired(2), PairLine::Offer(&offer), PairLine::Linked(&[], 41, 2)] {
            t.tell(&line, Boot(0), |_| vec![], &mut out).unwrap();
        }
        assert_eq!(seen.stdout(), "code 2  M6BR-KJ45  dies 12:00:45 (45 s)\ncode 2  M6BR-KJ45  dies 12:00:45 (45 s)\npaired  us-3  in 41 s\n");
        assert_eq!(seen.stderr(), "pairdeck: phone: yes\npairdeck: number 2 expired\n");
    }

    #[test]
    fn a_qr_stands_above_its_caption_and_doubts_are_said() {
        let (mut out, seen) = Output::captured();
        let offer = shown(OfferKind::Qr, Fresh::Presumed);
        teller(false).tell(&PairLine::Offer(&offer), Boot(40_000), |_| vec!["██".into(), "▄▄".into()], &mut out).unwrap();
        assert_eq!(seen.stdout(), "██\n▄▄\nQR 2  dies 12:00:45 (5 s)\n");
        assert!(seen.stderr().contains("nothing proves"));
    }

    #[test]
    fn the_same_wait_is_told_once() {
        let (mut out, seen) = Output::captured();
        let mut t = teller(true);
        let (asking, phone) = (Reason::new(ReasonCode::Asking), Reason::new(ReasonCode::WaitingForPhone));
        for r in [&asking, &asking, &phone, &asking] {
            t.tell(&PairLine::Waiting(r), Boot(0), |_| vec![], &mut out).unwrap();
        }
        assert_eq!(seen.stdout().lines().count(), 3);
    }

    #[test]
    fn json_keeps_prose_away() {
        let (mut out, seen) = Output::captured();
        let r = Reason::new(ReasonCode::QrLimit);
        teller(true).tell(&PairLine::Failed(&r), Boot(0), |_| vec![], &mut out).unwrap();
        assert!(seen.stdout().starts_with("{\"event\":\"failed\""));
        assert_eq!(seen.stderr(), "");
    }
}

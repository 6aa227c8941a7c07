//! Runs `pairdeck pair`: what a person would press is decided by flags, and everything that happens is told.
//!
//! A question is put to whoever sits at the terminal; without one it ends with 4 and the command that stores the answer.
//!
//! An Offer that nothing proves is shown only to somebody on a terminal who presses Enter. A clock that nothing told lets the
//! code through with a warning; one that blocks ends with 7 unless `--allow-clock-skew` was given.

use super::{
    Exit, Gone, Output,
    args::Pair,
    desk::Desk,
    json::PairLine,
    op::stop_on_signal,
    pair::{self, Teller},
    prompt,
    run::Ran,
    session::{LIMIT, Session, broken},
};
use crate::{
    clock::gate::Shown,
    domain::{Action, Method, Not, OfferKind, Prompt, Reason, ReasonCode, Row, Time, Want},
    engine::{
        command::PairKey,
        ops,
        pairing::{self as engine, News, PairEnd, Start, Watcher},
        world::secret_name,
    },
    i18n::{Message, command as c},
    providers::{Look, SecretSpec, token::account_secret},
    tui::{png, widget::qr},
};
use std::{
    io::IsTerminal,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Runs attempts until one is linked, one cannot be tried again, or all tries are used.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) async fn run(house: &Session, args: &Pair, out: &mut Output) -> Ran {
    let attended = !args.json && std::io::stdin().is_terminal();
    if args.method() == Method::Code && args.number.is_none() && !attended {
        return Ok(said(&Message::new(&c::PAIR_NUMBER), Exit::Usage, out));
    }
    if let Err(exit) = house.ready(out).await {
        return Ok(exit);
    }
    let row = match house.resolve(&args.target, out).await {
        Ok(row) => row,
        Err(exit) => return Ok(exit),
    };
    if let Some(exit) = cannot(house, &row, args.method(), out) {
        return Ok(exit);
    }
    let number = match number(house, &row, args, attended, out) {
        Ok(number) => number,
        Err(exit) => return Ok(exit),
    };
    let desk = attended.then(Desk::open);
    let cancel = CancellationToken::new();
    let signal = stop_on_signal(cancel.clone());
    let clocks = tokio::spawn(crate::engine::clock::watch(house.world.clone()));
    let mut left = args.retries;
    let exit = loop {
        let (exit, missing) = once(house, &row, (args, number.as_deref()), desk.as_ref(), out, &cancel).await?;
        if cancel.is_cancelled() {
            break Exit::Interrupted;
        }
        if let (Some(spec), Some(desk)) = (missing, &desk) {
            match seal(house, &row, spec, desk, out, &cancel).await {
                None => continue,
                Some(exit) => break exit,
            }
        }
        if exit != Exit::Failed || left == 0 {
            break exit;
        }
        pair::retry(args.retries - left + 1, args.retries, args.retry_delay, out);
        left -= 1;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(args.retry_delay)) => {}
            () = cancel.cancelled() => break Exit::Interrupted,
        }
        // What the last attempt told of the clocks may be from before the pause.
        if let Some(gateway) = house.world.gateway(&row.gateway)
            && let Ok(cx) = house.world.cx(&gateway, cancel.child_token())
        {
            let _ = tokio::time::timeout(LIMIT, gateway.provider().look(&cx, None, Look::Probe)).await;
        }
    };
    signal.abort();
    clocks.abort();
    Ok(exit)
}

fn cannot(house: &Session, row: &Row, wanted: Method, out: &mut Output) -> Option<Exit> {
    let gateway = house.world.gateway(&row.gateway)?;
    let methods = gateway.spec.methods;
    match house.world.can(row, &Action::Pair, &gateway.facts()) {
        Ok(_) if !methods.is_empty() && methods.iter().all(|m| m.method != wanted) => {
            Some(said(&Message::new(&c::PAIR_NO_SUCH).with("platform", gateway.spec.platform), Exit::Usage, out))
        }
        Ok(_) => None,
        // Pairing what is online already is what the caller wanted.
        Err(Not::Trouble(why)) if why.code == ReasonCode::AlreadyOnline => Some(online(&why, out)),
        Err(Not::Trouble(why)) => Some(super::session::refused(&why, out)),
        Err(Not::ReadOnly) => Some(super::session::refused(&Reason::new(ReasonCode::ReadOnly), out)),
        Err(Not::Locked) => Some(super::session::refused(&Reason::new(ReasonCode::VaultLocked), out)),
        Err(Not::Unsupported(m)) => Some(said(&m, Exit::Usage, out)),
        Err(Not::NotNow(m)) => Some(said(&m, if row.link.state == crate::domain::State::Online { Exit::Ok } else { Exit::Failed }, out)),
        Err(Not::Person(p)) => Some(said(&p.words, Exit::Person, out)),
    }
}

fn online(why: &Reason, out: &mut Output) -> Exit {
    out.note(&Message::from(why));
    Exit::Ok
}

fn said(m: &Message, exit: Exit, out: &mut Output) -> Exit {
    out.complain(m);
    exit
}

/// The phone's number, asked for where a code is wanted and somebody can be asked. What would have to be typed later is refused now,
/// before anything is sent, where nobody sits.
fn number(house: &Session, row: &Row, args: &Pair, attended: bool, out: &mut Output) -> Result<Option<String>, Exit> {
    let typed_here = house.world.gateway(&row.gateway).filter(|g| g.provider().is_typed_here(args.method()));
    if let Some(gateway) = typed_here.as_ref().filter(|_| !attended) {
        return Err(said(&Message::new(&c::PAIR_TYPED_HERE).with("platform", gateway.spec.platform), Exit::Person, out));
    }
    if args.method() != Method::Code || args.number.is_some() {
        return Ok(args.number.clone());
    }
    let line = if attended { prompt::line(&c::PAIR_NUMBER_ASK, out) } else { None };
    let number = line.map(|l| l.trim().to_owned()).filter(|l| !l.is_empty());
    if number.is_none() && typed_here.is_none() {
        return Err(said(&Message::new(&c::PAIR_NUMBER), Exit::Usage, out));
    }
    Ok(number)
}

/// Asks for a secret that the account lacks and seals it. `None`: it is there, and the attempt may begin anew.
async fn seal(house: &Session, row: &Row, spec: &SecretSpec, desk: &Desk, out: &mut Output, cancel: &CancellationToken) -> Option<Exit> {
    let question = Message::new(spec.words);
    let given = tokio::select! {
        given = desk.obtain(&question, out) => Some(given),
        () = cancel.cancelled() => None,
    };
    let Some(given) = given else {
        desk.rise();
        out.asked();
        return Some(Exit::Interrupted);
    };
    let Some(given) = given else { return Some(said(&Message::new(&c::NOT_AGREED), Exit::Person, out)) };
    let name = secret_name(&row.gateway, &account_secret(row.account.as_str(), spec.name));
    let note = super::secret::line(house, &row.target().id(), "put secret");
    let kept = match house.world.store().secret_put_noted(&name, &given, note).await {
        Ok(()) => house.world.load_secrets().await,
        Err(e) => {
            ops::audit_secret(&house.world, &row.target().id(), "put secret", false).await;
            Err(e)
        }
    };
    match kept {
        Ok(()) => {
            out.note(&super::secret::sealed(spec.name).with("name", row.target().id()));
            None
        }
        Err(e) => Some(broken(&e, out)),
    }
}

/// One attempt: how it ended, and the secret for want of which it did.
async fn once(
    house: &Session,
    row: &Row,
    (args, number): (&Pair, Option<&str>),
    desk: Option<&Desk>,
    out: &mut Output,
    cancel: &CancellationToken,
) -> Result<(Exit, Option<&'static SecretSpec>), Gone> {
    let gateway = house.world.gateway(&row.gateway);
    let spec = gateway.as_ref().map(|g| g.spec);
    let method = args.method();
    let phone = spec.map_or(&[][..], |s| if method == Method::Code { s.phone_code } else { s.phone_qr });
    let number = number.map(digits);
    let (keys, mut pressed) = mpsc::channel(16);
    if let Some(desk) = desk {
        desk.sit(keys.clone());
    }
    let unanswered = |prompt: &Prompt| gateway.as_ref().and_then(|g| g.provider().unanswered(&row.target(), prompt));
    let mut policy = Policy(Mutex::new(Inner {
        teller: Teller::new(row.label.as_str(), phone, args.json),
        out,
        keys,
        allow_skew: args.allow_clock_skew,
        wipe_spoilt: args.wipe_spoilt,
        wiped: false,
        desk,
        asked: false,
        lacks: spec.map_or(&[][..], |s| s.account_secrets),
        unanswered: &unanswered,
        png: args.png.as_deref(),
        time: house.world.time().clone(),
        offer: 0,
        ended: None,
        gone: false,
    }));
    let want = Want { method, number, wipe_spoilt: args.wipe_spoilt };
    let end = engine::run(&house.world, Start { target: row.target(), want }, &mut pressed, &mut policy, cancel).await;
    let told = policy.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let gave_up = desk.is_some_and(Desk::rise);
    if cancel.is_cancelled() && told.asked {
        told.out.asked();
    }
    if told.gone {
        return Err(Gone);
    }
    let lacks = told.lacks;
    if let (PairEnd::Failed(why), None) = (&end, told.ended)
        && let Some(spec) = lacking(lacks, why).filter(|_| desk.is_some())
    {
        return Ok((Exit::Person, Some(spec)));
    }
    let exit = match (end, told.ended) {
        _ if gave_up => Exit::Person,
        (PairEnd::Linked, _) => Exit::Ok,
        (_, Some(exit)) => exit,
        (PairEnd::Left { blocked: true }, None) => Exit::Clock,
        (PairEnd::Left { blocked: false }, None) => Exit::Failed,
        (PairEnd::Failed(why), None) => Exit::from(why.code).or_failed(),
    };
    Ok((exit, None))
}

/// The secret that an attempt failed for, where a person may give it.
fn lacking(of: &'static [SecretSpec], why: &Reason) -> Option<&'static SecretSpec> {
    let name = why.arg("needs").filter(|_| why.code == ReasonCode::CredentialMissing)?;
    of.iter().find(|s| s.name == name)
}

/// A phone number as people write it, down to its digits.
fn digits(number: &str) -> Box<str> {
    number.chars().filter(|c| !matches!(c, '+' | ' ' | '-' | '(' | ')' | '.')).collect::<String>().into()
}

struct Policy<'a>(Mutex<Inner<'a>>);

struct Inner<'a> {
    teller: Teller<'a>,
    out: &'a mut Output,
    keys: mpsc::Sender<PairKey>,
    allow_skew: bool,
    wipe_spoilt: bool,
    wiped: bool,
    desk: Option<&'a Desk>,
    /// A question stands open.
    asked: bool,
    lacks: &'static [SecretSpec],
    unanswered: &'a (dyn Fn(&Prompt) -> Option<Reason> + Send + Sync),
    png: Option<&'a Path>,
    time: Arc<dyn Time>,
    offer: u32,
    ended: Option<Exit>,
    gone: bool,
}

impl Watcher for Policy<'_> {
    fn view(&mut self, _: &crate::engine::mailbox::PairView) {}
    fn news(&mut self, news: News<'_>) {
        let inner = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if inner.take(news).is_err() {
            inner.gone = true;
            inner.press(PairKey::Leave);
        }
    }
}

impl Inner<'_> {
    fn press(&self, key: PairKey) {
        let _ = self.keys.try_send(key);
    }

    fn leave(&mut self, exit: Exit) {
        self.ended = Some(exit);
        self.press(PairKey::Leave);
    }

    fn tell(&mut self, line: &PairLine<'_>) -> Result<(), Gone> {
        let now = self.time.now().boot_now();
        let width = self.out.width.map_or(u16::MAX, |w| u16::try_from(w).unwrap_or(u16::MAX));
        let draw = |shown: &Shown| qr::ansi_lines(shown.offer.payload.expose(), width, qr::Palette::default(), qr::Style::default());
        self.teller.tell(line, now, |shown| draw(shown).unwrap_or_default(), self.out)
    }

    fn take(&mut self, news: News<'_>) -> Result<(), Gone> {
        match news {
            News::Waiting(why) => self.tell(&PairLine::Waiting(why)),
            News::Discarded(why) => self.tell(&PairLine::Discarded(why)),
            News::Expired(n) => self.tell(&PairLine::Expired(n)),
            News::Scanned(n) => self.tell(&PairLine::Scanned(n)),
            News::Offer(shown, view) => {
                self.offer = shown.offer.n;
                self.teller.clock(view, self.out)?;
                self.tell(&PairLine::Offer(shown))?;
                self.write_png(shown);
                Ok(())
            }
            News::Hidden(why) => {
                self.tell(&PairLine::Hidden(why))?;
                match why.code {
                    // With an unknown clock it goes on and says so; what is not proven needs somebody's Enter.
                    ReasonCode::ClockUnknown => self.press(PairKey::Show),
                    ReasonCode::NotProven if self.desk.is_some() => self.out.note(&Message::new(&c::PAIR_ENTER_SHOWS)),
                    _ => {}
                }
                Ok(())
            }
            News::Blocked(view, _) => {
                if self.allow_skew {
                    self.press(PairKey::Override);
                    return Ok(());
                }
                let told = self.teller.clock(view, self.out);
                self.leave(Exit::Clock);
                told
            }
            News::Ask(prompt) => {
                self.asked = true;
                if self.desk.is_some_and(|desk| desk.ask(prompt, self.out)) {
                    return Ok(());
                }
                let told = self.tell(&PairLine::Ask(prompt));
                if let Some(remedy) = (self.unanswered)(prompt).and_then(|why| super::session::remedy(&why, self.out.lang)) {
                    self.out.complain_text(&remedy);
                }
                self.leave(Exit::Person);
                told
            }
            News::Needs(why) => {
                if self.wipe_spoilt {
                    self.press(PairKey::Agree);
                    return Ok(());
                }
                let told = self.tell(&PairLine::Failed(why));
                self.out.complain(&Message::new(&c::PAIR_WIPE_SPOILT));
                self.leave(Exit::Person);
                told
            }
            News::Linked(facts, took_s) => self.tell(&PairLine::Linked(facts, took_s, self.offer)),
            // Asked for, and then it begins anew.
            News::Failed(why) if self.desk.is_some() && lacking(self.lacks, why).is_some() => {
                self.press(PairKey::Leave);
                Ok(())
            }
            News::Failed(why) => {
                if self.wipe_spoilt && engine::spoilt(why.code) && !std::mem::replace(&mut self.wiped, true) {
                    // Agreed to beforehand. A session that is spoilt again after that is another matter.
                    self.press(PairKey::Agree);
                    return self.tell(&PairLine::Waiting(&Reason::new(ReasonCode::EndingOldSession)));
                }
                let told = self.tell(&PairLine::Failed(why));
                let exit = Exit::from(why.code).or_failed();
                if engine::spoilt(why.code) && !self.wipe_spoilt {
                    self.out.complain(&Message::new(&c::PAIR_WIPE_SPOILT));
                }
                self.leave(exit);
                told
            }
        }
    }

    /// Each rotation replaces the last one's picture: a dead QR must not stay behind.
    fn write_png(&mut self, shown: &Shown) {
        let Some(path) = self.png else { return };
        if shown.offer.kind != OfferKind::Qr {
            return;
        }
        match png::write(path, shown.offer.payload.expose()) {
            Ok(path) => pair::png(&path, self.out),
            Err(why) => self.out.complain(&why.message()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_be_written_as_people_write_it() {
        assert_eq!(&*digits("+55 (11) 99999-0001"), "5511999990001");
        assert_eq!(&*digits("55x"), "55x", "what is no number stays, so that it is refused");
    }
}

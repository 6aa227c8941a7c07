//! The table of causes, as one pure function: what was asked and what the server shows in, lines and a verdict out.

use super::{Conn, Device, Version, wall};
use crate::{
    domain::{Fingerprint, Reason, ReasonCode, Secret, Wall},
    i18n::{Message, Words, wukongim_why as w},
    providers::{
        DiagLine, Diagnosis, Mark,
        wukongim::{
            flags::{self, Flags},
            logline::{At, Line, What},
            valid,
        },
    },
};

/// Rows and connections listed at most; an account has a handful.
const LISTED: usize = 20;

/// Who told which flag the client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The operator.
    Typed,
    /// The default of its library.
    Sdk,
    /// The server's log.
    Log,
}

/// The question.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The account.
    pub(super) uid: &'a str,
    /// The flag of the row that the question is about.
    pub(super) meant: Option<u8>,
    /// The flag that the client uses, and who says so.
    pub(super) client: Option<(u8, Told)>,
    /// The token that the operator holds.
    pub(super) token: Option<&'a Secret>,
    /// Refused logins that were pasted; `None` when nothing was.
    pub(super) lines: Option<Vec<Line>>,
}

/// What the server shows.
#[derive(Debug)]
pub(super) struct Seen {
    /// Its generation.
    pub(super) version: Version,
    /// The rows of the account; `None` where the version lists none.
    pub(super) devices: Option<Vec<Device>>,
    /// Flags that are online now.
    pub(super) online: Vec<u8>,
    /// Its connections.
    pub(super) conns: Vec<Conn>,
    /// True for a uid in the server's list of system uids.
    pub(super) system: bool,
}

/// Compares, and names the cause.
pub(super) fn judge(asked: &Asked<'_>, seen: &Seen, flags: &Flags<'_>, key: &[u8; 32]) -> Diagnosis {
    let mut case = Case { asked, seen, flags, key, lines: Vec::new(), same: false };
    let reason = case.verdict();
    Diagnosis { compared: case.same, lines: case.lines, reason }
}

struct Case<'a> {
    asked: &'a Asked<'a>,
    seen: &'a Seen,
    flags: &'a Flags<'a>,
    key: &'a [u8; 32],
    lines: Vec<DiagLine>,
    /// True once the client's token was found to be that of the client's own flag.
    same: bool,
}

impl<'a> Case<'a> {
    fn verdict(&mut self) -> Option<Reason> {
        let line = self.log();
        if self.seen.system {
            self.say(Mark::Note, Message::new(&w::SYSTEM));
        }
        let what = line.map(|l| &l.what);
        if what == Some(&What::Banned) {
            return Some(Reason::new(ReasonCode::Banned));
        }
        // `_vstr` visitors and the v3 beta: a token cannot be the cause, whatever it is.
        if self.asked.uid.ends_with("___vstr") {
            self.say(Mark::Bad, Message::new(&w::VISITOR));
            return Some(Reason::new(ReasonCode::VisitorUid));
        }
        if self.seen.version == Version::V3 {
            self.rows(None);
            self.say(Mark::Bad, Message::new(&w::V3));
            return Some(Reason::new(ReasonCode::ChecksOff));
        }
        if self.asked.token.is_some_and(Secret::is_empty) || what == Some(&What::Empty) {
            self.rows(None);
            return Some(Reason::new(ReasonCode::TokenEmpty));
        }
        let Some(devices) = &self.seen.devices else { return self.without_rows(what) };
        let client = self.client(line, devices);
        self.rows(client);
        let token = self.token(what);
        let verdict = self.compare(client, token, line, devices);
        self.connected();
        if verdict.is_none() {
            for words in [&w::MAY_BE_BANNED, &w::MAY_BE_ELSEWHERE, &w::MAY_BE_LOST] {
                self.say(Mark::Note, Message::new(words));
            }
        }
        verdict
    }

    fn say(&mut self, mark: Mark, text: Message) {
        self.lines.push(DiagLine { mark, text });
    }

    fn shown(&self, flag: u8) -> String {
        self.flags.shown(flag)
    }

    fn about(&self, words: &'static Words, flag: u8) -> Message {
        Message::new(words).with("device", self.shown(flag))
    }

    fn fp(&self, token: &Secret) -> String {
        Fingerprint::of(self.key, token).to_string()
    }

    /// The newest line of this uid, said in words.
    fn log(&mut self) -> Option<&'a Line> {
        let lines = self.asked.lines.as_ref()?;
        let ours: Vec<&Line> = lines.iter().filter(|l| l.uid.as_deref().is_none_or(|u| u == self.asked.uid)).collect();
        let Some(line) = ours.last().copied() else {
            let text = match lines.last().and_then(|l| l.uid.as_deref()) {
                Some(uid) => Message::new(&w::LOG_OTHER).with("uid", uid),
                None => Message::new(&w::LOG_NOTHING),
            };
            self.say(Mark::Note, text);
            return None;
        };
        let text = match &line.what {
            What::Differ { expected, given } => {
                let fp = |t: &Option<Secret>| t.as_ref().map_or_else(|| "?".to_owned(), |t| self.fp(t));
                let empty = expected.as_ref().is_some_and(Secret::is_empty);
                let m = Message::new(if empty { &w::LOG_EXPECTED_EMPTY } else { &w::LOG_DIFFER }).with("given", fp(given));
                if empty { m } else { m.with("expected", fp(expected)) }
            }
            What::NoRow => Message::new(&w::LOG_NO_ROW).with("flag", line.flag.map_or_else(|| "?".to_owned(), |f| self.shown(f))),
            What::Empty => Message::new(&w::LOG_EMPTY),
            What::Banned => Message::new(&w::LOG_BANNED),
            What::Manager => Message::new(&w::LOG_MANAGER),
        };
        let time = match line.at {
            Some(At::Instant(at) | At::Local(at)) => at.rfc3339().trim_end_matches('Z').replace('T', " "),
            None => "?".to_owned(),
        };
        self.say(Mark::Bad, text.with("time", time));
        if matches!(line.at, Some(At::Local(_))) {
            self.say(Mark::Note, Message::new(&w::LOG_NO_ZONE));
        }
        if ours.len() > 1 {
            self.say(Mark::Note, Message::new(&w::LOG_MORE).with("n", (ours.len() - 1).to_string()));
        }
        Some(line)
    }

    /// The flag that the client uses: the log knows best, then the operator, then its library; else the flag of the row
    /// whose token the server expected; else the row that was asked about.
    fn client(&mut self, line: Option<&Line>, devices: &[Device]) -> Option<u8> {
        let expected = match line.map(|l| &l.what) {
            Some(What::Differ { expected: Some(e), .. }) if !e.is_empty() => {
                devices.iter().find(|d| d.token.as_ref() == Some(e)).map(|d| (d.flag, Told::Log))
            }
            _ => None,
        };
        let told = line.and_then(|l| l.flag).map(|f| (f, Told::Log)).or(self.asked.client).or(expected);
        if line.is_some_and(|l| l.flag.is_none()) && told.is_none() {
            self.say(Mark::Note, Message::new(&w::LOG_FLAG_UNTOLD));
        }
        match told {
            Some((flag, who)) => {
                let words = match who {
                    Told::Typed => &w::CLIENT_FLAG,
                    Told::Sdk => &w::CLIENT_FLAG_SDK,
                    Told::Log => &w::CLIENT_FLAG_LOG,
                };
                let text = Message::new(words).with("flag", self.shown(flag));
                self.say(Mark::Note, text);
                Some(flag)
            }
            None if self.asked.meant.is_some() => self.asked.meant,
            None => {
                self.say(Mark::Note, Message::new(&w::CLIENT_FLAG_UNKNOWN));
                None
            }
        }
    }

    /// What the client holds: told by the operator, else what the server got.
    fn token(&self, what: Option<&'a What>) -> Option<&'a Secret> {
        let logged = match what {
            Some(What::Differ { given: Some(given), .. }) => Some(given),
            _ => None,
        };
        self.asked.token.or(logged).filter(|t| !t.is_empty())
    }

    fn rows(&mut self, client: Option<u8>) {
        let Some(devices) = &self.seen.devices else { return };
        if devices.is_empty() {
            self.say(Mark::Bad, Message::new(&w::ROWS_NONE));
            return;
        }
        for d in devices.iter().take(LISTED) {
            let time = wall(d.updated_ns).rfc3339();
            let (words, mark) = match (&d.token, d.hidden) {
                (Some(_), _) => (&w::ROW, Mark::Note),
                (None, true) => (&w::ROW_HIDDEN, Mark::Note),
                (None, false) if client == Some(d.flag) => (&w::ROW_EMPTY, Mark::Bad),
                (None, false) => (&w::ROW_EMPTY, Mark::Note),
            };
            let mut text = self.about(words, d.flag).nest("level", Message::new(flags::level_words(d.level))).with("time", time);
            if let Some(t) = &d.token {
                text = text.with("fp", self.fp(t)).with("length", t.expose().chars().count().to_string());
            }
            self.say(mark, text);
        }
        if let Some(flag) = client.filter(|f| !devices.iter().any(|d| d.flag == *f)) {
            let text = self.about(&w::ROW_NONE, flag);
            self.say(Mark::Bad, text);
        }
    }

    fn compare(&mut self, client: Option<u8>, token: Option<&Secret>, line: Option<&Line>, devices: &[Device]) -> Option<Reason> {
        if devices.is_empty() {
            // A uid that the server takes from nobody is no matter of a token.
            let problems = valid::valid(self.asked.uid, None, None, None, &[]);
            let bad = problems.iter().find(|p| p.forbids()).map(valid::Problem::reason);
            return Some(bad.unwrap_or_else(|| self.never(client.or(self.asked.meant))));
        }
        let owner = token.and_then(|t| devices.iter().find(|d| d.token.as_ref() == Some(t)));
        let Some(flag) = client else { return self.without_flag(token, owner, devices) };
        let row = devices.iter().find(|d| d.flag == flag);
        let holds = row.is_some_and(|d| d.token.is_some() || d.hidden);
        if !holds && self.seen.online.contains(&flag) {
            let text = self.about(&w::ONLINE_UNCHECKED, flag);
            self.say(Mark::Bad, text);
            return Some(Reason::new(ReasonCode::ChecksOff));
        }
        if let Some(owner) = owner.filter(|o| o.flag != flag) {
            let text = self.about(&w::TOKEN_OTHER, owner.flag).with("fp", token.map(|t| self.fp(t)).unwrap_or_default());
            self.say(Mark::Bad, text);
            return Some(mismatch(flag, &[owner.flag]));
        }
        // The operator asks about one device and the client logs in as another.
        let meant = self.asked.meant.filter(|m| *m != flag && devices.iter().any(|d| d.flag == *m && d.token.is_some()));
        match row {
            None => {
                let held: Vec<u8> = devices.iter().filter(|d| d.token.is_some() || d.hidden).map(|d| d.flag).collect();
                match meant {
                    Some(meant) => Some(mismatch(flag, &[meant])),
                    None if held.is_empty() => Some(self.never(Some(flag))),
                    None => Some(mismatch(flag, &held)),
                }
            }
            Some(d) if d.hidden => None,
            Some(d) => match (&d.token, token) {
                (None, _) => Some(meant.map_or_else(|| Reason::new(ReasonCode::TokenWiped), |m| mismatch(flag, &[m]))),
                (Some(_), None) => {
                    self.say(Mark::Note, Message::new(&w::TOKEN_ABSENT));
                    self.early(line, wall(d.created_ns), d.flag).or_else(|| meant.map(|m| mismatch(flag, &[m])))
                }
                (Some(held), Some(given)) if held == given => {
                    let text = self.about(&w::TOKEN_SAME, flag);
                    self.say(Mark::Good, text);
                    self.same = true;
                    if self.seen.online.contains(&flag) {
                        let text = self.about(&w::ONLINE_NOW, flag);
                        self.say(Mark::Good, text);
                    }
                    self.early(line, wall(d.updated_ns), d.flag)
                }
                (Some(_), Some(given)) => Some(self.overwritten(given, line, d)),
            },
        }
    }

    fn never(&self, flag: Option<u8>) -> Reason {
        Reason::new(ReasonCode::NeverIssued).with("device", flag.map_or_else(|| self.asked.uid.to_owned(), |f| self.shown(f)))
    }

    /// The row's token is another one: somebody set it after the client got its own.
    fn overwritten(&mut self, given: &Secret, line: Option<&Line>, row: &Device) -> Reason {
        let text = Message::new(&w::TOKEN_NOWHERE).with("fp", self.fp(given));
        self.say(Mark::Bad, text);
        if let Some(What::Differ { expected: Some(e), .. }) = line.map(|l| &l.what) {
            let same = row.token.as_ref() == Some(e);
            let after = line.and_then(|l| l.at?.instant()).is_some_and(|at| at < wall(row.updated_ns));
            if same {
                let text = self.about(&w::LOG_STILL, row.flag);
                self.say(Mark::Note, text);
            } else if after {
                let text = self.about(&w::LOG_SINCE, row.flag).with("time", wall(row.updated_ns).rfc3339());
                self.say(Mark::Note, text);
            }
        }
        // A row that was set once and never again (wukongim 2.2.5: both instants are the same then) was overwritten by nobody.
        let once = row.created_ns > 0 && row.created_ns == row.updated_ns;
        let code = if once { ReasonCode::TokenNeverHeld } else { ReasonCode::TokenOverwritten };
        Reason::new(code).with("device", self.shown(row.flag)).with("at", wall(row.updated_ns).rfc3339())
    }

    /// The line is older than the token: the client was too fast, or the token was renewed since.
    fn early(&mut self, line: Option<&Line>, issued: Wall, flag: u8) -> Option<Reason> {
        let tried = line?.at?.instant().filter(|at| *at < issued)?;
        let text = self.about(&w::LOG_SINCE, flag).with("time", issued.rfc3339());
        self.say(Mark::Bad, text);
        self.say(Mark::Note, Message::new(&w::LOG_CLOCK));
        // Rounded up: a client that was 0.2 s too early was not 0 s too early.
        let seconds = (issued.0 - tried.0 + 999) / 1000;
        Some(Reason::new(ReasonCode::TooEarly).with("seconds", seconds.to_string()))
    }

    /// Nobody knows the client's flag: the token alone may still tell.
    fn without_flag(&mut self, token: Option<&Secret>, owner: Option<&Device>, devices: &[Device]) -> Option<Reason> {
        if let Some(owner) = owner {
            let text = self.about(&w::TOKEN_SAME, owner.flag);
            self.say(Mark::Good, text);
            return None;
        }
        if !devices.iter().any(|d| d.token.is_some() || d.hidden) {
            return Some(Reason::new(ReasonCode::TokenWiped));
        }
        let Some(given) = token else {
            self.say(Mark::Note, Message::new(&w::TOKEN_ABSENT));
            return None;
        };
        let text = Message::new(&w::TOKEN_NOWHERE).with("fp", self.fp(given));
        self.say(Mark::Bad, text);
        Some(Reason::new(ReasonCode::TokenOverwritten))
    }

    /// v1 lists no devices: the line is all there is.
    fn without_rows(&mut self, what: Option<&What>) -> Option<Reason> {
        self.say(Mark::Note, Message::new(&w::ROWS_UNTOLD));
        let verdict = match what {
            // v1 answers an unknown device with an empty token: never issued and quit look alike.
            Some(What::Differ { expected: Some(e), .. }) if e.is_empty() => Some(self.never(self.asked.client.map(|c| c.0).or(self.asked.meant))),
            Some(What::Differ { .. }) => Some(Reason::new(ReasonCode::TokenOverwritten)),
            Some(What::NoRow) => Some(self.never(self.asked.client.map(|c| c.0).or(self.asked.meant))),
            _ => None,
        };
        self.connected();
        verdict
    }

    fn connected(&mut self) {
        for c in self.seen.conns.iter().take(LISTED) {
            let text = Message::new(&w::CONNECTED).with("what", &c.label).with("ip", &c.ip).with("id", &c.device_id).with("uptime", &c.uptime);
            self.say(Mark::Note, text);
        }
    }
}

fn mismatch(client: u8, server: &[u8]) -> Reason {
    let server: Vec<String> = server.iter().take(8).map(u8::to_string).collect();
    Reason::new(ReasonCode::FlagMismatch).with("client", client.to_string()).with("server", server.join(", "))
}

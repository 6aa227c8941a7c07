//! What the platform knows: apps, their secrets, and the tokens that were given out.

use super::{
    limit::{Windows, ms},
    settings::{AppSpec, Platform, Repeated, TokenSettings},
};
use crate::sandbox::chance::Chance;
use std::collections::VecDeque;

/// Tokens remembered of one app; an older one is a string that nobody knows.
const REMEMBERED: usize = 64;
/// Messages remembered.
const MESSAGES: usize = 1000;

/// Which of an official account's two isolated tokens; an app of a corporation has only the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Stable,
    Classic,
}

/// Why a token is good no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Its time is over.
    Expired,
    /// The platform dropped it before its time.
    Revoked,
    /// A newer one took its place.
    Replaced,
    /// The secret was reset.
    Reset,
}

/// A token that was given out.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) text: String,
    pub(crate) line: Line,
    pub(crate) expires_ms: i64,
    /// A newer one is there; this one lives until its (shortened) time is over.
    pub(crate) replaced: bool,
    pub(crate) death: Option<Death>,
}

impl Given {
    pub(crate) fn dead(&self, now: i64) -> Option<Death> {
        let over = if self.replaced { Death::Replaced } else { Death::Expired };
        self.death.or((now >= self.expires_ms).then_some(over))
    }
}

/// How often tokens of an app were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Fetches {
    /// Fetches with its secret over the wire that were answered with a token.
    pub wire: u64,
    /// Those of the foreign client.
    pub foreign: u64,
    /// How many of both brought a new string.
    pub minted: u64,
}

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) announced: Option<String>,
    pub(crate) trusted: Option<Vec<String>>,
    pub(crate) given: VecDeque<Given>,
    pub(crate) fetches: Fetches,
}

impl App {
    /// The newest token of a line that is good at `now`.
    pub(crate) fn live(&self, line: Line, now: i64) -> Option<&Given> {
        self.given.iter().rev().find(|g| g.line == line && g.dead(now).is_none())
    }

    /// Ends every token that is good at `now`. Returns how many there were.
    pub(crate) fn kill(&mut self, why: Death, now: i64) -> usize {
        let mut n = 0;
        for g in self.given.iter_mut().filter(|g| g.dead(now).is_none()) {
            g.death = Some(why);
            n += 1;
        }
        n
    }
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The app's id.
    pub app: String,
    /// To whom, as the call said it.
    pub to: String,
    /// Its kind, such as `text`.
    pub kind: String,
    /// The text of a `text`, else empty.
    pub text: String,
}

/// What somebody's token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Good, and of this app (index).
    Good(usize),
    /// It was one of this app.
    Dead(usize, Death),
    /// No token that the platform knows.
    Unknown,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) apps: Vec<App>,
    pub(crate) chance: Chance,
    pub(crate) windows: Windows,
    pub(crate) sent: VecDeque<Sent>,
    /// Files that messages may name; the oldest go.
    pub(crate) media: VecDeque<String>,
    /// Fetches that were refused.
    pub(crate) refused: u64,
    /// Answers to dead tokens, for a platform that takes turns.
    pub(crate) turns: u64,
}

impl State {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self {
            apps: Vec::new(),
            chance: Chance::new(seed),
            windows: Windows::default(),
            sent: VecDeque::new(),
            media: VecDeque::new(),
            refused: 0,
            turns: 0,
        }
    }

    /// The app of that id or name.
    pub(crate) fn find(&self, account: &str) -> Option<usize> {
        self.apps.iter().position(|a| a.id == account).or_else(|| self.apps.iter().position(|a| a.name == account))
    }

    /// Adds an app; an id that is there already is left as it is.
    pub(crate) fn add(&mut self, spec: &AppSpec, settings: &TokenSettings, now: i64) {
        if self.apps.iter().any(|a| a.id == spec.id) {
            return;
        }
        let secret = if spec.secret.is_empty() { self.text(43) } else { spec.secret.clone() };
        self.apps.push(App {
            id: spec.id.clone(),
            name: if spec.name.is_empty() { spec.id.clone() } else { spec.name.clone() },
            secret,
            announced: spec.announced.clone(),
            trusted: spec.trusted.clone(),
            given: VecDeque::new(),
            fetches: Fetches::default(),
        });
        if let Some(age) = spec.fetched {
            let at = self.apps.len() - 1;
            self.mint(at, Line::Stable, settings, settings.token_bytes, now.saturating_sub(ms(age)));
            // That was before our time.
            if let Some(a) = self.apps.get_mut(at) {
                a.fetches = Fetches::default();
            }
        }
    }

    /// Random letters as tokens and secrets have them.
    pub(crate) fn text(&mut self, length: usize) -> String {
        let mut t = self.chance.base64(length).replace(['+', '/', '='], "-");
        t.truncate(length);
        t
    }

    /// Makes a new token at `now` and returns it.
    pub(crate) fn mint(&mut self, app: usize, line: Line, settings: &TokenSettings, bytes: usize, now: i64) -> String {
        let length = bytes.clamp(16, 512);
        let text = match settings.platform {
            Platform::Wecom => self.text(length),
            // `86_…`: a number and an underline, as official accounts have them.
            Platform::WechatOa => format!("86_{}", self.text(length - 3)),
        };
        if let Some(a) = self.apps.get_mut(app) {
            if a.given.len() == REMEMBERED {
                a.given.pop_front();
            }
            a.given.push_back(Given { text: text.clone(), line, expires_ms: now.saturating_add(ms(settings.life)), replaced: false, death: None });
            a.fetches.minted += 1;
        }
        text
    }

    /// What a token is worth at `now`.
    pub(crate) fn worth(&self, token: &str, now: i64) -> Worth {
        let found = self.apps.iter().enumerate().find_map(|(n, a)| a.given.iter().rev().find(|g| g.text == token).map(|g| (n, g)));
        match found {
            None => Worth::Unknown,
            Some((n, g)) => g.dead(now).map_or(Worth::Good(n), |why| Worth::Dead(n, why)),
        }
    }

    pub(crate) fn uploaded(&mut self, id: String) {
        if self.media.len() == MESSAGES {
            self.media.pop_front();
        }
        self.media.push_back(id);
    }

    pub(crate) fn sent(&mut self, sent: Sent) {
        if self.sent.len() == MESSAGES {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
    }
}

/// What `expires_in` says of a token, in seconds.
pub(crate) fn expires_in(g: &Given, fresh: bool, repeated: Repeated, settings: &TokenSettings, now: i64) -> i64 {
    let full = i64::try_from(settings.life.as_secs()).unwrap_or(i64::MAX);
    if fresh || repeated == Repeated::Full { full } else { g.expires_ms.saturating_sub(now).div_euclid(1000).clamp(0, full) }
}

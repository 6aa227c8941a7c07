//! What the deck is given when it starts: options from the configuration, the cache's rows, and what it may not know itself.

use super::{guide::Step, keymap::KeyOverride, theme::Theme, widget::qr::Palette};
use crate::{
    domain::{Action, Effect, Not, Row, Time},
    engine::mailbox::{GatewayView, Status},
    i18n::Lang,
    providers::{GatewayFacts, KindSpec, SlotTable},
};
use jiff::tz::TimeZone;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Whether an action can be done to a row; the providers' own answer, without the providers.
pub type Can = Arc<dyn Fn(&Row, &Action, &GatewayFacts) -> Result<Effect, Not> + Send + Sync>;

/// The slots of an account and its devices; the providers' own answer, without the providers. `None`: its kind has none.
pub type Slots = Arc<dyn Fn(&Row, &[Row]) -> Option<SlotTable> + Send + Sync>;

/// Writes a QR text as a picture into a private file and says where.
pub type PngWriter = Arc<dyn Fn(&str) -> std::io::Result<PathBuf> + Send + Sync>;

/// Words in the header's right corner that are never dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Badge {
    /// Nothing can be changed.
    ReadOnly,
    /// A gateway is reached over plain http.
    Plaintext,
    /// The vault key lies in a file.
    KeyFile,
    /// The store cannot be written: nothing is kept.
    NotKept,
    /// The store was put back from an older copy.
    OldCopy,
    /// Another user could change the configuration, or a folder on the way to it.
    Exposed,
    /// A demo: nothing is real.
    Demo,
}

impl Badge {
    /// Its word; the short one below 60 columns. Not translated: the documentation names them so.
    pub const fn word(self, short: bool) -> &'static str {
        match (self, short) {
            (Self::ReadOnly, false) => "READ-ONLY",
            (Self::ReadOnly, true) => "RO",
            (Self::Plaintext, false) => "PLAINTEXT",
            (Self::Plaintext, true) => "PT",
            (Self::KeyFile, false) => "KEY FILE",
            (Self::KeyFile, true) => "KF",
            (Self::NotKept, false) => "NOT KEPT",
            (Self::NotKept, true) => "NK",
            (Self::OldCopy, false) => "OLD COPY",
            (Self::OldCopy, true) => "OC",
            (Self::Exposed, false) => "OPEN FILES",
            (Self::Exposed, true) => "OF",
            (Self::Demo, _) => "DEMO",
        }
    }
}

/// Everything that the deck is given.
#[derive(Clone)]
pub struct Start {
    /// Language.
    pub lang: Lang,
    /// Looks. Give [`Theme::mono`] under `NO_COLOR`.
    pub theme: Theme,
    /// False under `NO_COLOR`: the QR still forces its own black and white.
    pub color: bool,
    /// Only ASCII glyphs and frames.
    pub ascii: bool,
    /// The `[keys]` table.
    pub keys: Vec<KeyOverride>,
    /// Nothing may be changed.
    pub read_only: bool,
    /// Seconds of a *swift* countdown; zero waits for Enter.
    pub swift: Duration,
    /// Seconds until an armed *hold* action lapses; zero never.
    pub hold: Duration,
    /// How long good news stays; `None`: until a key.
    pub toast: Option<Duration>,
    /// How long a revealed number or secret stays.
    pub reveal: Duration,
    /// The bell rings when something needs a person.
    pub bell: bool,
    /// Mouse on from the start.
    pub mouse: bool,
    /// Header badges.
    pub badges: Vec<Badge>,
    /// Rows of the cache.
    pub rows: Vec<Row>,
    /// Gateways of the configuration.
    pub gateways: Vec<GatewayView>,
    /// Header facts, if known already.
    pub status: Option<Status>,
    /// Kinds that the add form offers.
    pub kinds: Vec<&'static KindSpec>,
    /// Where the configuration is or will be, for the welcome screen.
    pub config_path: Option<PathBuf>,
    /// Whether an action can be done.
    pub can: Can,
    /// The slots of an account.
    pub slots: Slots,
    /// Writes a QR as a picture; `None`: the key answers that it cannot.
    pub png: Option<PngWriter>,
    /// Columns and rows that the smallest QR of a pairing needs.
    pub qr_least: (u16, u16),
    /// On-screen guidance of the demo.
    pub guide: Vec<Step>,
    /// Clocks; read only by [`mod@super::run`].
    pub time: Arc<dyn Time>,
    /// Zone of the times on the pairing screen.
    pub zone: TimeZone,
    /// How black and white of a QR are said to this terminal.
    pub palette: Palette,
    /// Listen to INT, TERM, HUP and TSTP.
    pub signals: bool,
}

impl Start {
    /// The built-in settings, with nothing in the cache.
    pub fn new(time: Arc<dyn Time>, can: Can) -> Self {
        Self {
            lang: Lang::En,
            theme: Theme::default(),
            color: true,
            ascii: false,
            keys: Vec::new(),
            read_only: false,
            swift: Duration::from_secs(3),
            hold: Duration::from_secs(15),
            toast: Some(Duration::from_secs(6)),
            reveal: Duration::from_secs(10),
            bell: false,
            mouse: true,
            badges: Vec::new(),
            rows: Vec::new(),
            gateways: Vec::new(),
            status: None,
            kinds: Vec::new(),
            config_path: None,
            can,
            slots: Arc::new(|_, _| None),
            png: None,
            qr_least: (59, 32),
            guide: Vec::new(),
            time,
            zone: TimeZone::UTC,
            palette: Palette::Rgb,
            signals: true,
        }
    }
}

//! What the overlays about devices hold: a token, a slot plan, the questions of a verb, a diagnosis.

use super::edit::Field;
use crate::{
    domain::{Boot, Clean, GatewayId, Reason, RemoteId, Secret, Target},
    engine::mailbox::TokenTale,
    providers::{Claim, Diagnosis, VerbSpec},
};

/// The token of one row.
pub struct TokenView {
    /// Of which row.
    pub target: Target,
    /// Its label.
    pub label: Clean,
    /// The token itself and until when it is shown; dropped with it.
    pub shown: Option<(Secret, Boot)>,
    /// True while the server is asked for it.
    pub asking: bool,
    /// Why it could not be had.
    pub trouble: Option<Reason>,
    /// Its platform issues tokens that die, so that there is a tale of them.
    pub issued: bool,
    /// What is told of it besides its row; `None` until it came.
    pub tale: Option<Box<TokenTale>>,
    /// When that was last asked for.
    pub told: Boot,
    /// Lines scrolled.
    pub scroll: usize,
}

/// The slot plan of one account.
pub struct SlotView {
    /// The account.
    pub account: Target,
    /// Its label.
    pub label: Clean,
    /// The line under the cursor.
    pub pick: usize,
}

/// The questions of a verb, before it is armed.
pub struct VerbForm {
    /// The verb.
    pub verb: &'static VerbSpec,
    /// Where.
    pub gateway: GatewayId,
    /// The account that it is for, unless it makes one.
    pub account: Option<RemoteId>,
    /// One answer a question.
    pub answers: Vec<Field>,
    /// The question that has the focus.
    pub at: usize,
    /// True when an answer is missing.
    pub missing: bool,
}

impl VerbForm {
    /// With empty answers, those of `given` filled in.
    pub fn new(verb: &'static VerbSpec, gateway: GatewayId, account: Option<RemoteId>, given: &[(&'static str, Box<str>)]) -> Self {
        let answers = verb.asks.iter().map(|a| Field::with(given.iter().find(|(n, _)| *n == a.name).map_or("", |(_, v)| v))).collect();
        Self { verb, gateway, account, answers, at: 0, missing: false }
    }
}

/// Libraries that imply a slot, in the order in which they are offered.
pub const SDKS: [&str; 2] = ["native", "js"];

/// What a client that cannot log in was seen to use, and what was found.
pub struct WhyForm {
    /// Of which row.
    pub target: Target,
    /// Its label.
    pub label: Clean,
    /// The slot that the client uses.
    pub slot: Field,
    /// Index into [`SDKS`]; `None`: not told.
    pub sdk: Option<usize>,
    /// The client's token.
    pub token: Field,
    /// Lines of the server's log, never drawn.
    pub log: Option<Secret>,
    /// The focus: 0 slot, 1 library, 2 token, 3 log, 4 what was found.
    pub at: usize,
    /// True while the answer is on its way.
    pub asking: bool,
    /// What was found; `Ok(None)`: the kind has nothing to compare.
    pub found: Option<Result<Option<Diagnosis>, Reason>>,
    /// Lines scrolled.
    pub scroll: usize,
}

impl WhyForm {
    /// An empty one.
    pub fn new(target: Target, label: Clean) -> Self {
        let (slot, token) = (Field::with(""), Field::secret());
        Self { target, label, slot, sdk: None, token, log: None, at: 0, asking: false, found: None, scroll: 0 }
    }

    /// The field that has the focus, if it is one.
    pub fn field(&mut self) -> Option<&mut Field> {
        match self.at {
            0 => Some(&mut self.slot),
            2 => Some(&mut self.token),
            _ => None,
        }
    }

    /// What was filled in.
    pub fn claim(&self) -> Claim {
        let typed = |f: &Field| Some(f.text().trim()).filter(|t| !t.is_empty()).map(Into::into);
        Claim {
            slot: typed(&self.slot),
            level: None,
            sdk: self.sdk.and_then(|n| SDKS.get(n)).map(|s| (*s).into()),
            token: (!self.token.is_empty()).then(|| Secret::new(self.token.text().to_owned())),
            log: self.log.clone(),
        }
    }
}

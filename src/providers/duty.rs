//! What a process must hold while it runs a target that only one process may run, and how it says that its session is dead.

use super::Mark;
use crate::{
    domain::{GatewayId, Reason, RemoteId, Target},
    i18n::Message,
    store::config,
};
use std::path::PathBuf;

/// What runs a target holds.
#[derive(Clone, Debug)]
pub struct Duty {
    /// The target.
    pub target: Target,
    /// Names of the leases that are held where hosts share a store; all or none.
    pub leases: Vec<String>,
    /// A lock file that every pairdeck sees that could run the same, beside the lock of the target's name.
    pub lock: Option<PathBuf>,
    /// Why it must not be started: somebody holds it already.
    pub held: Option<Reason>,
    /// What is wrong with it, though it can be started.
    pub trouble: Option<Reason>,
    /// What a holder that is no more left behind and what was removed now, with its evidence.
    pub cleaned: Option<Message>,
    /// What in its output says that its session is dead.
    pub signs: &'static [Sign],
    /// Exit codes that say so.
    pub dead_exit_codes: Vec<u8>,
}

/// A word in a log that tells that a session is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    /// The word, as it stands in the log.
    pub text: &'static str,
    /// What it means.
    pub means: Dead,
}

/// How a session died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dead {
    /// Its key was used twice at once.
    Duplicated,
    /// It was ended.
    Revoked,
    /// The account is closed: nothing may be rebuilt.
    Closed,
}

/// Whether a session lives, by its platform's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// The platform lists it, and nothing else here has its key.
    Lives,
    /// The platform does not list it any more.
    Dead,
    /// Its key lies in another place here too: a word that it was used twice can be believed.
    Copied,
    /// Nobody can tell, and why, where that is known.
    Unknown(Option<Reason>),
}

impl Sign {
    /// The first sign that stands in `line`, whatever its case.
    pub fn find(signs: &'static [Self], line: &[u8]) -> Option<Self> {
        let holds = |word: &[u8]| line.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
        signs.iter().copied().find(|s| holds(s.text.as_bytes()))
    }
}

impl Duty {
    /// Accounts as targets, for kinds whose every account is run by one process.
    pub fn accounts(gateway: &config::Gateway) -> Vec<Target> {
        let id = GatewayId::new(&gateway.name);
        gateway.accounts.iter().map(|a| Target::account(&id, &RemoteId::new(&a.name))).collect()
    }

    /// The duty of an account that one process may run, named among hosts by the platform's own id of it.
    pub fn of_account(gateway: &config::Gateway, target: &Target) -> Option<Self> {
        let account = gateway.accounts.iter().find(|a| a.name == target.account.as_str()).filter(|_| target.device.is_none())?;
        let id = if account.id.is_empty() { target.id() } else { account.id.clone() };
        Some(Self {
            target: target.clone(),
            leases: vec![format!("run/{}/{id}", gateway.kind)],
            lock: None,
            held: None,
            trouble: None,
            cleaned: None,
            signs: &[],
            dead_exit_codes: Vec::new(),
        })
    }
}

/// One finding about files and processes of this machine.
#[derive(Clone, Debug)]
pub struct LocalCheck {
    /// On what: a gateway's name.
    pub gateway: String,
    /// How it stands.
    pub mark: Mark,
    /// What was found.
    pub says: Message,
    /// What to do.
    pub remedy: Option<Message>,
}

//! What two slots share: a file by any of its names, or a key. And whether a new slot may be made.

use super::{
    Seen,
    identity::{Identity, Same},
};
use crate::{
    domain::{Reason, ReasonCode},
    i18n::{Lang, Message, Words, sessions as w},
    providers::telegram::KeyId,
};
use std::{collections::BTreeMap, path::Path};

/// Slots that share a key or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The key that they share, if it could be read.
    pub key: Option<KeyId>,
    /// Their places in the list that was looked at.
    pub members: Vec<usize>,
    /// How their files are one, where they are; none of it is a copy.
    pub same: Option<Same>,
}

/// Every twin among `seen`, in the order of the configuration.
pub fn twins(seen: &[Seen]) -> Vec<Twin> {
    let mut out: Vec<Twin> = Vec::new();
    let mut keys: BTreeMap<KeyId, Vec<usize>> = BTreeMap::new();
    for (i, s) in seen.iter().enumerate() {
        if let Some(key) = s.key() {
            keys.entry(key).or_default().push(i);
        }
    }
    for (key, members) in keys.into_iter().filter(|(_, m)| m.len() > 1) {
        let same = pairs(&members).find_map(|(a, b)| same(&seen[a], &seen[b]));
        out.push(Twin { key: Some(key), members, same });
    }
    // Files without a readable key can be one file all the same.
    let rest: Vec<usize> = (0..seen.len()).filter(|i| seen[*i].key().is_none()).collect();
    for (a, b) in pairs(&rest) {
        if let Some(same) = same(&seen[a], &seen[b]) {
            out.push(Twin { key: None, members: vec![a, b], same: Some(same) });
        }
    }
    out.sort_by_key(|t| t.members.first().copied());
    out
}

fn pairs(of: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    of.iter().enumerate().flat_map(|(n, a)| of[n + 1..].iter().map(|b| (*a, *b)))
}

fn same(a: &Seen, b: &Seen) -> Option<Same> {
    a.identity.as_ref()?.same(b.identity.as_ref()?)
}

impl Twin {
    /// Who and where, for the row of slot `of`: the others with their files and holders.
    pub fn reason(&self, of: usize, seen: &[Seen]) -> Reason {
        let others = self.members.iter().filter(|i| **i != of).filter_map(|i| seen.get(*i));
        let place = |s: &Seen| {
            let holder = s.held.sure().next().map_or_else(String::new, |h| format!(" {}", h.label()));
            format!("{} {}{holder}", s.slot.id(), s.slot.slot.file.display())
        };
        Reason::new(ReasonCode::KeyTwin).with("where", others.map(place).collect::<Vec<_>>().join(", "))
    }
}

/// The reason of a slot by itself and beside the others: the worst one first. `None`: nothing is wrong.
pub fn trouble(of: usize, seen: &[Seen], twins: &[Twin]) -> Option<Reason> {
    let me = seen.get(of)?;
    if let Some((a, b)) = me.held.spaces_twin() {
        return Some(Reason::new(ReasonCode::SpacesTwin).with("where", format!("{}, {}", a.label(), b.label())));
    }
    if let Some(twin) = twins.iter().find(|t| t.members.contains(&of)) {
        return Some(twin.reason(of, seen));
    }
    let sure: Vec<_> = me.held.sure().collect();
    if sure.len() > 1 {
        let all: Vec<_> = sure.iter().map(|h| h.label()).collect();
        return Some(Reason::new(ReasonCode::KeyTwin).with("where", all.join(", ")));
    }
    match &me.session {
        Err(trouble) => Some(trouble.reason(&me.slot.slot.file)),
        Ok(found) => {
            let file = me.slot.slot.file.to_string_lossy();
            let loose = found.loose.map(|mode| Reason::new(ReasonCode::SessionLoose).with("file", &file).with("mode", format!("{mode:o}")));
            let names = me.identity.as_ref().map_or(1, |i| i.names);
            loose.or_else(|| (names > 1).then(|| Reason::new(ReasonCode::SlotHardLinked).with("file", &file).with("n", names.to_string())))
        }
    }
}

fn taken(s: &Seen, how: Same) -> Reason {
    let words = match how {
        Same::Path => &w::HOW_PATH,
        Same::Symlink => &w::HOW_SYMLINK,
        Same::HardLink => &w::HOW_HARD_LINK,
        Same::BindMount => &w::HOW_BIND,
    };
    refused(s, words)
}

fn refused(s: &Seen, how: &'static Words) -> Reason {
    let how = Message::new(how).text(Lang::En);
    Reason::new(ReasonCode::SlotTaken).with("slot", s.slot.id()).with("how", how).with("file", s.slot.slot.file.to_string_lossy())
}

/// Another slot whose file is this slot's very file: whatever moves the one moves the other. A hard link is a name of its own.
pub fn one_file(of: usize, seen: &[Seen]) -> Option<Reason> {
    let me = seen.get(of)?;
    seen.iter().enumerate().filter(|(i, _)| *i != of).find_map(|(_, s)| same(me, s).filter(|how| *how != Same::HardLink).map(|how| taken(s, how)))
}

/// Whether `file` may become a slot of its own beside `seen`; `but` is the slot itself, where it is configured already.
///
/// # Errors
/// Which slot uses that path, file or key already, and how; or that the folder is not there.
pub fn admit(file: &Path, key: Option<KeyId>, seen: &[Seen], but: Option<&str>) -> Result<Identity, Reason> {
    let new = Identity::of(file).map_err(|e| crate::providers::telegram::session::write::unwritable(file, &e))?;
    for s in seen.iter().filter(|s| but != Some(s.slot.id().as_str())) {
        if let Some(how) = s.identity.as_ref().and_then(|i| i.same(&new)) {
            return Err(taken(s, how));
        }
        if key.is_some() && s.key() == key {
            return Err(refused(s, &w::HOW_KEY));
        }
    }
    Ok(new)
}

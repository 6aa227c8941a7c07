//! Proof that a code belongs to our request. Pure.
//!
//! The server never clears its last code: after a logout the first answer of `connect` may still carry the previous session's
//! pairing code and QR, with the new count (evolution 2.3.7, recording 45). Within one session the fields noise, identity and
//! adv stay and only the ref changes; after a wipe all change. So proof rests on those fields, never on time or count.

use crate::domain::Fresh;
use blake2::{Blake2s256, Digest};
use std::{collections::HashMap, time::Duration};

/// After this long without proof the newest code may be shown as unproven.
pub(super) const UNPROVEN_AFTER: Duration = Duration::from_secs(60);
/// Life of a code: the server sets `qrTimeout` to 45 s and replaces it then.
pub(super) const LIFE: Duration = Duration::from_secs(45);

/// What a QR text says about its session, hashed: the fields themselves are key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Parts {
    /// The fields that stay within a session.
    pub(super) keys: u64,
    /// The reference that changes with each QR.
    pub(super) ref_: u64,
}

impl Parts {
    /// Reads `ref,noise,identity,adv` and `https://wa.me/settings/linked_devices#ref,noise,identity,adv,platform`.
    pub(super) fn read(code: &str) -> Option<Self> {
        let bare = match code.strip_prefix("https://") {
            Some(rest) => rest.split_once('#')?.1,
            None => code,
        };
        let mut fields = bare.split(',');
        let reference = fields.next().filter(|f| !f.is_empty())?;
        let keys = [fields.next()?, fields.next()?, fields.next()?];
        (keys.iter().all(|k| !k.is_empty())).then(|| Self { keys: hash(&keys), ref_: hash(&[reference]) })
    }
}

/// Cryptographic, because the result is persisted and the fields are key material; each part ends with a byte that none holds.
fn hash(parts: &[&str]) -> u64 {
    let mut h = Blake2s256::new();
    for p in parts {
        h.update(p.as_bytes());
        h.update([0]);
    }
    h.finalize().iter().take(8).fold(0, |n, b| (n << 8) | u64::from(*b))
}

/// How a code was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// `qrcode.updated`.
    Event,
    /// An answer of `connect`.
    Poll,
}

/// What is concluded on one sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Proven, and not offered yet.
    Fresh(Fresh),
    /// The one already offered.
    Same,
    /// Of a session that was there before our request.
    Stale,
    /// Not proven yet.
    Open,
}

/// Everything known about the codes of one attempt.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// Key fields seen before our request; `true` when that session is surely over.
    known: HashMap<u64, bool>,
    /// Key fields first seen in answers after our request, that nothing proves yet.
    suspects: HashMap<u64, ()>,
    /// First ref seen in an answer after our request, per key fields.
    base: HashMap<u64, u64>,
    /// The proven session and its newest ref.
    ours: Option<Parts>,
    requested: bool,
    /// The server had no code at all when we asked: what comes later is ours.
    blank: bool,
}

impl Proof {
    /// Notes key fields that were seen before our request (memory of earlier attempts, a look at the live session).
    pub(super) fn know(&mut self, keys: u64) {
        self.known.entry(keys).or_insert(false);
    }

    /// Our request is about to be sent: what is seen from now on may be ours.
    pub(super) fn request(&mut self) {
        self.requested = true;
    }

    /// A look at a live session that is joined, not begun: its ref must change before it is believed.
    pub(super) fn join(&mut self, live: Parts) {
        self.know(live.keys);
        self.base.insert(live.keys, live.ref_);
        self.requested = true;
    }

    /// The sessions known so far were ended on purpose: their codes are dead for good.
    pub(super) fn ended(&mut self) {
        self.known.values_mut().for_each(|dead| *dead = true);
        self.base.clear();
        self.suspects.clear();
        self.blank = false;
    }

    /// Our request was answered and the server held no code yet.
    pub(super) fn blank(&mut self) {
        if self.requested && self.suspects.is_empty() && self.base.is_empty() {
            self.blank = true;
        }
    }

    /// Judges one sighting. `first` tells that this is the first code that the server process ever had for the name.
    pub(super) fn judge(&mut self, seen: Parts, via: Via, first: bool) -> Judged {
        if !self.requested {
            self.know(seen.keys);
            return Judged::Stale;
        }
        if let Some(ours) = self.ours.filter(|o| o.keys == seen.keys) {
            if ours.ref_ == seen.ref_ {
                return Judged::Same;
            }
            return self.prove(seen, if via == Via::Event { Fresh::Event } else { Fresh::Rotated });
        }
        let known = self.known.get(&seen.keys).copied();
        if known == Some(true) {
            return Judged::Stale;
        }
        match (via, known) {
            (Via::Event, None) => self.prove(seen, Fresh::Event),
            // A deleted instance's zombie goes on emitting (ws-global, shop-e): an event alone proves nothing for a known set,
            // unless it is the live one that we look at, whose ref has changed since.
            (Via::Event, Some(_)) => match self.base.get(&seen.keys) {
                Some(base) if *base != seen.ref_ => self.prove(seen, Fresh::Rotated),
                _ => Judged::Open,
            },
            (Via::Poll, _) => {
                let base = *self.base.entry(seen.keys).or_insert(seen.ref_);
                if base != seen.ref_ {
                    return self.prove(seen, Fresh::Rotated);
                }
                let others = self.suspects.keys().any(|k| *k != seen.keys) || !self.known.is_empty();
                if known.is_none() && (first || self.blank || (others && !self.suspects.contains_key(&seen.keys))) {
                    return self.prove(seen, Fresh::NewIdentity);
                }
                if known.is_none() {
                    self.suspects.insert(seen.keys, ());
                    return Judged::Open;
                }
                Judged::Open
            }
        }
    }

    fn prove(&mut self, seen: Parts, how: Fresh) -> Judged {
        self.ours = Some(seen);
        Judged::Fresh(how)
    }

    /// True when a code of these key fields may be shown as unproven after the wait.
    pub(super) fn may_presume(&self, keys: u64) -> bool {
        self.known.get(&keys) != Some(&true)
    }

    /// Takes an unproven code as shown, so that its rotations are followed.
    pub(super) fn presume(&mut self, seen: Parts) {
        self.ours = Some(seen);
    }

    /// The proven session's newest sighting.
    pub(super) fn ours(&self) -> Option<Parts> {
        self.ours
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn p(keys: u64, ref_: u64) -> Parts {
        Parts { keys, ref_ }
    }

    #[test]
    fn both_forms_of_a_qr_tell_the_same_session() {
        let old = Parts::read("2@ab+/c,noise=,ident=,adv=").unwrap();
        let new = Parts::read("https://wa.me/settings/linked_devices#2@ab+/c,noise=,ident=,adv=,7").unwrap();
        assert_eq!(old, new);
        assert_ne!(old.ref_, Parts::read("2@other,noise=,ident=,adv=").unwrap().ref_);
        assert_eq!(Parts::read("2@ab,noise"), None);
        assert_eq!(Parts::read("https://wa.me/x"), None);
    }

    #[test]
    fn a_stale_first_answer_after_a_logout_is_never_fresh_and_the_next_is() {
        let mut f = Proof::default();
        f.know(1);
        f.ended();
        f.request();
        assert_eq!(f.judge(p(1, 10), Via::Poll, false), Judged::Stale);
        assert_eq!(f.judge(p(2, 20), Via::Poll, false), Judged::Fresh(Fresh::NewIdentity));
    }

    #[test]
    fn a_stale_first_answer_is_not_believed_even_when_nothing_was_known_before() {
        let mut f = Proof::default();
        f.request();
        assert_eq!(f.judge(p(1, 10), Via::Poll, false), Judged::Open);
        assert_eq!(f.judge(p(1, 10), Via::Poll, false), Judged::Open);
        assert_eq!(f.judge(p(2, 20), Via::Poll, false), Judged::Fresh(Fresh::NewIdentity));
    }

    #[test]
    fn an_event_after_the_request_proves_what_an_answer_could_not() {
        let mut f = Proof::default();
        f.request();
        assert_eq!(f.judge(p(2, 20), Via::Poll, false), Judged::Open);
        assert_eq!(f.judge(p(2, 20), Via::Event, false), Judged::Fresh(Fresh::Event));
        assert_eq!(f.judge(p(2, 20), Via::Poll, false), Judged::Same);
        assert_eq!(f.judge(p(2, 21), Via::Poll, false), Judged::Fresh(Fresh::Rotated));
    }

    #[test]
    fn a_zombie_that_rotates_known_keys_is_never_believed() {
        let mut f = Proof::default();
        f.know(1);
        f.request();
        for r in 10..20 {
            assert_eq!(f.judge(p(1, r), Via::Event, false), Judged::Open);
        }
    }

    #[test]
    fn a_joined_session_is_believed_once_its_ref_changed() {
        let mut f = Proof::default();
        f.join(p(1, 10));
        assert_eq!(f.judge(p(1, 10), Via::Poll, false), Judged::Open);
        assert_eq!(f.judge(p(1, 10), Via::Event, false), Judged::Open);
        assert_eq!(f.judge(p(1, 11), Via::Event, false), Judged::Fresh(Fresh::Rotated));
    }

    #[test]
    fn the_same_identity_after_the_qr_limit_is_proven_by_rotation() {
        // Recording 75: the keys stay, the ref is new.
        let mut f = Proof::default();
        f.know(1);
        f.request();
        assert_eq!(f.judge(p(1, 12), Via::Poll, false), Judged::Open);
        assert_eq!(f.judge(p(1, 13), Via::Poll, false), Judged::Fresh(Fresh::Rotated));
    }

    #[test]
    fn a_server_that_had_no_code_when_asked_can_only_send_ours() {
        let mut f = Proof::default();
        f.request();
        f.blank();
        assert_eq!(f.judge(p(5, 1), Via::Poll, false), Judged::Fresh(Fresh::NewIdentity));
    }

    proptest! {
        #[test]
        fn keys_of_an_ended_session_are_never_fresh(seen in proptest::collection::vec((0u64..4, 0u64..6, any::<bool>(), any::<bool>()), 1..40)) {
            let mut f = Proof::default();
            f.know(0);
            f.know(1);
            f.ended();
            f.request();
            for (k, r, event, first) in seen {
                let j = f.judge(p(k, r), if event { Via::Event } else { Via::Poll }, first);
                if k < 2 {
                    prop_assert_eq!(j, Judged::Stale);
                    prop_assert!(!f.may_presume(k));
                }
            }
        }
        #[test]
        fn nothing_seen_before_the_request_is_fresh(seen in proptest::collection::vec((0u64..4, 0u64..6, any::<bool>()), 1..20)) {
            let mut f = Proof::default();
            for (k, r, event) in seen {
                prop_assert_eq!(f.judge(p(k, r), if event { Via::Event } else { Via::Poll }, true), Judged::Stale);
            }
        }
        #[test]
        fn arbitrary_text_never_panics(s in ".{0,80}") {
            let _ = Parts::read(&s);
        }
    }
}

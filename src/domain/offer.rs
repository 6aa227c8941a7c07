//! What the operator shows the phone.

use super::{Boot, Stamp, Wall};

/// Form of an Offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferKind {
    /// Text to be drawn as a QR.
    Qr,
    /// A pairing code to be typed.
    Code,
}

/// Why an Offer is believed to belong to our request. The first three are proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fresh {
    /// An event with key fields unknown before our request.
    Event,
    /// Key fields outside every set known before our request.
    NewIdentity,
    /// The joined session's reference was seen to change after our request.
    Rotated,
    /// Nothing proves it: shown only after an explicit key, with a badge.
    Presumed,
}

impl Fresh {
    /// True for everything but [`Fresh::Presumed`].
    pub const fn proven(self) -> bool {
        !matches!(self, Self::Presumed)
    }
}

/// A code or QR text: valid by construction (length and alphabet), so that it may reach a screen. No `Debug` text.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Box<str>);

impl Payload {
    /// A QR text of at most 2,953 bytes of printable ASCII.
    pub fn qr(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= 2953 && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.into()))
    }
    /// A pairing code: 4 to 12 of `A-Z 0-9`, dashes allowed and dropped.
    pub fn code(text: &str) -> Option<Self> {
        let bare: String = text.chars().filter(|c| *c != '-').collect();
        ((4..=12).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())).then(|| Self(bare.into()))
    }
    /// The text. Only the gate's [`crate::clock::gate::Shown`] hands it to a screen.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[payload]")
    }
}

/// One numbered code or QR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// 1 for the first of the attempt; the engine counts.
    pub n: u32,
    /// Its form.
    pub kind: OfferKind,
    /// What is drawn.
    pub payload: Payload,
    /// When it came to be, here.
    pub issued: Stamp,
    /// When it dies, on the boot clock.
    pub dies: Boot,
    /// The same instant for people and JSON.
    pub expires_at: Wall,
    /// Why it is believed.
    pub fresh: Fresh,
}

/// An Offer that has not passed the gate. [`crate::clock::gate::Gate::admit`] is its only way to a screen.
#[derive(Debug)]
pub struct Ungated(Offer);

impl Ungated {
    /// Wraps what a provider received.
    pub fn new(offer: Offer) -> Self {
        Self(offer)
    }
    /// Opens it: for the gate only.
    pub(crate) fn into_inner(self) -> Offer {
        self.0
    }
    /// Its number, for the record of what was not shown.
    pub(crate) fn number_mut(&mut self) -> &mut u32 {
        &mut self.0.n
    }
    /// Why it is believed.
    pub fn fresh(&self) -> Fresh {
        self.0.fresh
    }
    /// What it carries, to be compared with what was thrown away.
    pub(crate) fn payload(&self) -> &Payload {
        &self.0.payload
    }
    /// Its form.
    pub fn kind(&self) -> OfferKind {
        self.0.kind
    }
}

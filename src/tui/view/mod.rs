//! Views: they read, they draw, they do nothing else.

pub mod pairing;

use super::theme::Theme;
use crate::{domain::Stamp, i18n::Lang};

/// What every view needs beside its own state.
pub struct ViewCx<'a> {
    /// This instant: the only time that a view knows.
    pub now: Stamp,
    /// The language of words.
    pub lang: Lang,
    /// The look of roles.
    pub theme: &'a Theme,
    /// True: no character beyond ASCII of our own.
    pub ascii: bool,
    /// False: no colours, save those of a QR, which is nothing without them.
    pub color: bool,
}

//! Who watches ops and attempts: nobody, or the pairing screen.

use super::{
    mailbox::{Mailbox, PairView},
    ops::{Host, Progress},
    pairing::{News, Watcher},
};
use crate::domain::{Answer, Prompt};
use std::{future::Future, pin::Pin};

/// A host that nobody watches: progress is not told, questions stay unanswered.
pub struct Quiet;

impl Host for Quiet {
    fn progress(&mut self, _: Progress) {}
    fn ask<'a>(&'a mut self, _: &'a Prompt) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        Box::pin(std::future::ready(None))
    }
}

/// Puts every view of an attempt into the mailbox.
pub(super) struct Screen {
    pub(super) mailbox: Mailbox,
}

impl Watcher for Screen {
    fn view(&mut self, view: &PairView) {
        self.mailbox.put(|m| m.pairing = Some(Some(view.clone())));
    }
    fn news(&mut self, _: News<'_>) {}
}

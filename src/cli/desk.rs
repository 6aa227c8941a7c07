//! A person at the terminal while a pairing runs: Enter shows what is held back, a line answers the question that stands open.
//!
//! One thread reads stdin for as long as the command lives; the runtime never waits for a key. A secret is typed without an echo, and
//! whatever ends the attempt, ctrl-c among it, puts the terminal back.

use super::{Output, prompt::Unseen};
use crate::{
    domain::{Prompt, PromptKind, Secret},
    engine::command::PairKey,
    i18n::{Message, command as c},
};
use std::{
    io::BufRead,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

/// After the end of a line of input that was none: a terminal that went away must not be asked again and again.
const PAUSE: Duration = Duration::from_millis(200);

/// Where the next line goes.
enum To {
    /// To the attempt, as an answer.
    Attempt,
    /// To whoever asked.
    Asker(oneshot::Sender<Secret>),
}

struct Question {
    to: To,
    /// Puts the echo back when it is dropped.
    _unseen: Option<Unseen>,
}

#[derive(Default)]
struct Seat {
    keys: Option<mpsc::Sender<PairKey>>,
    question: Option<Question>,
    gave_up: bool,
}

/// The terminal and who sits there.
#[derive(Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Seat>>);

impl Desk {
    /// Begins to read.
    pub(super) fn open() -> Self {
        let desk = Self::default();
        let seat = desk.clone();
        // It ends with the process: a read of a terminal cannot be cancelled.
        let _ = std::thread::Builder::new().name("terminal".into()).spawn(move || {
            loop {
                let mut line = Zeroizing::new(String::new());
                match std::io::stdin().lock().read_line(&mut line) {
                    Ok(n) if n > 0 => seat.line(&line),
                    _ => {
                        seat.given_up();
                        std::thread::sleep(PAUSE);
                    }
                }
            }
        });
        desk
    }

    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt begins: Enter is its key.
    pub(super) fn sit(&self, keys: mpsc::Sender<PairKey>) {
        *self.seat() = Seat { keys: Some(keys), ..Seat::default() };
    }

    /// It is over. True when its question was given up.
    pub(super) fn rise(&self) -> bool {
        std::mem::take(&mut *self.seat()).gave_up
    }

    fn line(&self, line: &str) {
        let (question, keys) = {
            let mut seat = self.seat();
            (seat.question.take(), seat.keys.clone())
        };
        let given = || Secret::new(line.trim_end_matches(['\n', '\r']).to_owned());
        let key = match question.map(|q| q.to) {
            None => PairKey::Show,
            Some(To::Attempt) => PairKey::Answer(given()),
            Some(To::Asker(to)) => {
                let _ = to.send(given());
                return;
            }
        };
        if let Some(keys) = keys {
            let _ = keys.blocking_send(key);
        }
    }

    /// The end of the input: who was asked does not answer.
    fn given_up(&self) {
        let mut seat = self.seat();
        if let Some(Question { to: To::Attempt, .. }) = seat.question.take() {
            seat.gave_up = true;
            if let Some(keys) = &seat.keys {
                let _ = keys.try_send(PairKey::Leave);
            }
        }
    }

    /// Puts a question of the attempt. False: a secret that could not be typed unseen here.
    pub(super) fn ask(&self, prompt: &Prompt, out: &mut Output) -> bool {
        for beside in prompt.again().into_iter().chain(prompt.beside()) {
            out.complain(&beside);
        }
        self.put(&prompt.words, is_secret(prompt.kind), To::Attempt, out)
    }

    /// Asks for something itself. `None`: nobody answered.
    pub(super) async fn obtain(&self, question: &Message, out: &mut Output) -> Option<Secret> {
        let (to, answer) = oneshot::channel();
        if !self.put(question, true, To::Asker(to), out) {
            return None;
        }
        answer.await.ok().filter(|s| !s.expose().trim().is_empty())
    }

    fn put(&self, words: &Message, secret: bool, to: To, out: &mut Output) -> bool {
        let unseen = match secret.then(Unseen::begin).transpose() {
            Ok(unseen) => unseen,
            Err(why) => {
                out.complain(&why.0);
                return false;
            }
        };
        // First: who sees the question may answer it at once.
        self.seat().question = Some(Question { to, _unseen: unseen });
        out.ask(&Message::new(&c::ASK_SECRET).with("question", words.text(out.lang)));
        true
    }
}

const fn is_secret(kind: PromptKind) -> bool {
    matches!(kind, PromptKind::Password | PromptKind::Secret)
}

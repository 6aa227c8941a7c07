//! What every HTTP server of the sandbox is made of, whatever it speaks: a name, a clock that can be wrong, a log of what was
//! asked, faults on the way out, and what ends its tasks.

use super::{
    broken::{Dress, Dropped, Front, broken},
    clock::Clock,
    fault::Fault,
    log::{Count, Log, Request},
    settings::DateMode,
};
use axum::{body::Body, http::Response};
use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How it answers, whatever it answers. Can be changed while it runs.
#[derive(Debug)]
struct Manner {
    date: DateMode,
    /// Answers sent, for a balancer that takes turns.
    answers: u64,
    reply_delay: Duration,
}

/// The part that all servers share; each one derefs to it.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    pub(crate) cancel: CancellationToken,
    /// Where it listens, without a base path.
    pub(crate) url: OnceLock<String>,
    /// Where its redirects lead.
    sink: OnceLock<String>,
    /// Where its tasks run: a handle's methods may be called from any thread.
    runtime: Option<tokio::runtime::Handle>,
    manner: Mutex<Manner>,
    log: Mutex<Log>,
}

impl Shell {
    /// Make it inside of a tokio runtime if it is to [`Shell::spawn`].
    pub(crate) fn new(name: &str, date: DateMode, reply_delay: Duration, clock: Clock, cancel: CancellationToken) -> Self {
        Self {
            name: name.to_owned(),
            clock,
            cancel,
            url: OnceLock::new(),
            sink: OnceLock::new(),
            runtime: tokio::runtime::Handle::try_current().ok(),
            manner: Mutex::new(Manner { date, answers: 0, reply_delay }),
            log: Mutex::new(Log::default()),
        }
    }

    /// Notes where it listens, and where redirects lead.
    pub(crate) fn listens(&self, at: SocketAddr, sink: &str) {
        // Nobody else can have set them: the server is a line old.
        let _ = self.url.set(format!("http://{at}"));
        self.redirects_to(sink);
    }

    /// Notes where redirects lead.
    pub(crate) fn redirects_to(&self, sink: &str) {
        let _ = self.sink.set(sink.to_owned());
    }

    fn manner(&self) -> MutexGuard<'_, Manner> {
        self.manner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server's clock: ours, moved by its skew. A frozen or missing `Date` leaves it alone.
    pub(crate) fn now_ms(&self) -> i64 {
        let skew = self.manner().date.skew_ms();
        self.clock.now_ms().saturating_add(skew)
    }

    /// The `Date` header, if there is one.
    pub(crate) fn date_header(&self) -> Option<String> {
        let (now, manner) = (self.now_ms(), self.manner());
        manner.date.header(now, manner.answers)
    }

    /// Counts one answer; its header `Age`, if it has one.
    pub(crate) fn counted(&self) -> Option<u32> {
        let mut manner = self.manner();
        manner.answers = manner.answers.wrapping_add(1);
        manner.date.age()
    }

    /// Runs `task` until it ends or the sandbox does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = task => {}
                }
            });
        }
    }

    /// Notes a request on its arrival, so that one that is still under way counts; the number is for [`Shell::through`].
    pub(crate) fn asked(&self, method: &axum::http::Method, path: String, body: String) -> u64 {
        let at_ms = self.clock.now_ms();
        self.log().push(Request { at_ms, method: method.as_str().to_owned(), path, body, status: 0 })
    }

    /// Takes as long as every answer of it takes now.
    pub(crate) async fn linger(&self) {
        let delay = self.manner().reply_delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// Sends the `right` answer, or what the fault makes of it, and notes its status. A request that fails on the way in is not
    /// carried out.
    ///
    /// # Errors
    /// [`Dropped`] when the connection must close without an answer.
    pub(crate) async fn through(
        &self,
        noted: u64,
        fault: Option<Fault>,
        dress: Dress,
        right: impl Future<Output = Response<Body>>,
    ) -> Result<Response<Body>, Dropped> {
        let front = Front { date: self.date_header(), sink: self.sink.get().cloned(), dress };
        let answer = match fault {
            Some(Fault::Mute) => {
                let done = right.await;
                // The log shows that it was carried out; the answer stays here until the connection ends.
                self.log().answered(noted, done.status().as_u16());
                return broken(&Fault::Mute, &front).await.unwrap_or(Err(Dropped));
            }
            Some(f) => match broken(&f, &front).await {
                Some(done) => done,
                None => Ok(right.await),
            },
            None => Ok(right.await),
        };
        self.log().answered(noted, answer.as_ref().map_or(0, |r| r.status().as_u16()));
        answer
    }

    /// Moves its clock by `seconds`, positive when the server is ahead; `None` puts it right.
    pub(crate) fn skew(&self, seconds: Option<f64>) {
        self.date(DateMode::Skewed((seconds.unwrap_or(0.0) * 1000.0) as i64));
    }

    /// What `Date` shows from now on.
    pub(crate) fn date(&self, mode: DateMode) {
        self.manner().date = mode;
    }

    /// Every answer takes so much longer.
    pub(crate) fn reply_delay(&self, delay: Duration) {
        self.manner().reply_delay = delay;
    }

    /// Counts by method and path.
    pub(crate) fn requests(&self) -> Vec<Count> {
        self.log().counts(&self.name)
    }

    /// Every request, oldest first, and how many older ones were forgotten.
    pub(crate) fn entries(&self) -> (Vec<Request>, u64) {
        let log = self.log();
        (log.entries(), log.forgotten())
    }

    /// Empties the list and the counts of requests.
    pub(crate) fn forget(&self) {
        self.log().clear();
    }
}

/// Lets the handle of a server be asked and told what all of them can be: the methods that only pass on to its [`Shell`].
macro_rules! handle {
    ($server:ty, $inner:ty) => {
        impl std::ops::Deref for $inner {
            type Target = $crate::sandbox::shell::Shell;

            fn deref(&self) -> &Self::Target {
                &self.shell
            }
        }

        impl $server {
            /// Its name.
            pub fn name(&self) -> &str {
                &self.inner.name
            }

            /// Moves its clock by `seconds`, positive when the server is ahead; `None` puts it right. What dies by it dies sooner
            /// or later.
            pub fn skew(&self, seconds: Option<f64>) {
                self.inner.shell.skew(seconds);
            }

            /// What `Date` shows from now on.
            pub fn date(&self, mode: $crate::sandbox::DateMode) {
                self.inner.shell.date(mode);
            }

            /// Every answer takes so much longer.
            pub fn reply_delay(&self, delay: std::time::Duration) {
                self.inner.shell.reply_delay(delay);
            }

            /// Counts by method and path.
            pub fn requests(&self) -> Vec<$crate::sandbox::Count> {
                self.inner.shell.requests()
            }

            /// Every request, oldest first, its secrets hidden where the real log hides them, and how many older ones were
            /// forgotten.
            pub fn asked(&self) -> (Vec<$crate::sandbox::Request>, u64) {
                self.inner.shell.entries()
            }

            /// Empties the list and the counts of requests.
            pub fn clear_requests(&self) {
                self.inner.shell.forget();
            }
        }
    };
}
pub(crate) use handle;

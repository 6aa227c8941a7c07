//! `pairdeck watch`: the engine without a screen. Watches, keeps tokens alive, serves the socket, ends cleanly.

use super::{Exit, Output, args::WatchArgs, run::Ran, session::Session};
use crate::{
    domain::{Reason, ReasonCode},
    engine::{follow, metrics},
    i18n::{Message, reason, token as words},
    store::{Paths, locks::WatchLock, paths},
};
use tokio::sync::oneshot;

/// Watches until a signal ends it.
///
/// # Errors
/// Never: nothing is written to stdout.
pub(super) async fn run(house: &Session, args: &WatchArgs, out: &mut Output) -> Ran {
    if let Err(exit) = house.ready(out).await {
        return Ok(exit);
    }
    house.world.seed_all().await;
    let mut ended = Ended::listen();
    // Before anything runs: an address that cannot be had is a mistake to be told at once.
    let figures = match &args.metrics {
        None => None,
        Some(address) => match metrics::bind(address).await {
            Ok(listener) => Some(listener),
            Err(e) => {
                out.complain(&Message::new(&words::METRICS_FAILED).with("address", address).with("why", paths::plain(&e)));
                return Ok(Exit::Usage);
            }
        },
    };
    let lock = match WatchLock::try_take(&house.paths) {
        Ok(Some(lock)) => lock,
        Ok(None) if args.standby => {
            out.note(&Message::new(&words::WATCH_WAITS));
            tokio::select! {
                () = ended.heard() => return Ok(Exit::Ok),
                got = standby(house.paths.clone()) => match got {
                    Ok(lock) => lock,
                    Err(_) => return Ok(Exit::Lease),
                },
            }
        }
        Ok(None) => {
            out.complain(&Message::new(&words::WATCH_HELD));
            return Ok(Exit::from(ReasonCode::LeaseTimeout));
        }
        Err(e) => return Ok(super::session::broken(&e, out)),
    };
    let n = house.world.gateways().len().to_string();
    let watching = tokio::spawn(follow::watch(house.world.clone(), lock));
    out.note(&Message::new(&words::WATCH_BEGUN).with("n", n).with("path", house.paths.socket.to_string_lossy()));
    if let Some(listener) = figures {
        if let Ok(address) = listener.local_addr() {
            out.note(&Message::new(&words::METRICS_AT).with("address", address.to_string()));
        }
        tokio::spawn(metrics::serve(house.world.clone(), listener));
    }
    let mailbox = house.world.mailbox();
    let mut away = false;
    loop {
        tokio::select! {
            // What happened is said before the end.
            biased;
            () = mailbox.changed() => {
                let mail = mailbox.take();
                for toast in mail.toasts {
                    out.note(&toast.text);
                }
                if let Some(status) = mail.status {
                    let why = status.shared_trouble;
                    if std::mem::replace(&mut away, why.is_some()) != why.is_some() {
                        shared(house, why.as_ref(), out);
                    }
                }
            }
            () = ended.heard() => break,
        }
    }
    house.world.shut();
    // The socket's file goes with the task that serves it.
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(10), watching).await;
    if stopped.is_err() {
        super::session::refused(&Reason::new(ReasonCode::Slow), out);
    }
    out.note(&Message::new(&words::WATCH_ENDED));
    Ok(Exit::Ok)
}

/// Says that the store which hosts share went away, or that it is back. Not once more while it stays so.
fn shared(house: &Session, why: Option<&Reason>, out: &mut Output) {
    let words = if why.is_some() { &words::WATCH_AWAY } else { &words::WATCH_BACK };
    let text = why.map(|w| reason::full(w, out.lang)).unwrap_or_default();
    let time = house.world.time().now().wall.rfc3339();
    // Not through a message: its values are cut to what a screen shows.
    out.complain_text(&words.get(out.lang).replace("{time}", &time).replace("{why}", &text));
}

/// Waits for the watch lock on a thread of its own, which ends with the process.
fn standby(paths: Paths) -> oneshot::Receiver<WatchLock> {
    let (tx, rx) = oneshot::channel();
    let _ = std::thread::Builder::new().name("standby".into()).spawn(move || {
        if let Ok(lock) = WatchLock::take_blocking(&paths) {
            let _ = tx.send(lock);
        }
    });
    rx
}

/// The signals that end a service.
struct Ended {
    #[cfg(unix)]
    signals: Vec<tokio::signal::unix::Signal>,
}

impl Ended {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        super::prompt::signals_are_heeded();
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        Self { signals: kinds.into_iter().filter_map(|k| signal(k).ok()).collect() }
    }

    #[cfg(unix)]
    async fn heard(&mut self) {
        let waits = self.signals.iter_mut().map(|s| Box::pin(s.recv()));
        futures_util::future::select_all(waits).await;
    }

    #[cfg(not(unix))]
    const fn listen() -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    async fn heard(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

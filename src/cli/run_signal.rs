//! `run` and the signals that ask it to end while no command of its own is there to get them: while it heals, while it waits, before it
//! starts anything.

use crate::engine::hold::child::News;
use std::future::Future;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Signals that ask to end.
pub(super) const fn ends(signal: i32) -> bool {
    matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT)
}

/// The code of whoever ended by a signal, as shells tell it.
pub(super) fn by_signal(n: i32) -> u8 {
    u8::try_from(128 + n).unwrap_or(255)
}

/// A signal that asks to end and has come already.
pub(super) fn heard(news: &mut mpsc::Receiver<News>) -> Option<i32> {
    std::iter::from_fn(|| news.try_recv().ok()).find_map(|event| match event {
        News::Signal(n) | News::Pressed(n) if ends(n) => Some(n),
        _ => None,
    })
}

/// Returns when a signal asks to end, while no command runs that it could be handed on to.
pub(super) async fn asked_to_end(news: &mut mpsc::Receiver<News>) -> i32 {
    loop {
        match news.recv().await {
            Some(News::Signal(n) | News::Pressed(n)) if ends(n) => return n,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// Does `work`. A signal that asks to end is told to it by `stop`, waited for, and given back: what is past its pivot goes on to its end.
pub(super) async fn heeding<T>(work: impl Future<Output = T>, stop: &CancellationToken, news: &mut mpsc::Receiver<News>) -> (T, Option<i32>) {
    tokio::pin!(work);
    let n = tokio::select! {
        biased;
        n = asked_to_end(news) => n,
        done = &mut work => return (done, None),
    };
    stop.cancel();
    (work.await, Some(n))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_stops_what_heeds_it_and_waits_for_what_is_past_its_pivot() {
        let (tx, mut rx) = mpsc::channel(4);
        let stop = CancellationToken::new();
        tx.try_send(News::Signal(libc::SIGUSR1)).unwrap();
        assert_eq!(heeding(async { 1 }, &stop, &mut rx).await, (1, None), "it asks for no end");
        tx.try_send(News::Pressed(libc::SIGINT)).unwrap();
        let work = async {
            stop.cancelled().await;
            tokio::task::yield_now().await;
            2
        };
        assert_eq!(heeding(work, &stop, &mut rx).await, (2, Some(libc::SIGINT)), "ctrl-c where no command has it");
        tx.try_send(News::Signal(libc::SIGWINCH)).unwrap();
        assert_eq!(heard(&mut rx), None);
        tx.try_send(News::Signal(libc::SIGWINCH)).unwrap();
        tx.try_send(News::Signal(libc::SIGTERM)).unwrap();
        assert_eq!(heard(&mut rx).map(by_signal), Some(143));
    }
}

//! The lease of a key that this process itself connects with: two hosts may have copies of one store, and a key that two of them use is
//! dead. Among processes of one host their locks decide, so a lease that is another one's of this host keeps nobody away: it is let go
//! late, or was left by a process that was killed.

use super::lease::{EVERY, Keeper, Refused};
use crate::{
    domain::{Clean, Time},
    providers::token::HeldLease,
    shared::Shared,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Takes it and renews it until what is given is dropped. A store that does not answer takes the key away from nobody; it is asked
/// again meanwhile.
///
/// # Errors
/// Who has it on another host.
pub async fn hold(shared: Arc<dyn Shared>, time: Arc<dyn Time>, me: &Clean, lease: &str) -> Result<HeldLease, Clean> {
    let take = {
        let (time, names) = (time, vec![lease.to_owned()]);
        move || {
            let (shared, time, names) = (shared.clone(), time.clone(), names.clone());
            async move { Keeper::take(shared, time, &names).await }
        }
    };
    let me = me.clone();
    let mut got = take().await;
    if let Some(who) = elsewhere(&got, &me) {
        return Err(who);
    }
    let (done, lost) = (CancellationToken::new(), CancellationToken::new());
    let held = HeldLease { lost: lost.clone(), right: Box::new(done.clone().drop_guard()) };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                () = done.cancelled() => {
                    if let Ok(keeper) = &mut got {
                        keeper.release().await;
                    }
                    return;
                }
                () = while_it_is(&mut got) => {}
            }
            got = take().await;
            if elsewhere(&got, &me).is_some() {
                return lost.cancel();
            }
        }
    });
    Ok(held)
}

/// Until it is to be taken anew.
async fn while_it_is(got: &mut Result<Keeper, Refused>) {
    match got {
        Ok(keeper) => {
            keeper.keep().await;
            // Not held any more, or hardly: whoever has it since is told by the next try.
            keeper.release().await;
        }
        Err(_) => tokio::time::sleep(EVERY).await,
    }
}

fn elsewhere(got: &Result<Keeper, Refused>, me: &Clean) -> Option<Clean> {
    let Err(Refused::Held { by: Some(by), .. }) = got else { return None };
    (host(by) != host(me)).then(|| by.clone())
}

/// Of `user@host[pid]`.
fn host(who: &Clean) -> &str {
    let at = who.as_str().rsplit_once('@').map_or(who.as_str(), |(_, host)| host);
    at.split_once('[').map_or(at, |(host, _)| host)
}

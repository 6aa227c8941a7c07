//! Whether a token is refused as one client says: tried once by a call without effect, before it is withheld from all the others
//! or asked for again.

use super::{Broker, Subject, decide, flight, ident};
use crate::{
    domain::{Fingerprint, ReasonCode},
    engine::who::process_at_host,
    providers::token::{Ask, Issuer, Tried},
    store::tokens::{Sign, SignKind, TokenRow},
};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Who reports waits so long at most for the token to be tried.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a report came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// There is none, or the platform says the same.
    Holds,
    /// The platform takes the token.
    Wrong,
    /// It could not be told: the report counts for who made it and for nobody else.
    Open,
    /// The same, because the platform does not trust the address of this host: no other token helps.
    Address,
}

impl Broker {
    /// Looks into a report. Called with the turn of this host in hand, so that many reports of one token are one try; what came of
    /// it stands for a moment.
    pub(super) async fn check(&self, subject: &Subject, issuer: &dyn Issuer, ask: &Ask, row: Option<&TokenRow>) -> Report {
        let world = &subject.world;
        let now = world.time.now();
        let Some(token) = decide::reported(row, ask, &now).filter(|_| !ask.proven && !world.read_only) else { return Report::Holds };
        match decide::checked(row, &now) {
            Some(true) => return Report::Wrong,
            Some(false) => return if row.is_some_and(|r| r.untrusted) { Report::Address } else { Report::Open },
            None => {}
        }
        let Some(text) = &token.text else { return Report::Holds };
        let Ok(cx) = world.cx(&subject.gateway, CancellationToken::new()) else { return Report::Holds };
        let tried = tokio::time::timeout(PATIENCE, issuer.tries(&cx, &subject.target, text)).await;
        match tried {
            Ok(Tried::Refused | Tried::Untriable) => Report::Holds,
            Ok(Tried::Good) => {
                self.found_good(subject, &token.fingerprint).await;
                Report::Wrong
            }
            Ok(Tried::Unclear(ReasonCode::AddressNotTrusted)) => {
                let by = process_at_host();
                let _ = world.store.token_untrusted(&subject.key.id, &token.fingerprint, world.time.now(), by.as_str()).await;
                Report::Address
            }
            Ok(Tried::Unclear(_)) | Err(_) => {
                let by = process_at_host();
                let _ = world.store.token_tried(&subject.key.id, &token.fingerprint, world.time.now(), by.as_str(), false).await;
                Report::Open
            }
        }
    }

    /// Looks once into a token that the log of a bot makes doubtful, before it is handed out. True when something is known of it now.
    pub(super) async fn look_into(&self, subject: &Subject, issuer: &dyn Issuer, row: Option<&TokenRow>) -> bool {
        let world = &subject.world;
        if world.read_only || decide::doubted(row, &world.time.now()).is_none() {
            return false;
        }
        let flight = self.flight(&subject.key.id);
        let Ok(_turn) = flight::turn(&flight, Instant::now() + PATIENCE).await else { return false };
        // Somebody may have looked while this one waited.
        let Ok(row) = subject.row().await else { return false };
        let Some(token) = decide::doubted(row.as_ref(), &world.time.now()) else { return true };
        let (Some(text), Ok(cx)) = (&token.text, world.cx(&subject.gateway, CancellationToken::new())) else { return false };
        let (id, print, by) = (&subject.key.id, &token.fingerprint, process_at_host());
        match tokio::time::timeout(PATIENCE, issuer.tries(&cx, &subject.target, text)).await {
            Ok(Tried::Refused) => self.found_refused(subject, print).await,
            Ok(Tried::Good) => self.found_good(subject, print).await,
            Ok(Tried::Unclear(ReasonCode::AddressNotTrusted)) => {
                let _ = world.store.token_untrusted(id, print, world.time.now(), by.as_str()).await;
            }
            Ok(Tried::Unclear(_) | Tried::Untriable) | Err(_) => {
                let _ = world.store.token_tried(id, print, world.time.now(), by.as_str(), false).await;
            }
        }
        true
    }

    /// The platform refuses that token: it is given to nobody any more, here or in another process of this store, and counts as dead
    /// before its time once.
    pub(super) async fn found_refused(&self, subject: &Subject, token: &Fingerprint) {
        let (store, now) = (&subject.world.store, subject.world.time.now());
        if !store.token_rejected(&subject.key.id, token).await.unwrap_or(false) {
            return;
        }
        let _ = store.token_signs(&subject.key.id, now, vec![Sign::of_token(SignKind::Died, token, now.wall)]).await;
        self.told(&subject.target);
    }

    /// The platform takes that token: it is withheld from nobody, here or elsewhere.
    pub(super) async fn found_good(&self, subject: &Subject, token: &Fingerprint) {
        let (world, by) = (&subject.world, process_at_host());
        let there = world.store.token_tried(&subject.key.id, token, world.time.now(), by.as_str(), true).await.unwrap_or(false);
        if !there {
            return;
        }
        self.told(&subject.target);
        // Other hosts ask for themselves where they cannot be told.
        if let (Some(shared), Some(mark)) = (self.shared(), subject.mark().await) {
            let _ = shared.good(&ident::name(subject), &mark).await;
        }
    }
}

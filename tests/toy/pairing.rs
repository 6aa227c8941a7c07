//! Its pairing: a code, a scan, a password in the middle, and a secret that is shown once.

use super::Shared;
use pairdeck::{
    domain::*,
    i18n::{Message, common},
    providers::*,
};
use std::time::Duration;

pub struct ToyPairing {
    pub server: Shared,
    pub uid: String,
    pub at: u8,
}

impl Pairing for ToyPairing {
    fn next<'a>(&'a mut self, cx: &'a Cx, answer: Option<Answer>) -> Fut<'a, PairEvent> {
        Box::pin(async move {
            self.at += 1;
            let now = cx.time.now();
            match self.at {
                1 => PairEvent::Waiting(Reason::new(ReasonCode::Asking)),
                2 => PairEvent::Offer(Ungated::new(Offer {
                    n: 0,
                    kind: OfferKind::Code,
                    payload: Payload::code("AB12-CD34").unwrap(),
                    issued: now,
                    dies: now.boot_now().plus(Duration::from_secs(30)),
                    expires_at: now.wall.plus_ms(30_000),
                    fresh: Fresh::Event,
                })),
                3 => PairEvent::Scanned,
                4 => PairEvent::Ask(Prompt { kind: PromptKind::Password, words: Message::new(&common::UNKNOWN), hint: None, wrong: 0 }),
                5 => {
                    let given = answer.map(|a| a.expose().to_owned()).unwrap_or_default();
                    if given != self.server.lock().unwrap().password {
                        self.at = 4;
                        return PairEvent::Ask(Prompt { kind: PromptKind::Password, words: Message::new(&common::UNKNOWN), hint: None, wrong: 1 });
                    }
                    // Shown once: it must be committed before anything else happens.
                    PairEvent::Got(Secrets::from([("session".to_owned(), Secret::new("minted-once-0123456789".into()))]))
                }
                6 => {
                    self.server.lock().unwrap().log.push("asked after got".into());
                    let row = Row {
                        gateway: cx.gateway.clone(),
                        account: RemoteId::new(&self.uid),
                        device: None,
                        incarnation: None,
                        label: Clean::new(&self.uid),
                        identity: None,
                        link: Link {
                            state: State::Online,
                            since: None,
                            observed_at: Some(now),
                            source: Source::Events,
                            reason: None,
                            witnesses: vec![],
                        },
                        tokens: vec![],
                        facts: vec![],
                    };
                    PairEvent::Linked(Box::new(row))
                }
                _ => std::future::pending().await,
            }
        })
    }

    fn end<'a>(self: Box<Self>, _: &'a Cx) -> Fut<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

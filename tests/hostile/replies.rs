//! At random, a thousand times and more: every provider that speaks HTTP, every call that it has.

use super::{
    far::{CANARY, MODES, Seen, serve},
    house::{ALONE, NAME, gateway, harmless, peak_from_here, peak_kib, world},
};
use pairdeck::{
    domain::{Action, Inputs, Method, Op, OpPhase, Plan, Reason, RemoteId, Replay, Secret, Secrets, Step, StepEnd, Target, Want},
    engine::{World, world::Gateway},
    i18n::{Message, common},
    providers::{Claim, Cx, Look, PairEvent, Report, registry, token::Renew},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const CALLS: [&str; 10] = ["list", "probe", "row", "wipe", "regenerate", "why", "reveal", "fetch", "pair", "write"];

/// An op in the middle of a step that writes.
fn op(cx: &Cx, at: &Target, step: &str) -> Op {
    let steps = vec![Step { id: step.into(), words: Message::new(&common::YES), replay: Replay::AfterCheck, clock: false }];
    let sealed = Secrets::from([("settings".to_owned(), Secret::new(format!("{{\"token\":\"{CANARY}\"}}")))]);
    let plan = Plan { v: 1, action: Action::Wipe, target: at.clone(), steps, pivot: 0, loses: vec![], clear: serde_json::json!({}), sealed };
    let (owner, at_stamp) = ("proc-1-x".into(), cx.time.now());
    Op {
        id: 1,
        action: Action::Wipe,
        target: at.clone(),
        phase: OpPhase::Running,
        step: 0,
        begun: true,
        owner,
        at: at_stamp,
        plan: Some(plan),
        reason: None,
    }
}

/// One call; the errors that it ended with.
async fn call(world: &Arc<World>, gateway: &Arc<Gateway>, what: &str) -> Vec<Reason> {
    let cx = world.cx(gateway, CancellationToken::new()).unwrap();
    let account = Target::account(&gateway.id, &RemoteId::new(NAME));
    let at = Target { device: Some(RemoteId::new("0")), ..account.clone() };
    let provider = gateway.provider();
    match what {
        "list" | "probe" | "row" => {
            let how = match what {
                "list" => Look::All,
                "probe" => Look::Probe,
                _ => Look::Row,
            };
            match provider.look(&cx, (what == "row").then_some(&at), how).await {
                Ok(report) => {
                    if let Report::All { rows, .. } = &report {
                        assert!(rows.len() <= 20_000, "{} rows", rows.len());
                        assert!(rows.iter().all(|r| !r.label.as_str().contains(['\u{1b}', '\u{202e}', '\u{9b}'])));
                    }
                    world.take(gateway, report);
                    Vec::new()
                }
                Err(why) => vec![why],
            }
        }
        "wipe" => provider.plan(&cx, &at, &Action::Wipe, Inputs::new()).await.err().into_iter().collect(),
        "regenerate" => provider.plan(&cx, &at, &Action::Regenerate, Inputs::new()).await.err().into_iter().collect(),
        "why" => provider.why(&cx, &at, &Claim::default()).await.err().into_iter().collect(),
        "reveal" => provider.reveal(&cx, &at).await.err().into_iter().collect(),
        "fetch" => match provider.issuer() {
            Some(issuer) => match issuer.fetch(&cx, &account, Renew::Plain).await {
                Ok(issued) => {
                    assert!(issued.token.len() <= 4096 && issued.token.expose().bytes().all(|b| b.is_ascii_graphic()));
                    assert!(!issued.life.is_zero() && issued.life <= Duration::from_secs(31 * 86_400));
                    Vec::new()
                }
                Err(why) => vec![why],
            },
            None => Vec::new(),
        },
        "pair" => {
            let want = Want { method: Method::Qr, number: None, wipe_spoilt: false };
            let mut pairing = match provider.pair(&cx, &account, want).await {
                Ok(pairing) => pairing,
                Err(why) => return vec![why],
            };
            let mut errors = Vec::new();
            for _ in 0..4 {
                // An attempt may wait for a phone as long as its code lives.
                match tokio::time::timeout(Duration::from_secs(8), pairing.next(&cx, None)).await {
                    Ok(PairEvent::Failed(why)) => {
                        errors.push(why);
                        break;
                    }
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
            pairing.end(&cx).await;
            errors
        }
        _ => match provider
            .run(
                &cx,
                &op(&cx, &account, if gateway.spec.kind == "langbot" { "write" } else { "fetch" }),
                if gateway.spec.kind == "langbot" { "write" } else { "fetch" },
                None,
            )
            .await
        {
            StepEnd::Failed { why, .. } => vec![why],
            _ => Vec::new(),
        },
    }
}

#[tokio::test]
async fn a_thousand_hostile_replies_do_no_harm() {
    let _alone = ALONE.lock().await;
    let wanted: usize = std::env::var("PAIRDECK_REPLIES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let seen = Arc::new(Seen::default());
    let at = serve(0x0BAD_5EED_0008, seen.clone()).await;
    let home = tempfile::tempdir().unwrap();
    // Telegram speaks no HTTP, and an AI bot is asked nothing.
    let kinds: Vec<_> = registry::kinds().iter().map(|k| k.kind).filter(|k| !["telegram", "wecom-aibot"].contains(k)).collect();
    let mut gateways: Vec<_> = kinds.iter().map(|kind| gateway(kind, kind, &at)).collect();
    // A server that is known by a login alone: its password is sent where a key would be.
    gateways.push(gateway("login", "langbot", &at));
    let world = world(&home, gateways, false, |gateway, name| gateway != "login" || name == "password").await;
    let before = peak_from_here();
    let mut tasks = tokio::task::JoinSet::new();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let (mut slowest, mut turn) = (0, 0_usize);
    let keep = |(gateway, what, errors, took): (String, &str, Vec<Reason>, u128), count: &mut BTreeMap<String, usize>, slowest: &mut u128| {
        for why in &errors {
            harmless(&format!("{gateway} {what}"), why);
        }
        *count.entry(gateway).or_default() += 1;
        *slowest = (*slowest).max(took);
    };
    while seen.replies.load(Ordering::SeqCst) < wanted {
        while tasks.len() < 24 {
            let world = world.clone();
            turn += 1;
            let gateways = world.gateways();
            let (gateway, what) = (gateways[turn % gateways.len()].clone(), CALLS[(turn / gateways.len()) % CALLS.len()]);
            tasks.spawn(async move {
                let began = Instant::now();
                let errors = call(&world, &gateway, what).await;
                (gateway.id.as_str().to_owned(), what, errors, began.elapsed().as_millis())
            });
        }
        let done = tasks.join_next().await.unwrap().expect("a provider panicked");
        keep(done, &mut count, &mut slowest);
    }
    while let Some(done) = tasks.join_next().await {
        keep(done.expect("a provider panicked"), &mut count, &mut slowest);
    }
    let grown = (peak_kib() - before) / 1024;
    let replies = seen.replies.load(Ordering::SeqCst);
    let modes = seen.modes.iter().filter(|m| m.load(Ordering::SeqCst) > 0).count();
    println!(
        "FIGURE hostile replies: {replies} out of {modes} modes, calls {count:?}, 0 panics, key echoed 0 times, followed redirects {}, peak memory +{grown} MiB with 24 calls at once, slowest call {slowest} ms",
        seen.sink.load(Ordering::SeqCst)
    );
    assert_eq!(modes, MODES);
    assert_eq!(seen.sink.load(Ordering::SeqCst), 0, "a redirect was followed");
    // All large answers together share the room of one of the largest size, trees are bounded and made one at a time; the server's
    // own buffers are in it too.
    assert!(grown < 150, "{grown} MiB more at the peak, with 24 calls at once");
    world.shut();
}

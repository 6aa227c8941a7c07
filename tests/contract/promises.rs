//! The promises, each held by every kind.

use super::*;
use pairdeck::providers::Attention;
use std::collections::BTreeSet;

#[test]
fn every_kind_of_the_registry_has_its_row() {
    let known: Vec<&str> = registry::kinds().iter().map(|k| k.kind).collect();
    assert_eq!(known, KINDS.map(|k| k.name));
}

#[tokio::test(start_paused = true)]
async fn every_row_has_a_name_of_its_own_and_is_found_by_it() {
    for kind in &KINDS {
        let h = House::of(kind, false, None).await;
        let rows = h.world.rows();
        let names: BTreeSet<String> = rows.iter().map(|r| r.target().id()).collect();
        assert_eq!(names.len(), rows.len(), "{}", kind.name);
        for name in &names {
            assert_eq!(h.row(name).target().id(), *name, "{}", kind.name);
            assert_eq!(h.world.resolve(name).unwrap().target().id(), *name, "{}", kind.name);
        }
        for name in [kind.target, kind.other] {
            assert_eq!(h.row(name).link.state, kind.well, "{} {name}: {:?}", kind.name, h.row(name).link);
        }
        assert_eq!(h.changes(), Vec::<String>::new(), "{}: looking changed something", kind.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_begins_with_the_whole_list_and_ends_when_it_is_told_to() {
    for kind in &KINDS {
        let h = House::of(kind, false, None).await;
        let (tx, mut rx) = tokio::sync::mpsc::channel(64);
        let cx = h.cx();
        let (seen, looks) = tokio::sync::watch::channel(Attention { on_screen: true, ..Attention::default() });
        let cx = Cx { seen: looks, ..cx };
        let stop = cx.cancel.clone();
        let script = async {
            let rows = loop {
                match rx.recv().await {
                    Some(Report::All { rows, complete: true }) => break rows.len(),
                    Some(_) => {}
                    None => panic!("{}: no list", kind.name),
                }
            };
            stop.cancel();
            while rx.recv().await.is_some() {}
            rows
        };
        let both = async { tokio::join!(h.provider().watch(&cx, tx), script) };
        let (why, rows) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap_or_else(|_| panic!("{}: it does not end", kind.name));
        assert_eq!((why.code, rows), (ReasonCode::Cancelled, h.world.rows().len()), "{}", kind.name);
        assert_eq!(h.changes(), Vec::<String>::new(), "{}", kind.name);
        drop(seen);
    }
}

#[tokio::test(start_paused = true)]
async fn arming_and_taking_back_send_nothing_that_changes_anything() {
    for kind in &KINDS {
        let h = House::of(kind, false, None).await;
        for action in h.actions() {
            for name in [kind.target, kind.other] {
                if let Ok((armed, effect)) = ops::arm(&h.world, &h.row(name), action.clone(), Inputs::new()).await {
                    assert!(effect.tier != Tier::Swift || effect.loses.len() < 4, "{} {action:?}", kind.name);
                    ops::disarm(&h.world, &armed).await;
                }
            }
        }
        assert_eq!(h.changes(), Vec::<String>::new(), "{}", kind.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_arms_nothing_and_an_unknown_verb_is_refused_with_words() {
    for kind in &KINDS {
        let reader = House::of(kind, true, None).await;
        for action in reader.actions() {
            let why = ops::arm(&reader.world, &reader.row(kind.target), action.clone(), Inputs::new()).await;
            assert!(matches!(why, Err(ops::NotArmed::Not(Not::ReadOnly))), "{} {action:?}: {why:?}", kind.name);
        }
        let h = House::of(kind, false, None).await;
        let why = ops::arm(&h.world, &h.row(kind.target), Action::Do("no-such-verb".into()), Inputs::new()).await;
        assert!(matches!(why, Err(ops::NotArmed::Not(Not::Unsupported(_)))), "{}: {why:?}", kind.name);
        let plan = h.provider().plan(&h.cx(), &h.row(kind.target).target(), &Action::Do("no-such-verb".into()), Inputs::new()).await;
        assert!(plan.is_err(), "{}", kind.name);
        assert_eq!((h.changes(), reader.changes()), (vec![], vec![]), "{}", kind.name);
    }
}

/// What does not exist, or has nothing to be done for, is refused when it is asked for, and no plan of it can be had.
async fn refused(h: &House, action: &Action) {
    let (name, row) = (h.kind.name, h.row(h.kind.target));
    let why = ops::arm(&h.world, &row, action.clone(), Inputs::new()).await;
    assert!(matches!(why, Err(ops::NotArmed::Not(Not::Unsupported(_) | Not::NotNow(_)))), "{name} {action:?}: {why:?}");
    assert_eq!(h.changes(), Vec::<String>::new(), "{name} {action:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wipe_ends_the_session_it_is_aimed_at_and_no_other() {
    for kind in &KINDS {
        let h = House::of(kind, false, None).await;
        if kind.wipe == Wipe::Never {
            refused(&h, &Action::Wipe).await;
            continue;
        }
        let (old, before) = (h.mark(kind.target).await, h.mark(kind.other).await);
        let ended = h.act(kind.target, Action::Wipe).await;
        assert_eq!(ended.phase, OpPhase::Done, "{}: {ended:?}", kind.name);
        assert!(!ended.loses.is_empty(), "{}: what was lost is told", kind.name);
        let state = h.fresh(kind.target).await.link.state;
        assert_eq!(state == kind.well, kind.wipe == Wipe::Anew, "{}: {state:?}", kind.name);
        if kind.wipe == Wipe::Anew {
            assert_ne!(h.mark(kind.target).await, old, "{}", kind.name);
        }
        let other = h.fresh(kind.other).await;
        assert_eq!((other.link.state, h.mark(kind.other).await), (kind.well, before), "{}", kind.name);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_regenerate_the_server_gives_out_the_token_that_was_told() {
    for kind in &KINDS {
        let h = House::of(kind, false, None).await;
        if kind.renew == Renew::Never {
            refused(&h, &Action::Regenerate).await;
            continue;
        }
        let (old, other) = (h.mark(kind.target).await.unwrap(), h.mark(kind.other).await);
        h.wear_out();
        let ended = h.act(kind.target, Action::Regenerate).await;
        assert_eq!(ended.phase, OpPhase::Done, "{}: {ended:?}", kind.name);
        let new = h.mark(kind.target).await.unwrap();
        assert_ne!(new, old, "{}", kind.name);
        if kind.renew == Renew::Told {
            assert_eq!(ended.token.as_ref(), Some(&new), "{}", kind.name);
            assert_eq!(ended.new, Some(Fingerprint::of(&h.cx().fingerprint_key, &new)), "{}", kind.name);
        } else {
            assert_eq!(ended.token, None, "{}: a key that is shown is a key that is copied", kind.name);
        }
        if let Server::Tokens(t) = h.server() {
            assert_eq!(t.live("ops").unwrap().0, new, "{}", kind.name);
        }
        assert_eq!(h.mark(kind.other).await, other, "{}", kind.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_holds_its_secrets_sealed_and_says_what_is_lost_and_sends_nothing_that_changes() {
    for kind in &KINDS {
        let h = House::of(kind, false, None).await;
        let old = if kind.renew == Renew::Told { h.mark(kind.target).await } else { None };
        h.forget();
        for action in h.plans() {
            let plan = h.provider().plan(&h.cx(), &h.row(kind.target).target(), &action, Inputs::new()).await.unwrap();
            // A platform that gives the same token again until it is over takes nothing away by that.
            let loses = !plan.loses.is_empty() || (kind.name == "wecom" && action == Action::Regenerate);
            assert!(!plan.steps.is_empty() && loses && plan.pivot <= plan.steps.len(), "{} {action:?}", kind.name);
            let ids: BTreeSet<&str> = plan.steps.iter().map(|s| &*s.id).collect();
            assert_eq!(ids.len(), plan.steps.len(), "{}: a step is found by its id", kind.name);
            let open = format!("{plan:?} {} {}", plan.clear, serde_json::to_string(&plan.steps).unwrap());
            for secret in plan.sealed.values().chain(old.as_ref()).chain(h.cx().secrets.values()) {
                assert!(secret.len() < 8 || !open.contains(secret.expose()), "{} {action:?}: a secret stands in clear", kind.name);
            }
        }
        assert_eq!(h.changes(), Vec::<String>::new(), "{}", kind.name);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_given_no_token() {
    for kind in &KINDS {
        let h = House::of(kind, false, None).await;
        let mut nobody = h.row(kind.target).target();
        nobody.account = RemoteId::new("nobody-of-that-name");
        let plan = h.provider().plan(&h.cx(), &nobody, &Action::Regenerate, Inputs::new()).await;
        assert!(plan.is_err(), "{}", kind.name);
        assert!(h.provider().reveal(&h.cx(), &nobody).await.is_err(), "{}", kind.name);
        assert_eq!(h.changes(), Vec::<String>::new(), "{}", kind.name);
    }
}

const WRONG: &str = "CANARY-wrong-key-77";

#[tokio::test(start_paused = true)]
async fn a_wrong_credential_is_called_one_everywhere() {
    for kind in &KINDS {
        let h = House::of(kind, false, Some(WRONG)).await;
        match kind.credential {
            Credential::Gateway => refused_by_the_gateway(&h).await,
            Credential::Account => {
                h.refresh().await;
                let ended = h.act(kind.target, Action::Regenerate).await;
                let why = ended.reason.clone().unwrap_or_else(|| panic!("{}: {ended:?}", kind.name));
                assert_eq!((ended.phase, why.code), (OpPhase::Failed, ReasonCode::CredentialRefused), "{}: {ended:?}", kind.name);
                let row = h.fresh(kind.target).await;
                assert_eq!(row.link.state, State::Refused, "{}: {:?}", kind.name, row.link);
                assert!(!format!("{ended:?} {row:?}").contains("CANARY"), "{}: {why:?}", kind.name);
                // Nothing is worth another request until somebody puts another one in.
                let sent = h.changes().len();
                assert!(h.provider().reveal(&h.cx(), &row.target()).await.is_err(), "{}", kind.name);
                assert_eq!((sent, h.changes().len()), (1, 1), "{}", kind.name);
            }
            Credential::Pairing => {
                let end = h.log_in().await;
                assert!(matches!(&end, PairEvent::Failed(why) if why.code == ReasonCode::CredentialRefused), "{}: {end:?}", kind.name);
                assert!(!format!("{end:?}").contains("CANARY"), "{}: {end:?}", kind.name);
            }
            Credential::Nowhere => {
                h.refresh().await;
                let row = h.row(kind.target);
                assert_eq!(row.link.reason.as_ref().map(|r| r.code), Some(ReasonCode::StateNotReported), "{}: {row:?}", kind.name);
                assert_eq!(h.changes(), Vec::<String>::new(), "{}", kind.name);
            }
        }
    }
}

async fn refused_by_the_gateway(h: &House) {
    let (cx, name) = (h.cx(), h.kind.name);
    let target = Target::account(&GatewayId::new("g"), &RemoteId::new("u1"));
    for how in [Look::Probe, Look::All, Look::Row] {
        let why = h.provider().look(&cx, Some(&target), how).await.unwrap_err();
        assert_eq!(why.code, ReasonCode::CredentialRefused, "{name} {how:?}: {why:?}");
        assert!(!format!("{why:?}").contains("CANARY"), "{name}: {why:?}");
    }
    let (tx, mut rx) = tokio::sync::mpsc::channel(64);
    let drain = async { while rx.recv().await.is_some() {} };
    let (why, ()) = tokio::join!(h.provider().watch(&cx, tx), drain);
    assert_eq!(why.code, ReasonCode::CredentialRefused, "{name}: {why:?}");
    assert!(h.provider().plan(&cx, &target, &Action::Wipe, Inputs::new()).await.is_err(), "{name}");
    assert_eq!(h.changes(), Vec::<String>::new(), "{name}");
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_is_lost_is_looked_at_before_it_is_repeated() {
    for kind in &KINDS {
        let Some(lost) = kind.lost.map(|l| l()) else { continue };
        let h = House::of(kind, false, None).await;
        let old = h.mark(kind.target).await.unwrap();
        h.wear_out();
        h.forget();
        if lost.skip > 0 {
            h.fault(Fault::Slow(Duration::ZERO), lost.skip, Some(lost.path));
        }
        h.fault(Fault::Mute, 1, Some(lost.path));
        let renews = lost.action == Action::Regenerate;
        let ended = h.act(kind.target, lost.action).await;
        assert_eq!(ended.phase, OpPhase::Done, "{}: {ended:?}", kind.name);
        let sent: Vec<String> = h.changes();
        let repeated = sent.iter().filter(|p| p.starts_with(lost.path)).count();
        assert!((1..=lost.most).contains(&repeated), "{}: {sent:?}", kind.name);
        let new = h.mark(kind.target).await.unwrap();
        if renews {
            assert!(new != old && ended.token == Some(new), "{}", kind.name);
        } else {
            assert_eq!(h.fresh(kind.target).await.link.state, State::Disabled, "{}", kind.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_server_that_is_gone_nothing_is_claimed() {
    for kind in &KINDS {
        let h = House::of(kind, false, None).await;
        let (cx, row) = (h.cx(), h.row(kind.target));
        let Some(action) = h.plans().pop() else {
            // Nobody was ever asked, so that nothing is known less: it is not said to be connected.
            h.sandbox.shutdown();
            let report = h.provider().look(&cx, None, Look::All).await;
            let Ok(Report::All { rows, .. }) = report else { panic!("{}: {report:?}", kind.name) };
            assert!(rows.iter().all(|r| r.link.reason.as_ref().is_some_and(|r| r.code == ReasonCode::StateNotReported)), "{}", kind.name);
            continue;
        };
        let plan = h.provider().plan(&cx, &row.target(), &action, Inputs::new()).await.unwrap();
        let ends = [plan.steps.first(), plan.steps.last()].map(|s| s.unwrap().id.clone());
        let steps = kind.over_wire.map_or(ends.to_vec(), |step| vec![step.into()]);
        let (armed, _) = ops::arm(&h.world, &row, action, Inputs::new()).await.unwrap();
        h.world.store().op_plan(armed.id, plan).await.unwrap();
        let op = h.world.store().op(armed.id).await.unwrap().unwrap();
        h.sandbox.shutdown();
        h.fault(Fault::Drop, 1_000, None);
        match h.provider().look(&cx, None, Look::All).await {
            Err(why) => assert!(why.code.passes(), "{}: it may come back: {why:?}", kind.name),
            // Where accounts answer one by one, files and all: a list that is not whole deletes nothing.
            Ok(Report::Lost { rows, why }) => {
                assert!(why.code.passes() && !rows.is_empty(), "{}: {why:?}", kind.name);
                assert!(!rows.iter().any(|r| r.device.is_none() && r.link.state == kind.well), "{}: {rows:?}", kind.name);
            }
            Ok(report) => panic!("{}: {report:?}", kind.name),
        }
        for step in &steps {
            let found = h.provider().check(&cx, &op, step).await;
            assert!(!matches!(found, Finding::Done), "{} {step}: {found:?}", kind.name);
            let end = h.provider().run(&cx, &op, step, None).await;
            assert!(matches!(end, StepEnd::Failed { .. }), "{} {step}: {end:?}", kind.name);
        }
    }
}
